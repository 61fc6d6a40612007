#!/bin/bash
# A machine that boots, with systemd as its first process: a service is stopped for a restore and comes
# back with its socket, timer and dependants; files that wait for the boot are in place before anything
# runs, though the program that places them is killed half-way; what is in the way is told.
# R-52, R-63, R-64, R-150 to R-155
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/machine.sh"
requires meson
requires strace
requires python3

DESTDIR=$SCRATCH/root meson install -C "$BUILD" --no-rebuild >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log"; fail "install"; }
cp "$BUILD/tests/boot-driver" "$SCRATCH/root/usr/libexec/vss/"
make_machine "$SCRATCH/root"

data=$(make_disk data)
other=$(make_disk other)
units=$SCRATCH/disk/upper/etc/systemd/system
write_init "${data#/dev/}" "${other#/dev/}"

# an ordinary service that opens the files first thing
put_unit early.service <<'U'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /srv/data/many/f* >/run/seen; true'
U
ln -s ../early.service "$units/basic.target.wants/"
printf '[Service]\nExecStart=/bin/sleep infinity\n' | put_unit app.service
printf '[Socket]\nListenStream=/run/app.sock\n' | put_unit app.socket
printf '[Timer]\nOnActiveSec=1h\n' | put_unit app.timer
printf '[Path]\nPathExists=/run/never\n' | put_unit app.path
printf '[Unit]\nRequires=app.service\nAfter=app.service\n[Service]\nExecStart=/bin/sleep infinity\n' | put_unit web.service
printf '[Socket]\nListenStream=/run/web.sock\n' | put_unit web.socket
printf '[Service]\nExecStart=/bin/sleep infinity\n' | put_unit inst@.service
printf '[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 2\n' | put_unit leisurely.service
printf '[Service]\nTimeoutStopSec=infinity\nExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"\n' | put_unit stubborn.service
ln -s app.service "$units/db.service"
mkdir -p "$SCRATCH/disk/upper/etc/vss" "$SCRATCH/disk/upper/etc/hasty"
printf '[restore]\nprotected_paths = /srv/data/protected\nservice_timeout = 60s\n' >"$SCRATCH/disk/upper/etc/vss/vss.conf"
printf '[restore]\nservice_timeout = 2s\n' >"$SCRATCH/disk/upper/etc/hasty/vss.conf"
cat >"$SCRATCH/disk/upper/etc/functions" <<'S'
fail() { echo "FAILED: $*"; exit 1; }
d=/usr/libexec/vss/boot-driver
all="app.service app.socket app.timer app.path web.service web.socket"
states() { systemctl is-active $all | tr '\n' ' '; }
S

# ---- services
boot_machine <<'S' || fail "services"
. /etc/functions
systemctl start app.socket app.timer app.service web.socket web.service
before="active active active inactive active active "
[ "$(states)" = "$before" ] || fail "not ready: $(states)"
# by an alias and without a suffix; a connection does not start it; R-63, R-64
python3 -c '
import socket, sys
open("/run/connect", "w").write("""
import socket, sys
for name in "app", "web":
    s = socket.socket(socket.AF_UNIX)
    try: s.connect("/run/%s.sock" % name)
    except OSError: continue
    print("connected to", name)
""")'
out=$($d /etc/vss during db "systemctl is-active $all; python3 /run/connect; sleep 0.3; systemctl is-active $all; true" | tr '\n' ' ')
off="inactive inactive inactive inactive inactive inactive "
[ "$out" = "$off$off" ] || fail "while it was stopped: $out"
[ "$(states)" = "$before" ] || fail "afterwards: $(states)"
[ -z "$(ls /var/lib/vss/stopped)" ] || fail "a record is left"
python3 /run/connect | grep -q app || fail "its socket does not listen"

# killed: told, not started; the repeated restore ends with all running
$d /etc/vss during app 'kill -9 $PPID' && fail "it lives"
[ "$(systemctl is-active app.service)" = inactive ] || fail "nobody should have started it"
$d /etc/vss leftovers | grep -q "systemctl start .*app.service" || fail "not told what to do: $($d /etc/vss leftovers)"
$d /etc/vss during app true
[ "$(states)" = "$before" ] || fail "after the repeated one: $(states)"
[ -z "$($d /etc/vss leftovers)" ] || fail "still told"

