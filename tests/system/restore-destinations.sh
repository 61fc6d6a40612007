#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the files of a restore go, over real file systems: every method, target and mapping of the vectors TV-1 to TV-34 with the
# test writer, with files that processes hold, immutable ones, read-only mounts; chains; services; files that wait for the boot; and
# 'vssctl restore --plan', which has to foretell each. What cannot be had of a writer that lives (methods and targets that are
# none, TV-26, TV-27) is in test-restore-plan.c.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires chattr
requires python3
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs ext4 200M "$SCRATCH/d"
make_fs ext4 60M "$SCRATCH/other" # another file system for the mapped places
D=$SCRATCH/d A=$SCRATCH/d/app ALT=$SCRATCH/other/alt NEW=$SCRATCH/d/new
etc=$R/etc log=$R/log
mkdir -p "$etc/writers.d" "$A"/{x,y} "$ALT"
holder=
release() { [ -z "$holder" ] || { kill "$holder" 2>/dev/null; wait "$holder" 2>/dev/null || true; }; holder=; }
mobile() { chattr -R -i "$A" "$ALT" 2>/dev/null || true; }
cleanup_fn 'mobile'
cleanup_fn 'release'

# a service that holds a file of the application while it runs
cat >"$R/service" <<C
#!/bin/bash
[ "\$1" = app.service ] || exit 4
case \$2 in
status) [ -e "$R/service.pid" ] || exit 3 ;;
stop) [ ! -e "$R/stubborn" ] || exit 1
    [ ! -e "$R/service.pid" ] || { echo "0 - service stop" >>"$log"; pid=\$(cat "$R/service.pid"); kill \$pid; rm "$R/service.pid"
        while [ -n "\$(tr -d '\\0' 2>/dev/null </proc/\$pid/cmdline)" ]; do sleep 0.01; done 2>/dev/null; } ;;
start) echo "0 - service start" >>"$log"
    (exec 3<>"$A/x/c.db"; exec sleep 1000) </dev/null >/dev/null 2>&1 &
    echo \$! >"$R/service.pid" ;;
esac
C
chmod 755 "$R/service"
cleanup_fn '[ ! -e "$R/service.pid" ] || kill "$(cat "$R/service.pid")" 2>/dev/null'
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[restore]\nservice_command = %s/service\nprotected_paths =\n' \
    "$R" "$R" "$R" >"$etc/vss.conf"

METHODS=([1]=restore_if_not_there [2]=restore_if_can_replace [3]=stop_restore_start [4]=restore_to_alternate_location
    [5]=restore_at_reboot [6]=restore_at_reboot_if_cannot_replace [7]=custom [8]=restore_stop_start)
TEN=(x/a.db x/b.db x/c.db x/d.db x/e.db x/f.db x/g.db x/h.db x/i.db y/j.log)
SCHEMA=copy,incremental,timestamped,new_target

