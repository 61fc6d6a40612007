#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is said at the end of a restore: to the writers, when paths or files that exist leave out a part of a set (R-100), and to
# people and programs, component by component.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires chattr
requires python3
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs ext4 100M "$SCRATCH/d"
D=$SCRATCH/d A=$SCRATCH/d/app ALT=$SCRATCH/d/alt etc=$R/etc log=$R/log
mkdir -p "$etc/writers.d" "$A"
holder=
release() { [ -z "$holder" ] || { kill "$holder" 2>/dev/null; wait "$holder" 2>/dev/null || true; }; holder=; }
cleanup_fn 'chattr -R -i "$A" 2>/dev/null || true'
cleanup_fn 'release'
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[restore]\nprotected_paths =\n' "$R" "$R" >"$etc/vss.conf"
writer() { # writer [RESTORE-LINES [TEST-LINES]]
    printf '[writer]\nplugin = test\n[test]\nlog = %s\nschema = copy,incremental,timestamped,new_target\n%s\n[restore]\n%s\n[component app]\nfiles = %s/* recursive\n' \
        "$log" "${2:-}" "${1:-}" "$A" >"$etc/writers.d/test.conf"
}
v() { local want=$1 code=0; shift; vssctl "$@" --config "$etc" >"$R/out" 2>"$R/err" || code=$?; [ $code = "$want" ] || { cat "$R/out" "$R/err"; fail "exit $code instead of $want: $*"; }; }
said() { grep -qE -- "$1" "$R/out" "$R/err" || { cat "$R/out" "$R/err"; fail "no '$1'"; }; }
unsaid() { ! grep -qE -- "$1" "$R/out" "$R/err" || { cat "$R/out" "$R/err"; fail "'$1' was said"; }; }
fill() { mkdir -p "$A/sub"; for f in one two sub/three; do echo "$1 $f" >"$A/$f"; done; }
has() { local f=$A/$1; [ "$(cat "$f" 2>/dev/null)" = "$2 $1" ] || fail "$f is '$(cat "$f" 2>&1)', not '$2 $1'"; }
status() { awk '$4 == "app" && $3 == "status" { s = $5 } END { print s }' "$log"; }
events() { awk '$3 ~ /_restore$/ { print $3 }' "$log" | tr '\n' ' '; }
# ends KEY=VALUE...: the record of the component at the end; an empty value: it has none
ends() { python3 - "$R/out" "$@" <<'P' || { cat "$R/out" "$R/err"; fail "the record is not $*"; }; }
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
mine = [r for r in records if r["record"] == "component" and r["component"] == "app"]
assert len(mine) == 1 and mine[0] in records[-3:-1], mine
for key, value in (a.split("=", 1) for a in sys.argv[2:]):
    got = mine[0].get(key)
    assert ("" if got is None else str(got).lower() if isinstance(got, bool) else str(got)) == value, (key, got)
P
store=$D/store
backup() { rm -rf "$store"; fill new; v 0 backup --to "$store" --all-components; rm -f "$log"; }

echo "-- paths leave out files of the set: the writer is not told ALL, what was asked for is there and stays (R-100)"
writer; backup; fill old
v 0 restore --from "$store" --in-place "$A/one"
has one new; has two old; has sub/three old
[ "$(status)" = 3 ] || fail "status $(status)"
said 'writer is told that not all of it is in place, .*a part \(R-100\)'; said '^app: the part that was asked for is in place$'
rm "$log"; fill old; v 0 restore --from "$store" --in-place --json "$A/one"
ends status=failed good=true part=true told=true when=now reboot=false images=1 next= message=
rm "$log"; fill old; v 0 restore --from "$store" --in-place --quiet "$A/one"
[ ! -s "$R/out" ] || fail "not quiet"; said R-100 # that is to be known
for all in "$A" "$A/one $A/two $A/sub"; do # named one by one it is all of it
    rm "$log"; fill old
    # shellcheck disable=SC2086
    v 0 restore --from "$store" --in-place --json $all
    has one new; has two new; has sub/three new; [ "$(status)" = 2 ] || fail "status $(status)"
    unsaid R-100; ends status=all good=true part=false when=now next=
