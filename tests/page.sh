# page.sh - runs the commands of a page of docs/ as they stand there, in a mount namespace of their own with /srv on btrfs,
# /mnt on ext4, an empty /var/lib and /run and an /etc of its own, and compares the output with the page, but for numbers,
# ids and sizes. Source functions.sh first.
# shellcheck shell=bash

# In a page "    # command" is a command, "    > " its next line, every other indented line output; what stands in
# <!-- run: command --> happens unseen. The ids of backups in /mnt/backups stand for those of the run. With "all" the words on standard error are on the page, too, and a command may fail.
run_page() {
    local page=$1 all=${2:-}
    requires zstd
    grep -qw overlay /proc/filesystems || skip "the kernel has no overlayfs"
    make_fs btrfs 512M "$SCRATCH/b"
    make_fs ext4 64M "$SCRATCH/m"
    mkdir "$SCRATCH/upper" "$SCRATCH/work"
    python3 - "$page" "$SCRATCH" "$all" <<'P'
import re, sys
script, wanted = ['exec 2>&1' if sys.argv[3] else 'set -e'], []
page = open(sys.argv[1], encoding='utf-8').readlines()
# a backup that a command names by its id is the same one of this run, counted in the order of the page
ids = list(dict.fromkeys(re.findall(r'^ .*[0-9]Z-[a-z]+-([0-9a-f]{8})\b', ''.join(page), re.M)))
def actual(command):
    for i, name in enumerate(ids):
        command = re.sub(rf'\b{name}\b', f'$(ls -d /mnt/backups/2* | sed -n "{i + 1}s/.*-//p")', command)
    return command
for line in page:
    hidden = re.fullmatch(r'<!-- run: (.*) -->\n', line)
    if hidden:
        script.append('{ ' + actual(hidden[1]) + '\n} >/dev/null 2>&1 || exit 99')
    if not line.startswith('    '):
        continue
    line = line[4:].rstrip('\n')
    if line[:2] == '# ':
        script.append("echo '" + line.replace("'", "'\\''") + "'")
        script.append(actual(line[2:]))
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
    unshare -m bash "$SCRATCH/inside" "$SCRATCH" >"$SCRATCH/got" || { cat "$SCRATCH/got"; fail "a command of the page fails"; }
    diff <(page_text "$SCRATCH/wanted") <(page_text "$SCRATCH/got") || { cat "$SCRATCH/got"; fail "the page says something else"; }
    echo "$(grep -c '^# ' "$SCRATCH/wanted") commands do what the page says"
}

page_text() {
    sed -E -e 's/[0-9a-f]{8}-[0-9a-f-]{27}/ID/g' -e 's/[0-9]{8}T[0-9.]+Z-([a-z]+)-[0-9a-f]{8}/SET-\1/g' \
        -e 's/\b[0-9a-f]{8}\b/SHORT/g' -e 's/process [0-9]+/process N/' \
        -e 's/[0-9][0-9.:-]* (bytes|kB|MB)/SIZE/g' -e '/^#/! s/[0-9]+[.:-][0-9.:-]*/N/g' "$1"
}
