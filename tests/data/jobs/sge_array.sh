#!/bin/bash
# Scores groups 1-40 of tumor_001 in 40 tasks.
# By hand: qsub /data/run/jobs/predict_tumor_001.sh
#$ -S /bin/bash
#$ -N sg_predict_tumor_001
#$ -t 1-40
#$ -tc 20
#$ -wd /data/run
#$ -o /data/run/logs/predict/tumor_001.$JOB_ID.$TASK_ID.log
#$ -j y
#$ -r y
#$ -q long
#$ -P lab
#$ -pe smp 7
#$ -l h_vmem=1143M
#$ -l h_rt=7500
#$ -notify
#$ --first=1
#$ --second
set -eu
module load hdf5
export OMP_NUM_THREADS=1
export SLIDEGRID_OUTCOME=1
# The program's end is read, not waited for: bash forgets exit codes when signals
# come while it waits. A warning goes on to the program, which saves what is
# scored and ends with 5.
exec 3< <(
    trap '' USR1 USR2 TERM
    timeout --signal=USR1 7380 /opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part "$SGE_TASK_ID"/40 >&2 &
    echo "$!"
    code=0; wait "$!" || code=$?
    echo "$code"
)
read -r program <&3
warned=''
# -notify: about to be suspended.
trap 'warned=yes; kill -s USR1 "$program" 2>/dev/null || :' USR1
# -notify: about to be killed.
trap 'kill -s TERM "$program" 2>/dev/null || :' TERM USR2
read -r code <&3 || code=1
# 124: `timeout` has warned it; 138: the warning came before it could take it.
if [ "$code" = 124 ] || { [ -n "$warned" ] && { [ "$code" = 5 ] || [ "$code" = 138 ]; }; }; then
    before=$(grep -c '^warned: queued again' "$SGE_STDOUT_PATH") || :
    if [ "${before:-0}" -lt 10 ]; then
        echo 'warned: queued again, to go on from what is saved'
        exit 99
    fi
    code=5
fi
exit "$code"
