#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl restore of SQLite databases: programs that have them open, other names and places, chains, and what a killed vssctl, vssd
# or writer leaves in the middle (R-13, R-61, R-82, R-141). Every reader checks on every read that nothing is half.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
requires pgrep
make_fs btrfs 700M "$SCRATCH/d"
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
etc=$R/etc B=$SCRATCH/d/app store=$SCRATCH/d/store
mkdir -p "$etc/writers.d" "$B"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
cat >"$etc/writers.d/sqlite.conf" <<C
[writer]
plugin = sqlite
[sqlite]
state_dir = $R/state/writers/sqlite
restore_wait = 20s
[database shop]
path = $B/shop.db
restore = through
[database desk]
path = $B/desk.db
restore = through
[database box]
path = $B/box.db
C
v() { timeout 120 vssctl "$@" --config "$etc" >"$R/out" 2>&1; }
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
gone() { local i; for ((i = 0; i < 600; i++)); do pgrep -f "$etc|$R/run" >/dev/null || return 0; sleep 0.05; done; fail "still there: $(pgrep -af "$etc|$R/run")"; }

# app.py: an application. Every transaction writes ten rows that add up to zero, and its number into meta.
cat >"$R/app.py" <<'P'
import os, signal, sqlite3, sys, time
what, path = sys.argv[1:3]
stop = []
signal.signal(signal.SIGTERM, lambda *a: stop.append(1))
def connect():
    c = sqlite3.connect(path, isolation_level=None, timeout=60)
    return c
def look(c):
    c.execute('BEGIN')
    last, = c.execute('SELECT n FROM meta').fetchone()
    count, total, top = c.execute('SELECT count(*), coalesce(sum(amount), 0), coalesce(max(n), 0) FROM entry').fetchone()
    c.execute('COMMIT')
    assert total == 0 and count == 10 * last and top == last, (last, count, total, top)
    return last
def commit(c):
    c.execute('BEGIN IMMEDIATE')
    n = c.execute('SELECT n FROM meta').fetchone()[0] + 1
    for i in range(10):
        c.execute('INSERT INTO entry VALUES(?,?,?,?)', (n, i, n if i % 2 else -n, os.urandom(900)))
    c.execute('UPDATE meta SET n=?', (n,))
    c.execute('COMMIT')
    return n
if what == 'make':
    c = connect()
    c.execute('PRAGMA journal_mode=' + sys.argv[3])
    c.execute('CREATE TABLE entry(n, i, amount, filler, PRIMARY KEY(n, i))')
    c.execute('CREATE TABLE meta(n)')
    c.execute('INSERT INTO meta VALUES(0)')
    c.execute('CREATE TABLE large(id INTEGER PRIMARY KEY, x)')
    c.execute('WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM k WHERE i<2000) INSERT INTO large SELECT i, randomblob(3900) FROM k')
elif what == 'work':
    c = connect()
    for i in range(int(sys.argv[3])): commit(c)
    # many small places: more ranges than a document takes
    if len(sys.argv) > 4:
        c.execute('UPDATE large SET x=randomblob(3900) WHERE id%2=0')
elif what == 'last':
    c = connect()
    assert c.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
    print(look(c))
elif what == 'dump':
    c = connect()
    for line in c.iterdump(): print(line)
else: # read, write: over one connection until SIGTERM; what was seen goes into a file
    c = connect()
    seen, reads = [], 0
    while not stop:
        n = commit(c) if what == 'write' else look(c)
        reads += 1
        if what == 'write': look(c); time.sleep(0.002)
        if not seen or seen[-1] != n: seen.append(n)
        with open(sys.argv[3], 'w') as f: f.write('%d %d\n' % (reads, n))
    assert c.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
    if what == 'write': look(c)
