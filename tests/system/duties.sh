#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who does what when in an incremental backup (section 11 of the rules): the writer by the test writer's
# log, the requester by vss-betest and by vssctl.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3
scripts=$(cd "$(dirname "$0")/../../data/betest" && pwd)
umask 022

B=$SCRATCH/b etc=$SCRATCH/etc log=$SCRATCH/log CLASS=c42f9a06-e158-4d3b-b70a-915c6d23f840
make_fs btrfs 400M "$B"
mkdir -p "$etc/writers.d" "$B/d" "$B/p" "$B/later"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
echo plain >"$B/p/file"; echo later >"$B/later/file"

writer() { # writer STAMP [LINE OF THE WRITER]
    cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $log
schema = incremental, copy, timestamped
${2:-}
[component app]
files = $B/d/data mask=0x0f01
data = $B/d/data size=64K changes=3 by=partial
[component plain]
files = $B/p/*
stamp = $1
provisional_stamp = early
C
    rm -f "$log"
}
betest() { vss-betest --config "$etc" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || { cat "$SCRATCH/out" "$SCRATCH/err" "$log"; fail "exit $?: $*"; }; }
lines() { cat >"$SCRATCH/script"; betest "$SCRATCH/script"; }
told() { grep -q -- "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }
untold() { grep -q -- "$1" "$log" 2>/dev/null && { cat "$log"; fail "the writer was told '$1'"; }; return 0; }
said() { grep -q -- "$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no '$1'"; }; }
begin() { printf 'create\ninitialize_for_backup\nset_backup_state %s\ngather_writer_metadata\n' "$1"; }

echo "-- I-162: PrepareForBackup: type and effective type, partial files, previous stamps; what is said there counts"
writer first; betest "$scripts/backup.betest" TYPE=full "DIR=$SCRATCH/F0"
told 'prepare_backup type=1 .*effective=1 .*partial=yes'; told 'component plain .* previous=-'
writer second; betest "$scripts/increment.betest" TYPE=incremental "BASE=$SCRATCH/F0" "DIR=$SCRATCH/I1"
told 'prepare_backup type=2 .*effective=2 .*partial=yes'; told 'previous plain first'; told 'component app .*previous=generation:'
[ "$(grep -n 'previous plain first' "$log" | head -n 1 | cut -d: -f1)" -lt "$(grep -n ' prepare_snapshot' "$log" | cut -d: -f1)" ] ||
    fail "the previous stamp was not there in PrepareForBackup"
writer third
{ begin "differential"; printf 'add_components => S_OK\nset_previous_stamps %s/F0/backup-components.xml\nstart_snapshot_set\nadd_volumes\nprepare_for_backup\n' "$SCRATCH"
  printf 'get_writer_components\ndo_snapshot_set\nabort_backup\n'; } | lines
told 'prepare_backup type=3 .*effective=1 .*partial=no' # no DIFFERENTIAL in its schema
said 'entry.*name="plain".*stamp="early"' # for backups that end without a shadow copy
{ begin "full partial"; printf 'add_components => S_OK\nstart_snapshot_set\nadd_volumes\nprepare_for_backup\ndo_snapshot_set\nget_writer_components\n'; } | lines
said 'entry.*name="plain".*stamp="third"'

echo "-- I-163, I-164: what PostSnapshot says is of the freeze; from Thaw on the application works again"
number() { sed -n 's/.* stamp="generation:\([0-9]*\):.*/\1/p' "$SCRATCH/out" | head -n 1; }
writer fourth; betest "$scripts/increment.betest" TYPE=incremental "BASE=$SCRATCH/I1" "DIR=$SCRATCH/I2"
frozen=$(number)
cp "$B/d/data" "$SCRATCH/after-thaw"
writer fifth; betest "$scripts/backup.betest" TYPE=full "DIR=$SCRATCH/F3"
[ "$(number)" -ge $((frozen + 2)) ] || fail "the application stood still: $frozen, $(number)"
for image in F0 I1 I2; do
    rm -f "$log"; betest "$scripts/restore.betest" "DIR=$SCRATCH/$image" "MORE=$([ $image = I2 ] && echo no || echo yes)"
done
told "check data good .*generation=$frozen"
cmp -s "$B/d/data" "$SCRATCH/after-thaw" && fail "the thawed application changed nothing"

echo "-- I-156: PreRestore: the image's own stamp and its base's are in its document; another may be set before"
rm -f "$log"; betest "$scripts/restore.betest" "DIR=$SCRATCH/I1" MORE=yes
told 'component plain .*stamp=second previous=first'
rm -f "$log"
lines <<S
create
initialize_for_restore @$SCRATCH/I1/backup-components.xml
gather_writer_metadata
select_components => S_OK
set_previous_backup_stamp "Test Writer:plain" "set anew"
pre_restore
set_previous_backup_stamp "Test Writer:plain" "too late" => VSS_E_BAD_STATE
set_statuses
post_restore
S
told 'component plain .*stamp=second previous=set%20anew\|component plain .*stamp=second previous=set anew'

# ---- the requester: vssctl ----
store=$SCRATCH/store
backup() { # backup TYPE [OPTIONS]: of all components
    vssctl backup --config "$etc" --to "$store" --json --type "$@" --component "$CLASS" >"$SCRATCH/out" 2>"$SCRATCH/err" ||
        { cat "$SCRATCH/out" "$SCRATCH/err"; fail "backup $*"; }
}
sets() { find "$store" -mindepth 1 -maxdepth 1 -type d -not -name '.*' | wc -l; }
echo "-- I-168: by metadata alone: effective type, base for each component, volumes by mask; no event is sent"
writer s0; backup full
writer s1; printf '[component later]\nfiles = %s/later/* mask=0x000f\n' "$B" >>"$etc/writers.d/test.conf"
backup incremental --plan
untold prepare_backup
python3 - "$SCRATCH/out" "$B" <<'P' || { cat "$SCRATCH/out"; fail "the plan"; }
import json, sys
rows = {r['component']: r for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'plan'}
of = lambda c: (rows[c]['type'], rows[c]['decision'], rows[c]['source'], rows[c]['volume'])
assert of('app') == ('incremental', 'skipped', 'nowhere', sys.argv[2]), of('app')
assert of('plain') == ('incremental', 'whole', 'shadow copy', sys.argv[2]), of('plain')
assert of('later') == ('full', 'whole', 'original', None), of('later') # no base; needs no copy
P
echo "-- I-169, I-170: before PrepareForBackup type, partial files and stamps are set; what PostSnapshot said is done"
backup incremental --explain
told 'prepare_backup type=2 .*partial=yes'; told 'previous plain s0'; told 'prepare_backup type=1' # the FULL beside
python3 - "$SCRATCH/out" <<'P' || { cat "$SCRATCH/out"; fail "the account"; }
import json, sys
assert [r for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'plan' and r['component'] == 'app' and r['decision'] == 'ranges' and r['final']]
P
echo "-- I-146: stamps are the writers'; who has none is bound to its base by the requester's own records"
printf '[writer]\nplugin = files\n[backup]\nincremental = yes\n[component own]\nfiles = %s/later/*\n' "$B" >"$etc/writers.d/files.conf"
sed -i '/component later/,$d' "$etc/writers.d/test.conf"
files() { vssctl backup --config "$etc" --to "$SCRATCH/unstamped" --json --type "$1" --component Files >"$SCRATCH/out" 2>"$SCRATCH/err" || { cat "$SCRATCH/err"; fail "files $1"; }; }
bytes() { python3 -c 'import json,sys; print([r["bytes"] for r in map(json.loads, open(sys.argv[1])) if r["record"]=="backup"][0])' "$SCRATCH/out"; }
files full; [ "$(bytes)" = 6 ] || fail "$(bytes) bytes"
files incremental; [ "$(bytes)" = 0 ] || fail "unchanged, and $(bytes) bytes"
echo new >"$B/later/new"
files incremental; [ "$(bytes)" = 4 ] || fail "one is new, and $(bytes) bytes"
grep -rqi 'stamp="' "$SCRATCH/unstamped" --include=backup-components.xml && fail "a stamp of a writer that has none"
rm "$etc/writers.d/files.conf"

echo "-- I-171: copied, told, complete, saved, and only then part of the history"
document=$(find "$store" -path '*-incremental-*' -name backup-components.xml | head -n 1)
grep -q 'backupSucceeded="yes"' "$document" || fail "the saved document does not tell success"
awk '/succeeded plain yes/ { s = 1 } / backup_shutdown/ && !s { exit 1 } END { exit !s }' "$log" || { cat "$log"; fail "no success told"; }
killed() { # killed EVENT: the requester dies while the writer is in it
    local i pid
    vssctl backup --config "$etc" --to "$store" --json --type incremental --component "$CLASS" >/dev/null 2>&1 &
    pid=$!
    for i in $(seq 200); do grep -q " $1" "$log" 2>/dev/null && break; sleep 0.05; done
    kill -KILL $pid; wait $pid 2>/dev/null || true
    [ "$i" -lt 200 ] || fail "no $1"
    for i in $(seq 100); do grep -q backup_shutdown "$log" && return; sleep 0.1; done
    cat "$log"; fail "no end after $1"
}
before=$(sets)
writer s2 "delay = post_snapshot 1s"; killed post_snapshot
[ "$(sets)" = "$before" ] || fail "a set of a backup that was never made"
writer s3; backup incremental; told 'previous plain s1' # what died is no base
writer s4 "delay = backup_complete 1s"; killed backup_complete
[ "$(sets)" = $((before + 2)) ] || fail "told that it is complete, and it is not there"
writer s5; backup incremental; told 'previous plain s4' # what was complete is one
echo ok
