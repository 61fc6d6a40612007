#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 300 writers of one class in one restore: more documents than one message may carry, there (GiveDocuments) and back. Each hears
# both events once, with its own component and no other, and the requester sees what each made of its document (R-31). Over a
# socket of its own, and over a bus, which lets 16 descriptors pass.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
count=300
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
mkdir -p "$R/etc/writers.d" "$R/data"
echo kept >"$R/data/file"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$R/etc/vss.conf"
printf '[provider.%s]\nenabled = no\n' mirror btrfs lvm >>"$R/etc/vss.conf"
for i in $(seq $count); do
    printf '[writer]\nplugin = test\ninstance-name = w%d\n[test]\nlog = %s\n[component c%d]\nfiles = %s mask=0x000f\nrestore_target = original_location\n' \
        "$i" "$R/log" "$i" "$R/data/*" >"$R/etc/writers.d/w$i.conf"
done
ulimit -Sn 256
vssctl backup --config "$R/etc" --to "$R/store" --type copy --quiet --all-components >"$R/out" 2>&1 ||
    fail "no backup: $(tail -c 500 "$R/out")"
document=$(find "$R/store" -name backup-components.xml)

everybody() { # everybody STATUS: what 300 writers heard
    python3 - "$R/log" "$count" "$1" <<'P' || fail "not everybody was told"
import collections, sys
path, count, status = sys.argv[1], int(sys.argv[2]), sys.argv[3]
heard = [line.split(' ', 2)[2].rstrip('\n') for line in open(path)]
all_of = lambda word: sorted(line for line in heard if line.startswith(word))
for event in ('pre_restore', 'post_restore'):
    got = all_of(event)
    whole = [line for line in got if line.startswith(event + ' components=1')]
    assert len(got) == len(whole) == count, (event, collections.Counter(got).most_common(3))
for word, end in (('selected', 'yes'), ('status', status)):
    expected = sorted(f'{word} c{i} {end}' for i in range(1, count + 1))
    assert all_of(word + ' c') == expected, (word, set(expected) ^ set(all_of(word + ' c')))
P
}
restore() { # restore WHERE BAD: by a program that tells each step; so many writers refuse, and change nothing (B-84)
    rm -f "$R/log"
    restore-requester "$1" "$document" 0 >"$R/out" 2>&1 || fail "exit $?: $(tail -c 500 "$R/out")"
    grep -qx "selected $count" "$R/out" || fail "not selected: $(head -c 500 "$R/out")"
    grep -qx "changed $((count - $2))" "$R/out" || fail "what writers changed did not come back: $(grep changed "$R/out")"
    n=$(grep -c "^status Test Writer 1 S_OK" "$R/out" || true)
    [ "$n" = $((2 * (count - $2))) ] || fail "$n good states"
    everybody 2
}
PATH=$BUILD/tests:$PATH
echo "-- a service of its own"
restore "$R/etc" 0

echo "-- vssctl: the files come back too"
rm -f "$R/log" "$R/data/file"
vssctl restore --config "$R/etc" --from "$R/store" --in-place --quiet >"$R/out" 2>&1 || fail "exit $?: $(tail -c 500 "$R/out")"
everybody 2
[ "$(cat "$R/data/file")" = kept ] || fail "the file is not there"

echo "-- on a bus"
requires dbus-daemon
address=unix:path=$R/bus
printf '<busconfig><type>system</type><listen>%s</listen><policy context="default"><allow send_destination="*"/>
<allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>\n' "$address" >"$R/bus.conf"
dbus-daemon --config-file="$R/bus.conf" --nofork --nopidfile 2>/dev/null &
bus=$!
cleanup_fn "kill $bus 2>/dev/null"
for ((i = 0; i < 50; i++)); do [ -S "$R/bus" ] && break; sleep 0.1; done
sed -i 's/^\[component/fail = pre_restore VSS_E_WRITERERROR_RETRYABLE\n&/' "$R/etc/writers.d/w7.conf"
vssd --bus="$address" --config="$R/etc" 2>"$R/vssd.err" &
service=$!
cleanup_fn "kill $service 2>/dev/null"
for ((i = 0; i < 100; i++)); do
    dbus-send --bus="$address" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.vss1 >/dev/null 2>&1 && break
    sleep 0.1
done
restore "$address" 1
echo "-- B-161: the log names the writer that refused: class, instance, session, event, code"
id='[0-9a-f]\{8\}-[0-9a-f-]\{27\}'
grep -q "Test Writer: event pre_restore failed with VSS_E_WRITERERROR_RETRYABLE (class c42f9a06-e158-4d3b-b70a-915c6d23f840,\
 instance $id, session $(awk '/ pre_restore/ { print $2; exit }' "$R/log"))" "$R/vssd.err" || fail "$(tail -c 500 "$R/vssd.err")"
echo "$count writers were told of each restore"
