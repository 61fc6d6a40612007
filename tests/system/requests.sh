#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a backup program asks, call by call, and what the writers hear of it.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

B=$SCRATCH/b etc=$SCRATCH/etc log=$SCRATCH/log
test=c42f9a06-e158-4d3b-b70a-915c6d23f840 files=5a0e3c51-770d-4b6e-9d21-6f1b8c9402e7
make_fs btrfs 300M "$B"
make_fs btrfs 300M "$SCRATCH/other"
mkdir -p "$etc/writers.d" "$B/d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $log
[component c]
files = $B/d/*
C
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[component c]
files = $B/f/*
C

# play STEP...: a backup program that takes these steps; what it says is in "out"
play() {
    rm -f "$log"
    printf '%s\n' "$@" | "$BUILD/tests/requester" "$etc" >"$SCRATCH/out" 2>&1 || fail "the requester: $(cat "$SCRATCH/out")"
}
well() { # well STEP...: and all of them succeed
    play "$@"
    grep -q ^failed "$SCRATCH/out" && { cat "$SCRATCH/out"; fail "a step failed: $*"; }
    return 0
}
refused() { # refused CODE STEP...: exactly the last step is refused so
    local code=$1
    shift
    play "$@"
    if [ "$(grep -c ^failed "$SCRATCH/out")" != 1 ] || [[ $(tail -n 1 "$SCRATCH/out") != "failed $code:"* ]]; then
        cat "$SCRATCH/out"
        fail "not refused with $code: $*"
    fi
}
heard() { # heard EVENT...: by the test writer, exactly these
    local got
    got=$(awk '{ print $3 }' "$log" 2>/dev/null | tr '\n' ' ' || true)
    [ "$got" = "${*:+$* }" ] || fail "the writer heard '$got' instead of '$*'"
}
taking_part() { sed -n 's/ class .*//p' "$SCRATCH/out" | sort | tr '\n' ' '; }
part() { # part WORDS: these writers were identified
    [ "$(taking_part)" = "$1" ] || { cat "$SCRATCH/out"; fail "'$(taking_part)' take part instead of '$1'"; }
}
no_copies() { [ -z "$(find "$B/.vss" -mindepth 1 -not -path "*/btrfs-reference-*" 2>/dev/null)" ] || fail "a copy stayed"; }

echo "-- B-27: only looking; nobody hears more than identify"
well gather writers release
part "Files Test Writer "
heard identify
grep -q "^Test Writer class $test instance" "$SCRATCH/out" || fail "no class id to filter by"

instance=$(awk '/^Test/ { print $NF }' "$SCRATCH/out")

echo "-- B-5, B-31: the filter, set before the writers are asked"
well "disable-class $test" gather writers release; part "Files "; heard
well "enable-class $test" gather writers release; part "Test Writer "
well "enable-class $test" "enable-class $files" "disable-class $test" gather writers release; part "Files "
# a packaged writer is the same instance each time it is started (docs/protocol.md)
well "disable-instance $instance" gather writers release; part "Files "; heard
well gather "disable-class $test" "enable-class $files" writers release; part "Files Test Writer " # BV-3
# who is left out is in no status either, and hears nothing (B-29)
well "disable-class $test" gather start "add $B" prepare status snapshot complete status release
grep -q '^Files state 1' "$SCRATCH/out" || fail "no status of the writer that takes part"
grep -q '^Test Writer state' "$SCRATCH/out" && fail "a status of a writer that does not take part"
heard; no_copies

echo "-- BV-13, B-24: without components selected each writer gets all events, and no component"
well gather start "add $B" prepare snapshot complete release
heard identify prepare_backup prepare_snapshot freeze thaw post_snapshot backup_complete backup_shutdown
[ "$(grep -c 'components=0' "$log")" = 3 ] || { cat "$log"; fail "components without having been selected"; }
no_copies # M-59: an auto-release copy goes with its object
# M-15, B-71: one session id in all events of an operation, another one in the next
sessions() { awk '{ print $2 }' "$log" | sort -u; }
first=$(sessions)
[[ $first =~ ^[0-9a-f-]{36}$ ]] || fail "not one session: '$first'"
well gather start "add $B" prepare snapshot complete release
[[ $(sessions) =~ ^[0-9a-f-]{36}$ && $(sessions) != "$first" ]] || fail "session '$first', then '$(sessions)'"

echo "-- B-26: given up before PrepareForBackup nothing is owed, after it the writers are told"
well gather start "add $B" release; heard identify; no_copies
well gather start "add $B" prepare abort release; heard identify prepare_backup abort backup_shutdown; no_copies
# and the next one is not hindered by it
well gather start "add $B" prepare snapshot complete release

echo "-- B-16, B-142: the root of a copy bears no separator; what lies there is what was there"
echo before >"$B/d/file"
well gather start "add $B" prepare snapshot copies
read -r _ device < <(grep "^$B " "$SCRATCH/out")
[ "${device%/}" = "$device" ] || fail "a separator behind '$device'"
no_copies # the program ended without releasing: the service did (M-59)

echo "-- M-2, M-7, M-79: one backup per object, and a set does not grow"
steps=(gather start "add $B" prepare snapshot)
refused VSS_E_BAD_STATE "${steps[@]}" "add $SCRATCH/other"
refused VSS_E_BAD_STATE "${steps[@]}" complete snapshot
refused VSS_E_BAD_STATE "${steps[@]}" complete prepare
refused VSS_E_BAD_STATE "${steps[@]}" complete gather
refused VSS_E_BAD_STATE "${steps[@]}" complete start

echo "-- M-5, M-6: with no writer at all there is a copy of whatever is on the volume"
rm "$etc"/writers.d/*
well gather writers start "add $B" prepare snapshot complete release; part ""; no_copies
well "context 16" start "add $B" snapshot release; no_copies # M-68

echo "-- M-73: everything is for looking only"
refused VSS_E_BAD_STATE "context 0xffffffff" start
echo "all well"
