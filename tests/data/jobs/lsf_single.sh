#!/bin/bash
# Assembles the heatmap of tumor_001.
# By hand: bsub < /data/run/jobs/stitch_tumor_001.sh
#BSUB -J sg_stitch_tumor_001
#BSUB -cwd /data/run
#BSUB -o /data/run/logs/stitch/tumor_001.%J.log
#BSUB -r
#BSUB -n 1
#BSUB -R span[hosts=1]
set -eu
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid stitch --run /data/run --slide tumor_001