writer() { # writer METHOD MAP [COMPONENT-LINES [RESTORE-LINES]]: MAP none, all, nine
    local map_db=$A/'*.db recursive to='$ALT map_log=$A/'*.log recursive to='$ALT extra=
    case $1 in 3 | 8) extra='service = app.service' ;; 7) extra="procedure = the manual, page 7" ;; esac
    {
        printf '[writer]\nplugin = test\n[test]\nlog = %s\nschema = %s\nanything = yes\n' "$log" "$SCHEMA"
        printf '[restore]\nmethod = %s\n%s\n%s\n' "${METHODS[$1]}" "$extra" "${4:-}"
        [ "$2" = none ] || printf 'mapping = %s\n' "$map_db"
        [ "$2" != all ] || printf 'mapping = %s\n' "$map_log"
        printf '[component app]\nfiles = %s/*.db recursive\nfiles = %s/*.log recursive\n%s\n' "$A" "$A" "${3:-}"
    } >"$etc/writers.d/test.conf"
}
v() { vssctl "$@" --config "$etc" >"$R/out" 2>&1; }
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
fill() { local f; mkdir -p "$1"/{x,y}; for f in "${TEN[@]}"; do echo "$2 $f" >"$1/$f"; done; }
empty() { mobile; release; rm -rf "${A:?}"/* "${ALT:?}"/* "${NEW:?}" "$D/directed"; rm -f "$log"; mkdir -p "$A"/{x,y} "$ALT"; }
state() { (cd / && find "$A" "$ALT" "$NEW" -printf '%p %y %i %s %m %T@ %C@\n' 2>/dev/null | sort) || true; }
hold() { (exec 3<"$1"; exec sleep 1000) & holder=$!; for _ in {1..100}; do [ -e "/proc/$holder/fd/3" ] && return; sleep 0.02; done; }
scene() { # scene DIR KIND
    local f i=0
    case $2 in
    absent) ;;
    one) mkdir -p "$1/y"; echo old >"$1/y/j.log" ;;
    half) mkdir -p "$1"/{x,y}; for f in "${TEN[@]}"; do [ $((i++ % 2)) = 0 ] || echo old >"$1/$f"; done ;;
    free) fill "$1" old ;;
    busy) fill "$1" old; hold "$1/x/c.db" ;;
    immutable) fill "$1" old; chattr +i "$1/x/e.db" ;;
    esac
}
declare -A made # stores, by method and mapping
backup_of() { # backup_of METHOD MAP: a store with the ten files as such a writer declares them
    local key=$1-$2
    store=$D/store-$key
    [ -n "${made[$key]:-}" ] && return
    empty; fill "$A" new; writer "$1" "$2" "" "${3:-}"
    v backup --to "$store" --all-components || fail "no backup for $key: $(cat "$R/out")"
    made[$key]=1
}
all_new() { local f; for f in "${TEN[@]}"; do [ "$(cat "$1/$f" 2>/dev/null)" = "new $f" ] || { cat "$R/out"; fail "$TV: $1/$f is '$(cat "$1/$f" 2>&1)'"; }; done; }
clean() { [ -z "$(find "$D" "$SCRATCH/other" -name '.vss-*' ! -path '*/store-*')" ] || fail "$TV: left behind: $(find "$D" "$SCRATCH/other" -name '.vss-*')"; }
status() { awk '$4 == "app" && $3 == "status" { s = $5 } END { print s }' "$log" 2>/dev/null; }
used() { grep -c ' used_mapping app ' "$log" || true; }
same() { diff <(echo "$before") <(state) >"$R/diff" || { cat "$R/out" "$R/diff"; fail "$TV: something was touched"; }; }

# vector NAME METHOD TARGET MAP ORIGINAL MAPPED -> PLACE RULE: PLACE original, alternate, nothing, boot; RULE as --plan has it
vector() {
    TV=$1; local method=$2 target=$3 map=$4 place=$7 rule=$8 words=${9:-} code=0
    backup_of "$method" "$map"; empty
    scene "$A" "$5"; scene "$ALT" "$6"; before=$(state)
    writer "$method" "$map"
    if [ "$target" = original ]; then # the plan foretells it, and touches nothing, and nobody is told
        v restore --from "$store" --in-place --plan || code=$?
        case $place in
        nothing) [ $code = 2 ] || fail "$TV: --plan ends with $code"; said "^app: nothing of it is restored \($rule\)" ;;
        original) said "^app: to where it came from \($rule\)" ;;
        alternate) said "^app: to its alternate location \($rule\)" ;;
        boot) said "^app: put in place at the next boot \($rule\)" ;;
        esac
        [ "$place" = nothing ] || [ $code = 0 ] || fail "$TV: --plan ends with $code"
        same; grep -q ' pre_restore ' "$log" 2>/dev/null && fail "$TV: --plan told the writer"
    fi
    [ "$target" = original ] || writer "$method" "$map" "restore_target = $target"
    rm -f "$log"; code=0; v restore --from "$store" --in-place || code=$?
    case $place in
    nothing) [ $code != 0 ] || fail "$TV: exit 0"
        said "'app' is not restored: nothing of it is changed: .*\($rule\)"
        [ "$(status)" = 1 ] || fail "$TV: status $(status)"; same ;;
    original) [ $code = 0 ] || { cat "$R/out"; fail "$TV: exit $code"; }; all_new "$A" ;;
    alternate) [ $code = 0 ] || { cat "$R/out"; fail "$TV: exit $code"; }; all_new "$ALT"
        diff <(echo "$before" | grep -v "^$ALT") <(state | grep -v "^$ALT") || fail "$TV: the original was touched" ;;
    boot) [ $code = 0 ] || { cat "$R/out"; fail "$TV: exit $code"; }; said 'next boot' ;;
    esac
    [ -z "$words" ] || said "$words"
    [ "$place" = nothing ] || [ "$(status)" = 2 ] || fail "$TV: status $(status)"
    [ "$(used)" = "$([ "$place" = alternate ] && echo 2 || echo 0)" ] || { cat "$log"; fail "$TV: mappings used: $(used)"; }
    if [ "$place" = boot ]; then
        grep -q 'restore_metadata app .*deferred=yes$' "$log" || fail "$TV: the writer does not know (R-156)"
        for f in "${TEN[@]}"; do # none of it is there before the boot
            [ "$(cat "$A/$f" 2>/dev/null)" != "new $f" ] || fail "$TV: $f was put at once"
        done
        release; vss-place-pending --now --config "$etc" >"$R/out" 2>&1 || fail "$TV: $(cat "$R/out")"
        all_new "$A"
    fi
    clean
}

