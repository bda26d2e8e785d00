#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: sbatch /data/run/jobs/predict_tumor_001.sh
#SBATCH --job-name=sg_predict_tumor_001
#SBATCH --array=1-40%20
#SBATCH --chdir=/data/run
#SBATCH --output=/data/run/logs/predict/tumor_001.%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=long
#SBATCH --account=lab
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=7
#SBATCH --mem=8000M
#SBATCH --time=125
#SBATCH --first=1
#SBATCH --second
set -eu
module load hdf5
export OMP_NUM_THREADS=1
exec /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$SLURM_ARRAY_TASK_ID"/40
