#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The vectors of chains, truncation and protocol, end to end: vss-betest makes the calls, the test
# writer makes the data, and judges what a restore brings back.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
scripts=$(cd "$(dirname "$0")/../../data/betest" && pwd)
umask 022

B=$SCRATCH/b X=$SCRATCH/x etc=$SCRATCH/etc log=$SCRATCH/log
make_fs btrfs 400M "$B"
make_fs xfs 400M "$X"
mkdir -p "$etc/writers.d" "$B/d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[provider.mirror]\narea = %s/area\n' \
    "$SCRATCH" "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"

writer() { # writer [NAME]: a test writer with what standard input says besides
    { printf '[writer]\nplugin = test\n%s\n[test]\nlog = %s\n' "${1:+instance-name = $1}" "$log"; cat; } \
        >"$etc/writers.d/${1:-test}.conf"
}
no_writers() { rm -f "$etc"/writers.d/*.conf; }
# betest CODE SCRIPT [NAME=VALUE]...: the exit code; what it said is in "out"
betest() {
    local code=$1 got=0
    shift
    vss-betest --config "$etc" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
    [ "$got" = "$code" ] || { cat "$SCRATCH/out" "$SCRATCH/err" "$log" 2>/dev/null; fail "exit $got instead of $code: $*"; }
}
lines() { cat >"$SCRATCH/script"; betest 0 "$SCRATCH/script"; } # lines: a script from standard input
said() { grep -q -- "$1" "$SCRATCH/out" "$SCRATCH/err" || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "no '$1'"; }; }
told() { grep -q -- "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }
untold() { grep -q -- "$1" "$log" && { cat "$log"; fail "the writer says '$1'"; }; return 0; }

# begin TYPE: the lines up to AddComponent, for a script
begin() { printf 'create\ninitialize_for_backup\nset_backup_state %s\ngather_writer_metadata\n' "${1:-full}"; }

# ---- chains: name of an image is its type and number, what it is based on stands behind it ----
store=
type_of() { case $1 in F*) echo full ;; I*) echo incremental ;; D*) echo differential ;; L*) echo log ;; C*) echo copy ;; esac; }
image() { # image NAME [BASE]
    rm -f "$log"
    if [ -n "${2:-}" ]; then
        betest 0 "$scripts/increment.betest" "TYPE=$(type_of "$1")" "BASE=$store/$2" "DIR=$store/$1"
    else
        betest 0 "$scripts/backup.betest" "TYPE=$(type_of "$1")" "DIR=$store/$1"
    fi
}
chain() { # chain NAME...: restored in this order, all but the last with the flag (I-185, I-186)
    local last=${*: -1} name
    rm -rf "$B/d"; mkdir "$B/d"; rm -f "$log"
    for name; do
        [ "$name" = "$last" ] || betest 0 "$scripts/restore.betest" "DIR=$store/$name" MORE=yes
    done
    betest "${want:-0}" "$scripts/restore.betest" "DIR=$store/$last" MORE=no
}
flags() { grep -o 'restoring .* additional=[a-z]*' "$log" | awk '{ print substr($NF, 12) }' | uniq -c | awk '{ printf "%s%s ", $1, $2 }'; }
new_store() { store=$SCRATCH/store-$((${store##*-} + 1)); rm -rf "$B/d"; mkdir "$B/d"; }
store=-0

logged() { # a store in two parts: data in full backups only, journals in all (I-190)
    writer <<C
schema = $1
[component app]
files = $B/d/data mask=0x0101
logs = $B/d/journal.*
data = $B/d/data size=256K seed=7 changes=5 by=logged
data = $B/d/journal by=journal
C
}

two_files() { # two_files partial|differenced: one with its ranges in the document, one in a ranges file
    local option=
    [ "$1" = differenced ] || option=ranges_file=$SCRATCH/ranges
    writer <<C
schema = incremental, differential, copy, timestamped, last_modify
[component app]
files = $B/d/data mask=0x0f01
files = $B/d/other mask=0x0f01
data = $B/d/data size=1M seed=11 changes=4 by=$1
data = $B/d/other size=40000 seed=12 changes=2 by=$1 $option
C
}
for by in partial differenced; do
    echo "-- IV-88..IV-93 with $by files: I-179..I-181, I-183..I-187"
    two_files $by
    new_store
    image F0; image I1 F0; image I2 I1; chain F0 I1 I2; told 'check data good .*/d/data'
    told 'check data good .*/d/other'; [ "$(flags)" = "4yes 2no " ] || fail "IV-88: $(flags)"
    chain F0 I1; told 'check data good'
    new_store
    image F0; image D1 F0; image D2 F0; chain F0 D2; told 'check data good'; [ "$(flags)" = "2yes 2no " ] || fail "IV-89: $(flags)"
    new_store
    image F0; image I1 F0; image D2 F0; image I3 I1; chain F0 I1 I3; told 'check data good'; [ "$(flags)" = "4yes 2no " ] || fail "IV-90"
    chain F0 D2; told 'check data good' # IV-91
    new_store
    image F0; image C1; image I2 F0; chain F0 I2; told 'check data good' # IV-92
    chain C1; told 'check data good'; [ "$(flags)" = "2no " ] || fail "IV-93: $(flags)"
done

echo "-- I-189, I-44: what is no link of the chain changes nothing; IV-96: a gap ends it"
two_files partial
new_store
image F0; image I1 F0; image I2 I1; image I3 I2
want=4; chain F0 I1 I3; want=0; told 'check data different' # the image that I3 is based on is missing
chain F0 I1; told 'check data good'

echo "-- IV-94, IV-95: I-182, I-190, I-42, I-157: logs, replayed from the base up to the wanted image"
logged "incremental, differential, exclusive, log, copy, timestamped"
new_store
image F0; image L1 F0; image L2 L1; chain F0 L1 L2
told "check replayed $B/d/data from 1 to 5"; told 'check data good'; [ "$(flags)" = "4yes 2no " ] || fail "IV-94: $(flags)"
chain F0 L1; told "check replayed $B/d/data from 1 to 3"
want=4; chain F0 L2; want=0; told 'no journal of generation 2' # truncated at L1, so L1 cannot be left out
new_store
image F0; image L1 F0; image I2 L1; told 'previous app generation:3:' # IV-85
chain F0 L1 I2; told "check replayed $B/d/data from 1 to 5"; told 'check data good'
[ "$(flags)" = "4yes 2no " ] || fail "IV-95: $(flags)"

echo "-- IV-97..IV-102: I-72, I-166, I-167, I-172..I-178: who truncates, and when"
journals() { find "$B/d" -name 'journal.*' | wc -l; }
ended() { # ended TYPE SUCCEEDED LAST-CALL: a backup by hand, from the base F0
    rm -f "$log"
    cat >"$SCRATCH/script" <<S
create
initialize_for_backup
set_backup_state $1 partial
gather_writer_metadata
add_components => S_OK
set_previous_stamps $store/F0/backup-components.xml
start_snapshot_set
add_volumes
prepare_for_backup
do_snapshot_set
set_backup_succeeded "Test Writer:app" $2
$3
S
    betest "${4:-0}" "$SCRATCH/script"
}
truncates() { # truncates VECTOR yes|no TYPE SUCCEEDED LAST-CALL [EXIT]
    local vector=$1 want=$2
    shift 2
    ended "$@"
    for _ in 1 2 3 4 5 6 7 8 9 10; do grep -q backup_shutdown "$log" && break; sleep 0.2; done
    told backup_shutdown
    if [ "$want" = yes ]; then told 'truncated'; [ "$(journals)" = 1 ] || fail "$vector: $(journals) journals are left"
    else untold 'truncated'; [ "$(journals)" -gt 1 ] || fail "$vector: journals are gone"; fi
}
new_store; image F0
truncates IV-97 yes full yes backup_complete
truncates IV-98 no full no backup_complete
truncates IV-99 no incremental yes die 137
truncates IV-99 no incremental yes free
truncates IV-100 no copy yes backup_complete
truncates IV-101 no differential yes backup_complete
truncates I-177 no other yes backup_complete
truncates I-173 yes incremental yes backup_complete
truncates I-175 yes log yes backup_complete
logged "incremental, timestamped" # without COPY: a copy is a full one to this writer (I-74)
truncates IV-102 yes copy yes backup_complete

echo "-- I-159: a base of which the writer knows nothing is refused, with words"
writer <<C
schema = incremental, differential, timestamped
[component app]
files = $B/d/data mask=0x0f01
data = $B/d/data by=partial
C
cat >"$SCRATCH/script" <<S
create
initialize_for_backup
set_backup_state incremental partial
gather_writer_metadata
add_components => S_OK
set_previous_backup_stamp "Test Writer:app" "of another life"
start_snapshot_set
add_volumes
prepare_for_backup
gather_writer_status
expect_status "Test Writer" failed_at_prepare_backup VSS_E_WRITERERROR_NONRETRYABLE
get_writer_components
abort_backup
S
betest 4 "$SCRATCH/script"
said 'is none of this writer; make a full backup'
untold 'answered.*S_OK'

echo "-- IV-117: a partial file of prepare_backup whose volume is not in the set, though it must be"
mkdir -p "$X/e"; echo 0123456789 >"$X/e/p"; echo 0123456789 >"$B/d/q"
writer <<C
schema = incremental
[component app]
files = $B/d/q
files = $X/e/p mask=0x0f01
partial = $X/e/p 0:5 at=prepare_backup
C
cat >"$SCRATCH/script" <<S
create
initialize_for_backup
set_backup_state incremental partial
gather_writer_metadata
add_components => S_OK
start_snapshot_set
add_to_snapshot_set $B
prepare_for_backup
do_snapshot_set
get_writer_components
copy $store/bad
set_succeeded
backup_complete
S
betest 0 "$SCRATCH/script"; said '^partial path=.*ranges="0:5"'; told 'succeeded app no'
said 'trouble.*must be read from a shadow copy'

echo "-- stores as the rules declare them: I-191..I-194, I-94, I-125, I-132"
store_of() { # store_of SCHEMA MASK BY: one file, brought through a full and two increments
    writer <<C
schema = $1
[component app]
files = $B/d/data mask=$2
data = $B/d/data size=300000 changes=6 by=$3
C
    new_store
    image F0; image I1 F0; image I2 I1; chain F0 I1 I2; told 'check data good .* generation='
}
store_of "0x0032" 0x010f "partial live" # I-191: read where it is, by ranges said before the copy
grep -q '^ranges' "$store/I1/index" || fail "I-191: no ranges in the increment"
grep -q '^whole' "$store/F0/index" || fail "I-191: the full backup is not whole"
store_of "0x0032" 0x0f01 partial # I-192
grep -q '^ranges' "$store/I2/index" || fail "I-192: no ranges in the increment"
store_of "0x0053" 0x0f0f differenced # I-193; stamps without TIMESTAMPED are the requester's to hand on all the same
grep -q '^whole' "$store/I2/index" || fail "I-193: the changed file is not there"
store_of "0x0010" 0x0f0f whole # I-194: every type is a full one
grep -q '^whole' "$store/I2/index" || fail "I-194: no whole file"
# I-132: a requester that cannot store ranges gets none, and the file goes by its mask
store_of "0x0032" 0x0f0f partial
{ begin incremental; cat <<S; } | lines
add_components => S_OK
set_previous_stamps $store/I2/backup-components.xml
start_snapshot_set
add_volumes
prepare_for_backup
do_snapshot_set
plan
S
said '^file decision="whole" path=.*/d/data'; told 'partial=no'; untold 'refused'

# ---- the same chains as vssctl makes and restores them: it finds the images by itself ----
CLASS=c42f9a06-e158-4d3b-b70a-915c6d23f840
declare -A set_of
made() { # made NAME: by vssctl, into the store
    rm -f "$log"
    vssctl backup --config "$etc" --to "$store" --json --type "$(type_of "$1")" --component "$CLASS:app" >"$SCRATCH/out" 2>"$SCRATCH/err" ||
        { cat "$SCRATCH/out" "$SCRATCH/err" "$log"; fail "vssctl backup $1"; }
    set_of[$1]=$(python3 -c 'import json,sys; print([r["id"] for r in map(json.loads, open(sys.argv[1])) if r["record"]=="backup"][0])' "$SCRATCH/out")
}
restores() { # restores VECTOR NAME: by vssctl, what the writer then calls good
    local flags
    rm -rf "$B/d"; mkdir "$B/d"; rm -f "$log"
    vssctl restore --config "$etc" --from "$store" --set "${set_of[$2]}" --in-place --component app >"$SCRATCH/out" 2>"$SCRATCH/err" ||
        { cat "$SCRATCH/out" "$SCRATCH/err" "$log"; fail "$1: vssctl restore $2"; }
    told 'check data good'; untold 'check data different'; untold 'no journal'
    # the images may come one by one or brought together; recovery begins after the last (I-186)
    flags=$(awk '$3 == "pre_restore" { p = 1 } p && $3 == "restoring" { print substr($5, 12); p = 0 }' "$log" | uniq | tr '\n' ' ')
    [ "$flags" = "no " ] || [ "$flags" = "yes no " ] || { cat "$log"; fail "$1: additional restores: $flags"; }
}
echo "-- IV-88..IV-93 by vssctl: I-184: the chain, and nothing that is no link of it"
two_files partial
new_store; made F0; made I1; made I2; restores IV-88 I2; restores I-180 I1; restores I-179 F0
new_store; made F0; made D1; made D2; restores IV-89 D2
new_store; made F0; made I1; made D2; made I3; restores IV-90 I3; restores IV-91 D2
new_store; made F0; made C1; made I2; restores IV-92 I2; restores IV-93 C1
echo "-- IV-94, IV-95 by vssctl: logs"
logged "incremental, differential, exclusive, log, copy, timestamped"
new_store; made F0; made L1; made L2; restores IV-94 L2; told "check replayed $B/d/data from 1 to 5"
new_store; made F0; made L1; made I2; restores IV-95 I2; told "check replayed $B/d/data from 1 to 5"
echo "-- I-74: to a writer without COPY a copy is a full backup after which it truncates: what comes later builds on it"
logged "incremental, timestamped"
new_store; made F0; made C1; told 'prepare_backup type=1'; told 'truncated'; made I2; told 'previous app generation:3:'; restores I-74 I2
# of a writer that has no other backups nothing builds on anything: it stays with the others
logged ""; sed -i '/^schema/d' "$etc/writers.d/test.conf"
new_store; made C1; told 'prepare_backup type=5'
logged "incremental, differential, exclusive, log, copy, timestamped"
echo "-- I-159, IV-86: a base that this store does not know is none: a full backup is made instead"
new_store; made I1; told 'prepare_backup type=1'

echo "-- IV-117 by vssctl: it takes the volumes that masks and type name, and the component fails (I-101)"
writer <<C
schema = incremental
[component app]
files = $B/d/q
files = $X/e/p mask=0x0f01
partial = $X/e/p 0:5 at=prepare_backup
C
new_store; echo 0123456789 >"$B/d/q"; made F0; got=0
vssctl backup --config "$etc" --to "$store" --json --type incremental --component "$CLASS:app" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
[ "$got" = 4 ] || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "IV-117: exit $got"; }
said 'x/e/p. lies on no volume of the shadow copy set'; told 'succeeded app no'