# what does not run is not started: R-64
systemctl stop app.socket app.timer app.service web.socket web.service
systemctl start app.timer
$d /etc/vss during app.service 'test "$(systemctl is-active app.timer)" = inactive'
[ "$(states)" = "inactive inactive active inactive inactive inactive " ] || fail "inactive: $(states)"

# an instance of a template, the template, no such one, a masked one, the one in which we are
systemctl start inst@a
$d /etc/vss during inst@a 'test "$(systemctl is-active inst@a)" = inactive'
[ "$(systemctl is-active inst@a)" = active ] || fail "instance"
$d /etc/vss during inst@ true | grep -q E_INVALIDARG || fail "template"
$d /etc/vss during none true | grep -q VSS_E_OBJECT_NOT_FOUND || fail "no such service"
systemctl stop inst@a
systemctl mask --runtime -q inst@a
$d /etc/vss during inst@a true | grep -q "masked" || fail "masked"
$d /etc/vss during test true | grep -q "this program runs within" || fail "our own" # R-18

# systemd executes itself anew meanwhile
systemctl start leisurely
(sleep 0.7; systemctl daemon-reexec) &
$d /etc/vss during leisurely 'test "$(systemctl is-active leisurely)" = inactive' >/run/said || fail "daemon-reexec: $(cat /run/said)"
[ ! -s /run/said ] || fail "daemon-reexec: $(cat /run/said)"
wait
[ "$(systemctl is-active leisurely)" = active ] || fail "leisurely"

# it does not stop: nothing is restored, and it is started again as soon as it can be; TV-13
systemctl start stubborn
$d /etc/hasty during stubborn 'echo stopped' >/run/said && fail "stubborn"
grep -q "'stubborn.service' does not stop: it is deactivating" /run/said || fail "stubborn: $(cat /run/said)"
grep -q '^stopped' /run/said && fail "stubborn was stopped"
systemctl kill -s KILL stubborn
for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(systemctl is-active stubborn)" = active ] || sleep 0.5; done
[ "$(systemctl is-active stubborn)" = active ] || fail "stubborn is not back"
systemctl kill -s KILL stubborn # or the machine waits for it
S

# ---- files for the next boot
boot_machine <<'S' || fail "registering"
. /etc/functions
cd /srv/data
mkdir many some protected was
args=
for i in $(seq 2000); do echo old >many/f$i; echo new >many/.s$i; args="$args /srv/data/many/.s$i /srv/data/many/f$i"; done
$d /etc/vss register many $args
mkdir some/linked some/moved
for f in some/folder some/linked/f some/moved/f some/plain protected/p /srv/other/f; do
    echo old >"$f"; echo new >"$(dirname $f)/.s-${f##*/}"
done
$d /etc/vss register some /srv/data/some/.s-folder /srv/data/some/folder /srv/data/some/linked/.s-f /srv/data/some/linked/f \
    /srv/data/some/moved/.s-f /srv/data/some/moved/f /srv/other/.s-f /srv/other/f /srv/data/some/.s-plain /srv/data/some/plain
$d /etc/vss register protected /srv/data/protected/.s-p /srv/data/protected/p
echo first >some/.one; echo second >some/.two
$d /etc/vss register first /srv/data/some/.one /srv/data/some/twice
$d /etc/vss register second /srv/data/some/.two /srv/data/some/twice
$d /etc/vss reboot "writer 'Shop' wants it"
vss-place-pending --list --json >/run/list
grep -q '"record":"pending","sets":5,"protected_allowed":false,"damaged_lines":0,"reboot_required":true' /run/list || fail "list: $(grep -v move /run/list)"
grep -q '"reason":"writer .Shop. wants it"' /run/list || fail "no reason"
vss-place-pending --list | grep -q "'many': 2000 files are put in place then" || fail "no reason for people"
# not before the boot
vss-place-pending 2>/run/said
grep -q '2008 restored files wait for the next boot' /run/said || fail "waiting: $(cat /run/said)"
[ "$(sort -u many/f*)" = old ] || fail "placed too early"
echo new >some/.lost
$d /etc/vss unfinished lost /srv/data/some/.lost /srv/data/some/lost
vss-place-pending --allow-protected
# until the boot things change
rm some/folder && mkdir some/folder
mv some/linked was/linked && ln -s ../was/linked some/linked
mv some/moved was/moved && mkdir some/moved && echo evil >some/moved/.s-f
: >/etc/no-other
# a restore is killed, and then the machine goes down
systemctl start app
$d /etc/vss during app 'kill -9 $PPID' || true
S
mkdir "$units/vss-place-pending.service.d"
printf '[Service]\nExecStart=\nExecStart=/bin/bash /etc/kill-once\nExecStart=/bin/bash /etc/kill-once\n' | put_unit vss-place-pending.service.d/kill.conf
cat >"$SCRATCH/disk/upper/etc/kill-once" <<'S'
[ ! -e /run/killed ] || exec /usr/sbin/vss-place-pending --run
strace -o /dev/null -e trace=renameat,renameat2 -e inject=renameat,renameat2:signal=SIGKILL:when=700 /usr/sbin/vss-place-pending --run
grep -l new /srv/data/many/f* | wc -l >/run/killed
kill -9 $$
S

