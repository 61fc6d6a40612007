#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: BUILD=build bench/hold.sh [RUNS]    figures of docs/hold.md: idle, then under load
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../tests/functions.sh"
ninja -C "$BUILD" bench/bench-hold >/dev/null
runs=${1:-200}
X=$SCRATCH/x E=$SCRATCH/e
make_fs xfs 1G "$X"
make_fs ext4 1G "$E"
echo "XFS and ext4, idle, $runs runs"
"$BUILD/bench/bench-hold" "$runs" "$X" "$E"
for dir in "$X" "$E"; do
    (while :; do dd if=/dev/zero of="$dir/load" bs=128k count=1000 status=none; done) &
    cleanup_fn "kill $!"
done
sleep 1
echo "XFS and ext4, each under a buffered write loop, $runs runs"
"$BUILD/bench/bench-hold" "$runs" "$X" "$E"
