#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writers that vssd starts by their files in writers.d: good ones take part, and no bad one keeps
# the others from it (B-82).
# shellcheck source=tests/functions.sh disable=SC2016
. "$(dirname "$0")/../functions.sh"

R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
mkdir -p "$R/conf/writers.d" "$R/notes"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[timeout]\nload = 2s\nscale = 1\n' \
    "$R" "$R" >"$R/conf/vss.conf"
packaged() { cat >"$R/conf/writers.d/$1.conf"; }
steps() { printf '%s\n' "$@" | timeout 60 "$BUILD/tests/requester" "$R/conf" 2>"$R/words"; }
says() { grep -q -- "$1" "$R/words" || fail "nobody said '$1': $(cat "$R/words")"; }

[ -e "$BUILD/examples/notes.so" ] || skip "the example writer is not built"
packaged good <<END
[writer]
plugin = $BUILD/examples/notes.so
[notes]
folder = $R/notes
END
printf '#!/bin/sh\nexit 3\n' >"$R/dies"
printf '#!/bin/sh\nexec sleep 30\n' >"$R/hangs"
chmod 755 "$R/dies" "$R/hangs"
printf '[writer]\nprogram = %s/dies\n' "$R" | packaged dies
printf '[writer]\nprogram = %s/hangs\n' "$R" | packaged hangs
printf '[writer]\nplugin = %s/dies\n' "$R" | packaged noplugin
printf '[writer]\nplugin = /nonexistent.so\n' | packaged gone
printf 'this is no setting\n' | packaged broken
printf '[writer]\nplugin = %s/examples/notes.so\n' "$BUILD" | packaged loose
chmod 664 "$R/conf/writers.d/loose.conf"

begin=$SECONDS
out=$(steps gather writers)
((SECONDS - begin < 20)) || fail "one that hangs kept the others for $((SECONDS - begin)) s"
[ "$(grep -vc ok <<<"$out")" = 1 ] || fail "not one writer: $out ($(cat "$R/words"))"
for name in dies hangs noplugin gone.conf broken.conf loose.conf; do says "$name"; done
pgrep -f "[v]ss-host.*$BUILD/examples/notes.so" >/dev/null && sleep 1
[ -z "$(pgrep -f "^/bin/sh $R|sleep 30$")" ] || fail "the one that hangs still runs"

rm "$R"/conf/writers.d/{dies,hangs,noplugin,gone,broken,loose}.conf
# the whole way with hosted writers and no volume (S-12)
out=$(steps gather start prepare snapshot status complete status release)
grep -q failed <<<"$out" && fail "$out ($(cat "$R/words"))"
grep -q 'Notes state 5 ' <<<"$out" || fail "the writer does not wait for BackupComplete: $out"
grep -q 'Notes state 1 ' <<<"$out" || fail "the writer is not stable again: $out"
[ ! -s "$R/words" ] || fail "$(cat "$R/words")"
echo ok
