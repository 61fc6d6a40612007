#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a writer leaves to the requester's judgement (I-103: differenced files with time 0), by a
# provider's change knowledge: when it is used, when it is not, and that both ways store the same.
# Each backup is made twice, with and without it, into a store each.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires zstd

V=$SCRATCH/v S=$SCRATCH/store
mkdir -p "$SCRATCH/conf/writers.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[provider.btrfs]\nreferences = 30\n' "$SCRATCH" "$SCRATCH" \
    >"$SCRATCH/conf/vss.conf"
make_fs btrfs 600M "$V"
knows="provider 'btrfs' knows what changed"
compares="is compared with the last backup as a whole"
not_same="$compares: what is taken or left out is not the same"

# app [LINE]...: a writer whose one component is all below w, judged by the requester
app() {
    {
        printf '[writer]\nplugin = test\n[test]\nlog = %s/log\n' "$SCRATCH"
        printf 'schema = incremental, differential, last_modify\n[component app]\n'
        printf '%s\n' "$@"
    } >"$SCRATCH/conf/writers.d/test.conf"
}
all="files = $V/w/* recursive" judged="differenced = $V/w/* recursive"
fill() { # a new tree, and new stores
    rm -rf "$V/w" "$S" "$S-compared"
    for copy in "$V"/.vss/btrfs-reference-*/copy; do
        [ ! -d "$copy" ] || { btrfs subvolume delete "$copy" >/dev/null; rm -r "${copy%/copy}"; }
    done
    mkdir -p "$V/w/sub/deep"
    for i in $(seq 20); do echo "content $i" >"$V/w/f$i"; echo "deep $i" >"$V/w/sub/deep/f$i"; done
    echo hidden >"$V/w/sub/secret"
    sleep 2.1 # what is younger than its image is compared by content in any case
}
newest() { find "$1" -maxdepth 1 -name '2*' | LC_ALL=C sort | tail -1; }
records() { # without the place in the archive
    local manifest
    for manifest in "$(newest "$1")"/op-*/manifest.zst; do
        manifest=${manifest%/*}
        echo "${manifest##*/}"
        manifest=$manifest/manifest.zst
        zstd -dcq "$manifest" | grep -av $'^base\t' | cut -f1-12,14-
    done
}
# back_up WORDS ENTRIES OPTIONS...: what is said must fit, and so many entries be stored ("-": any)
back_up() {
    local words=$1 entries=$2
    shift 2
    vssctl backup --config "$SCRATCH/conf" --to "$S-compared" --no-delta "$@" >"$SCRATCH/said" 2>&1 ||
        fail "no backup: $(cat "$SCRATCH/said")"
    vssctl backup --config "$SCRATCH/conf" --to "$S" "$@" >"$SCRATCH/said" 2>&1 ||
        fail "no backup: $(cat "$SCRATCH/said")"
    grep -q "$words" "$SCRATCH/said" || fail "'$words' was not said: $(cat "$SCRATCH/said")"
    [ "$entries" = - ] || grep -q "^  $entries entr" "$SCRATCH/said" ||
        fail "not $entries entries: $(cat "$SCRATCH/said")"
    records "$S" >"$SCRATCH/a"
    records "$S-compared" >"$SCRATCH/b"
    cmp -s "$SCRATCH/a" "$SCRATCH/b" ||
        fail "not what a comparison gives: $(diff -a "$SCRATCH/b" "$SCRATCH/a")"
}
full() { back_up saved - "$@"; }
increment() { local words=$1 entries=$2; shift 2; back_up "$words" "$entries" --type incremental "$@"; }
# whole: every file of the writer that is there comes back as it is
whole() {
    rm -rf "$SCRATCH/out"
    vssctl restore --config "$SCRATCH/conf" --from "$S" --into "$SCRATCH/out" >"$SCRATCH/said" 2>&1 ||
        fail "no restore: $(cat "$SCRATCH/said")"
    while IFS= read -r file; do
        cmp "$V/w/$file" "$SCRATCH/out$V/w/$file" || fail "$file is not what was there"
    done < <(cd "$V/w" && find . -type f "$@")
}
quietly() { # quietly FILE: other content of the same length, the times put back
    local was
    was=$(stat -c %y "$1")
    printf X | dd of="$1" conv=notrunc status=none
    touch -d "$was" "$1"
}
# references [STORE]: those that stand, and are named by sets of the store
references() {
    local folder count=0
    for folder in "$V"/.vss/btrfs-reference-*; do
        grep -qs "{\?${folder##*btrfs-reference-}" "${1:-$S}"/2*/op-*/references && count=$((count + 1))
    done
    echo $count
}
reference() { # the newest that the store names
    local id
    id=$(awk '$1 == "reference" { id = $NF } END { print id }' "$(newest "$S")"/op-1/references)
    id=${id#\{}
    ls -d "$V/.vss/btrfs-reference-${id%\}}"
}
expect_references() {
    [ "$(references)" = "$1" ] || fail "$2: $(references) references, not $1"
    local all
    all=$(find "$V/.vss" -maxdepth 1 -name 'btrfs-reference-*' | wc -l)
    [ "$all" = $(($1 + $(references "$S-compared"))) ] || fail "$2: $all references, and nobody names them"
}

echo "1: what changed, and nothing else; the differential one since the full one (IV-38, IV-39, IV-52)"
app "$all" "$judged"; fill
full --all-components
expect_references 1 "of a component alone"
quietly "$V/w/f1"; mv "$V/w/f2" "$V/w/sub/moved"; rm "$V/w/f3"; echo new >"$V/w/new"
increment "component 'app': '$V': $knows" 5 --all-components # and two folders
increment "$knows" 0 --all-components
quietly "$V/w/sub/deep/f4"
back_up "$knows" 6 --type differential --all-components
expect_references 2 "of the full one and of the last increment"
whole
dd if=/dev/urandom of="$V/w/large" bs=1M count=8 status=none
increment "$knows" - --all-components
printf X | dd of="$V/w/large" bs=1M seek=3 conv=notrunc status=none
increment "$knows" 1 --all-components # a judged file is copied whole (I-103), an own one would not be
zstd -dcq "$(newest "$S")/op-1/manifest.zst" | awk -F'\t' '$3 ~ /large$/ { print $13 }' | grep -q '^d' ||
    fail "not the whole file"
whole

echo "2: not asked for, gone, or written to"
quietly "$V/w/f5"
increment "component 'app': '$V' $compares: .*--no-delta" 1 --all-components --no-delta
quietly "$V/w/f6"
btrfs subvolume delete "$(reference)/copy" >/dev/null
increment "component 'app': '$V' $compares: .*was deleted" 1 --all-components
quietly "$V/w/f7"
ref=$(reference)
btrfs property set -f "$ref/copy" ro false
printf X | dd of="$ref/copy/w/f7" conv=notrunc status=none # what hides the change
btrfs property set "$ref/copy" ro true
increment "$compares: .*written to" 1 --all-components
whole

echo "3: not the same is taken as then: what did not change comes in all the same"
app "$all" "$judged" "exclude = $V/w/secret recursive"; fill
full --all-components
increment "$knows" 0 --all-components
app "$all" "$judged"
increment "$not_same" 1 --all-components # the secret
increment "$knows" 0 --all-components
whole
app "files = $V/w/*1 recursive" "differenced = $V/w/*1 recursive"; fill
full --all-components
app "$all" "$judged"
increment "$not_same" - --all-components
whole
mkdir -p "$SCRATCH/conf/not_to_backup.d"
echo "$V/w/sub/secret" >"$SCRATCH/conf/not_to_backup.d/one.conf"
increment "$not_same" 0 --all-components
rm -r "$SCRATCH/conf/not_to_backup.d"
increment "$not_same" - --all-components
whole
btrfs subvolume create "$V/w/nested" >/dev/null
echo in >"$V/w/nested/file"
increment "$not_same" - --all-components
quietly "$V/w/nested/file"
increment "component 'app': '$V/w/nested': $knows" 1 --all-components
whole
btrfs subvolume delete "$V/w/nested" >/dev/null

echo "4: the base does not have it as it was: skipped by its mask, judged by a time, taken in parts"
app "$all mask=0x0e0e" "$judged"; fill # nothing is in the full one (IV-24)
sed -i '/^differenced/d' "$SCRATCH/conf/writers.d/test.conf"
full --all-components
app "$all mask=0x0e0e" "$judged"
increment saved 44 --all-components
whole
app "$all" "$judged since=1999999999"; fill
full --all-components
quietly "$V/w/f8"
increment saved 3 --all-components # folders; the writer's word wins (I-140): f8 is older than that
app "$all" "$judged"
increment saved 1 --all-components
whole
app "$all" "partial = $V/w/f9 0:3 types=full"; fill
full --all-components
app "$all" "$judged"
increment "$not_same" 1 --all-components # a part is no base for the whole
whole
increment "$knows" 0 --all-components

echo "5: each component on its own base: what one goes on from, another still needs"
app "$all" "$judged"; fill
mkdir -p "$V/own"; echo one >"$V/own/a"; echo two >"$V/own/b"
full --all-components "$V/own"
expect_references 1 "of both"
quietly "$V/own/a"; quietly "$V/w/f1"
increment "note: '$V': $knows" 1 "$V/own"
expect_references 2 "the component rests on the full one"
quietly "$V/own/b"; quietly "$V/w/f2"
increment "component 'app': '$V': $knows" 3 --all-components "$V/own"
grep -q "note: '$V': $knows" "$SCRATCH/said" || fail "not of the own ones: $(cat "$SCRATCH/said")"
expect_references 2 "the own increment before is needed no more"
quietly "$V/w/f3"
increment "component 'app': '$V': $knows" 1 --all-components
expect_references 3 "the own files rest on the one before"
full --all-components "$V/own"
expect_references 1 "a new beginning"
whole

echo "6: a ranges file that the component gave up is an own one, though it did not change (I-128)"
rm -rf "$V/own"; mkdir -p "$V/own"
app "files = $V/w/*" "partial = $V/w/f1 $V/own/ranges types=any"; fill
python3 -c 'import struct, sys; open(sys.argv[1], "wb").write(struct.pack("<QQQ", 1, 0, 3))' "$V/own/ranges"
echo beside >"$V/own/beside"
sleep 2.1
full --all-components "$V/own"
increment "note: '$V': $knows" - --all-components "$V/own"
app "files = $V/w/*"
increment "note: '$V': $knows" - --all-components "$V/own"
zstd -dcq "$(newest "$S")/op-1/manifest.zst" >"$SCRATCH/manifest"
grep -q "^f	0	$V/own/ranges" "$SCRATCH/manifest" || fail "it is in no image: $(cat "$SCRATCH/manifest")"
grep -q "^o	1	$V/own/ranges" "$SCRATCH/manifest" || fail "the component has it still: $(cat "$SCRATCH/manifest")"
increment "note: '$V': $knows" - --all-components "$V/own"
app "files = $V/w/*" "partial = $V/w/f1 $V/own/ranges types=any" # and back again
increment "note: '$V': $knows" - --all-components "$V/own"
app "files = $V/w/*"
increment "note: '$V': $knows" - --all-components "$V/own"
whole -name 'f*' -path './f*'

echo "7: the same name as another kind of thing, taken or not"
app "$all" "$judged" "exclude = $V/w/odd*"; fill
mkdir "$V/w/odd1" "$V/w/odd2"; echo in >"$V/w/odd1/file"; echo in >"$V/w/odd2/file"; echo file >"$V/w/plain"
full --all-components
rm -r "$V/w/odd1"; echo excluded >"$V/w/odd1"; mv "$V/w/odd2" "$V/w/even"; rm "$V/w/plain"; mkdir "$V/w/plain"
increment "$knows" - --all-components
whole ! -name 'odd*'
app "files = $V/w/*" "differenced = $V/w/*"; fill
full --all-components
rm "$V/w/f1"; mkdir "$V/w/f1"; rm "$V/w/f2"; ln -s f3 "$V/w/f2"
increment "$knows" 1 --all-components
for i in $(seq 50); do umount "$V" 2>/dev/null && break; sleep 0.1; done
[ "$i" -lt 50 ] || fail "the volume is still in use"
echo ok
