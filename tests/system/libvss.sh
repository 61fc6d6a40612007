#!/bin/bash
# libvss end to end: a requester, a real vssd, a writer plug-in that tells its story, the memory
# provider; then with each of them killed where it hurts most.
. "$(dirname "$0")/../functions.sh"
EXAMPLES=$BUILD/examples
MODULES=$BUILD/tests
etc=$SCRATCH/etc
story=$SCRATCH/story
data=$SCRATCH/data
mkdir -p "$etc/writers.d" "$data"
echo words >"$data/file"

# configure MEMORY-SETTING [STORY-SETTING [MODULE]]
configure() {
    rm -rf "$SCRATCH/state" "$SCRATCH/run" # what a former scenario left is its own affair
    cat >"$etc/vss.conf" <<C
[service]
state_dir = $SCRATCH/state
runtime_dir = $SCRATCH/run

[provider.memory]
enabled = yes
${1:-}

[provider.mirror]
enabled = no

[provider.btrfs]
enabled = no
C
    cat >"$etc/writers.d/story.conf" <<C
[writer]
plugin = $MODULES/${3:-story}.so

[story]
file = $story
folder = $data
${2:-}
C
    rm -f "$story" "$SCRATCH/out" "$SCRATCH/err"
}

# start the requester in the background; it waits for a line once it has the copy
begin() {
    rm -f "$SCRATCH/in"
    mkfifo "$SCRATCH/in"
    "$EXAMPLES/minimal-requester" "$data" "${1:-$etc}" ${2:+"$2"} <"$SCRATCH/in" >"$SCRATCH/out" 2>"$SCRATCH/err" &
    requester=$!
    exec 9>"$SCRATCH/in"
}

# wait_for WORDS FILE: until a line begins so
wait_for() {
    local i
    for ((i = 0; i < 300; i++)); do
        grep -qs -- "^$1" "$2" && return 0
        sleep 0.1
    done
    cat "$SCRATCH"/out "$SCRATCH"/err "$story" 2>/dev/null
    fail "no '$1' in $2"
}

finish() { # the requester's exit status
    local status=0
    exec 9>&-
    wait "$requester" 2>/dev/null || status=$?
    return $status
}

told() { # told EVENT...: exactly this story
    local expected
    expected=$(printf '%s\n' "$@")
    [ "$(cat "$story")" = "$expected" ] || { cat "$story" "$SCRATCH/err"; fail "another story: $*"; }
}

# the processes of this test
vssd_pid() { pgrep -f "vssd .*$etc"; }
host_pid() { pgrep -f "vss-host --writer .*story" | head -n 1; }
all_gone() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ -z "$(children)" ] && return 0
        sleep 0.1
    done
    fail "still running: $(children)"
}
children() { vssd_pid; pgrep -f "vss-host .*$MODULES/story" || true; }
kill_children() { children | xargs -r kill -9 2>/dev/null; }
cleanup_fn kill_children

echo "1 a whole backup (BV-11); the document that is kept says how it went (B-17, B-20)"
configure
begin "$etc" "$SCRATCH/document"
wait_for copy: "$SCRATCH/out"
finish || { cat "$SCRATCH/err"; fail "the requester failed"; }
grep -q 'COMPONENT .*backupSucceeded="yes"' "$SCRATCH/document" || { cat "$SCRATCH/document"; fail "no success in the document"; }
told identify prepare_backup prepare_snapshot freeze thaw post_snapshot backup_complete backup_shutdown
all_gone

echo "2 the requester dies after the copy (BV-21)"
configure
begin
wait_for copy: "$SCRATCH/out"
kill -9 "$requester"
finish || true
wait_for backup_shutdown "$story"
told identify prepare_backup prepare_snapshot freeze thaw post_snapshot backup_shutdown
all_gone

echo "3 vssd dies while the writer is frozen: the writer thaws, the requester is told at once"
configure "delay_at = commit_snapshots:4000"
begin
wait_for freeze "$story"
kill -9 "$(vssd_pid)"
began=$SECONDS
finish && fail "the requester did not notice"
[ $((SECONDS - began)) -le 3 ] || fail "noticed only after $((SECONDS - began)) s"
grep -q 'vssd was killed by signal 9' "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no words"; }
wait_for backup_shutdown "$story"
told identify prepare_backup prepare_snapshot freeze abort "backup_shutdown null"
all_gone
begin # the next life undoes what the dead one had written down: it cannot know that it is undone
wait_for copy: "$SCRATCH/out"
wait_for undo "$story"
finish || { cat "$SCRATCH/err"; fail "the backup failed"; }
all_gone

echo "4 the writer dies while frozen: a fresh process undoes what it had deposited"
configure "delay_at = commit_snapshots:2000"
begin
wait_for freeze "$story"
kill -9 "$(host_pid)"
wait_for copy: "$SCRATCH/out"
wait_for undo "$story"
grep -q 'status: Story VSS_E' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no failure shown"; }
grep -q "undo of a stranger" "$story" && fail "the token was changed"
finish || true
all_gone

