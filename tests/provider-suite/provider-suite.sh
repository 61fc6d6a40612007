#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# provider-suite.sh SCENARIO: the provider suite on file systems that suit the provider.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

suite=$BUILD/tests/provider-suite/provider-suite
# shellcheck disable=SC2054
state=(state_dir="$SCRATCH/state")
run() { # PROVIDER ARGUMENTS...
    local plugin=$BUILD/providers/$1.so
    shift
    "$suite" "$plugin" "$@"
}
rules() { # PROVIDER ARGUMENTS...: what every provider must stand
    local plugin=$BUILD/providers/$1.so
    shift
    vss-provider-suite "$plugin" "$@" >"$SCRATCH/told" || { cat "$SCRATCH/told"; fail "a rule is broken"; }
    grep -q '^1[0-9] scenarios held, 0 broken\|^2[0-9] scenarios held, 0 broken' "$SCRATCH/told" || { cat "$SCRATCH/told"; fail "too few scenarios"; }
}
set_state=(--set state_dir="$SCRATCH/state")
subvolume() { btrfs -q subvolume create "$1" >/dev/null || fail "cannot make a subvolume $1"; }

case $1 in
    memory)
        # its copy is the live mount: it holds what is left of the rules then
        make_fs ext4 64M "$SCRATCH/m"
        only=()
        for scenario in settings life paths quick deletion aborted another-set unloaded given-up killed-after-steps killed-anywhere; do
            only+=(--only "$scenario")
        done
        rules memory "${only[@]}" --set hold=none "$SCRATCH/m"
        rules memory "${only[@]}" --set hold=freeze --set instant=one --set volumes="/x,$SCRATCH/m" "$SCRATCH/m"
        run memory -m "$SCRATCH/m" faults
        ;;
    btrfs)
        make_fs btrfs 512M "$SCRATCH/b"
        rules btrfs "${set_state[@]}" "$SCRATCH/b"
        run btrfs "${state[@]}" -m "$SCRATCH/b" common btrfs
        ;;
    btrfs-subvolume)
        # only a subvolume is mounted: copies lie in it, and in its own copies as an empty folder
        make_fs btrfs 512M "$SCRATCH/top"
        subvolume "$SCRATCH/top/@"
        subvolume "$SCRATCH/top/@/nested"
        loop=$(findmnt -no SOURCE "$SCRATCH/top" | sed 's/\[.*//')
        mkdir "$SCRATCH/s"
        mount -o subvol=@ "$loop" "$SCRATCH/s"
        run btrfs "${state[@]}" -m "$SCRATCH/s" -s @ -m "$SCRATCH/s/nested" -s @/nested -a "$SCRATCH/top" nested
        [ -d "$SCRATCH/top/.vss" ] || fail "P-64: the top level was reachable"
        umount "$SCRATCH/top"
        run btrfs "${state[@]}" -m "$SCRATCH/s" -s @ -m "$SCRATCH/s/nested" -s @/nested nested
        rules btrfs "${set_state[@]}" "$SCRATCH/s" "$SCRATCH/s/nested"
        [ -d "$SCRATCH/s/.vss" ] || fail "P-64: the subvolume itself"
        btrfs -q subvolume delete "$SCRATCH/s/nested" >/dev/null
        run btrfs "${state[@]}" -m "$SCRATCH/s" -s @ common btrfs
        ;;
    btrfs-refusals)
        make_fs btrfs 256M "$SCRATCH/b"
        dd if=/dev/zero of="$SCRATCH/b/fill" bs=1M 2>/dev/null || true
        sync -f "$SCRATCH/b"
        run btrfs "${state[@]}" -m "$SCRATCH/b" full
        make_fs btrfs 256M "$SCRATCH/ro"
        mount -o remount,ro "$SCRATCH/ro"
        run btrfs "${state[@]}" -m "$SCRATCH/ro" read-only
        ;;
    btrfs-user)
        chmod 755 "$SCRATCH"
        mkdir -m 777 "$SCRATCH/state"
        for which in may not; do
            make_fs btrfs 256M "$SCRATCH/$which"
            subvolume "$SCRATCH/$which/home"
            chown 4242:4242 "$SCRATCH/$which/home"
        done
        mount -o remount,user_subvol_rm_allowed "$SCRATCH/may"
        run btrfs "${state[@]}" -m "$SCRATCH/may/home" -s home user
        run btrfs "${state[@]}" -m "$SCRATCH/not/home" -s home user
        ;;
    mirror-xfs)
        make_fs xfs 512M "$SCRATCH/x"
        rules mirror "${set_state[@]}" "$SCRATCH/x"
        run mirror "${state[@]}" -m "$SCRATCH/x" common mirror
        ;;
    mirror-btrfs)
        make_fs btrfs 512M "$SCRATCH/b"
        rules mirror "${set_state[@]}" "$SCRATCH/b"
        run mirror "${state[@]}" -m "$SCRATCH/b" common mirror
        ;;
    mirror-ext4)
        make_fs ext4 512M "$SCRATCH/e"
        make_fs ext4 512M "$SCRATCH/area"
        rules mirror "${set_state[@]}" --set area="$SCRATCH/area" --place "$SCRATCH/area" "$SCRATCH/e"
        run mirror "${state[@]}" area="$SCRATCH/area" -a "$SCRATCH/area" -m "$SCRATCH/e" common mirror
        mkdir "$SCRATCH/e/area"
        run mirror "${state[@]}" area="$SCRATCH/e/area" -a "$SCRATCH/e/area" -m "$SCRATCH/e" inside
        ;;
    mirror-user)
        make_fs ext4 64M "$SCRATCH/e"
        chmod 755 "$SCRATCH"
        mkdir -m 777 "$SCRATCH/state"
        run mirror "${state[@]}" area="$SCRATCH/state" -a "$SCRATCH/state" -m "$SCRATCH/e" mirror-user
        make_fs xfs 512M "$SCRATCH/x"
        chown 4242:4242 "$SCRATCH/x"
        run mirror "${state[@]}" -m "$SCRATCH/x" mirror-user
        ;;
    mirror-refusals)
        make_fs ext4 256M "$SCRATCH/e"
        make_fs ext4 32M "$SCRATCH/area"
        run mirror "${state[@]}" area="$SCRATCH/area" -a "$SCRATCH/area" -m "$SCRATCH/e" room
        rm "$SCRATCH/e/big"
        run mirror "${state[@]}" area="$SCRATCH/area" min_free=1KB -a "$SCRATCH/area" -m "$SCRATCH/e" fills
        make_fs xfs 512M "$SCRATCH/x"
        run mirror "${state[@]}" max_last_round=1ms -m "$SCRATCH/x" slow
        fallocate -l 600M "$SCRATCH/x/fill" 2>/dev/null || dd if=/dev/zero of="$SCRATCH/x/fill" bs=1M 2>/dev/null || true
        run mirror "${state[@]}" -m "$SCRATCH/x" full
        mount -o remount,ro "$SCRATCH/e"
        run mirror "${state[@]}" area="$SCRATCH/nowhere" -m "$SCRATCH/e" read-only
        ;;
    *) fail "unknown scenario $1" ;;
esac
