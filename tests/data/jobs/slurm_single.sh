#!/bin/bash
# Assembles the heatmap of tumor_001.
# By hand: sbatch /data/run/jobs/stitch_tumor_001.sh
#SBATCH --job-name=sg_stitch_tumor_001
#SBATCH --chdir=/data/run
#SBATCH --output=/data/run/logs/stitch/tumor_001.%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
set -eu
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid stitch --run /data/run --slide tumor_001
