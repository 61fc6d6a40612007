#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which volume holds a path, and which lie below it: on real file systems.
# shellcheck source=tests/functions.sh disable=SC2016
. "$(dirname "$0")/../functions.sh"
requires btrfs

# ids VERB [NAME]: mount points that the probe answers, one per line
points() { vss-probe "$@" | cut -f1; }
refused() { # refused WORDS VERB NAME
    local words=$1 out
    shift
    if out=$(vss-probe "$@" 2>&1); then fail "'$*' was accepted"; fi
    [[ $out == *"$words"* ]] || fail "'$*' said '$out', not '$words'"
}
equal() { [ "$1" = "$2" ] || fail "got '$1', expected '$2'"; }

make_fs btrfs 200M "$SCRATCH/b"
B=$SCRATCH/b
btrfs -q subvolume create "$B/one" 2>/dev/null || btrfs subvolume create "$B/one" >/dev/null
btrfs subvolume create "$B/one/two" >/dev/null
mkdir "$B/dir" "$B/.vss" "$B/one/plain"
btrfs subvolume snapshot -r "$B/one" "$B/.vss/copy" >/dev/null
btrfs subvolume create "$B/dir/three" >/dev/null
make_fs xfs 300M "$SCRATCH/x"
X=$SCRATCH/x
mkdir -p "$X/sub/deep" "$X/in" "$SCRATCH/bind" "$SCRATCH/again" "$X/tmp" "$SCRATCH/home"

# P-62: nested subvolumes are volumes; P-64: our own folder is none
equal "$(points list | grep -a "^$B" | sort | tr '\n' ' ')" "$B $B/dir/three $B/one $B/one/two "
equal "$(vss-probe list | grep -a "^$B" | cut -f3 | sort -u | wc -l)" 4
refused "lies in a shadow copy" path "$B/.vss/copy/plain"

# B-151: all that lies below
equal "$(points below "$B" | tr '\n' ' ')" "$B $B/dir/three $B/one $B/one/two "
equal "$(points below "$B/one/plain")" "$B/one"
equal "$(points path "$B/one/two")" "$B/one/two"

# a subvolume mounted elsewhere: paths begin with the mount point by which one came
uuid=$(vss-probe name "$B" | sed -E 's/.*UUID=([^:]*):.*/\1/')
dev=$(findmnt -no SOURCE "$B")
mount -o subvol=one "$dev" "$SCRATCH/home"
equal "$(points path "$SCRATCH/home/plain")" "$SCRATCH/home"
equal "$(points path "$B/one/plain")" "$B/one"
equal "$(points path "$SCRATCH/home/two")" "$SCRATCH/home/two"
equal "$(vss-probe path "$SCRATCH/home" | cut -f3)" "$(vss-probe path "$B/one" | cut -f3)"

# bind mounts: the whole again, and a part
mount --bind "$X" "$SCRATCH/again"
equal "$(points path "$SCRATCH/again/sub")" "$SCRATCH/again"
equal "$(points list | grep -ac "^$X$\|^$SCRATCH/again$")" 1
mount --bind "$X/sub" "$SCRATCH/bind"
refused "name '$X/sub/deep' instead" path "$SCRATCH/bind/deep"
umount "$X"
equal "$(points path "$SCRATCH/again/sub")" "$SCRATCH/again"
refused "name '$SCRATCH/again/sub/deep' instead" path "$SCRATCH/bind/deep"
umount "$SCRATCH/again"
equal "$(points path "$SCRATCH/bind/deep")" "$SCRATCH/bind"
umount "$SCRATCH/bind"

# a volume below a volume, one that covers another, and memory in between
mount -o loop "$SCRATCH"/xfs.*.img "$X"
make_fs ext4 50M "$X/in"
mount -t tmpfs none "$X/tmp"
equal "$(points below "$X" | tr '\n' ' ')" "$X $X/in "
refused "keeps nothing on a disk" path "$X/tmp"
mount -t tmpfs none "$X/in"
equal "$(points below "$X")" "$X"
umount "$X/in"

# S-18, and what has no disk
refused "proc" path /proc/self
refused "sysfs" path /sys
refused "No such file" path "$SCRATCH/none"
refused "not an absolute path" path relative
mkdir "$SCRATCH/merged" "$SCRATCH/up" "$SCRATCH/work"
if mount -t overlay o -o "lowerdir=$X,upperdir=$SCRATCH/up,workdir=$SCRATCH/work" \
    "$SCRATCH/merged" 2>/dev/null; then
    refused "stacked" path "$SCRATCH/merged"
    equal "$(points below "$SCRATCH" | grep -ac merged)" 0
