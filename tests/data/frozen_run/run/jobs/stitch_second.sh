#!/bin/bash
# Assembles the heatmap of second.
# By hand: sbatch @FOLDER@/run/jobs/stitch_second.sh
#SBATCH --job-name=sg_stitch_second
#SBATCH --chdir=@FOLDER@/run
#SBATCH --output=@FOLDER@/run/logs/stitch/second.%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=main
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1000M
#SBATCH --time=10
set -eu
exec slidegrid stitch --run @FOLDER@/run --slide second
