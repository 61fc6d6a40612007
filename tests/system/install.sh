#!/bin/bash
# What 'make install' puts in place works from there: laid over /usr in a mount namespace of its own,
# where an outsider builds a writer with pkg-config, and a backup is made and restored.
. "$(dirname "$0")/../functions.sh"
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
requires meson
requires pkg-config
grep -qw overlay /proc/filesystems || skip "the kernel has no overlayfs"

DESTDIR=$SCRATCH/root meson install -C "$BUILD" --no-rebuild >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log"; fail "install"; }
for file in bin/vssctl bin/vss-betest share/man/man8/vss-betest.8 share/man/man7/vss-test-writer.7 \
    share/vss/betest/backup.betest share/vss/writers.d/test.conf libexec/vss/vssd share/man/man8/vssctl.8 share/man/man7/vss-requester.7 \
    share/man/man3/libvss.3 share/dbus-1/interfaces/org.vss1.Writer.xml share/dbus-1/interfaces/org.vss1.Provider.xml include/vss/writer.h \
    share/bash-completion/completions/vssctl share/doc/vss/writers.md lib/x86_64-linux-gnu/pkgconfig/vss.pc; do
    [ -e "$SCRATCH/root/usr/$file" ] || fail "$file is not installed"
done
make_fs btrfs 512M "$SCRATCH/b"
mkdir -p "$SCRATCH/b/notes" "$SCRATCH/etc/writers.d" "$SCRATCH/work"
echo "remember" >"$SCRATCH/b/notes/one"
cp "$source_dir/examples/minimal-writer.c" "$SCRATCH/work/notes.c"
cp "$source_dir/examples/minimal-requester.c" "$SCRATCH/work/requester.c"
run=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn "rm -rf $run"
printf '[service]\nruntime_dir = %s\nstate_dir = %s/state\n' "$run" "$SCRATCH" >"$SCRATCH/etc/vss.conf"
printf '[writer]\nplugin = %s/work/notes.so\n[notes]\nfolder = %s/b/notes\n' "$SCRATCH" "$SCRATCH" >"$SCRATCH/etc/writers.d/notes.conf"

cat >"$SCRATCH/inside" <<'S'
set -eu
cd "$1"
mount -t overlay overlay -o lowerdir="$1/root/usr:/usr" /usr
cc -shared -fPIC -Wall -Werror -o work/notes.so work/notes.c $(pkg-config --cflags --libs vss)
[ -e "$(pkg-config --variable=writerdir vss)/sqlite.so" ]
vssctl list --config etc writers | grep -q Notes
vssctl backup --config etc --to store "$1/b" --quiet
rm -r "$1/b/notes"
vssctl restore --config etc --from store --in-place --quiet
[ "$(cat "$1/b/notes/one")" = remember ]
man -w vssctl >/dev/null 2>&1 || echo "no man command here"
. /usr/share/bash-completion/completions/vssctl
COMP_WORDS=(vssctl re) COMP_CWORD=1 && _vssctl
[ "${COMPREPLY[*]}" = restore ]
COMP_WORDS=(vssctl backup --ty) COMP_CWORD=2 && _vssctl
[ "${COMPREPLY[*]}" = --type ]
COMP_WORDS=(vssctl list pa) COMP_CWORD=2 && _vssctl
[ "${COMPREPLY[*]}" = paths ]
COMP_WORDS=(vssctl forget --ol) COMP_CWORD=2 && _vssctl
[ "${COMPREPLY[*]}" = --older-than ]
set=$(cd store && echo 2*)
mkdir "store/20200101T-\$(touch pwned)"
COMP_WORDS=(vssctl forget --from store 2) COMP_CWORD=4 && _vssctl
[ "${COMPREPLY[*]}" = "$set" ]
COMP_WORDS=(vssctl restore --from store --set 2) COMP_CWORD=5 && _vssctl
[ "${COMPREPLY[*]}" = "$set" ] && [ ! -e pwned ]
cc -Wall -Werror -o work/requester work/requester.c $(pkg-config --cflags --libs vss)
echo | work/requester "$1/b/notes" "$1/etc" work/document | grep -q '^copy: '
grep -q 'componentName="notes".*backupSucceeded="yes"' work/document
S
env -u LD_LIBRARY_PATH PATH=/usr/bin:/usr/sbin:/bin:/sbin unshare -m bash "$SCRATCH/inside" "$SCRATCH"
echo "the installed product works"
