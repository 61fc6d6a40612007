#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What can be in the way of a file and is rare: a folder that is encrypted and locked (R-108), something mounted there, a file that is
# swapped to (R-60 e, f). Each by words of its own, nothing being changed; for components the probe finds it before.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
D=$SCRATCH/d etc=$R/etc store=$SCRATCH/store
make_fs ext4 100M "$D"
mkdir -p "$etc/writers.d" "$D/a"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
v() { local want=$1 code=0; shift; vssctl "$@" --config "$etc" >"$R/out" 2>&1 || code=$?; [ $code = "$want" ] || { cat "$R/out"; fail "exit $code instead of $want: $*"; }; }
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
# the same files as a component, which the probe looks at, and as plain ones
printf '[writer]\nplugin = files\n[restore]\nmethod = restore_if_can_replace\n[component app]\nfiles = %s/*\n' "$D/a" >"$R/files.conf"
save() { rm -rf "$store"; cp "$R/files.conf" "$etc/writers.d"; v 0 backup --to "$store/component" --all-components; rm "$etc/writers.d/files.conf"; v 0 backup --to "$store/plain" "$D/a"; }
refused() { # refused WORDS
    v 2 restore --from "$store/component" --in-place; said "'app' is not restored: nothing of it is changed: .*$1"
    v 2 restore --from "$store/plain" --in-place; said "$1"
}

echo "-- something is mounted on the file (R-60 f)"
echo new | tee "$D/a/one" "$D/a/two" >/dev/null; save; echo old | tee "$D/a/one" "$D/a/two" >/dev/null; echo else >"$D/else"
mount --bind "$D/else" "$D/a/two"
refused 'mounted there'; [ "$(cat "$D/a/one" "$D/else")" = $'old\nelse' ] || fail "changed"
umount "$D/a/two"; v 0 restore --from "$store/plain" --in-place; [ "$(cat "$D/a/one" "$D/a/two")" = $'new\nnew' ] || fail "not restored"

echo "-- a file that is swapped to (R-60 e)"
head -c 1M /dev/zero >"$D/a/swap"; chmod 600 "$D/a/swap"; mkswap -q "$D/a/swap"; save; echo old >"$D/a/one"
if swapon "$D/a/swap" 2>/dev/null; then
    cleanup_fn 'swapoff "$D/a/swap" 2>/dev/null || true'
    v 2 restore --from "$store/component" --in-place; said "nothing of it is changed: .*is swapped to; end that first"
    [ "$(cat "$D/a/one")" = old ] || fail "changed"
    swapoff "$D/a/swap"
else
    echo "no swap file can be used here"
fi
v 0 restore --from "$store/component" --in-place; [ "$(cat "$D/a/one")" = new ] || fail "not restored"

echo "-- a folder that is encrypted and locked; its key comes from its owner, not from a backup (R-108)"
truncate -s 60M "$SCRATCH/e.img"; mkfs.ext4 -qF -O encrypt "$SCRATCH/e.img"
umount "$D"; mount -o loop "$SCRATCH/e.img" "$D" || { echo "no encrypted ext4 here"; exit 0; }
cat >"$R/key" <<'P'
# key ACTION MOUNT [DIR]: add the key of this test, set it as that of DIR, remove it
import fcntl, os, struct, sys
action, mount = sys.argv[1:3]
fd = os.open(mount, os.O_RDONLY)
arg = bytearray(struct.pack("<II32xII32x", 2, 0, 64, 0) + bytes(range(64)))
fcntl.ioctl(fd, 0xC0506617, arg) # FS_IOC_ADD_ENCRYPTION_KEY, which tells its identifier
if action == "set":
    fcntl.ioctl(os.open(sys.argv[3], os.O_RDONLY), 0x800C6613, struct.pack("<BBBBB3s16s", 2, 1, 4, 0, 0, b"", bytes(arg[8:24])))
elif action == "remove":
    fcntl.ioctl(fd, 0xC0406618, bytearray(struct.pack("<II16s16xI20x", 2, 0, bytes(arg[8:24]), 0)))
P
mkdir "$D/a"
python3 "$R/key" set "$D" "$D/a" 2>/dev/null || { echo "the kernel has no fscrypt"; exit 0; }
echo new | tee "$D/a/one" "$D/a/two" >/dev/null; save; rm "$D/a/two"; echo old >"$D/a/one"; sync
python3 "$R/key" remove "$D"; [ ! -e "$D/a/one" ] || fail "it is not locked"
before=$(ls "$D/a")
refused 'encrypted and locked; unlock it first'
v 2 restore --from "$store/component" --in-place --plan; said 'app: nothing of it is restored'; said 'encrypted and locked'
[ "$before" = "$(ls "$D/a")" ] || fail "changed"
python3 "$R/key" add "$D"; [ "$(cat "$D/a/one")" = old ] || fail "changed"
v 0 restore --from "$store/component" --in-place; [ "$(cat "$D/a/one" "$D/a/two")" = $'new\nnew' ] || fail "not restored"
echo "all well"
