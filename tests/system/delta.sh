#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the btrfs provider knows of changes: told exactly, and refused whenever it is not certain.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires setfattr
requires setfacl

V=$SCRATCH/v
mkdir "$SCRATCH/conf"
configure() { # configure TEXT: what [provider.btrfs] holds
    printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[provider.btrfs]\n%s\n' \
        "$SCRATCH" "$SCRATCH" "$1" >"$SCRATCH/conf/vss.conf"
}
configure ''
make_fs btrfs 600M "$V"

# run STEPS...: one life of a backup program with a copy of $V in it
run() {
    { printf '%s\n' gather start "add $V" prepare snapshot; printf '%s\n' "$@" release; } |
        "$BUILD/tests/requester" "$SCRATCH/conf" 2>"$SCRATCH/words" >"$SCRATCH/answers" ||
        fail "the backup program failed: $(cat "$SCRATCH/words")"
    grep -av '^ok$' "$SCRATCH/answers" || true
}
keep() { local id; id=$(run keep); [[ $id =~ ^[0-9a-f-]{36}$ ]] || fail "keep: $id"; echo "$id"; }
# changes REF EXPECTED: what is told, sorted; the folder of the copies is nobody's business
changes() {
    local told
    told=$(run "changes $1" | LC_ALL=C sort -u)
    [ "$told" = "$2" ] || fail "told:
$told
expected:
$2"
}
refused() { # refused REF WORDS: nothing is told, and why
    local told
    told=$(run "changes $1")
    [[ $told == failed*"$2"* && $told != *$'\n'* ]] || fail "not refused for '$2': $told"
}
references() { find "$V/.vss" -maxdepth 1 -name 'btrfs-reference-*' | wc -l; }

echo "1: nothing changed is nothing told"
mkdir -p "$V"/{d,e/f,many}
for f in a b c d/x e/f/y e/z gone; do echo "$f" >"$V/$f"; done
seq 200 | (cd "$V/many" && xargs touch)
ln "$V/a" "$V/d/a-too"
ln "$V/b" "$V/e/b-too"
truncate -s 8M "$V/holes"
dd if=/dev/urandom of="$V/big" bs=1M count=8 status=none
ref=$(keep)
[ "$(references)" = 1 ] || fail "there are $(references) references"
mkdir "$V/.vss/stranger"
changes "$ref" ""

echo "2: each kind of change"
echo more >>"$V/c"
dd if=/dev/urandom of="$V/big" bs=4K seek=100 count=1 conv=notrunc status=none
chmod 600 "$V/d/x"
echo new >"$V/e/f/new"
rm "$V/gone"
mv "$V/e/z" "$V/e/renamed"
changes "$ref" "changed /
changed /d/x
changed /e
changed /e/f
changed+ /big 409600:4096
changed+ /c 0:7
gone /gone
new /e/f/new
renamed /e/renamed from /e/z"

echo "3: renames over each other, all names of a linked file, what stands below"
ref=$(keep)
mv "$V/d" "$V/t"; mv "$V/e" "$V/d"; mv "$V/t" "$V/e"
mv "$V/many" "$V/e/many"
echo x >>"$V/a"
changes "$ref" "changed /
changed+ /a
changed+ /a 0:4
changed+ /b
changed+ /d/b-too
changed+ /e/a-too
renamed /d from /e
renamed /e from /d
renamed /e/many from /many"

echo "4: what belongs to a file and is not its content"
ref=$(keep)
setfattr -n user.x -v y "$V/c"
setfacl -m u:7:r "$V/holes"
chown 5:6 "$V/e"
touch -h -d 2001-01-01 "$V/a"
changes "$ref" "changed /a
changed /c
changed /e
changed /holes
changed+ /a
changed+ /e/a-too"

echo "5: nested subvolumes come and go"
btrfs subvolume create "$V/sub" >/dev/null
ref=$(keep)
btrfs subvolume create "$V/e/sub2" >/dev/null
btrfs subvolume delete "$V/sub" >/dev/null
changes "$ref" "changed /
changed /e
changed /e/sub2
gone /sub"

echo "6: odd names, a truncation, a hole, a file replaced by a folder"
ref=$(keep)
odd=$'new\nline\t%41\xff '
echo odd >"$V/$odd"
truncate -s 5000000 "$V/big"
fallocate -p -o 0 -l 4096 "$V/c" 2>/dev/null || true
rm "$V/holes"; mkdir "$V/holes"; echo in >"$V/holes/file"
run "changes $ref" >"$SCRATCH/told"
grep -aqzF "new /$odd" "$SCRATCH/told" || fail "the odd name is not told: $(cat "$SCRATCH/told")"
# nothing before its end: the byte behind it stands for that
grep -aq '^changed+ /big 5000000:1$' "$SCRATCH/told" || fail "the truncation is not told: $(cat "$SCRATCH/told")"
[ "$(grep -c -e '^new /holes$' -e '^new /holes/file$' "$SCRATCH/told")" = 2 ] ||
    fail "the folder in a file's place is not told"

