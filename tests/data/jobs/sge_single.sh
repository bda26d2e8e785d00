#!/bin/bash
# Assembles the heatmap of tumor_001.
# By hand: qsub /data/run/jobs/stitch_tumor_001.sh
#$ -S /bin/bash
#$ -N sg_stitch_tumor_001
#$ -wd /data/run
#$ -o /data/run/logs/stitch/tumor_001.$JOB_ID.log
#$ -j y
#$ -r y
set -eu
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid stitch --run /data/run --slide tumor_001
