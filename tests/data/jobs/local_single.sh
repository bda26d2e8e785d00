#!/bin/bash
# Assembles the heatmap of tumor_001.
# By hand: SLIDEGRID_TASK=1 bash /data/run/jobs/stitch_tumor_001.sh
set -eu
exec >>/data/run/logs/stitch/tumor_001."${SLIDEGRID_TASK:-1}".log 2>&1
cd /data/run
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid stitch --run /data/run --slide tumor_001
