#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Increments by a provider's change knowledge: when it is used, when it is not, and that what cannot be
# trusted never costs a change. Which way each volume went is always said.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

V=$SCRATCH/v S=$SCRATCH/store
mkdir "$SCRATCH/conf"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" \
    >"$SCRATCH/conf/vss.conf"
make_fs btrfs 600M "$V"
mkdir -p "$V/a/b/c"
for i in $(seq 50); do echo "content $i" >"$V/a/b/f$i"; done
echo hidden >"$V/a/secret"

back_up() { # back_up WORDS OPTIONS...: what is said must fit
    local words=$1
    shift
    vssctl backup --config "$SCRATCH/conf" --to "$S" "$@" >"$SCRATCH/said" 2>&1 ||
        fail "no backup: $(cat "$SCRATCH/said")"
    grep -q "$words" "$SCRATCH/said" || fail "'$words' was not said: $(cat "$SCRATCH/said")"
}
# whole: what a restore gives is what is there now
whole() {
    rm -rf "$SCRATCH/out"
    vssctl restore --config "$SCRATCH/conf" --from "$S" --into "$SCRATCH/out" >"$SCRATCH/said" 2>&1 ||
        fail "no restore: $(cat "$SCRATCH/said")"
    mkdir -p "$SCRATCH/now"
    mount --bind "$V" "$SCRATCH/now"
    "$BUILD/tests/tree-compare" "$V/${1:-a}" "$SCRATCH/out$V/${1:-a}" || fail "it is not what was there"
    umount "$SCRATCH/now"
}
quietly() { # quietly FILE: other content of the same length, the times put back
    local was
    was=$(stat -c %y "$1")
    printf X | dd of="$1" conv=notrunc status=none
    touch -d "$was" "$1"
}
references() { find "$V/.vss" -maxdepth 1 -name 'btrfs-reference-*' | wc -l; }
reference() { find "$V/.vss" -maxdepth 1 -name 'btrfs-reference-*' -printf '%T@ %p\n' | sort | tail -1 | cut -d' ' -f2; }
knows="provider 'btrfs' knows what changed"
compares="is compared with the last backup as a whole"

echo "1: what changed, and nothing else"
back_up "saved" --exclude secret "$V"
[ "$(references)" = 1 ] || fail "$(references) references"
quietly "$V/a/b/f1"
mv "$V/a/b/f2" "$V/a/b/c/moved"
rm "$V/a/b/f3"
back_up "$knows: [0-9]* names" --type incremental --exclude secret "$V"
grep -q "^  4 entries" "$SCRATCH/said" || fail "not the entries that changed: $(cat "$SCRATCH/said")"
back_up "$knows" --type incremental # as before
grep -q "^  0 entries" "$SCRATCH/said" || fail "nothing changed: $(cat "$SCRATCH/said")"

echo "2: the plan says which way"
vssctl backup --config "$SCRATCH/conf" --to "$S" --type incremental --plan >"$SCRATCH/said" 2>&1
grep -q "what changed on '$V' will be asked of provider 'btrfs'" "$SCRATCH/said" ||
    fail "the plan: $(cat "$SCRATCH/said")"
vssctl backup --config "$SCRATCH/conf" --to "$S" --type incremental --plan --no-delta >"$SCRATCH/said" 2>&1
grep -q "$compares: .*--no-delta" "$SCRATCH/said" || fail "the plan: $(cat "$SCRATCH/said")"

echo "3: compared because it is asked for"
quietly "$V/a/b/f4"
back_up "$compares: .*--no-delta" --type incremental --no-delta
quietly "$V/a/b/f5"
back_up "$knows" --type incremental

echo "4: the chain keeps what it needs: that of the full one and of the last"
[ "$(references)" = 2 ] || fail "$(references) references"
quietly "$V/a/b/f6"
back_up "$knows" --type differential
[ "$(references)" = 2 ] || fail "$(references) references after a differential one"

