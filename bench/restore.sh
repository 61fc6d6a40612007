#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# restore.sh [BUILD [FILES [GB [MANY]]]] - vssctl restore beside, and into place over what is there, beside
# zstd -d | tar -x with a sync, restic and borg, RUNS times (3) in turns; and one file out of a backup of
# MANY (1,000,000). Medians of wall and processor time and of their ratios to the tar of the same round,
# peak memory of the largest process. Everything is on disk within the measured time. Needs root and
# room in /var/tmp for six times the data. W is another folder for it.
set -euo pipefail
BUILD=$(cd "${1:-${BUILD:?usage: restore.sh BUILD [FILES] [GB] [MANY]}}" && pwd)
FILES=${2:-200000} GB=${3:-4} MANY=${4:-1000000}
TOOL=$BUILD/src/backup/engine-tool
HERE=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for c in python3 zstd tar mkfs.ext4 losetup; do command -v $c >/dev/null || { echo "needs $c"; exit 77; }; done
W=$(mktemp -d "${W:-/var/tmp}/vss-bench.XXXXXX")
loop=
leave() { cd /; umount "$W/fs" 2>/dev/null || true; [ -z "$loop" ] || losetup -d "$loop" 2>/dev/null || true; rm -rf "$W"; }
trap leave EXIT
trap 'exit 130' INT TERM HUP
cd "$W"; mkdir fs conf
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$W" "$W" >conf/vss.conf
export RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W/borg-base XDG_CACHE_HOME=$W/cache

# every tool restores to a new ext4 with a journal that nobody used before, see engine.sh
fresh() {
    [ -z "$loop" ] || { umount fs; losetup -d "$loop"; }
    rm -f fs.img.*
    local image; image=$(mktemp fs.img.XXXXXX)
    truncate -s "$((2 * GB + 8))G" "$image"
    mkfs.ext4 -qF -N $((4 * FILES + 100000)) -E lazy_itable_init=0,lazy_journal_init=0 "$image"
    loop=$(losetup -f --show "$image")
    mount "$loop" fs
}
# run WHAT NAME COMMAND: a line of what, name, seconds, processor seconds, peak KB in times
run() {
    local what=$1 name=$2
    shift 2
    sync
    /usr/bin/time -o t -f '%e %U %S %M' bash -ec "$*" >words 2>&1 || { cat words; echo "$name failed"; exit 1; }
    read -r wall user system peak <t
    printf '%s\t%s\t%s\t%s\t%s\n' "$what" "$name" "$wall" "$(awk "BEGIN { print $user + $system }")" "$peak" >>"times"
}
# same WHAT FOLDER: is it what was saved? A fast restore of something else is none
same() { diff -rq "$1" "$2" >/dev/null || { echo "$1 and $2 differ"; exit 1; }; }
save() { # save WHAT: the same files in the form of each tool
    tar cf - "$1" | zstd -q -1 >"$1.tar.zst"
    "$TOOL" backup "store-$1" "$W/fs/$1=$W/$1" >/dev/null
    if command -v restic >/dev/null; then
        restic -q -r "restic-$1" init >/dev/null
        restic -q -r "restic-$1" backup --no-cache "$1"
    fi
    if command -v borg >/dev/null; then
        borg init -e none "borg-$1"
        borg create -C lz4 "borg-$1::1" "$1"
    fi
}
vss="$BUILD/vssctl restore --config conf --quiet"
round() { # round WHAT
    local what=$1
    cat "$what.tar.zst" "store-$what"/*/*/* >/dev/null 2>&1 || true # into the cache
    fresh; run "$what" "zstd -d | tar x" "zstd -dc $what.tar.zst | tar -C fs -x; sync -f fs"
    same "$what" "fs/$what"
    run "$what" "tar, over what is there" "zstd -dc $what.tar.zst | tar -C fs -x; sync -f fs"
    run "$what" "vssctl --in-place, over it" "$vss --from store-$what --in-place"
    same "$what" "fs/$what"
    fresh; run "$what" "vssctl --into" "$vss --from store-$what --into fs"
    same "$what" "fs$W/fs/$what"
    if [ -d "restic-$what" ]; then
        fresh; run "$what" "restic restore" "restic -q -r restic-$what restore latest --no-cache --target fs; sync -f fs"
    fi
    if [ -d "borg-$what" ]; then
        fresh; run "$what" "borg extract" "cd fs && borg extract ../borg-$what::1; sync -f ."
    fi
}
show() {
    python3 - <<'P'
from statistics import median
rows = [line.rstrip('\n').split('\t') for line in open('times')]
print(f'{"":36} {"wall s":>8} {"ratio":>6} {"cpu s":>8} {"ratio":>6} {"peak MB":>8}')
for what in dict.fromkeys(r[0] for r in rows):
    names = list(dict.fromkeys(r[1] for r in rows if r[0] == what))
    of = {n: [[float(x) for x in r[2:]] for r in rows if r[:2] == [what, n]] for n in names}
    for n in names:
        base = of['tar, over what is there' if 'over' in n else 'zstd -d | tar x']
        wall, cpu = (median(v[k] for v in of[n]) for k in (0, 1))
        rw, rc = (median(v[k] / max(b[k], .001) for v, b in zip(of[n], base)) for k in (0, 1))
        print(f'{what + ": " + n:36} {wall:8.2f} {rw:6.2f} {cpu:8.2f} {rc:6.2f} {max(v[2] for v in of[n]) / 1024:8.1f}')
P
}
for what in small large; do
    case $what in small) python3 "$HERE/files.py" . "$FILES" 0 ;; large) python3 "$HERE/files.py" . 0 "$GB" ;; esac
    [ -d $what ] || continue
    save $what
    for ((i = 0; i < ${RUNS:-3}; i++)); do round $what; done
    rm -rf $what "$what.tar.zst" "store-$what" "restic-$what" "borg-$what"
done
if [ "$MANY" -gt 0 ]; then
    python3 "$HERE/files.py" . 0 0 "$MANY"
    save many
    GB=1 FILES=1000 fresh
    for ((i = 0; i < ${RUNS:-3}; i++)); do
        n=$((MANY * (2 * i + 1) / (2 * ${RUNS:-3})))
        one=many/d$((n / 10000))/e$((n / 500))/file-$n
        cat many.tar.zst store-many/*/*/* >/dev/null
        run "one of $MANY" "zstd -d | tar x" "zstd -dc many.tar.zst | tar -C fs -x $one; sync -f fs"
        cmp "$one" "fs/$one"
        run "one of $MANY" "vssctl --into" "$vss --from store-many --into fs $W/fs/$one"
        cmp "$one" "fs$W/fs/$one"
        [ ! -d restic-many ] || run "one of $MANY" "restic restore" "restic -q -r restic-many restore latest --no-cache --target fs/r --include /$one; sync -f fs"
        [ ! -d borg-many ] || run "one of $MANY" "borg extract" "cd fs && borg extract ../borg-many::1 $one; sync -f ."
    done
fi
show
