#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# S-39..S-47, P-43, P-44, PT-5: real processes over real mounts: at each phase each process is killed once by SIGKILL. After that
# no file system is frozen, no writer stands still, and the next service leaves no orphan copy.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires pgrep
[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip "/dev/shm is no tmpfs"
for file in vssd vss-host vss-hold providers/memory.so providers/btrfs.so writers/test.so; do
    [ -e "$BUILD/$file" ] || skip "$file is not built"
done

RUN=$(mktemp -d /dev/shm/vss-kill.XXXXXX)
cleanup_fn "rm -rf $RUN"
X=$SCRATCH/x B=$SCRATCH/b CONF=$SCRATCH/etc
make_fs xfs 300M "$X" # frozen by vss-hold, on behalf of the memory provider
make_fs btrfs 300M "$B" # real copies, held by its own provider
mkdir -p "$CONF/writers.d" "$RUN/run" "$SCRATCH/state"
chmod 700 "$RUN/run"
REQUESTER=$BUILD/tests/phase-requester

STOP_MS=1200 # how long each phase is drawn out

# configure PARTY WHERE: draw out one method of the memory provider, or one event of the writer
configure() {
    cat >"$CONF/vss.conf" <<END
[service]
runtime_dir = $RUN/run
state_dir = $SCRATCH/state
[provider.memory]
enabled = yes
order = 1
hold = freeze
instant = one
volumes = $X
$([ "$1" = provider ] && echo "delay_at = $2:$STOP_MS")
[provider.mirror]
enabled = no
[provider.lvm]
enabled = no
END
    cat >"$CONF/writers.d/test.conf" <<END
[writer]
plugin = test
[test]
held_file = $RUN/held
log = $RUN/writer-log
$([ "$1" = writer ] && echo "delay = $2 ${STOP_MS}ms")
[component data]
files = $X/*
END
}

within() { # within SECONDS WHAT COMMAND...
    local tenths=$(($1 * 20)) what=$2 i
    shift 2
    for ((i = 0; i < tenths; i++)); do
        "$@" && return
        sleep 0.05
    done
    echo "--- requester:"; cat "$RUN/out"
    echo "--- next service:"; cat "$RUN/next" 2>/dev/null
    echo "--- writer:"; cat "$RUN/writer-log" 2>/dev/null
    fail "$CASE: $what"
}

is_held() { "$BUILD/tests/hold-driver" "$RUN/run" held:1 2>/dev/null; }
is_flowing() { ! frozen "$1"; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
not_there() { [ ! -e "$1" ]; }
said() { grep -q "$1" "$RUN/out"; }
logged() { grep -q " $1" "$RUN/writer-log" 2>/dev/null; }
no_copies() { [ -z "$(btrfs subvolume list "$B")" ]; }
no_records() { ! compgen -G "$RUN/run/hold-*" >/dev/null; }
no_process() { ! pgrep -f "$RUN/run |$CONF" >/dev/null; }

# pid_of VICTIM: within our own family only
pid_of() {
    local vssd
    vssd=$(pgrep -P "$REQ" -x vssd)
    case $1 in
        requester) echo "$REQ" ;;
        vssd) echo "$vssd" ;;
        provider) pgrep -P "$vssd" -f 'providers/memory.so' ;;
        copier) pgrep -P "$vssd" -f 'providers/btrfs.so' ;;
        writer) pgrep -P "$vssd" -f 'writers/test.so' ;;
        freezer) pgrep -o -f "vss-hold $RUN/run " ;;
        guardian) pgrep -n -f "vss-hold $RUN/run " ;;
        both) pgrep -f "vss-hold $RUN/run " ;;
    esac
}

reached() { # reached PARTY WHERE
    case $1:$2 in
        writer:*) logged "$2" ;;
        requester:*) said timing ;; # the set stands and is used
        # progress is told late while something is held (S-30); these follow the writer's freeze
        provider:pre_commit_snapshots) logged freeze && sleep 0.2 ;;
        provider:begin_prepare_snapshot) said 'done gather' && pid_of provider >/dev/null && sleep 0.3 ;;
        provider:commit_snapshots) is_held ;;
        provider:post_commit_snapshots) logged freeze && sleep 0.6 ;;
        provider:*) said "progress $2" ;;
    esac
}

# what there was to be put right, so that nobody takes silence for success
traces() {
    ! [ -e "$RUN/held" ] || printf 'held writer '
    no_records || printf 'record '
    no_copies || printf 'copy '
}
outcome() { sed -n 's/^failed \([^ ]*\) \([^ ]*\).*/\1 \2/p; s/^done release/success/p' "$RUN/out"; }

clean() {
    rm -rf "$RUN/held" "$RUN/writer-log" "$RUN/out" "$RUN/next"
    : >"$RUN/out"
}

# the next service: what a dead one left is put right
next_service() {
    configure none none
    "$REQUESTER" "$CONF" idle 60000 >"$RUN/next" 2>&1 &
    local next=$!
    within 20 "the writer stays held" not_there "$RUN/held"
    within 20 "a copy stays: $(btrfs subvolume list "$B")" no_copies
    within 20 "a record of vss-hold stays" no_records
    kill $next
    wait $next 2>/dev/null || true
}

# kill_at PARTY WHERE VICTIM OUTCOME: what the requester must hear, "" when it is the victim
kill_at() {
    local pids found
    CASE="$3 killed at $2 of the $1"
    clean
    configure "$1" "$2"
    "$REQUESTER" "$CONF" backup $STOP_MS "$X" "$B" >"$RUN/out" 2>&1 &
    REQ=$!
    disown # the shell would tell of its end
    within 20 "never came there" reached "$1" "$2"
    pids=$(pid_of "$3")
    [ -n "$pids" ] || { within 0 "no such process to kill" false; }
    # shellcheck disable=SC2086
    kill -KILL $pids || fail "$CASE: it had ended before"
    found=$(traces)
    within 12 "$X is frozen" is_flowing "$X"
    within 30 "the requester does not end" is_gone "$REQ"
    is_flowing "$X" || fail "$CASE: $X is frozen in the end"
    [ "$(outcome)" = "$4" ] || within 0 "the outcome is '$(outcome)', not '$4'" false
    next_service
    within 10 "processes stay: $(pgrep -af "$RUN/run |$CONF")" no_process
    dd if=/dev/zero of="$X/flows" bs=4k count=1 conv=fsync status=none
    dd if=/dev/zero of="$B/flows" bs=4k count=1 conv=fsync status=none
    echo "ok $CASE (then there: ${found:-nothing}; outcome: $(outcome))"
}

# too_slow WHAT LIMIT-MS COMMAND: a copy that takes longer than the limit; writes flow again in time
too_slow() {
    local start now at
    CASE=$1
    clean
    "$REQUESTER" "$CONF" backup 0 "$X" "$B" >"$RUN/out" 2>&1 &
    REQ=$!
    disown
    within 20 "never came there" is_held
    start=$(date +%s%N)
    $3
    dd if=/dev/zero of="$X/slow" bs=4k count=1 conv=fsync status=none
    now=$(date +%s%N)
    at=$(((now - start) / 1000000))
    ((at > $2 - 500 && at < $2 + 1000)) || within 0 "a write took $at ms" false
    $4
    within 30 "the requester does not end" is_gone "$REQ"
    said "failed snapshot VSS_E_HOLD_WRITES_TIMEOUT" || within 0 "it did not fail" false
    next_service
    within 10 "processes stay: $(pgrep -af "$RUN/run |$CONF")" no_process
    echo "ok $CASE, a write took $at ms"
}
stop_vssd() { VSSD=$(pid_of vssd) && kill -STOP "$VSSD"; }
continue_vssd() { kill -CONT "$VSSD"; }

# nobody is killed: it must work at all, or nothing below means anything
CASE="nobody killed"
clean
configure none none
"$REQUESTER" "$CONF" backup 0 "$X" "$B" >"$RUN/out" 2>&1 || within 0 "no backup" false
for phase in freeze pre_commit_snapshots hold commit_snapshots release thaw post_snapshot; do
    said "progress $phase" || within 0 "no phase $phase" false
done
within 5 "a copy stays" no_copies
within 5 "processes stay: $(pgrep -af "$RUN/run |$CONF")" no_process
echo "ok $CASE"

STOP_MS=15000 configure provider commit_snapshots
too_slow "commit takes 15 s (PT-4)" 10000 true true
STOP_MS=4000 configure provider commit_snapshots
printf '[hold]\nmax = 2s\n' >>"$CONF/vss.conf"
too_slow "vssd stopped in the hold (SEC-95)" 2000 stop_vssd continue_vssd

PROVIDER="end_prepare_snapshots pre_commit_snapshots commit_snapshots post_commit_snapshots
    pre_final_commit_snapshots post_final_commit_snapshots"
WRITER="prepare_snapshot freeze thaw post_snapshot"

# each_phase VICTIM OUTCOME
each_phase() {
    local where
    for where in $WRITER; do kill_at writer "$where" "$1" "$2"; done
    for where in $PROVIDER; do kill_at provider "$where" "$1" "$2"; done
}
# begin_prepare_snapshot is no phase: AddToSnapshotSet waits for it
kill_at provider begin_prepare_snapshot requester ""
kill_at provider begin_prepare_snapshot vssd "$X VSS_E_UNEXPECTED"
kill_at provider begin_prepare_snapshot provider "$X VSS_E_UNEXPECTED_PROVIDER_ERROR"
for victim in requester vssd; do
    kill_at requester use $victim "$([ $victim = requester ] || echo complete VSS_E_UNEXPECTED)"
    kill_at writer backup_complete $victim "$([ $victim = requester ] || echo complete VSS_E_UNEXPECTED)"
done
kill_at requester use provider success
kill_at requester use copier success
kill_at requester use writer success
kill_at writer prepare_backup requester ""
each_phase requester ""
kill_at writer prepare_backup vssd "prepare VSS_E_UNEXPECTED"
each_phase vssd "snapshot VSS_E_UNEXPECTED"
each_phase provider "snapshot VSS_E_UNEXPECTED_PROVIDER_ERROR"
# a writer's death is in its status, the set goes on without it (S-45)
each_phase writer success
# the btrfs provider, while it waits for the other one: its last step was done already
for where in $WRITER; do
    kill_at writer "$where" copier "snapshot VSS_E_UNEXPECTED_PROVIDER_ERROR"
done
for where in ${PROVIDER% *}; do
    kill_at provider "$where" copier "snapshot VSS_E_UNEXPECTED_PROVIDER_ERROR"
done
kill_at provider post_final_commit_snapshots copier success
# a set that was not held is no set (S-25)
for victim in freezer guardian both; do
    kill_at writer prepare_snapshot $victim "snapshot VSS_E_HOLD_WRITES_TIMEOUT"
    kill_at writer freeze $victim "snapshot VSS_E_HOLD_WRITES_TIMEOUT"
    kill_at provider pre_commit_snapshots $victim "snapshot VSS_E_HOLD_WRITES_TIMEOUT"
    kill_at provider commit_snapshots $victim "snapshot VSS_E_HOLD_WRITES_TIMEOUT"
done
