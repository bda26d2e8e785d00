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
#SBATCH --signal=B:USR1@120
#SBATCH --first=1
#SBATCH --second
set -eu
module load hdf5
export OMP_NUM_THREADS=1
export SLIDEGRID_OUTCOME=1
# The program's end is read, not waited for: bash forgets exit codes when signals
# come while it waits. A warning goes on to the program, which saves what is
# scored and ends with 5.
exec 3< <(
    trap '' USR1 USR2 TERM
    /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$SLURM_ARRAY_TASK_ID"/40 >&2 &
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
    # The job id of an array's last task is that of the whole array.
    task=$SLURM_JOB_ID
    [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    scontrol requeue "$task" || :
fi
exit "$code"
