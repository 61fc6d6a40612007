#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# delta.sh [BUILD [FILES [CHANGED]]] - an increment of FILES (1,000,000) small files on btrfs of which
# CHANGED (1,000) changed: by the provider's change knowledge, by comparing (--no-delta), and, if
# installed, rsync -a --delete onto the last copy, restic and borg, all on the same states. Seconds of
# the whole command; in brackets those from the finished shadow copy to the published set; peak
# memory of the largest process, then that of all of ours together. At the end one file is restored.
#
# CACHE="warm cold" says how it is measured, ROUNDS (1) how often; the least counts. Warm: the others
# find every name of source and destination in memory; our copy is always a new one, of which the
# kernel knows no inode yet. Prepared once; 1,000,000 files take some twenty minutes on two
# processors and, in W (/var/tmp), 20 GB.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-${BUILD:?usage: delta.sh BUILD [FILES [CHANGED]]}}" && pwd)
FILES=${2:-1000000} CHANGED=${3:-1000} CACHE=${CACHE:-warm cold} ROUNDS=${ROUNDS:-1}
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
for fs in data copies; do
    truncate -s $((2000000000 + FILES * 14000)) $fs.img
    mkfs.btrfs -q $fs.img >/dev/null 2>&1
    mount -o loop,noatime $fs.img $fs
done
btrfs -q subvolume create data/v
step() { printf '%5.0f s  load %-5s %s\n' "$SECONDS" "$(cut -d' ' -f1 /proc/loadavg)" "$*" >&2; }

step "$FILES files"
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
sleep 3 # what is younger than two seconds in its first backup is compared by content afterwards

vss=("$BUILD/vssctl" backup --config conf --quiet --json --to copies/store "$W/data/v")
times=$W/times
: >"$times"
# settle CACHE [FOLDER]: what is in memory when the next command begins
settle() {
    sync
    if [ "$1" = cold ]; then
        umount at && mount -o loop,subvol=s2,ro data.img at
        echo 3 >/proc/sys/vm/drop_caches
        return
    fi
    for folder in data/v at ${2:+"$2"}; do find "$folder" -size +4G >/dev/null; done
}
# run CACHE NAME COMMAND...: the whole command
run() {
    local cache=$1 name=$2 brackets
    shift 2
    /usr/bin/time -o t -f '%e %M' "$@" >out 2>words || { cat words; echo "$name failed"; return; }
    read -r wall peak <t
    brackets=$(grep -o '"copy_us":[0-9]*' out 2>/dev/null | cut -d: -f2 || true)
    printf '%s\t%s\t%s\t%s\t%s\n' "$cache" "$name" "$wall" "${brackets:-}" "$peak" >>"$times"
    step "$cache: $name: $wall s"
}
show() { # the least of each, beside the increments of ours with the same cache
    python3 - "$times" <<'P'
import sys
rows, order = {}, []
for line in open(sys.argv[1]):
    cache, name, wall, copying, peak = line.rstrip('\n').split('\t')
    whole, part = float(wall), float(copying) / 1e6 if copying else None
    key = (cache, name)
    if key not in rows:
        order.append(key)
        rows[key] = (whole, part, 0)
    old = rows[key]
    rows[key] = (min(old[0], whole), min(old[1], part) if part is not None else None,
                 max(old[2], int(peak) / 1024))
print(f'{"cache":5} {"":24} {"seconds":>8} {"(copying)":>10} {"MB":>7} {"to delta":>9} {"to no-delta":>11}')
for cache, name in order:
    whole, part, peak = rows[cache, name]
    ours = [rows.get((cache, n), (0, 0, 0))[1] for n in ('vssctl', 'vssctl --no-delta')]
    ratios = ''.join(f'{(whole if part is None else part) / o:{w}.1f}' if o else ''
                     for o, w in zip(ours, (10, 12))) if 'one file' not in name else ''
    brackets = '' if part is None else f'({part:.3f})'
    print(f'{cache:5} {name:24} {whole:8.2f} {brackets:>10} {peak:7.1f}{ratios}')
P
}

export RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR=$W/copies/borg
export BORG_RELOCATED_REPO_ACCESS_IS_OK=yes XDG_CACHE_HOME=$W/copies/cache
btrfs -q subvolume snapshot -r data/v data/s1
mount -o loop,subvol=s1,ro data.img at
step "first backup: vssctl"
"${vss[@]}" --type full >/dev/null 2>&1
step "first backup: rsync"
btrfs -q subvolume create copies/rsync
rsync -a --delete at/ copies/rsync/
if command -v restic >/dev/null; then
    step "first backup: restic"
    restic -q -r copies/restic init >/dev/null
    restic -q -r copies/restic backup at
fi
if command -v borg >/dev/null; then
    step "first backup: borg"
    mkdir copies/borg
    borg init -e none copies/borg-repo
    borg create -C lz4 copies/borg-repo::s1 at
    cp -a --reflink=auto copies/borg copies/borg-after-s1
    cp -a --reflink=auto copies/borg-repo copies/borg-repo-after-s1
fi
umount at

step "$CHANGED changes"
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

round() { # round CACHE
    for option in "" --no-delta; do
        settle "$1"
        run "$1" "vssctl${option:+ $option}" "${vss[@]}" --type differential $option
    done
    btrfs -q subvolume snapshot copies/rsync copies/rsync-now
    settle "$1" copies/rsync-now
    run "$1" "rsync -a --delete" rsync -a --delete at/ copies/rsync-now/
    btrfs -q subvolume delete copies/rsync-now
    if command -v restic >/dev/null; then
        settle "$1"
        run "$1" "restic" restic -q -r copies/restic backup at
        restic -q -r copies/restic forget latest >/dev/null
    fi
    if command -v borg >/dev/null; then
        settle "$1"
        run "$1" "borg" borg create -C lz4 copies/borg-repo::s2 at
        rm -rf copies/borg copies/borg-repo
        cp -a --reflink=auto copies/borg-after-s1 copies/borg
        cp -a --reflink=auto copies/borg-repo-after-s1 copies/borg-repo
    fi
}
for ((i = 0; i < ROUNDS; i++)); do
    for cache in $CACHE; do round "$cache"; done
done
for cache in $CACHE; do
    settle "$cache"
    for n in $((FILES / 2 + 13)) $((FILES / 3 + 13)); do # one of them is perhaps gone
        file=$W/data/v/d$((n / 50000))/e$((n / 500))/file-$n
        [ ! -e "$file" ] || break
    done
    run "$cache" "one file restored" "$BUILD/vssctl" restore --config conf --quiet --from copies/store --into copies/out "$file"
    cmp "$file" "copies/out$file"
    rm -rf copies/out
done
printf '%s files, %s changed\n' "$FILES" "$CHANGED"
show
for option in "" --no-delta; do
    printf '%-35s' "vssctl${option:+ $option}, all processes"
    python3 "$HERE/memory.py" "${vss[@]}" --type differential $option | grep '^together'
done
step "done"
