#!/usr/bin/env python3
"""Who may include whom: the arrows of the architecture, held against every #include in the tree."""
import os
import re
import sys

TOP = sys.argv[1]
# room: what of ours it may include besides itself and the public headers
ALLOWED = {
    'src/base': set(),
    'src/documents': {'base'},
    'src/coordinator': {'base'},
    'src/store': {'base', 'coordinator'},
    'src/volume': {'base', 'coordinator'},
    'src/hold': {'base'},
    'src/bus': {'base', 'coordinator', 'store', 'volume', 'hold'},
    'src/requester': {'base', 'documents', 'bus'},
    'src/writer': {'base', 'documents', 'bus'},
    'src/provider': {'base', 'bus'},
    'src/backup': {'base'},
    'providers': None,
    'writers': None,
    'examples': None,
    'tools/vssctl': {'base', 'backup', 'hold'},
    'tools/vss-betest': {'base', 'backup'},  # a plain requester (T-1); brings files back as vssctl does
    'tools/vss-provider-suite': {'base', 'volume', 'hold'},  # in place of the service
}
LIBVSS_BUS = {'bus/names.h', 'bus/wire.h', 'bus/loop.h'}  # all that libvss may take of src/bus
XML = re.compile(r'#\s*include\s*<libxml/')
INCLUDE = re.compile(r'#\s*include\s*"([^"]+)"')

bad = []


def check(path, room, allowed):
    own = room.split('/')[-1]
    with open(os.path.join(TOP, path), encoding='utf-8') as lines:
        for number, line in enumerate(lines, 1):
            if XML.search(line) and room != 'src/documents':
                bad.append(f'{path}:{number}: only src/documents knows libxml2')
            match = INCLUDE.search(line)
            if not match:
                continue
            name = match.group(1)
            first = name.split('/')[0]
            if first in ('vss', 'tests') or name == 'config.h' or '/' not in name:
                continue
            if allowed is None:
                # a plug-in's own folder is its own business
                if os.path.exists(os.path.join(TOP, os.path.dirname(path), name)) or \
                   os.path.exists(os.path.join(TOP, room, name)):
                    continue
                bad.append(f'{path}:{number}: plug-ins and examples include vss/ only, not {name}')
            elif first != own and first not in allowed:
                bad.append(f'{path}:{number}: {room} may not include {name}')
            elif first == 'bus' and room in ('src/requester', 'src/writer', 'src/provider') \
                    and name not in LIBVSS_BUS:
                bad.append(f'{path}:{number}: libvss takes names and wire of the bus, not {name}')


for room, allowed in ALLOWED.items():
    for base, _, files in os.walk(os.path.join(TOP, room)):
        for name in files:
            # a test beside the code may look into any room
            if name.endswith(('.c', '.h')) and not name.startswith('test-'):
                check(os.path.relpath(os.path.join(base, name), TOP), room, allowed)

print('\n'.join(bad) or 'every include goes the right way')
sys.exit(1 if bad else 0)
