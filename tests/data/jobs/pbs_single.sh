#!/bin/bash
# Assembles the heatmap of tumor_001.
# By hand: qsub /data/run/jobs/stitch_tumor_001.sh
#PBS -S /bin/bash
#PBS -N sg_stitch_tumor_001
#PBS -o /data/run/logs/stitch/tumor_001.log
#PBS -j oe
#PBS -r y
#PBS -l select=1:ncpus=1
set -eu
cd /data/run
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid stitch --run /data/run --slide tumor_001
