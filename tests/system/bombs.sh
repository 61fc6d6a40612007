#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Archives that were altered to expand to terabytes, and sizes that lie: verify and restore end soon, in little memory and disk,
# with words, and what is not touched still comes back. Every archive here is well framed and its digests are made to fit.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires zstd
TOOL=$BUILD/src/backup/engine-tool
cd "$SCRATCH"
mkdir s; head -c 3000 /dev/urandom >s/a; head -c 300000 /dev/urandom >s/b; truncate -s 3M s/c
printf data | dd of=s/c bs=1 seek=2000000 conv=notrunc status=none; head -c 3000 /dev/urandom >s/z
"$TOOL" backup store /s="$SCRATCH/s" >/dev/null
zstd -qdc store/2*/op-1/data.tar.zst >plain.tar

cat >craft.py <<'P'
# craft.py WHAT SET: alters the set's data.tar.zst and signs backup-set.txt anew
import hashlib, os, struct, sys
what, folder = sys.argv[1:]
file = 'op-1/manifest.zst' if what == 'order' else 'op-1/data.tar.zst'
path = folder + '/' + file
plain = open('plain.tar', 'rb').read()
M = 1 << 20

def header(size):  # one segment, content size in eight bytes, no checksum
    return b'\x28\xb5\x2f\xfd' + bytes([0xe0]) + struct.pack('<Q', size)
def block(kind, size, data, last):
    return struct.pack('<I', size << 3 | kind << 1 | last)[:3] + data
def raw(data):
    parts = [data[i:i + 131072] for i in range(0, len(data), 131072)]
    return header(len(data)) + b''.join(block(0, len(p), p, i == len(parts) - 1) for i, p in enumerate(parts))
def same(byte, size, says=None):  # RLE blocks of 128 KiB
    n = size // 131072
    return header(size if says is None else says) + block(1, 131072, byte, 0) * (n - 1) + block(1, 131072, byte, 1)
def table(rows, count=None):
    body = b''.join(struct.pack('<II', *r) for r in rows) + struct.pack('<IBI', len(rows) if count is None else count, 0, 0x8F92EAB1)
    return struct.pack('<II', 0x184D2A5E, len(body)) + body
def write(frames):  # (bytes, what the table says of its content)
    with open(path, 'wb') as f:
        for data, _ in frames: f.write(data)
        f.write(table([(len(d), n) for d, n in frames]))
def pieces(data):
    return [(raw(data[i:i + M]), len(data[i:i + M])) for i in range(0, len(data), M)]
def member(name):  # where the pax or ustar header of the member begins, and where its data
    at = 0
    while True:
        start, size = at, int(plain[at + 124:at + 135].rstrip(b'\0 ') or b'0', 8)
        if plain[at + 156:at + 157] == b'x':
            at += 512 + (size + 511) // 512 * 512
            size = int(plain[at + 124:at + 135].rstrip(b'\0 ') or b'0', 8)
        if name in plain[start:at + 512]: return start, at, at + 512
        at += 512 + (size + 511) // 512 * 512
def checksum(block):
    b = bytearray(block); b[148:156] = b' ' * 8
    b[148:156] = b'%06o\0 ' % sum(b)
    return bytes(b)
def with_pax(at, *records):  # the header at @at with pax records before it
    text = b''
    for r in records:
        n = len(r) + 3
        while len(b'%d %s\n' % (n, r)) != n: n += 1
        text += b'%d %s\n' % (n, r)
    head = bytearray(plain[at:at + 512]); x = bytearray(head)
    x[124:135] = b'%011o' % len(text); x[156:157] = b'x'
    return checksum(x) + text + b'\0' * (-len(text) % 512) + checksum(head)

if what == 'frame':         # the table says 1 MiB, the frame's own header says so too, it holds 4 TB
    size = len(plain)
    write([(same(b'\0', M, says=M)[:-4] + block(1, 131072, b'\0', 0) * (1 << 22) + block(1, 131072, b'\0', 1), M)])
elif what == 'frame-honest':  # its header says four terabytes
    write([(header(1 << 42) + block(1, 131072, b'\0', 0) * (1 << 22) + block(1, 131072, b'\0', 1), M)])
elif what == 'table':       # the table says 4 GB for one frame
    write([(same(b'\0', M), 0xffffffff)])
elif what == 'rows':        # a table of four hundred million empty frames, in a file that is mostly hole
    with open(path, 'wb') as f:
        n = 400000000
        f.truncate(n * 8 + 17 + 100)
        f.seek(100); f.write(struct.pack('<II', 0x184D2A5E, n * 8 + 9))
        f.seek(0, 2); f.seek(f.tell() - 9); f.write(struct.pack('<IBI', n, 0, 0x8F92EAB1))
elif what == 'size':        # the member says 8 TB, and there they are: 20,000 MB of them
    start, at, data = member(b's/a')
    z = same(b'\0', M)
    write(pieces(plain[:start]) + pieces(with_pax(at, b'size=8796093022208')) + [(z, M)] * 20000)
