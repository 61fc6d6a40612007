#!/usr/bin/env python3
"""Functions above 100 lines fail, files above 600 (tests: 1000) too; the ten longest are shown."""
import json
import os
import subprocess
import sys

TOP = sys.argv[1]
files = []
for base, dirs, names in os.walk(TOP):
    dirs[:] = [d for d in dirs if not d.startswith(('.', 'build'))]
    files += [os.path.join(base, n) for n in names if n.endswith(('.c', '.h'))]
out = subprocess.run(['ctags', '-L', '-', '--c-kinds=f', '--fields=+ne', '--output-format=json',
                      '-o', '-'], input='\n'.join(files), text=True, capture_output=True,
                     check=True).stdout
functions = []
for line in out.splitlines():
    tag = json.loads(line)
    if 'end' in tag:
        functions.append((tag['end'] - tag['line'] + 1, os.path.relpath(tag['path'], TOP), tag['name']))
functions.sort(reverse=True)
for length, path, name in functions[:10]:
    print(f'{length:4} {path}: {name}()')
bad = [f for f in functions if f[0] > 100]
long = [(n, f) for f in files for n in [sum(1 for _ in open(f, encoding='utf-8'))]
        if n > (1000 if '/tests/' in f or os.path.basename(f).startswith('test-') else 600)]
for n, f in sorted(long, reverse=True):
    print(f'{n:5} lines: {os.path.relpath(f, TOP)}')
sys.exit(1 if bad or long else 0)