# ---- masks: vssctl and vss-betest, each by itself, and what the rules say ----
echo "-- IV-18..IV-30: I-77..I-81, I-83..I-85: every mask in every type"
new_store
mkdir -p "$B/m"
{
    printf 'schema = differential, incremental, log, copy\nanything = yes\n'
    for mask in 0x0f0f 0x0101 0x0202 0x0004 0x0400 0x0808 0x0707 0x0e0e 0x000f 0x0f00; do
        mkdir -p "$B/m/$mask"; echo data >"$B/m/$mask/file"
        printf '[component %s]\ntype = database\nfiles = %s/m/%s/file mask=%s\n' "$mask" "$B" "$mask" "$mask"
    done
    printf '[component logs]\nlogs = %s/m/*.log mask=0x0f0f\n' "$B"
} | writer
arguments=()
for mask in "$B"/m/*; do arguments+=(--component "$CLASS:${mask##*/}"); done
vssctl backup --config "$etc" --to "$store" --quiet "${arguments[@]}" >/dev/null # a base, so that types are what they are called
for type in full incremental differential log copy; do
    { begin $type; printf 'add_components => S_OK\nstart_snapshot_set\nadd_volumes\nprepare_for_backup\ndo_snapshot_set\nplan\n'; } >"$SCRATCH/script"
    betest 0 --json "$SCRATCH/script"
    vssctl backup --config "$etc" --to "$store" --type $type --plan --json "${arguments[@]}" >"$SCRATCH/plan"
    python3 - $type "$SCRATCH/out" "$SCRATCH/plan" <<'P' || fail "$type"
