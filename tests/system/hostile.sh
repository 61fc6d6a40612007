#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl against everything that can go wrong around it: each part here once broke something.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires pgrep
umask 022

make_fs btrfs 512M "$SCRATCH/b"
head -c 5000000 /dev/urandom >"$SCRATCH/b/filler"
etc=$SCRATCH/etc
mkdir -p "$etc/writers.d"
RUN=$(mktemp -d /dev/shm/vss-hostile.XXXXXX)
cleanup_fn "rm -rf $RUN"
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $RUN
state_dir = $SCRATCH/state
C
v() { vssctl "$@" --config "$etc"; }

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >"$SCRATCH/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out"; fail "exit $got instead of $code: $*"; }
    [ -z "$words" ] || grep -qi -- "$words" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of '$words': $*"; }
}

echo "-- partial files: ranges stored, merged with the base at restore (I-124, I-127, I-133)"
mkdir "$SCRATCH/b/parts"
head -c 300000 /dev/urandom >"$SCRATCH/b/parts/data"
cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
schema = incremental,differential,timestamped
[component data]
files = $SCRATCH/b/parts/*
partial = $SCRATCH/b/parts/data 0:1000,5000:70000
C
v backup --to "$SCRATCH/store" "$SCRATCH/b/parts" >/dev/null
cp "$SCRATCH/b/parts/data" "$SCRATCH/expected"
for where in 0 5000 250000; do # the last one is in no range: a writer that lies is believed
    printf changed | dd of="$SCRATCH/b/parts/data" bs=1 seek=$where conv=notrunc status=none
    [ $where = 250000 ] || printf changed | dd of="$SCRATCH/expected" bs=1 seek=$where conv=notrunc status=none
done
v backup --to "$SCRATCH/store" --type incremental >/dev/null
[ -n "$(find "$SCRATCH/store" -name ranges.tar.zst)" ] || fail "the increment holds no ranges"
v restore --from "$SCRATCH/store" --into "$SCRATCH/r1" >/dev/null
cmp "$SCRATCH/expected" "$SCRATCH/r1$SCRATCH/b/parts/data"
rm "$etc/writers.d/test.conf"

echo "-- copies that go while they are read: no backup that is short (B-153)"
for i in $(seq 10); do
    mkdir -p "$SCRATCH/b/many/$i"
    (cd "$SCRATCH/b/many/$i" && seq 500 | xargs touch)
done
sets=$(v list --from "$SCRATCH/store" --json backups | wc -l)
"$BUILD/vssctl" backup --config "$etc" --to "$SCRATCH/store" "$SCRATCH/b" >"$SCRATCH/out" 2>&1 & victim=$!
for i in $(seq 500); do
    ! compgen -G "$SCRATCH/store/.incomplete*/op-1" >/dev/null || break
    sleep 0.01
done
pkill -KILL -P $victim -x vssd || fail "no vssd to kill"
v list shadows >/dev/null
got=0
wait $victim || got=$?
[ $got = 2 ] || { cat "$SCRATCH/out"; fail "exit $got instead of 2"; }
grep -q "did not stand" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no words"; }
[ "$(v list --from "$SCRATCH/store" --json backups | wc -l)" = "$sets" ] || fail "a short backup exists"
echo "-- BackupComplete fails: the backup is whole, and the words say so (B-18)"
mkdir "$SCRATCH/b/app"
echo content >"$SCRATCH/b/app/file"
cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
fail = backup_complete VSS_E_WRITERERROR_NONRETRYABLE
[component data]
files = $SCRATCH/b/app/*
C
expect 0 "the backup is whole" v backup --to "$SCRATCH/store2" "$SCRATCH/b/app"
! grep -q "not saved" "$SCRATCH/out" || fail "said to be missing, but is there"
v restore --from "$SCRATCH/store2" --into "$SCRATCH/r2" >/dev/null
cmp "$SCRATCH/b/app/file" "$SCRATCH/r2$SCRATCH/b/app/file"
rm "$etc/writers.d/test.conf"

echo "-- standard descriptors closed, output full, limits"
same() { vssctl verify --from "$SCRATCH/store2" >/dev/null || fail "the store is damaged: $*"; }
backup="$BUILD/vssctl backup --config $etc --to $SCRATCH/store2 $SCRATCH/b/app"
expect 0 "" bash -c "$backup <&-"
expect 0 "" bash -c "$backup 2>&-"
expect 2 "cannot write the output" bash -c "$backup >&-"
expect 2 "" bash -c "$backup <&- >&- 2>&-"
same descriptors
for verb in "list backups --from $SCRATCH/store2" "list writers --config $etc" "verify --from $SCRATCH/store2" --help "backup --help"; do
    expect 2 "cannot write the output" bash -c "$BUILD/vssctl $verb >/dev/full"
done
expect 0 "" bash -c "ulimit -n 64; $backup"
head -c 3000000 /dev/urandom >"$SCRATCH/b/app/large"
expect 2 "too large" bash -c "ulimit -f 1000; $backup"
same limits
rm "$SCRATCH/b/app/large"

echo "-- a folder or a value that is not there is a mistake, not a default"
expect 1 "no such folder" vssctl backup --config "$SCRATCH/mistyped" --to "$SCRATCH/store2" "$SCRATCH/b/app"
expect 1 "empty" vssctl list writers --config ""
expect 1 "empty" v backup --to "" "$SCRATCH/b/app"
expect 1 "empty" v restore --from "$SCRATCH/store2" --into ""
echo "-- a full store, a runtime folder without room: words with the cause, nothing left"
make_fs ext4 2M "$SCRATCH/tiny"
expect 2 "free some space" v backup --to "$SCRATCH/tiny/store" "$SCRATCH/b/parts" "$SCRATCH/b/many" "$SCRATCH/b/filler"
[ -z "$(find "$SCRATCH/tiny/store" -name '.incomplete*')" ] || fail "half a set stays"
mkdir "$SCRATCH/rt"
for options in size=4k nr_inodes=2 nr_inodes=4 nr_inodes=5 ro; do
    mount -t tmpfs -o "$options,mode=700" none "$SCRATCH/rt"
    mkdir -p "$SCRATCH/etc-$options"
    sed "s#^runtime_dir.*#runtime_dir = $SCRATCH/rt#" "$etc/vss.conf" >"$SCRATCH/etc-$options/vss.conf"
    expect 2 "No space left\|Read-only" vssctl backup --config "$SCRATCH/etc-$options" --to "$SCRATCH/store3" "$SCRATCH/b/app"
    umount "$SCRATCH/rt"
done
[ -z "$(find "$SCRATCH/b/.vss" -mindepth 1 -not -path "*/btrfs-reference-*")" ] || fail "a copy stays"

