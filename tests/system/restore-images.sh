#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl restore --in-place with writers: one restore operation for each image of a chain, with its own document, stamps and flags
# (I-185, I-186, R-140..R-145), and what becomes of a chain that is stopped, killed, damaged or has a gap.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs btrfs 400M "$SCRATCH/d" # ranges go into a clone there; on tmpfs into the file itself
etc=$R/etc B=$SCRATCH/d/b log=$R/log store=$SCRATCH/d/store
mkdir -p "$etc/writers.d" "$B"/{app,side,bad}
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
writer() { # writer STAMP [LINES]: three components; app has a partial file
    cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $log
schema = incremental, differential, copy, timestamped
${2:-}
[component app]
files = $B/app/pages mask=0x0f01
files = $B/app/*.txt
partial = $B/app/pages 4096:4096
stamp = app-$1
[component side]
files = $B/side/*
stamp = side-$1
[component bad]
files = $B/bad/*
stamp = bad-$1
C
}
v() { vssctl "$@" --config "$etc" >"$R/out" 2>&1; }
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
pages() { python3 -c 'import sys; sys.stdout.write("a" * 4096 + sys.argv[1] * 4096 + "a" * 4096)' "$1"; }
declare -A set_of
state() { # state NAME TYPE PAGE: the application works on, and is backed up
    pages "$3" >"$B/app/pages"
    echo "$1" | tee "$B/app/all.txt" "$B/side/file" "$B/bad/file" "$B/app/since-$1.txt" >/dev/null
    [ "$1" = F ] || rm -f "$B/app/since-F.txt" # a deletion between images
    writer "$1"
    v backup --to "$store" --type "$2" --all-components || fail "no $1: $(cat "$R/out")"
    set_of[$1]=$(cd "$store" && echo 2*); set_of[$1]=${set_of[$1]##* }
    cp -a "$B" "$R/at-$1"
}
other() { rm -rf "$B"; mkdir -p "$B"/{app,side,bad}; pages z >"$B/app/pages"; echo old | tee "$B/app/all.txt" "$B/side/file" >"$B/bad/file"; rm -f "$log"; }
# heard: what component $1 was told, "event additional stamp previous status" in order
heard() {
    awk -v name="$1" '$3 ~ /^(pre|post)_restore$/ { event = $3 }
        $3 == "component" && $4 == name { for (i = 5; i <= NF; i++) { split($i, p, "="); f[p[1]] = p[2] } }
        $3 == "status" && $4 == name { status = $5 }
        $3 == "selected" && $4 == name { selected = $5 }
        $3 == "restoring" && $4 == name && selected == "yes" { print event, $5, f["stamp"], f["previous"], (event == "post_restore" ? status : "") }' "$log"
}
is() { [ "$2" = "$3" ] || fail "$1: $(diff <(echo "$3") <(echo "$2"))"; }


state F full b; state I1 incremental c; state I2 incremental d
chain_events() { # what a component hears of a chain up to $2
    printf 'pre_restore additional=yes %s-F - \npost_restore additional=yes %s-F - 2\n' "$1" "$1"
    printf 'pre_restore additional=yes %s-I1 %s-F \npost_restore additional=yes %s-I1 %s-F 2\n' "$1" "$1" "$1" "$1"
    [ "${2:-}" = I1 ] || printf 'pre_restore additional=no %s-I2 %s-I1 \npost_restore additional=no %s-I2 %s-I1 2\n' "$1" "$1" "$1" "$1"
}
complete() { # all is that of $1, and what was deleted on the way is back (I-189)
    [ "$1" = F ] || cp "$R/at-F/app/since-F.txt" "$R/at-$1/app/"
    diff -r "$R/at-$1" "$B" || fail "not as in $1"
    rm -f "$R/at-I1/app/since-F.txt" "$R/at-I2/app/since-F.txt"
    [ -z "$(find "$B" -name '.vss-restore-*')" ] || fail "left behind"
}

echo "-- each image: its document, PreRestore, its files and no others, PostRestore (I-185, I-186, R-140..R-143, R-145, R-147)"
other
writer x 'delay = post_restore 2s'
v restore --from "$store" --in-place & pid=$!
for n in 1 2 3; do # the application's files while the writer hears that an image is in place
    for ((i = 0; i < 300; i++)); do [ "$(grep -c ' post_restore ' "$log" 2>/dev/null)" = $n ] && break; sleep 0.02; done
    cp -a "$B" "$R/after-$n"
done
wait $pid || fail "restore: $(cat "$R/out")"
cp "$R/at-F/app/since-F.txt" "$R/at-I1/app/"; cp "$R/at-F/app/since-F.txt" "$R/at-I2/app/"
for n in "1 F" "2 I1" "3 I2"; do diff -r "$R/at-${n#* }" "$R/after-${n% *}" || fail "image ${n% *} is not ${n#* }"; done
for c in app side bad; do is "what $c heard" "$(heard $c)" "$(chain_events $c)"; done
[ "$(grep -c ' pre_restore ' "$log")" = 3 ] || fail "not one bracket per image"
complete I2
for n in "1 of 3, ${set_of[F]}" "2 of 3, ${set_of[I1]}" "3 of 3, ${set_of[I2]}"; do said "note: app: image $n\$"; done
writer x

echo "-- the image before, the full one alone; a path of a component; a component alone"
other; v restore --from "$store" --in-place --set "${set_of[I1]}"; complete I1
other; v restore --from "$store" --in-place --set "${set_of[F]}"; complete F
is "the full one alone" "$(heard app)" $'pre_restore additional=no app-F - \npost_restore additional=no app-F - 2'
other; v restore --from "$store" --in-place "$B/app/pages"
cmp "$R/at-I2/app/pages" "$B/app/pages"; [ "$(cat "$B/app/all.txt")" = old ] || fail "another path"
is "a path" "$(heard app)" $'pre_restore additional=no app-I2 app-I1 \npost_restore additional=no app-I2 app-I1 3'; is "others" "$(heard side)" ""

echo "-- what exists is kept: no base may come between, so the chain comes at once"
other; v restore --from "$store" --in-place --keep-existing
is "kept" "$(heard app)" $'pre_restore additional=no app-I2 app-I1 \npost_restore additional=no app-I2 app-I1 3'
[ "$(cat "$B/app/all.txt" "$B/app/since-I1.txt" "$B/app/since-I2.txt")" = $'old\nI1\nI2' ] || fail "kept"

echo "-- nobody there to hear it: each file at once in its last state (R-35, R-37)"
other; rm "$etc/writers.d/test.conf"; v restore --from "$store" --in-place
said 'app: image 3 of 3 with all before it'
[ "$(grep -c 'does not run here' "$R/out")" = 3 ] || fail "once per component: $(cat "$R/out")"
complete I2

echo "-- a writer that refuses, or is not content, at an image: that component stops, others go on (R-13, R-100, R-144)"
fails() { # fails EVENT ONLY_AT: component bad fails when its stamp is that
    writer x; sed -i "s/^stamp = bad-x/&\nfail = VSS_E_WRITERERROR_NONRETRYABLE $1/" "$etc/writers.d/test.conf"
    other
    code=0; v restore --from "$store" --in-place || code=$?
    [ $code != 0 ] || fail "exit 0: $(cat "$R/out")"
    for c in app side; do is "what $c heard" "$(heard $c)" "$(chain_events $c)"; diff -r "$R/at-I2/side" "$B/side"; done
}
fails pre_restore
said "'bad' is not restored: nothing of it is changed: the writer refuses"
is "bad" "$(heard bad)" $'pre_restore additional=yes bad-F - \npost_restore additional=yes bad-F - 1'
[ "$(cat "$B/bad/file")" = old ] || fail "bad was touched"
fails post_restore
said "'bad' is not restored: .*not content.*; it stops at image 1 of 3 \(${set_of[F]}\).*same command again"
is "bad" "$(heard bad)" $'pre_restore additional=yes bad-F - \npost_restore additional=yes bad-F - 2'
[ "$(cat "$B/bad/file")" = F ] || fail "bad went on"
writer x; v restore --from "$store" --in-place; complete I2

echo "-- a file of an image cannot be put: stopped there, told with more to come (R-144, R-100)"
other; mkdir "$B/app/since-I1.txt"; touch "$B/app/since-I1.txt/x" # a folder where a file belongs
v restore --from "$store" --in-place && fail "exit 0"
said "'app' is not restored: .*stops after image 1 of 3 \(${set_of[F]}\)"
is "app" "$(heard app)" "$(chain_events app I1 | sed '$s/2$/1/')"
is "side" "$(heard side)" "$(chain_events side)"
[ "$(cat "$B/app/all.txt" "$B/side/file")" = $'F\nI2' ] || fail "which image is it?"
rm -r "$B/app/since-I1.txt"; v restore --from "$store" --in-place; complete I2

echo "-- told to end, and killed, between two images; then once more: the same end (R-13, R-101)"
for signal in TERM KILL; do
    other; writer x 'delay = post_restore 500ms'
    vssctl restore --from "$store" --in-place --config "$etc" >"$R/out" 2>&1 & pid=$!
    for ((i = 0; i < 300; i++)); do grep -q ' post_restore ' "$log" 2>/dev/null && break; sleep 0.02; done
    kill -$signal $pid; wait $pid 2>/dev/null || true
    if [ $signal = TERM ]; then
        for c in app side bad; do said "$c: stops after image 1 of 3"; done
        is "app" "$(heard app)" "$(chain_events app | head -n 2)"
    fi
    cmp "$R/at-F/app/pages" "$B/app/pages" || fail "not at the first image"
    for ((i = 0; i < 100; i++)); do pgrep -f "$etc" >/dev/null || break; sleep 0.05; done # those of the killed one
    writer x; rm "$log"; v restore --from "$store" --in-place || fail "again: $(cat "$R/out")"
    complete I2; is "app" "$(heard app)" "$(chain_events app)"
done
for _ in 1 2 3 4 5 6; do
    vssctl restore --from "$store" --in-place --config "$etc" >"$R/out" 2>&1 & pid=$!
    sleep 0.0$((RANDOM % 90 + 10)); kill -KILL $pid 2>/dev/null || true; wait $pid 2>/dev/null || true
done
v restore --from "$store" --in-place || fail "again: $(cat "$R/out")"; complete I2

echo "-- a gap is refused before anybody hears of it (I-188), and so is a document that cannot be read"
refused() { # refused WORDS
    other; cp -a "$B" "$R/before"
    v restore --from "$store" --in-place && fail "exit 0"
    said "$1"; said "'app' is not restored: nothing of it is changed"
    [ ! -e "$log" ] || fail "somebody heard of it: $(cat "$log")"
    diff -r "$R/before" "$B" || fail "changed"; rm -rf "$R/before"
}
mv "$store/${set_of[I1]}" "$R/gap"
refused 'is missing or damaged'
mv "$R/gap" "$store/${set_of[I1]}"
cp -a "$store/${set_of[I1]}/op-1/backup-components.xml" "$R/xml"
sed -i 's/bad/BAD/' "$store/${set_of[I1]}/op-1/backup-components.xml"
refused 'backup-components.xml'
cp -a "$R/xml" "$store/${set_of[I1]}/op-1/backup-components.xml"
v restore --from "$store" --in-place; complete I2

echo "-- a ranges file comes before the file that it is about, in each image (R-122, I-128)"
rm -rf "$store" "$R"/at-*; printf '\1\0\0\0\0\0\0\0\0\020\0\0\0\0\0\0\0\020\0\0\0\0\0\0' >"$B/ranges"
writer x; sed -i "s|pages 4096:4096|pages $B/ranges|" "$etc/writers.d/test.conf"
pages b >"$B/app/pages"; v backup --to "$store" --all-components || fail "$(cat "$R/out")"
pages c >"$B/app/pages"; v backup --to "$store" --type incremental --all-components || fail "$(cat "$R/out")"
rm "$B/ranges"; other; v restore --from "$store" --in-place "$B/app/pages" || fail "$(cat "$R/out")"
pages c | cmp - "$B/app/pages"; [ ! -e "$B/ranges" ] || fail "the ranges file was not asked for"
other; v restore --from "$store" --in-place || fail "$(cat "$R/out")"
pages c | cmp - "$B/app/pages"
[ "$(stat -c %z "$B/ranges")" \< "$(stat -c %z "$B/app/pages")" ] || fail "ranges after the file: $(stat -c '%n %z' "$B/ranges" "$B/app/pages")"
[ "$(stat -c %z "$B/ranges")" \< "$(stat -c %z "$B/app/all.txt")" ] || fail "ranges after others"

echo "-- a folder where an earlier image has a file, and the other way round"
rm -rf "$store" "$B" "$R"/at-*; mkdir -p "$B"/{app,side/deep/x,bad}; writer x; sed -i 's/side.\*$/& recursive/' "$etc/writers.d/test.conf"
sed -n '/^\[component side/,/^stamp/p' "$etc/writers.d/test.conf" | grep -q recursive || fail "not recursive"
pages b >"$B/app/pages"; echo F >"$B/side/deep/x/a"; echo F >"$B/side/flat"
v backup --to "$store" --all-components || fail "$(cat "$R/out")"
rm -rf "$B/side/deep" "$B/side/flat"; mkdir -p "$B/side/flat/y"; echo I1 | tee "$B/side/deep" >"$B/side/flat/y/b"
v backup --to "$store" --type incremental --all-components || fail "$(cat "$R/out")"
cp -a "$B/side" "$R/at-I1"; rm -rf "$B/side"; mkdir "$B/side"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
said 'side: image 2 of 2'; diff -r "$R/at-I1" "$B/side"

echo "-- the files writer: image by image when it hears of restores, at once when it does not (R-35, I-185, I-189)"
rm -f "$etc/writers.d/"*; rm -rf "$store" "$B"; mkdir -p "$B"/{always,never}
for events in always never; do
    cat >"$etc/writers.d/$events.conf" <<C
[writer]
plugin = files
instance-name = $events
[backup]
incremental = yes
[restore]
method = restore_if_can_replace
events = $events
[component $events]
files = $B/$events/*
C
done
for state in F I1 I2; do
    for events in always never; do
        echo $state | tee "$B/$events/changed" >"$B/$events/since-$state"
        [ $state = F ] || rm -f "$B/$events/since-F"
    done
    type=full; [ $state = F ] || type=incremental
    v backup --to "$store" --type $type --all-components || fail "$(cat "$R/out")"
    sleep 0.1
done
rm -rf "$B"; mkdir -p "$B"/{always,never}; v restore --from "$store" --in-place --component always || fail "$(cat "$R/out")"
for n in 1 2 3; do said "always: image $n of 3, "; done
rm "$etc/writers.d/always.conf"; v restore --from "$store" --in-place --component never || fail "$(cat "$R/out")"
said 'never: image 3 of 3 with all before it'
grep -q 'never: image [12]' "$R/out" && fail "an image of what nobody hears of: $(cat "$R/out")"
for events in always never; do
    [ "$(cd "$B/$events" && cat changed since-F since-I1 since-I2)" = $'I2\nF\nI1\nI2' ] || fail "$events: $(ls -l "$B/$events")"
done
echo "all well"