import json, sys
kind, betest, vssctl = sys.argv[1:]
bit = {'full': 0, 'copy': 0, 'differential': 1, 'incremental': 2, 'log': 3}[kind]
theirs, ours = {}, {}
for r in map(json.loads, open(betest)):
    if r['record'] == 'file':
        theirs[r['component'].split(':')[1]] = r
for r in map(json.loads, open(vssctl)):
    if r['record'] == 'plan':
        ours[r['component']] = r
bad = []
for name, plan in ours.items():
    mask = int(name, 16)
    required, snapshot = mask >> bit & 1, mask >> (8 + bit) & 1
    if (plan['decision'] == 'whole') != bool(required):
        bad.append(('vssctl', name, plan))
    if (name in theirs) != bool(required):
        bad.append(('vss-betest', name, theirs.get(name)))
    for p in (plan, theirs.get(name)):
        if required and snapshot and p['source'] != 'shadow copy':
            bad.append(('source', name, p))
if bad or len(ours) != 10:
    sys.exit(f'{kind}: {bad} {len(ours)}')
P
done

# ---- the protocol ----
W='"Test Writer"'
plain() { # plain: one component, and what standard input says of [test]
    { cat; printf '[component a]\nfiles = %s/a/*\n' "$B"; } | writer
    rm -f "$log"
}
mkdir -p "$B/a"; echo data >"$B/a/file"
events() { # events NAME...: what the test writer heard after identify
    local got i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        got=$(awk '$3 ~ /^(prepare_|freeze|thaw|post_|abort|backup_|pre_)/ { print $3 }' "$log" 2>/dev/null | tr '\n' ' ' || true)
        [ "$got" = "${*:+$* }" ] && return 0
        sleep 0.2 # after a death the last one takes a moment
    done
    cat "$log"; fail "heard '$got' instead of '$*'"
}
to_set() { begin; printf 'add_components => S_OK\nstart_snapshot_set\nadd_to_snapshot_set %s\n' "$B"; }

