#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 300 writers of one level in one backup, with few descriptors at first: more documents than one
# message can carry (the kernel's limit is 253, a bus lets 16 pass), more words than the window's
# usual room. They are frozen together, not one after the other (B-45).
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires python3
count=300
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs btrfs 300M "$SCRATCH/b"
echo x >"$SCRATCH/b/file"
mkdir -p "$R/etc/writers.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$R/etc/vss.conf"
for i in $(seq $count); do
    printf '[writer]\nplugin = test\ninstance-name = w%d\n\n[test]\ndelay = freeze 20ms\nlog = %s\n' \
        "$i" "$R/log" >"$R/etc/writers.d/w$i.conf"
    printf '\n[component w%d]\nfiles = %s\n' "$i" "$SCRATCH/b/*" >>"$R/etc/writers.d/w$i.conf"
done
# what a writer starts has the customary limit
printf '#!/bin/bash\nulimit -Sn >%s/limit\n' "$R" >"$R/freeze"
chmod 755 "$R/freeze"
printf '[writer]\nplugin = files\n\n[hooks]\nfreeze = %s\nthaw = /bin/true\n\n[component web]\nfiles = %s\n' \
    "$R/freeze" "$SCRATCH/b/*" >"$R/etc/writers.d/files.conf"

ulimit -Sn 256
vssctl backup --config "$R/etc" --to "$SCRATCH/store" --type copy --json --quiet --all-components \
    >"$R/out" 2>"$R/words" || fail "exit $?: $(cat "$R/words" "$R/out")"
[ ! -s "$R/words" ] || fail "words: $(head -n 3 "$R/words")"
python3 - "$R/out" "$count" <<'P' || fail "$(tail -c 300 "$R/out")"
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
good = [r for r in records if r['record'] == 'backup'][0]['components_good']
window = [r['freeze_us'] for r in records if r['record'] == 'operation'][0]
assert good == int(sys.argv[2]) + 1, f'{good} components are good'
assert window < 20000 * int(sys.argv[2]) / 3, f'one after the other: {window} us'
P
for event in identify prepare_backup prepare_snapshot freeze thaw post_snapshot backup_complete; do
    n=$(grep -c " $event\b" "$R/log" || true)
    [ "$n" = $count ] || fail "$event came to $n writers"
done
[ "$(cat "$R/limit")" -le 1024 ] || fail "a program of a writer has $(cat "$R/limit") descriptors"
echo "$count writers were backed up together"
