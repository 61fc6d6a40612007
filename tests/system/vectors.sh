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
    [ "$got" = "$code" ] || { cat "$SCRATCH/out" "$SCRATCH/err" "$log"; fail "exit $got instead of $code: $*"; }
}
lines() { cat >"$SCRATCH/script"; betest 0 "$SCRATCH/script" "$@"; } # lines: a script from standard input
said() { grep -q -- "$1" "$SCRATCH/out" "$SCRATCH/err" || { cat "$SCRATCH/out" "$SCRATCH/err"; fail "no '$1'"; }; }
told() { grep -q -- "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }
untold() { grep -q -- "$1" "$log" && { cat "$log"; fail "the writer says '$1'"; }; return 0; }

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
lines <<S
create
initialize_for_backup
set_backup_state incremental partial
gather_writer_metadata
add_components => S_OK
set_previous_backup_stamp "Test Writer:app" "of another life"
start_snapshot_set
add_volumes
prepare_for_backup
expect_status "Test Writer" failed_at_prepare_backup VSS_E_WRITERERROR_NONRETRYABLE
get_writer_components
abort_backup
S
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
echo ok
