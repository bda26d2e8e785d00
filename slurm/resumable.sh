# The program's end is read, not waited for: bash forgets exit codes when signals
# come while it waits. A warning goes on to the program, which saves what is
# scored and ends with 5.
exec 3< <(
    trap '' USR1 USR2 TERM
    {{command}} >&2 &
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
    [ "${SLURM_RESTART_COUNT:-0}" -lt {{requeues}} ]; then
    echo 'warned: queued again, to go on from what is saved'
    # The job id of an array's last task is that of the whole array.
    task=$SLURM_JOB_ID
    [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    scontrol requeue "$task" || :
fi
exit "$code"
