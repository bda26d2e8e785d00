#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: qsub /data/run/jobs/predict_tumor_001.sh
#$ -S /bin/bash
#$ -N sg_predict_tumor_001
#$ -t 1-40
#$ -tc 20
#$ -wd /data/run
#$ -o /data/run/logs/predict/tumor_001.$JOB_ID.$TASK_ID.log
#$ -j y
#$ -r y
#$ -q long
#$ -P lab
#$ -pe smp 7
#$ -l h_vmem=1143M
#$ -l h_rt=7500
#$ --first=1
#$ --second
set -eu
module load hdf5
export OMP_NUM_THREADS=1
exec /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$SGE_TASK_ID"/40