echo "-- methods 1 and 2: the set as a whole, at its place, at the mapped one, or nowhere (R-50, R-51, R-59, R-70, R-86, R-87)"
#      TV method target map  original   mapped     goes to   rule
vector 1   1  original none  absent     absent     original  R-50
vector 2   1  original none  one        absent     nothing   R-50 "'$A/y/j.log'"
vector 3   1  original all   one        absent     alternate R-50
vector 4   1  original all   one        one        nothing   R-50
vector 5   1  original nine  one        absent     nothing   R-50 'writer error'
vector 6   2  original none  free       absent     original  R-51
vector 7   2  original none  half       absent     original  R-51
vector 8   2  original all   busy       absent     alternate R-51 'alternate location: .*in use'
vector 9   2  original all   busy       one        alternate R-51
vector 10  2  original all   busy       immutable  nothing   R-51
vector 11  2  original none  immutable  absent     nothing   R-51
echo "-- method 4, and targets of the writer's (R-53, R-71, R-72, R-84, R-85)"
vector 15  4  original all   immutable  absent     alternate R-53
vector 16  4  original none  free       absent     nothing   R-53 'writer error'
vector 17  4  original_location all free absent    original  R-72
vector 18  4  original_location all busy absent    nothing   R-72
vector 19  2  alternate all  free       absent     alternate R-71
vector 20  2  alternate none free       absent     nothing   R-71 'writer error'
echo "-- methods 5 and 6: at the next boot (R-54, R-55, R-77, R-88, R-89, R-150, R-156)"
vector 21  5  original all   free       absent     boot      R-54
vector 22  5  alternate all  free       absent     boot      R-54 'does not count .*\(R-77\)'
vector 23  6  original all   free       absent     original  R-55
vector 24  6  original all   busy       absent     boot      R-55
vector half 6 original all   half       absent     original  R-55 # OQ-R4

echo "-- a place that cannot be written to (R-60 c)"
backup_of 2 all; empty; scene "$A" busy; writer 2 all
mount -o remount,ro "$SCRATCH/other"; before=$(state); TV=read-only
v restore --from "$store" --in-place && fail "exit 0"
said "'app' is not restored: nothing of it is changed: .*nor at its alternate location: .*\(R-51\)"; same
mount -o remount,rw "$SCRATCH/other"
release; mount --bind "$A" "$A"; mount -o remount,ro,bind "$A"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
umount "$A"; all_new "$ALT"; said 'alternate location'

echo "-- method 3: the service is stopped for it, and runs again when the writer hears the end (R-52, TV-12 to TV-14)"
order() { awk '$3 == "service" { print $3, $4 } $3 ~ /_restore$/ { print $3 }' "$log" | tr '\n' ' '; }
serving() { "$R/service" app.service status; }
TV=12; backup_of 3 none; empty; scene "$A" free; writer 3 none; "$R/service" app.service start; rm "$log"
v restore --from "$store" --in-place --plan || fail "--plan: $(cat "$R/out")"
said "^app: to where it came from \(R-52\)"; said "service 'app.service' is stopped before"; serving || fail "--plan stopped it"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
all_new "$A"; [ "$(status)" = 2 ] || fail "status"; serving || fail "it does not run"
[ "$(order)" = "pre_restore service stop service start post_restore " ] || fail "order: $(order)"
TV=13; empty; scene "$A" free; touch "$R/stubborn"; before=$(state)
v restore --from "$store" --in-place && fail "exit 0"
said "nothing of it is changed: service 'app.service' cannot be stopped: .*\(R-52\)"; same; [ "$(status)" = 1 ] || fail "status"
rm "$R/stubborn"; serving || fail "it does not run any more"
TV=14; "$R/service" app.service stop; backup_of 3 all; empty; scene "$A" busy; writer 3 all
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
all_new "$ALT"; [ "$(used)" = 2 ] || fail "mappings"; serving && fail "what did not run before was started (R-64)"

