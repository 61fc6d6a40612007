#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the plan says before a backup, what the backup says it did, and what the set then holds, in all
# types, with files of three writers and the requester's own: all three must be one (T-6, I-143).
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3
requires zstd
umask 022

B=$SCRATCH/b X=$SCRATCH/x etc=$SCRATCH/etc store=$SCRATCH/store
make_fs btrfs 512M "$B"
make_fs xfs 400M "$X"
mkdir -p "$etc/writers.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[provider.mirror]\narea = %s/area\n' \
    "$SCRATCH" "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"

# every folder has an old file and one that changes before each backup, and once more after the thaw
folders=(t/all t/full t/live t/part t/logs e d/since d/zero d/new alt/deep own/sub own/cache f/tree/deep f/logs bad veto excluded)
for f in "${folders[@]}"; do mkdir -p "$B/$f"; echo old >"$B/$f/old.t"; echo start >"$B/$f/c.t"; done
mkdir -p "$X/live" "$B/norm" "$B/sq"; echo old >"$X/live/old.t"; echo start >"$X/live/c.t"
mv "$B/t/logs/c.t" "$B/t/logs/c.log"
printf '%0100d' 0 >"$B/e/p.t"; printf '%0100d' 0 >"$B/e/q.t"; printf '%0100d' 0 >"$B/excluded/p.t"; echo 5 bytes >"$B/bad/short"
python3 - "$B/e/r" <<'P'
import struct, sys
open(sys.argv[1], 'wb').write(struct.pack('<5Q', 2, 7, 3, 50, 1))
P
changing() { find "$B" "$X" -name 'c.*' -not -path '*/.vss/*'; }
changing | sed 's/.*/echo "after, live" >"&"/' | { echo '#!/bin/sh'; cat; } >"$SCRATCH/thaw"
printf '#!/bin/sh\n' >"$SCRATCH/freeze"; chmod 700 "$SCRATCH/freeze" "$SCRATCH/thaw"

