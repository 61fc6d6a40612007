#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Increments of the sqlite writer through vssctl: busy databases, every image restored and compared
# page by page with what the writer saw in the copy; what it costs; what a lost list costs.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
PATH=$BUILD/tests:$PATH

case ${1:?btrfs or xfs} in
    btrfs) make_fs btrfs 3G "$SCRATCH/d" ;;
    xfs) make_fs xfs 3G "$SCRATCH/d" ;; # copies by reflinks (mirror)
esac
etc=$SCRATCH/etc state=$SCRATCH/state store=$SCRATCH/d/store
mkdir -p "$etc/writers.d" "$SCRATCH/d/app" "$SCRATCH/d/more"
run=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn "rm -rf $run"
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $run
state_dir = $SCRATCH/vss-state
C
cat >"$etc/writers.d/sqlite.conf" <<C
[writer]
plugin = sqlite

[sqlite]
state_dir = $state

[database wal]
path = $SCRATCH/d/app/wal.db

[database rollback]
path = $SCRATCH/d/app/rollback.db

[database big]
path = $SCRATCH/d/app/big.db

[database more]
path = $SCRATCH/d/more/*.db
C

# a writer whose components must be together (L-33)
required() {
    printf '[writer]\nplugin = files\n[backup]\nincremental = yes\n'
    for component; do
        mkdir -p "$SCRATCH/d/$component"
        date >"$SCRATCH/d/$component/file"
        printf '[component %s]\nselectable = no\nfiles = %s/*\n' "$component" "$SCRATCH/d/$component"
    done
}
required one two >"$etc/writers.d/files.conf"

v() { vssctl "$@" --config "$etc"; }

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >"$SCRATCH/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out"; fail "exit $got instead of $code: $*"; }
    grep -qi -- "$words" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of '$words': $*"; }
}

# backup NAME ARGUMENTS...: remembers set and instant under the name; no word of a whole file
declare -A set_of instant_of
backup() {
    local name=$1
    shift
    v backup --to "$store" --json "$@" >"$SCRATCH/json" 2>"$SCRATCH/words" ||
        { cat "$SCRATCH/words" "$SCRATCH/json"; fail "backup $name"; }
    cat "$SCRATCH/json" >>"$SCRATCH/words"
    read -r set_of["$name"] instant_of["$name"] < <(python3 - "$SCRATCH/json" <<'P'
import json, sys
r = [json.loads(l) for l in open(sys.argv[1])]
b = [x for x in r if x['record'] == 'backup'][0]
o = [x for x in r if x['record'] == 'operation'][0]
print(b['folder'], o['instant_ticks'])
P
    )
}
no_whole() { ! grep -q 'saved whole' "$SCRATCH/words" || { cat "$SCRATCH/words"; fail "a whole file"; }; }

# proved SET FOLDER COMPONENT FILE: the file below the folder has the pages and the log of the copy,
# as computed here from the description in docs/writers.md
cat >"$SCRATCH/proved.py" <<'P'
import hashlib, os, struct, sys, xml.etree.ElementTree as E
document, component, path = sys.argv[1:]
for e in E.parse(document).iter():
    kept = [m.get('metadata') for m in e.iter() if (m.get('metadata') or '').startswith('sqlite-image:1:')]
    if e.get('componentName') == component and kept:
        _, _, page, size, digest, *log = kept[0].split(':')
        break
else:
    sys.exit('no proof of ' + component)
data = open(path, 'rb').read()
page = int(page)
hashes = b''.join(hashlib.sha256(data[i:i + page]).digest()[:16] for i in range(0, len(data), page))
if len(data) != int(size) or hashlib.sha256(struct.pack('<IQ', page, len(data)) + hashes).hexdigest() != digest:
    sys.exit('%s: other pages' % path)
wal = path + '-wal'
have = open(wal, 'rb').read() if os.path.exists(wal) else None
if log != ['none'] and (have is None or [str(len(have)), hashlib.sha256(have).hexdigest()] != log):
    sys.exit('%s: another log' % path)
if log == ['none'] and have:
    sys.exit('%s: a log that the copy had not' % path)
P
proved() {
    local document
    document=$(grep -l "componentName=\"$3\"" "$store/$1"/op-*/backup-components.xml | tail -n 1)
    python3 "$SCRATCH/proved.py" "$document" "$3" "$2/$4" || fail "$3 of $1"
}

