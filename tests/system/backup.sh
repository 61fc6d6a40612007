#!/bin/bash
# vssctl backup, restore, verify, list on real volumes with real writers, and what bad input gets.
. "$(dirname "$0")/../functions.sh"
requires setfattr
requires setfacl
PATH=$BUILD/tests:$PATH
umask 022

make_fs btrfs 1G "$SCRATCH/b"
make_fs xfs 1G "$SCRATCH/x"
make_fs ext4 512M "$SCRATCH/area"
etc=$SCRATCH/etc
mkdir -p "$etc/writers.d" "$SCRATCH/area/mirror" "$SCRATCH/state"
run=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn "rm -rf $run"
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $run
state_dir = $SCRATCH/vss-state

[provider.mirror]
area = $SCRATCH/area/mirror
C
cat >"$etc/writers.d/sqlite.conf" <<C
[writer]
plugin = sqlite

[sqlite]
state_dir = $SCRATCH/state

[database ledger]
path = $SCRATCH/b/app/ledger.db
C

v() { vssctl "$@" --config "$etc"; }
backup() { v backup --to "$SCRATCH/store" "$@"; }

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >"$SCRATCH/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out"; fail "exit $got instead of $code: $*"; }
    grep -qi -- "$words" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of '$words': $*"; }
}

orphans() { find "$SCRATCH/b/.vss" "$SCRATCH/x/.vss" "$SCRATCH/area/mirror" -mindepth 1 -not -path "*/btrfs-reference-*" -not -name 'sqlite-*' 2>/dev/null | head -n 3; }

tree() { # one of everything (B-150)
    mkdir -p "$1/d/deep" "$1/empty"
    printf 'one\n' >"$1/a" && ln "$1/a" "$1/d/hard"
    ln -s a "$1/link"
    truncate -s 8M "$1/sparse" && printf mid | dd of="$1/sparse" bs=1 seek=5000000 conv=notrunc status=none
    printf x >"$1/"$'new\nline' && printf y >"$1/"$'bad-\xff' && printf z >"$1/$(printf 'n%.0s' {1..255})"
    setfattr -n user.c -v green "$1/a" && setfacl -m u:1:r "$1/a"
    chown 12:34 "$1/d" && chmod 4751 "$1/d/hard" && mkfifo "$1/fifo" && touch -d '2001-02-03 04:05:06.7' "$1/d"
}
tree "$SCRATCH/b/t"
tree "$SCRATCH/x/t"
btrfs -q subvolume create "$SCRATCH/b/t/nested"
echo inside >"$SCRATCH/b/t/nested/file"
mkdir "$SCRATCH/b/app"
ledger run "$SCRATCH/b/app/ledger.db" "$SCRATCH/ledger.log" & app=$!
cleanup_fn "kill $app 2>/dev/null; wait $app 2>/dev/null"
sleep 0.5

echo "-- a full backup of two volumes; nothing stays behind (S-60, B-21)"
backup --json "$SCRATCH/b" "$SCRATCH/x" >"$SCRATCH/full.json"
python3 - "$SCRATCH/full.json" <<'P'
import json, sys
records = [json.loads(l) for l in open(sys.argv[1])]
last = records[-1]
assert last['record'] == 'backup' and last['components_failed'] == 0 and last['components_good'] == 2, records
P
[ -z "$(orphans)" ] || fail "copies stay behind: $(orphans)"
instant=$(python3 -c 'import json,sys; print([r["instant_ticks"] for r in map(json.loads, open(sys.argv[1])) if r["record"]=="operation"][0])' "$SCRATCH/full.json")

echo "-- the plan names decision, source and rule (T-6)"
v backup --plan --to "$SCRATCH/store" "$SCRATCH/b" >"$SCRATCH/plan"
grep -q 'I-83' "$SCRATCH/plan" || { cat "$SCRATCH/plan"; fail "the plan names no I-83"; }
grep -q 'B-149' "$SCRATCH/plan" || fail "the plan names no B-149"

echo "-- restored beside: everything equal, the database whole (B-150, R-104)"
v restore --from "$SCRATCH/store" --into "$SCRATCH/r1"
touch -d @1 "$SCRATCH/b/t" "$SCRATCH/r1$SCRATCH/b/t"
tree-compare "$SCRATCH/b/t" "$SCRATCH/r1$SCRATCH/b/t"
tree-compare "$SCRATCH/x/t" "$SCRATCH/r1$SCRATCH/x/t"
ledger check "$SCRATCH/r1$SCRATCH/b/app/ledger.db" "$SCRATCH/ledger.log" "$instant"

