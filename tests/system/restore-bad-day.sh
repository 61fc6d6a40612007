#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an administrator does in haste with vssctl restore, with a writer that knows little: the folder of an application is gone,
# a path ends with a slash, a link of a chain is missing for one component, a name is asked for that the writer passes over.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs ext4 300M "$SCRATCH/d"
etc=$R/etc D=$SCRATCH/d/srv store=$SCRATCH/d/store
mkdir -p "$etc/writers.d" "$D/app/deep/data" "$D/web"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$etc/vss.conf"
printf '[writer]\nplugin = files\n[component data]\nfiles = %s/app/deep/data/* recursive\n[restore]\nevents = always\n[backup]\nincremental = yes\n' "$D" \
    >"$etc/writers.d/files.conf"
v() { code=0; vssctl "$@" --config "$etc" >"$R/out" 2>"$R/err" || code=$?; }
ends() { [ $code = "$1" ] || { cat "$R/out" "$R/err"; fail "exit $code, not $1"; }; }
said() { grep -qE -- "$1" "$R/err" || { cat "$R/err"; fail "no '$1'"; }; }

echo one >"$D/app/deep/data/f"; echo web >"$D/web/page"
chown 1234:5678 "$D/app/deep" "$D/app/deep/data"; chmod 2751 "$D/app/deep"; chmod 755 "$D/app" "$D/app/deep/data"
v backup --to "$store" "$D"; ends 0

echo "-- folders of a component that are gone come back as they were (R-102), and nothing else of the plain files"
modes() { stat -c '%n %a %u %g' "$D/app" "$D/app/deep" "$D/app/deep/data"; }
want=$(modes)
rm -rf "$D/app" "$D/web"
v restore --from "$store" --in-place --component data; ends 0
[ "$(modes)" = "$want" ] || fail "$(modes)"
[ "$(cat "$D/app/deep/data/f")" = one ] && [ ! -e "$D/web" ] || fail "$(find "$D")"

echo "-- a folder as the shell completes it"
v restore --from "$store" --in-place "$D/web/"; ends 0
[ "$(cat "$D/web/page")" = web ] || fail "no page"
v list paths --from "$store" "$D/web//"; ends 0
grep -q "$D/web/page" "$R/out" || fail "$(cat "$R/out")"
v restore --from "$store" --target "$D/web/=$D/web-old"; ends 0
[ "$(cat "$D/web-old/page")" = web ] || fail "no page"

echo "-- a name that the writer may pass over would cost what lives there (R-46)"
echo lives >"$D/app/deep/data/f"
v restore --from "$store" --in-place --component data --rename other; ends 2
said "knows --rename, and without it the restore would replace"
[ "$(cat "$D/app/deep/data/f")" = lives ] || fail "it was replaced"

echo "-- what cannot be reached is named in full"
rm -rf "$D/web"; mkdir "$D/elsewhere"; ln -s elsewhere "$D/web"
v restore --from "$store" --in-place "$D/web/page"; ends 2
said "the directory '$D/web' is a link"
rm "$D/web"

echo "-- a destination that cannot be written is told once; a file that may not be changed with what to do"
mount -t tmpfs -o ro none "$D/elsewhere"
v restore --from "$store" --into "$D/elsewhere"; ends 1
[ "$(wc -l <"$R/err")" = 1 ] || fail "$(cat "$R/err")"
umount "$D/elsewhere"
v restore --from "$store" --in-place "$D/web"; ends 0
chattr +i "$D/web/page"
v restore --from "$store" --in-place "$D/web/page"; ends 2
chattr -i "$D/web/page"
said "chattr -i"

echo "-- a gap for one component: the others are restored, and that is a failure, not a wrong command"
v backup --to "$store" --component Files:data; ends 0
gone=$(ls -d "$store"/2*-full-* | tail -n 1)
v backup --to "$store" --type incremental "$D"; ends 0
mv "$gone" "$R/gone"
rm -rf "$D/web-old"
v restore --from "$store" --in-place --plan; ends 2
v restore --from "$store" --in-place; ends 2
said "'data' is not restored"
[ "$(cat "$D/web-old/page")" = web ] || fail "the plain files are not restored"

echo "-- which is no matter for paths that have nothing to do with it, and the matter of those that have"
echo changed >"$D/web/page"
v restore --from "$store" --in-place "$D/web"; ends 0
[ "$(cat "$D/web/page")" = web ] || fail "no page"
v restore --from "$store" --into "$R/into" "$D/web/page"; ends 0
v restore --from "$store" --in-place "$D/app/deep/data/f"; ends 2
said "'data' is not restored"
v restore --from "$store" --in-place "$D/app"; ends 2
said "'data' is not restored"
v restore --from "$store" --in-place "$D/nowhere"; ends 1

echo "-- verify counts what list backups counts, of partial files the ranges"
mkdir "$D/part"
rm "$etc"/writers.d/*
cat >"$etc/writers.d/part.conf" <<C
[writer]
plugin = test
[test]
log = $R/log
schema = incremental, timestamped
[component part]
files = $D/part/*
data = $D/part/db size=256K by=partial
C
store=$SCRATCH/d/parts
for type in full incremental; do v backup --to "$store" --type $type "$D/part"; ends 0; done
counted() { python3 -c 'import json, sys
print(*[(r["entries"], r["bytes"]) for r in map(json.loads, sys.stdin) if r["record"] == sys.argv[1]])' "$1" <"$R/out"; }
v list backups --from "$store" --json; ends 0
listed=$(counted backup)
v verify --from "$store" --json; ends 0
[ "$(counted verify)" = "$listed" ] || fail "listed $listed, verified $(counted verify)"

echo "all well"
