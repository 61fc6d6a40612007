#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# restore-whole.sh - all of a restore or nothing, on ext4, xfs, btrfs and a file system that cannot
# exchange names: killed at any moment, without room, read-only, with things in the way, by two at
# once, with files in use, ranges of large files, attackers.
. "$(dirname "$0")/../functions.sh"
requires python3
TOOL=$BUILD/src/backup/engine-tool
W=$SCRATCH
cd "$W"
says() { local words=$1; shift; ! "$@" >said 2>&1 && grep -q "$words" said || { cat said; return 1; }; }
# everything about a tree but the times of reading and changing
state() { (cd "$1" && find . -printf '%P|%y|%m|%U|%G|%n|%l|%T@\n' | sort; find . -type f -exec sha256sum {} + | sort); }
nothing_beside() {
    [ -z "$(find "$@" -name '.vss-*' 2>/dev/null)" ] || fail "left beside: $(find "$@" -name '.vss-*')"
    [ -z "$(ls undo 2>/dev/null)" ] || fail "lists left: $(ls undo)"
}
W_() { "$TOOL" restore -w -u "$W/undo" "$@"; }

# old trees and new ones, with a backup of the new; $1: where it goes, as the backup knows it
old_tree() { # something of all: replaced, kept, changed in kind, attributes
    local i
    rm -rf "$1"; mkdir -p "$1/a/sub" "$1/empty"
    for i in {1..40}; do echo "old $i" >"$1/a/f$i"; done
    echo own >"$1/a/own"; echo x >"$1/kind"; chmod 711 "$1/a"; ln -s nowhere "$1/link"; echo l >"$1/hard1"; ln "$1/hard1" "$1/hard2"
    find "$1" -exec touch -h -d '2001-02-03 04:05:06' {} +
}
new_tree() {
    mkdir -p "$1/a/new/deep" "$1/kind"
    for i in {1..60}; do echo "new $i" >"$1/a/f$i"; done
    for i in {1..30}; do echo "deep $i" >"$1/a/new/deep/$i"; done
    echo y >"$1/kind/y"; ln -s elsewhere "$1/link"; chmod 750 "$1/a"; chown 7:8 "$1/a/f2"
    head -c 700000 /dev/urandom >"$1/large"; ln "$1/large" "$1/a/large"; mkfifo "$1/fifo"
    touch -d '2010-02-03 04:05:06' "$1/a/f1" "$1/a/new/deep" "$1/a" "$1/kind" "$1"
}
new_tree s
"$TOOL" backup store /t="$W/s" >/dev/null

