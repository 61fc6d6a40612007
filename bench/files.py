#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""files.py FOLDER FILES GB [MANY] - what the measurements back up and restore: FILES small files, text and
some that cannot be compressed, in FOLDER/small; GB large ones, half and half, in FOLDER/large; MANY tiny ones
in FOLDER/many. The same bytes each time."""
import os, random, sys

folder, files, gb = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
many = int(sys.argv[4]) if len(sys.argv) > 4 else 0
chance = random.Random(1)
text = b''.join(b'%d the %x quick %d brown fox ' % (i, i * 7919, i * 31) for i in range(1, 60001))
noise = chance.randbytes(1000000)


def make(name, count, least, most):
    for i in range(count):
        place = f'{folder}/{name}/d{i // 10000}/e{i // 500}'
        if i % 500 == 0:
            os.makedirs(place)
        source = text if i % 4 else noise
        at, size = chance.randrange(900000), chance.randrange(least, most)
        with open(f'{place}/file-{i}', 'wb', 0) as f:
            f.write(source[at:at + size])


if files:
    make('small', files, 100, 6000)
if many:
    make('many', many, 20, 300)
if gb:
    os.makedirs(f'{folder}/large')
for i in range(gb):
    with open(f'{folder}/large/f{i}', 'wb') as f:
        for j in range(512):
            k = (j * 997 + i * 31) % 500000
            f.write(text[k:k + (1 << 20)].ljust(1 << 20, b'x'))
            f.write(noise[k:] + noise[:k] + b'y' * 48576)
