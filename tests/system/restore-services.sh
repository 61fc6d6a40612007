#!/bin/bash
# vssctl and vssd on a machine with systemd: a database's service is stopped for a restore and finds what was
# restored (R-52, R-57), a restore that waits for the boot survives one of the machine's own state (R-54, R-154), and a
# writer that lives in the service that it names is refused (R-18, R-63).
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/machine.sh"
requires meson
requires dbus-daemon

DESTDIR=$SCRATCH/root meson install -C "$BUILD" --no-rebuild >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log"; fail "install"; }
cp "$BUILD/tests/living-writer" "$SCRATCH/root/usr/libexec/vss/"
make_machine "$SCRATCH/root"
data=$(make_disk data)
other=$(make_disk other)
write_init "${data#/dev/}" "${other#/dev/}"

# the database; it says what it found when it was started
put_unit app.service <<'U'
[Service]
ExecStart=/bin/sh -c 'cat /srv/data/app/db >>/run/found; exec 3<>/srv/data/app/db; exec sleep infinity'
ExecStopPost=/bin/sh -c '[ ! -e /run/signal ] || { signal=$(cat /run/signal); rm /run/signal; pkill -$signal vssctl; sleep 0.5; }'
U
printf '[Socket]\nListenStream=/run/app.sock\n' | put_unit app.socket
put_unit living.service <<'U'
[Service]
ExecStart=/usr/libexec/vss/living-writer /srv/data/living living
U
mkdir -p "$SCRATCH/disk/upper/etc/vss/writers.d"
cat >"$SCRATCH/disk/upper/etc/vss/vss.conf" <<'C'
[service]
state_dir = /srv/data/state
[restore]
protected_paths =
[provider.mirror]
area = /srv/other/area
C
cat >"$SCRATCH/disk/upper/etc/functions" <<'S'
fail() { echo "FAILED: $*"; exit 1; }
method() { # method WORDS: what the writer wants, from now on
    printf '[writer]\nplugin = test\n[test]\nlog = /srv/other/log\n[restore]\n%b\n[component app]\nfiles = /srv/data/app/*\n' "$1" >/etc/vss/writers.d/test.conf
    systemctl stop vssd
}
put() { # put WORDS: what the database has now
    systemctl stop app.socket app
    echo "$1" >/srv/data/app/db
    systemctl start app.socket app
    for i in 1 2 3 4 5 6 7 8 9 10; do grep -qx "$1" /run/found 2>/dev/null || sleep 0.1; done
    : >/run/found
}
backup() { vssctl backup --to /srv/other/store --type full /srv/data --quiet || fail "backup"; }
restore() { vssctl restore --from /srv/other/store --in-place "$@" >/run/said 2>&1; }
running() { [ "$(systemctl is-active app.service app.socket | tr '\n' ' ')" = "active active " ] || fail "$1: the service is not back: $(cat /run/said)"; }
found() { for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(cat /run/found)" = "$1" ] || sleep 0.2; done; [ "$(cat /run/found)" = "$1" ] || fail "it found $(cat /run/found), not $1: $(cat /run/said)"; }
S

boot_machine <<'S' || fail "a machine that runs"
. /etc/functions
mkdir -p /srv/data/app /srv/data/living /srv/data/state /srv/other/area
chmod 700 /srv/other/area
# R-52
method 'method = stop_restore_start\nservice = app'
put first
backup
put second
restore || fail "restore: $(cat /run/said)"
running "method 3"
found first
[ "$(cat /srv/data/app/db)" = first ] || fail "not restored"
# vssctl is told to end while the service stops: it starts again, nothing is restored
put second
echo TERM >/run/signal
restore && fail "it was not told to end"
running "SIGTERM"
[ "$(cat /srv/data/app/db)" = second ] || fail "restored nonetheless"
# killed: told by the next restore, behind which the service runs
echo KILL >/run/signal
restore && fail "it lives"
while [ "$(systemctl is-active app.service)" = deactivating ]; do sleep 0.1; done
[ "$(systemctl is-active app.service)" = inactive ] || fail "started by somebody: $(systemctl is-active app.service)"
: >/run/found
restore || fail "the repeated restore: $(cat /run/said)"
grep -q "left 'app.service' stopped" /run/said || fail "not told: $(cat /run/said)"
running "SIGKILL"
found first
# R-57: after PostRestore, by itself; the file is in use until then, so the service must be down for the copy
method 'method = restore_stop_start\nservice = app'
put third
backup
put fourth
systemctl stop app.socket app
restore || fail "method 8: $(cat /run/said)"
[ "$(cat /srv/data/app/db)" = third ] || fail "method 8"
[ "$(systemctl is-active app)" = inactive ] || fail "method 8 started what did not run" # R-64

# R-63: the writer is in the service that it names
method 'method = restore_if_can_replace'
systemctl start living
echo alive >/srv/data/living/file
for i in 1 2 3 4 5 6 7 8 9 10; do vssctl list writers | grep -q 'Living writer' && break; sleep 0.2; done
backup
echo changed >/srv/data/living/file
restore && fail "it was stopped"
grep -q "the writer runs within 'living.service'" /run/said || fail "living: $(cat /run/said)"
[ "$(cat /srv/data/living/file)" = changed ] && [ "$(systemctl is-active living)" = active ] || fail "living"
systemctl stop living

# R-54, R-154
method 'method = restore_at_reboot'
put fifth
backup
put sixth
restore || fail "method 5: $(cat /run/said)"
grep -q 'a reboot is needed' /run/said || fail "nobody announced the reboot: $(cat /run/said)"
running "method 5"
[ "$(cat /srv/data/app/db)" = sixth ] || fail "it did not wait"
# the machine's own state, with the journal of that time; another one is there now
vssctl backup --to /srv/other/states /srv/data/state --quiet || fail "backup of the state"
vss-place-pending --discard "$(vss-place-pending --list --json | sed -n '1s/.*"set":"\([^"]*\)".*/\1/p')" || fail "discard"
put seventh
restore || fail "method 5: $(cat /run/said)"
journal=$(cat /srv/data/state/pending/journal)
vssctl restore --from /srv/other/states --in-place >/run/said 2>&1 || fail "state: $(cat /run/said)"
grep -q 'pending/journal: the shadow copy service keeps' /run/said || fail "not said: $(cat /run/said)"
[ "$(cat /srv/data/state/pending/journal)" = "$journal" ] || fail "the journal is another one"
systemctl stop app.socket app vssd
S
ln -s ../app.service "$SCRATCH/disk/upper/etc/systemd/system/basic.target.wants/"
boot_machine <<'S' || fail "the boot"
. /etc/functions
: >/run/said
systemctl start app.service
found fifth
[ -z "$(ls -A /srv/data/app | grep -v '^db$')" ] || fail "left: $(ls -A /srv/data/app)"
vssctl list writers >/dev/null || fail "no service"
S
echo "services and boots serve a restore"