echo "-- method 8: stopped and started when all is done (R-57, TV-25)"
TV=25; backup_of 8 none; empty; scene "$A" free; writer 8 none
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
[ "$(order)" = "pre_restore post_restore " ] || fail "what did not run was started: $(order)"
"$R/service" app.service start; fill "$A" old; rm "$log"
v restore --from "$store" --in-place && fail "a file in use was replaced"
kill "$(cat "$R/service.pid")"; (exec sleep 1000) & echo $! >"$R/service.pid"; rm "$log" # it runs, and holds nothing
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
all_new "$A"; [ "$(order)" = "pre_restore post_restore service stop service start " ] || fail "order: $(order)"
"$R/service" app.service stop

echo "-- method 7: a procedure of its own; refused before anybody hears of it, but not with --into (R-36, R-56, TV-34)"
TV=34; backup_of 7 none; empty; scene "$A" free; before=$(state)
for plan in --plan ''; do
    # shellcheck disable=SC2086
    v restore --from "$store" --in-place $plan && fail "exit 0"
    said "procedure of its own: restore it with --into .*the manual, page 7 \(R-56\)"; same
done
[ ! -e "$log" ] || ! grep -q _restore "$log" || fail "it was told"
v restore --from "$store" --into "$R/into" || fail "$(cat "$R/out")"
all_new "$R/into$A"; rm -rf "$R/into"

echo "-- new targets: whatever is in the way elsewhere; not recorded as mappings (R-82, R-95, TV-28, TV-29, TV-33)"
for method in 2 4; do
    TV="new-$method"; backup_of $method all; empty; scene "$A" busy; writer $method all; before=$(state)
    v restore --from "$store" --target "$A=$NEW" --plan || fail "$(cat "$R/out")"; said "^app: to new places \(R-95\)"; said "now +R-82 .* -> $NEW"; same
    v restore --from "$store" --target "$A=$NEW" || fail "$(cat "$R/out")"
    all_new "$NEW"; [ "$(used)" = 0 ] || fail "mappings"; [ "$(status)" = 2 ] || fail "status"
done
TV=33; SCHEMA=copy backup_of 1 nine; empty; before=$(state) # the schema of this backup has it, that of the next not
rm -rf "$D/store-old"; SCHEMA=copy; writer 2 none; fill "$A" new; v backup --to "$D/store-old" --all-components || fail "$(cat "$R/out")"
SCHEMA=copy,incremental,timestamped,new_target; empty; before=$(state)
v restore --from "$D/store-old" --target "$A=$NEW" && fail "exit 0"
same; [ ! -e "$NEW" ] || fail "something is there"

echo "-- directed targets: ranges of listed files, the others as ever; ignored without the target (R-73, R-81, R-126, TV-30 to TV-32)"
TV=30; backup_of 2 none; empty; mkdir "$D/directed"; printf 'xxxxxyyyyyyyyyyzz' >"$D/directed/b"
writer 2 none "restore_target = directed
directed = $A/x/a.db 0:8 $D/directed/b 5:8"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
[ "$(cat "$D/directed/b")" = "xxxxxnew x/a.yyzz" ] || fail "TV-30: '$(cat "$D/directed/b")'"
[ ! -e "$A/x/a.db" ] || fail "TV-30: the source was restored, too"
[ "$(cat "$A/x/b.db")" = "new x/b.db" ] || fail "TV-31" # not listed
TV="R-127"; empty; fill "$A" old; before=$(state) # a place that cannot be: found before a file is put
writer 2 none "restore_target = directed
directed = $A/x/a.db 0:8 $A/x/b.db/no-folder 5:8"
v restore --from "$store" --in-place && fail "exit 0"; said "'app' is not restored: nothing of it is changed"
[ "$(status)" = 1 ] || fail "status"; diff <(echo "$before" | grep ' f ') <(state | grep ' f ') || fail "touched"; clean
writer 2 none "restore_target = directed
directed = $A/x/a.db 0:8 $A/x/b.db 2:8
directed = $A/x/c.db 0:11 $A/x/c.db 11:11"
v restore --from "$store" --in-place || fail "$(cat "$R/out")" # into a file of the set (R-128), and remapped in place
[ "$(cat "$A/x/b.db" "$A/x/c.db")" = $'nenew x/a.\nold x/c.db\nnew x/c.db' ] || fail "$(cat "$A/x/b.db" "$A/x/c.db")"
TV=32; empty; mkdir "$D/directed"; writer 2 none "directed = $A/x/a.db 0:8 $D/directed/b 5:8"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"; all_new "$A"; [ ! -e "$D/directed/b" ] || fail "TV-32"

