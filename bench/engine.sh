#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engine.sh [BUILD [FILES [GB]]] - a full backup, an increment of nothing and a restore, beside
# tar | zstd -1 and, if installed, restic and borg. Times as ratios to tar | zstd -1, peak memory.
# Everything is written to disk within the measured time. Needs root and room in /var/tmp.
set -euo pipefail
BUILD=${1:-${BUILD:?usage: engine.sh BUILD [FILES] [GB]}}
TOOL=$(cd "$BUILD" && pwd)/src/backup/engine-tool
FILES=${2:-200000} GB=${3:-4}
W=$(mktemp -d /var/tmp/vss-bench.XXXXXX); trap 'rm -rf "$W"' EXIT
cd "$W"; mkdir small large

# small: text and some that cannot be compressed; large: half and half
seq 1 60000 | awk '{ printf "%d the %x quick %d brown fox ", $1, $1 * 7919, $1 * 31 }' >text
head -c 1000000 /dev/urandom >random
awk -v n="$FILES" 'BEGIN { srand(1); for (i = 0; i < n; i++) {
    d = "small/d" int(i / 10000) "/e" int(i / 500); if (!(d in seen)) { system("mkdir -p " d); seen[d] = 1 }
    f = d "/file-" i; s = (i % 4 ? "text" : "random"); printf "%s %s %d %d\n", s, f, rand() * 900000, 100 + rand() * 5900 } }' >list
command -v python3 >/dev/null || { echo "needs python3 to make the files"; exit 77; }
python3 - "$GB" <<'P'
import sys
data = {n: open(n, 'rb').read() for n in ('text', 'random')}
for line in open('list'):
    s, f, o, n = line.split()
    open(f, 'wb').write(data[s][int(o):int(o) + int(n)])
for i in range(int(sys.argv[1])):
    with open(f'large/f{i}', 'wb') as f:
        for j in range(512):
            k = (j * 997 + i * 31) % 500000
            f.write(data['text'][k:k + (1 << 20)].ljust(1 << 20, b'x'))
            f.write(data['random'][k:] + data['random'][:k] + b'y' * 48576)
P
# run NAME BASE COMMAND: seconds, ratio to BASE seconds, peak KB
run() {
    local name=$1 base=$2; shift 2; sync
    /usr/bin/time -o t -f '%e %M' bash -c "$*" >/dev/null
    read -r seconds peak <t
    awk -v n="$name" -v s="$seconds" -v b="${base:-$seconds}" -v p="$peak" \
        'BEGIN { printf "%-34s %7.2f s  %5.2f  %6.1f MB\n", n, s, s / b, p / 1024 }'
}
for what in small large; do
    tar cf - "$what" | cat >/dev/null # into the cache
    run "$what: tar | zstd -1" "" "tar cf - $what | zstd -q -1 >a.tar.zst; sync a.tar.zst"; base=$seconds
    run "$what: engine, full" "$base" "$TOOL backup $what.store /s=$W/$what"
    run "$what: engine, nothing changed" "$base" "$TOOL backup -t incremental $what.store /s=$W/$what"
    run "$what: tar, unpacked" "" "mkdir t.out; zstd -dc a.tar.zst | tar -C t.out -x; sync -f t.out"; unpack=$seconds
    run "$what: engine, restored" "$unpack" "$TOOL restore $what.store latest e.out"
    rm -rf t.out e.out a.tar.zst
    if command -v restic >/dev/null; then
        export RESTIC_PASSWORD=x; restic -q -r r.store init >/dev/null
        run "$what: restic, full" "$base" "restic -q -r r.store backup --no-cache $what; sync -f ."
        run "$what: restic, nothing changed" "$base" "restic -q -r r.store backup --no-cache $what; sync -f ."; rm -rf r.store
    else
        echo "restic is not installed: not compared"
    fi
    if command -v borg >/dev/null; then
        export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W; borg init -e none b.store
        run "$what: borg, full" "$base" "borg create -C lz4 b.store::1 $what; sync -f ."
        run "$what: borg, nothing changed" "$base" "borg create -C lz4 b.store::2 $what; sync -f ."; rm -rf b.store
    else
        echo "borg is not installed: not compared"
    fi
    du -s --apparent-size "$what" "$what.store" | awk '{ printf "%-34s %7.0f MB\n", $2, $1 / 1024 }'
done