done
rm "$log"; fill old; v 0 restore --from "$store" --in-place; said '^app: ALL of it is in place$'
rm "$log"; fill old; v 0 restore --from "$store" --in-place --quiet; [ ! -s "$R/out" ] && [ ! -s "$R/err" ] || fail "not quiet"

echo "-- a part that cannot be put: nothing is changed, and that is told"
rm "$log"; chattr +i "$A/one"; v 2 restore --from "$store" --in-place --json "$A/one"; chattr -i "$A/one"
[ "$(status)" = 1 ] || fail "status $(status)"; ends status=none good=false part=true when= images_done=0
grep -q '"next":"clear the cause' "$R/out" || fail "no next step"; said '"code":.*immutable'

echo "-- a part at the alternate location: told, but no file set of it went there (R-93, R-34)"
writer "method = restore_if_can_replace
events = if_replace_fails
mapping = $A/* recursive to=$ALT"
backup; fill old; (exec 3<"$A/one"; exec sleep 1000) & holder=$!
for _ in {1..100}; do [ -e "/proc/$holder/fd/3" ] && break; sleep 0.02; done
v 0 restore --from "$store" --in-place "$A/one" "$A/two"
[ "$(cat "$ALT/one")" = "new one" ] && [ ! -e "$ALT/sub/three" ] || fail "not at its alternate location"
grep -q used_mapping "$log" && fail "R-93: a mapping was recorded"
[ "$(events)" = "pre_restore post_restore " ] && [ "$(status)" = 3 ] || fail "$(events)$(status)"
release; rm -rf "$ALT"

echo "-- of a chain a part comes at once, in its last state: it would stop at the first image (R-144)"
writer; backup; echo newer >"$A/one"; v 0 backup --to "$store" --all-components --type incremental; rm -f "$log"; fill old
v 0 restore --from "$store" --in-place --json "$A/one"
[ "$(cat "$A/one")" = newer ] || fail "it is '$(cat "$A/one")'"; has two old
[ "$(events)" = "pre_restore post_restore " ] || fail "$(events)"; ends status=failed good=true images=2 images_done=2
rm "$log"; v 0 restore --from "$store" --in-place --json; [ "$(events)" = "pre_restore post_restore pre_restore post_restore " ] || fail "$(events)"
ends status=all images=2 images_done=2

echo "-- files that exist are kept: ALL only when none did"
writer; backup; fill old; v 0 restore --from "$store" --in-place --keep-existing; has one old
[ "$(status)" = 1 ] || fail "status $(status)"; said '^app: NONE of its files is changed$'; said 'files that exist were kept \(R-100\)'
rm "$log" "$A/one"; v 0 restore --from "$store" --in-place --keep-existing; has one new; has two old
[ "$(status)" = 3 ] || fail "status $(status)"; said '^app: what was missing is in place, the rest is as it was$'
rm -r "$log" "${A:?}"/*; v 0 restore --from "$store" --in-place --keep-existing; [ "$(status)" = 2 ] || fail "status $(status)"; unsaid R-100

echo "-- at the next boot, and a reboot that the writer asks for (R-155, R-156)"
writer "method = restore_at_reboot"; backup; fill old
v 0 restore --from "$store" --in-place --json; has one old
ends status=all good=true when=boot reboot=true "next=reboot, which puts it in place"
said '"a reboot is needed: '; rm "$log"
v 0 restore --from "$store" --in-place; said '^app: ALL of it comes at the next boot; reboot, which puts it in place$'
v 0 restore --from "$store" --in-place --quiet; [ ! -s "$R/out" ] || fail "not quiet"; said 'a reboot is needed'
vss-place-pending --now --config "$etc" >"$R/out" 2>&1 || fail "$(cat "$R/out")"; has one new
rm "$log"; fill old; v 0 restore --from "$store" --in-place --json "$A/one"; ends status=failed part=true when=boot reboot=true
[ "$(status)" = 3 ] || fail "status $(status)"
vss-place-pending --now --config "$etc" >"$R/out" 2>&1 || fail "$(cat "$R/out")"; has one new; has two old
writer "reboot = yes"; backup; v 0 restore --from "$store" --in-place; said '^app: ALL of it is in place; reboot, its writer asks for one$'

echo "-- a writer that refuses, or is not content; a chain that stops"
writer "" "fail = pre_restore nonretryable"; backup; fill old
v 2 restore --from "$store" --in-place; has one old; said '^app: NONE of it is restored, nothing of it is changed; clear the cause'
v 2 restore --from "$store" --in-place --json; ends status=none good=false told=true images_done=0
writer "" "fail = post_restore nonretryable"; v 2 restore --from "$store" --in-place --json; has one new; ends status=all good=false when=now
v 2 restore --from "$store" --in-place; said '^app: ALL of it is in place, but its writer is not content; do what'
writer; backup; fill newer; v 0 backup --to "$store" --all-components --type incremental
fill old; cp "$store"/2*incremental*/op-1/data.tar.zst "$R/saved"
printf 'damage!!' | dd of="$(echo "$store"/2*incremental*/op-1/data.tar.zst)" bs=1 seek=40 conv=notrunc status=none
v 2 restore --from "$store" --in-place --json; has one new; ends status=failed good=false images=2 images_done=1
v 2 restore --from "$store" --in-place; said '^app: FAILED: some of it is changed, and it is no state'
rm "$store"/2*full*/op-1/manifest*; fill old
v 2 restore --from "$store" --in-place --json; has one old; ends status=none good=false told=false images_done=0

