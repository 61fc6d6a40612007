#!/bin/bash
# vssctl list paths: what a backup holds, through chains and components, names of all kinds, fast.
. "$(dirname "$0")/../functions.sh"
TOOL=$BUILD/src/backup/engine-tool
cd "$SCRATCH"

expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >out 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat out; fail "exit $got instead of $code: $*"; }
    grep -qi -- "$words" out || { cat out; fail "no word of '$words': $*"; }
}

mkdir -p s/d c
echo four >s/a
touch -d '2001-02-03 04:05:06.7Z' s/a
chown 12:34 s/a && chmod 4751 s/a
printf x >s/$'new\nline' && printf x >s/$'bad-\xff\xfe' && printf x >s/$'escape-\e[2J\e]0;title\a' && printf x >s/$'c1-\xc2\x9b31m'
printf x >"s/quote\"back\\slash" && printf x >"s/$(printf 'n%.0s' {1..255})" && printf x >$'s/\xed\xa0\x80'
ln -s $'to\nwhere' s/link && mknod s/null c 1 3 && mkfifo s/pipe && truncate -s 5G s/hole
"$TOOL" backup store "/s=$SCRATCH/s" >/dev/null

echo "-- every name, its bytes kept in JSON, harmless on a terminal (SEC-60)"
vssctl list paths --from store --json >all
python3 - <<'P'
import json, os, stat
got = {os.fsencode(r['path']): r for r in map(json.loads, open('all'))}
want = {b'/s'} | {b'/s/' + n for n in os.listdir(b's')}
assert set(got) == want, set(got) ^ want
for path, r in got.items():
    st = os.lstat(b'.' + path)
    assert (int(r['mode'], 8), r['uid'], r['gid']) == (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid), r
    if r['type'] == 'file':
        assert (r['size'], r['links']) == (st.st_size, st.st_nlink), r
assert got[b'/s/a']['mtime'] == '2001-02-03T04:05:06.700000000Z', got[b'/s/a']
assert os.fsencode(got[b'/s/link']['target']) == b'to\nwhere'
assert got[b'/s/null']['device'] == '1:3' and got[b'/s/pipe']['type'] == 'fifo'
P
TZ=UTC vssctl list paths --from store >text
LC_ALL=C grep -q $'[\001-\011\013-\037\177]' text && fail "a control character reaches the terminal"
LC_ALL=C grep -q $'\xc2\x9b' text && fail "a C1 control character reaches the terminal"
grep -qF '/s/new\x0aline' text && grep -qF 'bad-\xff\xfe' text && grep -qF 'link -> to\x0awhere' text || { cat text; fail "names in text"; }
grep -q '^  -rwsr-x--x *12 *34 *5 2001-02-03 04:05:06 /s/a$' text || { cat text; fail "the line of a file"; }
[ "$(wc -l <text)" = $(($(wc -l <all) + 1)) ] || fail "a line per name"

echo "-- through a chain: as the image was; each entry tells where it is stored"
echo changed >>s/a && rm s/pipe && echo new >s/d/new
"$TOOL" backup -t incremental store "/s=$SCRATCH/s" >/dev/null
vssctl list paths --from store --json >all
python3 - <<'P'
import json, os
got = {os.fsencode(r['path']): r for r in map(json.loads, open('all'))}
assert set(got) == {b'/s', b'/s/d/new'} | {b'/s/' + n for n in os.listdir(b's')}
assert '-incremental-' in got[b'/s/a']['stored_in'] and '-full-' in got[b'/s/hole']['stored_in']
P
first=$(cd store && ls -d 2*-full-*)
expect 0 "/s/pipe" vssctl list paths --from store --set "$first"
expect 0 "/s/d/new" vssctl list paths --from store /s/d
[ "$(wc -l <out)" = 3 ] || { cat out; fail "more than what is below the path"; }
expect 0 "/s/a" vssctl list paths --from store /s/d/new /s/a
expect 1 "'/s/pipe' is not in this backup" vssctl list paths --from store /s/pipe
expect 1 "'/s/nowhere' is not in this backup" vssctl list paths --from store /s/a /s/nowhere
expect 1 "absolute" vssctl list paths --from store s/a
expect 1 "no backup set 'x'" vssctl list paths --from store --set x
expect 1 "no such component" vssctl list paths --from store --component nothing
expect 1 "--from" vssctl list paths
expect 1 "takes no" vssctl list backups --from store /s

echo "-- components: one by name; a deleted file comes back, and the listing says so (I-189)"
echo 1 >c/one && echo 2 >c/two
"$TOOL" backup -K comps "/c=$SCRATCH/c:*" >/dev/null
rm c/one && echo 3 >c/three
"$TOOL" backup -K -t incremental comps "/c=$SCRATCH/c:*" >/dev/null
vssctl list paths --from comps --component /c >out
[ "$(sed 's/.*:[0-9][0-9] //' out)" = "/c:
/c/one  (deleted since; a restore brings it back)
/c/three
/c/two" ] || { cat out; fail "the component's files"; }
vssctl list paths --from comps --json | python3 -c '
import json, sys
got = [(r["component"], r["path"], r["gone"]) for r in map(json.loads, sys.stdin)]
assert got == [("/c", "/c/one", True), ("/c", "/c/three", False), ("/c", "/c/two", False)], got'

echo "-- damage is told, with what could be read before it"
cp -a store cut
manifest=cut/$first/op-1/manifest.zst
truncate -s $(($(stat -c %s "$manifest") / 2)) "$manifest"
expect 2 "manifest" vssctl list paths --from cut --set "$first"
cp -a store gap && rm -r "gap/$first"
expect 2 "is missing" vssctl list paths --from gap
expect 2 "cannot write the output" sh -c "$BUILD/vssctl list paths --from store >/dev/full"

echo "-- many: a stream, in little memory"
big=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn "rm -rf $big"
mkdir "$big/many" && (cd "$big/many" && for d in $(seq 100); do mkdir "$d"; (cd "$d" && seq -f 'some-name-%.0f' 1000 | xargs touch); done)
"$TOOL" backup "$big/store" "/m=$big/many" >/dev/null
rm -r "$big/many"
python3 - "$big/store" <<'P'
import resource, subprocess, sys, time
for extra in [], ['--json']:
    began = time.time()
    r = subprocess.run(['vssctl', 'list', 'paths', '--from', sys.argv[1], *extra], stdout=subprocess.PIPE, check=True)
    took = time.time() - began
    assert len(r.stdout.splitlines()) - (not extra) == 100101
    print(f'100,101 names in {took:.2f} s')
    assert took < 20, took
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f'{peak} kB')
assert peak < 96 * 1024, peak
P
echo "all well"
