#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl restore: what its options tell the writers and where the files then lie; parts of components and what comes along; who is
# refused, with which words, before anything happens.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs btrfs 300M "$SCRATCH/d"
etc=$R/etc D=$SCRATCH/d/data log=$R/log store=$SCRATCH/d/store new=$SCRATCH/d/new
W=c42f9a06-e158-4d3b-b70a-915c6d23f840 X=11112222-3333-4444-5555-666677778888
mkdir -p "$etc/writers.d" "$D"/{app/deep,one/x,two,side,must,base,plain,dull}
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
able="copy, new_target, rollforward, rename, authoritative, restore_with_move"
cat >"$etc/writers.d/main.conf" <<C
[writer]
plugin = test
instance-name = main
[test]
log = $log
schema = $able
[component app]
selectable = yes
files = $D/app/* recursive
depends = $X base
[component one]
logical_path = app
selectable = no
selectable_for_restore = yes
files = $D/one/* recursive
[component two]
logical_path = app
selectable = no
selectable_for_restore = no
files = $D/two/*
[component side]
files = $D/side/*
[component must]
selectable = no
files = $D/must/*
C
cat >"$etc/writers.d/other.conf" <<C
[writer]
plugin = test
[test]
name = Other
id = $X
log = $R/other
schema = copy
[component base]
files = $D/base/*
[component dull]
files = $D/dull/*
C
for f in app/a app/deep/b one/x/c two/d side/e must/f base/g plain/h plain/x=y dull/i; do echo "good $f" >"$D/$f"; done
v() { vssctl "$@" --config "$etc" >"$R/out" 2>"$R/err"; }
r() { v restore --from "$store" "$@"; }
said() { grep -qE -- "$1" "$R/err" "$R/out" || { cat "$R/err" "$R/out"; fail "no '$1'"; }; }
heard() { grep -qE -- "$1" "$log" || { cat "$log"; fail "the writer did not hear '$1'"; }; }
v backup --to "$store" --all-components "$D/plain" || fail "no backup: $(cat "$R/err")"
cp -a "$D" "$R/good"
bad() { rm -rf "$D" "$new"; cp -a "$R/good" "$D"; find "$D" -type f -exec sh -c 'for f; do echo bad >"$f"; done' _ {} +; rm -f "$log" "$R/other"; rm -rf "$R/bad"; cp -a "$D" "$R/bad"; }
# only NAMES...: exactly these files are back
only() {
    local want got
    want=$(printf '%s\n' "$@" | sort)
    got=$(cd "$D" && { grep -rl '^good' . || true; } | sed 's|^\./||' | sort)
    [ "$got" = "$want" ] || fail "back are: $got; and not: $want"
}
# refused WORDS ARGUMENTS...: exit 1 or 2, nothing changed, nobody told
refused() {
    local words=$1 code=0; shift
    bad
    r "$@" || code=$?
    [ $code = 1 ] || [ $code = 2 ] || fail "exit $code: $*"
    said "$words"
    diff -r "$R/bad" "$D" && [ ! -e "$new" ] || fail "changed: $*"
    [ ! -e "$log" ] || ! grep -q pre_restore "$log" || fail "the writer heard of it: $*"
}

echo "-- a component: with what it needs and what its writer requires, each with words (R-22, R-26, R-27)"
bad; r --in-place --component app || fail "$(cat "$R/err")"
only app/a app/deep/b one/x/c two/d must/f base/g
said "component 'must' comes along: it is required by its writer 'Test Writer' \(R-26\)"
said "component 'base' comes along: it is needed by 'app' \(R-27\)"
heard 'selected app yes'; heard 'selected must yes'; heard 'selected side no'
grep -q 'selected base yes' "$R/other" || fail "the other writer heard nothing"
bad; r --into "$new" --component app || fail "$(cat "$R/err")"
[ "$(cat "$new$D/app/a")" = "good app/a" ] && [ ! -e "$new$D/base" ] || fail "beside"
[ ! -e "$log" ] || ! grep -q restore "$log" || fail "beside tells nobody (R-39)"

echo "-- a part of it, which finds what it is part of (R-23, R-80); one that does not come alone"
bad; r --in-place --component 'app\one' || fail "$(cat "$R/err")"
only one/x/c must/f
heard 'selected app yes'; heard 'subcomponent app app\\one'
bad; r --into "$new" --component "$W:app\\one" || fail "$(cat "$R/err")"
[ "$(cd "$new" && find . -type f | wc -l)" = 1 ] && cmp "$R/good/one/x/c" "$new$D/one/x/c" || fail "beside: $(find "$new")"
bad; r --in-place --component 'app\one' --component app || fail "$(cat "$R/err")"
only app/a app/deep/b one/x/c two/d must/f base/g
refused "'app.two' does not come back alone.*part of 'app'" --in-place --component 'app\two'
refused "no such component.*'app.three'" --in-place --component 'app\three'

echo "-- the same path by option and as operand"
bad; r --in-place --path "$D/plain/h" "$D/side" || fail "$(cat "$R/err")"
only plain/h side/e
refused "no such path.*plain/none" --in-place --path "$D/plain/none"
refused 'name paths as they were' --in-place --path plain

bad; r --in-place --json --component side --keep-existing "$D/side" || fail "$(cat "$R/err")"
said '"record":"file","component":"side","path":"'"$D/side/e"'","placed":"'"$D/side/e"'","outcome":"kept"'; said '"placed":0,"replaced":0,"kept":1'
bad; rm "$D/plain/h"; r --in-place --json "$D/side" "$D/plain" || fail "$(cat "$R/err")"
for f in side/e plain/x=y; do said '"path":"'"$D/$f"'","placed":"'"$D/$f"'","outcome":"replaced"'; done
said '"path":"'"$D/plain/h"'","placed":"'"$D/plain/h"'","outcome":"placed"'; said '"placed":4,"replaced":2,"kept":0'
bad; r --in-place "$D/plain" || fail "$(cat "$R/err")"
said '^restored 3 entries.*; 2 replaced what was there$'
bad; r --target "$new" --json --component side || fail "$(cat "$R/err")"
said '"record":"file","component":"side","path":"'"$D/side/e"'","placed":"'"$new/e"'","outcome":"placed"'

echo "-- a new target: all of a component, a folder of it, plain files (R-82, R-91, R-94, R-95)"
bad; r --target "$new" --component side || fail "$(cat "$R/err")"
[ "$(cat "$new/e")" = "good side/e" ] || fail "not there: $(find "$new")"
only ; heard 'restoring side .*new_targets=1'; heard 'status side 2'; heard "target side .*$new"
bad; r --target "$new" --component app || fail "$(cat "$R/err")"
[ "$(cd "$new" && cat app/a app/deep/b one/x/c two/d)" = "$(cd "$R/good" && cat app/a app/deep/b one/x/c two/d)" ] || fail "$(find "$new")"
only ; heard 'restoring app .*new_targets=3'
bad; r --target "$D/app=$new/1" --target "$D/one=$new/2" --component app --in-place || fail "$(cat "$R/err")"
[ "$(cd "$new" && cat 1/a 1/deep/b 2/x/c)" = "$(cd "$R/good" && cat app/a app/deep/b one/x/c)" ] || fail "$(find "$new")"
only two/d must/f base/g
bad; r --target "$D/plain=$new/p" || fail "$(cat "$R/err")"
[ "$(cat "$new/p/h")" = "good plain/h" ] || fail "$(find "$new")"; only
bad; (cd "$SCRATCH/d" && r --target "$D/plain=$new" "$D/plain/x=y"); [ "$(cat "$new/x=y")" = "good plain/x=y" ] && [ ! -e "$new/h" ] || fail "a path"
bad; (cd "$SCRATCH/d" && r --target ./new --component side); [ "$(cat "$new/e")" = "good side/e" ] || fail "a relative one"
refused "the writer of 'dull' cannot have it at another place" --target "$new" --component dull
refused "'app' has files in '$D/one', too" --target "$D/app=$new" --component app
refused "nothing of 'side' lies below the paths and targets" --target "$D/app=$new" --target "$D/one=$new/1" --target "$D/two=$new/2" --component side --component app
refused "has no target" --target "$D/app=$new" "$D/side"
refused 'say what goes there' --target "$new"
refused 'two targets for' --target "$D/app=$new/1" --target "$D/app=$new/2"
refused 'name the old folder as it was' --target "/a//b=$new"
refused 'on' --target "$new" --into "$new/into" --component side

echo "-- words for the writer (R-42, R-43), another name (R-46), logs (R-45), peers (R-47); images of a chain hear them alike"
bad; r --in-place --component side --restore-option '"a"="b"' --rename 'side-two' --roll-forward 'half past' --authoritative || fail "$(cat "$R/err")"
only side/e must/f
heard 'restoring side .*options="a"="b" name=side-two authoritative=yes roll_forward=3:half past'
heard 'restoring must .*options=- name=- authoritative=no roll_forward=0:-'
bad; r --in-place --component side --roll-forward all; heard 'restoring side .*roll_forward=2:-'
bad; r --in-place --component side --roll-forward none; heard 'restoring side .*roll_forward=1:-'
bad; r --in-place --component dull --authoritative || fail "$(cat "$R/err")"
said "the writer of 'dull' does not say that it knows --authoritative; it is told"
grep -q 'restoring dull .*authoritative=yes' "$R/other" || fail "not told"
refused "does not say that it knows --rename, and without it the restore would replace" --in-place --component dull --rename x
refused 'option' --in-place --component side --restore-option 'no grammar'
refused 'for one component, not for 2' --in-place --component side --component app --rename x
refused 'say of which component' --in-place --rename x
refused 'only once|--roll-forward once' --in-place --roll-forward all --roll-forward none
refused 'for writers, and --into tells none' --into "$new" --component side --rename x

echo "-- a writer that does not run cannot do what only it can"
mv "$etc/writers.d/main.conf" "$R/main.conf"
refused 'its writer does not run here, and only the writer' --target "$new" --component side
mv "$R/main.conf" "$etc/writers.d/main.conf"

echo "-- into another instance, by name and by id (R-29); without one into that of the same name (R-30)"
instance() { # instance NAME [COMPONENT]
    cat >"$etc/writers.d/$1.conf" <<C
[writer]
plugin = test
instance-name = $1
[test]
log = $R/$1
schema = $able
[component ${2:-own-$1}]
files = $D/side/*
C
    rm -f "$R/$1"
}
mv "$etc/writers.d/main.conf" "$R/main.conf"; mv "$etc/writers.d/other.conf" "$R/other.conf"
instance red one; instance blue two
v backup --to "$store" --all-components || fail "no backup: $(cat "$R/err")"
told() { [ "$(cd "$R" && grep -lE "selected $1 yes" red blue 2>/dev/null)" = "$2" ] || fail "of $1 heard: $(grep -E selected "$R/red" "$R/blue")"; }
for c in "one blue" "two red"; do
    instance red one; instance blue two; bad; r --in-place --component "${c% *}" --instance "${c#* }" || fail "$(cat "$R/err")"
    told $c
done
instance red; instance blue
for c in "one red" "two blue"; do
    rm -f "$R/red" "$R/blue"; bad; r --in-place --component "${c% *}" || fail "$(cat "$R/err")"
    told $c
done
log=$R/red
refused "no running instance 'third'; there are: ('red', 'blue'|'blue', 'red')" --in-place --component one --instance third
sed -i 's/restore_with_move/parallel/' "$etc/writers.d/"*.conf
v backup --to "$store" --all-components || fail "no backup: $(cat "$R/err")"
refused "the writer of 'own-red' cannot restore it into another instance" --in-place --component own-red --instance blue

echo "all well"
