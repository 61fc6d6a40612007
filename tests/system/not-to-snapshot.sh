#!/bin/bash
# What is kept out of shadow copies: the machine's list (B-156, S-58) and writers' own files (S-57).
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

B=$SCRATCH/b X=$SCRATCH/x etc=$SCRATCH/etc store=$SCRATCH/store
make_fs btrfs 300M "$B"
make_fs xfs 400M "$X"
mkdir -p "$etc/writers.d" "$etc/not_to_snapshot.d" "$SCRATCH/mirror"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
v() { vssctl "$@" --config "$etc"; }
backup() { # backup [OPTIONS]: what is told is in "out"
    local got=0
    v backup --to "$store" "$@" >"$SCRATCH/out" 2>&1 || got=$?
    [ $got = 0 ] || { cat "$SCRATCH/out"; fail "backup $*: exit $got"; }
    rm -rf "$SCRATCH/r"
    v restore --from "$store" --into "$SCRATCH/r" >/dev/null
}
said() { grep -qF -- "$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of '$1'"; }; }
there() { local p; for p; do [ -e "$p" ] || [ -L "$p" ] || fail "'$p' is not there"; done; }
gone() { local p; for p; do [ ! -e "$p" ] && [ ! -L "$p" ] || fail "'$p' is there"; done; }
shadow= # the one copy that we made last; others on this machine are none of ours
drop() { [ -z "$shadow" ] || v shadow delete "$shadow" >/dev/null; shadow=; }
copies() { # copies [OPTIONS] VOLUME: makes a copy that stays; its folder is in "copy"
    drop
    v shadow create --json "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "shadow create $*"; }
    read -r shadow copy < <(python3 -c 'import json,sys
for r in map(json.loads, open(sys.argv[1])):
    if "device_object" in r: print(r["id"], r["device_object"])' "$SCRATCH/out")
    [ -d "$copy" ] || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "no copy"; }
}

mkdir -p "$B"/{tmp/deep/deeper,app,keep,users/ann/.cache/sub,users/bob/.cache,outside,trash} "$X"/{trash/sub,data} "$SCRATCH/outside"
touch "$B"/tmp/{one.tmp,one.txt} "$B"/tmp/deep/{two.tmp,deeper/three.tmp} "$B/keep/file" "$B/app/core" "$B/app/data" \
    "$B"/users/ann/.cache/{c,sub/d} "$B/trash/t" "$X/trash/t" "$X/trash/sub/t" "$X/data/file" \
    "$B/outside/precious" "$SCRATCH/outside/precious"
# whoever owns a folder can put links into it: nothing but the copy may lose a file
rmdir "$B/users/bob/.cache" && ln -s "$SCRATCH/outside" "$B/users/bob/.cache"
mkdir "$B/users/cat" && ln -s ../../outside "$B/users/cat/.cache"
ln -s ../outside "$B/tmp/deep/to-outside" && mkfifo "$B/tmp/fifo.tmp" && ln -s /nowhere "$B/tmp/link.tmp"
btrfs -q subvolume create "$B/tmp/nested" && touch "$B/tmp/nested/in.tmp" "$B/tmp/nested/in.txt"
cat >"$etc/not_to_snapshot.d/shop.conf" <<C
# comments and blanks are free
$B/tmp/*.tmp /s
$B/app/core
/nonexistent/* /s
\$AllVolumes\$/trash/* /s
\$UserProfile\$/.cache/* /s
C
printf '[exclude]\nprofiles = glob:%s/users/*\n' "$B" >>"$etc/vss.conf"

echo "-- B-156, S-58, CFG-17..CFG-19: gone from the copy, still in the original, missing ones ignored"
copies "$B"
there "$copy/tmp/one.txt" "$copy/keep/file" "$copy/tmp/deep/to-outside" "$copy/tmp/deep/deeper" "$copy/app/data" "$copy/outside/precious" "$copy/trash"
gone "$copy"/tmp/{one.tmp,fifo.tmp,link.tmp,deep/two.tmp,deep/deeper/three.tmp} "$copy/app/core" "$copy/trash/t" \
    "$copy"/users/ann/.cache/{c,sub/d}
there "$copy/users/ann/.cache/sub" "$copy/users/bob/.cache"
there "$B"/tmp/{one.tmp,deep/two.tmp} "$B/app/core" "$B/users/ann/.cache/c" "$SCRATCH/outside/precious" "$B/outside/precious" "$B/tmp/nested/in.tmp"
[ "$(btrfs property get "$copy" ro)" = ro=true ] || fail "the copy was not sealed (S-54)"

echo "-- only when writers take part, so not in the usual client-accessible copies (S-58)"
copies --no-writers "$B"; there "$copy/tmp/one.tmp" "$copy/app/core"
copies --context client-accessible --no-writers "$B"; there "$copy/tmp/one.tmp" "$copy/app/core"

echo "-- S-53: a context that forbids recovery keeps everything in"
asked() { # asked CONTEXT: a backup program, until "answered"; its copy is in "copy"
    rm -f "$SCRATCH/go"
    {
        printf '%s\n' "context $1" gather start "add $B" prepare snapshot copies status
        while [ ! -e "$SCRATCH/go" ]; do sleep 0.05; done
        echo release
    } | "$BUILD/tests/requester" "$etc" >"$SCRATCH/out" 2>&1 & asking=$!
    for _ in {1..200}; do
        ! grep -q "Optimization state" "$SCRATCH/out" || break
        sleep 0.05
    done
    read -r _ copy < <(grep "^$B " "$SCRATCH/out") || { cat "$SCRATCH/out"; fail "no copy"; }
}
answered() { touch "$SCRATCH/go"; wait $asking; said "Shadow Copy Optimization state 5 S_OK"; }
asked 2; there "$copy/tmp/one.tmp" "$copy/app/core"; answered
asked 0; gone "$copy/tmp/one.tmp" "$copy/app/core"; answered

echo "-- not in every user's folder when switched off (CFG-18), others as before"
sed -i 's/^profiles.*/&\nexpand_user_profile = no/' "$etc/vss.conf"
copies "$B"; there "$copy/users/ann/.cache/c"; gone "$copy/tmp/one.tmp"
sed -i '/^expand_user_profile/d' "$etc/vss.conf"

