#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# S-60, S-71: the copy that a backup is reading is not deleted from under it, neither by another
# requester of the same service nor by one that has a service of its own. With force it is.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
B=$SCRATCH/b R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
reader=
cleanup_fn 'rm -rf "$R"; [ -z "$reader" ] || kill -9 "$reader" 2>/dev/null'
make_fs btrfs 300M "$B"
echo before >"$B/file"
mkdir "$R/etc"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$R/etc/vss.conf"

# requester [ADDRESS]: a backup that has its copy and reads it; $copy is its root
requester() {
    rm -f "$R/in"
    mkfifo "$R/in"
    "$BUILD/tests/requester" "$R/etc" "$@" <"$R/in" >"$R/out" 2>"$R/words" &
    reader=$!
    exec 8>"$R/in"
    printf '%s\n' gather start "add $B" prepare snapshot copies >&8
    for ((i = 0; i < 300; i++)); do
        copy=$(sed -n "s|^$B ||p" "$R/out")
        [ -z "$copy" ] || break
        sleep 0.1
    done
    [ -n "$copy" ] || fail "no copy: $(cat "$R/out" "$R/words")"
}
ends() { # the backup ends, and its copy with it
    exec 8>&-
    wait "$reader" || fail "the backup failed: $(cat "$R/out")"
    reader=
    [ -z "$(find "$B/.vss" -mindepth 1 -not -path "*/btrfs-reference-*" 2>/dev/null)" ] || fail "a copy stays"
}
shadows() { vssctl shadow "${how[@]}" "$@" >"$R/told" 2>&1; }
ids() { # the id of the one copy, and of its set
    vssctl shadow "${how[@]}" --json list | grep -F "\"original_mount\":\"$B\"" >"$R/list"
    [ "$(wc -l <"$R/list")" = 1 ] || fail "not one copy: $(cat "$R/list")"
    id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$R/list")
    set=$(sed -n 's/.*"set_id":"\([^"]*\)".*/\1/p' "$R/list")
}
refused() { # refused ID...: with the code, and words that say what to do; the copy is still read
    local got=0
    shadows "$@" || got=$?
    [ $got = 2 ] || fail "exit $got: $* $(cat "$R/told")"
    grep -q "'$B' belongs to a backup that still runs.*wait for its end, or" "$R/told" || fail "$(cat "$R/told")"
    [ "$(cat "$copy/file")" = before ] || fail "the copy is gone"
}
both_ways() {
    echo after >"$B/file"
    ids
    refused delete "$id"
    refused --set delete "$set"
    echo complete >&8
    ends
    echo before >"$B/file"
}

echo "-- each with a service of its own"
how=(--config "$R/etc")
requester
both_ways
requester
ids
shadows --force delete "$id" || fail "force: $(cat "$R/told")"
[ ! -e "$copy/file" ] || fail "force did not delete it"
ends

echo "-- what a killed one leaves is nobody's"
requester
vssd=$(pgrep -P "$reader" -x vssd)
kill -9 "$vssd" "$reader"
wait "$reader" 2>/dev/null || true
reader=
exec 8>&-
# the next service deletes it at once; whoever is faster, nobody is refused
vssctl shadow "${how[@]}" list >/dev/null
for ((i = 0; i < 100; i++)); do [ -e "$copy" ] || break; sleep 0.1; vssctl shadow "${how[@]}" list >/dev/null; done
[ ! -e "$copy" ] || fail "a dead one's copy stays"

echo "-- on one bus"
requires dbus-daemon
address=unix:path=$R/bus
printf '<busconfig><type>session</type><listen>%s</listen><policy context="default"><allow send_destination="*"/>
<allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>\n' "$address" >"$R/bus.conf"
dbus-daemon --config-file="$R/bus.conf" --nofork --nopidfile &
bus=$!
cleanup_fn "kill $bus 2>/dev/null"
for ((i = 0; i < 50; i++)); do [ -S "$R/bus" ] && break; sleep 0.1; done
vssd --bus="$address" --config="$R/etc" 2>"$R/vssd.err" &
service=$!
cleanup_fn "kill $service 2>/dev/null"
for ((i = 0; i < 100; i++)); do
    dbus-send --bus="$address" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.vss1 >/dev/null 2>&1 && break
    sleep 0.1
done
export DBUS_SYSTEM_BUS_ADDRESS=$address
how=()
requester "$address"
both_ways
echo "nothing was taken from under a reader"
