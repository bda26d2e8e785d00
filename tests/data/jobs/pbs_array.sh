#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: qsub /data/run/jobs/predict_tumor_001.sh
#PBS -S /bin/bash
#PBS -N sg_predict_tumor_001
#PBS -J 1-40%20
#PBS -o /data/run/logs/predict/tumor_001.^array_index^.log
#PBS -j oe
#PBS -r y
#PBS -q long
#PBS -A lab
#PBS -l select=1:ncpus=7:mem=8000mb
#PBS -l walltime=02:05:00
#PBS --first=1
#PBS --second
set -eu
cd /data/run
module load hdf5
export OMP_NUM_THREADS=1
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "${PBS_ARRAY_INDEX:-1}"/40
