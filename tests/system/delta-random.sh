#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Thousands of random changes on btrfs: an increment by the provider's change knowledge has the very
# manifest of one that compared everything, and what is restored from it is the tree, byte by byte.
#
# usage: delta-random.sh [SEED [ROUNDS [STEPS]]]     a seed that fails, fails again
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires zstd

seed=${1:-$((RANDOM * 32768 + RANDOM))} rounds=${2:-6} steps=${3:-350}
echo "seed $seed, $rounds rounds of $steps changes"
trap 'echo "FAILED with seed $seed in round ${round:-0}" >&2' ERR
V=$SCRATCH/v OUT=$SCRATCH/out
mkdir "$SCRATCH/conf"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" \
    >"$SCRATCH/conf/vss.conf"
make_fs btrfs 3G "$V"
make_fs xfs 3G "$OUT" # the stores and what is restored
btrfs subvolume create "$V/nested" >/dev/null

run() { "$BUILD/vssctl" "$@" --config "$SCRATCH/conf"; }
back_up() { # back_up STORE OPTIONS...: words in $SCRATCH/words
    local store=$1
    shift
    run backup --to "$OUT/$store" "$@" --exclude 'f1*' --exclude "$V/data/d3/*" "$V" \
        >"$SCRATCH/words" 2>&1 || { cat "$SCRATCH/words"; fail "round $round: no backup"; }
}
# the records of the newest set of a store, without the place in the archive
records() {
    local set
    set=$(find "$OUT/$1" -maxdepth 1 -name '2*' | LC_ALL=C sort | tail -1)
    zstd -dcq "$set/op-1/manifest.zst" | grep -av $'^base\t' | cut -f1-12,14-
}
compare() {
    records with >"$SCRATCH/with"
    records without >"$SCRATCH/without"
    cmp -s "$SCRATCH/with" "$SCRATCH/without" || {
        diff -a "$SCRATCH/without" "$SCRATCH/with" | head -20
        fail "round $round: not what a comparison gives (seed $seed)"
    }
}
known() { grep -q "'$V': provider 'btrfs' knows" "$SCRATCH/words"; }

round=0
"$BUILD/tests/tree-change" "$seed" 700 "$V/data" clones 2>/dev/null
"$BUILD/tests/tree-change" "$((seed + 1))" 300 "$V/nested/data" clones 2>/dev/null
back_up with
back_up without --no-delta
compare
total=0
for ((round = 1; round <= rounds; round++)); do
    mode=clones
    [ $((round % 4)) = 3 ] && mode=links
    "$BUILD/tests/tree-change" "$((seed + 100 * round))" "$steps" "$V/data" $mode 2>/dev/null
    "$BUILD/tests/tree-change" "$((seed + 100 * round + 1))" 50 "$V/nested/data" $mode 2>/dev/null
    type=incremental
    [ $((round % 5)) = 4 ] && type=differential
    [ $((round % 3)) = 0 ] && { umount "$V"; mount -o loop "$SCRATCH"/btrfs.*.img "$V"; }
    back_up with --type $type
    known || { cat "$SCRATCH/words"; fail "round $round: change knowledge was not used"; }
    cp "$SCRATCH/words" "$SCRATCH/words-with"
    back_up without --type $type --no-delta
    compare
    total=$((total + steps + 50))
done
echo "ok $total changes: the same manifests, $(wc -l <"$SCRATCH/with") records in the last"

run verify --from "$OUT/with" latest >"$SCRATCH/words" 2>&1 || { cat "$SCRATCH/words"; fail "verify"; }
mkdir "$OUT/restored" "$OUT/restored-too"
run restore --from "$OUT/with" --into "$OUT/restored" >"$SCRATCH/words" 2>&1 ||
    { tail -5 "$SCRATCH/words"; fail "restore"; }
run restore --from "$OUT/without" --into "$OUT/restored-too" >"$SCRATCH/words" 2>&1 ||
    { tail -5 "$SCRATCH/words"; fail "restore"; }
"$BUILD/tests/tree-compare" "$OUT/restored$V" "$OUT/restored-too$V" || fail "two trees (seed $seed)"
# what was left out is not there; the rest is the original
rm -rf "$V/data/d3"/*
find "$V/data" "$V/nested/data" -depth -name 'f1*' -exec rm -rf {} +
for tree in data nested/data; do
    "$BUILD/tests/tree-compare" -T -s "$V/$tree" "$OUT/restored$V/$tree" ||
        fail "not the tree (seed $seed)"
done
echo "ok restored byte by byte"