elif what == 'size-short':  # the same, but nothing is there
    start, at, data = member(b's/a')
    write(pieces(plain[:start] + with_pax(at, b'size=8796093022208') + plain[data:]))
elif what == 'header':      # a pax header of 8 GB
    start, at, data = member(b's/a')
    x = bytearray(plain[at:at + 512]); x[124:135] = b'77777777777'; x[156:157] = b'x'
    write(pieces(plain[:start] + checksum(x)) + [(same(b'a', M), M)] * 20000)
elif what == 'map':         # a sparse file's list of pieces that has no end
    start, at, data = member(b's/c')
    pax = with_pax(at, b'GNU.sparse.major=1', b'GNU.sparse.minor=0', b'GNU.sparse.name=s/c', b'GNU.sparse.realsize=3145728',
                   b'size=8796093022208')
    write(pieces(plain[:start] + pax + b'9000000000\n' + b'0\n' * 250000) +
          [(bytes.fromhex(sys.stdin.read()), M)] * 4000)
elif what == 'map-lies':    # pieces far beyond the end of the file
    start, at, data = member(b's/c')
    pax = with_pax(at, b'GNU.sparse.major=1', b'GNU.sparse.minor=0', b'GNU.sparse.name=s/c',
                   b'GNU.sparse.realsize=4611686018427387904', b'size=2048')
    m = b'2\n4503599627370496\n1024\n4611686018427387904\n0\n'
    write(pieces(plain[:start] + pax + m.ljust(512, b'\0') + b'x' * 1536 + b'\0' * 1024))
elif what == 'order':       # names that go back: what is looked for comes round again
    lines = open('plain.manifest', 'rb').read().split(b'\n')[:-1]
    z = [l for l in lines if b'\t/s/z\t' in l]
    lines = lines[:1] + z + [b'x\t0\t/s/b%d' % i for i in range(40)]
    write([(raw(t := b'\n'.join(lines + [b'end\t41']) + b'\n'), len(t))])
stored = hashlib.sha256()
with open(path, 'rb') as f:
    while data := f.read(M): stored.update(data)
lines = open(folder + '/backup-set.txt', 'rb').read().split(b'\n')[:-2]
lines = [b'file\t%s\t%d\t%s' % (file.encode(), os.path.getsize(path), stored.hexdigest().encode())
         if l.startswith(b'file\t' + file.encode()) else l for l in lines]
text = b'\n'.join(lines) + b'\n'
open(folder + '/backup-set.txt', 'wb').write(text + b'sha256\t' + hashlib.sha256(text).hexdigest().encode() + b'\n')
P

# bomb WHAT: nothing takes more than 300 MB of address space, a minute, or the room of a small disk
bomb() {
    local what=$1; shift
    echo "-- $what"
    rm -rf bad; cp -a store bad
    python3 craft.py "$what" bad/2* <map.hex
    mkdir -p disk; mount -t tmpfs -o size=8m tmpfs disk
    (ulimit -v 300000; exec timeout 60 "$TOOL" verify -f bad latest) >out 2>&1 && fail "$what: verifies"
    [ $? != 124 ] || fail "$what: verify does not end"
    ! grep -qi 'out of memory' out || fail "$what: verify ran out of memory"
    (ulimit -v 300000; exec timeout 60 "$TOOL" restore bad latest disk/o) >words 2>&1 && fail "$what: restored"
    ! grep -qi 'out of memory\|no space left' words || fail "$what: $(head -3 words)"
    grep -q "^trouble: '/s/" words || fail "$what: no words: $(cat words)"
    for f in disk/o/s/*; do [ ! -e "$f" ] || cmp -s "$f" "s/${f##*/}" || fail "$what: something wrong was restored: $f"; done
    for f; do cmp -s "s/$f" "disk/o/s/$f" || fail "$what: $f could have been restored: $(cat words)"; done
    [ -z "$(find disk -name '.vss-restore-*')" ] || fail "$what: left behind"
    umount disk
}
{ yes 0 || true; } 2>/dev/null | head -c 1048576 | zstd -q -1 | od -An -v -tx1 | tr -d ' \n' >map.hex
for what in frame frame-honest table rows; do bomb $what; done
for what in size header; do bomb $what; done
bomb size-short b c z # each member is found by its own offset
bomb map a b
bomb map-lies a b

echo "-- order"
rm -rf bad; cp -a store bad; zstd -qdc bad/2*/op-1/manifest.zst >plain.manifest
python3 craft.py order bad/2*
for how in "" "-w -u $SCRATCH/undo"; do
    code=0; timeout 30 "$TOOL" restore $how bad latest ordered /s/z >out 2>&1 || code=$?
    [ $code = 1 ] && grep -q 'manifest .* is damaged' out || fail "order: $code: $(tail -3 out)"
done
"$TOOL" verify -f store latest >/dev/null || fail "the set as it was does not verify"
echo "no archive takes more than its share"
