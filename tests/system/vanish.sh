#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A volume that goes away while it is copied or read: XFS and ext4 are shut down, the disk of a btrfs
# fails for good. Whenever it happens the backup fails and names the volume, nothing half is
# published, no writer stands still, nothing stays frozen, no process and no copy is left.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires mkfs.xfs
requires btrfs
for file in tests/shutdown-fs providers/mirror.so writers/test.so; do
    [ -e "$BUILD/$file" ] || skip "$file is not built"
done

V=$SCRATCH/volume CONF=$SCRATCH/etc
mkdir -p "$CONF/writers.d" "$SCRATCH/run" "$SCRATCH/state" "$V" "$SCRATCH/outer" "$SCRATCH/kept/data"
chmod 700 "$SCRATCH/run"
cat >"$CONF/vss.conf" <<END
[service]
runtime_dir = $SCRATCH/run
state_dir = $SCRATCH/state
END

# configure [EVENT]: the writer draws out one event, so that there is time to strike in it
configure() {
    cat >"$CONF/writers.d/test.conf" <<END
[writer]
plugin = test
[test]
log = $SCRATCH/writer-log
${1:+delay = $1 2500ms}
[component data]
files = $V/data/*
END
}

# bring TYPE: a volume with data, whose disk is $DISK; vanish makes it fail, replace brings it back
bring() {
    DISK=$SCRATCH/disk.img
    if [ "$1" = btrfs ]; then
        truncate -s 700M "$SCRATCH/outer.img"
        mkfs.xfs -qf "$SCRATCH/outer.img"
        mount -o loop "$SCRATCH/outer.img" "$SCRATCH/outer"
        DISK=$SCRATCH/outer/disk.img
    fi
    truncate -s 500M "$DISK"
    case $1 in
        ext4) mkfs.ext4 -qF "$DISK" ;;
        *) "mkfs.$1" -qf "$DISK" >/dev/null 2>&1 ;;
    esac
    mount -o loop "$DISK" "$V"
    mkdir "$V/data"
    for i in 1 2 3; do echo "text $i" >"$V/data/file$i"; done
    head -c 200M /dev/urandom >"$V/data/large"
    sync -f "$V"
}
vanish() {
    if [ "$1" = btrfs ]; then
        "$BUILD/tests/shutdown-fs" "$SCRATCH/outer"
    else
        "$BUILD/tests/shutdown-fs" "$V"
    fi
    echo 3 >/proc/sys/vm/drop_caches
}
replace() {
    local i
    for i in $(seq 50); do umount "$V" 2>/dev/null && break; sleep 0.1; done
    ! mountpoint -q "$V" || fail "$CASE: something still uses the volume: $(fuser -vm "$V" 2>&1)"
    if [ "$1" = btrfs ]; then
        losetup -j "$DISK" -n -O NAME | while read -r l; do losetup -d "$l"; done
        umount "$SCRATCH/outer"
        mount -o loop "$SCRATCH/outer.img" "$SCRATCH/outer"
    fi
    # somebody's copy of our mounts, in a name space of its own, would keep the dead one alive
    for i in $(seq 100); do [ -n "$(losetup -j "$DISK")" ] || break; sleep 0.1; done
    mount -o loop "$DISK" "$V"
}
remove() {
    umount "$V"
    [ "$1" != btrfs ] || umount "$SCRATCH/outer"
    rm -f "$SCRATCH/outer.img" "$SCRATCH/disk.img"
}

no_process() { ! pgrep -f "$SCRATCH/run |$CONF" >/dev/null; }
within() { # within SECONDS WHAT COMMAND...
    local i fiftieths=$(($1 * 50)) what=$2
    shift 2
    for ((i = 0; i < fiftieths; i++)); do "$@" && return; sleep 0.02; done
    fail "$CASE: $what; $(cat "$SCRATCH/out")"
}
reached() {
    case $1 in
        reading) [ "$(du -s --block-size=1M "$SCRATCH/store" 2>/dev/null | cut -f1 || true)" -ge 5 ] 2>/dev/null ;;
        *) grep -q " $1" "$SCRATCH/writer-log" 2>/dev/null ;;
    esac
}

# strike TYPE WHEN
strike() {
    local pid code=0
    CASE="$1 at $2"
    rm -rf "$SCRATCH/store" "$SCRATCH/writer-log"
    bring "$1"
    if [ "$2" = reading ]; then configure; else configure "$2"; fi
    timeout 100 vssctl backup --config "$CONF" --to "$SCRATCH/store" --type copy --quiet "$V/data" "$SCRATCH/kept" \
        --all-components >"$SCRATCH/out" 2>&1 &
    pid=$!
    within 30 "did not come so far" reached "$2"
    if [ "$2" = reading ]; then
        pkill -STOP -P $pid -x vssctl || fail "$CASE: over before the strike; $(cat "$SCRATCH/out")"
    else
        sleep 0.3
    fi
    vanish "$1"
    [ "$2" != reading ] || pkill -CONT -P $pid -x vssctl
    wait $pid || code=$?
    echo "--- $CASE: exit $code: $(tail -2 "$SCRATCH/out" | head -1)"
    case $1:$2 in
        ext4:post_snapshot | ext4:reading)
            # its copy lies in the area, on another disk, and is whole by then
            [ $code = 0 ] || fail "$CASE: exit $code although the copy was whole: $(cat "$SCRATCH/out")"
            vssctl verify --config "$CONF" --from "$SCRATCH/store" >/dev/null || fail "$CASE: damaged"
            ;;
        *)
            [ $code = 2 ] || [ $code = 4 ] || fail "$CASE: exit $code: $(cat "$SCRATCH/out")"
            grep -qF "$V" "$SCRATCH/out" || fail "$CASE: does not name the volume: $(cat "$SCRATCH/out")"
            whole_or_nothing "$code"
            ;;
    esac
    within 10 "a process is left" no_process
    frozen "$SCRATCH/kept" && fail "$CASE: frozen"
    replace "$1"
    frozen "$V" && fail "$CASE: frozen"
    # the next backup works, and takes away what the dead one left
    configure
    vssctl backup --config "$CONF" --to "$SCRATCH/store" --type copy --quiet --verify "$V/data" --all-components \
        >"$SCRATCH/out" 2>&1 || fail "$CASE: the next backup: $(cat "$SCRATCH/out")"
    within 10 "a process is left" no_process
    [ -z "$(find "$V/.vss" "$SCRATCH/state/mirror" -mindepth 1 -name '*-*-*' -not -path '*/btrfs-reference-*' 2>/dev/null)" ] ||
        fail "$CASE: a copy is left: $(find "$V/.vss" "$SCRATCH/state" | head)"
    vssctl shadow list --config "$CONF" | grep -qF "$V" && fail "$CASE: a copy is listed"
    remove "$1"
}

# A set that was published says that the component failed, and can be verified; no other is there.
whole_or_nothing() {
    local sets
    sets=$(find "$SCRATCH/store" -maxdepth 1 -name '2*' -not -name '*incomplete*' 2>/dev/null)
    [ -n "$sets" ] || return 0
    [ "$1" = 4 ] || fail "$CASE: a set was published: $sets"
    vssctl verify --config "$CONF" --from "$SCRATCH/store" >"$SCRATCH/verified" 2>&1 ||
        fail "$CASE: the set that was published is damaged: $(cat "$SCRATCH/verified")"
}

for type in ${TYPES:-xfs ext4 btrfs}; do
    grep -qw "$type" /proc/filesystems || continue
    for when in ${WHEN:-prepare_snapshot freeze post_snapshot reading}; do strike "$type" "$when"; done
done
echo "ok"
