#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vss-betest and the test writer against each other: a backup, a restore, and what each of them
# catches of the other.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
scripts=$(cd "$(dirname "$0")/../../data/betest" && pwd)

D=$SCRATCH/d etc=$SCRATCH/etc log=$SCRATCH/log
make_fs btrfs 300M "$D"
mkdir -p "$etc/writers.d" "$D/data"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"

writer() { # writer: a test writer with what standard input says besides
    { printf '[writer]\nplugin = test\n[test]\nlog = %s\n' "$log"; cat; } >"$etc/writers.d/test.conf"
}
# betest CODE SCRIPT [NAME=VALUE]...: the exit code; what it said is in "out"
betest() {
    local code=$1 got=0
    shift
    vss-betest --config "$etc" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "exit $got instead of $code: $*"; }
}
said() { grep -q -- "$1" "$SCRATCH/out" "$SCRATCH/err" || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "no '$1'"; }; }
told() { grep -q -- "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }

echo "-- T-1, TF-10: a backup and a restore, each side checking the other"
writer <<C
check_includes = yes
check_excludes = yes
delete_files = yes
[component a]
files = $D/data/* recursive
exclude = $D/data/*.tmp recursive
C
mkdir -p "$D/data/sub"; echo one >"$D/data/one"; echo two >"$D/data/sub/"$'t w o \xff'; echo no >"$D/data/x.tmp"
betest 0 "$scripts/backup.betest" TYPE=full "DIR=$SCRATCH/full"
[ ! -e "$D/data/one" ] || fail "the writer did not remove the original"
rm "$D/data/x.tmp"
betest 0 "$scripts/restore.betest" "DIR=$SCRATCH/full" MORE=no
told "check restored good=2 bad=0"
[ "$(cat "$D/data/sub/"$'t w o \xff')" = two ] || fail "not restored"

echo "-- what is not brought back as it was is caught: exit 4, --strict 2 (T-5)"
echo other >"$SCRATCH/full/files$D/data/one"
betest 4 "$scripts/restore.betest" "DIR=$SCRATCH/full" MORE=no
told "check different $D/data/one"; said "restored files differ"
betest 2 --strict "$scripts/restore.betest" "DIR=$SCRATCH/full" MORE=no

echo "-- T-5, T-6, T-30: usage, unexpected answers, JSON"
echo "create nothing" >"$SCRATCH/s"; betest 1 "$SCRATCH/s"; said "line 1: write: create"
printf 'create\nnonsense\n' >"$SCRATCH/s"; betest 1 "$SCRATCH/s"; said "line 2: no call"
[ ! -s "$SCRATCH/out" ] || fail "calls were made although the script is wrong"
printf 'create => VSS_E_NOTHING\n' >"$SCRATCH/s"; betest 1 "$SCRATCH/s"; said "is no code"
printf 'create => VSS_E_BAD_STATE\n' >"$SCRATCH/s"; betest 2 "$SCRATCH/s"; said "expected=no"
printf 'echo %%NOT_SET%%\n' >"$SCRATCH/s"; betest 2 "$SCRATCH/s"; said "NOT_SET"
printf 'gather_writer_metadata\n' >"$SCRATCH/s"; betest 2 "$SCRATCH/s"; said "comes first"
printf 'create\ninitialize_for_backup\nset_backup_state full\ngather_writer_metadata\nget_writer_metadata\n' >"$SCRATCH/s"
betest 0 --json "$SCRATCH/s"
python3 - "$SCRATCH/out" <<'P'
import json, sys
records = [json.loads(l) for l in open(sys.argv[1])]
assert [r['result'] for r in records if r['record'] == 'call'] == ['S_OK'] * 5, records
assert [r['name'] for r in records if r['record'] == 'writer'] == ['Test Writer'], records
P
betest 0 --quiet "$SCRATCH/s"
grep -q '^call' "$SCRATCH/out" && fail "--quiet tells calls"
cat >"$SCRATCH/s" <<S
# the example of the manual, and calls that make no sense where they stand
create
initialize_for_backup
set_backup_state full
gather_writer_metadata
add_component "Test Writer:a"
add_component "Test Writer:a" => VSS_E_OBJECT_ALREADY_EXISTS
add_component "Test Writer:nothing" => E_INVALIDARG
add_component "Nobody:a" => VSS_E_OBJECT_NOT_FOUND
prepare_for_backup => VSS_E_BAD_STATE      # no set was started
set_statuses => VSS_E_BAD_STATE
select_components => VSS_E_BAD_STATE
pre_restore => VSS_E_BAD_STATE
plan
cancel => E_INVALIDARG
restore_files /nowhere => ENOENT
set_previous_stamps /nowhere => ENOENT
initialize_for_restore @/nowhere => ENOENT
initialize_for_restore nonsense => VSS_E_BAD_STATE VSS_E_INVALID_XML_DOCUMENT
S
betest 0 "$SCRATCH/s"

echo "-- T-22: what a script leaves open is closed"
cat >"$SCRATCH/s" <<S
create
initialize_for_backup
set_backup_state full
gather_writer_metadata
add_components
start_snapshot_set
add_volumes
prepare_for_backup
echo stop here => VSS_E_UNEXPECTED
S
rm -f "$log"; betest 2 "$SCRATCH/s"; told ' abort$'; told ' backup_shutdown'
cat >"$SCRATCH/s" <<S
create
initialize_for_restore @$SCRATCH/full/backup-components.xml
gather_writer_metadata
select_components
pre_restore
echo stop here => VSS_E_UNEXPECTED
S
rm -f "$log"; betest 2 "$SCRATCH/s"; told ' post_restore'; told ' status a 1'

echo "-- variables and programs: the copy of a volume, read while it is there"
cat >"$SCRATCH/look" <<'S'
#!/bin/sh
[ "$(cat "$VSS_DEVICE_1/data/one")" = seen ] && [ -n "$VSS_SET_ID" ] && [ "$1" = "a b" ]
S
chmod 755 "$SCRATCH/look"; echo seen >"$D/data/one"
cat >"$SCRATCH/s" <<S
create
initialize_for_backup
set_backup_state copy no_components
gather_writer_metadata
start_snapshot_set
add_to_snapshot_set $D
prepare_for_backup
do_snapshot_set
exec $SCRATCH/look "%WORD%"
exec /bin/false => VSS_E_UNEXPECTED
exec /no/such/file => ENOENT
get_snapshot_properties
query snapshots
get_set_timing
S
betest 0 "$SCRATCH/s" "WORD=a b"; said "^snapshot .*mount=\"$D\""

echo "-- the samples: the writer's file and the three scripts, one increment and back (TF-11)"
sed "s|/var/tmp/vss-test|$D/sample|" "$scripts/../writers.d/test.conf" >"$etc/writers.d/test.conf"
log=$D/sample-writer.log
mkdir "$D/sample-data"; echo one >"$D/sample-data/one"; echo no >"$D/sample-data/x.tmp"
betest 0 "$scripts/backup.betest" TYPE=full "DIR=$SCRATCH/s0"
echo two >"$D/sample-data/two"
betest 0 "$scripts/increment.betest" TYPE=incremental "BASE=$SCRATCH/s0" "DIR=$SCRATCH/s1"
said '^file decision="ranges".*sample-made'
rm -r "$D/sample-data" "$D/sample-made"; mkdir "$D/sample-data"
betest 0 "$scripts/restore.betest" "DIR=$SCRATCH/s0" MORE=yes
betest 0 "$scripts/restore.betest" "DIR=$SCRATCH/s1" MORE=no
told "check restored good=2 bad=0"; told "check data good $D/sample-made"
[ ! -e "$D/sample-data/x.tmp" ] || fail "what is excluded came back"
echo ok