echo "-- a recursive entry reaches the volumes below it (B-151)"
drop
v shadow create --json "$B" "$B/tmp/nested" >"$SCRATCH/out"
nested=$(sed -n "s|.*\"original_mount\":\"$B/tmp/nested\".*\"device_object\":\"\([^\"]*\)\".*|\1|p" "$SCRATCH/out")
there "$nested/in.txt" "$B/tmp/nested/in.tmp"; gone "$nested/in.tmp"
v shadow delete --set "$(sed -n '1s/.*"set_id":"\([^"]*\)".*/\1/p' "$SCRATCH/out")" >/dev/null

echo "-- mirror's copies too"
copies --provider mirror "$X"
there "$copy/data/file" "$copy/trash/sub"; gone "$copy/trash/t" "$copy/trash/sub/t"; there "$X/trash/t"
drop

echo "-- where the copy is the volume itself nothing is deleted, and that is told (S-58)"
cp "$etc/vss.conf" "$SCRATCH/vss.conf"
printf '[provider.memory]\nenabled = yes\norder = 1\nvolumes = %s\n[provider.mirror]\nenabled = no\n' "$X" >>"$etc/vss.conf"
backup "$X"; said "the provider's copies cannot be written"; there "$X/trash/t" "$X/trash/sub/t" "$X/data/file"
cp "$SCRATCH/vss.conf" "$etc/vss.conf"

echo "-- B-155: a backup does not hold them, and says so; a component that names one is whole without it"
cat >"$etc/writers.d/app.conf" <<C
[writer]
plugin = test
[test]
log = $SCRATCH/log
[component app]
files = $B/app/core
files = $B/app/data
[component live]
files = $B/tmp/*.tmp mask=0x000f
C
backup "$B" "$X"
said "left out by writer 'Shadow Copy Optimization': $B/tmp/*.tmp and below"
said "left out by writer 'Shadow Copy Optimization': on every volume /trash/* and below"
said "0 failed"
r=$SCRATCH/r
there "$r$B/tmp/one.txt" "$r$B/app/data" "$r$B/tmp/nested/in.txt" "$r$X/data/file" "$r$B/users/bob/.cache"
gone "$r$B"/tmp/{one.tmp,deep/two.tmp,nested/in.tmp} "$r$B/app/core" "$r$X/trash/t" "$r$B/users/ann/.cache/c"
grep -rlq 'EXCLUDE_FILES_FROM_SNAPSHOT' "$store"/*/op-1/writers || fail "the writer's document is not kept"
grep -q 'succeeded app yes' "$SCRATCH/log" || { cat "$SCRATCH/log"; fail "the component"; }
backup --type incremental; gone "$r$B/tmp/one.tmp"; there "$r$B/tmp/one.txt"
vssctl verify --from "$store" >/dev/null

echo "-- what cannot be understood is said, and costs nothing else; nobody else may write a list (CFG-2)"
printf 'no/path\n%s/keep/*\n' "$B" >"$etc/not_to_snapshot.d/bad.conf"
backup "$B"; said "bad.conf', line 1"; gone "$r$B/keep/file" "$r$B/tmp/one.tmp"
chmod 666 "$etc/not_to_snapshot.d/bad.conf"
backup "$B"; said "must belong to root"; there "$r$B/keep/file"; gone "$r$B/tmp/one.tmp"
rm "$etc/not_to_snapshot.d/"*; printf '# nothing\n' >"$etc/not_to_snapshot.d/empty.conf"
backup "$B"; there "$r$B/tmp/one.tmp"; grep -q 'left out by' "$SCRATCH/out" && fail "something is left out"
rm "$etc/not_to_snapshot.d/empty.conf"

echo "-- S-57, W-10, W-11: files of a writer's own, deleted by itself"
cat >"$etc/writers.d/app.conf" <<C
[writer]
plugin = files
[component app]
files = $B/app/* recursive
exclude_from_snapshot = $B/app/*.idx recursive
C
mkdir -p "$B/app/sub" && touch "$B/app/big.idx" "$B/app/sub/big.idx" "$B/keep/other.idx"
copies "$B"; gone "$copy/app/big.idx" "$copy/app/sub/big.idx"; there "$copy/app/data" "$copy/keep/other.idx" "$B/app/big.idx"
backup --component Files:app; gone "$r$B/app/big.idx"; there "$r$B/app/data"
sed -i "s|^exclude_from.*|exclude_from_snapshot = $B/keep/*|" "$etc/writers.d/app.conf"
got=0; v backup --to "$store" "$B/keep" >"$SCRATCH/out" 2>&1 || got=$?
[ $got = 4 ] || fail "foreign files: exit $got"
said "names no file of any component"
drop
# what btrfs keeps to know changes by is no shadow copy
[ -z "$(find "$B/.vss" "$X/.vss" -mindepth 1 -maxdepth 1 ! -name 'btrfs-reference-*' 2>/dev/null)" ] || fail "copies stay behind"
echo "all well"
