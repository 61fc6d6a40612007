#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who owns what in the model, and until when: identities, documents, what writers make and remove.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs

B=$SCRATCH/b etc=$SCRATCH/etc store=$SCRATCH/store
make_fs btrfs 300M "$B"
mkdir -p "$etc/writers.d" "$B"/{a,f,elsewhere}
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
v() { vssctl "$@" --config "$etc"; }
backup() { v backup --to "$store" --json "$@" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out"; fail "backup $*"; }; }
writer() { # writer NAME DIGIT: a test writer called NAME in names of files; the rest stands on standard input
    { printf '[writer]\nplugin = test\n[test]\nid = 00000000-0000-4000-8000-00000000000%s\nlog = %s\n' "$2" "$SCRATCH/$1.log"; cat; } \
        >"$etc/writers.d/$1.conf"
}
heard() { grep -q " $2" "$SCRATCH/$1.log" 2>/dev/null; }
id_of() { sed -n 's/.*"'"$1"'":"\([-0-9a-f]*\)".*/\1/p' "$SCRATCH/out"; }

echo "-- M-14: the service makes the ids; they last, and none comes twice"
v shadow create --json --no-writers "$B" >"$SCRATCH/out"; one=$(id_of id) one_set=$(id_of set_id)
v shadow create --json --no-writers "$B" >"$SCRATCH/out"; two=$(id_of id) two_set=$(id_of set_id)
[ "$(printf '%s\n' "$one" "$one_set" "$two" "$two_set" | grep -E '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' | sort -u | wc -l)" = 4 ] ||
    fail "not four ids: $one $one_set $two $two_set"
v shadow list --json >"$SCRATCH/list" # another service by now
grep -q "\"id\":\"$one\",\"set_id\":\"$one_set\"" "$SCRATCH/list" || { cat "$SCRATCH/list"; fail "the first is not known by its ids"; }
v shadow delete "$one" "$two" >/dev/null

writer first 1 <<C
schema = copy
[component a]
files = $B/a/*
C
writer second 2 <<C
schema = copy
[component f]
files = $B/f/*
C
echo first >"$B/a/file"; echo second >"$B/f/file"
echo "-- M-9, M-14, M-17: the document has the writers' class ids and the id of its set; the next is made afresh"
backup "$B"
document=$(echo "$store"/*/op-1/backup-components.xml)
grep -q 'writerId="00000000-0000-4000-8000-000000000001"' "$document" || fail "no class id"
set=$(sed -n 's/.*snapshotSetId="\([-0-9a-f]*\)".*/\1/p' "$document")
[[ $set =~ ^[0-9a-f]{8}-.*[1-9a-f] ]] || fail "no set id: '$set'"
echo "-- M-24: at a restore the stored document counts, not what the writer declares today"
rm "$SCRATCH"/*.log; rm "$B/a/file" "$B/f/file"
sed -i "s|^files.*|files = $B/elsewhere/*|" "$etc/writers.d/first.conf"
v restore --from "$store" --in-place --component a >/dev/null
[ "$(cat "$B/a/file")" = first ] || fail "not restored to where it was"
[ -z "$(ls "$B/elsewhere")" ] || fail "restored to where the writer is today"
heard first 'pre_restore components=1' || { cat "$SCRATCH/first.log"; fail "the running writer was not told"; }
echo "-- L-26, R-14: who has nothing selected hears nothing of it"
heard second pre_restore && fail "a writer without a selected component was told"
heard second post_restore && fail "a writer without a selected component was told"
[ ! -e "$B/f/file" ] || fail "what was not selected was restored"
v restore --from "$store" --in-place --component f >/dev/null
heard second 'post_restore components=1' || fail "now it is selected, and was not told"
rm -rf "$store"; rm "$etc/writers.d/"*

echo "-- M-64, W-9, M-46: what a writer exports before the copy is read from the copy, and gone when it is read"
mkdir "$B/spit"; echo original >"$B/a/file"
printf '#!/bin/sh\necho exported >%s/file\n' "$B/spit" >"$SCRATCH/freeze"
printf '#!/bin/sh\nrm -f %s/file\n' "$B/spit" >"$SCRATCH/thaw"
chmod 700 "$SCRATCH/freeze" "$SCRATCH/thaw"
cat >"$etc/writers.d/spit.conf" <<C
[writer]
plugin = files
[hooks]
freeze = $SCRATCH/freeze
thaw = $SCRATCH/thaw
[component c]
files = $B/a/* alternate=$B/spit
C
backup --component Files:c
[ ! -e "$B/spit/file" ] || fail "what was exported stayed"
v restore --from "$store" --into "$SCRATCH/r" >/dev/null
[ "$(cat "$SCRATCH/r$B/a/file")" = exported ] || fail "not what was exported"
[ ! -e "$SCRATCH/r$B/spit" ] || fail "restored under the alternate path"
rm -rf "$store" "$SCRATCH/r"; rm "$etc/writers.d/spit.conf"

echo "-- M-66, I-155, I-166, I-167: logs go in BackupComplete of a good backup that later ones build on, and at no other time"
mkdir "$B/db"
truncates() { # truncates VECTOR yes|no|killed TYPE SCHEMA [SETTING]: after a backup of this type
    local got=0 there=no
    writer db 3 <<C
schema = $4
delay = post_snapshot $([ "$2" = killed ] && echo 30s || echo 0)
[component db]
files = $B/db/data
logs = $B/db/*.log
truncate = yes
${5:-}
C
    touch "$B/db/data" "$B/db/1.log"; rm -f "$SCRATCH/db.log"
    if [ "$2" = killed ]; then
        vssctl backup --config "$etc" --to "$store" --type "$3" --component "Test Writer:db" >/dev/null 2>&1 & victim=$!
        for _ in {1..200}; do ! heard db post_snapshot || break; sleep 0.05; done
        kill -9 $victim; wait $victim 2>/dev/null || true
        for _ in {1..200}; do ! pgrep -f "config $etc" >/dev/null || sleep 0.05; done
        heard db backup_complete && fail "$1: a dead requester's backup is complete"
    else
        v backup --to "$store" --type "$3" --component "Test Writer:db" >"$SCRATCH/out" 2>&1 || got=$?
        ((got == 0 || got == 4)) || { cat "$SCRATCH/out"; fail "$1: exit $got"; }
        heard db backup_complete || fail "$1: no BackupComplete"
    fi
    [ -e "$B/db/1.log" ] || there=yes
    [ "$there" = "${2/killed/no}" ] || { cat "$SCRATCH/db.log"; fail "$1: truncated: $there"; }
}
all="incremental, differential, log, copy, timestamped"
truncates IV-97 yes full "$all"
truncates IV-98 no full "$all" "fail = VSS_E_WRITERERROR_NONRETRYABLE"
truncates IV-99 killed incremental "$all"
truncates IV-100 no copy "$all"
truncates IV-101 no differential "$all"
truncates IV-102 yes copy "incremental, differential, timestamped"
truncates I-42 yes log "$all"
truncates I-40 yes incremental "$all"
rm -rf "$store"; rm "$etc/writers.d/"*

echo "-- M-81: what a program or another machine lends is no resource of this one"
if command -v bindfs >/dev/null && mkdir "$B/lent" && bindfs --no-allow-other "$SCRATCH/etc" "$B/lent" 2>/dev/null; then
    cleanup_fn "umount '$B/lent'"
    got=0; v backup --to "$store" "$B/lent" >"$SCRATCH/out" 2>&1 || got=$?
    [ $got = 2 ] && grep -q "lent" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "as a path: exit $got"; }
    [ ! -e "$store" ] || [ -z "$(ls "$store" | grep -e -full-)" ] || fail "a backup of it exists"
    got=0; v shadow create "$B/lent" >"$SCRATCH/out" 2>&1 || got=$?
    [ $got != 0 ] && grep -q lent "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "as a volume: exit $got"; }
    backup "$B" # below a path it is left out, and that is said
    grep -q '"record":"note".*lent.*is left out' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of it"; }
    writer lent 4 <<C
[component lent]
files = $B/lent/*
[component good]
files = $B/a/*
C
    got=0; v backup --to "$store" --component "Test Writer:lent" >"$SCRATCH/out" 2>&1 || got=$?
    [ $got = 2 ] && grep -q "lent" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "as a file set: exit $got"; }
else
    echo "no bindfs here: not tried"
fi
echo "all well"
