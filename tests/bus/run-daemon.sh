#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: run-daemon.sh PROGRAM: run it with a message bus of its own, to which every user may connect
set -eu
command -v dbus-daemon >/dev/null || { echo "skipped: dbus-daemon is not installed"; exit 77; }
folder=$(mktemp -d /dev/shm/vss-bus.XXXXXX)
chmod 755 "$folder"
cat >"$folder/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$folder/socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
END
trap 'kill "$bus" 2>/dev/null; rm -rf "$folder"' EXIT
exec 4< <(dbus-daemon --config-file="$folder/bus.conf" --nofork --print-address 2>/dev/null & echo "pid $!"; wait)
bus='' address=''
while [ -z "$bus" ] || [ -z "$address" ]; do
    read -r -u 4 line
    case $line in pid\ *) bus=${line#pid } ;; *) address=$line ;; esac
done
# the daemon that the test starts must not outlive it
DBUS_SESSION_BUS_ADDRESS=$address timeout 60 "$@"