echo "5 a writer's own window is shorter than the commit (BV-18, B-55)"
configure "delay_at = commit_snapshots:2500" "" story-hasty
begin
wait_for copy: "$SCRATCH/out"
grep -q 'status: Story VSS_E_WRITERERROR_TIMEOUT' "$SCRATCH/out" ||
    { cat "$SCRATCH/out"; fail "the time-out is not shown"; }
finish || true
grep -q post_snapshot "$story" && fail "PostSnapshot after a time-out"
[ "$(sed -n 5p "$story")" = abort ] || { cat "$story"; fail "it did not thaw by itself"; }
grep -qx thaw "$story" && fail "a late Thaw was not ignored"
all_gone

echo "6 a veto is shown with its words, and the set is made (BV-15, B-45)"
configure "" "veto_at = freeze"
begin
wait_for copy: "$SCRATCH/out"
grep -q 'status: Story VSS_E_WRITERERROR_RETRYABLE .*the story stops at freeze' "$SCRATCH/out" ||
    { cat "$SCRATCH/out"; fail "the veto is not shown"; }
finish || true
told identify prepare_backup prepare_snapshot freeze abort backup_shutdown
all_gone

echo "7 a writer that fails or dies in Identify is left out (BV-10)"
for stumble in "veto_at = identify" "die_at = identify"; do
    configure "" "$stumble"
    begin
    wait_for copy: "$SCRATCH/out"
    grep -q Story "$SCRATCH/out" && fail "it takes part"
    finish || { cat "$SCRATCH/err"; fail "the backup failed"; }
    all_gone
done

echo "7b an exception out of a handler ends the writer's process and nothing else (B-73)"
if command -v g++ >/dev/null; then
    g++ -std=c++17 -shared -fPIC -I"$(dirname "$0")/../../include" "$(dirname "$0")/throwing-writer.cc" \
        -o "$SCRATCH/throwing.so" -L"$BUILD" -lvss -Wl,-rpath,"$BUILD"
    configure
    sed -i "s|^plugin = .*|plugin = $SCRATCH/throwing.so|" "$etc/writers.d/story.conf"
    begin
    wait_for 'status: Thrower VSS_E_WRITER_NOT_RESPONDING' "$SCRATCH/out"
    wait_for undo "$story"
    finish || { cat "$SCRATCH/err"; fail "the backup failed"; }
    told freeze undo # no Thaw, no Abort: its process is gone
    all_gone
fi

echo "8 the provider refuses: words, no copy, the writers are told (B-46)"
configure "fail_at = commit_snapshots:VSS_E_INSUFFICIENT_STORAGE"
begin
finish && fail "it succeeded"
grep -q VSS_E_INSUFFICIENT_STORAGE "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no words"; }
told identify prepare_backup prepare_snapshot freeze abort "backup_shutdown null"
all_gone

echo "9 the example of a writer plug-in"
configure
cat >"$etc/writers.d/story.conf" <<C
[writer]
plugin = $EXAMPLES/notes.so
[notes]
folder = $data
C
begin
wait_for 'status: Notes S_OK' "$SCRATCH/out"
finish || fail "the backup failed"

echo "10 a program that is a writer, on a bus; the service is restarted under it"
requires dbus-daemon
configure
rm "$etc/writers.d/story.conf"
address=unix:path=$SCRATCH/bus
cat >"$SCRATCH/bus.conf" <<C
<busconfig><type>session</type><listen>$address</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
C
dbus-daemon --config-file="$SCRATCH/bus.conf" --nofork --nopidfile &
bus=$!
cleanup_fn "kill $bus 2>/dev/null"
for ((i = 0; i < 50; i++)); do [ -S "$SCRATCH/bus" ] && break; sleep 0.1; done
"$BUILD/vssd" --bus="$address" --config="$etc" 2>"$SCRATCH/vssd.err" &
vssd=$!
cleanup_fn "kill $vssd 2>/dev/null"
program() { exec "$EXAMPLES/standalone-writer" "$data" "$address" >"$story" 2>"$SCRATCH/writer.err"; }
for ((i = 0; i < 50; i++)); do
    program &
    writer=$!
    sleep 0.2
    kill -0 "$writer" 2>/dev/null && break
done
cleanup_fn "kill $writer 2>/dev/null"
wait_for subscribed "$story"
begin "$address"
wait_for copy: "$SCRATCH/out"
grep -q 'status: Standalone example S_OK' "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "not there"; }
finish || { cat "$SCRATCH/err"; fail "the requester failed"; }
told subscribed identify freeze thaw

echo "11 the service on the bus dies while the program is frozen"
sed -i 's/^enabled = yes/&\ndelay_at = commit_snapshots:4000/' "$etc/vss.conf"
kill "$vssd"
wait "$vssd" || true
"$BUILD/vssd" --bus="$address" --config="$etc" 2>"$SCRATCH/vssd.err" &
vssd=$!
cleanup_fn "kill $vssd 2>/dev/null"
: >"$story"
sleep 1
begin "$address" # it has registered again by itself
wait_for freeze "$story"
kill -9 "$vssd"
finish && fail "the requester did not notice"
grep -q 'vssd has ended in the middle' "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no words"; }
wait_for abort "$story"
kill "$writer"
wait "$writer" || fail "the program failed"
echo "all told"