echo "-- BV-1, BV-2, BV-6: calls in the wrong place"
plain </dev/null
lines <<S
create
initialize_for_backup
initialize_for_backup => VSS_E_BAD_STATE
prepare_for_backup => VSS_E_BAD_STATE
start_snapshot_set => VSS_E_BAD_STATE
do_snapshot_set => VSS_E_BAD_STATE
gather_writer_metadata
prepare_for_backup => VSS_E_BAD_STATE
gather_writer_metadata => VSS_E_BAD_STATE
S
{ begin; echo 'add_components => S_OK'; echo 'prepare_for_backup => VSS_E_BAD_STATE'; } | lines
events

echo "-- BV-3, BV-4, BV-5: who is asked (B-31)"
A=11111111-1111-4111-8111-111111111111 C=33333333-3333-4333-8333-333333333333
for w in "A $A" "B 22222222-2222-4222-8222-222222222222" "C $C"; do
    printf 'name = %s\nid = %s\n[component a]\nfiles = %s/a/%s\n' "${w% *}" "${w#* }" "$B" "${w% *}" | writer "${w% *}"
done
rm "$etc/writers.d/test.conf"
lines <<S
create
initialize_for_backup
enable_writer_classes $A
enable_writer_classes 22222222-2222-4222-8222-222222222222
disable_writer_classes $A
gather_writer_metadata
expect_writers B
create
initialize_for_backup
disable_writer_classes $A
gather_writer_metadata
enable_writer_classes $A
expect_writers B C
expect_writers B => VSS_E_UNEXPECTED
S