boot_machine <<'S' || fail "the boot"
. /etc/functions
cd /srv/data
[ "$(cat /run/killed)" -gt 100 ] && [ "$(cat /run/killed)" -lt 1000 ] || fail "killed behind $(cat /run/killed) files"
# R-151: before any service
systemctl start early.service # it has been; wait for its end
[ "$(sort /run/seen | uniq -c | tr -s ' ')" = " 2000 new" ] || fail "seen: $(sort /run/seen | uniq -c)"
[ -z "$(ls -A many | grep '^\.s')" ] || fail "staged files are left"
[ "$(cat some/plain protected/p some/twice)" = "$(printf 'new\nnew\nsecond')" ] || fail "the others"
[ ! -e some/.lost ] && [ ! -e some/lost ] || fail "a set that did not count"
# R-153: for one boot
vss-place-pending --list --json | grep -q '"protected_allowed":false' || fail "the permission stays"
# R-152: told in the log, and kept
journalctl -q --sync
journalctl -q -o cat -p err -u vss-place-pending.service >/run/words
for words in "'/srv/data/some/folder' has become a directory; the restored file stays at '/srv/data/some/.s-folder'" \
    "'/srv/data/some/linked/f': there is a symbolic link on the way" "'/srv/data/some/moved/f': its directory is not" \
    "'/srv/other/f': " "'lost': the restore ended before" "'app.service' was stopped for a restore that did not end"; do
    grep -qF "$words" /run/words || fail "the log does not say $words: $(cat /run/words)"
done
journalctl -q -o cat -p notice -u vss-place-pending.service | grep -q 'restored files put in place' || fail "no word of what went well"
[ "$(cat some/.s-folder was/linked/.s-f was/moved/.s-f | sort -u)" = new ] || fail "not kept"
[ "$(cat was/linked/f was/moved/f)" = "$(printf 'old\nold')" ] && [ "$(cat some/moved/.s-f)" = evil ] || fail "through a link"
[ "$(vss-place-pending --list --json | grep -c '"state":"failed"')" = 4 ] || fail "failed ones: $(vss-place-pending --list)"
vss-place-pending --list | grep -q '^no reboot is needed' || fail "a reboot is needed: $(vss-place-pending --list | tail -n 3)"
# the way is free again, but programs have worked with the old file
rmdir some/folder; echo since >some/folder
rm /etc/no-other
rm /etc/systemd/system/vss-place-pending.service.d/kill.conf
S

boot_machine <<'S' || fail "the boot after it"
. /etc/functions
[ "$(cat /srv/data/some/folder /srv/other/f)" = "$(printf 'since\nold')" ] || fail "a late move"
[ "$(systemctl is-active vss-place-pending.service)" = active ] || fail "the unit failed"
set=$(vss-place-pending --list --json | sed -n 's/.*"set":"\([^"]*\)".*"state":"failed".*/\1/p' | sort -u)
vss-place-pending --discard "${set%-*}" 2>/run/words && fail "discarded all"
grep -q "'/srv/data/some/linked/.s-f' cannot be removed: its directory is not where it was" /run/words || fail "discard: $(cat /run/words)"
[ ! -e /srv/data/some/.s-folder ] && [ ! -e /srv/other/.s-f ] && [ ! -e /var/lib/vss/pending/journal ] || fail "left"
S
echo "a machine boots with restored files in place, and its services come back"