echo "-- incremental and differential by the requester's own history (I-38..I-41, I-114)"
echo changed >>"$SCRATCH/x/t/a"; rm "$SCRATCH/b/t/fifo"; mv "$SCRATCH/x/t/d/deep" "$SCRATCH/x/t/moved"; echo new >"$SCRATCH/b/t/new"
backup --type incremental >/dev/null
mkdir "$SCRATCH/ref" && cp -a "$SCRATCH/x/t" "$SCRATCH/ref/x" && cp -a "$SCRATCH/b/t" "$SCRATCH/ref/b"
echo more >>"$SCRATCH/x/t/a"; rm "$SCRATCH/b/t/new"
backup --type differential >/dev/null
v restore --from "$SCRATCH/store" --into "$SCRATCH/r3"
tree-compare "$SCRATCH/x/t" "$SCRATCH/r3$SCRATCH/x/t"
tree-compare "$SCRATCH/b/t" "$SCRATCH/r3$SCRATCH/b/t"
id=$(vssctl list --from "$SCRATCH/store" --json backups | python3 -c 'import json,sys; print([r["id"] for r in map(json.loads, sys.stdin) if r["type"]=="incremental"][0])')
v restore --from "$SCRATCH/store" --set "$id" --into "$SCRATCH/r2"
tree-compare "$SCRATCH/ref/x" "$SCRATCH/r2$SCRATCH/x/t"
tree-compare "$SCRATCH/ref/b" "$SCRATCH/r2$SCRATCH/b/t"
vssctl verify --from "$SCRATCH/store"

echo "-- what a listing shows can be named"
expect 0 "^    ledger$" vssctl list backups --from "$SCRATCH/store"
shown=$(vssctl list backups --from "$SCRATCH/store" | grep -o '{[-0-9a-f]*}' | tail -n 1)
expect 0 "restored 1 entry" v restore --from "$SCRATCH/store" --set "$shown" --into "$SCRATCH/r5" "$SCRATCH/x/t/a"

echo "-- one path of a backup, by its bytes"
v restore --from "$SCRATCH/store" --into "$SCRATCH/r4" "$SCRATCH/x/t/"$'bad-\xff'
[ "$(cat "$SCRATCH/r4$SCRATCH/x/t/"$'bad-\xff')" = y ] || fail "single path"
expect 1 "no such path" v restore --from "$SCRATCH/store" --into "$SCRATCH/r4" /nowhere

