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
# -notify: about to be suspended.
trap 'warned=yes; kill -s USR1 "$program" 2>/dev/null || :' USR1
# -notify: about to be killed.
trap 'kill -s TERM "$program" 2>/dev/null || :' TERM USR2
read -r code <&3 || code=1
# 124: `timeout` has warned it; 138: the warning came before it could take it.
if [ "$code" = 124 ] || { [ -n "$warned" ] && { [ "$code" = 5 ] || [ "$code" = 138 ]; }; }; then
    before=$(grep -c '^warned: queued again' "$SGE_STDOUT_PATH") || :
    if [ "${before:-0}" -lt {{requeues}} ]; then
        echo 'warned: queued again, to go on from what is saved'
        exit 99
    fi
    code=5
fi
exit "$code"
