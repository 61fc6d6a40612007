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
    share/bash-completion/completions/vssctl share/doc/vss/writers.md lib/x86_64-linux-gnu/pkgconfig/vss.pc \
    bin/vss-provider-suite share/man/man8/vss-provider-suite.8 share/doc/vss/examples/minimal-provider.c; do
    [ -e "$SCRATCH/root/usr/$file" ] || fail "$file is not installed"
done
make_fs btrfs 512M "$SCRATCH/b"
mkdir -p "$SCRATCH/b/notes" "$SCRATCH/etc/writers.d" "$SCRATCH/work"
echo "remember" >"$SCRATCH/b/notes/one"
cp "$source_dir/examples/minimal-writer.c" "$SCRATCH/work/notes.c"
cp "$source_dir/examples/minimal-requester.c" "$SCRATCH/work/requester.c"
cp "$source_dir/examples/minimal-provider.c" "$SCRATCH/work/plaincopy.c"
make_fs ext4 64M "$SCRATCH/copies"
chmod 700 "$SCRATCH/copies"
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
COMP_WORDS=(vssctl backup --provider bt) COMP_CWORD=3 && _vssctl
[ "${COMPREPLY[*]}" = btrfs ]
COMP_WORDS=(vssctl backup --label '') COMP_CWORD=3 && _vssctl
[ -z "${COMPREPLY[*]}" ]
COMP_WORDS=(vssctl shadow --no-writers de) COMP_CWORD=3 && _vssctl
[ "${COMPREPLY[*]}" = delete ]
COMP_WORDS=(vssctl shadow create "$1/b/no") COMP_CWORD=3 && _vssctl
[ "${COMPREPLY[*]}" = "$1/b/notes" ]
set=$(cd store && echo 2*)
mkdir "store/20200101T-\$(touch pwned)"
COMP_WORDS=(vssctl forget --from store 2) COMP_CWORD=4 && _vssctl
[ "${COMPREPLY[*]}" = "$set" ]
COMP_WORDS=(vssctl restore --from store --set 2) COMP_CWORD=5 && _vssctl
[ "${COMPREPLY[*]}" = "$set" ] && [ ! -e pwned ]
cc -Wall -Werror -o work/requester work/requester.c $(pkg-config --cflags --libs vss)
echo | work/requester "$1/b/notes" "$1/etc" work/document | grep -q '^copy: '
grep -q 'componentName="notes".*backupSucceeded="yes"' work/document

# a provider of an outsider: through the suite, then in a backup instead of our own
cc -shared -fPIC -Wall -Werror -o work/plaincopy.so work/plaincopy.c $(pkg-config --cflags --libs vss)
vss-provider-suite --set folder="$1/copies" --place "$1/copies" --unsupported "$1/copies" work/plaincopy.so "$1/b" >work/told ||
    { cat work/told; exit 1; }
grep -q '^18 scenarios held, 0 broken, 4 skipped$' work/told || { cat work/told; exit 1; }
to=$1/root$(pkg-config --variable=providerdir vss)
umount -l /usr # a layer must not change while it is mounted
cp work/plaincopy.so "$to/"
mount -t overlay overlay -o lowerdir="$1/root/usr:/usr" /usr
printf '[provider.%s]\nenabled = no\n' btrfs mirror >>etc/vss.conf
printf '[provider.plaincopy]\nfolder = %s/copies\n' "$1" >>etc/vss.conf
vssctl list --config etc providers | grep -q plaincopy
head -c 3000000 /dev/urandom >"$1/b/notes/two"
cp -a "$1/b/notes" work/before
vssctl backup --config etc --to other "$1/b/notes" --quiet
rm -r "$1/b/notes"
vssctl restore --config etc --from other --in-place --quiet
diff -r work/before "$1/b/notes"
[ -z "$(ls "$1/copies" | grep -v lost+found)" ] # auto-release
S
env -u LD_LIBRARY_PATH PATH=/usr/bin:/usr/sbin:/bin:/sbin unshare -m bash "$SCRATCH/inside" "$SCRATCH"
echo "the installed product works"
