#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How long applications stand still: one idle writer on btrfs against the bare snapshot ioctl by
# hand, and 200 writers of one level that each take 20 ms to freeze. Side by side in one run.
# usage: BUILD=build [ROUNDS=15] bench/window.sh
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../tests/functions.sh"
requires python3
ninja -C "$BUILD" bench/bench-snapshot >/dev/null
rounds=${ROUNDS:-15}

make_fs btrfs 1G "$SCRATCH/b"
mkdir -p "$SCRATCH/b/data"
echo x >"$SCRATCH/b/data/file"

writers() { # writers FOLDER COUNT DELAY: a configuration with as many test writers
    local i
    mkdir -p "$SCRATCH/$1/writers.d" "$SCRATCH/$1/run"
    printf '[service]\nruntime_dir = %s\nstate_dir = %s\n' "$SCRATCH/$1/run" "$SCRATCH/$1/run" \
        >"$SCRATCH/$1/vss.conf"
    for i in $(seq "$2"); do
        printf '[writer]\nplugin = test\ninstance-name = w%d\n\n[test]\n%s\n\n[component w%d]\nfiles = %s\n' \
            "$i" "${3:+delay = freeze $3}" "$i" "$SCRATCH/b/data/*" >"$SCRATCH/$1/writers.d/w$i.conf"
    done
}
writers none 0 ""
writers one 1 ""
writers many 200 20ms

bare() { "$BUILD/bench/bench-snapshot" "$SCRATCH/b" 1; }
window() { # window FOLDER: microseconds between the first Freeze and the last Thaw of one backup
    rm -rf "$SCRATCH/store"
    "$BUILD/vssctl" backup --config "$SCRATCH/$1" --to "$SCRATCH/store" --type copy --json --quiet \
        --all-components "$SCRATCH/b/data" | python3 -c 'import json, sys
print([r["freeze_us"] for r in map(json.loads, sys.stdin) if r["record"] == "operation"][0])'
}
figures() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR] }'; }

for ((i = 0; i < rounds; i++)); do # in turns, so that what else the machine does meets both
    bare >>"$SCRATCH/bare"
    window one >>"$SCRATCH/1"
done
for ((i = 0; i < (rounds + 2) / 3; i++)); do window many >>"$SCRATCH/200"; done

read -r bare _ < <(figures <"$SCRATCH/bare")
line() { # line FILE WORDS
    figures <"$SCRATCH/$1" | awk -v w="$2" -v b="$bare" -v n="$(wc -l <"$SCRATCH/$1")" '{
        printf "%-36s %8.2f %8.2f %8.2f ms of %d, %6.2f above the bare call\n", w, $1 / 1000,
               $2 / 1000, $3 / 1000, n, ($1 - b) / 1000 }'
}
printf '%-36s %8s %8s %8s\n' "" median least most
line bare "bare snapshot call"
line 1 "window, one idle writer"
line 200 "window, 200 writers of 20 ms each"