fi

# T-3: all names of a volume
xid=$(vss-probe name "$X" | cut -f3)
equal "$(points name "$xid")" "$X"
equal "$(points name "$(findmnt -no SOURCE "$X")")" "$X"
equal "$(points name "$X/")" "$X"
equal "$(points name "UUID=${xid#UUID=}")" "$X"
refused "is a path inside of a volume" name "$X/sub"
refused "no mounted volume" name "UUID=12345678-1234-1234-1234-123456789abc"
refused "means several volumes" name "UUID=$uuid"
twoid=$(vss-probe name "$B/one/two" | cut -f3)
[ "$(vss-probe name "$twoid" | cut -f3)" = "$twoid" ] || fail "the id of a subvolume is no name"

# libmount's view: of mounts on one point the topmost counts; a folder that was removed under its
# bind mount is no volume and no part of one
mkdir "$X/gone" "$SCRATCH/ghost" "$SCRATCH/stack"
mount --bind "$X/gone" "$SCRATCH/ghost"
rmdir "$X/gone"
refused "was removed since" path "$SCRATCH/ghost"
equal "$(points list | grep -ac ghost)" 0
vss-probe below "$SCRATCH" | grep -a "$SCRATCH/ghost" | grep -q "removed since" || fail "a ghost is not named"
umount "$SCRATCH/ghost"
make_fs ext4 50M "$SCRATCH/stack"
under=$(vss-probe path "$SCRATCH/stack" | cut -f3)
mount --bind "$X" "$SCRATCH/stack"
equal "$(vss-probe path "$SCRATCH/stack/sub" | cut -f3)" "$xid"
vss-probe list | grep -aqF "$under" && fail "a volume that nobody can reach is listed"
umount "$SCRATCH/stack"
equal "$(vss-probe path "$SCRATCH/stack" | cut -f3)" "$under"

# one process answers many questions, each by itself
out=$(vss-probe path "$X" path /proc name "$X" path "$SCRATCH/none" below "$B/one/plain" 2>&1 | cut -f1) || true
equal "$(grep -c "keeps nothing\|No such file" <<<"$out")" 2
equal "$(grep -v ^vss-probe <<<"$out" | tr '\n' ' ')" "$X $X $B/one "
refused "usage" path
refused "usage" path "$X" nonsense

# clones with one identifier are told apart by their devices
cp --sparse=always "$SCRATCH"/xfs.*.img "$SCRATCH/clone.img"
mkdir "$SCRATCH/clone"
mount -o loop,nouuid "$SCRATCH/clone.img" "$SCRATCH/clone"
[[ $(vss-probe name "$X" | cut -f3) == DEVICE=/dev/* ]] || fail "an identifier that two bear"
# ... unless the other one is a copy of ours
[[ $(vss-probe --skip "$SCRATCH/clone" name "$X" | cut -f3) == "$xid" ]] || fail "a copy counts"

# names are bytes
odd="$SCRATCH/o d"$'\377'$'\n'"\\x"
mkdir -p "$odd"
cleanup_fn 'umount "$odd"'
make_fs ext4 50M "$odd"
vss-probe path "$odd" | grep -aqF "ext4" || fail "a mount point of odd bytes"

# a user without privileges sees what he may
open_build
user() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
equal "$(user "$BUILD/vss-probe" path "$B/one" | cut -f1)" "$B/one"
chmod 700 "$X/sub"
out=$(user "$BUILD/vss-probe" path "$X/sub/deep" 2>&1) && fail "a closed folder was seen"
[[ $out == *"Permission denied"* ]] || fail "said '$out'"

# a probe that does not come back in time is killed, and its service goes on
mkdir "$SCRATCH/conf"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[timeout]\nprobe = 1us\n' \
    "$SCRATCH" "$SCRATCH" >"$SCRATCH/conf/vss.conf"
out=$(printf 'volumes\ngather\n' | timeout 60 "$BUILD/tests/requester" "$SCRATCH/conf" 2>/dev/null)
[[ $out == *"failed ETIMEDOUT: looking at the volumes took longer"*$'\nok' ]] || fail "said '$out'"
echo "ok"
