#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an administrator meets in the first days: the words, the numbers and the exit codes of vssctl
# where they once misled.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"

make_fs ext4 300M "$SCRATCH/e"
make_fs ext4 64M "$SCRATCH/disk"
E=$SCRATCH/e D=$SCRATCH/disk etc=$SCRATCH/etc
mkdir -p "$etc/writers.d" "$SCRATCH/run" "$E/db" "$E/web"
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $SCRATCH/run
state_dir = $SCRATCH/state
C
cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[component app]
files = $E/db/app.db
files = $E/db/app.log*
C
echo data >"$E/db/app.db" && echo log >"$E/db/app.log.1" && echo page >"$E/web/a.html"

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" --config "$etc" >"$SCRATCH/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out"; fail "exit $got instead of $code: $*"; }
    grep -q -- "$words" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no '$words': $*"; }
}
silent() { ! grep -q -- "$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "it says '$1'"; }; }

echo "-- a plan for a disk that was just formatted, and no store made by it"
expect 0 "whole  *$E/web and below" vssctl backup --to "$D" --plan "$E/web"
[ "$(ls "$D")" = lost+found ] || fail "the plan wrote to $D: $(ls "$D")"
mkdir "$D/other" && touch "$D/other/mine"
expect 1 "is not a backup store" vssctl backup --to "$D/other" --plan "$E/web"
rm -r "$D/other"

echo "-- a file of a component is no backup of the component, and that is said"
expect 0 "component 'app' of writer 'Files'" vssctl backup --to "$D" "$E/db/app.db"
expect 0 "1 component saved" vssctl backup --to "$D" "$E/web"
silent "only a part"
expect 0 "2 components saved" vssctl backup --to "$D" "$E"
silent "only a part"

echo "-- a log backup has the plain files as a whole: it needs nothing below it (I-114)"
expect 0 "incremental" vssctl backup --to "$D" --type incremental
expect 0 "  log: 1 volume" vssctl backup --to "$D" --type log
log=$(basename "$D"/*-log-*)
vssctl list backups --from "$D" --config "$etc" | sed -n "/^$log/,\$p" >"$SCRATCH/out"
silent "builds on"