echo "-- bytes of files that failed are not restored ones"
rm -f "$etc"/writers.d/*; mkdir "$D/plain"; head -c 5000 /dev/zero >"$D/plain/a"; head -c 70000 /dev/urandom >"$D/plain/b"; head -c 3000000 /dev/urandom >"$D/plain/c"
rm -rf "$store"; v 0 backup --to "$store" "$D/plain"
cleanup_fn 'chattr -R -i "$D/plain" 2>/dev/null || true'
chattr +i "$D"/plain/{a,c}
v 2 restore --from "$store" --in-place --file-by-file --json
python3 - "$R/out" <<'P' || { cat "$R/out"; fail "the numbers"; }
import json, sys
last = [json.loads(line) for line in open(sys.argv[1])][-1]
assert last["bytes"] == 70000 and last["failed"] == 2 and last["placed"] == 2, last
P
v 2 restore --from "$store" --in-place --json
grep -q '"bytes":0' "$R/out" || { cat "$R/out"; fail "nothing is restored, and bytes are"; }
chattr -i "$D"/plain/{a,c}
v 0 restore --from "$store" --in-place --json; grep -q '"bytes":3075000' "$R/out" || { cat "$R/out"; fail "bytes"; }
echo "-- what not_to_backup.d names is not restored either, an older backup may hold it; beside it comes (R-107)"
writer; backup; fill old; mkdir "$etc/not_to_backup.d"
rm -rf "$D/plain" "$D/store2"; mkdir -p "$D/plain/cache"; echo new | tee "$D/plain/a" "$D/plain/x.key" >"$D/plain/cache/c"
v 0 backup --to "$D/store2" "$D/plain"; rm -r "$D/plain/cache"; echo old | tee "$D/plain/a" >"$D/plain/x.key"
printf '%s/tw*\n%s/plain/*.key\n$AllVolumes$/plain/cache/* /s\n' "$A" "$D" >"$etc/not_to_backup.d/x.conf"
for plan in --plan ''; do
    # shellcheck disable=SC2086
    v 0 restore --from "$store" --in-place $plan; said "note: what not_to_backup.d names is not restored either \(R-107\), for instance '$A/two'"
    v 0 restore --from "$D/store2" --in-place --json $plan; said "R-107.*'$D/plain/cache/c'"
    ! grep '"path":.*\(x.key\|cache/c\)' "$R/out" || fail "listed ones"
done
has one new; has two old; has sub/three new; [ "$(status)" = 2 ] || fail "status $(status)" # as no backup has it now
[ "$(cat "$D/plain/a" "$D/plain/x.key")" = $'new\nold' ] && [ -d "$D/plain/cache" ] && [ ! -e "$D/plain/cache/c" ] || fail "plain files"
v 2 restore --from "$store" --in-place "$A/two"; said R-107; has two old
v 0 restore --from "$store" --into "$R/into"; unsaid R-107; [ "$(cat "$R/into$A/two")" = "new two" ] || fail "not beside"
rm -r "$etc/not_to_backup.d"; v 0 restore --from "$store" --in-place; unsaid R-107; has two new
echo "all well"