echo "5: the reference is gone, was written to, or replaced"
quietly "$V/a/b/f7"
btrfs subvolume delete "$(reference)/copy" >/dev/null
back_up "$compares: .*was deleted" --type incremental
quietly "$V/a/b/f8"
ref=$(reference)
btrfs property set -f "$ref/copy" ro false
printf X | dd of="$ref/copy/a/b/f8" conv=notrunc status=none # what hides the change
btrfs property set "$ref/copy" ro true
back_up "$compares: .*written to" --type incremental
grep -q "^  1 entr" "$SCRATCH/said" || fail "f8 was not saved: $(cat "$SCRATCH/said")"
quietly "$V/a/b/f9"
rm -rf "$S"/*/op-1/references
back_up "$compares: .*reference" --type incremental

echo "6: not the same is taken: what was left out and did not change comes in"
back_up "$knows" --type incremental --exclude secret "$V"
back_up "$compares: what is taken or left out is not the same" --type incremental "$V"
whole
back_up "$knows" --type incremental "$V"
btrfs subvolume create "$V/a/nested" >/dev/null
echo in >"$V/a/nested/file"
back_up "$compares: what is taken or left out is not the same" --type incremental "$V"
quietly "$V/a/nested/file"
mv "$V/a/b/c" "$V/a/c"
back_up "'$V/a/nested': $knows" --type incremental "$V"
whole

echo "7: a new full one needs no older references"
S=$SCRATCH/fresh
before=$(references)
back_up "saved" "$V"
back_up "$knows" --type incremental
[ "$(references)" = $((before + 4)) ] || fail "$(references) references, were $before"
back_up "saved" "$V"
[ "$(references)" = $((before + 2)) ] || fail "$(references) references, were $before"

echo "8: another folder in the place of the one that is saved"
S=$SCRATCH/below
mkdir -p "$V/spare/b"
cp -a "$V/a/b/f20" "$V/spare/b"
back_up "saved" "$V/a/b"
quietly "$V/a/b/f10"
back_up "$knows" --type incremental
mv "$V/a" "$V/old"
mkdir -p "$V/a/b"
cp -a "$V/old/b/f11" "$V/a/b/f12"
echo other >"$V/a/b/f11"
back_up "$knows" --type incremental
whole a/b
back_up "$knows" --type incremental # names that were only read are told, and stored not again
grep -q "^  0 entries" "$SCRATCH/said" || fail "what was read is stored: $(cat "$SCRATCH/said")"
rm -r "$V/a"
mv "$V/spare" "$V/a" # nothing is told of what is below
back_up "$knows" --type incremental
whole a/b

echo "9: a subvolume restored from a snapshot"
S=$SCRATCH/sub
btrfs subvolume create "$V/s" >/dev/null
W=$SCRATCH/w
mkdir "$W"
device=$(findmnt -no SOURCE "$V")
mount -o subvol=s "$device" "$W"
mkdir "$W/a"
echo one >"$W/a/f"
save=$V V=$W
back_up "saved" "$V"
echo two >"$V/a/f"
umount "$V"
btrfs subvolume snapshot "$save/s" "$save/s2" >/dev/null
mount -o subvol=s2 "$device" "$V"
back_up "$compares" --type incremental
whole
umount "$V"
V=$save

echo "10: a backup that came to nothing at its very end leaves no reference"
S=$SCRATCH/tmpfs/store
mkdir "$SCRATCH/tmpfs"
mount -t tmpfs none "$SCRATCH/tmpfs"
btrfs subvolume delete "$V"/.vss/btrfs-reference-*/copy >/dev/null
rm -r "$V"/.vss/btrfs-reference-*
back_up "saved" "$V/old"
[ "$(references)" = 2 ] || fail "$(references) references" # of the volume, and of that nested in it
inodes=$(find "$SCRATCH/tmpfs" | wc -l)
rm -rf "$S"
mount -o "remount,nr_inodes=$((inodes - 1))" "$SCRATCH/tmpfs"
vssctl backup --config "$SCRATCH/conf" --to "$S" "$V/old" >"$SCRATCH/said" 2>&1 &&
    fail "it fitted: $(find "$SCRATCH/tmpfs")"