echo "-- BV-7: a context without writers"
no_writers; plain </dev/null
lines <<S
create
initialize_for_backup
set_context file_share_backup
start_snapshot_set
add_to_snapshot_set $B
prepare_for_backup => VSS_E_BAD_STATE
do_snapshot_set
backup_complete => VSS_E_BAD_STATE
S
[ ! -e "$log" ] || fail "a writer was asked"

echo "-- BV-9: one set at a time"
{ begin; echo start_snapshot_set; echo "exec $BUILD/vss-betest --config $etc $SCRATCH/second"; } >"$SCRATCH/first"
{ begin; echo 'start_snapshot_set => VSS_E_SNAPSHOT_SET_IN_PROGRESS'; } >"$SCRATCH/second"
betest 0 "$SCRATCH/first"

echo "-- BV-10: who fails Identify is in no list (T-51, B-82)"
plain <<<'fail = identify nonretryable'
lines <<S
create
initialize_for_backup
set_backup_state full no_components
gather_writer_metadata
expect_writers
start_snapshot_set
add_to_snapshot_set $B
prepare_for_backup
expect_status $W stable => VSS_E_UNEXPECTED
do_snapshot_set
backup_complete
S
events

echo "-- BV-11: the normal run, and the states after each event"
plain </dev/null
{ to_set; cat <<S; } | lines
expect_status $W stable
prepare_for_backup
expect_status $W stable
do_snapshot_set
expect_status $W waiting_for_backup_complete
set_backup_succeeded "Test Writer:a" yes
backup_complete
expect_status $W stable
S
events prepare_backup prepare_snapshot freeze thaw post_snapshot backup_complete backup_shutdown
[ "$(grep -o 'state=[0-9]' "$log" | tr '\n' ' ')" = "state=1 state=4 state=5 " ] || fail "states: $(cat "$log")"

