#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl against everything that can go wrong around it: each part here once broke something.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires pgrep
umask 022

make_fs btrfs 512M "$SCRATCH/b"
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
echo "all well"
