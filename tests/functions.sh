# functions.sh - for the system suite: scratch file systems that go away whatever happens.
# Source it first. Needs root; exits 77 (skip) with a reason when the machine lacks something.
# shellcheck shell=bash

set -euo pipefail

: "${BUILD:?BUILD is the build folder}"
BUILD=$(cd "$BUILD" && pwd)
PATH=$BUILD:/usr/sbin:/sbin:$PATH

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
requires() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

[ "$(id -u)" = 0 ] || skip "needs root"

SCRATCH=$(mktemp -d /var/tmp/vss-test.XXXXXX)
CLEANUPS=()
cleanup_fn() { CLEANUPS+=("$*"); }

run_cleanups() {
    local status=$? i
    set +e
    trap - EXIT INT TERM HUP
    # thaw first: an unmount of a frozen file system succeeds and leaves it frozen. Not FUSE, whose
    # program may hang
    awk -v s="$SCRATCH" 'index($5, s) == 1 && !/ - fuse/ { print $5 }' /proc/self/mountinfo |
        while read -r m; do timeout -k 1 5 fsfreeze -u "$m" 2>/dev/null; done
    for ((i = ${#CLEANUPS[@]} - 1; i >= 0; i--)); do eval "${CLEANUPS[i]}"; done
    awk -v s="$SCRATCH" 'index($5, s) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r m; do umount -l "$m" 2>/dev/null; done
    losetup -l -n -O NAME,BACK-FILE | awk -v s="$SCRATCH" 'index($2, s) == 1 { print $1 }' |
        while read -r l; do losetup -d "$l"; done
    rm -rf --one-file-system "$SCRATCH"
    exit $status
}
trap run_cleanups EXIT
trap 'exit 130' INT TERM HUP

# open_build: let BUILD be a folder whose programs every user may run; a clone below /root is none
open_build() {
    requires setpriv
    chmod 755 "$SCRATCH"
    setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BUILD/vssd" && return
    mkdir "$SCRATCH/build"
    tar -C "$BUILD" --exclude='*.p' -cf - . | tar -C "$SCRATCH/build" -xf -
    chmod -R go+rX "$SCRATCH/build"
    BUILD=$SCRATCH/build PATH=$SCRATCH/build:$PATH
}

# make_fs TYPE SIZE DIR: a file system of TYPE on a loop device, mounted at DIR
make_fs() {
    local type=$1 size=$2 dir=$3 image
    requires "mkfs.$type"
    grep -qw "$type" /proc/filesystems || skip "the kernel has no $type"
    image=$(mktemp "$SCRATCH/$type.XXXXXX.img")
    truncate -s "$size" "$image"
    case $type in
        ext4) mkfs.ext4 -qF "$image" ;;
        *) "mkfs.$type" -qf "$image" >/dev/null ;;
    esac
    mkdir -p "$dir"
    mount -o loop "$image" "$dir" || skip "cannot mount a loop device"
}

# frozen DIR: is the file system at DIR frozen (a write that does not end within a second)?
frozen() {
    local probe="$1/.frozen-probe.$$"
    (: >"$probe") 2>/dev/null &
    local pid=$! i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 $pid 2>/dev/null || { rm -f "$probe"; return 1; }
        sleep 0.1
    done
    return 0
}