echo "-- without its writer: conventionally, but as its document says (R-35, R-37)"
TV="R-37"; backup_of 2 all; empty; scene "$A" busy; rm "$etc/writers.d/test.conf"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"; said 'does not run here'; all_new "$ALT"
TV="R-35"; empty; scene "$A" one; scene "$ALT" one; backup_of 1 all "events = never"; empty; scene "$A" one; scene "$ALT" one; before=$(state)
writer 1 all "" "events = never"; v restore --from "$store" --in-place && fail "exit 0"; said 'R-50'; same
[ ! -e "$log" ] || ! grep -q _restore "$log" || fail "it was told"

echo "-- a part alone goes as its ancestor does (R-23, R-75); a ranges file moves with its file set, and the writer is told (R-122)"
TV="R-75"; store=$D/store-part; empty; fill "$A" new; writer 4 nine # the mapping is for the files of the part
sed -i '/^\[component app\]/,$d' "$etc/writers.d/test.conf"
printf '[component app]\nfiles = %s/*.log recursive\n[component one]\nlogical_path = app\nselectable = no\nselectable_for_restore = yes
files = %s/*.db recursive\n' "$A" "$A" >>"$etc/writers.d/test.conf"
v backup --to "$store" --all-components || fail "$(cat "$R/out")"
empty; before=$(state); v restore --from "$store" --in-place && fail "as a whole: exit 0"; said "writer error: .*j.log.*\(R-53\)"; same
v restore --from "$store" --in-place --component 'app\one' || fail "$(cat "$R/out")"
[ "$(cat "$ALT/x/a.db")" = "new x/a.db" ] || fail "the part"; [ ! -e "$A/y/j.log" ] || fail "what was not asked for"
TV="R-122"; store=$D/store-ranges; empty; fill "$A" new
printf '\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0' | tee "$A/ranges.db" >"$R/ranges"
for file in "$A/ranges.db" "$R/ranges"; do # one in a file set, one in none
    empty; fill "$A" new; cp "$R/ranges" "$A/ranges.db"; rm -rf "$store"
    writer 4 all "partial = $A/x/a.db $file types=any"
    v backup --to "$store" --all-components || fail "$(cat "$R/out")"
    empty; v restore --from "$store" --in-place || fail "$(cat "$R/out")"
    [ "$(head -c 5 "$ALT/x/a.db")" = "new x" ] || fail "the partial file"
    case $file in "$A"*) expected=$ALT/ranges.db ;; *) expected=$file ;; esac
    [ "$(awk '$3 == "ranges_file" { f = $6 } END { print f }' "$log")" = "$expected" ] || { cat "$log"; fail "where the ranges file is"; }
    cmp "$R/ranges" "$expected" || fail "the ranges file"
done

echo "-- what a writer declared cannot be read, or was altered: its components are refused, others go on (section 2, row 2)"
TV="altered"; store=$D/store-altered; empty; fill "$A" new; writer 2 none
cat >"$etc/writers.d/other.conf" <<C
[writer]
plugin = files
instance-name = other
[component other]
files = $A/y/k.txt
C
echo other >"$A/y/k.txt"; v backup --to "$store" --all-components || fail "$(cat "$R/out")"
doc=$(grep -l 'c42f9a06' "$store"/2*/op-1/writers/*); sed -i 's/RESTORE_IF/RESTORE_OF/' "$doc"
empty; v restore --from "$store" --in-place && fail "exit 0"
said "'app' is not restored: nothing of it is changed: what its writer declared cannot be read"
[ "$(cat "$A/y/k.txt")" = other ] || fail "the other writer's"; [ ! -e "$A/x/a.db" ] || fail "restored all the same"
v restore --from "$store" --in-place --plan && fail "--plan: exit 0"; said "'app' would not be restored: what its writer declared"; said "^other: "
v restore --from "$store" --into "$R/into" || fail "$(cat "$R/out")"; all_new "$R/into$A"; rm -rf "$R/into" "$etc/writers.d/other.conf"

echo "-- what the medium has lost: that component is as it was, others go on (R-111, R-101)"
TV="R-111"; store=$D/store-lost; rm -f "$etc/writers.d/"*; empty; writer 2 none
for name in lost kept; do
    mkdir -p "$A/$name"; head -c 3000000 /dev/urandom >"$A/$name/large"; echo small >"$A/$name/small"
    printf '[component %s]\nfiles = %s/%s/*\n' $name "$A" $name >>"$etc/writers.d/test.conf"
done
sed -i '/^\[component app\]/,/^$/d' "$etc/writers.d/test.conf"
v backup --to "$store" --all-components || fail "$(cat "$R/out")"
cp -r "$A" "$R/was"; archive=$(echo "$store"/2*/op-1/data.tar.zst)
python3 - "$archive" "$A/lost/large" <<'P' # the bytes do not shrink, so they stand in the archive as they are
import sys
archive, part = open(sys.argv[1], "r+b"), open(sys.argv[2], "rb").read()[1000000:1000032]
at = archive.read().index(part); archive.seek(at); archive.write(b"?" * 32)
P
for name in lost kept; do echo before | tee "$A/$name/large" >"$A/$name/small"; done
v restore --from "$store" --in-place && fail "exit 0"
said "'lost' is not restored: nothing of it is changed"; [ "$(cat "$A/lost/"*)" = $'before\nbefore' ] || fail "a half of it"
diff -r "$R/was/kept" "$A/kept" || fail "the other one"; rm -rf "$R/was"
[ "$(awk '$3 == "status" { print $4, $5 }' "$log" | sort | tr '\n' ' ')" = "kept 2 lost 1 " ] || { cat "$log"; fail "status"; }

