#!/bin/bash
# docs/first-backup.md says what happens: its commands are run in a mount namespace of their own,
# and the output is compared with the page, but for numbers, ids and sizes.
. "$(dirname "$0")/../functions.sh"
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/first-backup.md
requires sqlite3
requires zstd
grep -qw overlay /proc/filesystems || skip "the kernel has no overlayfs"

make_fs btrfs 512M "$SCRATCH/b"
make_fs ext4 64M "$SCRATCH/m"
mkdir "$SCRATCH/upper" "$SCRATCH/work"

# "# command", "> its next line"; all other lines are output
python3 - "$page" "$SCRATCH" <<'P'
import sys
script, wanted, closed = ['set -e'], [], True
for line in open(sys.argv[1], encoding='utf-8'):
    if not line.startswith('    '):
        continue
    line = line[4:].rstrip('\n')
    if line[:2] == '# ':
        script.append("echo '" + line.replace("'", "'\\''") + "'")
        script.append(line[2:])
        wanted.append(line)
    elif line[:1] == '>':
        script.append(line[2:])
    else:
        wanted.append(line)
for name, lines in ('script', script), ('wanted', wanted):
    with open(f'{sys.argv[2]}/{name}', 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')
P
cat >"$SCRATCH/inside" <<'S'
set -eu
mount --move "$1/b" /srv
mount --move "$1/m" /mnt
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
rm -rf /etc/vss
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
exec bash "$1/script"
S
same() {
    sed -E -e 's/[0-9a-f]{8}-[0-9a-f-]{27}/ID/g' -e 's/[0-9]{8}T[0-9.]+Z-([a-z]+)-[0-9a-f]{8}/SET-\1/g' \
        -e 's/\b[0-9a-f]{8}\b/SHORT/g' \
        -e 's/[0-9][0-9.:-]* (bytes|kB|MB)/SIZE/g' -e '/^#/! s/[0-9]+[.:-][0-9.:-]*/N/g' "$1"
}
unshare -m bash "$SCRATCH/inside" "$SCRATCH" >"$SCRATCH/got" || { cat "$SCRATCH/got"; fail "a command of the page fails"; }
diff <(same "$SCRATCH/wanted") <(same "$SCRATCH/got") || { cat "$SCRATCH/got"; fail "the page says something else"; }
echo "$(grep -c '^# ' "$SCRATCH/wanted") commands do what the page says"