[ "$(references)" = 2 ] || fail "$(references) references after a backup that failed"
umount "$SCRATCH/tmpfs"

echo "11: what is forgotten needs no references; those of others stay"
forget() { vssctl forget --config "$SCRATCH/conf" --from "$S" "$@" >"$SCRATCH/said" 2>&1 || fail "$(cat "$SCRATCH/said")"; }
notes() { find "$1" -maxdepth 1 -name '.references-*' | wc -l; }
expect_references() { [ "$(references)" = "$1" ] || fail "$2: $(references) references, not $1"; }
{ printf '%s\n' gather start "add $V" prepare snapshot keep release; } |
    "$BUILD/tests/requester" "$SCRATCH/conf" >/dev/null 2>&1
expect_references 3 "another program's"
S=$SCRATCH/other
back_up "saved" "$V/old/b"
expect_references 4 "another store's"
S=$SCRATCH/forgetful
back_up "saved" "$V/old/b"
quietly "$V/old/b/f21"
back_up "$knows" --type incremental
expect_references 6 "the chain's"
cp -a "$S" "$SCRATCH/copied" # it names them too, and does not own them
S=$SCRATCH/copied
forget "$(cd "$S" && ls -d 2*incremental*)"
expect_references 6 "after a copied store forgot"
back_up saved "$V/old/b" # and does not release what it finds named
expect_references 7 "after a copied store went on"
S=$SCRATCH/forgetful
forget "$(cd "$S" && ls -d 2*incremental*)"
expect_references 6 "after the increment went"
back_up "$knows" --type incremental # on the full one, whose reference stays
expect_references 7 "after another increment"
umount "$V"
forget "$(cd "$S" && ls -d 2*incremental*)" # who is not there cannot be told
grep -q "cannot be released now" "$SCRATCH/said" || fail "not said: $(cat "$SCRATCH/said")"
[ "$(notes "$S")" = 1 ] || fail "nothing is noted"
mount -o loop "$SCRATCH"/btrfs.*.img "$V"
expect_references 7 "while the volume was away"
back_up "$knows" --type incremental
expect_references 7 "the one of the forgotten set went, a new one came"
[ "$(notes "$S")" = 0 ] || fail "a note stays: $(ls -A "$S")"
forget --keep 1
expect_references 7 "nothing went"
mapfile -t all < <(cd "$S" && ls -d 2*)
forget "${all[@]}"
expect_references 5 "after all went"

echo "12: killed between a reference and its set"
killed() { # killed VARIABLE=...: a backup that dies so
    local r=0
    env LD_PRELOAD="$BUILD/tests/die-at-rename.so" "$@" vssctl backup --config "$SCRATCH/conf" --to "$S" \
        --type incremental "$V/old/b" >"$SCRATCH/said" 2>&1 || r=$?
    [ $r = 137 ] || fail "not killed ($r): $(cat "$SCRATCH/said")"
}
back_up "saved" "$V/old/b"
expect_references 6 "a full one"
killed DIE_TO=references # kept, and nowhere named but in the note
expect_references 7 "killed before the document"
killed DIE_FROM=.incomplete-
expect_references 7 "the next one released it, and was killed before its set was published"
killed DIE_FROM=.incomplete- DIE_AFTER=1
expect_references 7 "killed when the set was published"
back_up "$knows" --type incremental # that one's reference is in use
expect_references 7 "that of the full one, and this one"
[ "$(notes "$S")" = 0 ] || fail "a note stays: $(ls -A "$S")"
killed DIE_FROM=.incomplete-
vssctl forget --config "$SCRATCH/conf" --from "$S" --older-than 1y >"$SCRATCH/said" 2>&1 # any settles it
expect_references 7 "released by forget"
killed DIE_FROM=.incomplete-
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[provider.btrfs]\nreferences = 0\n' \
    "$SCRATCH" "$SCRATCH" >"$SCRATCH/conf/vss.conf"
back_up "saved" --type incremental
expect_references 6 "the killed one's and the replaced one's went, none was kept"
[ "$(notes "$S")" = 0 ] || fail "a note stays: $(ls -A "$S")"

