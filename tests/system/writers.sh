#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packaged writers where copies are made as providers make them: reflinks on xfs, read-only
# snapshots of a subvolume on btrfs; fifty backups in a row of databases under load, which write much
# while nobody slows them down.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

export TEST_ROUNDS=50
chmod o+x "$SCRATCH" # one test works as another user

# every test of the writer, in the environment that the words say
run_tests() {
    local suite
    for suite in sqlite sqlite-clones sqlite-increment sqlite-load sqlite-places sqlite-restore sqlite-through; do
        env "$@" "$BUILD/tests/writers/test-writer-$suite"
    done
}

make_fs xfs 8G "$SCRATCH/xfs"
run_tests TEST_DIR="$SCRATCH/xfs" TEST_REMOUNT="$SCRATCH/xfs" TEST_COPY='cp -a --reflink=always'

make_fs btrfs 8G "$SCRATCH/btrfs"
run_tests TEST_DIR="$SCRATCH/btrfs" TEST_MAKE='btrfs subvolume create' \
    TEST_DROP='btrfs subvolume delete' TEST_COPY='btrfs subvolume snapshot -r'

# compressed blocks tell nothing, blocks that are written in place are not once they are shared; and
# blocks that move
btrfs_clones() {
    env TEST_DIR="$1" TEST_MAKE='btrfs subvolume create' TEST_DROP='btrfs subvolume delete' \
        TEST_COPY='btrfs subvolume snapshot' "${@:2}" "$BUILD/tests/writers/test-writer-sqlite-clones"
}
TEST_ROUNDS=12
btrfs_clones "$SCRATCH/btrfs" TEST_NOCOW=1
btrfs_clones "$SCRATCH/btrfs" TEST_DEFRAG='btrfs filesystem defragment -f -t 64M'
btrfs_clones "$SCRATCH/btrfs" TEST_DEFRAG="btrfs balance start --full-balance '$SCRATCH/btrfs' && :"
mount -o remount,compress-force=zstd "$SCRATCH/btrfs"
btrfs_clones "$SCRATCH/btrfs" TEST_COMPRESSED=1