# restored NAME: all of it beside, every database proved and consistent
restored() {
    local into=$SCRATCH/d/restored set=${set_of[$1]}
    rm -rf "$into"
    v restore --from "$store" --set "$set" --into "$into" >/dev/null
    for component in wal rollback; do
        proved "$set" "$into$SCRATCH/d/app" $component $component.db
        ledger check "$into$SCRATCH/d/app/$component.db" "$SCRATCH/$component.log" "${instant_of[$1]}" >/dev/null ||
            fail "$component of $1"
    done
    proved "$set" "$into$SCRATCH/d/app" big big.db
    cmp "$into$SCRATCH/d/app/big.db" "$SCRATCH/d/$1.big" || fail "big of $1 is not what it was"
    rm -rf "$into"
}

python3 - "$SCRATCH/d/app/big.db" <<'P' # 300 MB, one row per page
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA journal_mode=WAL'); c.execute('PRAGMA synchronous=OFF')
c.execute('CREATE TABLE t(id INTEGER PRIMARY KEY, filler BLOB)')
c.execute('BEGIN')
c.executemany('INSERT INTO t VALUES(?,?)', ((i, os.urandom(3900)) for i in range(1, 76801)))
c.execute('COMMIT')
P
change_big() { # PERCENT of the rows, at random places
    python3 - "$SCRATCH/d/app/big.db" "$1" <<'P'
import os, random, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN')
for i in random.sample(range(1, 76801), 768 * int(sys.argv[2])):
    c.execute('UPDATE t SET filler=? WHERE id=?', (os.urandom(3900), i))
c.execute('COMMIT')
P
    cp --reflink=auto "$SCRATCH/d/app/big.db" "$SCRATCH/d/$2.big"
}

ledger run "$SCRATCH/d/app/wal.db" "$SCRATCH/wal.log" wal & wal=$!
ledger run "$SCRATCH/d/app/rollback.db" "$SCRATCH/rollback.log" delete & rollback=$!
cleanup_fn "kill $wal $rollback 2>/dev/null; wait $wal $rollback 2>/dev/null"
sleep 1

echo "-- full, two increments, a differential, all of busy databases (I-38, I-40, I-41, I-157)"
change_big 0 full; backup full --all-components
for image in one two; do sleep 0.5; change_big 1 $image; backup $image --type incremental --all-components; no_whole; done
sleep 0.5; cp --reflink=auto "$SCRATCH/d/two.big" "$SCRATCH/d/diff.big"
backup diff --type differential --all-components; no_whole
for image in one two diff; do
    zstd -qdc "$store/${set_of[$image]}/op-1/manifest.zst" | grep 'app/big\.db' | grep -q '[[:space:]]r[0-9]' || fail "$image has no ranges"
done

echo "-- bytes stored: 1 % of a 300 MB database, at most 1.1 times that (I-124)"
change_big 1 cost; backup cost --type incremental --component SQLite:big; no_whole
stored=$(find "$store/${set_of[cost]}" -type f ! -name 'manifest.zst' -printf '%s\n' | awk '{ s += $1 } END { print s }')
changed=$({ cmp -l "$SCRATCH/d/two.big" "$SCRATCH/d/cost.big" || :; } | awk '{ p[int(($1 - 1) / 4096)] = 1 } END { for (i in p) n++; print n * 4096 }')
echo "   changed pages $changed, stored $stored bytes ($((stored * 100 / changed)) %), manifest $(stat -c %s "$store/${set_of[cost]}"/op-1/manifest.zst)"
[ "$stored" -le $((changed * 11 / 10)) ] || fail "$stored bytes for $changed"

echo "-- each point in time, page by page (I-179..I-181, IV-88, IV-91)"
for image in full one two diff; do restored $image; done

echo "-- new and dropped databases (I-76)"
python3 -c 'import sqlite3,sys
for n in ("a","b"):
    c=sqlite3.connect("%s/%s.db"%(sys.argv[1],n)); c.execute("create table t(x)"); c.execute("insert into t values(zeroblob(50000))"); c.commit()' "$SCRATCH/d/more"
