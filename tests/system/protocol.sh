#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the protocol promises about the content of a backup, with the test writer telling what it
# hears, on real file systems.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3
requires zstd
PATH=$BUILD/tests:$PATH
umask 022

B=$SCRATCH/b X=$SCRATCH/x etc=$SCRATCH/etc log=$SCRATCH/log
make_fs btrfs 512M "$B"
make_fs xfs 400M "$X"
mkdir -p "$etc/writers.d" "$etc/not_to_backup.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
runs=0 W=c42f9a06-e158-4d3b-b70a-915c6d23f840

writer() { # writer: a test writer with what standard input says besides
    { printf '[writer]\nplugin = test\n[test]\nlog = %s\n' "$log"; cat; } >"$etc/writers.d/test.conf"
}
store() { store=$SCRATCH/store-$((++runs)); }
backup() { # backup [OPTIONS]: 0 or 4; its records are in "out"
    local got=0
    rm -f "$log"
    vssctl backup --config "$etc" --to "$store" --json "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
    ((got == 0 || got == 4)) || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "backup $*: exit $got"; }
}
whole() {
    backup "$@"
    grep -q '"components_failed":0' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "backup $*"; }
}
volumes() { # volumes N: so many were in the set
    grep -q "\"record\":\"operation\".*\"volumes\":$1[,}]" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "not $1 volumes"; }
}
restored() { # restored: a fresh folder with what is in the newest backup
    rm -rf "$SCRATCH/r"
    vssctl restore --config "$etc" --from "$store" --into "$SCRATCH/r" >"$SCRATCH/restore" 2>&1 ||
        { cat "$SCRATCH/restore"; fail "restore"; }
}
has() { [ -e "$SCRATCH/r$1" ] || fail "'$1' is not in the backup"; }
hasnt() { [ ! -e "$SCRATCH/r$1" ] || fail "'$1' is in the backup"; }
told() { grep -q "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }

echo "-- BV-36, B-143, M-47, I-107: exclusions go by the normal path, reading by the alternate one; B-147"
mkdir -p "$B/d/sub" "$B/alt/sub"
echo kept >"$B/alt/x.txt"; echo gone >"$B/alt/x.tmp"; echo gone >"$B/alt/sub/y.tmp"; echo kept >"$B/alt/sub/y.txt"
echo wrong >"$B/d/x.txt"
writer <<C
[component c]
files = $B/d/* recursive alternate=$B/alt
exclude = $B/d/*.tmp recursive
C
store; whole --component "$W:c"; restored
[ "$(cat "$SCRATCH/r$B/d/x.txt")" = kept ] || fail "not read from the alternate path"
has "$B/d/sub/y.txt"; hasnt "$B/d/x.tmp"; hasnt "$B/d/sub/y.tmp"; hasnt "$B/alt"
# excluding what lies at the alternate path by that path's name does nothing
sed -i "s|^exclude.*|exclude = $B/alt/*.tmp recursive|" "$etc/writers.d/test.conf"
store; whole --component "$W:c"; restored
has "$B/d/x.tmp"; has "$B/d/sub/y.tmp"

echo "-- BV-37, B-151, IV-106, I-93: a volume mounted below a recursive set, read from its own copy"
mkdir -p "$B/m/mnt" && mount --bind "$X" "$B/m/mnt" && umount "$B/m/mnt"
umount "$X"; mount -o loop "$(find "$SCRATCH" -maxdepth 1 -name 'xfs.*.img')" "$B/m/mnt"
mkdir -p "$B/m/mnt/in"; echo first >"$B/m/file"; echo second >"$B/m/mnt/in/file"
printf '#!/bin/sh\n' >"$SCRATCH/freeze"
printf '#!/bin/sh\necho later >%s; echo later >%s\n' "$B/m/file" "$B/m/mnt/in/file" >"$SCRATCH/thaw"
chmod 700 "$SCRATCH/freeze" "$SCRATCH/thaw"
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[hooks]
freeze = $SCRATCH/freeze
thaw = $SCRATCH/thaw
[component c]
files = $B/m/* recursive
C
store; whole --component Files:c; volumes 2
rm "$etc/writers.d/files.conf"
# both were changed right after the thaw: what is in the backup came from the copies (I-83, B-16)
[ "$(cat "$B/m/file" "$B/m/mnt/in/file")" = $'later\nlater' ] || fail "the originals are as before"
restored
[ "$(cat "$SCRATCH/r$B/m/file" "$SCRATCH/r$B/m/mnt/in/file")" = $'first\nsecond' ] || fail "not from the copies"
umount "$B/m/mnt"; mount -o loop "$(find "$SCRATCH" -maxdepth 1 -name 'xfs.*.img')" "$X"

echo "-- BV-35, M-26, B-153, L-18: one unreadable file of a thousand fails the component that stands for it"
mkdir -p "$B/many/sub" "$B/good"; echo good >"$B/good/file"
for i in $(seq 999); do echo "$i" >"$B/many/$i"; done
head -c 65536 /dev/zero | tr '\0' q | sed '1s/^/unreadable-by-checksum/' >"$B/many/sub/bad"
writer <<C
[component top]
files = $B/many/*
[component part]
logical_path = top
files = $B/many/sub/*
[component other]
files = $B/good/*
C
store; whole --component "$W:top" --component "$W:other"
told 'succeeded top yes'; told 'succeeded other yes'
echo "-- M-16, M-18, M-21, L-4, D-5: what each of the stored documents holds"
documents=$(dirname "$(find "$store" -name backup-components.xml)")
grep -q 'componentName="top"' "$documents/backup-components.xml" || fail "what was chosen is not in the document"
grep -q 'componentName="part"\|FILE_LIST' "$documents/backup-components.xml" && fail "what came along has an entry, or files"
[ "$(find "$documents/writers" -name '*.xml' | wc -l)" = 1 ] || fail "not one document per writer"
grep -q 'componentName="part".*FILE_LIST' "$documents"/writers/$W-*.xml || fail "what came along is not in the writer's document"
mv "$etc/writers.d/test.conf" "$SCRATCH/test.conf"
restored; has "$B/many/sub/bad"; has "$B/many/999" # M-23: without asking any writer
echo "-- D-7: what cannot be read back from them is kept beside them: the type, and which files"
grep -qx "type"$'\t'"full" "$documents/../backup-set.txt" || fail "the type is not there"
files=$(zstd -dcq "$documents/manifest.zst" | grep -cF "$B/many/")
[ "$files" -ge 1000 ] || fail "only $files files are there"
mv "$SCRATCH/test.conf" "$etc/writers.d/test.conf"
echo "-- B-144: what lies below a chosen component comes along, what lies beside it does not"
store; whole --component "$W:top"; restored
has "$B/many/sub/bad"; has "$B/many/999"; hasnt "$B/good/file"
umount "$B"
image=$(find "$SCRATCH" -maxdepth 1 -name 'btrfs.*.img')
for _ in {1..100}; do # a loop device that is going away still knows the old content
    [ -n "$(losetup -j "$image")" ] || break
    sleep 0.1
done
grep -obaF unreadable-by-checksum "$image" | cut -d: -f1 | while read -r at; do
    printf Q | dd of="$image" bs=1 seek=$((at + 2000)) conv=notrunc status=none
done
mount -o loop "$image" "$B"
cat "$B/many/sub/bad" >/dev/null 2>&1 && fail "the file can still be read"
store; backup --component "$W:top" --component "$W:other"
grep -q '"components_good":1,"components_failed":1' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "not one of two"; }
grep -q '"record":"trouble".*sub/bad' "$SCRATCH/out" || fail "the file is not named"
told 'succeeded top no'; told 'succeeded other yes'
rm -r "$B/many"

echo "-- B-148, CFG-16, M-12: the machine's list wins over writers and over own paths"
mkdir -p "$B/w" "$B/own/cache/deep" "$B/trash/deep"
touch "$B/w/keep" "$B/w/x.cache" "$B/own/keep" "$B/own/cache/c" "$B/own/cache/deep/c" "$B/trash/t" "$B/trash/deep/t" "$B/w/mine" "$B/w/theirs"
writer <<C
[component c]
files = $B/w/*
C
cat >"$etc/not_to_backup.d/shop.conf" <<C
$B/w/*.cache
$B/own/cache/* /s
\$AllVolumes\$/trash/* /s
[writer Test Writer]
$B/w/mine
[writer nobody]
$B/w/theirs
C
store; whole "$B"; restored
has "$B/w/keep"; has "$B/own/keep"; has "$B/own/cache"; has "$B/trash"; has "$B/w/mine"
hasnt "$B/w/x.cache"; hasnt "$B/own/cache/c"; hasnt "$B/own/cache/deep"; hasnt "$B/trash/t"; hasnt "$B/trash/deep"
hasnt "$B/w/theirs"
vssctl backup --config "$etc" --to "$store" --plan "$B" >"$SCRATCH/plan" 2>&1
grep -qF "shop.conf': $B/own/cache/* and below" "$SCRATCH/plan" || { cat "$SCRATCH/plan"; fail "the plan is silent"; }
# without a copy too: a set that needs none is read from the original (I-84)
sed -i "s|^files.*|& mask=0x000f|" "$etc/writers.d/test.conf"
store; whole --component "$W:c"; volumes 0; restored
has "$B/w/keep"; hasnt "$B/w/x.cache"
chmod 666 "$etc/not_to_backup.d/shop.conf"
store; whole "$B"; restored
has "$B/w/x.cache"; has "$B/own/cache/c" # whoever can write it could keep files out of backups
rm "$etc/not_to_backup.d/shop.conf"

echo "-- SEC-67, B-152: a link inside the copy is stored as a link, SEC-38: nobody else reads a backup"
mkdir "$B/links" "$SCRATCH/outside" && echo secret >"$SCRATCH/outside/file"
ln -s "$SCRATCH/outside/file" "$B/links/file"
ln -s "$SCRATCH/outside" "$B/links/folder"
writer <<C
[component c]
files = $B/links/* recursive
C
store; whole --component "$W:c"; restored
[ "$(readlink "$SCRATCH/r$B/links/file" "$SCRATCH/r$B/links/folder")" = "$SCRATCH/outside/file"$'\n'"$SCRATCH/outside" ] ||
    fail "not stored as links"
find "$store" -name '*.zst' -exec zstd -dcq {} + | grep -aq '^secret$' && fail "what a link leads to was saved"
[ -z "$(find "$store" -type f -perm /077)" ] || fail "others may read: $(find "$store" -type f -perm /077 | head -n 3)"

echo "-- which stamp is passed: M-60, M-61, M-65, I-147, I-148, I-150, I-154"
mkdir -p "$B/s" && echo data >"$B/s/file"
files="files = $B/s/*"
stamped() { # stamped TYPE STAMP [KEYS]: prints the stamp of the base that the writer was given
    writer <<C
schema = differential, incremental, copy, timestamped${3:+, $3}
[component c]
$files
stamp = $2
${4:-}
C
    backup --type "$1" --component "$W:c"
    awk '$3 == "previous" { print $5; exit }' "$log"
}
expect_stamp() { # expect_stamp VECTOR STAMP TYPE OWN-STAMP...
    local vector=$1 want=$2 got
    shift 2
    got=$(stamped "$@")
    [ "$got" = "$want" ] || { cat "$log"; fail "$vector: '$got' instead of '$want'"; }
}
store; expect_stamp IV-87 "" full F0
expect_stamp IV-78 F0 incremental I1
expect_stamp IV-79 I1 incremental I2
expect_stamp IV-80 F0 differential D3
expect_stamp "after a differential" I2 incremental I4
store; expect_stamp IV-87 "" full F0
expect_stamp "IV-80" F0 differential D1
expect_stamp IV-81 F0 incremental I2
store; expect_stamp IV-87 "" full F0
expect_stamp "I-44: a copy has no base" "" copy C1
expect_stamp IV-82 F0 incremental I2
store; expect_stamp IV-87 "" full F0
expect_stamp "IV-78" F0 incremental I1 "" "fail = VSS_E_WRITERERROR_NONRETRYABLE"
grep -q '"components_failed":1' "$SCRATCH/out" || fail "the component did not fail"
told 'succeeded c no'
expect_stamp IV-83 F0 incremental I2
restored; has "$B/s/file" # I-188: it does not depend on the one that failed
store; expect_stamp IV-87 "" full F0
expect_stamp IV-78 F0 incremental I1
expect_stamp "a full has no base" "" full F2
expect_stamp IV-84 F2 differential D3
# IV-85, OQ-I12: a log backup counts as a base, a differential does not
database() { # database NAME: what the data file and one more log hold from now on
    echo "data of $1" >"$B/s/file"; echo "log of $1" >"$B/s/$1.log"
}
files="files = $B/s/file backup=full,incremental
logs = $B/s/*.log"
store; database F0; expect_stamp IV-87 "" full F0 log
database L1; expect_stamp I-157 F0 log L1 log
told 'prepare_backup type=4'
database I2; expect_stamp IV-85 L1 incremental I2 log
told 'prepare_backup type=2'
restored # IV-95: F0, L1, I2
[ "$(cat "$SCRATCH/r$B/s/file")" = "data of I2" ] || fail "IV-95: the data"
for step in F0 L1 I2; do has "$B/s/$step.log"; done
database D3; expect_stamp "IV-80, with a log backup in between" F0 differential D3 log
rm "$B/s"/*.log
store; database F0; expect_stamp IV-87 "" full F0 log
for step in L1 L2; do # IV-94
    database $step; stamped log $step log >/dev/null
done
restored; has "$B/s/L1.log"; has "$B/s/L2.log"
[ "$(cat "$SCRATCH/r$B/s/file")" = "data of F0" ] || fail "IV-94: a log backup held data files"
rm "$B/s"/*.log; files="files = $B/s/*"
store; expect_stamp IV-86 "" incremental I0
told 'prepare_backup type=1' # IV-86, I-76: it was a full one

echo "-- I-75, IV-15, IV-17: exclusive increments and differentials are not mixed"
store; expect_stamp IV-87 "" full F0 exclusive
expect_stamp "its first increment" F0 incremental I1 exclusive
expect_stamp IV-15 "" differential D2 exclusive
told 'prepare_backup type=1'
expect_stamp "a full starts anew" D2 differential D3 exclusive
told 'prepare_backup type=3'
expect_stamp IV-17 "" incremental I4 exclusive
told 'prepare_backup type=1'

echo "-- file-set masks: IV-31, I-90, M-44, B-145: a file that exists only in the copy"
mkdir -p "$B/k" && echo plain >"$B/k/plain"
for name in 'held mask=0x10f0f' 'hel?'; do
    writer <<C
held_file = $B/k/held
[component c]
files = $B/k/$name
files = $B/k/plain
C
    store; whole --component "$W:c"; restored
    has "$B/k/held"; has "$B/k/plain"
    [ ! -e "$B/k/held" ] || fail "the file outlived the freeze"
done

echo "-- M-43: a plain name that is not there fails its component, a pattern may be empty"
writer <<C
[component c]
files = $B/k/nothing*
[component d]
files = $B/k/missing
C
store; backup --component "$W:c" --component "$W:d"
told 'succeeded c yes'; told 'succeeded d no'

echo "-- IV-104, IV-105, I-88: whose volume must be in the set"
mkdir -p "$X/log" && echo one >"$X/log/l" && echo two >"$X/log/live"
masks() { writer <<C; }
schema = incremental, copy
[component top]
files = $B/k/plain
[component logs]
logical_path = top
selectable = no
files = $X/log/l* mask=$1
C
masks 0x000f; store; whole --component "$W:top"; volumes 1; restored
has "$X/log/live"; has "$B/k/plain"
masks 0x010f; store; whole --component "$W:top"; volumes 2
whole --type incremental --component "$W:top"; volumes 1
# I-87: with the default mask an increment holds everything whole, changed or not; without the
# backup bit nothing (I-85)
masks 0x0101; whole --type incremental --component "$W:top"; volumes 1
python3 - "$SCRATCH/out" <<'P'
import json, sys
last = [r for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'backup'][0]
assert last['bytes'] == 6, last
P

echo "-- I-124..I-128: ranges of a file, from the copy and from the original; IV-74: not of an excluded one"
printf '\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0' >"$SCRATCH/ranges"
for mask in 0x0101 0x0f01; do
    printf '0123456789' >"$B/k/p"
    writer <<C
schema = incremental, copy, last_modify
[component c]
files = $B/k/p mask=$mask
partial = $B/k/p $SCRATCH/ranges
C
    store; whole --component "$W:c"
    printf '0xyzabcdef' >"$B/k/p"
    whole --type incremental --component "$W:c"
    volumes $((mask == 0x0f01)) # I-125, IV-107, IV-108
    restored
    [ "$(cat "$SCRATCH/r$B/k/p")" = 01yza56789 ] || fail "ranges by $mask: $(cat "$SCRATCH/r$B/k/p")"
    echo "exclude = $B/k/p" >>"$etc/writers.d/test.conf"
    printf 'ABCDEFGHIJ' >"$B/k/p"
    whole --type incremental --component "$W:c"
    grep -q 'partial file, which is left out' "$SCRATCH/out" || fail "an excluded partial file is not told"
    restored
    [ "$(cat "$SCRATCH/r$B/k/p")" = 01yza56789 ] || fail "an excluded file was copied"
done

echo "-- IV-75, I-128, M-63: the ranges file is saved, as it is on the running system, wherever it lies, once"
mkdir -p "$X/q" "$B/q"
one_range() { printf "\\x01\\0\\0\\0\\0\\0\\0\\0\\x0$1\\0\\0\\0\\0\\0\\0\\0\\x0$2\\0\\0\\0\\0\\0\\0\\0"; }
entries() { # entries PATH: how often the last backup holds it
    zstd -dcq "$(find "$store" -maxdepth 2 -path '*-incremental-*' -name op-1)"/*.tar.zst | tar -t | grep -cF "${1#/}" || true
}
for ranges in "$X/q/r" "$B/q/r" "$B/k/q.ranges"; do # on no volume of the set; on one; in the file set itself
    printf '0123456789' >"$B/k/q.data"; one_range 2 1 >"$ranges"
    writer <<C
schema = incremental, copy
[component c]
files = $B/k/q.*
partial = $B/k/q.data $ranges
C
    # the copy has an older one: the writer, here the freeze of another, writes it when the copy exists
    printf '#!/bin/sh\n' >"$SCRATCH/freeze"
    { echo '#!/bin/sh'; echo "cat '$SCRATCH/newer' >'$ranges'"; } >"$SCRATCH/thaw"
    one_range 3 4 >"$SCRATCH/newer"
    mkdir -p "$B/none" && printf '[writer]\nplugin = files\n[hooks]\nfreeze = %s\nthaw = %s\n[component c]\nfiles = %s/*\n' \
        "$SCRATCH/freeze" "$SCRATCH/thaw" "$B/none" >"$etc/writers.d/files.conf"
    for own in "" "$(dirname "$ranges")"; do # alone; and with the folder as a path of the requester's own
        store; whole --component "$W:c" --component Files:c ${own:+"$own"}
        one_range 2 1 >"$ranges"; printf '0abcdefghi' >"$B/k/q.data"
        whole --type incremental --component "$W:c" --component Files:c ${own:+"$own"}
        restored
        cmp "$SCRATCH/newer" "$SCRATCH/r$ranges" || fail "the ranges file $ranges"
        [ "$(cat "$SCRATCH/r$B/k/q.data")" = 012cdef789 ] || fail "$(cat "$SCRATCH/r$B/k/q.data") by $ranges"
        [ "$(entries "$ranges")" = 1 ] || fail "$ranges is saved $(entries "$ranges") times"
        printf '0123456789' >"$B/k/q.data"
    done
    rm "$etc/writers.d/files.conf" "$ranges"
    # one that is not there fails its component, and nothing else
    backup --type incremental --component "$W:c" "$B/own"
    grep -q '"components_good":1,"components_failed":1' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no ranges file"; }
done
# two components with the same one: each has it, and comes back with it alone
one_range 2 1 >"$X/q/both"; echo one >"$B/k/q.one"; echo two >"$B/k/q.two"
writer <<C
schema = incremental, copy
[component one]
files = $B/k/q.one
partial = $B/k/q.one $X/q/both
[component two]
files = $B/k/q.two
partial = $B/k/q.two $X/q/both
C
store; whole --component "$W"; whole --type incremental --component "$W"; restored; cmp "$X/q/both" "$SCRATCH/r$X/q/both"
[ "$(entries "$X/q/both")" = 2 ] || fail "not in both: $(entries "$X/q/both")"
vssctl verify --from "$store" >/dev/null; rm -rf "$SCRATCH/r"
vssctl restore --config "$etc" --from "$store" --into "$SCRATCH/r" --component two >/dev/null
cmp "$X/q/both" "$SCRATCH/r$X/q/both"; has "$B/k/q.two"; hasnt "$B/k/q.one"
writer <<C
schema = incremental, copy
[component c]
files = $B/k/q.*
C
# what is left out of backups is: the content of the ranges file stands with the partial file all the same
one_range 2 1 >"$B/q/r"; echo "partial = $B/k/q.data $B/q/r" >>"$etc/writers.d/test.conf"
sed -i "/q.ranges/d" "$etc/writers.d/test.conf"; echo "$B/q/r" >"$etc/not_to_backup.d/q.conf"
store; whole --component "$W:c"; printf '0abcdefghi' >"$B/k/q.data"; whole --type incremental --component "$W:c"
restored; hasnt "$B/q/r"; [ "$(cat "$SCRATCH/r$B/k/q.data")" = 01b3456789 ] || fail "$(cat "$SCRATCH/r$B/k/q.data")"
rm "$etc/not_to_backup.d/q.conf"

echo "-- I-102, I-104, IV-40, IV-51: the time is a threshold for content and name; IV-52: the base's time without one"
bytes() { # bytes N: so many of content in the last backup
    python3 - "$SCRATCH/out" "$1" <<'P' || { cat "$SCRATCH/out"; fail "not $1 bytes"; }
import json, sys
last = [r for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'backup'][0]
sys.exit(last['bytes'] != int(sys.argv[2]))
P
}
timed() { # timed [SINCE]
    writer <<C
schema = incremental, differential, copy, last_modify
[component c]
files = $B/v/*
differenced = $B/v/* ${1:+since=$1}
C
}
mkdir "$B/v" && printf 1 >"$B/v/before"
timed; store; whole --component "$W:c"; bytes 1
sleep 1.1; now=$(date +%s); sleep 0.1
printf 22 >"$B/late" && touch -d 2001-01-01 "$B/late" && mv "$B/late" "$B/v/renamed"
timed "$now"; whole --type incremental --component "$W:c"; bytes 2
timed "$((now - 86400))"; whole --type incremental --component "$W:c"; bytes 3 # own records do not overrule it
timed; printf 333 >"$B/v/last"
whole --type incremental --component "$W:c"; bytes 3
whole --type differential --component "$W:c"; bytes 5
whole --type incremental --component "$W:c"; bytes 0
printf 4444 >"$B/v/equal"; touch -d "@$((now + 1000))" "$B/v/equal"
timed $((now + 1001)); whole --type incremental --component "$W:c"; bytes 0
timed $((now + 1000)); whole --type incremental --component "$W:c"; bytes 4 # IV-40: at that time is since then
rm "$B/v/equal"

echo "-- I-73, I-74: a writer without such backups does a full one, and that is said"
writer <<C
schema = differential
[component c]
files = $B/v/*
C
store; whole --type copy --component "$W:c"; grep -q 'may truncate' "$SCRATCH/out" || fail "I-74 is not said"
whole --type incremental --component "$W:c"; bytes 6
grep -q 'saved in full' "$SCRATCH/out" || fail "I-73 is not said"

echo "-- B-158: what a component depends on comes along, with its own events and document"
mkdir "$B/front" && echo front >"$B/front/file"
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[component front]
files = $B/front/*
depends = $W c
C
store; whole --component Files:front
told 'prepare_backup type=1 components=1'; told 'succeeded c yes'
grep -q "'c' of writer 'Test Writer' is taken too" "$SCRATCH/out" || fail "what came along is not told"
restored; has "$B/front/file"; has "$B/v/last"
store; whole --component "$W:c"; restored; hasnt "$B/front/file" # it does not go the other way
rm "$etc/writers.d/files.conf"
echo "all well"