echo "-- into place: a writer refuses while the database is open, then takes it back (R-13, R-31, R-51)"
expect 2 "refuses" v restore --from "$SCRATCH/store" --in-place --component ledger
[ "$(grep -c "is open in process" "$SCRATCH/out")" = 1 ] || { cat "$SCRATCH/out"; fail "a refusal is told more than once"; }
kill $app; wait $app || true
sum=$(sha256sum <"$SCRATCH/b/t/a")
instant=$(vssctl list backups --from "$SCRATCH/store" --json | tail -n 1 | python3 -c 'import json,sys,datetime
t=datetime.datetime.strptime(json.loads(sys.stdin.read())["time"],"%Y-%m-%dT%H:%M:%SZ")
print(int((t-datetime.datetime(1601,1,1)).total_seconds())*10000000)')
rm "$SCRATCH/b/app/ledger.db"
v restore --from "$SCRATCH/store" --in-place --component SQLite:ledger
[ "$sum" = "$(sha256sum <"$SCRATCH/b/t/a")" ] || fail "--component touched other files"
ledger check "$SCRATCH/b/app/ledger.db" "$SCRATCH/ledger.log" "$instant"
echo overwritten >"$SCRATCH/b/t/a"
v restore --from "$SCRATCH/store" --in-place "$SCRATCH/b/t/a"
[ "$sum" = "$(sha256sum <"$SCRATCH/b/t/a")" ] || fail "one path into place"

echo "-- a configured writer that cannot be asked is not passed over in silence (B-82)"
printf '[writer]\nplugin = sqlite\n[sqlite]\nnonsense = 1\n' >"$etc/writers.d/broken.conf"
expect 4 "nonsense" v backup --to "$SCRATCH/s4" "$SCRATCH/x"
rm "$etc/writers.d/broken.conf"

echo "-- a writer that fails is told once"
printf '[writer]\nplugin = test\n[test]\nfail = freeze VSS_E_WRITERERROR_RETRYABLE\n[component c]\nfiles = %s/t/d/*\n' \
    "$SCRATCH/x" >"$etc/writers.d/failing.conf"
expect 4 "component 'c'" v backup --to "$SCRATCH/s5" "$SCRATCH/x"
[ "$(grep -c 'Failed at freeze' "$SCRATCH/out")" = 1 ] || { cat "$SCRATCH/out"; fail "not told once"; }
! grep '^vssd:' "$SCRATCH/out" || fail "the private service says what the writer's status says"
expect 0 "c: failed: " vssctl list backups --from "$SCRATCH/s5"
rm "$etc/writers.d/failing.conf"

echo "-- bad input"
expect 1 "no such file" backup "$SCRATCH/missing"
expect 1 "" v backup --to "$SCRATCH/s2" --component nobody:nothing
expect 2 "proc" backup /proc/sys
expect 2 "tmpfs" backup /dev/shm
expect 1 "" vssctl list backups --from "$SCRATCH/b/t"
expect 1 "no verb" vssctl bakcup
expect 1 "verb comes first" vssctl --json list writers
expect 1 "last element only" v backup --to "$SCRATCH/s2" --exclude '/srv/*/cache' "$SCRATCH/x"
expect 1 "last element only" v backup --to "$SCRATCH/s2" --exclude 'cache/*' "$SCRATCH/x"
expect 1 "name what to back up" backup --exclude '*.tmp'
expect 1 "no provider 'nobody'" v backup --plan --provider nobody "$SCRATCH/b"
expect 0 "by mirror" v backup --plan --provider mirror "$SCRATCH/b"
expect 1 "--to" vssctl backup "$SCRATCH/b"
sed -i 's/[0-9]\+/999/' "$SCRATCH/store/vss-store" 2>/dev/null && {
    expect 2 "newer" vssctl list backups --from "$SCRATCH/store"
    sed -i 's/999/1/' "$SCRATCH/store/vss-store"
}
make_fs ext4 8M "$SCRATCH/tiny"
head -c 12000000 /dev/urandom >"$SCRATCH/x/t/big"
expect 2 "no room left" v backup --to "$SCRATCH/tiny/store" "$SCRATCH/x"
[ -z "$(vssctl list backups --from "$SCRATCH/tiny/store" --json 2>/dev/null)" ] || fail "half a backup exists"
[ -z "$(orphans)" ] || fail "copies stay behind after a failure: $(orphans)"
archive=$(find "$SCRATCH/store" -name '*.zst' -size +1k | head -n 1)
cp "$archive" "$SCRATCH/whole" && truncate -s -100 "$archive"
expect 2 "$(basename "$archive")\|truncat\|damage" vssctl verify --from "$SCRATCH/store"
cp "$SCRATCH/whole" "$archive" && vssctl verify --from "$SCRATCH/store" >/dev/null

echo "-- two backups at once: one is refused, the other is whole"
backup "$SCRATCH/x" >"$SCRATCH/one" 2>&1 & one=$!
backup "$SCRATCH/x" >"$SCRATCH/two" 2>&1 & two=$!
refused=0
for which in one two; do
    if [ $which = one ]; then wait $one && continue; else wait $two && continue; fi
    refused=$((refused + 1))
    grep -q 'another backup is writing' "$SCRATCH/$which" || { cat "$SCRATCH/$which"; fail "refused without words"; }
done
[ $refused -lt 2 ] || fail "both of two backups were refused"
vssctl verify --from "$SCRATCH/store" --quick >/dev/null

echo "-- killed in the middle: the store is as before, the next command cleans up (B-137, S-46)"
before=$(vssctl list backups --from "$SCRATCH/store" --json | wc -l)
for delay in 0.05 0.15 0.3 0.5; do
    # not through the function: its shell would be killed, and the backup go on
    vssctl backup --config "$etc" --to "$SCRATCH/store" "$SCRATCH/b" "$SCRATCH/x" >/dev/null 2>&1 & victim=$!
    sleep $delay
    kill -9 $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
done
sleep 1
[ "$(vssctl list backups --from "$SCRATCH/store" --json | wc -l)" -ge "$before" ] || fail "a backup is gone"
backup "$SCRATCH/x" >/dev/null
[ -z "$(orphans)" ] || fail "copies stay behind after SIGKILL: $(orphans)"
for m in b x; do ! frozen "$SCRATCH/$m" || fail "$m is frozen"; done

echo "-- without privileges"
open_build
mkdir -m 755 "$SCRATCH/closed"
expect 2 "XDG_STATE_HOME" env "HOME=$SCRATCH/closed" \
    setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/vssctl" backup --to /var/tmp/nowhere-$$ "$SCRATCH/x"
mkdir -m 700 "$SCRATCH/x/locked" && mkdir "$SCRATCH/x/locked/y"
expect 1 "permission denied" setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/vssctl" backup --to /var/tmp/nowhere-$$ "$SCRATCH/x/locked/y"
echo "all well"
