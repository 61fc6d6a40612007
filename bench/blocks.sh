#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# blocks.sh [BUILD [GB]] - one file of GB (4) that cannot be compressed, on btrfs; of its 4 KiB
# blocks 1 % changed at random: an increment by change knowledge and, if installed, rsync --inplace
# --no-whole-file onto the last copy, restic and borg. Seconds of the whole command, in brackets from
# the finished shadow copy to the published set; bytes stored, and how many times what changed that
# is. Then increments of 0.25 and 4 %, to see that the cost is that of the change. Needs root and
# room for nine times the file in W (/var/tmp). Some five minutes with 4 GB.
set -euo pipefail
BUILD=$(cd "${1:-${BUILD:?usage: blocks.sh BUILD [GB]}}" && pwd)
GB=${2:-4}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for c in btrfs mkfs.btrfs rsync python3; do
    command -v $c >/dev/null || { echo "needs $c"; exit 77; }
done
W=$(mktemp -d "${W:-/var/tmp}/vss-bench.XXXXXX")
leave() {
    cd /
    for m in at data copies; do umount -l "$W/$m" 2>/dev/null || true; done
    losetup -l -n -O NAME,BACK-FILE | awk -v s="$W" 'index($2, s) == 1 { print $1 }' |
        xargs -r -n1 losetup -d
    rm -rf "$W"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP
cd "$W"
mkdir at data copies conf
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$W" "$W" >conf/vss.conf
truncate -s $((2 * GB + 2))G data.img
truncate -s $((7 * GB + 4))G copies.img
for fs in data copies; do
    mkfs.btrfs -q $fs.img >/dev/null
    mount -o loop,noatime $fs.img $fs
done
btrfs -q subvolume create data/v

step() { printf '%5.0f s  %s\n' "$SECONDS" "$*" >&2; }
step "a file of $GB GB"
python3 - "$GB" <<'P'
import os, sys
with open('data/v/disk.img', 'wb') as f:
    for i in range(int(sys.argv[1]) << 8):
        f.write(os.urandom(1 << 22))
P
# change PERCENT: prints the bytes
change() {
    python3 - "$1" <<'P'
import os, random, sys
blocks = os.path.getsize('data/v/disk.img') >> 12
chosen = random.Random(sys.argv[1]).sample(range(blocks), int(blocks * float(sys.argv[1]) / 100))
with open('data/v/disk.img', 'r+b', 0) as f:
    for i in chosen:
        f.seek(i << 12)
        f.write(os.urandom(4096))
    os.fsync(f.fileno())
print(len(chosen) << 12)
P
}
# look SNAPSHOT: what the others read, as the service makes it for us
look() {
    umount at 2>/dev/null || true
    btrfs -q subvolume snapshot -r data/v "data/$1"
    mount -o loop,subvol="$1",ro data.img at
}
vss=("$BUILD/vssctl" backup --config conf --quiet --json --to copies/store "$W/data/v")
size_of() { du -s -B1 "$@" 2>/dev/null | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
# run NAME CHANGED PLACE COMMAND...: PLACE is what grows; "-": asked of the command; "=": nothing, what
# was there is written over
run() {
    local name=$1 changed=$2 place=$3 before=0 stored=0 copying="-"
    shift 3
    sync
    [ -d "$place" ] && before=$(size_of "$place")
    cat at/disk.img >/dev/null # warm
    /usr/bin/time -o t -f '%e %M' "$@" >out 2>words || { cat words; echo "$name failed"; return; }
    sync
    read -r wall peak <t
    if [ "$place" = - ]; then
        stored=$(grep -o '"stored_bytes":[0-9]*' out | cut -d: -f2)
        copying=$(grep -o '"copy_us":[0-9]*' out | cut -d: -f2 | awk '{ printf "(%.3f)", $1 / 1e6 }')
    elif [ -d "$place" ]; then
        stored=$(($(size_of "$place") - before))
    fi
    awk -v n="$name" -v w="$wall" -v c="$copying" -v p="$peak" -v s="$stored" -v b="$changed" 'BEGIN {
        printf "%-34s %9.2f %10s %8.1f", n, w, c, p / 1024
        if (s > 0) printf " %12.1f %7.2f", s / 1e6, s / b
        printf "\n" }' >>lines
    step "$name: $wall s"
}

export RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W/copies/borg
export BORG_RELOCATED_REPO_ACCESS_IS_OK=yes XDG_CACHE_HOME=$W/copies/cache
look s1
step "first backups"
"${vss[@]}" --type full >/dev/null
mkdir copies/rsync copies/borg
rsync -a at/ copies/rsync/
command -v restic >/dev/null && restic -q -r copies/restic init >/dev/null && restic -q -r copies/restic backup at
command -v borg >/dev/null && borg init -e none copies/borg-repo && borg create -C lz4 copies/borg-repo::s1 at

: >lines
changed=$(change 1)
look s2
run "vssctl, 1 % changed" "$changed" - "${vss[@]}" --type incremental
run "rsync --inplace --no-whole-file" "$changed" = rsync -a --inplace --no-whole-file at/ copies/rsync/
if command -v restic >/dev/null; then
    run "restic" "$changed" copies/restic restic -q -r copies/restic backup at
fi
if command -v borg >/dev/null; then
    run "borg" "$changed" copies/borg-repo borg create -C lz4 copies/borg-repo::s2 at
fi
for percent in 0.25 4; do
    changed=$(change $percent)
    look "s-$percent"
    run "vssctl, $percent % changed" "$changed" - "${vss[@]}" --type incremental
done
printf '%-34s %9s %10s %8s %12s %7s\n' "$GB GB, load $(cut -d' ' -f1 /proc/loadavg)" seconds "(copying)" \
    "peak MB" "stored MB" times
cat lines
