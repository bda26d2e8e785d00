#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: SLIDEGRID_TASK=1 bash /data/run/jobs/predict_tumor_001.sh
set -eu
exec >>/data/run/logs/predict/tumor_001."${SLIDEGRID_TASK:-1}".log 2>&1
cd /data/run
module load hdf5
export OMP_NUM_THREADS=1
export SLIDEGRID_OUTCOME=1
exec /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$SLIDEGRID_TASK"/40
