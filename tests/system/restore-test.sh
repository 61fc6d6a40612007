#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl verify --restore-test: a backup is restored to a scratch folder, its writers look at it there, and nothing that lives
# notices (R-39, R-82, R-94). What is damaged, does not fit, or is stopped in the middle ends with words, and with nothing left.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
PATH=$BUILD/tests:$PATH
make_fs btrfs 700M "$SCRATCH/d"
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
etc=$R/etc B=$SCRATCH/d/b store=$SCRATCH/store scratch=$SCRATCH/d/scratch log=$R/log
mkdir -p "$etc/writers.d" "$B"/{app,web,old,held,made} "$scratch"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
cat >"$etc/writers.d/sqlite.conf" <<C
[writer]
plugin = sqlite
[sqlite]
state_dir = $R/lists
[database app]
path = $B/app/app.db
C
printf '#!/bin/sh\necho "$VSS_EVENT" >>%s/programs\n' "$R" | tee "$R/pre" >"$R/post"
chmod 755 "$R/pre" "$R/post"
cat >"$etc/writers.d/held.conf" <<C
[writer]
plugin = files
[identity]
id = 11111111-2222-4333-8444-555555555555
[component held]
files = $B/held/* recursive
[hooks]
pre_restore = $R/pre
post_restore = $R/post
[restore]
method = stop_restore_start
service = no-such-unit.service
C
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[component web]
files = $B/web/* recursive
C
cat >"$etc/writers.d/made.conf" <<C
[writer]
plugin = test
[test]
log = $log
schema = incremental, copy, timestamped, new_target
[component made]
files = $B/made/db mask=0x0f01
data = $B/made/db size=1M by=partial
[component old]
files = $B/old/*
C
v() { timeout 100 vssctl "$@" --config "$etc"; }
# tried CODE ARGUMENTS...: verify --restore-test, words in $R/out; whatever becomes of it nothing is left behind
tried() {
    local code=$1 got=0
    shift
    v verify --from "$store" --restore-test --scratch "$scratch" "$@" >"$R/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$R/out"; fail "exit $got instead of $code: $*"; }
    [ -z "$(ls -A "$scratch")" ] || fail "left behind: $(find "$scratch" | head)"
}
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
json() { python3 - "$R/out" "$@" <<'P'
import json, sys
records = {r['component']: r for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'restore-test'}
for want in sys.argv[2:]:
    name, rest = want.split('=', 1)
    r = records[name]
    got = '%s %s %s' % (r['checked_by'], r['good'], r['entries'])
    assert got == rest, (name, got, rest)
assert len(records) == len(sys.argv) - 2, records
P
}

python3 - "$B" <<'P'
import os, sys
b = sys.argv[1]
for folder in 'web', 'old', 'held':
    for i in range(30):
        open('%s/%s/file-%d' % (b, folder, i), 'wb').write(os.urandom(20000))
P
ledger run "$B/app/app.db" "$R/ledger.log" wal & ledger=$!
cleanup_fn "kill $ledger 2>/dev/null; wait $ledger 2>/dev/null"
sleep 0.5
v backup --to "$store" --all-components >/dev/null || fail "no full backup"
sleep 0.3
v backup --to "$store" --type incremental --all-components >/dev/null || fail "no increment"
ls "$store" >"$R/sets"

echo "-- the writers look at the restored data, and nothing that lives notices (R-39, R-82)"
: >"$log"
# who looks into the application's folders is seen by inotify: only the ledger and what it makes may be
python3 - "$B/web" "$B/old" "$B/held" "$B/made" "$R/lists" >"$R/touched" <<'P' & watcher=$!
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
MODIFY, ATTRIB, MOVED, CREATE, DELETE = 2, 4, 0xc0, 0x100, 0x200
for folder in sys.argv[1:]:
    libc.inotify_add_watch(fd, folder.encode(), MODIFY | ATTRIB | MOVED | CREATE | DELETE)
print('ready', flush=True)
while True:
    data = os.read(fd, 65536)
    while data:
        wd, mask, cookie, size = struct.unpack('iIII', data[:16])
        print(sys.argv[wd], hex(mask), data[16:16 + size].rstrip(b'\0').decode(), flush=True)
        data = data[16 + size:]
P
cleanup_fn "kill $watcher 2>/dev/null"
for ((i = 0; i < 100; i++)); do grep -q ready "$R/touched" && break; sleep 0.05; done
find "$B" -printf '%P %i %y\n' | sort >"$R/before"
commits=$(wc -l <"$R/ledger.log")
(while kill -0 $ledger 2>/dev/null; do date +%s.%N; wc -l <"$R/ledger.log"; sleep 0.05; done) >"$R/pace" & pace=$!
cleanup_fn "kill $pace 2>/dev/null"
tried 0 --json
json 'app=writer True 2' 'held=writer True 31' 'web=digests True 31' 'made=writer True 1' 'old=writer True 30'
kill $pace $watcher; wait $pace $watcher 2>/dev/null || true
find "$B" -printf '%P %i %y\n' | sort | diff "$R/before" - || fail "something of what lives is another"
[ "$(cat "$R/touched")" = ready ] || fail "touched: $(cat "$R/touched")"
[ ! -e "$R/programs" ] || fail "a program of a writer ran: $(cat "$R/programs")"
[ "$(wc -l <"$R/ledger.log")" -gt "$commits" ] || fail "the application did not go on"
kill -0 $ledger || fail "the application is gone"
grep -q 'check data good' "$log" || { cat "$log"; fail "the test writer did not check its data"; }
ls "$store" | cmp "$R/sets" - || fail "the store is another"
tried 0 --component app --component web
said "'app' good, .*checked by its writer"
said "'web' good, .*compared with digests only: .*wants to hear of no restore"

echo "-- a damaged image: its digest, or its writer, says so; the others go on"
full=$(head -n 1 "$R/sets")
cp -a "$store" "$SCRATCH/good"
archive=$(find "$store/$full" -name '*data*' -size +100k | head -n 1)
python3 - "$archive" <<'P'
import os, sys
size = os.path.getsize(sys.argv[1])
f = open(sys.argv[1], 'r+b')
f.seek(size // 2); b = f.read(1); f.seek(size // 2); f.write(bytes([b[0] ^ 1]))
P
tried 2
said "CANNOT BE RESTORED"
said "' good, "
rm -rf "$store"; cp -a "$SCRATCH/good" "$store"

echo "-- a writer that is not content: its words, exit 2 (R-115)"
sed -i 's/^data = .*/&\nfail = VSS_E_WRITERERROR_NONRETRYABLE post_restore/' "$etc/writers.d/made.conf"
tried 2 --component made --json
json 'made=writer False 1'
said '"message": *".*not content'
sed -i '/^fail = /d' "$etc/writers.d/made.conf"

