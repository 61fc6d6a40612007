#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A backup program, a private vssd, real providers and a real freeze; then each of them is killed.
# shellcheck source=tests/functions.sh disable=SC2016
. "$(dirname "$0")/../functions.sh"
requires btrfs

B=$SCRATCH/b X=$SCRATCH/x
# the record of a freeze must lie on tmpfs
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
mkdir "$R/conf"
configure() { # configure TEXT: what vss.conf holds besides
    printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n%s\n' "$R" "$R" "$1" \
        >"$R/conf/vss.conf"
}
memory=$'[provider.memory]\nenabled = yes\norder = 1\nhold = freeze'
make_fs btrfs 300M "$B"
make_fs xfs 300M "$X"
btrfs subvolume create "$B/nested" >/dev/null
echo before >"$B/file"
echo before >"$B/nested/file"
echo before >"$X/file"

open() { # open: a new backup program
    coproc R_ { exec "$BUILD/tests/requester" "$R/conf" 2>"$R/words"; }
    requester=$R__PID
    # of our own: bash forgets those of the new one when it reaps the old one
    exec {to}>&"${R_[1]}" {from}<&"${R_[0]}"
    # shellcheck disable=SC2093,SC1083
    exec {R_[1]}>&- {R_[0]}<&-
    cleanup_fn "kill -9 $requester 2>/dev/null"
    answer
}
answer() { # the lines up to "ok"; "failed ..." ends the test unless it is expected
    local line
    lines=()
    while read -r -t 60 line <&"$from"; do
        [ "$line" = ok ] && return 0
        lines+=("$line")
        [[ $line == failed* ]] && return 1
    done
    fail "no answer: $(cat "$R/words")"
}
do_() { echo "$*" >&"$to"; answer || fail "$*: ${lines[*]}"; }
fails() { # fails WORDS STEP
    local words=$1
    shift
    echo "$*" >&"$to"
    answer && fail "'$*' was accepted"
    [[ ${lines[*]} == *"$words"* ]] || fail "'$*': ${lines[*]}, expected '$words'"
}
close_() { do_ release; wait "$requester" || fail "the backup program failed"; }
vssd_of() { pgrep -P "$requester" -x vssd; }
wait_until() { # wait_until SECONDS COMMAND...
    local i n=$(($1 * 20))
    shift
    for ((i = 0; i < n; i++)); do "$@" && return 0; sleep 0.05; done
    fail "waited in vain: $*"
}
hang_up() { # shellcheck disable=SC1083,SC2093
    exec {to}>&-
    wait "$requester" || true
}
gone() { ! kill -0 "$1" 2>/dev/null; }
no_copies() { [ -z "$(find "$B/.vss" "$B/nested/.vss" "$X/.vss" -mindepth 1 2>/dev/null)" ]; }
# held: the record stands before the first freeze, and the provider then takes its time. (To look
# with frozen() all the while would sooner or later hang in removing its own probe.)
held() { compgen -G "$R/run/hold-*" >/dev/null; }
wait_for_hold() { wait_until 20 held; sleep 1; frozen "$X" || fail "the XFS is not held"; }
thawed() { ! frozen "$1"; }

# ---- the whole way; S-60: the copies go with the object ----
configure "$memory"
open
do_ gather
do_ start
fails "VSS_E_OBJECT_NOT_FOUND" add "$X/file"
do_ add "$B"
do_ add "$B/nested"
do_ add "$X"
fails "VSS_E_OBJECT_ALREADY_EXISTS" add "$X/"
do_ prepare
do_ snapshot
echo after >"$B/file"
echo after >"$B/nested/file"
do_ copies
[ ${#lines[@]} = 3 ] || fail "not three copies: ${lines[*]}"
for line in "${lines[@]}"; do
    case $line in
        "$B "* | "$B/nested "*) grep -qx before "${line#* }/file" || fail "no point in time: $line" ;;
    esac
done
do_ timing
read -r _ _ _ hold <<<"${lines[0]}"
((hold > 1000 && hold < 10000000)) || fail "the XFS was not held: ${lines[0]}"
thawed "$X" || fail "the XFS is still frozen"
do_ complete
close_
no_copies || fail "an auto-release copy stayed"
compgen -G "$R/*/sets/*" >/dev/null && fail "a record stayed"

# ---- S-13: the slot is one for all services of the machine ----
open
do_ context 0x19
do_ start
first=$requester
exec {keep_in}>&"$to" {keep_out}<&"$from"
open
do_ context 0x19
fails VSS_E_SNAPSHOT_SET_IN_PROGRESS start
kill -9 "$first"
wait "$first" 2>/dev/null || true
exec {keep_in}>&- {keep_out}<&-
retry() { echo start >&"$to"; answer; }
wait_until 5 retry
close_

# ---- the backup program is killed: S-46 ----
open
do_ gather
do_ start
do_ add "$B"
do_ prepare
do_ snapshot
no_copies && fail "no copy was made"
vssd=$(vssd_of)
kill -9 "$requester"
wait "$requester" 2>/dev/null || true
wait_until 10 gone "$vssd"
no_copies || fail "a copy outlived its requester"

# ---- vssd is killed with copies standing: the next life deletes them (S-47, S-63) ----
open
do_ gather
do_ start
do_ add "$B"
do_ prepare
do_ snapshot
kill -9 "$(vssd_of)"
fails "" status
hang_up
no_copies && fail "the copies went before anybody could know"
open
wait_until 10 no_copies
close_

# ---- a persistent copy survives all that ----
configure ""
open
do_ context 0x9
do_ gather
do_ start
do_ add "$B"
do_ prepare
do_ snapshot
do_ complete
close_
no_copies && fail "a persistent copy went with its requester"
open
do_ context 0x9
do_ query
[[ ${lines[*]} == *"$B "* ]] || fail "the persistent copy is not listed: ${lines[*]}"
close_
rm -rf "$R/state" "$R/run"
for copy in "$B"/.vss/*/copy; do btrfs subvolume delete "$copy" >/dev/null; done
rm -rf "$B/.vss"

# ---- vssd is killed inside of the hold: writes flow again at once (S-25, PT-5) ----
configure "$memory"$'\ndelay_at = commit_snapshots:4000'
open
do_ gather
do_ start
do_ add "$X"
do_ prepare
echo snapshot >&"$to"
wait_for_hold
vssd=$(vssd_of)
begin=$SECONDS
kill -9 "$vssd"
wait_until 5 thawed "$X"
((SECONDS - begin <= 5)) || fail "thawed only after $((SECONDS - begin)) s"
answer && fail "the set succeeded without its service"
hang_up
wait_until 5 sh -c "! pgrep -f '[v]ss-hold.*$R'"

# ---- SIGTERM inside of the hold: a clean end, nothing held, nothing left ----
open
do_ gather
do_ start
do_ add "$X"
do_ prepare
echo snapshot >&"$to"
wait_for_hold
vssd=$(vssd_of)
kill -TERM "$vssd"
wait_until 20 gone "$vssd"
thawed "$X" || fail "SIGTERM left the XFS frozen"
hang_up
compgen -G "$R/run/sets/*" >/dev/null && fail "SIGTERM left a record"
echo ok
