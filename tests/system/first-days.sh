#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an administrator meets in the first days: the words, the numbers and the exit codes of vssctl
# where they once misled.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires script
requires zstd

make_fs ext4 300M "$SCRATCH/e"
make_fs ext4 64M "$SCRATCH/disk"
E=$SCRATCH/e D=$SCRATCH/disk etc=$SCRATCH/etc
mkdir -p "$etc/writers.d" "$SCRATCH/run" "$E/db" "$E/web"
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $SCRATCH/run
state_dir = $SCRATCH/state
C
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[component app]
files = $E/db/app.db
files = $E/db/app.log*
exclude = $E/db/app.run
C
echo data >"$E/db/app.db" && echo log >"$E/db/app.log.1" && echo page >"$E/web/a.html"

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" --config "$etc" >"$SCRATCH/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out"; fail "exit $got instead of $code: $*"; }
    grep -q -- "$words" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no '$words': $*"; }
}
silent() { ! grep -q -- "$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "it says '$1'"; }; }

echo "-- a plan for a disk that was just formatted, and no store made by it"
expect 0 "whole  *$E/web and below" vssctl backup --to "$D" --plan "$E/web"
[ "$(ls "$D")" = lost+found ] || fail "the plan wrote to $D: $(ls "$D")"
mkdir "$D/other" && touch "$D/other/mine"
expect 1 "is not a backup store" vssctl backup --to "$D/other" --plan "$E/web"
rm -r "$D/other"

echo "-- a file of a component is no backup of the component, and that is said"
expect 0 "component 'app' of writer 'Files'" vssctl backup --to "$D" "$E/db/app.db"
expect 0 "1 component saved" vssctl backup --to "$D" "$E/web"
silent "only a part"
expect 0 "2 components saved" vssctl backup --to "$D" "$E"
silent "only a part"

echo "-- a log backup has the plain files as a whole: it needs nothing below it (I-114)"
expect 0 "incremental" vssctl backup --to "$D" --type incremental
expect 0 "  log: 1 volume" vssctl backup --to "$D" --type log
log=$(basename "$D"/*-log-*)
vssctl list backups --from "$D" --config "$etc" | sed -n "/^$log/,\$p" >"$SCRATCH/out"
silent "builds on"

echo "-- what verify counts is what list shows, in words and in JSON"
ln "$E/web/a.html" "$E/web/b.html"
expect 0 "verified: 7 entries, 14 bytes" vssctl backup --to "$D" --verify --exclude lost+found "$E"
full=$(cd "$D" && printf '%s\n' *-full-* | tail -n 1)
held=$(vssctl list backups --from "$D" --config "$etc" | sed -n "/^$full/,\$s/^  holds: *//p")
expect 0 "^$full: good, $held\$" vssctl verify --from "$D" "$full"
expect 0 "^$full: good, ${held##*, }\$" vssctl verify --from "$D" --quick "$full"
expect 0 '"record":"verify".*"entries":7,.*"good":true' vssctl backup --to "$D" --verify --json --exclude lost+found "$E"

echo "-- a path or component that is not there is no success beside one that is"
expect 1 "no such path in this backup: '$E/nope'" vssctl restore --from "$D" --into "$SCRATCH/r" "$E/web" "$E/nope"
[ -z "$(ls "$SCRATCH/r")" ] || fail "something was restored beside a path that is not there"
expect 1 "no such component in this backup: 'nope'" vssctl restore --from "$D" --into "$SCRATCH/r" --component app --component nope
expect 0 "restored 2 entries" vssctl restore --from "$D" --into "$SCRATCH/r" --component Files:app "$E/db"
expect 0 "; 1 kept as they were" vssctl restore --from "$D" --into "$SCRATCH/r" --keep-existing "$E/db/app.db"
silent "kept: "

echo "-- a damaged archive: each lost file in one line, with its path once before the archive"
rm -rf "${D:?}/bad" && mkdir "$D/bad" && cp -a "$D/vss-store" "$D/$full" "$D/bad/"
head -c 40 /dev/urandom | dd of="$D/bad/$full/op-1/data.tar.zst" bs=1 seek=30 conv=notrunc status=none
expect 2 "^vssctl: $full: $E/web/a.html: lost: archive" vssctl verify --from "$D/bad"

echo "-- wrong usage: the program's name, one option or the other, options where they count"
expect 1 "^vssctl: unrecognized option" vssctl backup --bogus
vssctl --bogus >"$SCRATCH/out" 2>&1 || true
grep -q "'vssctl --help'" "$SCRATCH/out" || fail "the hint: $(cat "$SCRATCH/out")"
expect 1 "not both" vssctl restore --from "$D" --into "$SCRATCH/r" --in-place
expect 1 "say where to" vssctl restore --from "$D"
expect 1 "^vssctl: --from is for" vssctl list writers --from "$D"
expect 1 "are for 'vssctl list paths'" vssctl list backups --from "$D" --set latest
expect 1 '"record":"error","what":"usage",.*"message":"--into or --in-place, not both"' vssctl restore --from "$D" --into "$SCRATCH/r" --in-place --json
expect 1 '"record":"error","what":"usage"' vssctl restore --bogus --json

echo "-- a full disk: the words say what to do, and not to wait"
head -c 80M /dev/urandom >"$E/big"
expect 2 "no room left" vssctl backup --to "$D" "$E/big"
silent "trying again"

echo "-- what a writer excludes does not come along as a plain file when its component is taken"
rm "$E/big" && echo now >"$E/db/app.run" && echo mine >"$E/db/app.own"
expect 0 "2 components saved" vssctl backup --to "$D" "$E/db"
expect 0 "app.own" vssctl list paths --from "$D"
silent app.run
expect 0 "1 component saved" vssctl backup --to "$D" "$E/db/app.run"
expect 0 "app.run" vssctl list paths --from "$D"

echo "-- a provider that does not start is named once, not for each volume that it was asked about"
printf '[provider.btrfs]\nreferences = -1\n' >>"$etc/vss.conf"
expect 0 "provider 'btrfs' could not be started" vssctl list volumes
[ "$(grep -c "could not be started" "$SCRATCH/out")" = 1 ] || { cat "$SCRATCH/out"; fail "it is named more than once"; }

echo "-- a path that another one takes along is read once, and all of it is there"
mkdir -p "$E/over/in/deep" "$E/over/not" && head -c 5000 /dev/urandom >"$E/over/in/deep/f" && echo kept >"$E/over/not/g"
make_fs ext4 32M "$E/over/in/disk" && echo far >"$E/over/in/disk/h"
expect 0 "entries, 5.0 kB read" vssctl backup --to "$SCRATCH/new/deeper/store" "$E/over" "$E/over/in/deep" "$E/over/" "$E/over/in/disk"
for f in in/deep/f not/g in/disk/h; do
    expect 0 "$E/over/$f\$" vssctl list paths --from "$SCRATCH/new/deeper/store"
    [ "$(zstd -dc "$SCRATCH"/new/deeper/store/*-full-*/op-1/data.tar.zst | tar t | grep -c "over/$f\$")" = 1 ] || fail "$f is stored twice"
done
# what the outer path leaves out, the inner one brings
expect 0 "saved" vssctl backup --to "$SCRATCH/new/two" --exclude "$E/over/in" "$E/over" "$E/over/in/deep"
expect 0 "over/in/deep/f\$" vssctl list paths --from "$SCRATCH/new/two"
silent "over/in/disk"
umount "$E/over/in/disk"

echo "-- nobody's writes are held by the mirror, and the words do not say so"
expect 0 "writers still for [0-9.]* ms, copies taken in [0-9.]* ms" vssctl backup --to "$D" "$E/web"
silent "held"

echo "-- the progress line is for people"
script -qec "vssctl backup --config '$etc' --to '$D' '$E/web'" /dev/null >"$SCRATCH/out"
grep -q "preparing the shadow copies: mirror" "$SCRATCH/out" || fail "no words: $(cat -v "$SCRATCH/out")"
silent "end_prepare_snapshots"

echo "-- the manual names every record of --json"
source=$(dirname "$0")/../..
grep -ho '"record", *"[a-z_]*"' "$source"/tools/vssctl/*.c | sed 's/.*"\([a-z_]*\)"$/\1/' | sort -u >"$SCRATCH/records"
sed -n '/^JSON$/,/^Exit status$/p' "$source/man/vssctl.8.rst" >"$SCRATCH/json"
while read -r record; do grep -q "\*$record\*" "$SCRATCH/json" || fail "the manual has no *$record*"; done <"$SCRATCH/records"

sed -i '/provider.btrfs/,$d' "$etc/vss.conf"
echo "-- --quiet: cron mails when something is wrong, and only then"
for verb in "backup --to $SCRATCH/hush --verify $E/web" "restore --from $SCRATCH/hush --into $SCRATCH/hushed" "forget --from $SCRATCH/hush --keep 1"; do
    # shellcheck disable=SC2086
    vssctl $verb --config "$etc" --quiet >"$SCRATCH/out" 2>&1 || fail "$verb: $(cat "$SCRATCH/out")"
    [ ! -s "$SCRATCH/out" ] || fail "$verb says: $(cat "$SCRATCH/out")"
done
vssctl backup --config "$etc" --to "$SCRATCH/hush" "$E/no-such" --quiet >"$SCRATCH/out" 2>&1 && fail "a backup of nothing"
grep -q "no-such" "$SCRATCH/out" || fail "it hides what is wrong"
