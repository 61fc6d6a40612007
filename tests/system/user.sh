#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A user without privileges: what he may do works in his own folders, the rest is refused in words.
# shellcheck source=tests/functions.sh disable=SC2016
. "$(dirname "$0")/../functions.sh"
open_build

H=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$H"'
chown 65534:65534 "$H"
mkdir "$H/conf"
as_user() {
    setpriv --reuid 65534 --regid 65534 --clear-groups \
        env -u XDG_RUNTIME_DIR -u XDG_STATE_HOME HOME="$H" "$@"
}
steps() { printf '%s\n' "$@" | as_user timeout 60 "$BUILD/tests/requester" "$H/conf" 2>"$SCRATCH/words"; }

make_fs ext4 50M "$SCRATCH/e"
install -d -o 65534 -g 65534 "$SCRATCH/e/mine"
echo before >"$SCRATCH/e/mine/file"

# S-60 holds for him too; no folder of the runtime is known, so it lies beside the state
out=$(steps gather start "add $SCRATCH/e" prepare snapshot copies release)
grep -q failed <<<"$out" && fail "$out: $(cat "$SCRATCH/words")"
copy=$(grep "^$SCRATCH/e " <<<"$out" | cut -d' ' -f2)
[[ $copy == "$H"/* ]] || fail "the copy lies at '$copy'"
[ ! -e "$copy" ] || fail "the copy outlived its requester"
[ "$(stat -c %a "$H/.local/state/vss")" = 700 ] || fail "others may read the records"

# P-81: he cannot hold a file system; that is said before anything is begun
printf '[provider.memory]\nenabled = yes\norder = 1\nhold = freeze\n[provider.mirror]\nenabled = no\n' \
    >"$H/conf/vss.conf"
out=$(steps gather start "add $SCRATCH/e")
grep -q "failed VSS_E_VOLUME_NOT_SUPPORTED" <<<"$out" || fail "$out"

# a file of somebody else is no configuration (CFG-2)
chown 1 "$H/conf/vss.conf"
steps volumes >/dev/null
grep -q "must belong to root" "$SCRATCH/words" || fail "$(cat "$SCRATCH/words")"
rm "$H/conf/vss.conf"

# what he may not read is named, and the backup does not count as whole (B-153)
mkdir "$SCRATCH/e/mine/closed"
echo secret >"$SCRATCH/e/mine/secret"
chmod 600 "$SCRATCH/e/mine/secret"
chmod 700 "$SCRATCH/e/mine/closed"
got=0
as_user "$BUILD/vssctl" backup --config "$H/conf" --to "$H/store" "$SCRATCH/e/mine" >"$SCRATCH/out" 2>&1 || got=$?
[ $got = 4 ] || { cat "$SCRATCH/out"; fail "exit $got instead of 4"; }
for lacks in secret closed; do
    grep -q "$SCRATCH/e/mine/$lacks: it could not be read" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no word of $lacks"; }
done
as_user "$BUILD/vssctl" backup --config "$H/conf" --to "$H/store" --exclude secret --exclude closed "$SCRATCH/e/mine" >/dev/null ||
    fail "what is left out on purpose is no failure"

# a store of root's: whose it is and what to do, whatever he asks of it (T-5)
vssctl backup --config "$H/conf" --to "$SCRATCH/roots" --quiet "$SCRATCH/e/mine" >/dev/null
chmod 755 "$SCRATCH"
denied() { # denied WORDS COMMAND...
    local words=$1 code=0 out
    shift
    out=$(as_user "$BUILD/vssctl" "$@" 2>&1) || code=$?
    [ $code = 2 ] || fail "'$*' exits $code: $out"
    # shellcheck disable=SC2053
    [[ $out == *$words* ]] || fail "'$*' said '$out'"
}
closed="'$SCRATCH/roots': it belongs to root (mode 700) and is closed to *; run this as root"
denied "$closed" list backups --from "$SCRATCH/roots"
denied "$closed" verify --from "$SCRATCH/roots"
denied "$closed" restore --from "$SCRATCH/roots" --into "$H/restored"
denied "$closed" backup --config "$H/conf" --to "$SCRATCH/roots" "$SCRATCH/e/mine"
chmod 755 "$SCRATCH/roots"
denied "it belongs to root (mode 600)" list backups --from "$SCRATCH/roots"
chmod 700 "$SCRATCH/roots"
mkdir -m 700 "$SCRATCH/above"
vssctl backup --config "$H/conf" --to "$SCRATCH/above/store" --quiet "$SCRATCH/e/mine" >/dev/null
denied "a folder above it is closed to " list backups --from "$SCRATCH/above/store"
as_user "$BUILD/vssctl" list backups --from "$H/store" >/dev/null || fail "his own store"
denied "the destination '$SCRATCH/above': it belongs to root" restore --from "$H/store" --into "$SCRATCH/above"
echo ok
