#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a command costs before it does anything: starting the private service, providers, a writer;
# and the smallest whole backup. Milliseconds of wall clock, beside an empty program.
# usage: BUILD=build [ROUNDS=30] bench/start.sh
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../tests/functions.sh"
requires python3
R=$(mktemp -d /dev/shm/vss-bench.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs btrfs 1G "$SCRATCH/b"
mkdir -p "$SCRATCH/b/data" "$R/etc/writers.d"
echo x >"$SCRATCH/b/data/file"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$R" "$R" >"$R/etc/vss.conf"
printf '[writer]\nplugin = files\n\n[component data]\nfiles = %s\n' "$SCRATCH/b/data/*" \
    >"$R/etc/writers.d/files.conf"

# a component of 50 folders: what resolving many paths costs
mkdir -p "$R/many/writers.d"
sed 's/state$/state-many/' "$R/etc/vss.conf" >"$R/many/vss.conf"
printf '[writer]\nplugin = files\n' >"$R/many/writers.d/files.conf"
for i in $(seq 50); do
    mkdir "$SCRATCH/b/data$i"
    echo x >"$SCRATCH/b/data$i/file"
    printf '\n[component data%s]\nfiles = %s\n' "$i" "$SCRATCH/b/data$i/*" >>"$R/many/writers.d/files.conf"
done

python3 - "${ROUNDS:-30}" "$BUILD/vssctl" "$R/etc" "$R/many" "$SCRATCH" <<'P'
import subprocess, sys, time
rounds, vssctl, etc, many, scratch = int(sys.argv[1]), *sys.argv[2:]
common = ['--config', etc]
commands = {
    'true': ['/bin/true'],
    'vssctl --version': [vssctl, '--version'],
    'vssctl list providers': [vssctl, 'list', 'providers'] + common,
    'vssctl list writers': [vssctl, 'list', 'writers'] + common,
    'backup of one file, one writer': [vssctl, 'backup', '--to', f'{scratch}/store', '--type', 'copy',
                                       '--quiet', '--all-components'] + common,
    'backup of 50 folders, one writer': [vssctl, 'backup', '--to', f'{scratch}/store50', '--type', 'copy',
                                         '--quiet', '--all-components', '--config', many],
}
times = {name: [] for name in commands}
for _ in range(rounds):  # in turns, so that what else the machine does meets all of them
    for name, command in commands.items():
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times[name].append(1000 * (time.monotonic() - begin))
print(f'{"":34} {"median":>8} {"least":>8} {"most":>8}   ms, {rounds} times')
for name, t in times.items():
    t.sort()
    print(f'{name:34} {t[len(t) // 2]:8.1f} {t[0]:8.1f} {t[-1]:8.1f}')
P