cat >"$etc/writers.d/files.conf" <<C
[writer]
plugin = files
[backup]
incremental = yes
[hooks]
freeze = $SCRATCH/freeze
thaw = $SCRATCH/thaw
[component tree]
files = $B/f/tree/* recursive
[component rotated]
files = $B/f/logs/* backup=full,log snapshot=none
C
printf '[writer]\nplugin = sqlite\n[sqlite]\nstate_dir = %s/sqlite\n[database db]\npath = %s/sq/app.db\n' "$SCRATCH" "$B" >"$etc/writers.d/sqlite.conf"
rows() { python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute("create table if not exists t(x)"); c.executemany("insert into t values(?)", [("y" * 500,)] * 200); c.commit()' "$B/sq/app.db"; }
test_writer() { # test_writer SINCE
    cat >"$etc/writers.d/test.conf" <<C
[writer]
plugin = test
[test]
log = $SCRATCH/log
schema = differential, incremental, log, copy, last_modify
[component masks]
files = $B/t/all/*
files = $B/t/full/* mask=0x0101
files = $B/t/live/* mask=0x000f
files = $X/live/* mask=0x000f
files = $B/norm/* recursive alternate=$B/alt
[component part]
logical_path = masks
files = $B/t/part/* mask=0x0207
[component journal]
files = $B/t/logs/old.t mask=0x0101
logs = $B/t/logs/*.log mask=0x0f0f
[component entries]
files = $B/e/* mask=0x0f03
partial = $B/e/p.t 0:4,10:5 types=any
partial = $B/e/q.t $B/e/r
[component times]
files = $B/d/since/* mask=0x0101
files = $B/d/zero/*
differenced = $B/d/since/* since=$1 types=any
differenced = $B/d/zero/*
differenced = $B/d/new/* since=$1
[component missing]
files = $B/bad/nothing
files = $B/bad/old.t
[component beyond]
files = $B/bad/short
partial = $B/bad/short 3:9
[component far]
files = $B/bad/c.t
partial = $X/live/c.t 0:1
[component refused]
files = $B/veto/*
fail = VSS_E_WRITERERROR_OUTOFRESOURCES
[component excluded]
files = $B/excluded/*
exclude = $B/excluded/p.t
partial = $B/excluded/p.t 0:5 types=any
C
}
test_writer 1
rows

judge() {
    python3 - "$SCRATCH" "$store" "$1" <<'P' || fail "$1"
import collections, fnmatch, glob, io, json, os, re, subprocess, sys, tarfile, urllib.parse
scratch, store, kind = sys.argv[1:]
read = lambda name: [r for r in map(json.loads, open(f'{scratch}/{name}')) if r['record'] == 'plan']
first, final = read('plan.json'), read('out.json')
key = lambda r: (r['type'], r['writer'], r['component'], r['path'], r['filespec'])
bad, entries = [], {'I-102', 'I-103', 'I-108', 'I-124', 'I-128', 'I-135', 'I-101', 'I-121'}
assert first and final and not any(r['final'] for r in first) and all(r['final'] for r in final)
# ---- what was planned was done, unless an entry of a writer or a failure says otherwise ----
done = collections.defaultdict(list)
for r in final: done[key(r)].append(r)
for r in first:
    same = [d for d in done[key(r)] if (d['decision'], d['source'], d['rule']) == (r['decision'], r['source'], r['rule'])]
    other = [d for d in done[key(r)] if d['decision'] == 'failed' or d['rule'] in entries]
    if not same and not other: bad.append(('planned and not done', r, done[key(r)]))
known = {key(r) for r in first}
for r in final:
    if key(r) not in known and r['decision'] != 'failed' and r['rule'] not in entries: bad.append(('not planned', r))
    if not re.fullmatch(r'[A-Z]+-\d+', r['rule']): bad.append(('no rule', r))
# ---- what was done is what is there ----
folder = sorted(d for d in os.listdir(store) if not d.startswith('.') and os.path.isdir(f'{store}/{d}'))[-1]
lines = [l.split('\t') for l in open(f'{store}/{folder}/backup-set.txt').read().splitlines()]
name = lambda c: c.split('\\')[0] if c else ''
un = lambda s: urllib.parse.unquote(s)
types = {l[1]: l[2] for l in lines if l[0] == 'operation'}
good = {(types[l[1]], un(l[8])): l[3] for l in lines if l[0] == 'component'}
held = collections.defaultdict(dict)
for number, t in types.items():
    names = {l[2]: un(l[8]) for l in lines if l[0] == 'component' and l[1] == number}
    op = f'{store}/{folder}/op-{number}'
    for line in subprocess.run(['zstd', '-dcq', f'{op}/manifest.zst'], capture_output=True, check=True).stdout.decode().splitlines():
        f = line.split('\t')
        if f[0] == 'f': held[t, names[f[1]]][un(f[2])] = f
    for archive in glob.glob(f'{op}/data.tar.zst'):
        tar = tarfile.open(fileobj=io.BytesIO(subprocess.run(['zstd', '-dcq', archive], capture_output=True, check=True).stdout))
        members = [m for m in tar if m.isfile()]
        held[t] = {'/' + m.name: tar.extractfile(m).read() for m in members}
        # I-124: of a partial file nothing else is stored, I-127: nor by the file set around it
        there = collections.Counter('/' + m.name for m in members)
        listed = collections.Counter(f for (u, c), fs in [p for p in held.items() if isinstance(p[0], tuple)] if u == t for f in fs if fs[f][12][0] == 'd')
        if there != listed: bad.append(('stored and not listed', there - listed, listed - there))
def files(r):
    top = r['read_from']
    if r['filespec'] is None:
        return [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs] if os.path.isdir(top) else [top]
    found = []
    for d, ds, fs in os.walk(top):
        found += [r['path'] + os.path.join(d, f)[len(top):] for f in fs if fnmatch.fnmatchcase(f, r['filespec'])]
        if not r['recursive']: break
    return found
alone = {(r['writer'], name(r['component']), f"{r['path']}/{r['filespec']}") for r in final if r['decision'] == 'ranges' or r['rule'] in ('I-128', 'I-135')}
live_alone = {f for w, c, f in alone if any(r['rule'] == 'I-128' and f"{r['path']}/{r['filespec']}" == f for r in final)}
theirs = {f for r in final if r['writer'] for f in files(r)} | live_alone
want = collections.defaultdict(dict)
for r in final:
    t, c = r['type'], name(r['component'])
    is_alone = r['decision'] == 'ranges' or r['rule'] in ('I-128', 'I-135')
    if (r['decision'] == 'failed') and good[t, c] == 'good': bad.append(('failed in a good component', r))
    if good[t, c] == 'failed' and r['decision'] not in ('failed', 'skipped'): bad.append(('good in a failed component', r))
    if r['decision'] in ('failed', 'skipped'): continue
    for f in files(r):
        if (r['writer'], c, f) in alone and not is_alone: continue
        if r['writer'] is None and (f in theirs or '/cache/' in f): continue
        if r['decision'] in ('since', 'changed') and not os.path.basename(f).startswith('c.'): continue
        if r['writer'] == 'Test Writer' and f.endswith('/excluded/p.t'): continue
        want[t, c][f] = r
for place in set(want) | {p for p in held if isinstance(p, tuple)}:
    if good.get(place) == 'failed': continue
    w, h = want[place], held[place]
    for f in sorted(set(w) ^ set(h)): bad.append(('held, not said' if f in h else 'said, not held', place, f, w.get(f)))
    for f in set(w) & set(h):
        where, said = h[f][12][0], w[f]
        if (where == 'r') != (said['decision'] == 'ranges'): bad.append(('whole or not', place, f, h[f], said))
        text = held[place[0]].get(f, b'').decode('latin1').strip()
        if os.path.basename(f).startswith('c.') and where == 'd' and text != {'shadow copy': 'before', 'original': 'after, live'}[said['source']]:
            bad.append(('source', place, f, text, said))
    for f, r in w.items():
        if f.endswith('/e/p.t') and un(h[f][15]) != '0:4,10:5': bad.append(('ranges', h[f]))
        if f.endswith('/e/q.t') and r['decision'] == 'ranges' and un(h[f][15]) != '7:3,50:1': bad.append(('ranges', h[f]))
# ---- I-86: after a restore of this backup what was required is there as it was; I-47: whole or by ranges;
# I-45: what the writers required goes along unchanged too (above), only own files go by own history ----
subprocess.run(['rm', '-rf', f'{scratch}/r'])
subprocess.run(['vssctl', 'restore', '--config', f'{scratch}/etc', '--from', store, '--into', f'{scratch}/r', '--quiet'], capture_output=True)
seen = collections.Counter()
for place in set(want):
    if good.get(place) == 'failed': continue
    for f, r in want[place].items():
        if f not in held[place] or f.endswith('/e/p.t'): continue # of that one only ranges were ever saved (IV-116)
        back = f'{scratch}/r{f}'
        now = open(back, 'rb').read() if os.path.exists(back) else None
        if r['decision'] == 'ranges': then = open(f, 'rb').read() # nobody changes these
        else: then = held[place[0]][f]
        seen[r['decision'], os.path.basename(f).startswith('c.')] += 1
        if now != then: bad.append(('not restored as it was', place, f, now, then))
for decision in ('whole', 'ranges', 'since', 'changed'):
    if kind in ('incremental', 'differential') and not seen[decision, decision != 'ranges']: bad.append(('none seen', decision))
if kind in ('incremental', 'differential') and not seen['whole', False]: bad.append(('no unchanged file went along', seen))
for b in bad: print(*b, sep='\n   ')
rules = collections.Counter((r['decision'], r['rule'], r['source']) for r in final)
print(kind, {f'{d} {u} {s}': n for (d, u, s), n in sorted(rules.items())})
needed = {'full': 'I-83 I-84 B-149 I-108 I-124 I-135 M-43 B-85', 'copy': 'I-83 I-84 B-149 I-108 I-124 I-135 M-43 B-85',
          'incremental': 'I-83 I-84 I-85 I-102 I-103 I-114 I-124 I-128 I-135 M-43 B-85 I-101 I-121',
          'differential': 'I-83 I-84 I-85 I-102 I-103 I-114 I-124 I-128 I-135 M-43 B-85 I-101 I-121',
          'log': 'I-83 I-84 I-85 I-108 I-135 M-43 B-85'}[kind].split()
missing = set(needed) - {r['rule'] for r in final}
if missing: bad.append(missing); print('never seen:', missing)
sys.exit(bool(bad))
P
}

arguments=(--all-components --exclude "$B/own/cache/*" "$B/own")
for type in full incremental differential log incremental copy; do
    echo "-- $type"
    rows
    changing | while read -r f; do echo before >"$f"; done
    vssctl backup --config "$etc" --to "$store" --type $type --plan --json "${arguments[@]}" >"$SCRATCH/plan.json" 2>"$SCRATCH/err" || { cat "$SCRATCH/err"; fail "the plan"; }
    got=0
    vssctl backup --config "$etc" --to "$store" --type $type --explain --json "${arguments[@]}" >"$SCRATCH/out.json" 2>"$SCRATCH/err" || got=$?
    [ $got = 4 ] || { cat "$SCRATCH/out.json" "$SCRATCH/err"; fail "exit $got"; }
    judge $type
    # times of a writer are whole seconds: the old files are older, what changes from here on is newer
    [ $type = full ] && { sleep 1.1; test_writer "$(date +%s)"; sleep 1.1; }
done
echo "-- in words; and without being asked no backup tells its plan"
vssctl backup --config "$etc" --to "$store" --component Files:tree "$B/own" --explain >"$SCRATCH/out" 2>&1
grep -q "^whole .*f/tree/\* and below  from shadow copy of $B by btrfs  (I-83, " "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no words"; }
vssctl backup --config "$etc" --to "$store" --json --component Files:tree "$B/own" | grep -q '"plan"' && fail "an unasked plan"
echo ok
