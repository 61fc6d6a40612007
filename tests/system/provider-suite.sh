#!/bin/bash
# vss-provider-suite as an author of a provider runs it: the example holds every rule, each fault of
# a faulty one is found under its rule.
. "$(dirname "$0")/../functions.sh"

make_fs ext4 128M "$SCRATCH/one"
make_fs xfs 512M "$SCRATCH/two"
make_fs ext4 64M "$SCRATCH/copies"
chmod 700 "$SCRATCH/copies"
export VSS_FAULTY_INNER=$BUILD/examples/plaincopy.so VSS_FAULTY_COPIES=$SCRATCH/copies
suite() { # PLUGIN ARGUMENTS...
    local plugin=$1
    shift
    timeout 200 vss-provider-suite --set folder="$SCRATCH/copies" --place "$SCRATCH/copies" \
        --unsupported "$SCRATCH/copies" "$@" "$plugin" "$SCRATCH/one" "$SCRATCH/two"
}

suite "$VSS_FAULTY_INNER" >"$SCRATCH/out" || { cat "$SCRATCH/out"; fail "the example breaks a rule"; }
cat "$SCRATCH/out"
grep -q '^19 scenarios held, 0 broken, 3 skipped$' "$SCRATCH/out" || fail "not all scenarios ran"
for dir in one two copies; do
    left=$(find "$SCRATCH/$dir" -mindepth 1 ! -name lost+found)
    [ -z "$left" ] || fail "the suite leaves '$left'"
done

# finds FAULT SCENARIO WORDS [OPTION...]: the fault is found in this scenario, and told so
finds() {
    local fault=$1 scenario=$2 expected=$3 status=0
    shift 3
    VSS_FAULTY=$fault suite "$BUILD/tests/provider-suite/faulty.so" --only "$scenario" "$@" >"$SCRATCH/out" 2>&1 || status=$?
    [ $status = 1 ] || { cat "$SCRATCH/out"; fail "with fault '$fault' it exits $status"; }
    grep -qE "^BROKEN +$scenario +$expected" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "fault '$fault' is not told as $expected"; }
    rm -rf "$SCRATCH"/one/litter-* "$SCRATCH"/two/litter-* "$SCRATCH"/copies/*-*
}
finds no-id operations 'P-10: '
finds not-in-words settings 'P-41: '
finds takes-any settings 'P-40: '
finds yes-to-all supported 'P-2: '
finds silent-no unsupported 'P-2: '
finds s-false life 'P-40: .*S_FALSE'
finds odd-code life 'P-40: '
finds dies life 'S-20: the process died \(signal 6\) in commit_snapshots'
finds hangs life 'S-20: commit_snapshots does not come to its end' --timeout 3
finds early life 'P-33: '
finds other-set life 'S-65: '
finds shows-nothing life 'S-65: '
finds litter life 'S-70: .*litter.* is left behind'
finds other-times several 'S-33: '
finds late writers 'P-(90|4): '
finds original writers 'P-4: the copy follows'
finds slow quick 'S-20: '
finds miscounts deletion 'S-70: '
finds hurts-younger deletion 'S-72: '
finds ruthless busy 'S-71: '
finds ignores-abort aborted 'S-40: '
finds once another-set 'P-30: '
finds ignores-abort unloaded 'P-12: '
finds ignores-abort given-up 'P-32: '
finds ignores-abort killed-after-steps 'S-47: '
finds aborts-all aborted 'S-43: '
finds aborts-all survival 'S-63: '
finds forgetful survival 'S-62: '

# what cannot be run is told, and is no verdict
status=0; vss-provider-suite "$VSS_FAULTY_INNER" "$SCRATCH/one/." --set folder=/nonexistent >"$SCRATCH/out" 2>&1 || status=$?
[ $status = 2 ] && grep -q "^skipped .*'folder=/nonexistent' is refused" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "a bad setting: $status"; }
for bad in "$VSS_FAULTY_INNER $SCRATCH" "$VSS_FAULTY_INNER" "--only nonsense x.so /" "/etc/passwd $SCRATCH/one"; do
    # shellcheck disable=SC2086
    status=0; vss-provider-suite $bad >"$SCRATCH/out" 2>&1 || status=$?
    [ $status = 2 ] || { cat "$SCRATCH/out"; fail "'$bad' exits $status"; }
done

echo "the suite holds the example good and finds every fault"