echo "-- a killed restore leaves no half file, a hostile destination nothing outside (SEC-64)"
head -c 60000000 /dev/urandom >"$SCRATCH/b/app/large"
v backup --to "$SCRATCH/store2" "$SCRATCH/b/app" >/dev/null
for i in 1 2 3 4 5 6; do
    "$BUILD/vssctl" restore --config "$etc" --from "$SCRATCH/store2" --into "$SCRATCH/killed" >/dev/null 2>&1 & victim=$!
    sleep 0.0$((i * 2))
    kill -KILL $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
done
[ -z "$(find "$SCRATCH/killed" -name '.vss-*')" ] || fail "half a file stays"
mkdir -p "$SCRATCH/outside" "$SCRATCH/r3$SCRATCH/b"
ln -s "$SCRATCH/outside" "$SCRATCH/r3$SCRATCH/b/app"
v restore --from "$SCRATCH/store2" --into "$SCRATCH/r3" >/dev/null
[ -z "$(ls "$SCRATCH/outside")" ] || fail "written outside"
cmp "$SCRATCH/b/app/large" "$SCRATCH/r3$SCRATCH/b/app/large"
rm "$SCRATCH/r3$SCRATCH/b/app/file" && mkdir -p "$SCRATCH/r3$SCRATCH/b/app/file/full"
expect 2 "not empty" v restore --from "$SCRATCH/store2" --into "$SCRATCH/r3"
[ "$(grep -c "not empty" "$SCRATCH/out")" = 1 ] || fail "told twice"
echo "-- what the copy lacks is named and fails its component, however deep (B-153)"
open_build
chmod 755 "$etc"
make_fs ext4 64M "$SCRATCH/e"
mkdir -p "$SCRATCH/e/d/closed" "$SCRATCH/home"
echo open >"$SCRATCH/e/d/open"
(umask 077 && echo secret >"$SCRATCH/e/d/secret")
chmod 700 "$SCRATCH/e/d/closed"
chown 4321 "$SCRATCH/home"
as_user=(setpriv --reuid 4321 --regid 4321 --clear-groups env "HOME=$SCRATCH/home" XDG_RUNTIME_DIR=)
expect 4 "d/secret: .*Permission denied" "${as_user[@]}" "$BUILD/vssctl" backup --to "$SCRATCH/home/s1" "$SCRATCH/e/d"
grep -q "d/closed: .*Permission denied" "$SCRATCH/out" || fail "the closed folder is not named"
expect 4 "d/secret: .*Permission denied" "${as_user[@]}" "$BUILD/vssctl" backup --to "$SCRATCH/home/s2" "$SCRATCH/e/d/secret"
expect 0 "0 failed" "${as_user[@]}" "$BUILD/vssctl" backup --to "$SCRATCH/home/s3" "$SCRATCH/e/d/open"
echo "-- a hostile store: a fifo never blocks, a chain with a gap or a circle is no good backup"
one=$SCRATCH/b/app/file
rm -f "$SCRATCH/b/app/large"
v backup --to "$SCRATCH/store4" "$SCRATCH/b/app" >/dev/null
echo more >>"$one"
v backup --to "$SCRATCH/store4" --type incremental >/dev/null
full=$(ls "$SCRATCH/store4" | grep full) last=$(ls "$SCRATCH/store4" | grep incremental)
for name in op-1/manifest.zst op-1/data.tar.zst backup-set.txt; do
    mv "$SCRATCH/store4/$last/$name" "$SCRATCH/saved"
    mkfifo "$SCRATCH/store4/$last/$name"
    expect 2 "" timeout 20 vssctl verify --from "$SCRATCH/store4"
    timeout 20 "$BUILD/vssctl" restore --from "$SCRATCH/store4" --into "$SCRATCH/r4" >"$SCRATCH/out" 2>&1 || [ $? != 124 ] || fail "$name: restore hangs"
    mv "$SCRATCH/saved" "$SCRATCH/store4/$last/$name"
done
grep -q "passed over" "$SCRATCH/out" || fail "an older backup is restored without a word"
vssctl verify --from "$SCRATCH/store4" >/dev/null
mv "$SCRATCH/store4/$full" "$SCRATCH/gone"
expect 2 "missing" vssctl verify --from "$SCRATCH/store4"
mv "$SCRATCH/gone" "$SCRATCH/store4/$full"
echo "-- a vssd that is stopped while it cleans up keeps nobody waiting for ever (S-47)"
flock --no-fork "$RUN/lives/adopt" sleep 30 & holder=$!
sleep 0.2
expect 2 "does not go on" timeout 25 "$BUILD/vssctl" list shadows --config "$etc"
kill $holder
wait $holder 2>/dev/null || true
expect 0 "" v list shadows
echo "all well"