echo "-- BV-12, BV-13: B-30, B-59: without components nothing is heard; without component mode everything"
rest=$(printf 'start_snapshot_set\nadd_to_snapshot_set %s\nprepare_for_backup\ndo_snapshot_set\nbackup_complete' "$B")
plain </dev/null
{ begin; echo "$rest"; } | lines
events
plain </dev/null
{ begin "full no_components"; echo "$rest"; } | lines
events prepare_backup prepare_snapshot freeze thaw post_snapshot backup_complete backup_shutdown
told 'post_snapshot.*components=0.*selected=no'

echo "-- BV-14: B-34, B-43: levels"
no_writers
for w in "f1 front_end 5" "f2 front_end 6" "m back_end 7" "s system 8"; do
    # shellcheck disable=SC2086 # three words
    set -- $w
    printf 'name = %s\nlevel = %s\nid = %s\ndelay = freeze 100ms\n[component %s]\nfiles = %s/a/%s\n' "$1" "$2" \
        "$3$3$3$3$3$3$3$3-1111-4111-8111-111111111111" "$1" "$B" "$1*" | writer "$1"
    sed -i "s|^log.*|&.$1|" "$etc/writers.d/$1.conf"
done
{ to_set; printf 'prepare_for_backup\ndo_snapshot_set\nbackup_complete\n'; } | lines
when() { awk -v e="$2" '$3 == e { print $1 }' "$log.$1"; }
for pair in "f1 m" "f2 m" "m s"; do
    (($(when "${pair% *}" freeze) + 100000 <= $(when "${pair#* }" freeze))) || fail "freeze: $pair"
    (($(when "${pair% *}" thaw) >= $(when "${pair#* }" thaw))) || fail "thaw: $pair"
