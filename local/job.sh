#!/bin/bash
# {{about}}
# By hand: SLIDEGRID_TASK=1 bash {{script}}
set -eu
exec >>{{log}} 2>&1
cd {{run}}
{{setup}}
export SLIDEGRID_OUTCOME=1
{{program}}
