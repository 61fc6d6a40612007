#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# delta.sh [BUILD [FILES [CHANGED]]] - an increment of FILES (1,000,000) small files on btrfs of which
# CHANGED (1,000) changed: by the provider's change knowledge, by comparing (--no-delta), and, if
# installed, rsync -a --delete onto the last copy, restic and borg, all on the same states. Seconds of
# the whole command; in brackets those from the finished shadow copy to the published set; peak
# memory. CACHE="warm cold" says how it is measured, W is a folder with room for three times the files.
set -euo pipefail
BUILD=$(cd "${1:-${BUILD:?usage: delta.sh BUILD [FILES [CHANGED]]}}" && pwd)
FILES=${2:-1000000} CHANGED=${3:-1000} CACHE=${CACHE:-warm cold}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for c in btrfs mkfs.btrfs rsync python3; do
    command -v $c >/dev/null || { echo "needs $c"; exit 77; }
done
W=$(mktemp -d "${W:-/var/tmp}/vss-bench.XXXXXX")
end() {
    cd /
    for m in at data copies; do umount -l "$W/$m" 2>/dev/null || true; done
    losetup -l -n -O NAME,BACK-FILE | awk -v s="$W" 'index($2, s) == 1 { print $1 }' |
        xargs -r -n1 losetup -d
    rm -rf "$W"
}
trap end EXIT
cd "$W"
mkdir at data copies conf
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$W" "$W" >conf/vss.conf
for fs in data copies; do
    truncate -s $((2000000000 + FILES * 12000)) $fs.img
    mkfs.btrfs -q $fs.img
    mount -o loop,noatime $fs.img $fs
done
btrfs -q subvolume create data/v

python3 - "$FILES" <<'P'
import os, random, sys
random.seed(1)
text = bytes(random.choice(b'abcdefghij klmno\n') for _ in range(100000))
for i in range(int(sys.argv[1])):
    d = f'data/v/d{i // 50000}/e{i // 500}'
    if i % 500 == 0:
        os.makedirs(d)
    with open(f'{d}/file-{i}', 'wb', 0) as f:
        at = random.randrange(90000)
        f.write(text[at:at + random.randrange(100, 4000)])
P
sync -f data

vss=("$BUILD/vssctl" backup --config conf --quiet --json --to copies/store "$W/data/v")
times=$W/times
: >"$times"
# run CACHE NAME COMMAND...: the whole command
run() {
    local cache=$1 name=$2 brackets=""
    shift 2
    sync
    if [ "$cache" = cold ]; then
        umount at 2>/dev/null && mount -o loop,subvol=s2,ro data.img at
        echo 3 >/proc/sys/vm/drop_caches
    else
        find data/v -size +4G >/dev/null
        find at -size +4G >/dev/null
    fi
    /usr/bin/time -o t -f '%e %M' "$@" >out 2>words || { cat words; echo "$name failed"; return; }
    read -r wall peak <t
    brackets=$(grep -o '"copy_us":[0-9]*' out 2>/dev/null | cut -d: -f2 || true)
    printf '%s\t%s\t%s\t%s\t%s\n' "$cache" "$name" "$wall" "${brackets:-}" "$peak" >>"$times"
}
show() { # each beside the increment with change knowledge of the same cache
    awk -F'\t' 'BEGIN { printf "%-5s %-28s %9s %11s %9s %7s\n", "cache", "", "seconds", "(copying)", "MB", "times" }
        { t = $4 == "" ? $3 : $4 / 1e6; if ($2 ~ /^vssctl, change/) base[$1] = t
          printf "%-5s %-28s %9.2f %11s %9.1f %7.1f\n", $1, $2, $3, $4 == "" ? "" : sprintf("(%.3f)", t), $5 / 1024, t / base[$1] }' "$times"
}

export RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W/copies/borg
export BORG_RELOCATED_REPO_ACCESS_IS_OK=yes XDG_CACHE_HOME=$W/copies/cache
btrfs -q subvolume snapshot -r data/v data/s1
mount -o loop,subvol=s1,ro data.img at
"${vss[@]}" --type full >/dev/null 2>&1
btrfs -q subvolume create copies/rsync
rsync -a --delete at/ copies/rsync/
if command -v restic >/dev/null; then
    restic -q -r copies/restic init >/dev/null
    restic -q -r copies/restic backup at
fi
if command -v borg >/dev/null; then
    mkdir copies/borg
    borg init -e none copies/borg-repo
    borg create -C lz4 copies/borg-repo::s1 at
    cp -a --reflink=auto copies/borg copies/borg-after-s1
    cp -a --reflink=auto copies/borg-repo copies/borg-repo-after-s1
fi
umount at

python3 - "$FILES" "$CHANGED" <<'P'
import os, random, sys
n, changed = int(sys.argv[1]), int(sys.argv[2])
random.seed(2)
for i in random.sample(range(n), changed):
    p = f'data/v/d{i // 50000}/e{i // 500}/file-{i}'
    with open(p, 'ab') as f:
        f.write(b'and more\n')
    if i % 100 == 0:
        os.rename(p, p + '-moved')
    elif i % 100 == 1:
        os.unlink(p)
P
btrfs -q subvolume snapshot -r data/v data/s2
mount -o loop,subvol=s2,ro data.img at

for cache in $CACHE; do
    run "$cache" "vssctl, change knowledge" "${vss[@]}" --type differential
    run "$cache" "vssctl, comparing" "${vss[@]}" --type differential --no-delta
    btrfs -q subvolume snapshot copies/rsync "copies/rsync-$cache"
    run "$cache" "rsync -a --delete" rsync -a --delete at/ "copies/rsync-$cache/"
    if command -v restic >/dev/null; then
        run "$cache" "restic" restic -q -r copies/restic backup at
        restic -q -r copies/restic forget latest >/dev/null
    fi
    if command -v borg >/dev/null; then
        run "$cache" "borg" borg create -C lz4 "copies/borg-repo::$cache" at
        rm -rf copies/borg copies/borg-repo
        cp -a --reflink=auto copies/borg-after-s1 copies/borg
        cp -a --reflink=auto copies/borg-repo-after-s1 copies/borg-repo
    fi
done
printf '%s files, %s changed\n' "$FILES" "$CHANGED"
show
