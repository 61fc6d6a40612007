#!/bin/bash
# How long applications stand still: one idle writer on btrfs against the bare snapshot ioctl by
# hand, and 200 writers of one level that each take 20 ms to freeze. Side by side in one run.
. "$(dirname "$0")/../tests/functions.sh"
PATH=$BUILD/bench:$PATH
rounds=${ROUNDS:-15}

make_fs btrfs 1G "$SCRATCH/b"
mkdir -p "$SCRATCH/b/data" "$SCRATCH/one/writers.d" "$SCRATCH/many/writers.d"
echo x >"$SCRATCH/b/data/file"

writer() { # writer FILE NAME DELAY_MS
    cat >"$1" <<C
[writer]
plugin = test
instance-name = $2

[test]
delay = freeze $3

[component $2]
files = $SCRATCH/b/data/*
C
}
writer "$SCRATCH/one/writers.d/w.conf" w 0
for i in $(seq 200); do writer "$SCRATCH/many/writers.d/w$i.conf" "w$i" 20; done

freeze_us() { # of one backup with the writers of $1
    vssctl backup --config "$SCRATCH/$1" --to "$SCRATCH/store-$1" --type copy --json --all-components |
        python3 -c 'import json,sys
print([r["freeze_us"] for r in map(json.loads, sys.stdin) if r["record"] == "operation"][0])'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

bare=$(snapshot "$SCRATCH/b" "$rounds" | median)
one=$(for _ in $(seq "$rounds"); do freeze_us one; done | median)
many=$(for _ in 1 2 3; do freeze_us many; done | median)
awk -v n="$rounds" -v bare="$bare" -v one="$one" -v many="$many" 'BEGIN {
    printf "bare snapshot ioctl, median of %d:              %8.2f ms\n", n, bare / 1000
    printf "window with one idle writer, median of %d:      %8.2f ms, %.2f ms above (aim: 5)\n", n, one / 1000, (one - bare) / 1000
    printf "window with 200 writers of 20 ms, median of 3:  %8.2f ms (aim: 100)\n", many / 1000 }'
