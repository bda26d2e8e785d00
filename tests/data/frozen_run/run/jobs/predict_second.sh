#!/bin/bash
# Scores groups 1-3 of second in 3 tasks.
# By hand: sbatch @FOLDER@/run/jobs/predict_second.sh
#SBATCH --job-name=sg_predict_second
#SBATCH --array=1-3
#SBATCH --chdir=@FOLDER@/run
#SBATCH --output=@FOLDER@/run/logs/predict/second.%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition=main
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1000M
#SBATCH --time=10
#SBATCH --signal=B:USR1@120
set -eu
# The program's end is read, not waited for: bash forgets exit codes when signals
# come while it waits. A warning goes on to the program, which saves what is
# scored and ends with 5.
exec 3< <(
    trap '' USR1 USR2 TERM
    slidegrid predict --run @FOLDER@/run --slide second --group 1-3 --part "$SLURM_ARRAY_TASK_ID"/3 >&2 &
    echo "$!"
    code=0; wait "$!" || code=$?
    echo "$code"
)
read -r program <&3
warned=''
# --signal: little time is left.
trap 'warned=yes; kill -s USR1 "$program" 2>/dev/null || :' USR1
# scancel, preemption.
trap 'kill -s TERM "$program" 2>/dev/null || :' TERM
read -r code <&3 || code=1
# 138: the warning came before the program could take it.
if [ -n "$warned" ] && { [ "$code" = 5 ] || [ "$code" = 138 ]; } &&
    [ "${SLURM_RESTART_COUNT:-0}" -lt 10 ]; then
    echo 'warned: queued again, to go on from what is saved'
    scontrol requeue "$SLURM_JOB_ID" || :
fi
exit "$code"