echo "13: of a large file only what changed"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$SCRATCH/conf/vss.conf"
S=$SCRATCH/large
mkdir "$V/big"
dd if=/dev/urandom of="$V/big/file" bs=1M count=40 status=none
echo small >"$V/big/small"
back_up "saved" "$V/big"
scatter() { # scatter SEED: 1 % of the blocks
    python3 - "$V/big/file" "$1" <<'EOF'
import os, random, sys
rng = random.Random(int(sys.argv[2]))
blocks = os.path.getsize(sys.argv[1]) // 4096
with open(sys.argv[1], 'r+b') as f:
    for i in rng.sample(range(blocks), blocks // 100):
        f.seek(i * 4096)
        f.write(rng.randbytes(4096))
EOF
}
stored() { du -sb --apparent-size "$(find "$S" -maxdepth 1 -name '2*' | sort | tail -1)" | cut -f1; }
expect_less() { [ "$(stored)" -lt "$1" ] || fail "$2: $(stored) bytes are stored, not less than $1"; }
scatter 1
back_up "$knows" --type incremental
expect_less $((102 * 4096 * 11 / 10 + 30000)) "1 %" # and what a set without anything takes
grep -q "^  1 entry, 417.8 kB read" "$SCRATCH/said" || fail "102 blocks were read: $(cat "$SCRATCH/said")"
whole big
scatter 2
dd if=/dev/urandom of="$V/big/file" bs=4096 count=3 oflag=append conv=notrunc status=none
sleep 2.2 # what is younger is in doubt
back_up "$knows" --type incremental
expect_less 600000 "grown"
whole big
back_up "$compares" --type incremental --no-delta # a part has no content to compare with: stat is enough
grep -q "^  0 entries" "$SCRATCH/said" || fail "nothing changed: $(cat "$SCRATCH/said")"
ln "$V/big/file" "$V/big/too"
scatter 5
back_up "$knows" --type incremental
whole big
rm "$V/big/too"
back_up "$knows" --type incremental # its links are one again: stored whole, a base for what follows
truncate -s 30000000 "$V/big/file" # only shorter, then longer by a hole with something in it
back_up "$knows" --type incremental
expect_less 20000 "truncated"
whole big
truncate -s 39000000 "$V/big/file"
back_up "$knows" --type incremental
expect_less 20000 "longer by a hole"
truncate -s 45000000 "$V/big/file"
echo in the middle | dd of="$V/big/file" bs=1M seek=40 conv=notrunc status=none
back_up "$knows" --type incremental
expect_less 20000 "longer by a hole, and something in it"
whole big
[ "$(du -k "$SCRATCH/out$V/big/file" | cut -f1)" -lt 30000 ] || fail "what was longer was filled"
truncate -s 20000000 "$V/big/file"
back_up "$knows" --type incremental
whole big
scatter 3
back_up "$knows" --type differential
vssctl verify --config "$SCRATCH/conf" --from "$S" >"$SCRATCH/said" 2>&1 || fail "verify: $(cat "$SCRATCH/said")"
whole big
back_up "$knows" --type incremental
fallocate -p -o 1M -l 1M "$V/big/file" # a hole comes back as one
back_up "$knows" --type incremental
whole big
[ "$(du -k "$SCRATCH/out$V/big/file" | cut -f1)" -lt 19000 ] || fail "the hole was filled"
scatter 4
back_up "$knows" --type incremental
ranges=$(find "$S" -name ranges.tar.zst | sort | tail -1)
printf XXXX | dd of="$ranges" bs=1 seek=9000 conv=notrunc status=none
vssctl verify --config "$SCRATCH/conf" --from "$S" >"$SCRATCH/said" 2>&1 && fail "damage is not seen"
grep -q "big/file" "$SCRATCH/said" || fail "the file is not named: $(cat "$SCRATCH/said")"
for i in $(seq 50); do umount "$V" 2>/dev/null && break; sleep 0.1; done
[ "$i" -lt 50 ] || fail "the volume is still in use"
