#!/usr/bin/env python3
"""Exported by libvss = listed in libvss.sym = declared in a public header, and described there."""
import glob
import os
import re
import subprocess
import sys

TOP, LIBRARY = sys.argv[1:3]
bad = []

with open(os.path.join(TOP, 'src/libvss.sym'), encoding='utf-8') as f:
    listed = set(re.findall(r'\b(vss_\w+);', f.read()))
out = subprocess.run(['nm', '-D', '--defined-only', LIBRARY], check=True, text=True,
                     capture_output=True).stdout
exported = {line.split()[-1].split('@')[0] for line in out.splitlines() if ' T ' in line}

declared, described = set(), set()
for header in glob.glob(os.path.join(TOP, 'include/vss/*.h')):
    with open(header, encoding='utf-8') as f:
        text = f.read()
    for comment in re.findall(r'/\*.*?\*/', text, re.S):
        described.update(re.findall(r'\b(vss_\w+)\(\)', comment))
    code = re.sub(r'^[ \t]*#(?:.*\\\n)*.*$', '', re.sub(r'/\*.*?\*/', '', text, flags=re.S), flags=re.M)
    code = re.sub(r'\(\*\w+\)', '', code)
    declared.update(n for n in re.findall(r'\b(vss_\w+)\s*\(', code) if not n.endswith('_t'))
declared -= {'vss_provider_init', 'vss_writer_init'}

for name in sorted(listed - exported):
    bad.append(f'{name} is listed in libvss.sym but libvss does not define it')
for name in sorted(exported - listed):
    bad.append(f'{name} is exported but not listed in libvss.sym')
for name in sorted(listed ^ declared):
    bad.append(f'{name} is ' + ('listed but declared in no public header' if name in listed
                                else 'declared in a public header but not exported'))
for name in sorted(declared - described):
    bad.append(f'{name} is not described: no "{name}()" in a comment of its header')
print('\n'.join(bad) or f'{len(exported)} symbols: exported, listed, declared, described')
sys.exit(1 if bad else 0)
