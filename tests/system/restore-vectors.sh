#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The protocol vectors of a restore, TV-40 to TV-50 and the ranges, call by call through real processes: vss-betest makes the
# calls, the test writer tells what it heard.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
scripts=$(cd "$(dirname "$0")/../../data/betest" && pwd)
umask 022

# the data lie where they are read: no shadow copy is needed for what is tried here
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
D=$R/d etc=$R/etc log=$R/log store=$R/store
mkdir -p "$etc/writers.d" "$D"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[timeout]\npre_restore = 1\npost_restore = 1\n' "$R" "$R" >"$etc/vss.conf"
printf '[provider.%s]\nenabled = no\n' mirror btrfs lvm >>"$etc/vss.conf"
W='"Test Writer"' A='"Test Writer:a"'

writer() { # writer [NAME]: a test writer with what standard input says besides
    { printf '[writer]\nplugin = test\n%s\n[test]\nlog = %s\n' "${1:+instance-name = $1}" "$log"; cat; } \
        >"$etc/writers.d/${1:-test}.conf"
}
plain() { # plain: component a, and before it what standard input says
    { cat; printf '[component a]\nfiles = %s/a/* mask=0x000f\n' "$D"; } | writer
}
no_writers() { rm -f "$etc"/writers.d/*.conf; }
# betest CODE SCRIPT [NAME=VALUE]...: the exit code; what it said is in "out"
betest() {
    local code=$1 got=0
    shift
    vss-betest "${where[@]}" "$@" >"$R/out" 2>"$R/err" || got=$?
    [ "$got" = "$code" ] || { cat "$R/out" "$R/err" "$log" 2>/dev/null; fail "exit $got instead of $code: $*"; }
}
where=(--config "$etc")
said() { grep -q -- "$1" "$R/out" "$R/err" || { cat "$R/out" "$R/err"; fail "no '$1'"; }; }
unsaid() { grep -q -- "$1" "$R/out" "$R/err" && { cat "$R/out" "$R/err"; fail "'$1' was said"; }; return 0; }
told() { grep -q -- "$1" "$log" || { cat "$log"; fail "the writer was not told '$1'"; }; }
untold() { grep -q -- "$1" "$log" && { cat "$log"; fail "the writer says '$1'"; }; return 0; }
files() { rm -rf "$D"; mkdir -p "$D/a" "$D/b"; echo one >"$D/a/one"; echo two >"$D/b/two"; }
backup() { rm -rf "$store"; betest 0 "$scripts/backup.betest" TYPE=copy "DIR=$store"; rm -f "$log"; }
opened() { printf 'create\ninitialize_for_restore @%s/backup-components.xml\ngather_writer_metadata\n' "$store"; }
script() { cat >"$R/script"; }
lines() { script; rm -f "$log"; betest "${want:-0}" "$R/script"; } # lines: a script from standard input
restore() { # restore [LINE]...: a whole restore of component a, with these lines before PreRestore
    { opened; printf '%s\n' "set_selected_for_restore $A yes" "$@"; cat <<S; } | lines
pre_restore
restore_files $store
set_statuses
post_restore
S
}
events() { # events NAME...: what the writers heard after identify
    local got i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        got=$(awk '$3 ~ /^(prepare_|freeze|thaw|post_|abort|backup_|pre_)/ { print $3 }' "$log" 2>/dev/null | tr '\n' ' ' || true)
        [ "$got" = "${*:+$* }" ] && return 0
        sleep 0.2 # after a death the last one takes a moment
    done
    cat "$log"; fail "heard '$got' instead of '$*'"
}

files
plain </dev/null
backup
echo "-- TV-40, TV-41, R-13: calls in the wrong place"
{ opened; cat <<S; } | lines
post_restore => VSS_E_BAD_STATE
set_file_restore_status $A all => VSS_E_BAD_STATE
set_selected_for_restore $A yes
post_restore => VSS_E_BAD_STATE
pre_restore
abort_backup => VSS_E_BAD_STATE
set_selected_for_restore $A yes => VSS_E_BAD_STATE
set_file_restore_status $A all
post_restore
post_restore => VSS_E_BAD_STATE
set_file_restore_status $A all => VSS_E_BAD_STATE
S
events pre_restore post_restore

echo "-- R-11, R-15: no shadow copy, no Freeze; between the two events nobody touches a file"
rm "$D/a/one"
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
start_snapshot_set => VSS_E_BAD_STATE
pre_restore
do_snapshot_set => VSS_E_BAD_STATE
exec /usr/bin/test ! -e $D/a/one
restore_files $store
exec /usr/bin/test -e $D/a/one
set_statuses
post_restore
S
events pre_restore post_restore
told 'status a 2'

echo "-- TV-42, TV-43: R-23, R-24: parts of a set"
writer <<C
[component top]
files = $D/a/* mask=0x000f
[component sub]
logical_path = top
selectable = no
files = $D/b/* mask=0x000f
[component whole]
logical_path = top
selectable = no
selectable_for_restore = no
files = $D/c/* mask=0x000f
C
files; backup
T='"Test Writer:top"'
{ opened; cat <<S; } | lines
set_selected_for_restore "Test Writer:top\\\\sub" yes => VSS_E_OBJECT_NOT_FOUND
add_restore_subcomponent $T top\\sub => VSS_E_BAD_STATE
set_selected_for_restore $T yes
add_restore_subcomponent $T top\\whole => VSS_E_OBJECT_NOT_FOUND
add_restore_subcomponent $T top\\sub
pre_restore
get_writer_components
set_file_restore_status $T none
post_restore
S
said '^restore_subcomponent logical_path="top" name="sub"'
told 'subcomponent top top.sub'

echo "-- TV-44: what is not selected is left alone"
writer <<C
[component a]
files = $D/a/* mask=0x000f
[component b]
files = $D/b/* mask=0x000f
C
files; backup; files; rm "$D/a/one" "$D/b/two"
restore
told 'selected a yes'; told 'selected b no'; told 'status a 2'; told 'status b 0'
[ -e "$D/a/one" ] || fail "the selected one is not there"
[ ! -e "$D/b/two" ] || fail "the other one was touched"

echo "-- TV-45: R-14, R-33: who has nothing selected hears nothing; ALWAYS hears both"
no_writers
printf 'id = 22222222-2222-4222-8222-222222222222\nname = Other\n[component o]\nfiles = %s/b/* mask=0x000f\n' "$D" | writer other
sed -i "s|^log.*|&.other|" "$etc/writers.d/other.conf"
plain </dev/null
files; backup; rm -f "$log.other"
restore
events pre_restore post_restore
grep -q '_restore' "$log.other" && fail "the other writer heard of it"

echo "-- TV-46: R-16: after PreRestore no target can be set; R-3: and never none"
no_writers
{ plain </dev/null; printf 'restore_target = alternate post_restore\n' >>"$etc/writers.d/test.conf"; }
files; backup; restore
told 'target refused VSS_E_BAD_STATE'; told 'post_restore.*components'
{ plain </dev/null; printf 'restore_target = undefined\n' >>"$etc/writers.d/test.conf"; }
restore
told 'target refused E_INVALIDARG'; told 'restoring a .*target=1'

echo "-- TV-47: R-18: the writer's process dies between the events"
plain </dev/null
cat >"$R/kill-writer" <<'S'
#!/bin/bash
# the vss-host below the vssd that belongs to the vss-betest that runs this
for vssd in $(pgrep -P "$PPID" -x vssd); do pkill -KILL -P "$vssd" -x vss-host; done
sleep 0.3
S
cat >"$R/kill-service" <<'S'
#!/bin/bash
pkill -KILL -P "$PPID" -x vssd
sleep 0.3
S
chmod +x "$R/kill-writer" "$R/kill-service"
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
exec $R/kill-writer
set_file_restore_status $A none
post_restore
expect_status $W unknown VSS_E_WRITER_NOT_RESPONDING
S
events pre_restore

echo "-- R-112, R-113: the service dies between the events: the writer ends its restore by itself"
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
exec $R/kill-service
set_file_restore_status $A all
post_restore => VSS_E_WRITER_INFRASTRUCTURE
free
S
events pre_restore post_restore
told 'status a 0'
restore; events pre_restore post_restore # and once more from the beginning

echo "-- R-113: the requester dies: PostRestore without a status"
want=137
{ opened; printf 'set_selected_for_restore %s yes\npre_restore\nset_file_restore_status %s all\ndie\n' "$A" "$A"; } | lines
want=0
events pre_restore post_restore
told 'status a 0'

echo "-- TV-49, TV-50: R-34: IF_REPLACE_FAILS"
printf '[restore]\nevents = if_replace_fails\nmethod = restore_if_can_replace\nmapping = %s/a/* to=%s/alt\n' "$D" "$R" | plain
files; backup
restore; events pre_restore
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
add_alternative_location_mapping $A $D/a/* $R/alt
set_file_restore_status $A all
post_restore
S
events pre_restore post_restore
told "used_mapping a $D/a/\* to $R/alt"
{ opened; printf 'set_selected_for_restore %s yes\npre_restore\nset_file_restore_status %s none\npost_restore\n' "$A" "$A"; } | lines
events pre_restore post_restore

echo "-- R-35, R-37: NEVER hears nothing and has not failed; who does not run cannot be selected"
printf '[restore]\nevents = never\n' | plain
files; backup
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
expect_warning "takes part in no restore"
expect_status $W stable
set_file_restore_status $A all
post_restore
S
events
no_writers
{ opened; printf 'set_selected_for_restore %s yes => VSS_E_OBJECT_NOT_FOUND\n' c42f9a06-e158-4d3b-b70a-915c6d23f840:a; } | lines

echo "-- R-40: what kind of restore it is; R-31: what the writer changed is seen"
plain </dev/null
printf 'restore_target = original_location\n' >>"$etc/writers.d/test.conf"
files; backup
{ opened; cat <<S; } | lines
set_restore_state import
set_selected_for_restore $A yes
pre_restore
get_writer_components
set_file_restore_status $A all
post_restore
S
told 'pre_restore .*restore=2'; said '^entry.*target="original_location"'

echo "-- R-110, R-114, R-115, R-17: who fails in either event, and in which way"
failing() { # failing EVENT SETTING STATE CODE [EVENT-HEARD]...
    local event=$1 setting=$2 state=$3 code=$4
    shift 4
    { printf '%s\n' "$setting"; } | plain
    printf 'message = %s no room for it\n' "$event" >>"$etc/writers.d/test.conf"
    files; backup
    want=4
    { opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
get_writer_components
set_file_restore_status $A none
post_restore
gather_writer_status
expect_status $W $state $code
get_writer_components
S
    want=0
    events "$@"
}
failing pre_restore 'fail = pre_restore retryable soft' failed_at_pre_restore VSS_E_WRITERERROR_RETRYABLE pre_restore post_restore
failing pre_restore 'fail = pre_restore nonretryable' failed_at_pre_restore VSS_E_WRITERERROR_NONRETRYABLE pre_restore post_restore
said '^status.*message=".*rejected .pre_restore.: failed at pre_restore, as told'
failing post_restore 'fail = post_restore nonretryable soft' failed_at_post_restore VSS_E_WRITERERROR_NONRETRYABLE pre_restore post_restore
failing post_restore 'fail = post_restore retryable' failed_at_post_restore VSS_E_WRITERERROR_RETRYABLE pre_restore post_restore
said '^entry.*post_restore_message="no room for it"'
failing pre_restore 'hang = pre_restore' failed_at_post_restore VSS_E_WRITERERROR_TIMEOUT pre_restore
failing post_restore 'hang = post_restore' failed_at_post_restore VSS_E_WRITERERROR_TIMEOUT pre_restore post_restore
failing pre_restore 'die = pre_restore' failed_at_pre_restore VSS_E_WRITER_NOT_RESPONDING pre_restore
failing post_restore 'die = post_restore' failed_at_post_restore VSS_E_WRITER_NOT_RESPONDING pre_restore post_restore
plain </dev/null
printf 'fail = VSS_E_WRITERERROR_OUTOFRESOURCES pre_restore\nmessage = pre_restore no room for it\n' >>"$etc/writers.d/test.conf"
files; backup
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
get_writer_components
set_file_restore_status $A none
post_restore
S
said '^entry.*failure=VSS_E_WRITERERROR_OUTOFRESOURCES.*pre_restore_message="no room for it"'

echo "-- R-26, R-42, R-45, OQ-R1, OQ-R2: what is allowed, but probably not meant"
writer <<C
[component a]
files = $D/a/* mask=0x000f
[component must]
selectable = no
files = $D/b/* mask=0x000f
C
files; backup
{ opened; cat <<S; } | lines
expect_warning
set_restore_options $A "\"Roll Forward\"=\"None\""
expect_warning
set_restore_options $A "\"Roll Forward\"=\"All\""
expect_warning "these replace them"
set_restore_options $A "\"Roll Forward\"=All" => E_INVALIDARG
set_roll_forward $A partial 12
expect_warning ROLLFORWARD_RESTORE
set_authoritative_restore $A yes
expect_warning AUTHORITATIVE_RESTORE
set_restore_name $A new
expect_warning RESTORE_RENAME
set_selected_for_restore $A yes
pre_restore
expect_warning "component 'must'"
expect_warning "SetRollForward was called"
set_additional_restores $A yes
expect_warning "SetAdditionalRestores after PreRestore"
get_writer_components
set_file_restore_status $A none
post_restore
S
told 'restoring a .*options="Roll Forward"="All" name=new authoritative=yes roll_forward=3:12' # R-41, R-44, R-46, R-47
said '^entry.*roll_forward="partial" point="12"'

echo "-- R-145, OQ-R6: which link of a chain this is"
plain </dev/null
files; backup
{ opened; cat <<S; } | lines
set_previous_backup_stamp $A "the one before"
set_selected_for_restore $A yes
pre_restore
set_previous_backup_stamp $A late => VSS_E_BAD_STATE
set_file_restore_status $A none
post_restore
S
told 'component a .*previous=the one before'

echo "-- R-83, R-94, R-95: new targets are seen in both events"
printf 'schema = new_target, copy\n' | plain
files; backup
{ opened; cat <<S; } | lines
add_new_target $A $D/a/* $R/new
add_new_target $A $D/b/* $R/new => VSS_E_OBJECT_NOT_FOUND
add_new_target $A $D/a/* new => E_INVALIDARG
set_selected_for_restore $A yes
pre_restore
restore_files $store
exec /usr/bin/test -e $R/new/one
set_statuses
post_restore
S
[ "$(grep -c "new_target a $D/a/\* to $R/new" "$log")" = 2 ] || { cat "$log"; fail "R-95"; }
plain </dev/null
files; backup
{ opened; printf 'add_new_target %s %s/a/* %s/new => VSS_E_NOT_SUPPORTED\n' "$A" "$D" "$R"; } | lines

# ---- restore_files: methods, targets, mappings; the writer finds its files where they went ----
where_to() { # where_to METHOD [LINE]...: whole restore of a writer with this method and more settings
    local method=$1
    shift
    { printf 'schema = new_target, copy\ncheck_includes = yes\n[restore]\nmethod = %s\nmapping = %s/a/* to=%s/alt recursive\n' \
        "$method" "$D" "$R"; printf '[component a]\nfiles = %s/a/* mask=0x000f recursive\n' "$D"; printf '%s\n' "$@"; } | writer
    rm -rf "$R/alt" "$R/new"
}
tree() { files; mkdir "$D/a/x"; echo deep >"$D/a/x/deep"; backup; }
decided() { said "^decided component=\"a\" course=\"$1\" rule=\"$2\""; }
echo "-- TV-2, TV-3, TV-6, TV-50: R-1, R-50, R-51: by the method"
where_to restore_if_can_replace; tree; echo changed >"$D/a/one"; rm "$D/a/x/deep"
restore; decided original R-51; [ "$(cat "$D/a/one" "$D/a/x/deep")" = $'one\ndeep' ] || fail "not restored"; untold used_mapping
where_to restore_if_not_there; tree; rm "$D/a/one"
restore; decided mapped R-50; told "used_mapping a $D/a/\* recursive to $R/alt"; told 'status a 2'
[ "$(cat "$R/alt/one" "$R/alt/x/deep")" = $'one\ndeep' ] || fail "not at the mapped place"
[ ! -e "$D/a/one" ] || fail "the set was split"
restore; decided nothing R-50; told 'status a 1' # the mapped place is taken as well
echo "-- TV-8, TV-18, TV-21, TV-24: R-54, R-55, R-61: in use, and at the next boot"
busy() { # somebody reads the file
    sleep 100 9<"$D/a/one" &
    holder=$!
    cleanup_fn "kill $holder 2>/dev/null"
    for ((i = 0; i < 50; i++)); do [ "$(readlink "/proc/$holder/fd/9")" = "$D/a/one" ] && return; sleep 0.1; done
}
where_to restore_if_can_replace; tree; busy
restore; decided mapped R-51; said "$holder"; told 'status a 2'; [ -e "$R/alt/one" ] || fail "TV-8"
where_to restore_to_alternate_location 'restore_target = original_location'; backup
restore; decided nothing R-72; told 'status a 1'; [ ! -e "$R/alt" ] || fail "TV-18"
where_to restore_at_reboot_if_cannot_replace; backup; rm "$D/a/x/deep"
restore; decided at_boot R-55; told 'status a 2'; [ ! -e "$D/a/x/deep" ] || fail "TV-24: the set was split"
[ -n "$(find "$R/state" -name '*pending*')" ] || fail "TV-24: nothing waits for the boot"
kill "$holder"; wait "$holder" 2>/dev/null || true
restore; decided original R-55; [ -e "$D/a/x/deep" ] || fail "TV-23"
where_to restore_at_reboot; backup; rm "$D/a/x/deep"
restore; decided at_boot R-54; told 'status a 2'; [ ! -e "$D/a/x/deep" ] || fail "TV-21"
echo "-- TV-15, TV-17, TV-19: R-53, R-71, R-72: by target"
where_to restore_to_alternate_location; tree
restore; decided mapped R-53; [ -e "$R/alt/one" ] || fail "R-53"
where_to restore_to_alternate_location 'restore_target = original_location'; tree; rm -r "$D/a"
restore; decided original R-72; [ -e "$D/a/one" ] && [ ! -e "$R/alt" ] || fail "R-72"
where_to restore_if_can_replace 'restore_target = alternate'; tree
restore; decided mapped R-71; [ -e "$R/alt/x/deep" ] || fail "R-71"
echo "-- TV-28, R-82: by a new target, R-91: names below stay"
where_to restore_if_can_replace; tree
restore "add_new_target $A $D/a/* $R/new recursive"
[ "$(cat "$R/new/one" "$R/new/x/deep")" = $'one\ndeep' ] || fail "R-82"; untold used_mapping; told 'status a 2'
echo "-- TV-30, TV-31, TV-32: R-73, R-81, R-126, R-127, R-128: directed"
where_to restore_if_can_replace 'restore_target = directed' "directed = $D/a/one 0:3 $R/new/b 5:3" "directed = $D/a/one 0:4 $R/new/whole 0:4"
tree; rm -r "$D/a"
restore; decided original R-51; [ -e "$D/a/x/deep" ] && [ ! -e "$D/a/one" ] || fail "R-73"
[ "$(tail -c 3 "$R/new/b")$(stat -c %s "$R/new/b")" = one8 ] && [ "$(cat "$R/new/whole")" = one ] || fail "R-81"
where_to restore_if_can_replace "directed = $D/a/one 0:3 $R/new/b 5:3"; tree; rm -r "$D/a"
restore; [ -e "$D/a/one" ] && [ ! -e "$R/new" ] || fail "R-126"
echo "-- TV-34, TV-13: R-56, R-52: what a generic program refuses"
where_to custom; tree; rm "$D/a/one"
restore; decided nothing R-56; told 'status a 1'; [ ! -e "$D/a/one" ] || fail "R-56"
where_to stop_restore_start "[restore]" "service = none-of-that-name.service"; tree; rm "$D/a/one"
restore; decided nothing R-52; told 'status a 1'
echo "-- R-5: the place where a backup reads is none for a restore"
mkdir -p "$R/elsewhere"; echo other >"$R/elsewhere/one"
printf 'check_includes = no\n[component a]\nfiles = %s/a/* mask=0x000f alternate=%s/elsewhere\n' "$D" "$R" | writer
files; backup; rm "$D/a/one" "$R/elsewhere/one"
restore; [ "$(cat "$D/a/one")" = other ] && [ ! -e "$R/elsewhere/one" ] || fail "R-5"
echo "-- R-39: a private copy follows no rule"
where_to restore_to_alternate_location; tree
{ opened; printf 'set_selected_for_restore %s yes\npre_restore\nrestore_files %s %s/private\nset_statuses\npost_restore\n' "$A" "$store" "$R"; } | lines
[ "$(cat "$R/private$D/a/one")" = one ] && [ ! -e "$R/alt" ] || fail "R-39"

echo "-- R-27: what is depended on, by way of the helper"
no_writers
printf 'id = 22222222-2222-4222-8222-222222222222\nname = Other\n[component o]\nfiles = %s/b/* mask=0x000f\n' "$D" | writer other
plain </dev/null
printf 'depends = 22222222-2222-4222-8222-222222222222 o\n' >>"$etc/writers.d/test.conf"
files; backup
{ opened; cat <<S; } | lines
set_selected_for_restore $A yes
select_dependencies
pre_restore
set_statuses none
set_file_restore_status Other:o none
post_restore
S
said '^dependencies selected=1'; told 'selected o yes'
no_writers

echo "-- TV-48: R-141, R-146: a chain is recovered once, after its last image, whatever the roll-forward says"
writer <<C
schema = incremental, differential, timestamped, rollforward
[component a]
files = $D/a/data mask=0x0001
logs = $D/a/journal.* mask=0x000f
data = $D/a/data size=64K by=logged
data = $D/a/journal by=journal
C
files; rm -rf "$R"/c; mkdir "$R/c"
betest 0 "$scripts/backup.betest" TYPE=full "DIR=$R/c/0"
betest 0 "$scripts/increment.betest" TYPE=incremental "BASE=$R/c/0" "DIR=$R/c/1"
betest 0 "$scripts/increment.betest" TYPE=incremental "BASE=$R/c/1" "DIR=$R/c/2"
rm -rf "$D/a"; mkdir "$D/a"; rm -f "$log"
link() { # link NUMBER MORE [LINE]
    store=$R/c/$1
    { opened; printf '%s\n' "set_selected_for_restore $A yes" "set_additional_restores $A $2" "${3:-# nothing more}"; cat <<S; } | script
pre_restore
restore_files $store
set_statuses
post_restore
S
    betest 0 "$R/script"
}
link 0 yes "set_roll_forward $A all"; link 1 yes "set_roll_forward $A all"; link 2 no
[ "$(grep -c 'check ' "$log")" = 2 ] || { cat "$log"; fail "recovered $(grep -c check "$log") times"; }
[ "$(awk '$3 == "restoring" { l = $5 } $3 == "check" { print l; exit }' "$log")" = additional=no ] || fail "recovered too early"
told 'check replayed'; told 'check data good'
echo "-- R-146: and then as far as it says"
shows() { awk '/check data good/ { g = $NF } END { print g }' "$log"; }
latest=$(shows)
rm -rf "$D/a"; mkdir "$D/a"; rm -f "$log"
link 0 yes; link 1 yes; link 2 no "set_roll_forward $A none"; untold 'check replayed'; [ "$(shows)" != "$latest" ] || fail "none: $(shows)"
rm -rf "$D/a"; mkdir "$D/a"; rm -f "$log"
link 0 yes; link 1 yes; link 2 no "set_roll_forward $A partial 2"; [ "$(shows)" = generation=2 ] || fail "partial: $(shows)"
store=$R/store

echo "-- R-147: files of a later link replace those of an earlier one; what vanished in between stays"
writer <<C
schema = incremental, timestamped, last_modify
[component a]
files = $D/a/* mask=0x000f
differenced = $D/a/* at=prepare_backup types=incremental
C
files; echo gone >"$D/a/gone"; echo same >"$D/a/same"; rm -rf "$R"/c; mkdir "$R/c"
betest 0 "$scripts/backup.betest" TYPE=full "DIR=$R/c/0"
rm "$D/a/gone"; echo later >"$D/a/one"
betest 0 "$scripts/increment.betest" TYPE=incremental "BASE=$R/c/0" "DIR=$R/c/1"
rm -rf "$D/a"; mkdir "$D/a"
link 0 yes; link 1 no
[ "$(cat "$D/a/one" "$D/a/gone" "$D/a/same")" = $'later\ngone\nsame' ] || fail "R-147: $(ls -l "$D/a")"
store=$R/store

echo "-- the range vectors: R-120, R-125, R-129"
good=('64:448' '64:448,0x1239E8577A:65536' '64:448, 512:16')
bad=(64-448 64: :448 '' 18446744073709551615:2 0x:1 -1:4)
plain </dev/null
for list in "${good[@]}" "${bad[@]}"; do
    printf 'partial = %s/a/one "%s" at=prepare_backup types=any\n' "$D" "$list" >>"$etc/writers.d/test.conf"
    printf 'directed = %s/a/two "%s" %s/x "%s"\n' "$D" "$list" "$R" "$list" >>"$etc/writers.d/test.conf"
done
printf 'directed = %s/a/two %s %s/y %s\n' "$D" 0:10,20:5 "$R" 0:15 "$D" 0:10,20:5 "$R" 0:5,5:10 "$D" 0:10,20:5 "$R" 0:10,5:5 \
    "$D" 0:10,20:5 "$R" 5:10,0:5 >>"$etc/writers.d/test.conf"
printf 'directed = %s/a/one 64:448 %s/z 0:448\n' "$D" "$R" >>"$etc/writers.d/test.conf" # R-129: other ranges were backed up
printf 'directed = %s/c/one 0:1 %s/z 0:1\n' "$D" "$R" >>"$etc/writers.d/test.conf"
files
rm -f "$log"; rm -rf "$store"
cat >"$R/script" <<S
create
initialize_for_backup
set_backup_state copy partial
gather_writer_metadata
add_components => S_OK
start_snapshot_set
prepare_for_backup
get_writer_components
exec /usr/bin/mkdir $store
save_as_xml $store/backup-components.xml
S
betest 0 "$R/script"
[ "$(grep -c 'partial refused E_INVALIDARG' "$log")" = ${#bad[@]} ] || { cat "$log"; fail "partial ranges"; }
[ "$(grep -c '^partial .*ranges=' "$R/out")" = ${#good[@]} ] || { cat "$R/out"; fail "partial ranges in the document"; }
{ opened; printf 'set_selected_for_restore %s yes\npre_restore\nget_writer_components\nset_statuses none\npost_restore\n' "$A"; } | lines
[ "$(grep -c 'directed refused E_INVALIDARG' "$log")" = $((${#bad[@]} + 5)) ] || { cat "$log"; fail "directed ranges"; }
[ "$(grep -c '^directed_target' "$R/out")" = $((${#good[@]} + 1)) ] || { cat "$R/out"; fail "directed ranges in the document"; }
said 'destination_ranges="5:10,0:5"'

# ---- one restore of a writer at a time: needs a service that several requesters share ----
command -v dbus-daemon >/dev/null || { echo "R-148 was not tried: dbus-daemon is not installed"; exit 0; }
echo "-- R-148, R-12: two requesters at one service"
address=unix:path=$R/bus
printf '<busconfig><type>system</type><listen>%s</listen><policy context="default"><allow send_destination="*"/>
<allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>\n' "$address" >"$R/bus.conf"
dbus-daemon --config-file="$R/bus.conf" --nofork --nopidfile 2>/dev/null &
bus=$!
cleanup_fn "kill $bus 2>/dev/null"
for ((i = 0; i < 50; i++)); do [ -S "$R/bus" ] && break; sleep 0.1; done
service() { # service: with the writer that is configured now
    vssd --bus="$address" --config="$etc" 2>"$R/vssd.err" &
    service=$!
    cleanup_fn "kill $service 2>/dev/null"
    for ((i = 0; i < 100; i++)); do
        dbus-send --bus="$address" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.vss1 >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "no service: $(cat "$R/vssd.err")"
}
both() { # both LINES: a restore, and in the middle of it these lines of a second one
    { opened; printf 'set_selected_for_restore %s yes\n' "$A"; cat; } >"$R/second"
    { opened; cat <<S; } | lines
set_selected_for_restore $A yes
pre_restore
exec $BUILD/vss-betest --address $address $R/second
set_file_restore_status $A all
post_restore
expect_status $W stable
S
}
sed -i 's/^pre_restore = .*/pre_restore = 2/' "$etc/vss.conf"
plain </dev/null
files; backup
service; where=(--address "$address")
both <<S # it waits as long as PreRestore may take, and was never asked
async pre_restore
wait 500 => VSS_S_ASYNC_PENDING
wait 10000 => VSS_S_ASYNC_FINISHED
expect_status $W failed_at_pre_restore VSS_E_WRITERERROR_RETRYABLE
set_file_restore_status $A none
post_restore
S
events pre_restore post_restore
grep -q "is in the middle of another restore" "$R/vssd.err" || { cat "$R/vssd.err"; fail "the log does not say why it waits"; }
kill $service; wait $service 2>/dev/null || true
printf 'schema = parallel, copy\n' | plain
service
both <<S
pre_restore
set_file_restore_status $A all
post_restore
expect_status $W stable
S
events pre_restore pre_restore post_restore post_restore
echo "-- the log has the warnings"
{ opened; printf 'set_restore_name %s new\nset_selected_for_restore %s yes\npre_restore\nset_statuses none\npost_restore\n' "$A" "$A"; } | lines
grep -q "the requester notes: component 'a': SetRestoreName" "$R/vssd.err" || { cat "$R/vssd.err"; fail "no warning in the log"; }
echo ok