echo "7: a reference that cannot be trusted is refused"
ref=$(keep)
refused 00000000-1111-2222-3333-444444444444 OBJECT_NOT_FOUND
path=$V/.vss/btrfs-reference-$ref
btrfs property set -f "$path/copy" ro false
echo foreign >"$path/copy/c"
refused "$ref" "written to or replaced" # while it is writable
btrfs property set "$path/copy" ro true
refused "$ref" "written to or replaced"
ref=$(keep)
path=$V/.vss/btrfs-reference-$ref
btrfs subvolume delete "$path/copy" >/dev/null
refused "$ref" "was deleted"
btrfs subvolume snapshot -r "$V" "$path/copy" >/dev/null # another one in its place
refused "$ref" "written to or replaced"
ref=$(keep)
path=$V/.vss/btrfs-reference-$ref
sed -i 's/^generation=.*/generation=1/' "$path/record"
refused "$ref" "written to or replaced"
sed -i '/^end=/d' "$path/record"
refused "$ref" OBJECT_NOT_FOUND
run "forget $ref" >/dev/null # a damaged one is none

echo "8: the oldest go first, as many stay as the setting says"
configure 'references = 2'
one=$(keep) two=$(keep) three=$(keep)
refused "$one" OBJECT_NOT_FOUND
changes "$two" ""
changes "$three" ""
run "forget $two" >/dev/null
refused "$two" OBJECT_NOT_FOUND
run "forget $two" | grep -q failed && fail "to forget twice is no failure"
changes "$three" ""
configure 'references = 0'
[[ $(run keep) == failed*NOTIMPL* ]] || fail "a reference was kept"
configure 'references = many'
[[ $(run keep) == *"'mirror' does not know"* ]] || fail "a provider with a wrong setting was used"
configure ''

echo "9: what a dead provider left is swept, what is ours alone"
mkdir -m 700 "$V/.vss/btrfs-reference-11111111-2222-3333-4444-555555555555"
btrfs subvolume snapshot -r "$V" \
    "$V/.vss/btrfs-reference-11111111-2222-3333-4444-555555555555/copy" >/dev/null
mkdir -m 755 "$V/.vss/btrfs-reference-11111111-2222-3333-4444-666666666666"
keep >/dev/null
[ ! -e "$V/.vss/btrfs-reference-11111111-2222-3333-4444-555555555555" ] || fail "not swept"
[ -e "$V/.vss/btrfs-reference-11111111-2222-3333-4444-666666666666" ] || fail "swept a stranger"

echo "10: another subvolume in the same place"
btrfs subvolume create "$V/s" >/dev/null
W=$SCRATCH/w
mkdir "$W"
device=$(findmnt -no SOURCE "$V")
mount -o subvol=s "$device" "$W"
echo one >"$W/f"
save=$V V=$W
ref=$(keep)
umount "$W"
btrfs subvolume snapshot "$save/s" "$save/s2" >/dev/null
mount -o subvol=s2 "$device" "$W"
refused "$ref" "another subvolume"
umount "$W"
V=$save

echo "11: a backup program that dies while it is told, or does not listen"
mkdir "$V/long"
for i in $(seq 4000); do echo "$V/long/a-name-that-makes-the-list-longer-than-the-pipes-$i"; done | xargs touch
ref=$(keep)
chmod 600 "$V"/long/*
for fifo in to from; do mkfifo "$SCRATCH/$fifo"; done
"$BUILD/tests/requester" "$SCRATCH/conf" <"$SCRATCH/to" >"$SCRATCH/from" 2>/dev/null &
pid=$!
exec 7>"$SCRATCH/to" 8<"$SCRATCH/from"
printf '%s\n' gather start "add $V" prepare snapshot "changes $ref" >&7
until [[ ${line:-} == changed* ]]; do read -r -t 60 line <&8 || fail "nothing is told"; done
sleep 0.3 # now it is stuck, its provider too
kill -9 $pid
wait $pid || true
exec 7>&- 8<&-
for i in $(seq 100); do
    [ -z "$(find "$V/.vss" -maxdepth 1 -name 'btrfs-*' ! -name 'btrfs-reference-*')" ] && break
    sleep 0.1
done
[ "$(run "changes $ref" | grep -c '^changed /long/')" = 4000 ] || fail "the next one is not told all"

echo "12: copies and mounts are free again"
[ -z "$(find "$V/.vss" -maxdepth 1 -name 'btrfs-*' ! -name 'btrfs-reference-*')" ] ||
    fail "copies are left: $(ls "$V/.vss")"
umount "$V" || fail "the volume is still in use"
