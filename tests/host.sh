#!/bin/bash
# vss-host: what it refuses, with words, before any code of a plug-in runs. usage: host.sh VSS-HOST
set -eu
host=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# expect CODE WORDS COMMAND...
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >"$dir/out" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$dir/out"; echo "exit $got instead of $code: $*"; exit 1; }
    grep -q -- "$words" "$dir/out" || { cat "$dir/out"; echo "no '$words': $*"; exit 1; }
}
# with a connected socket as descriptor 3, as vssd starts it
connected() {
    python3 - "$@" <<'PY'
import os, socket, subprocess, sys
a, b = socket.socketpair()
high = os.dup2(b.fileno(), 50)
def place():
    os.dup2(50, 3)
sys.exit(subprocess.run(sys.argv[1:], preexec_fn=place, close_fds=False).returncode)
PY
}

expect 0 'usage: vss-host --provider' "$host" --help
expect 0 '^vss-host [0-9]' "$host" --version
expect 2 usage "$host"
expect 2 unrecognized "$host" --nonsense
expect 2 'one plug-in at a time' "$host" --writer a --provider b
expect 2 usage "$host" --writer a b
expect 1 'started by vssd, not by hand' "$host" --writer "$dir/x.so" 3<&-
expect 1 'started by vssd, not by hand' "$host" --writer "$dir/x.so" 3</dev/null
expect 1 'No such file' connected "$host" --writer "$dir/x.so"
mkfifo "$dir/fifo.so"
expect 1 'no regular file' connected "$host" --writer "$dir/fifo.so"
echo nonsense >"$dir/x.so"
chmod 644 "$dir/x.so"
expect 1 'cannot load plug-in' connected "$host" --provider "$dir/x.so"
chmod 664 "$dir/x.so"
expect 1 'not be writable by group' connected "$host" --provider "$dir/x.so"
echo 'int nothing;' | cc -shared -o "$dir/y.so" -x c -
chmod 755 "$dir/y.so"
expect 1 "has no 'vss_provider_init'" connected "$host" --provider "$dir/y.so"
expect 1 "has no 'vss_writer_init'" connected "$host" --writer "$dir/y.so"
if [ "$(id -u)" = 0 ]; then
    chown 1 "$dir/y.so"
    expect 1 'must be owned by root or by you' connected "$host" --writer "$dir/y.so"
fi
echo ok
