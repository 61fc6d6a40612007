#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An increment by change knowledge, in which a process (vssctl, the service, the provider) is killed at
# each of its steps in turn: the next one believes no wrong reference, and leaves nothing behind.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires strace

V=$SCRATCH/v S=$SCRATCH/store etc=$SCRATCH/etc
mkdir -p "$etc/writers.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
make_fs btrfs 600M "$V"
mkdir -p "$V/own" "$V/w"
for i in 1 2 3 4 5; do echo "content $i" >"$V/own/f$i"; echo "content $i" >"$V/w/f$i"; done
cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $SCRATCH/log
schema = incremental, differential, last_modify
[component app]
files = $V/w/*
differenced = $V/w/*
C

back_up() { vssctl backup --config "$etc" --to "$S" --all-components "$V/own" "$@" >"$SCRATCH/said" 2>&1; }
quietly() { # other content of the same length, the times put back
    local was
    was=$(stat -c %y "$1")
    printf '%s' "$2" | dd of="$1" conv=notrunc status=none
    touch -d "$was" "$1"
}
change() { quietly "$V/own/f$(($1 % 5 + 1))" "$2"; quietly "$V/w/f$(($1 % 3 + 2))" "$2"; }
killed_at() { # killed_at CALL N: false when the backup came to its end
    local status=0
    {
        strace -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
            vssctl backup --config "$etc" --to "$S" --all-components "$V/own" --type incremental \
            >"$SCRATCH/killed" 2>&1 || status=$?
    } 2>/dev/null
    [ $status != 0 ]
}
nothing_stays() {
    local folder named=0
    for folder in "$V"/.vss/btrfs-*; do
        [[ $folder == */btrfs-reference-* ]] || fail "$1: a copy stays: $folder"
        grep -qs "${folder##*btrfs-reference-}" "$S"/2*/op-*/references || fail "$1: nobody names $folder"
        named=$((named + 1))
    done
    [ "$named" -ge 1 ] && [ "$named" -le 2 ] || fail "$1: $named references"
    [ -z "$(find "$S" -maxdepth 1 -name '.*' ! -name .)" ] || fail "$1: $(ls -A "$S")"
}
whole() {
    rm -rf "$SCRATCH/out"
    vssctl restore --config "$etc" --from "$S" --into "$SCRATCH/out" >"$SCRATCH/said" 2>&1 ||
        fail "$1: no restore: $(cat "$SCRATCH/said")"
    diff -r "$V/own" "$SCRATCH/out$V/own" || fail "$1: own files"
    diff -r "$V/w" "$SCRATCH/out$V/w" || fail "$1: the writer's files"
}

back_up || fail "$(cat "$SCRATCH/said")"
steps=0
step() { # step CALL N
    local where="$1 $2"
    change "$2" "a$steps"
    killed_at "$1" "$2" && steps=$((steps + 1)) && rest=3 || rest=$((rest - 1))
    change "$(($2 + 1))" "b$steps"
    back_up --type incremental || fail "$where: no backup after it: $(cat "$SCRATCH/said")"
    whole "$where"
    nothing_stays "$where"
    [ $((steps % 12)) != 0 ] || back_up || fail "a full one: $(cat "$SCRATCH/said")"
}
for call in renameat unlinkat mkdirat fsync; do
    # where the provider is killed the backup may go on; after three that none was killed in, enough
    rest=3
    for ((n = 1; n < 40 && rest > 0; n++)); do step $call $n; done
    echo "   $call: $((n - 1))"
done
rest=99
for ((n = 5; n < 90; n += 12)); do step ioctl $n; done # snapshots are made and removed by it
# the provider alone, as it keeps one: the backup goes on without, and what it replaced goes all the same
for after in '' DIE_AFTER=1; do
    back_up --type incremental || fail "$(cat "$SCRATCH/said")"
    change 1 "c$after"
    env LD_PRELOAD="$BUILD/tests/die-at-rename.so" DIE_TO=record DIE_IN=/btrfs-reference- $after vssctl backup \
        --config "$etc" --to "$S" --all-components "$V/own" --type incremental >"$SCRATCH/said" 2>&1 ||
        fail "no backup without its provider: $(cat "$SCRATCH/said")"
    grep -q "no reference snapshot of '$V' is kept" "$SCRATCH/said" || fail "not killed: $(cat "$SCRATCH/said")"
    change 2 "d$after"
    back_up --type incremental || fail "$(cat "$SCRATCH/said")"
    whole "keeping $after"; nothing_stays "keeping $after"
done
# two operations in one run (I-76), each with references of its own, killed before their set exists
mkdir "$V/fresh"; echo fresh >"$V/fresh/f1"
printf '[component fresh]\nfiles = %s/fresh/*\n' "$V" >>"$etc/writers.d/test.conf"
change 1 two
LD_PRELOAD=$BUILD/tests/die-at-rename.so DIE_FROM=.incomplete- vssctl backup --config "$etc" --to "$S" \
    --type incremental --all-components "$V/own" >"$SCRATCH/said" 2>&1 && fail "not killed"
[ "$(find "$S"/.incomplete-*/op-2 -name references | wc -l)" = 1 ] || fail "the second operation has no references"
sed -i '/fresh/d' "$etc/writers.d/test.conf"
back_up --type incremental || fail "$(cat "$SCRATCH/said")"
whole "two operations"; nothing_stays "two operations"
[ $steps -ge 25 ] || fail "only $steps steps"
for i in $(seq 50); do umount "$V" 2>/dev/null && break; sleep 0.1; done
[ "$i" -lt 50 ] || fail "the volume is still in use"
echo "all well, $steps steps"
