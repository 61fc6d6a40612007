#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packaged writers where copies are made as providers make them: reflinks on xfs, read-only
# snapshots of a subvolume on btrfs; fifty backups in a row of databases under load.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

# every test of the writer, in this environment
run_tests() {
    local suite
    for suite in sqlite sqlite-load sqlite-restore; do
        "$BUILD/tests/writers/test-writer-$suite"
    done
}

export TEST_ROUNDS=50
chmod o+x "$SCRATCH" # one test works as another user

make_fs xfs 1G "$SCRATCH/xfs"
(
    export TEST_DIR=$SCRATCH/xfs TEST_REMOUNT=$SCRATCH/xfs TEST_COPY='cp -a --reflink=always'
    run_tests
)

make_fs btrfs 1G "$SCRATCH/btrfs"
(
    export TEST_DIR=$SCRATCH/btrfs TEST_MAKE='btrfs subvolume create' \
        TEST_COPY='btrfs subvolume snapshot -r' TEST_DROP='btrfs subvolume delete'
    run_tests
)
