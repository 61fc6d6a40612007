#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engine.sh [BUILD [FILES [GB]]] - a full backup, an increment of nothing and a restore, beside
# tar | zstd -1 and, if installed, restic and borg, RUNS times (3) in turns: medians of wall and
# processor time and of their ratios to the tar of the same round, peak memory of the largest process.
# Everything is written to disk within the measured time. Needs root and room in /var/tmp for twice
# the data. 200,000 files and 4 GB, twice: some ten minutes on two processors at rest.
set -euo pipefail
BUILD=${1:-${BUILD:?usage: engine.sh BUILD [FILES] [GB]}}
TOOL=$(cd "$BUILD" && pwd)/src/backup/engine-tool
FILES=${2:-200000} GB=${3:-4}
HERE=$(cd "$(dirname "$0")" && pwd)
W=$(mktemp -d /var/tmp/vss-bench.XXXXXX)
leave() { cd /; umount "$W/fs" 2>/dev/null || true; [ -z "$loop" ] || losetup -d "$loop" 2>/dev/null || true; rm -rf "$W"; }
loop=
trap leave EXIT
trap 'exit 130' INT TERM HUP
cd "$W"; mkdir fs

command -v python3 >/dev/null || { echo "needs python3 to make the files"; exit 77; }
python3 "$HERE/files.py" . "$FILES" "$GB"
# run WHAT NAME COMMAND: a line of what, name, seconds, processor seconds, peak KB in times
run() {
    local what=$1 name=$2
    shift 2
    sync
    /usr/bin/time -o t -f '%e %U %S %M' bash -c "$*" >/dev/null
    read -r wall user system peak <t
    printf '%s\t%s\t%s\t%s\t%s\n' "$what" "$name" "$wall" "$(awk "BEGIN { print $user + $system }")" "$peak" >>"times"
}
# Every tool writes to a new ext4, with a journal, that nobody used before: nothing has to be removed.
# On one without a journal (virtual machines have such) the kernel shuns inodes deleted in the last
# minutes and looks at each of them for every file it makes: 200,000 files then take a minute or two,
# tar's as ours.
fresh() {
    # a new image on a device of its own: nothing of the last one is in any cache
    [ -z "$loop" ] || { umount fs; losetup -d "$loop"; }
    rm -f fs.img.*
    local image; image=$(mktemp fs.img.XXXXXX)
    truncate -s "$((2 * GB + 6))G" "$image"
    mkfs.ext4 -qF -N $((4 * FILES + 100000)) -E lazy_itable_init=0,lazy_journal_init=0 "$image"
    loop=$(losetup -f --show "$image")
    mount "$loop" fs
}
export RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W/borg
round() { # round WHAT: everything once
    local what=$1
    fresh
    run "$what" "tar | zstd -1" "tar cf - $what | zstd -q -1 >fs/a.tar.zst; sync fs/a.tar.zst"
    run "$what" "zstd -d | tar x" "mkdir fs/out; zstd -dc fs/a.tar.zst | tar -C fs/out -x; sync -f fs/out"
    fresh
    run "$what" "engine, full" "$TOOL backup fs/store /s=$W/$what"
    run "$what" "engine, nothing changed" "$TOOL backup -t incremental fs/store /s=$W/$what"
    run "$what" "engine, restored" "$TOOL restore fs/store latest fs/out"
    if command -v restic >/dev/null; then
        fresh
        restic -q -r fs/store init >/dev/null
        run "$what" "restic, full" "restic -q -r fs/store backup --no-cache $what; sync -f fs"
    fi
    if command -v borg >/dev/null; then
        fresh
        borg init -e none fs/store
        run "$what" "borg, full" "borg create -C lz4 fs/store::1 $what; sync -f fs"
    fi
}
for what in small large; do
    for ((i = 0; i < ${RUNS:-3}; i++)); do
        tar cf - "$what" | cat >/dev/null # into the cache
        round "$what"
    done
done
python3 - <<'P'
from statistics import median
rows = [line.rstrip('\n').split('\t') for line in open('times')]
print(f'{"":32} {"wall s":>8} {"ratio":>6} {"cpu s":>8} {"ratio":>6} {"peak MB":>8}')
for what in ('small', 'large'):
    names = list(dict.fromkeys(r[1] for r in rows if r[0] == what))
    of = {n: [[float(x) for x in r[2:]] for r in rows if r[:2] == [what, n]] for n in names}
    for n in names:
        base = of['zstd -d | tar x' if n in ('zstd -d | tar x', 'engine, restored') else 'tar | zstd -1']
        wall, cpu = (median(v[k] for v in of[n]) for k in (0, 1))
        rw, rc = (median(v[k] / b[k] for v, b in zip(of[n], base)) for k in (0, 1))
        print(f'{what + ": " + n:32} {wall:8.2f} {rw:6.2f} {cpu:8.2f} {rc:6.2f} {max(v[2] for v in of[n]) / 1024:8.1f}')
P
