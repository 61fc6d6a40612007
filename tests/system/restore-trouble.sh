#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl restore when things are not as they should be: a store on a read-only medium, one that a backup writes to, two restores at
# once, a damaged backup. What is there stays whole, and the words say what can be done.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
make_fs btrfs 1G "$SCRATCH/d"
make_fs ext4 700M "$SCRATCH/m"
etc=$SCRATCH/etc D=$SCRATCH/d/data store=$SCRATCH/m/store out=$SCRATCH/d/out
mkdir -p "$etc" "$D/many"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
v() { vssctl "$@" --config "$etc" >"$SCRATCH/words" 2>&1; }
said() { grep -qE -- "$1" "$SCRATCH/words" || { cat "$SCRATCH/words"; fail "no '$1'"; }; }
silent() { ! grep -qE -- "$1" "$SCRATCH/words" || { cat "$SCRATCH/words"; fail "it says '$1'"; }; }
same() { diff -r "$1" "$2" || fail "$2 is not $1"; [ -z "$(find "$2" -name '.vss-*' -print -quit)" ] || fail "left in $2"; }
for i in 1 2 3 4 5 6; do head -c 100000 /dev/urandom >"$D/r$i"; done
for i in $(seq 2000); do echo "$i" >"$D/many/f$i"; done
v backup --to "$store" "$D" || fail "no backup"
head -c 100000 /dev/urandom >"$D/r3"; echo new >"$D/many/f7"; rm "$D/many/f9" # stays deleted
v backup --to "$store" --type incremental || fail "no increment"
cp -a "$D" "$SCRATCH/d/good"
old() { rm -rf "$D"; cp -a "$SCRATCH/d/good" "$D"; find "$D" -type f -exec sh -c 'for f; do echo old >"$f"; done' _ {} +; }

echo "-- a store on a read-only medium"
mount -o remount,ro "$SCRATCH/m"
old; v restore --from "$store" --in-place || fail "in place: $(cat "$SCRATCH/words")"; same "$SCRATCH/d/good" "$D"
v restore --from "$store" --into "$out" || fail "beside: $(cat "$SCRATCH/words")"; same "$SCRATCH/d/good" "$out$D"
v list backups --from "$store" || fail "list: $(cat "$SCRATCH/words")"
mount -o remount,rw "$SCRATCH/m"
rm -rf "$out"

echo "-- one file cannot be replaced: all plain files or none, or file by file (R-59, R-101)"
old; cp -a "$D" "$SCRATCH/d/before"; chattr +i "$D/r4"
v restore --from "$store" --in-place && fail "an immutable file was replaced"
said "r4"; said 'nothing of the plain files is changed.*--file-by-file'; said '^restored 0 entries'
chattr -i "$D/r4"; same "$SCRATCH/d/before" "$D"; chattr +i "$D/r4"
v restore --from "$store" --in-place --file-by-file && fail "an immutable file was replaced"
said "r4"; silent 'nothing of the plain files'
chattr -i "$D/r4"; [ "$(cat "$D/r4")" = old ] || fail "r4"; cp "$SCRATCH/d/good/r4" "$D/r4"; same "$SCRATCH/d/good" "$D"
rm -rf "$SCRATCH/d/before"

echo "-- two restores of the same files at once, again and again: each says how it went, and all is whole"
for _ in 1 2 3 4 5; do
    old
    pids=()
    for n in 1 2; do vssctl restore --from "$store" --in-place --config "$etc" >"$SCRATCH/words$n" 2>&1 & pids+=($!); done
    good=0
    for n in 1 2; do
        code=0; wait "${pids[n - 1]}" || code=$?
        if [ $code = 0 ]; then good=$((good + 1)); else grep -qE 'restore' "$SCRATCH/words$n" && echo "   refused: $(head -n 1 "$SCRATCH/words$n")"; fi
    done
    [ $good -gt 0 ] || fail "none of them: $(cat "$SCRATCH"/words?)"
    [ $good = 2 ] || v restore --from "$store" --in-place || fail "again: $(cat "$SCRATCH/words")"
    same "$SCRATCH/d/good" "$D"
done

echo "-- while a backup is written to the same store, and an old one is wanted"
set=$(cd "$store" && echo 2*-incremental-*)
head -c 150M /dev/urandom >"$D/big"
vssctl backup --config "$etc" --to "$store" >"$SCRATCH/backup" 2>&1 & pid=$!
for ((i = 0; i < 500; i++)); do [ -n "$(find "$store" -name 'data.tar.zst*' -newer "$D/big" -print -quit)" ] && break; sleep 0.01; done
v restore --from "$store" --set "$set" --into "$out" || fail "restore: $(cat "$SCRATCH/words")"
same "$SCRATCH/d/good" "$out$D"
v restore --from "$store" --into "$out" --keep-existing || fail "the latest is the last finished one: $(cat "$SCRATCH/words")"
wait $pid || fail "backup: $(cat "$SCRATCH/backup")"
rm -rf "$out" "$D/big"

echo "-- a damaged backup: what is lost, what is whole, and which other backup to take"
cp -a "$SCRATCH/d/good/." "$D/"
v backup --to "$store" --type copy || fail "no copy"
copy=$(cd "$store" && echo 2*-copy-*); full=$(cd "$store" && echo 2*-full-* | cut -d' ' -f1)
python3 - "$store/$full/op-1/data.tar.zst" <<'P'
import os, sys
size = os.path.getsize(sys.argv[1])
with open(sys.argv[1], 'r+b') as f:
    f.seek(size * 3 // 4)
    f.write(os.urandom(40))
P
v restore --from "$store" --set "$set" --into "$out" && fail "nothing was lost?"
said 'r[1-6]: lost: '; said "note: plain files: the newest backup that needs nothing of what is damaged \($full\) is '$copy'"
cmp "$SCRATCH/d/good/r3" "$out$D/r3" || fail "what is whole did not come"
for f in "$out$D"/r*; do cmp "$f" "$SCRATCH/d/good/${f##*/}" || fail "a damaged file was put"; done
id=$(sed -n 's/.*--set //p' "$SCRATCH/words"); rm -rf "$out"
v restore --from "$store" --set "$id" --into "$out" || fail "as advised: $(cat "$SCRATCH/words")"
silent note; rm -rf "$out"
old; v restore --from "$store" --set "$set" --in-place "$D/r3" "$D/many/f7" || fail "what is whole: $(cat "$SCRATCH/words")"
cmp "$SCRATCH/d/good/r3" "$D/r3"
echo "   a manifest that is gone"
mv "$store/$full/op-1/manifest.zst" "$SCRATCH/manifest.zst"
v restore --from "$store" --set "$set" --into "$out" && fail "without a manifest?"
said "needs nothing of what is damaged \(what it builds on\) is '$copy'"
mv "$SCRATCH/manifest.zst" "$store/$full/op-1/manifest.zst"
echo "   all that there is builds on it"
rm -rf "${store:?}/$copy"
for s in "$store"/2*; do case $s in *"$full" | *"$set") ;; *) rm -rf "$s" ;; esac; done
v restore --from "$store" --set "$set" --into "$out" && fail "nothing was lost?"
said "every other backup of it in this store needs what is damaged \($full\), too"
echo "all well"