echo "-- chains: the images of one go to one place, what an earlier one put is nobody's file (R-65, R-140, R-144)"
chain() { # chain METHOD MAP: full, then one file changed and one new
    store=$D/chain-$1; empty; fill "$A" old; writer "$1" "$2"
    v backup --to "$store" --all-components || fail "$(cat "$R/out")"
    sleep 0.1; fill "$A" new; touch -d '1 day ago' "$A"/y/j.log
    v backup --to "$store" --all-components --type incremental || fail "$(cat "$R/out")"
    empty
}
TV="R-65"; chain 1 all; v restore --from "$store" --in-place || fail "$(cat "$R/out")"
all_new "$A"; said 'image 2 of 2'
v restore --from "$store" --in-place || fail "$(cat "$R/out")"; all_new "$ALT" # now they are somebody's
TV="chain-mapped"; chain 2 all; scene "$A" busy; before=$(state | grep -v "^$ALT")
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
all_new "$ALT"; [ "$before" = "$(state | grep -v "^$ALT")" ] || fail "the original was touched"
TV="chain-boot"; chain 6 none; scene "$A" busy
v restore --from "$store" --in-place || fail "$(cat "$R/out")"
[ "$(cat "$A/x/a.db")" = old ] || [ "$(cat "$A/x/a.db")" = "old x/a.db" ] || fail "put at once"
release; vss-place-pending --now --config "$etc" >"$R/out" 2>&1 || fail "$(cat "$R/out")"; all_new "$A"; clean
TV="chain-service"; chain 3 none; scene "$A" free; "$R/service" app.service start; rm "$log"
v restore --from "$store" --in-place || fail "$(cat "$R/out")"; all_new "$A"
[ "$(order)" = "pre_restore service stop post_restore pre_restore service start post_restore " ] || fail "order: $(order)"
"$R/service" app.service stop

echo "-- a reboot that the writer asks for is told, also by --plan (R-155)"
TV="R-155"; store=$D/store-reboot; empty; fill "$A" new; writer 2 none "" "reboot = yes"
v backup --to "$store" --all-components || fail "$(cat "$R/out")"
v restore --from "$store" --in-place --plan || fail "$(cat "$R/out")"; said 'asks for a reboot after any restore \(R-155\)'
v restore --from "$store" --in-place || fail "$(cat "$R/out")"; said 'a reboot is needed: .*its writer asks for'
echo "all well"