required one two three >"$etc/writers.d/files.conf"
backup new --type incremental --all-components; no_whole
awk '$1 == "operation" { type[$2] = $3 } $1 == "component" && $5 != "-" { print type[$2], $NF, $0 }' \
    FS='\t' "$store/${set_of[new]}/backup-set.txt" >"$SCRATCH/parts"
# parted CONDITION COUNT WORDS
parted() { [ "$(grep -c "$1" "$SCRATCH/parts")" = "$2" ] || { cat "$SCRATCH/parts"; fail "$3"; }; }
parted '^full.*more' 2 "the new databases are in no full operation"
parted '^incremental' 3 "a new database costs the others a full backup"
parted '^full' 5 "required components are torn apart"
rm "$SCRATCH/d/more/a.db"
backup dropped --type incremental --all-components; no_whole
v restore --from "$store" --set "${set_of[new]}" --into "$SCRATCH/d/restored" >/dev/null
proved "${set_of[new]}" "$SCRATCH/d/restored$SCRATCH/d/more" a.db a.db
rm -rf "$SCRATCH/d/restored"

echo "-- vacuumed, and another page size"
python3 -c 'import sqlite3,sys
c=sqlite3.connect(sys.argv[1]); c.execute("delete from t where x is null"); c.commit(); c.execute("pragma page_size=1024"); c.execute("vacuum")' "$SCRATCH/d/more/b.db"
backup paged --type incremental --all-components
v restore --from "$store" --set "${set_of[paged]}" --into "$SCRATCH/d/restored" >/dev/null
proved "${set_of[paged]}" "$SCRATCH/d/restored$SCRATCH/d/more" b.db b.db
rm -rf "$SCRATCH/d/restored"

echo "-- a lost list costs a whole file, with words (I-159)"
rm "$state"/*.pages
change_big 1 lost; backup lost --type incremental --all-components
grep -q "component 'big': .*big.db' is saved whole: the page hash list .* is not there" "$SCRATCH/words" ||
    { cat "$SCRATCH/words"; fail "no words"; }
restored lost
change_big 1 again; backup again --type incremental --all-components; no_whole
restored again

echo "-- the writer killed between PostSnapshot and BackupComplete: its list does not count (I-149)"
change_big 1 killed
vssctl backup --to "$store" --type incremental --all-components --config "$etc" >"$SCRATCH/words" 2>&1 & backup=$!
for ((i = 0; i < 30000; i++)); do # files are being copied: PostSnapshot is over
    ls "$store"/.incomplete-*/op-1/*.tar.zst >/dev/null 2>&1 && break
    sleep 0.002
done
kill -STOP $backup
victim=$({ find /proc/[0-9]*/fd -lname "$state/*.new" -printf "%p\n" 2>/dev/null || :; } | head -n 1)
victim=${victim#/proc/} victim=${victim%%/*}
kill -9 "$victim"
kill -CONT $backup
wait $backup || true
grep -q "writer 'SQLite' failed when it was told so" "$SCRATCH/words" || { cat "$SCRATCH/words"; fail "not told"; }
change_big 1 after; backup after --type incremental --all-components
grep -q "component 'big': .* is saved whole: .* never ended" "$SCRATCH/words" || { cat "$SCRATCH/words"; fail "an unconfirmed list"; }
restored after
[ -z "$(find "$state" -name '*.new' -o -name '*.ranges')" ] || fail "left behind: $(ls "$state")"

echo "-- into place, image by image: each is proved in PostRestore, the last one is verified (I-185, I-186, R-13, R-140)"
kill $wal $rollback; wait $wal $rollback 2>/dev/null || true
for image in two after; do
    expect 0 "restored" v restore --from "$store" --set "${set_of[$image]}" --in-place --component SQLite:big --component SQLite:wal
    [ $image != two ] || for n in 1 2 3; do grep -q "big: image $n of 3, " "$SCRATCH/out" || fail "no image $n: $(cat "$SCRATCH/out")"; done
    cmp "$SCRATCH/d/app/big.db" "$SCRATCH/d/$image.big" || fail "big into place"
    ledger check "$SCRATCH/d/app/wal.db" "$SCRATCH/wal.log" "${instant_of[$image]}" >/dev/null || fail "wal into place"
done
[ -z "$(find "$state" -name '*.ranges')" ] || fail "a ranges file stays"
vssctl verify --from "$store"
echo "all well"
