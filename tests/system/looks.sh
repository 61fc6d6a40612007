#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a read-only snapshot of btrfs says of many names at once is what lstat() says of each.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3

V=$SCRATCH/v
make_fs btrfs 600M "$V"
btrfs -q subvolume create "$V/data"
btrfs -q subvolume create "$V/data/nested"
python3 - "$V/data" <<'P'
import os, random, socket, stat, sys
random.seed(7)
os.chdir(sys.argv[1])
for d in ('many', 'few', 'mixed', 'sparse', 'sparse/between', 'deep/a/b/c'):
    os.makedirs(d)
def put(path, size):
    with open(path, 'wb') as f:
        f.write(os.urandom(size))
for i in range(3000):
    put(f'many/f{i}', random.choice((0, 1, 100, 1900, 5000)))
for i in range(3):
    put(f'few/f{i}', 10)
for i in range(400):  # numbers with gaps, small and large
    put(f'sparse/f{i}', 10)
    for n in range(random.choice((0, 3, 30))):
        put(f'sparse/between/f{i}-{n}', 1)
for i in range(200):
    p = f'mixed/n{i}'
    kind = i % 8
    if kind == 0: os.symlink('x' * (i + 1), p)
    elif kind == 1: os.mkfifo(p)
    elif kind == 2: os.mknod(p, stat.S_IFCHR | 0o600, os.makedev(1, i))
    elif kind == 3: os.link('many/f%d' % i, p); os.link('many/f%d' % i, p + 'again')
    elif kind == 4: os.mkdir(p)
    elif kind == 5: socket.socket(socket.AF_UNIX).bind(p)
    else: put(p, 10); os.setxattr(p, 'user.a', b'v' * i * 5)
    if kind in (4, 6):
        os.chown(p, i, 70000 + i); os.chmod(p, 0o7000 | i)
        os.utime(p, ns=(1, -(10 ** 9) * i - 5 if kind == 6 else 2 ** 33 * 10 ** 9 + 7))
with open('mixed/holes', 'wb') as f:  # many items between two numbers
    for i in range(5000):
        f.seek(i * 8192)
        f.write(b'x' * 4096)
for i in range(50):
    put(f'mixed/z{i}', 10)
for i in range(0, 3000, 3):
    os.unlink(f'many/f{i}')
P

status=0
"$BUILD/tests/look-compare" "$V/data" || status=$?
[ $status = 2 ] || fail "asked of what is written to ($status)"
# not yet on disk when the snapshot is made
touch "$V/data/few/new" "$V"/data/many/f1{1,3,4,6,7}0
btrfs -q subvolume snapshot -r "$V/data" "$V/copy"
read -r taken asked < <("$BUILD/tests/look-compare" "$V/copy")
[ "${asked:-0}" -gt 3000 ] || fail "only ${asked:-no} names"
[ "$taken" -gt $((asked * 92 / 100)) ] || fail "$taken of $asked names at once"
mkdir "$SCRATCH/plain"
status=0
"$BUILD/tests/look-compare" "$SCRATCH/plain" || status=$?
[ $status = 2 ] || fail "asked of another file system ($status)"
