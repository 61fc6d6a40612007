#!/bin/bash
# vssctl backup --system-state: what is taken (L-15, B-157, M-51) and what the writers are told.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

make_fs btrfs 300M "$SCRATCH/b"
etc=$SCRATCH/etc store=$SCRATCH/store
mkdir -p "$etc/writers.d" "$SCRATCH/b"/{boot,loader,keys,local,units,web}
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
for d in boot loader keys local units web; do echo "$d" >"$SCRATCH/b/$d/file"; done
writer() { # writer NAME ID USAGE: a test writer; its components follow on standard input
    { printf '[writer]\nplugin = test\n[test]\nid = %s\nusage = %s\nlog = %s\n' "$2" "$3" "$SCRATCH/$1.log"; cat; } \
        >"$etc/writers.d/$1.conf"
}
writer system 00000000-0000-4000-8000-000000000001 boot <<C
[component boot]
files = $SCRATCH/b/boot/*
[component loader]
logical_path = boot
selectable = no
files = $SCRATCH/b/loader/*
[component keys]
selectable = no
files = $SCRATCH/b/keys/*
[component local]
not_system_state = yes
files = $SCRATCH/b/local/*
C
writer service 00000000-0000-4000-8000-000000000002 service <<C
[component units]
files = $SCRATCH/b/units/*
C
writer user 00000000-0000-4000-8000-000000000003 user <<C
[component web]
files = $SCRATCH/b/web/*
C

backup() { vssctl backup --config "$etc" --to "$store" "$@"; }
plan() { # plan OPTION...: "component selected-by" of each row
    vssctl backup --config "$etc" --plan --json "$@" | python3 -c '
import json, sys
for r in map(json.loads, sys.stdin):
    if r["record"] == "plan": print(r["component"], r["rule"], r["selected_by"])' | LC_ALL=C sort | tr '\n' ';'
}
same() { [ "$1" = "$2" ] || fail "'$1' instead of '$2'"; }
heard() { # heard NAME: the events that said what is saved, and whether they named the system state
    awk '{ print $3, / system-state/ ? "system-state" : "nothing" }' "$SCRATCH/$1.log" | sed -n 's/^\(prepare_backup\|post_snapshot\|backup_complete\) /\1 /p' |
        tr '\n' ';'
    rm "$SCRATCH/$1.log"
}

echo "-- the plan says what is taken, and why (L-15, L-11); what is exempt is not"
same "$(plan --system-state)" 'boot I-83 L-15;boot\loader I-83 L-11;keys I-83 L-15;units I-83 L-15;'
same "$(plan "$SCRATCH/b/boot" "$SCRATCH/b/loader")" \
    'None B-149 None;None B-149 None;boot I-83 None;boot\loader I-83 L-11;keys I-83 L-10;'
vssctl backup --config "$etc" --plan --system-state | grep -q '(I-83, L-15, Test Writer: boot)' || fail "no L-15 in words"
rm -f "$SCRATCH"/*.log

echo "-- a backup of it: the flag is in the document (D-47), and every writer hears it (B-58, M-51)"
backup --system-state --json >"$SCRATCH/out"
grep -q '"record":"operation".*"system_state":true' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no system_state in --json"; }
said='prepare_backup system-state;post_snapshot system-state;backup_complete system-state;'
same "$(heard system)" "$said"
same "$(heard service)" "$said"
same "$(heard user)" ""
document() { echo "$store"/*-"$1"-*/op-1/backup-components.xml; }
names() { grep -o '<COMPONENT [^>]*' "$(document "$1")" | sed 's/.*componentName="\([^"]*\)".*/\1/' | sort | tr '\n' ' '; }
grep -q 'bootableSystemStateBackup="yes"' "$(document full)" || fail "the document has no flag"
same "$(names full)" 'boot keys units '

echo "-- the next one repeats it, without being told"
echo changed >"$SCRATCH/b/units/file"
backup --type incremental >/dev/null
same "$(heard service)" "$said"
grep -q 'bootableSystemStateBackup="yes"' "$store"/*-incremental-*/op-*/backup-components.xml || fail "forgotten"

echo "-- with paths: a writer of user data takes part, and hears it too; another store knows nothing of it"
backup --system-state --type copy "$SCRATCH/b/web" >/dev/null
same "$(heard user)" "$said"
same "$(names copy)" 'boot keys units web '
rm -f "$SCRATCH"/*.log
vssctl backup --config "$etc" --to "$SCRATCH/other" "$SCRATCH/b" --json >"$SCRATCH/out"
grep -q '"system_state":false' "$SCRATCH/out" || fail "system_state without --system-state"
grep -rq 'bootableSystemStateBackup="no"' "$SCRATCH/other" || fail "the flag without --system-state"
heard user | grep -q system-state && fail "told without --system-state"

echo "-- it comes back"
vssctl restore --config "$etc" --from "$store" --into "$SCRATCH/r"
for d in boot loader keys units web; do
    cmp "$SCRATCH/b/$d/file" "$SCRATCH/r$SCRATCH/b/$d/file" || fail "$d"
done
[ ! -e "$SCRATCH/r$SCRATCH/b/local" ] || fail "what is exempt was saved"

echo "-- nobody has system state"
rm "$etc/writers.d/system.conf" "$etc/writers.d/service.conf"
r=0
vssctl backup --config "$etc" --to "$SCRATCH/none" --system-state "$SCRATCH/b" >"$SCRATCH/out" 2>&1 || r=$?
[ $r = 1 ] && grep -q 'no writer here has system state' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "exit $r"; }
[ ! -e "$SCRATCH/none" ] || fail "a store for nothing"
echo "all well"
