#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A file that was a component's in an earlier image of a chain and is the requester's own by now: a
# restore of the chain brings the newest, whoever had it when.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3
umask 022

B=$SCRATCH/b etc=$SCRATCH/etc W=c42f9a06-e158-4d3b-b70a-915c6d23f840
make_fs btrfs 400M "$B"
mkdir -p "$etc/writers.d" "$B/k" "$B/own/set" "$B/away"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"

writer() {
    { printf '[writer]\nplugin = test\n[test]\nlog = %s/log\nschema = incremental, copy\n[component c]\n' "$SCRATCH"; cat; } >"$etc/writers.d/test.conf"
}
runs=0
store() { store=$SCRATCH/store-$((++runs)); }
whole() {
    vssctl backup --config "$etc" --to "$store" --json "$@" --component "$W:c" "$B/own" >"$SCRATCH/out" 2>"$SCRATCH/err" ||
        { cat "$SCRATCH/out" "$SCRATCH/err"; fail "backup $*"; }
}
restored() { # restored [OPTIONS]
    rm -rf "$SCRATCH/r"
    vssctl restore --config "$etc" --from "$store" --into "$SCRATCH/r" "$@" >"$SCRATCH/restore" 2>&1 || { cat "$SCRATCH/restore"; fail "restore"; }
}
is() { [ "$(cat "$SCRATCH/r$1")" = "$2" ] || fail "'$(cat "$SCRATCH/r$1")' instead of '$2' in $1 ($at)"; }
one_range() { # one_range OFFSET LENGTH: a ranges file, below 10
    # shellcheck disable=SC2059 # digits of an escape
    printf "\\x01\\0\\0\\0\\0\\0\\0\\0\\x0$1\\0\\0\\0\\0\\0\\0\\0\\x0$2\\0\\0\\0\\0\\0\\0\\0" >"$B/own/r"
}
same() { cmp "$B/own/r" "$SCRATCH/r$B/own/r" || fail "the ranges file is an older one ($at)"; }
by_file() { printf 'files = %s/k/p\npartial = %s/k/p %s/own/r\n' "$B" "$B" "$B" | writer; }
by_list() { printf 'files = %s/k/p\npartial = %s/k/p 0:2\n' "$B" "$B" | writer; }
skipping() { printf 'files = %s/k/p mask=0x0101\n' "$B" | writer; }

for option in "" --no-delta; do
    echo "-- I-128, I-187: what was a ranges file and is the requester's own now ${option:-with change knowledge}"
    store; at="full $option"; echo 0123456789 >"$B/k/p"; one_range 1 1; by_file; whole $option; restored; same
    at="component's $option"; one_range 2 2; whole --type incremental $option; restored; same
    at="own $option"; by_list; one_range 3 3; whole --type incremental $option; restored; same
    at="own, again $option"; one_range 4 4; whole --type incremental $option; restored; same
    at="nothing read for the component $option"; skipping; one_range 4 5; whole --type incremental $option; restored; same
    at="component's, again $option"; by_file; one_range 5 1; whole --type incremental $option; restored; same
    # as it is, and nobody looks: the component's is what there is
    at="own, unchanged $option"; skipping; whole --type incremental $option; restored; same
    at="own, changed at last $option"; one_range 6 1; whole --type incremental $option; restored; same
    restored --component c; [ ! -e "$SCRATCH/r$B/own/r" ] || fail "it comes back with the component, which has it no more"
    vssctl verify --from "$store" >/dev/null || fail "verify"
    # right from the component to nobody's component, in one step
    store; at="at once $option"; one_range 1 1; by_file; whole $option; whole --type incremental $option
    skipping; one_range 2 1; whole --type incremental $option; restored; same
    # its last owner keeps it where the new one has nothing of it: deleted, it comes back (I-189)
    store; by_file; whole $option; whole --type incremental $option; by_list; rm "$B/own/r"
    whole --type incremental $option; restored; [ -e "$SCRATCH/r$B/own/r" ] || fail "a deleted file of a component does not come back"
done

echo "-- a file set that the writer declares no more; a folder of it too"
wide() { printf 'files = %s/k/p\nfiles = %s/own/set/* recursive\nfiles = %s/away/*\n' "$B" "$B" "$B" | writer; }
narrow() { printf 'files = %s/k/p\n' "$B" | writer; }
store; at="the writer's"; mkdir -p "$B/own/set/deep"; echo one >"$B/own/set/x"; echo one >"$B/own/set/deep/y"; echo one >"$B/away/z"
chmod 755 "$B/own/set/deep"; wide; whole; restored; is "$B/own/set/x" one
of_writer=$(cd "$store" && echo 2*)
at="own"; narrow; echo two >"$B/own/set/x"; echo two >"$B/own/set/deep/y"; chmod 750 "$B/own/set/deep"
whole --type incremental; restored; is "$B/own/set/x" two; is "$B/own/set/deep/y" two; is "$B/away/z" one
[ "$(stat -c %a "$SCRATCH/r$B/own/set/deep")" = 750 ] || fail "an older mode"
at="the writer's again"; wide; echo three >"$B/own/set/x"; whole --type incremental; restored
is "$B/own/set/x" three; is "$B/own/set/deep/y" two
vssctl verify --from "$store" >/dev/null || fail "verify"

echo "-- into place, image by image (I-185): no earlier one over what is the requester's own"
in_place() { # in_place SET
    rm -rf "$B/own/set" "$B/away"
    vssctl restore --config "$etc" --from "$store" --set "$1" --in-place >"$SCRATCH/restore" 2>&1 || { cat "$SCRATCH/restore"; fail "in place"; }
    rm -rf "$SCRATCH/r"; mkdir -p "$SCRATCH/r$B"; cp -a "$B/own" "$B/away" "$SCRATCH/r$B"
}
at="own, in place"; set=$(cd "$store" && echo 2*); set=${set#"$of_writer "}; in_place "${set%% *}"
grep -q 'c: image 2 of 2' "$SCRATCH/restore" || fail "at once: $(cat "$SCRATCH/restore")"
is "$B/own/set/x" two; is "$B/own/set/deep/y" two; is "$B/away/z" one
[ "$(stat -c %a "$B/own/set/deep")" = 750 ] || fail "an older mode"
at="the writer's again, in place"; in_place latest
is "$B/own/set/x" three; is "$B/own/set/deep/y" two

echo "-- I-189, IV-115: a file deleted between images comes back with its component, and stays away as the requester's own"
printf 'files = %s/k/*\n' "$B" | writer; echo mine >"$B/own/gone"; echo theirs >"$B/k/gone"; echo p >"$B/k/p"
store; whole; rm "$B/own/gone" "$B/k/gone"; whole --type incremental; restored
[ -e "$SCRATCH/r$B/k/gone" ] || fail "a component's deleted file stayed away"
[ ! -e "$SCRATCH/r$B/own/gone" ] || fail "an own deleted file came back"
echo ok
