#!/bin/bash
# Splits rows 3 of slides.csv, one a task.
# By hand: sbatch @FOLDER@/run/jobs/split.sh
#SBATCH --job-name=sg_split
#SBATCH --array=1-1
#SBATCH --chdir=@FOLDER@/run
#SBATCH --output=@FOLDER@/run/logs/split/split.%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=main
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1000M
#SBATCH --time=10
set -eu
exec slidegrid split --run @FOLDER@/run --task 3 --part "$SLURM_ARRAY_TASK_ID"/1