done
no_writers

echo "-- BV-15, BV-16, BV-17: failures at Freeze, PrepareForSnapshot, PostSnapshot"
failing() { # failing EVENT CODE STATE [soft]
    plain <<<"fail = $1 $2 ${4:-}"
    { to_set; printf 'prepare_for_backup\ndo_snapshot_set\nexpect_status %s %s %s\nget_snapshot_properties\nbackup_complete\n' "$W" "$3" "$2"; } | lines
}
failing freeze VSS_E_WRITERERROR_RETRYABLE failed_at_freeze
events prepare_backup prepare_snapshot freeze abort backup_shutdown
failing prepare_snapshot VSS_E_WRITERERROR_NONRETRYABLE failed_at_prepare_snapshot soft
events prepare_backup prepare_snapshot backup_shutdown
failing post_snapshot VSS_E_WRITERERROR_OUTOFRESOURCES failed_at_post_snapshot
events prepare_backup prepare_snapshot freeze thaw post_snapshot backup_shutdown
said '^snapshot' # it stays

echo "-- BV-21, BV-22: the requester is killed"
plain </dev/null
{ to_set; printf 'prepare_for_backup\ndo_snapshot_set\ndie\n'; } >"$SCRATCH/script"; betest 137 "$SCRATCH/script"
events prepare_backup prepare_snapshot freeze thaw post_snapshot backup_shutdown
grep -q 'set=00000000' "$log" && fail "BV-21: the null id"
for i in $(seq 50); do [ -z "$(find "$B/.vss" -mindepth 1 2>/dev/null)" ] && break; sleep 0.2; done
[ "$i" -lt 50 ] || fail "BV-21: a copy stays"
plain </dev/null
{ to_set; printf 'prepare_for_backup\ndie\n'; } >"$SCRATCH/script"; betest 137 "$SCRATCH/script"
for i in $(seq 50); do grep -q backup_shutdown "$log" && break; sleep 0.2; done
told 'backup_shutdown set=00000000-0000-0000-0000-000000000000'; untold backup_complete

echo "-- BV-23..BV-26: AbortBackup"
plain </dev/null
{ begin; echo abort_backup; } | lines; events
plain </dev/null
{ to_set; printf 'prepare_for_backup\nabort_backup\nabort_backup\nexpect_status %s stable\nfree\n' "$W"; } | lines
[ "$(grep -c ' abort$' "$log")" -le 2 ] || fail "BV-26: more than two Aborts"
told ' abort$'; told 'backup_shutdown'; untold freeze
plain </dev/null
{ to_set; printf 'prepare_for_backup\ndo_snapshot_set\nabort_backup\nfree\n'; } | lines
events prepare_backup prepare_snapshot freeze thaw post_snapshot backup_shutdown

echo "-- BV-31, BV-32: B-84, B-85: what a failing handler had said"
writer <<C
[component a]
files = $B/a/x*
fail = VSS_E_WRITERERROR_OUTOFRESOURCES
[component b]
files = $B/a/y*
backup_metadata = kept
C
{ to_set; printf 'prepare_for_backup\ndo_snapshot_set\nget_writer_components\nexpect_status %s waiting_for_backup_complete VSS_E_WRITERERROR_PARTIAL_FAILURE\nset_succeeded\nbackup_complete\n' "$W"; } | lines
said 'entry.*name="a".*failure=VSS_E_WRITERERROR_OUTOFRESOURCES'; said 'entry.*name="b".*backup_metadata="kept"'
told 'succeeded a no'; told 'succeeded b yes'
writer <<C
fail = post_snapshot nonretryable soft
[component b]
files = $B/a/y*
backup_metadata = dropped
C
{ to_set; printf 'prepare_for_backup\ndo_snapshot_set\nget_writer_components\n'; } | lines
grep -q dropped "$SCRATCH/out" && fail "BV-32: what a failing handler wrote is in the document"