echo "-- no writer there: digests; no such component, no such backup, no such place, no use: words, exit 1"
mv "$etc/writers.d/sqlite.conf" "$R/"
tried 0 --component app
said "compared with digests only: .*does not run here"
mv "$R/sqlite.conf" "$etc/writers.d/"
tried 1 --component nonsense; said "no such component"
tried 1 no-such-backup; said "cannot verify 'no-such-backup'"
tried 1 --quick; said "one of them"
v verify --from "$store" --scratch "$scratch" >"$R/out" 2>&1 && fail "--scratch alone"; said "belong to --restore-test"
v verify --from "$store" --restore-test --scratch "$R/nowhere" >"$R/out" 2>&1 && fail "nowhere"; said "cannot try a restore"

echo "-- a writer without new targets is not told, and it is said that only digests were compared (R-83, R-39)"
sed -i 's/, new_target//' "$etc/writers.d/made.conf"
v backup --to "$SCRATCH/store2" --all-components >/dev/null
: >"$log"
got=0; v verify --from "$SCRATCH/store2" --restore-test --component made --scratch "$scratch" >"$R/out" 2>&1 || got=$?
[ $got = 0 ] || { cat "$R/out"; fail "exit $got"; }
said "'made' good, .*compared with digests only: the writer of component 'made' cannot restore to a new place"
! grep -q pre_restore "$log" || fail "it was told"
[ -z "$(ls -A "$scratch")" ] || fail "left behind"
sed -i '/^schema/s/$/, new_target/' "$etc/writers.d/made.conf"

echo "-- not enough room: said before the first byte"
mkdir "$SCRATCH/small"
mount -t tmpfs -o size=300k tmpfs "$SCRATCH/small"
got=0; v verify --from "$store" --restore-test --component web --scratch "$SCRATCH/small" >"$R/out" 2>&1 || got=$?
[ $got = 2 ] || fail "exit $got"
said "name a place with more room"
[ -z "$(ls -A "$SCRATCH/small")" ] || fail "left in the small one"
umount "$SCRATCH/small"

echo "-- told to end, and killed: what was restored goes, then or with the next one"
sed -i 's/^\[test\]/&\ndelay = post_restore 3s/' "$etc/writers.d/made.conf"
for signal in TERM KILL; do
    vssctl verify --from "$store" --restore-test --scratch "$scratch" --component made --config "$etc" >"$R/out" 2>&1 & pid=$!
    for ((i = 0; i < 300; i++)); do [ -n "$(find "$scratch" -name db)" ] && break; sleep 0.02; done
    [ -n "$(find "$scratch" -name db)" ] || fail "nothing was restored"
    [ "$(stat -c %a "$scratch"/vss-restore-test.*)" = 700 ] || fail "others could read it"
    # another one beside it does not take it away
    v verify --from "$store" --restore-test --scratch "$scratch" --component web >/dev/null || fail "beside"
    if [ $signal = TERM ]; then
        kill -TERM $pid; got=0; wait $pid || got=$?
        [ $got = 2 ] || fail "exit $got"
        said "interrupted"
        [ -z "$(ls -A "$scratch")" ] || fail "left after SIGTERM"
    else
        [ -n "$(find "$scratch" -name db)" ] || fail "it was taken away"
        kill -KILL $pid; wait $pid 2>/dev/null || true
        [ -n "$(ls -A "$scratch")" ] || fail "who removed it?"
    fi
done
sed -i '/^delay = /d' "$etc/writers.d/made.conf"
for ((i = 0; i < 100; i++)); do pgrep -f "$etc" >/dev/null || break; sleep 0.05; done # those of the killed one
tried 0 --component web

echo "-- without --scratch: \$TMPDIR"
TMPDIR=$scratch tried 0 --component web
echo ok
