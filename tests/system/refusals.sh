#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What no shadow copy can be made of: memory, FUSE, overlay (S-18). Each says so in words and
# with its exit code (T-5), through every way to ask; and one whose program hangs stops nobody else.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires bindfs
[ -c /dev/fuse ] || skip "the kernel has no FUSE"

make_fs xfs 300M "$SCRATCH/x"
X=$SCRATCH/x
mkdir -p "$X/data" "$X/under" "$SCRATCH"/{fuse,conf,store,merged,up,work,memory}
echo hello >"$X/data/file"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[timeout]\nprobe = 6s\n' \
    "$SCRATCH" "$SCRATCH" >"$SCRATCH/conf/vss.conf"
mount -t tmpfs none "$SCRATCH/memory"

# refused LEAST_S MOST_S WORDS PATH [PATH...]: backup, its plan and shadow create refuse the last path
refused() {
    local least=$1 most=$2 words=$3 out begin code way
    shift 3
    for way in backup plan shadow; do
        begin=$SECONDS code=0
        case $way in
            backup) out=$(timeout 60 vssctl backup --config "$SCRATCH/conf" --to "$SCRATCH/store" "$@" 2>&1) || code=$? ;;
            plan) out=$(timeout 60 vssctl backup --config "$SCRATCH/conf" --to "$SCRATCH/store" --plan "$@" 2>&1) || code=$? ;;
            shadow) out=$(timeout 60 vssctl shadow create --config "$SCRATCH/conf" "${@: -1}" 2>&1) || code=$? ;;
        esac
        [ $code = 2 ] || fail "$way of '$*' ended with $code: $out" # T-5
        # shellcheck disable=SC2053
        [[ $out == *$words* ]] || fail "$way of '$*' said '$out', not '$words'"
        [ $((SECONDS - begin)) -ge "$least" ] && [ $((SECONDS - begin)) -le "$most" ] ||
            fail "$way of '$*' took $((SECONDS - begin)) s"
    done
    [ -z "$(find "$SCRATCH/store" -mindepth 2 -print -quit)" ] || fail "'$*' left something in the store"
}

refused 0 5 "lies on proc, which keeps nothing on a disk*(VSS_E_VOLUME_NOT_SUPPORTED 0x8004230c)" /proc/sys
refused 0 5 "lies on tmpfs, which keeps nothing" "$SCRATCH/memory"
# beside a path that could be copied: no backup of a part of what was asked for
refused 0 5 "lies on tmpfs, which keeps nothing" "$X/data" "$SCRATCH/memory"
if mount -t overlay o -o "lowerdir=$X,upperdir=$SCRATCH/up,workdir=$SCRATCH/work" "$SCRATCH/merged" 2>/dev/null; then
    refused 0 5 "lies on a stacked file system (overlay); back up the folders" "$SCRATCH/merged"
fi

# FUSE, here and below
bindfs "$X/data" "$SCRATCH/fuse"
bindfs "$X/data" "$X/under"
mapfile -t fuse_pids < <(pgrep -f "^bindfs $X/data $SCRATCH/")
[ ${#fuse_pids[@]} = 2 ] || fail "two bindfs should run, not ${fuse_pids[*]}"
cleanup_fn 'kill -KILL "${fuse_pids[@]}"'
refused 0 5 "lies on a file system that a program shows (fuse*back up what the program stores" "$SCRATCH/fuse"
refused 0 5 "lies on a file system that a program shows" "$SCRATCH/fuse/file"
out=$(vssctl backup --config "$SCRATCH/conf" --to "$SCRATCH/store" --plan "$X" 2>&1)
[[ $out == *"'$X/under' below '$X' is left out: a file system that a program shows"* ]] || fail "said '$out'"

# its program hangs: a path on it is refused in time, also behind a link and beside others
kill -STOP "${fuse_pids[@]}"
refused 1 5 "'$SCRATCH/fuse' (fuse*does not answer" "$SCRATCH/fuse"
ln -s "$SCRATCH/fuse/file" "$SCRATCH/link"
begin=$SECONDS code=0
out=$(timeout 60 vssctl backup --config "$SCRATCH/conf" --to "$SCRATCH/store" "$X/data" "$SCRATCH/link" 2>&1) || code=$?
[ $code = 2 ] && [[ $out == *"$SCRATCH/link' cannot be looked at"*"does not answer"* ]] || fail "a link: $code, $out"
[ $((SECONDS - begin)) -le 20 ] || fail "a link: $((SECONDS - begin)) s"
mkdir "$X/more"

# everybody else is served at once, whatever hangs
begin=$SECONDS
vssctl backup --config "$SCRATCH/conf" --to "$SCRATCH/good" --verify --quiet "$X/data" >/dev/null
[ $((SECONDS - begin)) -le 10 ] || fail "a hanging FUSE kept another path waiting for $((SECONDS - begin)) s"
id=$(vssctl shadow create --config "$SCRATCH/conf" "$X" | sed -n 's/^shadow copy //p')
vssctl shadow delete --config "$SCRATCH/conf" "$id" >/dev/null
[ $((SECONDS - begin)) -le 15 ] || fail "shadow create: $((SECONDS - begin)) s"

# many paths in one question, one of which hangs inside the probe (only a link leads it there): that
# one is refused at its deadline, those before and after it are answered
(
    printf 'paths'
    for p in "$X/data" "$SCRATCH/link" "$X/more" /proc "$X"; do printf ' %s' "$p"; done
    echo
) >"$SCRATCH/questions"
begin=$SECONDS
out=$(timeout 60 "$BUILD/tests/requester" "$SCRATCH/conf" <"$SCRATCH/questions" 2>&1)
[ $((SECONDS - begin)) -ge 5 ] && [ $((SECONDS - begin)) -le 12 ] || fail "took $((SECONDS - begin)) s"
expected="0 $X
1 ETIMEDOUT
2 $X
3 VSS_E_VOLUME_NOT_SUPPORTED
4 $X"
[ "$(grep -a '^[0-9] ' <<<"$out" | cut -d' ' -f1,2 | sort)" = "$expected" ] || fail "answered '$out'"
[[ $out == *"looking at '$SCRATCH/link' took longer than 6.0 s"* ]] || fail "said '$out'"
pgrep -f "vss-probe.*$SCRATCH" >/dev/null && fail "a probe was left behind"

# a volume mounted below a file system that hangs cannot be reached; the others are listed
kill -CONT "${fuse_pids[@]}"
mkdir "$X/data/inside"
make_fs ext4 50M "$SCRATCH/fuse/inside"
id=$(vss-probe path "$SCRATCH/fuse/inside" | cut -f3)
[ "$(vss-probe list | cut -f3 | grep -ac "$id")" = 1 ] || fail "a volume below FUSE is a volume"
kill -STOP "${fuse_pids[@]}"
begin=$SECONDS
vss-probe list | cut -f1 | grep -qx "$X" || fail "the list hangs"
out=$(timeout 60 vssctl shadow create --config "$SCRATCH/conf" "$SCRATCH/fuse/inside" 2>&1) && fail "a hanging way"
[[ $out == *"is reached through '$SCRATCH/fuse' (fuse"* ]] || fail "said '$out'"
[ $((SECONDS - begin)) -le 10 ] || fail "took $((SECONDS - begin)) s"
kill -CONT "${fuse_pids[@]}"
umount "$SCRATCH/fuse/inside"

echo "ok"
