#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Peak memory of all our processes during a full backup of FILES small files, half of them on btrfs
# and half on XFS (provider mirror), with one sqlite and one files writer.
# usage: BUILD=build [FILES=200000] bench/memory.sh
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../tests/functions.sh"
requires python3
requires sqlite3
files=${FILES:-200000}
R=$(mktemp -d /dev/shm/vss-bench.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs btrfs 4G "$SCRATCH/b"
make_fs xfs 4G "$SCRATCH/x"

python3 - "$((files / 2))" "$SCRATCH/b/t" "$SCRATCH/x/t" <<'P'
import os, random, sys
random.seed(1)
text = b''.join(b'%d the %x quick brown fox %d ' % (i, i * 7919, i * 31) for i in range(40000))
for root in sys.argv[2:]:
    for i in range(int(sys.argv[1])):
        folder = f'{root}/d{i // 10000}/e{i // 500}'
        if i % 500 == 0:
            os.makedirs(folder)
        at, size = random.randrange(900000), random.randrange(100, 6000)
        with open(f'{folder}/file-{i}', 'wb') as f:
            f.write(text[at:at + size] if i % 4 else random.randbytes(size))
P
mkdir "$SCRATCH/b/app" "$SCRATCH/x/web" "$R/etc" "$R/etc/writers.d"
sqlite3 "$SCRATCH/b/app/app.db" "pragma journal_mode = wal; create table t (a integer primary key, b text);
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000)
    insert into t select i, 'row ' || i * 7919 from n" >/dev/null
for i in $(seq 100); do echo "page $i" >"$SCRATCH/x/web/$i.html"; done
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$R/etc/vss.conf"
printf '[writer]\nplugin = sqlite\n\n[sqlite]\nstate_dir = %s\n\n[database app]\npath = %s\n' \
    "$SCRATCH/state" "$SCRATCH/b/app/app.db" >"$R/etc/writers.d/sqlite.conf"
printf '[writer]\nplugin = files\n\n[component web]\nfiles = %s recursive\n' "$SCRATCH/x/web/*" \
    >"$R/etc/writers.d/files.conf"
mkdir -m 700 "$SCRATCH/state"
sync

echo "full backup of $files files, sqlite and files writer, btrfs and mirror"
python3 "$(dirname "$0")/memory.py" "$BUILD/vssctl" backup --config "$R/etc" \
    --to "$SCRATCH/store" --quiet --all-components "$SCRATCH/b/t" "$SCRATCH/x/t"
