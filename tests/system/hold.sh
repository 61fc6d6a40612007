#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vss-hold on real XFS and ext4 under write load: nothing stays frozen, whoever is killed.
# shellcheck source=tests/functions.sh disable=SC2086 # lists of steps are split on purpose
. "$(dirname "$0")/../functions.sh"
requires fsfreeze
requires setsid
[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip "/dev/shm is no tmpfs"

RUN=$(mktemp -d /dev/shm/vss-hold.XXXXXX)
cleanup_fn "rm -rf $RUN"
X=$SCRATCH/x E=$SCRATCH/e
make_fs xfs 512M "$X"
make_fs ext4 512M "$E"

drive() { "$BUILD/tests/hold-driver" "$RUN" "$@"; }
# dead ARG...: the same for a client that is killed on its way
dead() { (drive "$@" || true) >"$SCRATCH/out" 2>&1; }
quiet() { drive "$@" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out"; fail "drive $*"; }; }

# flows DIR...: a write with fsync ends within five seconds
flows() {
    local dir pid i
    for dir; do
        dd if=/dev/zero of="$dir/flows" bs=64k count=1 conv=fsync status=none &
        pid=$!
        for ((i = 0; i < 50; i++)); do
            kill -0 $pid 2>/dev/null || break
            sleep 0.1
        done
        kill -0 $pid 2>/dev/null && fail "${FUNCNAME[1]}: writing to $dir does not end"
        wait $pid || fail "${FUNCNAME[1]}: writing to $dir fails"
    done
}
no_record() { [ -z "$(ls "$RUN")" ] || fail "${FUNCNAME[1]}: a record stays: $(ls "$RUN")"; }
no_process() {
    local i
    for ((i = 0; i < 40; i++)); do
        pgrep -f "vss-hold $RUN " >/dev/null || return 0
        sleep 0.05
    done
    fail "${FUNCNAME[1]}: still running: $(pgrep -af "vss-hold $RUN ")"
}
passed() {
    flows "$X" "$E"
    no_record
    no_process
    echo "ok $1"
}

# what `vssctl thaw` does, again while a thread of a killed process is still inside the kernel
thaw_in_time() {
    local i
    for ((i = 0; i < 50; i++)); do
        drive thaw:0 >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "a record stays: $(ls "$RUN")"
}

LOAD=()
load_on() {
    local dir
    for dir in "$X" "$E"; do
        (while :; do
            dd if=/dev/zero of="$dir/load" bs=128k count=200 status=none
            echo >>"$dir/count"
        done) &
        LOAD+=($!)
    done
}
load_off() {
    ((${#LOAD[@]})) && kill "${LOAD[@]}" 2>/dev/null
    wait "${LOAD[@]}" 2>/dev/null || true
    LOAD=()
    rm -f "$X/load" "$E/load"
}
cleanup_fn load_off

BOTH="prepare:$X,$E expect:PREPARED:S_OK"
HELD="freeze expect:FROZEN:S_OK frozen:$X frozen:$E"
GONE="settle flowing:$X flowing:$E hangup ends"

# S-21, S-24, S-26, CFG-52
normal_cycle() {
    quiet $BOTH presync:2 expect:PRESYNCED:S_OK $HELD "sh:stat -c %s $X/load $E/load >$SCRATCH/a" \
        sleep:300 "sh:stat -c %s $X/load $E/load | cmp - $SCRATCH/a" \
        release expect:RELEASED:S_OK "flowing:$X" "flowing:$E" hangup ends
    quiet $BOTH release expect:RELEASED:S_OK hangup ends # nothing was frozen
    quiet $BOTH hangup ends
    passed normal_cycle
}

# P-82: one file system by two mounts is frozen once
two_mounts() {
    mkdir -p "$SCRATCH/bind"
    mount --bind "$X" "$SCRATCH/bind"
    quiet "prepare:$X,$SCRATCH/bind,$E" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK \
        "frozen:$X" release expect:RELEASED:S_OK "flowing:$X" hangup ends
    umount "$SCRATCH/bind"
    passed two_mounts
}

# P-60, P-61: a volume that its provider holds itself is written out and not frozen
sync_only() {
    local only="prepare:$X@sync,/dev/shm@sync expect:PREPARED:S_OK presync:1 expect:PRESYNCED:S_OK"
    quiet "prepare:$X@sync,$E" expect:PREPARED:S_OK presync:2 expect:PRESYNCED:S_OK freeze \
        expect:FROZEN:S_OK "frozen:$E" "flowing:$X" release expect:RELEASED:S_OK "flowing:$E" \
        hangup ends
    HOLD_LIMIT_MS=100 quiet $only freeze expect:FROZEN:S_OK "flowing:$X" sleep:200 presync:1 \
        expect:PRESYNCED:VSS_E_BAD_STATE release expect:RELEASED:S_OK hangup ends
    quiet $only hangup ends
    quiet $only kill:guardian settle hangup ends
    quiet $only kill:freezer settle hangup ends
    passed sync_only
}

# S-25, S-30, S-47, SEC-95: one of the two ends
one_dies() {
    local how who
    for how in kill term; do
        for who in freezer guardian; do
            quiet $BOTH $HELD $how:$who expect:BROKEN:VSS_E_HOLD_WRITES_TIMEOUT \
                expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT "flowing:$X" "flowing:$E" hangup ends
            quiet $BOTH $how:$who $GONE # before the freeze
        done
    done
    quiet $BOTH int:both hup:both sleep:50 $HELD int:both hup:both sleep:50 "frozen:$X" release \
        expect:RELEASED:S_OK hangup ends
    passed one_dies
}

# SEC-95: standing still does not help either
one_stops() {
    export HOLD_LIMIT_MS=400
    quiet $BOTH $HELD stop:freezer expect:BROKEN:VSS_E_HOLD_WRITES_TIMEOUT \
        expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT "flowing:$X" cont:freezer hangup ends
    quiet $BOTH $HELD stop:guardian expect:BROKEN:VSS_E_HOLD_WRITES_TIMEOUT \
        expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT "flowing:$X" hangup cont:guardian ends
    unset HOLD_LIMIT_MS
    passed one_stops
}

# both at one instant while the service lives: it thaws itself; while it is dead: the record (S-47)
both_die() {
    quiet $BOTH $HELD stop:both kill:both expect:BROKEN:VSS_E_HOLD_WRITES_TIMEOUT \
        words:died "flowing:$X" "flowing:$E" expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT
    passed both_die_service_lives
    dead $BOTH $HELD stop:both kill:both die
    quiet "frozen:$X" "frozen:$E" thaw:2 "flowing:$X" "flowing:$E" thaw:0
    passed both_die_record
}

# PT-5 and a client that hangs; the real 10 s once (CFG-51, PT-4)
client_dies() {
    dead $BOTH $HELD die
    sleep 0.5
    quiet "flowing:$X" "flowing:$E"
    passed client_dies
}
client_hangs() {
    local at
    export HOLD_LIMIT_MS=60000 # a setting cannot raise it
    drive $BOTH $HELD expect:BROKEN:VSS_E_HOLD_WRITES_TIMEOUT words:limit \
        expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT "flowing:$X" hangup ends >"$SCRATCH/out" ||
        fail "client_hangs: $(cat "$SCRATCH/out")"
    unset HOLD_LIMIT_MS
    at=$(sed -n 's/^RELEASED .* at=\([0-9]*\) .*/\1/p' "$SCRATCH/out")
    ((at >= 9990000 && at < 11000000)) || fail "client_hangs: thawed after $at us"
    echo "  thawed after $at us"
    passed client_hangs_10_seconds
}

# PT-8, S-28: the freeze of somebody else stays, and our volumes are let go
foreign_freeze() {
    fsfreeze -f "$X"
    quiet "prepare:$X" expect:PREPARED:S_OK freeze expect:FROZEN:VSS_E_HOLD_WRITES_TIMEOUT \
        "words:somebody else has frozen" expect:RELEASED:S_OK "frozen:$X" hangup ends
    quiet "prepare:$E,$X" expect:PREPARED:S_OK freeze expect:FROZEN:VSS_E_HOLD_WRITES_TIMEOUT \
        "words:somebody else has frozen" expect:RELEASED:S_OK "frozen:$X" "flowing:$E" hangup ends \
        "frozen:$X" thaw:0 "frozen:$X"
    dead "prepare:$E,$X" expect:PREPARED:S_OK freeze stop:both kill:both die
    thaw_in_time
    quiet "flowing:$E" "frozen:$X"
    fsfreeze -u "$X"
    passed foreign_freeze
}
foreign_thaw() {
    quiet $BOTH $HELD "sh:fsfreeze -u $X" release expect:RELEASED:VSS_E_HOLD_WRITES_TIMEOUT \
        "words:somebody else let writes go" "flowing:$E" hangup ends
    passed foreign_thaw
}

# S-28, P-78, CFG-56, S-27
refusals() {
    mkdir -p "$SCRATCH/t"
    mount -t tmpfs none "$SCRATCH/t"
    quiet "prepare:$X,$SCRATCH/t" expect:PREPARED:S_OK freeze \
        expect:FROZEN:VSS_E_VOLUME_NOT_SUPPORTED "words:cannot hold writes on '$SCRATCH/t'" \
        expect:RELEASED:S_OK "flowing:$X" hangup ends
    umount "$SCRATCH/t"
    quiet "prepare:$X,/dev/shm" expect:PREPARED:EDEADLK "words:stores the record"
    "$BUILD/tests/hold-driver" "$E" "prepare:$X" expect:PREPARED:EMEDIUMTYPE \
        "words:mount a tmpfs there" >/dev/null || fail "a record on ext4 was accepted"
    HOLD_NEVER=$X drive "prepare:$X" >"$SCRATCH/out" 2>&1 && fail "never_freeze has no effect"
    grep -q never_freeze "$SCRATCH/out" || fail "$(cat "$SCRATCH/out")"
    drive "prepare:$X#1" >"$SCRATCH/out" 2>&1 && fail "a wrong mount id was accepted"
    grep -q "is not the mount any more" "$SCRATCH/out" || fail "$(cat "$SCRATCH/out")"
    passed refusals
}

# S-29: a file system in an image on the other one
stacked() {
    local I=$SCRATCH/i order="prepare:$E@1,$SCRATCH/i@0"
    truncate -s 64M "$E/image"
    mkfs.ext4 -qF "$E/image"
    mkdir -p "$I"
    mount -o loop "$E/image" "$I"
    quiet "$order" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK "frozen:$I" "frozen:$E" release \
        expect:RELEASED:S_OK "flowing:$I" "flowing:$E" hangup ends
    quiet "$order" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK kill:freezer settle \
        "flowing:$I" "flowing:$E" hangup ends
    dead "$order" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK stop:both kill:both die
    quiet "frozen:$I" "frozen:$E" thaw:2 "flowing:$I" "flowing:$E"
    # the wrong order: the inner flush waits for the outer, and the limit ends it (S-26)
    dd if=/dev/zero of="$I/dirty" bs=1M count=8 status=none
    HOLD_LIMIT_MS=700 quiet "prepare:$E@0,$I@1" expect:PREPARED:S_OK freeze \
        expect:BROKEN:VSS_E_FLUSH_WRITES_TIMEOUT settle "flowing:$I" "flowing:$E" hangup ends
    flows "$I"
    umount "$I"
    rm "$E/image"
    passed stacked
}

orphan() { dead "prepare:$X" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK stop:both kill:both die; }

# S-25: the mount goes, the freeze stays
unmounted() {
    local image device
    image=$(losetup -n -O BACK-FILE "$(findmnt -no SOURCE "$X")")
    device=$(findmnt -no SOURCE "$X")
    quiet "prepare:$X" expect:PREPARED:S_OK freeze expect:FROZEN:S_OK "sh:umount -l $X" release \
        expect:RELEASED:S_OK hangup ends
    mount -o loop "$image" "$X"
    passed unmounted_lazily
    # the place moved
    orphan
    mkdir -p "$SCRATCH/moved"
    mount --bind "$X" "$SCRATCH/moved"
    umount "$X"
    quiet "frozen:$SCRATCH/moved" thaw:1 "flowing:$SCRATCH/moved"
    umount "$SCRATCH/moved"
    mount -o loop "$image" "$X"
    passed moved
    # mounted nowhere; then mounted again
    orphan
    device=$(findmnt -no SOURCE "$X")
    umount "$X"
    quiet thaw-fails:VSS_E_OBJECT_NOT_FOUND "words:mount it and run 'vssctl thaw' again"
    mount "$device" "$X"
    quiet "frozen:$X" thaw:1 "flowing:$X"
    passed unmounted
    # mounted nowhere, and somebody else had ended the freeze: no reason to complain for ever
    orphan
    fsfreeze -u "$X"
    umount "$X"
    quiet thaw:0
    mount -o loop "$image" "$X"
    passed gone
}

records() {
    quiet $BOTH $HELD thaw-fails:VSS_E_SNAPSHOT_SET_IN_PROGRESS words:living "frozen:$X" release \
        expect:RELEASED:S_OK hangup ends
    orphan
    # of another boot: the file systems of that time are not frozen any more, whatever is now
    printf 0000 | dd of="$(echo "$RUN"/hold-*)" bs=1 seek=32 conv=notrunc status=none
    quiet thaw:0 "frozen:$X"
    fsfreeze -u "$X"
    echo nonsense >"$RUN/hold-1-1"
    quiet thaw-fails:EINVAL "words:no record of ours"
    rm "$RUN/hold-1-1"
    passed records
}

# S-26: dying or standing at the limit inside of FIFREEZE, which cannot be interrupted
long_flush() {
    local who
    for who in freezer guardian both; do
        dd if=/dev/zero of="$X/load" bs=1M count=300 status=none
        drive $BOTH freeze later:10:kill:$who settle hangup >"$SCRATCH/out" 2>&1 ||
            fail "long_flush $who: $(cat "$SCRATCH/out")"
        thaw_in_time
        quiet "flowing:$X" "flowing:$E"
    done
    dd if=/dev/zero of="$X/load" bs=1M count=300 status=none
    HOLD_LIMIT_MS=10 quiet $BOTH freeze expect:BROKEN:VSS_E_FLUSH_WRITES_TIMEOUT \
        expect:RELEASED:VSS_E_FLUSH_WRITES_TIMEOUT "flowing:$X" "flowing:$E" hangup ends
    passed long_flush
}

# any of them at any moment, one or several (PT-11's number of runs, on a scratch file system)
random_kills() {
    local n all=(freezer guardian both client) first second a b
    for ((n = 0; n < 60; n++)); do
        first=${all[RANDOM % 4]} second=${all[RANDOM % 4]}
        a=$((RANDOM % 120)) b=$((RANDOM % 120))
        dead $BOTH later:$a:kill:$first later:$b:kill:$second freeze sleep:60 settle
        for ((i = 0; i < 50; i++)); do
            drive thaw:0 "flowing:$X" "flowing:$E" >/dev/null 2>&1 && break
            sleep 0.05
        done
        ((i < 50)) || fail "random_kills: $first after $a ms, $second after $b ms: frozen"
    done
    passed random_kills
}

hundred_runs() {
    local n
    for ((n = 0; n < 100; n++)); do
        quiet $BOTH freeze expect:FROZEN:S_OK release expect:RELEASED:S_OK hangup ends
        sed -n 's/^RELEASED .*at=\([0-9]*\) .*/\1/p' "$SCRATCH/out" >>"$SCRATCH/times"
    done
    sort -n "$SCRATCH/times" | awk '{ t[NR] = $1 } END {
        print "  100 runs under load, hold in us: median " t[50] ", worst " t[NR] }'
    passed hundred_runs
}

load_on
sleep 0.3
normal_cycle
two_mounts
sync_only
one_dies
one_stops
both_die
client_dies
client_hangs
foreign_freeze
foreign_thaw
refusals
random_kills
hundred_runs
load_off
stacked
records
long_flush
unmounted
