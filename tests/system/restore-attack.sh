#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A restore under attack, with real processes: at PreRestore, between, and at PostRestore the requester, vssd and the writer
# are killed once each by SIGKILL, and the writer refuses, is late and hangs. Whoever got PreRestore and lives gets PostRestore,
# once (R-13, R-110, R-113); whoever died does not, and is told as lost (R-18, R-114); no process stays.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires pgrep
R=$(mktemp -d /dev/shm/vss-test.XXXXXX) CONF=$SCRATCH/etc DATA=$SCRATCH/data
requester=
cleanup_fn 'rm -rf "$R"; [ -z "$requester" ] || kill -9 "$requester" 2>/dev/null'
mkdir -p "$CONF/writers.d" "$DATA"
echo words >"$DATA/file"
ATTACK_MS=1000 STABLE=1 AT_PRE=13 AT_POST=14

configure() { # configure [SETTING-OF-THE-WRITER]
    printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$CONF/vss.conf"
    [ -z "${LIMITS:-}" ] || printf '[timeout]\npre_restore = %s\npost_restore = %s\n' $LIMITS >>"$CONF/vss.conf"
    printf '[provider.%s]\nenabled = no\n' mirror btrfs lvm >>"$CONF/vss.conf"
    printf '[provider.memory]\nenabled = yes\n' >>"$CONF/vss.conf"
    cat >"$CONF/writers.d/test.conf" <<END
[writer]
plugin = test
[test]
log = $R/log
${1:-}
[component c]
files = $DATA/*
END
}
configure
vssctl backup --config "$CONF" --to "$SCRATCH/store" --type copy --quiet --all-components >"$R/out" 2>&1 ||
    fail "no backup: $(cat "$R/out")"
document=$(find "$SCRATCH/store" -name backup-components.xml)

begin() { # begin WHAT [SETTING]: a restore, in the background
    CASE=$1
    configure "${2:-}"
    rm -f "$R/log" "$R/out"
    "$BUILD/tests/restore-requester" "${WHERE:-$CONF}" "$document" $ATTACK_MS >"$R/out" 2>&1 &
    requester=$!
}
ends() { # ends: the requester has, with this status
    local got=0
    wait "$requester" 2>/dev/null || got=$?
    requester=
    [ $got = "$1" ] || wrong "the requester ended with $got"
}
wrong() {
    echo "--- requester:"; cat "$R/out"
    echo "--- writer:"; cat "$R/log" 2>/dev/null || true
    fail "$CASE: $*"
}
within() { # within SECONDS WHAT COMMAND...
    local i n=$(($1 * 20)) what=$2
    shift 2
    for ((i = 0; i < n; i++)); do "$@" && return; sleep 0.05; done
    wrong "$what"
}
heard() { grep -qs " $1" "$R/log"; }
said() { grep -qs "^$1" "$R/out"; }
events() { cut -d' ' -f3 "$R/log" | grep -xE 'identify|pre_restore|post_restore|abort|backup_shutdown' | tr '\n' ' '; }
told() { # told EVENT...: exactly these, and what PostRestore was told of the component (R-100)
    [ "$(events)" = "$* " ] || wrong "it heard '$(events)'"
}
result() { heard "status c $1" || wrong "not told status $1 of its component"; }
status() { said "status Test Writer $1 $2 .*${3:-}" || wrong "no status $1 $2 ${3:-}"; }
none_left() { ! pgrep -f "vssd .*$CONF" >/dev/null && ! kill -0 "$vssd" 2>/dev/null && ! kill -0 "$writer" 2>/dev/null; }
nobody_left() { within 15 "processes stay: $(pgrep -af "vssd .*$CONF") or $writer" none_left; }
vssd_of() { vssd=$(pgrep -P "$requester" -x vssd); writer=$(pgrep -P "$vssd" -f 'writers/test.so'); }
at() { # at WHERE: wait for it
    case $1 in
        pre_restore | post_restore) within 20 "never came to $1" heard "$1" ;;
        between) within 20 "never came to $1" said 'done pre_restore' ;;
    esac
    vssd_of
}
kill_at() { # kill_at WHERE VICTIM
    begin "$2 killed at $1" "$([ "$1" = between ] || echo "delay = $1 ${ATTACK_MS}ms")"
    at "$1"
    kill -9 "${!2}"
}

begin "nobody killed"
at between
ends 0
told identify pre_restore post_restore
result 2
status $STABLE S_OK
nobody_left

echo "-- R-113: the requester is gone; the writer hears PostRestore, nothing was restored as far as it knows"
for where in pre_restore between; do
    kill_at $where requester
    ends 137
    within 10 "the bracket is not closed" heard post_restore
    nobody_left
    told identify pre_restore post_restore
    result 0
done
kill_at post_restore requester # it had been told already
ends 137
nobody_left
told identify pre_restore post_restore
result 2

echo "-- vssd is gone: the writer's own runtime closes the bracket; the requester is told"
for where in pre_restore between; do
    kill_at $where vssd
    ends 2
    said "failed .*vssd was killed by signal 9" || wrong "no words of vssd's end"
    within 10 "the bracket is not closed" heard post_restore
    nobody_left
    told identify pre_restore post_restore
    result 0
done
kill_at post_restore vssd
ends 2
nobody_left
told identify pre_restore post_restore

echo "-- R-18: the writer is gone: its next process is told nothing, the operation goes on"
kill_at pre_restore writer
ends 0
status $AT_PRE VSS_E_WRITER_NOT_RESPONDING pre_restore
told identify pre_restore
nobody_left
kill_at between writer
ends 0
status 0 VSS_E_WRITER_NOT_RESPONDING
told identify pre_restore
nobody_left
kill_at post_restore writer
ends 0
status $AT_POST VSS_E_WRITER_NOT_RESPONDING post_restore
told identify pre_restore post_restore
nobody_left

echo "-- R-110: who refuses PreRestore gets PostRestore; R-17: both kinds of failure"
for soft in "" soft; do
    begin "fails PreRestore $soft" "fail = pre_restore VSS_E_WRITERERROR_RETRYABLE $soft"
    at between
    ends 0
    status $AT_PRE VSS_E_WRITERERROR_RETRYABLE pre_restore
    said "status Test Writer $STABLE " && wrong "PostRestore made good what PreRestore had failed at (B-104)"
    told identify pre_restore post_restore
    nobody_left
done
begin "fails PostRestore" "fail = post_restore VSS_E_WRITERERROR_NONRETRYABLE"
at between
ends 0
status $AT_POST VSS_E_WRITERERROR_NONRETRYABLE post_restore
told identify pre_restore post_restore
nobody_left

echo "-- R-114: who is late has timed out, the operation goes on, and it still hears PostRestore"
LIMITS="1s 10s"
begin "late in PreRestore" "delay = pre_restore 2500ms"
at pre_restore
ends 0
status $AT_PRE VSS_E_WRITERERROR_TIMEOUT pre_restore
told identify pre_restore post_restore
nobody_left
LIMITS="10s 1s"
begin "late in PostRestore" "delay = post_restore 2500ms"
at between
ends 0
status $AT_POST VSS_E_WRITERERROR_TIMEOUT post_restore
told identify pre_restore post_restore
nobody_left
LIMITS="1s 1s"
for where in pre_restore post_restore; do
    begin "hangs in $where" "hang = $where"
    at $where
    ends 0
    status $AT_POST VSS_E_WRITERERROR_TIMEOUT post_restore
    nobody_left
done
echo "every bracket was closed"
