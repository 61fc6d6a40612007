#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vssctl restore that is told to end, or killed: SIGINT and SIGTERM at any time, beside and in place. It ends by itself, says what
# is done, leaves every file the old one or the new one and none of its own; writers hear PostRestore (R-13). After SIGKILL
# the same command comes to the same end as one that nobody disturbed (SEC-64, R-101).
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
make_fs xfs 4G "$SCRATCH/d" # removing and making many files again is slow on ext4 without a journal
R=$(mktemp -d /dev/shm/vss-test.XXXXXX) CONF=$SCRATCH/etc DATA=$SCRATCH/d/data NEW=$SCRATCH/d/new OLD=$SCRATCH/d/old OUT=$SCRATCH/d/out
cleanup_fn 'rm -rf "$R"'
mkdir -p "$CONF/writers.d" "$DATA"/{a,b,c}
cat >"$CONF/vss.conf" <<END
[service]
runtime_dir = $R/run
state_dir = $R/state
[provider.mirror]
enabled = no
[provider.btrfs]
enabled = no
[provider.lvm]
enabled = no
[provider.memory]
enabled = yes
END
cat >"$CONF/writers.d/test.conf" <<END
[writer]
plugin = test
[test]
log = $R/log
[component small]
files = $DATA/a/*
[component then]
files = $DATA/b/*
END
python3 - "$DATA" <<'P'
import os, sys
for folder in 'abc':
    for i in range(3000):
        with open(f'{sys.argv[1]}/{folder}/f{i}', 'wb') as f:
            f.write(b'%d ' % i * (i % 700 + 1))
with open(f'{sys.argv[1]}/c/zbig', 'wb') as f:
    for i in range(300):
        f.write(os.urandom(1 << 18) * 4)
P
vssctl backup --config "$CONF" --to "$SCRATCH/d/store" --type copy --quiet --all-components "$DATA/c" >"$R/out" 2>&1 ||
    fail "no backup: $(cat "$R/out")"
cp -a "$DATA" "$NEW"
cp -a "$DATA" "$OLD" && find "$OLD" -type f -exec sh -c 'for f; do echo old >"$f"; done' _ {} +

restore() { (become_restore "$@"); }
become_restore() { exec vssctl restore --from "$SCRATCH/d/store" --config "$CONF" "$@" >"$R/out" 2>&1; }

# disturbed SIGNAL UNTIL FOLDER ARGUMENTS...: the signal when UNTIL says so of FOLDER; sets $code
disturbed() {
    local signal=$1 until=$2 folder=$3; shift 3
    become_restore "$@" & local pid=$!
    while kill -0 $pid 2>/dev/null && ! "$until" "$folder"; do :; done
    kill -"$signal" $pid 2>/dev/null || true
    code=0; wait $pid 2>/dev/null || code=$?
}
# in_time RESET ARGUMENTS...: disturbed(), and once more from the beginning when a busy machine let the restore end before
in_time() {
    local reset=$1 try; shift
    for try in 1 2 3 4 5; do
        disturbed "$@"
        [ "$code" = 0 ] && [ "$try" -lt 5 ] || return 0
        "$reset"
    done
}
nothing_beside() { rm -rf "$OUT"; }
has_some() { [ -e "$1/a/f1200" ] || [ -e "$1/c/f1200" ]; }
in_big() { [ -e "$1/c/f999" ]; } # the last small one in its order
has_new() { [ "$(head -c 3 "$1/a/f1200" 2>/dev/null)" != old ]; }
interrupted() { # interrupted: it ended by itself, in order, and said so
    [ "$code" = 2 ] || fail "exit $code: $(cat "$R/out")"
    grep -q '^vssctl: interrupted; what was restored so far is whole' "$R/out" || fail "no words: $(cat "$R/out")"
    grep -q '^restored [0-9]* ent' "$R/out" || fail "what was done is not told: $(cat "$R/out")"
}
none_left() { [ -z "$(find "$1" -name '.vss-restore-*' -print -quit)" ] || fail "left behind: $(find "$1" -name '.vss-restore-*')"; }
whole_files() { # each file of $1 is the one of $NEW, or with $2 that of another tree; a killed one may have left some beside
    python3 - "$1" "$NEW" "$@" <<'P'
import os, sys
def read(path):
    with open(path, 'rb') as f:
        return f.read()
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.startswith('.vss-restore-'):
            continue # killed as it put that in place; the next restore takes it away
        path = os.path.join(folder, name)
        rest = os.path.relpath(path, sys.argv[1])
        good = [os.path.join(tree, rest) for tree in [sys.argv[2]] + sys.argv[4:]]
        if not any(os.path.getsize(path) == os.path.getsize(g) and read(path) == read(g) for g in good):
            sys.exit(f'neither old nor new: {path}')
P
}
complete() { # a component has files only; the requester's own folder comes back with all that it is
    "$BUILD/tests/tree-compare" -n 5 "$NEW/c" "$1/c" && diff -rq "$NEW" "$1" || fail "trees differ"
}

for how in "TERM has_some" "INT in_big" "HUP in_big"; do
    echo "-- beside, SIG${how% *} when it ${how#* }"
    in_time nothing_beside "${how% *}" "${how#* }" "$OUT$DATA" --into "$OUT"
    interrupted
    none_left "$OUT"; whole_files "$OUT$DATA"
    [ "$(sed -n 's/^restored \([0-9]*\) ent.*/\1/p' "$R/out")" -ge "$(find "$OUT$DATA" -type f | wc -l)" ] ||
        fail "it says less than it did: $(cat "$R/out"), $(find "$OUT$DATA" -type f | wc -l)"
    [ ! -e "$OUT$DATA/c/zbig" ] || fail "$how: nothing was interrupted"
    restore --into "$OUT" || fail "the rest cannot be restored: $(cat "$R/out")"
    complete "$OUT$DATA"
    rm -rf "$OUT"
