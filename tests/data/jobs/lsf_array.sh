#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: bsub < /data/run/jobs/predict_tumor_001.sh
#BSUB -J "sg_predict_tumor_001[1-40]%20"
#BSUB -cwd /data/run
#BSUB -o /data/run/logs/predict/tumor_001.%J_%I.log
#BSUB -r
#BSUB -q long
#BSUB -P lab
#BSUB -n 7
#BSUB -R span[hosts=1]
#BSUB -M 8000MB
#BSUB -R rusage[mem=8000MB]
#BSUB -W 125
#BSUB --first=1
#BSUB --second
set -eu
module load hdf5
export OMP_NUM_THREADS=1
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$LSB_JOBINDEX"/40