# killed at any moment: before, old or something of both; the next restore, of whatever, ends it
test_killed() { # R-59, R-101
    local fs=$1 t=$2 both=0 killed=0 i most start
    old_tree "$t/t"; state "$t/t" >before
    start=$EPOCHREALTIME
    W_ store latest "$t" >/dev/null
    most=$(awk "BEGIN { print ($EPOCHREALTIME - $start) * 1.2 }")
    state "$t/t" >after; nothing_beside "$t"
    cmp -s before after && fail "nothing happened"
    for i in {1..25}; do
        old_tree "$t/t"
        timeout -s KILL "$(awk "BEGIN { srand($i$RANDOM); print 0.002 + rand() * $most }")" \
            "$TOOL" restore -w -u "$W/undo" store latest "$t" >/dev/null 2>&1 || killed=$((killed + 1))
        # a killed process may take a moment to die
        for _ in {1..100}; do
            { [ -z "$(ls undo)" ] || flock -n undo/*.undo true; } && break
            sleep 0.05
        done
        # another restore, elsewhere, finishes what was begun or takes it away
        "$TOOL" restore -u "$W/undo" store latest "$t/elsewhere" /t/link >/dev/null
        [ -z "$(ls undo)" ] || fail "$fs: a list is left: $(ls undo)"
        (cd "$t/t" && find . -name '.vss-*' -prune -o -type f -exec sha256sum {} + | sort) >now
        if cmp -s now <(grep -v '|' before); then :
        elif cmp -s now <(grep -v '|' after); then both=$((both + 1))
        else fail "$fs: neither the old nor the new state after a kill: $(diff now <(grep -v '|' after) | head -5)"; fi
        W_ store latest "$t" >/dev/null
        nothing_beside "$t"
        state "$t/t" | cmp -s - after || fail "$fs: another end: $(state "$t/t" | diff - after | head -5)"
    done
    [ $killed -gt 3 ] || fail "$fs: killed only $killed times"
    echo "ok $fs: killed $killed of 25 times, $both of 25 came to the end"
}

# at each single rename of the last step
test_killed_at_each() { # R-100
    local fs=$1 t=$2 i forward=0
    for i in 1 2 3 7 30 60 61 62 63 64 65 66 67 68 69 70; do
        old_tree "$t/t"
        LD_PRELOAD=$BUILD/tests/die-at-rename.so DIE_RENAME=$i W_ store latest "$t" >/dev/null 2>&1 || true
        "$TOOL" restore -u "$W/undo" store latest "$t/elsewhere" /t/link >/dev/null
        (cd "$t/t" && find . -name '.vss-*' -prune -o -type f -exec sha256sum {} + | sort) >now
        cmp -s now <(grep -v '|' after) && forward=$((forward + 1)) || cmp -s now <(grep -v '|' before) ||
            fail "$fs: mixed after the rename $i: $(diff now <(grep -v '|' after) | head -5)"
        W_ store latest "$t" >/dev/null
        nothing_beside "$t"
    done
    [ $forward -ge 3 ] || fail "$fs: never finished"
    echo "ok $fs: killed at the renames of the last step, $forward of 16 finished"
}

test_killed_before() { # with all files made and none put: a restore of something else takes them away
    local fs=$1 t=$2
    old_tree "$t/t"; state "$t/t" | sed 's/|[^|]*$//' >b
    LD_PRELOAD=$BUILD/tests/die-at-rename.so DIE_SYNCFS=1 W_ store latest "$t" >/dev/null 2>&1 || true
    [ "$(find "$t/t" -name '.vss-*' | wc -l)" -gt 40 ] || fail "$fs: not killed with its files made"
    "$TOOL" restore -u "$W/undo" store latest "$t/elsewhere" /t/link >/dev/null
    nothing_beside "$t"; state "$t/t" | sed 's/|[^|]*$//' | cmp -s - b || fail "$fs: changed: $(state "$t/t" | diff - b | head)"
    echo "ok $fs: killed before anything is put"
}

test_in_the_way() { # R-59, R-60 b, R-100: undone, attributes and times too
    local fs=$1 t=$2
    old_tree "$t/t"; rm "$t/t/link"; mkdir -p "$t/t/link/full"; touch -d '2003-04-05' "$t/t/a" "$t/t"
    state "$t/t" >b; says 'nothing was changed: .*not empty is in the way' W_ store latest "$t"
    state "$t/t" | cmp -s - b || fail "$fs: not undone: $(state "$t/t" | diff - b | head)"
    nothing_beside "$t"
    echo "ok $fs: something in the way"
}

test_full() { # R-100: no room half way
    local fs=$1 t=$2
    old_tree "$t/t"; rm -rf "$t/elsewhere"; sync -f "$t"
    head -c 1G /dev/zero >"$t/fill" 2>/dev/null || true
    sync -f "$t"; truncate -s -200K "$t/fill"; sync -f "$t"
    state "$t/t" >b; W_ store latest "$t" >said 2>&1 && fail "$fs: there was room"
    grep -q 'nothing was changed\|No space' said || fail "$fs: $(cat said)"
    state "$t/t" | cmp -s - b || fail "$fs: not undone: $(state "$t/t" | diff - b | head)"
    nothing_beside "$t"; rm "$t/fill"; sync -f "$t"
    W_ store latest "$t" >/dev/null; nothing_beside "$t"
    echo "ok $fs: no room"
}

test_no_room_for_the_list() { # where it is written down what is done: nothing is done
    local fs=$1 t=$2
    old_tree "$t/t"; state "$t/t" >b
    mount -t tmpfs -o size=16k none undo; head -c 100K /dev/zero >undo/fill 2>/dev/null || true
    says 'list of what a restore changes cannot be written' W_ store latest "$t"
    umount undo; state "$t/t" | cmp -s - b || fail "$fs: changed: $(state "$t/t" | diff - b | head -5)"
    nothing_beside "$t"
    echo "ok $fs: no room for the list"
}

test_read_only() {
    local fs=$1 t=$2
    old_tree "$t/t"; state "$t/t" >b; mount -o remount,ro "$t"
    says 'the file system is read-only' W_ store latest "$t"
    mount -o remount,rw "$t"; state "$t/t" | cmp -s - b || fail "$fs: changed"
    nothing_beside "$t"
    echo "ok $fs: read-only"
}

# R-123, R-124: ranges into a large file, and the same undone because of what comes after
test_ranges() {
    local fs=$1 t=$2 k
    rm -rf "$t"/t store-r; mkdir -p "$t/t" r
    head -c 3000000 /dev/urandom >r/big; cp r/big full
    "$TOOL" backup -K store-r /t/big="$W/r/big" >/dev/null
    printf NEW | dd of=r/big bs=1 seek=100000 conv=notrunc status=none; head -c 50000 /dev/zero >>r/big
    "$TOOL" ranges store-r /t/big="$W/r/big" 100000:4096,2900000:150000 >/dev/null
    for k in one two; do
        cp full "$t/t/big"; [ $k = one ] || ln "$t/t/big" "$t/t/other"
        chmod 640 "$t/t/big"; touch -d '2004-05-06' "$t/t/big"
        if [ $k = two ]; then
            state "$t/t" >b; says 'other names' W_ -l -k /t/big store-r latest "$t"
            state "$t/t" | cmp -s - b || fail "$fs: changed"
        else
            W_ -l -k /t/big store-r latest "$t" >/dev/null; cmp r/big "$t/t/big" || fail "$fs: ranges"
            [ "$(stat -c %a "$t/t/big")" = "$(stat -c %a r/big)" ] || fail "$fs: mode"
        fi
    done
    nothing_beside "$t"; rm -rf "$t/t"
    says 'only ranges of it, restore its base' W_ -l -k /t/big store-r latest "$t"
    nothing_beside "$t"
    echo "ok $fs: ranges"
}

# the power fails as ranges are about to be put back: what they come back from is on the disk
# (with the list on the same one, whose sync brings the saved file's size there, not its bytes)
test_power_cut() { # R-101
    local fs=$1 t=$2 k=(-l -k /t/big) image
    [ "$fs" = ext4 ] || return 0 # the others write into a clone
    requires setpriv
    rm -rf "$t"/t store-r; mkdir -p "$t/t" r; cp full r/big; cp full "$t/t/big"; chown 5 "$t/t/big"
    "$TOOL" backup -K store-r /t/big="$W/r/big" >/dev/null
    head -c 4096 /dev/zero | tr '\0' x | dd of=r/big bs=4096 seek=20 conv=notrunc status=none
    "$TOOL" ranges store-r /t/big="$W/r/big" 81920:4096 >/dev/null
    sync -f "$t"
    image=$(losetup -nO BACK-FILE "$(findmnt -nvo SOURCE "$t")")
    # without the right to give files away all is in place before that fails
    LD_PRELOAD=$BUILD/tests/die-at-rename.so DIE_FDATASYNC=2 setpriv --bounding-set -chown --inh-caps -chown \
        "$TOOL" restore -w -u "$t/undo" "${k[@]}" store-r latest "$t" >/dev/null 2>said || true
    grep -q '^mark.u' "$t"/undo/*.undo || fail "$fs: not killed as it put back: $(cat said)"
    "$BUILD/tests/shutdown-fs" "$t"; umount "$t"; mount -o loop "$image" "$t"
    "$TOOL" restore -u "$t/undo" -k /t/big store-r latest "$t/elsewhere" >/dev/null 2>&1 || true
    cmp full "$t/t/big" || fail "$fs: neither the old nor the new one"
    nothing_beside "$t"; [ -z "$(ls "$t/undo")" ] || fail "$fs: a list is left"; rm -rf "$t"/{t,elsewhere,undo}
    echo "ok $fs: power cut while ranges are put back"
}

test_two_at_once() { # each whole, the last one wins; none leaves anything
    local fs=$1 t=$2 i
    for i in {1..5}; do
        old_tree "$t/t"
        W_ store latest "$t" >/dev/null 2>one & local a=$!
        W_ store latest "$t" >/dev/null 2>two & local b=$!
        local bad=0; wait $a || bad=$((bad + 1)); wait $b || { bad=$((bad + 1)); }
        [ $bad -lt 2 ] || fail "$fs: both failed: $(cat one two)"
        [ $bad = 0 ] || grep -qh 'nothing was changed' one two || fail "$fs: $(cat one two)"
        nothing_beside "$t"
        # the one that took its things back may have brought a directory's time with it
        sed 's/|[^|]*$//' after >a; state "$t/t" | sed 's/|[^|]*$//' | cmp -s - a || fail "$fs: $(state "$t/t" | diff - after | head -5)"
    done
    echo "ok $fs: two at once"
}

test_names() { # of 255 bytes, and paths that no call takes in one piece
    local fs=$1 t=$2 n i
    n=$(printf '%0255d' 0); rm -rf n store-n "$t/t"; mkdir -p n
    python3 - "$n" <<'P'
import os, sys
n = sys.argv[1]; os.chdir('n'); open(n, 'w').write('long')
for i in range(20): os.mkdir(n[:250] + 'd'); os.chdir(n[:250] + 'd'); open('f', 'w').write(str(i))
P
    "$TOOL" backup store-n /t="$W/n" >/dev/null
    for i in 1 2; do W_ store-n latest "$t" >/dev/null; "$BUILD/tests/tree-compare" n "$t/t" || fail "$fs: names"; done
    nothing_beside "$t"; rm -rf n "$t/t"
    echo "ok $fs: long names"
}

test_no_exchange() { # as on file systems whose renames know no flags
    (export LD_PRELOAD="$BUILD/tests/die-at-rename.so" NO_FLAGS=1
     test_killed_at_each "$1 without exchange" "$2"; test_in_the_way "$1 without exchange" "$2")
}

test_mount_inside() { # R-103: another file system in the middle, still all or nothing
    local fs=$1 t=$2
    old_tree "$t/t"; mkdir -p "$t/t/a/new"; mount -t tmpfs none "$t/t/a/new"; mkdir "$t/t/a/new/deep"; echo o >"$t/t/a/new/deep/1"
    rm "$t/t/link"; mkdir -p "$t/t/link/full"
    says 'nothing was changed' W_ store latest "$t"
    [ "$(cat "$t/t/a/new/deep/1")" = o ] || fail "$fs: the mounted file was changed"
    nothing_beside "$t"; rm -rf "$t/t/link"
    W_ store latest "$t" >/dev/null; nothing_beside "$t"
    [ "$(cat "$t/t/a/new/deep/1")" = 'deep 1' ] && mountpoint -q "$t/t/a/new" || fail "$fs: nothing mounted, or not restored"
    umount "$t/t/a/new"
    echo "ok $fs: another file system in the middle"
}

test_attack() { # SEC-61: a directory becomes a link, again and again, while it is restored
    local fs=$1 t=$2 i
    rm -rf "$t/t" "$t/outside"; mkdir -p "$t/outside/new/deep"; echo safe >"$t/outside/f1"; state "$t/outside" >b
    old_tree "$t/t"
    (set +e; while :; do mv -T "$t/t/a" "$t/t/b" && ln -sT "$t/outside" "$t/t/a"; rm -f "$t/t/a"; mv -T "$t/t/b" "$t/t/a"; done) 2>/dev/null &
    local attacker=$!
    for i in {1..15}; do W_ store latest "$t" >/dev/null 2>&1 || true; done
    kill $attacker; wait $attacker 2>/dev/null || true
    state "$t/outside" | cmp -s - b || fail "$fs: something outside was changed: $(state "$t/outside" | diff - b)"
    rm -rf "$t/t" "$t/outside" undo/* # lists may wait for a folder that does not come back
    echo "ok $fs: a directory swapped for a link"
}

test_capabilities() { # R-106: what is missing is named, and nothing is changed
    local fs=$1 t=$2
    requires setpriv
    old_tree "$t/t"; state "$t/t" >b
    says CAP_CHOWN setpriv --bounding-set -chown --inh-caps -chown "$TOOL" restore -w -u "$W/undo" store latest "$t"
    state "$t/t" | cmp -s - b || fail "$fs: changed: $(state "$t/t" | diff - b | head -5)"
    nothing_beside "$t"
    echo "ok $fs: a capability is missing"
}

all_of() {
    test_killed "$@"; test_killed_at_each "$@"; test_killed_before "$@"; test_no_exchange "$@"; test_in_the_way "$@"; test_full "$@"; test_no_room_for_the_list "$@"; test_read_only "$@"
    test_ranges "$@"; test_power_cut "$@"; test_two_at_once "$@"; test_names "$@"
    test_mount_inside "$@"; test_attack "$@"; test_capabilities "$@"
}
[ $# -gt 0 ] || set -- ext4 xfs btrfs
for fs; do
    case $fs in ext4) size=64M ;; xfs) size=320M ;; *) size=160M ;; esac
    (make_fs "$fs" "$size" "$W/$fs") || { echo "-- no $fs"; continue; }
    all_of "$fs" "$W/$fs"
    umount "$W/$fs"
done