done

old() { rm -rf "$DATA" && cp -a "$OLD" "$DATA"; rm -f "$R/log"; }
events() { grep -oE '(pre|post)_restore' "$R/log" | tr '\n' ' '; }
for signal in TERM INT; do
    echo "-- SIG$signal in place, while a component is put back"
    old
    in_time old $signal has_new "$DATA" --in-place
    interrupted
    none_left "$DATA"; whole_files "$DATA" "$OLD"
    [ "$(events)" = "pre_restore post_restore " ] || fail "the writer heard '$(events)'"
    grep -q 'then: not begun' "$R/out" || fail "what was not begun is not told: $(cat "$R/out")"
    grep -q '^old' "$DATA/b/f7" || fail "it went on"
    restore --in-place || fail "the rest cannot be restored: $(cat "$R/out")"
    complete "$DATA"
done

echo "-- no service to tell the writers: components are not touched, and the backup is not blamed for it"
old
cp "$CONF/vss.conf" "$R/conf"
sed -i 's|^runtime_dir.*|runtime_dir = /dev/null/none|' "$CONF/vss.conf"
code=0; restore --in-place || code=$?
[ "$code" = 2 ] || fail "exit $code: $(cat "$R/out")"
! grep -q 'nothing of what was asked' "$R/out" || fail "$(cat "$R/out")"
cp "$R/conf" "$CONF/vss.conf"
diff -rq "$OLD/a" "$DATA/a" && diff -rq "$OLD/b" "$DATA/b" || fail "components were changed"

echo "-- killed between making a name beside and giving it its own: the next restore takes that away"
old
code=0; (export LD_PRELOAD=$BUILD/tests/die-at-rename.so DIE_FROM=.vss-restore-; restore --in-place --file-by-file "$DATA/c") || code=$?
[ $code = 137 ] && [ -n "$(find "$DATA/c" -name '.vss-restore-*')" ] || fail "not killed there: $code"
whole_files "$DATA" "$OLD"
restore --in-place --file-by-file "$DATA/c" || fail "again: $(cat "$R/out")"
none_left "$DATA"; diff -rq "$NEW/c" "$DATA/c"

echo "-- SIGKILL at any time, beside and in place; then once more"
killed=0
for _ in {1..5}; do
    old
    become_restore --in-place & pid=$!
    sleep "0.$((RANDOM % 40 + 10))"
    kill -9 $pid 2>/dev/null && killed=$((killed + 1)) || true
    wait $pid 2>/dev/null || true
    whole_files "$DATA" "$OLD"
    disturbed KILL in_big "$OUT$DATA" --into "$OUT"
    whole_files "$OUT$DATA"
done
[ $killed -gt 1 ] || fail "only $killed of 5 were killed"
restore --in-place || fail "in place: $(cat "$R/out")"
restore --into "$OUT" || fail "beside: $(cat "$R/out")"
none_left "$DATA"; none_left "$OUT"
complete "$DATA"
complete "$OUT$DATA"
echo "ended in order ($killed of 5 killed on the way)"