echo "-- BV-33, BV-34: B-126..B-130: long calls"
plain <<<'delay = prepare_snapshot 1500ms'
{ to_set; cat <<S; } | lines
prepare_for_backup
async do_snapshot_set
query_status => VSS_S_ASYNC_PENDING
wait 50 => VSS_S_ASYNC_PENDING
cancel => S_OK
wait 30000 => VSS_S_ASYNC_CANCELLED
query_status => VSS_S_ASYNC_CANCELLED
cancel => VSS_S_ASYNC_CANCELLED
S
plain </dev/null
{ to_set; printf 'async prepare_for_backup\nwait => VSS_S_ASYNC_FINISHED\ncancel => VSS_S_ASYNC_FINISHED\n'; } | lines

echo "-- BV-38: B-22: no file set needs a copy"
printf '[component a]\nfiles = %s/a/* mask=0x000f\n' "$B" | writer; rm -f "$log"
{ begin; cat <<S; } | lines
add_components => S_OK
start_snapshot_set
add_volumes
prepare_for_backup
copy $SCRATCH/live
set_succeeded
backup_complete
S
events prepare_backup backup_complete backup_shutdown
said 'whole.*a/file.*source="original"'; told 'succeeded a yes'

echo "-- D-56, I-153: the requester's options are heeded, and stamps of any kind survive (IV-111, I-144)"
python3 -c 'import sys; sys.stdout.write("<&>\n\t\u00e4" * 30000)' >"$SCRATCH/stamp"
printf 'schema = incremental, timestamped\n[component a]\nfiles = %s/a/*\n' "$B" | writer; rm -f "$log"
{ begin incremental; cat <<S; } | lines
add_components => S_OK
set_backup_options "Test Writer:a" "stamp=by option; restore_metadata=for later"
set_previous_backup_stamp "Test Writer:a" @$SCRATCH/stamp
set_previous_backup_stamp "Test Writer:nothing" x => VSS_E_OBJECT_NOT_FOUND
start_snapshot_set
add_volumes
prepare_for_backup
set_previous_backup_stamp "Test Writer:a" late => VSS_E_BAD_STATE
do_snapshot_set
get_writer_components
save_as_xml $SCRATCH/stamped.xml
S
said 'stamp="by option".*restore_metadata="for later"'; told 'options=stamp=by option'
python3 - "$SCRATCH/stamped.xml" "$SCRATCH/stamp" <<'P'
import sys, xml.dom.minidom
stamps = [e.getAttribute(a) for e in xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName('*')
          for a in e.attributes.keys() if 'previous' in a.lower()]
assert stamps == [open(sys.argv[2], newline='').read()], [len(s) for s in stamps]
P

echo "-- BV-27: a set that failed: nothing can be completed"
plain </dev/null
cat >"$etc/vss.conf" <<C
[service]
runtime_dir = $SCRATCH/run
state_dir = $SCRATCH/state
[provider.memory]
enabled = yes
fail_at = commit_snapshots:VSS_E_PROVIDER_VETO
[provider.mirror]
enabled = no
[provider.btrfs]
enabled = no
C
{ to_set; cat <<S; } | lines
prepare_for_backup
do_snapshot_set => VSS_E_PROVIDER_VETO
set_backup_succeeded "Test Writer:a" yes => VSS_E_BAD_STATE
backup_complete => VSS_E_BAD_STATE
abort_backup
S
events prepare_backup prepare_snapshot freeze abort backup_shutdown
told 'backup_shutdown set=00000000-0000-0000-0000-000000000000' # B-138
echo ok
