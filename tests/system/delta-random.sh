#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Thousands of random changes on btrfs: an increment by the provider's change knowledge has the very
# manifest of one that compared everything, and what is restored from it is the tree, byte by byte:
# of the requester's own files, and of a writer's that it leaves to the requester's judgement (I-103).
#
# usage: delta-random.sh [SEED [ROUNDS [STEPS]]]     a seed that fails, fails again
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires zstd
requires python3

seed=${1:-$((RANDOM * 32768 + RANDOM))} rounds=${2:-6} steps=${3:-350}
echo "seed $seed, $rounds rounds of $steps changes"
trap 'echo "FAILED with seed $seed in round ${round:-0}" >&2' ERR
V=$SCRATCH/v OUT=$SCRATCH/out
mkdir "$SCRATCH/conf"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" \
    >"$SCRATCH/conf/vss.conf"
make_fs btrfs 3G "$V"
make_fs xfs 3G "$OUT" # the stores and what is restored
btrfs subvolume create "$V/nested" >/dev/null
mkdir -p "$SCRATCH/conf/writers.d" "$V/app" "$V/flat"
btrfs subvolume create "$V/app/nested" >/dev/null
cat >"$SCRATCH/conf/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $SCRATCH/log
schema = incremental, differential, last_modify
[component app]
files = $V/app/* recursive
exclude = $V/app/*1?
differenced = $V/app/* recursive
[component flat]
files = $V/flat/f*
differenced = $V/flat/f*
C

run() { "$BUILD/vssctl" "$@" --config "$SCRATCH/conf"; }
back_up() { # back_up STORE OPTIONS...: words in $SCRATCH/words
    local store=$1
    shift
    run backup --to "$OUT/$store" "$@" --exclude 'f1*' --exclude "$V/data/d3/*" \
        --exclude "$V/flat/*" "$V" \
        >"$SCRATCH/words" 2>&1 || { cat "$SCRATCH/words"; fail "round $round: no backup"; }
}
# the records of the newest set of a store, without the place in the archive
records() {
    local set
    set=$(find "$OUT/$1" -maxdepth 1 -name '2*' | LC_ALL=C sort | tail -1)
    zstd -dcq "$set/op-1/manifest.zst" | grep -av $'^base\t' | cut -f1-12,14-
}
# of a large file may be stored only what changed: such a one is compared by all but digest and ranges
compare() {
    local set
    set=$(find "$OUT/with" -maxdepth 1 -name '2*' | LC_ALL=C sort | tail -1)
    zstd -dcq "$set/op-1/manifest.zst" | awk -F'\t' '$13 ~ /^r/ { print $3 }' >"$SCRATCH/parts"
    parts=$((parts + $(wc -l <"$SCRATCH/parts")))
    for side in with without; do
        records $side | LC_ALL=C awk -F'\t' -v OFS='\t' -v parts="$SCRATCH/parts" '
            BEGIN { while ((getline path <parts) > 0) part[path] = 1 }
            $1 != "m" { skip = 0 }
            $1 == "f" && $3 in part { skip = 1; $13 = $15 = "" }
            $1 != "m" || !skip' >"$SCRATCH/$side"
    done
    cmp -s "$SCRATCH/with" "$SCRATCH/without" || {
        diff -a "$SCRATCH/without" "$SCRATCH/with" | head -20
        fail "round $round: not what a comparison gives (seed $seed)"
    }
}
# large SEED: what may befall large files
large() {
    mkdir -p "$V/large"
    python3 - "$V/large" "$1" <<'EOF'
import fcntl, os, random, shutil, struct, sys
folder, rng = sys.argv[1], random.Random(int(sys.argv[2]))
MB = 1 << 20
def content(size): return rng.randbytes(size)
def path(i): return f'{folder}/large{i}'
def make(name):
    with open(name, 'wb') as f: f.write(content(rng.randrange(3 * MB, 9 * MB)))
def blocks(name, unit):
    with open(name, 'r+b') as f:
        for _ in range(rng.randrange(1, 20)):
            f.seek(rng.randrange(max(1, os.path.getsize(name) // unit)) * unit)
            f.write(content(rng.choice([1, unit, 3 * unit])))
def quiet(name):
    st = os.stat(name)
    blocks(name, 4096)
    os.utime(name, ns=(st.st_atime_ns, st.st_mtime_ns))
def grow(name):
    with open(name, 'ab') as f: f.write(content(rng.randrange(1, MB)))
def resize(name): os.truncate(name, rng.randrange(1, 12 * MB))
def shrink_grow(name):
    size = os.path.getsize(name)
    os.truncate(name, max(1, size - rng.randrange(1, MB)))
    os.truncate(name, size + rng.choice([0, 5, MB]))
def shrink(name): # by any number of bytes
    size = os.path.getsize(name)
    os.truncate(name, max(1, size - rng.choice([1, 4096, rng.randrange(1, MB), rng.randrange(1, size + 1)])))
def extend(name): # a hole, and perhaps something in it
    size = os.path.getsize(name) + rng.randrange(1, 3 * MB)
    start = os.path.getsize(name)
    os.truncate(name, size)
    with open(name, 'r+b') as f:
        for _ in range(rng.randrange(3)):
            f.seek(rng.randrange(start, size))
            f.write(content(rng.choice([1, 5000])))
def hole(name):
    if os.path.getsize(name) > MB:
        os.system(f'fallocate -p -o {rng.randrange(200) * 4096} -l {rng.randrange(1, 60) * 4096} {name}')
def share(name): # FICLONERANGE
    other = path(rng.randrange(8))
    if other != name and os.path.exists(other) and min(os.path.getsize(other), os.path.getsize(name)) > MB:
        with open(other, 'rb') as a, open(name, 'r+b') as b:
            fcntl.ioctl(b, 0x4020940d, struct.pack('qQQQ', a.fileno(), rng.randrange(9) * 65536,
                                                   65536, rng.randrange(9) * 65536))
def link(name):
    if not os.path.exists(name + '-too'): os.link(name, name + '-too')
def unlink(name):
    if os.path.exists(name + '-too'): os.unlink(name + '-too')
def replace(name):
    shutil.copy2(name, name + '.new')
    if rng.random() < .5: blocks(name + '.new', 4096)
    os.rename(name + '.new', name)
def over(name): os.rename(name, path(rng.randrange(8)))
def mode(name): os.chmod(name, rng.choice([0o600, 0o640, 0o444]))
steps = [blocks] * 4 + [shrink] * 3 + [extend] * 2 + [quiet, quiet, grow, resize, shrink_grow, hole, share, link, unlink, replace, over, mode]
for i in range(8):
    if not os.path.exists(path(i)): make(path(i))
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        step = rng.choice(steps)
        if os.path.exists(path(i)): step(path(i), *([4096] if step == blocks else []))
EOF
}
known() {
    grep -q "note: '$V': provider 'btrfs' knows" "$SCRATCH/words" &&
        for volume in "'app': '$V'" "'app': '$V/app/nested'" "'flat': '$V'"; do
            grep -q "component $volume: provider 'btrfs' knows" "$SCRATCH/words" || return 1
        done
}
change() { # change SEED STEPS MODE
    "$BUILD/tests/tree-change" "$1" "$2" "$V/data" "$3" 2>/dev/null
    "$BUILD/tests/tree-change" "$(($1 + 1))" "$(($2 / 7))" "$V/nested/data" "$3" 2>/dev/null
    "$BUILD/tests/tree-change" "$(($1 + 3))" "$(($2 / 2))" "$V/app" "$3" 2>/dev/null
    "$BUILD/tests/tree-change" "$(($1 + 4))" "$(($2 / 7))" "$V/app/nested" "$3" 2>/dev/null
    "$BUILD/tests/tree-change" "$(($1 + 5))" "$(($2 / 7))" "$V/flat" "$3" 2>/dev/null
    large "$(($1 + 2))"
    total=$((total + $2 + 3 * ($2 / 7) + $2 / 2))
}

round=0 total=0
change "$seed" 700 clones
parts=0
back_up with
back_up without --no-delta
compare
for ((round = 1; round <= rounds; round++)); do
    mode=clones
    [ $((round % 4)) = 3 ] && mode=links
    change "$((seed + 100 * round))" "$steps" $mode
    type=incremental
    [ $((round % 5)) = 4 ] && type=differential
    [ $((round % 3)) = 0 ] && { umount "$V"; mount -o loop "$SCRATCH"/btrfs.*.img "$V"; }
    back_up with --type $type
    known || { cat "$SCRATCH/words"; fail "round $round: change knowledge was not used"; }
    cp "$SCRATCH/words" "$SCRATCH/words-with"
    back_up without --type $type --no-delta
    compare
done
echo "ok $total changes: the same manifests, $(wc -l <"$SCRATCH/with") records in the last"

[ "$parts" -gt 0 ] || fail "of no large file only a part was stored (seed $seed)"
echo "ok $parts times only what changed of a large file"

run verify --from "$OUT/with" latest >"$SCRATCH/words" 2>&1 || { cat "$SCRATCH/words"; fail "verify"; }
mkdir "$OUT/restored" "$OUT/restored-too"
run restore --from "$OUT/with" --into "$OUT/restored" >"$SCRATCH/words" 2>&1 ||
    { tail -5 "$SCRATCH/words"; fail "restore"; }
run restore --from "$OUT/without" --into "$OUT/restored-too" >"$SCRATCH/words" 2>&1 ||
    { tail -5 "$SCRATCH/words"; fail "restore"; }
for tree in data nested app large; do # of "flat" there are only the files
    "$BUILD/tests/tree-compare" "$OUT/restored$V/$tree" "$OUT/restored-too$V/$tree" ||
        fail "two trees (seed $seed)"
done
# what was left out is not there; the rest is the original
rm -rf "$V/data/d3"/*
find "$V/data" "$V/nested/data" -depth -name 'f1*' -exec rm -rf {} +
for tree in data nested/data; do
    "$BUILD/tests/tree-compare" -T -s "$V/$tree" "$OUT/restored$V/$tree" ||
        fail "not the tree (seed $seed)"
done
# not by tree-compare: XFS fills holes with what it allocated ahead
diff -rq "$V/large" "$OUT/restored$V/large" || fail "not the large files (seed $seed)"
# what a writer's file set lost comes back with the chain (I-189): only what is there is compared
python3 - "$V/app" "$OUT/restored$V/app" '*' "$V/flat" "$OUT/restored$V/flat" 'f*' <<'EOF' || fail "not the writer's files (seed $seed)"
import fnmatch, os, stat, sys
def same(a, b):
    x, y = os.lstat(a), os.lstat(b)
    if (x.st_mode, x.st_uid, x.st_gid) != (y.st_mode, y.st_uid, y.st_gid): return False
    if stat.S_ISLNK(x.st_mode): return os.readlink(a) == os.readlink(b)
    if stat.S_ISREG(x.st_mode) and x.st_size != y.st_size: return False
    if not stat.S_ISDIR(x.st_mode) and x.st_mtime_ns != y.st_mtime_ns: return False
    for n in os.listxattr(a, follow_symlinks=False):
        if os.getxattr(a, n, follow_symlinks=False) != os.getxattr(b, n, follow_symlinks=False): return False
    return not stat.S_ISREG(x.st_mode) or open(a, 'rb').read() == open(b, 'rb').read()
count = 0
for now, restored, pattern in zip(*[iter(map(os.fsencode, sys.argv[1:]))] * 3):
    recursive = pattern == b'*'
    for folder, names, files in os.walk(now):
        links = [n for n in names if os.path.islink(os.path.join(folder, n))]
        for n in files + links:
            excluded = recursive and folder == now and fnmatch.fnmatchcase(n, b'*1?')
            a = os.path.join(folder, n)
            if excluded or not fnmatch.fnmatchcase(n, pattern) or stat.S_ISSOCK(os.lstat(a).st_mode): continue
            b = restored + a[len(now):]
            if not os.path.lexists(b) or not same(a, b): sys.exit('%r is not what it is' % a)
            count += 1
        if not recursive: break
if count < 50: sys.exit('only %d files' % count)
print('   %d files of the writer' % count)
EOF
echo "ok restored byte by byte"