P
app() { python3 "$R/app.py" "$@"; }
# begin NAME WHAT DATABASE: a program; ended NAME: it ends well
declare -A programs
begin() {
    python3 "$R/app.py" "$2" "$3" "$R/seen-$1" 2>"$R/words-$1" & programs[$1]=$!
    cleanup_fn "kill -9 ${programs[$1]} 2>/dev/null"
    rm -f "$R/seen-$1"
    local i; for ((i = 0; i < 200; i++)); do [ -s "$R/seen-$1" ] && return 0; sleep 0.02; done
    fail "$1 does not begin: $(cat "$R/words-$1")"
}
ended() {
    kill -TERM "${programs[$1]}" 2>/dev/null || fail "$1 had ended: $(cat "$R/words-$1")"
    wait "${programs[$1]}" || fail "$1: $(cat "$R/words-$1")"
}
sees() { # NAME COMMAND...: within 10 s the last number that it read makes the test true
    local name=$1 i; shift
    for ((i = 0; i < 500; i++)); do test "$(cut -d' ' -f2 "$R/seen-$name" 2>/dev/null || :)" "$@" && return 0; sleep 0.02; done
    fail "$name does not see it: $(cat "$R/seen-$name"), $(cat "$R/words-$name")"
}

for d in shop:WAL desk:DELETE box:WAL; do app make "$B/${d%:*}.db" "${d#*:}"; app work "$B/${d%:*}.db" 20; done
v backup --to "$store" --all-components || { cat "$R/out"; fail "no full backup"; }
for d in shop desk box; do app work "$B/$d.db" 15 many; done
v backup --to "$store" --type incremental --all-components || { cat "$R/out"; fail "no increment"; }
for d in shop desk box; do app dump "$B/$d.db" >"$R/$d.dump"; done
for d in shop desk box; do app work "$B/$d.db" 40; done
full=$(find "$store" -maxdepth 1 -name '2*' -printf '%f\n' | sort | head -n 1)
as_saved() { # DATABASE [FILE]
    app dump "${2:-$B/$1.db}" | cmp - "$R/$1.dump" || fail "$1 is not what was saved"
    [ "$(app last "${2:-$B/$1.db}")" = 35 ] || fail "$1: integrity"
}
clean() { # nothing is left of the restore
    [ -z "$(find "$R/state/writers/sqlite/restore" -type f 2>/dev/null)" ] || fail "left: $(find "$R/state/writers/sqlite/restore")"
    [ -z "$(find "$B" -name '*.before-restore-*' -o -name '.vss-*')" ] || fail "left: $(ls -la "$B")"
}
inodes() { stat -c '%n %i' "$B"/*.db; }

echo "-- in use: what is replaced is refused, with the program's name, and nothing of it is changed (R-60, R-61)"
begin box read "$B/box.db"
inodes >"$R/inodes"
v restore --from "$store" --in-place --component box && fail "exit 0: $(cat "$R/out")"
said "is open in process ${programs[box]} \(python3\)"
inodes | cmp "$R/inodes" - || fail "another file"
sees box = 75; ended box

echo "-- in use, through SQLite, image by image: readers see the old or the new one, and the file is the same"
for d in shop desk; do begin "$d" read "$B/$d.db"; begin "$d-2" read "$B/$d.db"; done
v restore --from "$store" --in-place --component shop --component desk || { cat "$R/out"; fail "restore"; }
for d in shop desk; do sees "$d" = 35; sees "$d-2" = 35; ended "$d"; ended "$d-2"; as_saved "$d"; done
inodes | cmp "$R/inodes" - || fail "another file"
clean

echo "-- writers in the middle of their transactions: each commits the old or the new one on, nothing is lost or half"
for d in shop desk; do app work "$B/$d.db" 500 & done; wait
for d in shop desk; do begin "$d" write "$B/$d.db"; done
v restore --from "$store" --in-place --component shop --component desk || { cat "$R/out"; fail "restore"; }
for d in shop desk; do sees "$d" -lt 500; ended "$d"; app last "$B/$d.db" >/dev/null || fail "$d"; done
inodes | cmp "$R/inodes" - || fail "another file"
clean

echo "-- killed in the middle, vssctl, vssd or the writer: a reader notices nothing; the same command comes to the same end"
killed=0
for who in vssctl vssd vss-host; do
    for delay in 0.2 0.5 0.9; do
        for d in shop desk box; do app work "$B/$d.db" 3; done
        begin shop read "$B/shop.db"; begin desk read "$B/desk.db"
        vssctl restore --from "$store" --in-place --config "$etc" >"$R/out" 2>&1 & pid=$!
        sleep $delay
        case $who in
            vssctl) victims=$pid ;;
            vssd) victims=$(pgrep -P $pid -x vssd || :) ;;
            vss-host) victims=$(pgrep -P "$(pgrep -P $pid -x vssd || echo 0)" -f 'writers/sqlite' || :) ;;
        esac
        for victim in $victims; do kill -9 "$victim" 2>/dev/null && killed=$((killed + 1)); done
        wait $pid 2>/dev/null || :
        gone
        ended shop; ended desk
        v restore --from "$store" --in-place || { cat "$R/out"; fail "again after $who at $delay"; }
        for d in shop desk box; do as_saved "$d"; done
        clean
    done
done
[ "$killed" -ge 6 ] || fail "only $killed were killed"

echo "-- programs that died: a hot journal, a log that is in no database, and their -shm"
for d in shop desk box; do
    python3 - "$B/$d.db" <<'P' || :
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA cache_size=2'); c.execute('PRAGMA wal_autocheckpoint=0')
c.execute('INSERT INTO large(x) VALUES(randomblob(9000))')
c.execute('BEGIN'); c.execute('UPDATE large SET x=randomblob(3000)')
os.kill(os.getpid(), 9)
P
done
[ -s "$B/desk.db-journal" ] && [ -s "$B/shop.db-wal" ] && [ -s "$B/box.db-wal" ] || fail "nothing was left: $(ls "$B")"
v restore --from "$store" --in-place || { cat "$R/out"; fail "restore"; }
for d in shop desk box; do as_saved "$d"; [ ! -e "$B/$d.db-journal" ] || fail "journal"; done
clean

echo "-- under another name, beside the one that is in use; once only (R-46)"
begin box write "$B/box.db"
v restore --from "$store" --in-place --component box --rename spring.db || { cat "$R/out"; fail "rename"; }
as_saved box "$B/spring.db"
v restore --from "$store" --in-place --component box --rename spring.db && fail "twice"
said "spring.db' exists"
[ "$(app last "$B/spring.db")" = 35 ] || fail "spring"
sees box -gt 36; ended box
app last "$B/box.db" >/dev/null
rm "$B"/spring.db*
clean

echo "-- to a new place while it is in use, over one that died there; and under another name there (R-82, R-95)"
mkdir "$R/new"; begin box write "$B/box.db"
app make "$R/new/box.db" WAL
python3 -c 'import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute("PRAGMA wal_autocheckpoint=0"); c.execute("DROP TABLE entry"); c.commit(); os.kill(os.getpid(), 9)' "$R/new/box.db" || :
[ -s "$R/new/box.db-wal" ] || fail "no log was left"
v restore --from "$store" --component box --target "$R/new" || { cat "$R/out"; fail "target"; }
as_saved box "$R/new/box.db"
rm -rf "$R/new"; mkdir "$R/new"
v restore --from "$store" --component box --target "$R/new" --rename winter.db || { cat "$R/out"; fail "target and name"; }
as_saved box "$R/new/winter.db"; [ ! -e "$R/new/box.db" ] || fail "both names"
ended box
clean

echo "-- one page of the restored file is another: words, and what stands through SQLite is as it was (R-115)"
python3 - "$store/$full" <<'P'
import os, sys
for folder, _, files in os.walk(sys.argv[1]):
    for f in (os.path.join(folder, f) for f in files):
        size = os.path.getsize(f)
        for at in range(size // 10, size, size // 10) if size > 1000000 else ():
            h = open(f, 'r+b'); h.seek(at); b = h.read(1); h.seek(at); h.write(bytes([b[0] ^ 1])); h.close()
P
app work "$B/shop.db" 2; app dump "$B/shop.db" >"$R/before"
v restore --from "$store" --in-place --component shop --set "$full" && fail "a damaged backup is restored"
app dump "$B/shop.db" | cmp - "$R/before" || fail "shop was changed"
echo ok
