#!/bin/bash
# Assembles the heatmap of first.
# By hand: sbatch @FOLDER@/run/jobs/stitch_first.sh
#SBATCH --job-name=sg_stitch_first
#SBATCH --chdir=@FOLDER@/run
#SBATCH --output=@FOLDER@/run/logs/stitch/first.%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=main
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1000M
#SBATCH --time=10
set -eu
exec slidegrid stitch --run @FOLDER@/run --slide first
