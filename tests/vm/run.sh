#!/usr/bin/env bash
# Runs test cases inside the virtual machine: all functions `case_…` of the named files, in the order they are written.
#   run.sh FILE[:CASE]…
# Prints a line per case, "ok FILE CASE", "FAILED FILE CASE" with the end of its output, or "skipped FILE CASE: REASON".
# Each case runs in a directory of its own below $TWINBOARD_OUT, which is left for a look afterwards; its whole output
# is there as well. The status says whether any failed.
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/lib.sh"

# end_after SECONDS PROCESS: kills what the case's shell runs then, so that one that hangs fails by itself.
end_after() {
    sleep "$1"
    echo "$1 s are over"
    # Between two commands there is none.
    while [ -e "/proc/$2" ]; do kill -KILL $(cat "/proc/$2/task/$2/children"); sleep 1; done
}

failed=0
for argument in "$@"; do
    file=${argument%%:*}
    . "$here/$file.sh"
    for name in $(sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' "$here/$file.sh"); do
        [[ $argument != *:* || $argument = "$file:$name" ]] || continue
        directory=$TWINBOARD_OUT/$file/$name
        mkdir -p "$directory"
        cd "$directory"
        start=$EPOCHREALTIME
        (trap end_background_jobs EXIT; set -meuo pipefail; PS4='+ ${SECONDS}s '; SECONDS=0; set -x; "case_$name") >log 2>&1 &
        running=$!
        end_after 300 "$running" >>log 2>&1 &
        guard=$!
        wait "$running"
        status=$?
        kill "$guard"
        wait "$guard"
        took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }")
        case $status in
            0) echo "ok $file $name ($took s)" ;;
            77) echo "skipped $file $name: $(tail -n 1 log)" ;;
            *) failed=1
               echo "FAILED $file $name (status $status, $took s)"
               tail -n 25 log | sed 's/^/    /' ;;
        esac
    done
done
exit "$failed"
