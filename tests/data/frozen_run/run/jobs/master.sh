#!/bin/bash
# Submits what has become possible: predict for slides that are split.
# By hand: sbatch @FOLDER@/run/jobs/master.sh
#SBATCH --job-name=sg_master
#SBATCH --chdir=@FOLDER@/run
#SBATCH --output=@FOLDER@/run/logs/master/master.%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=main
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1000M
#SBATCH --time=10
set -eu
exec slidegrid master submit --run @FOLDER@/run --round 1
