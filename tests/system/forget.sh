#!/bin/bash
# vssctl list backups, list paths and forget over real stores: chains and gaps, what may go and what
# must stay, damaged sets and sets from the future, two at once, SIGKILL at every step.
. "$(dirname "$0")/../functions.sh"
TOOL=$BUILD/src/backup/engine-tool
PATH=$BUILD/tests:$PATH
cd "$SCRATCH"

# expect CODE WORDS COMMAND...: the exit code, and words in what it says
expect() {
    local code=$1 words=$2 got=0
    shift 2
    "$@" >out 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat out; fail "exit $got instead of $code: $*"; }
    grep -qi -- "$words" out || { cat out; fail "no word of '$words': $*"; }
}
sets() { (cd "$1" && ls -d 2*) 2>/dev/null || true; }
# nth STORE N: the folder of the Nth backup
nth() { sets "$1" | sed -n "$2p"; }
# image STORE N KEY: a value of the last image of the Nth backup
image() {
    vssctl list backups --from "$1" --json >images || true
    python3 - "$(nth "$1" "$2")" "$3" <<'P'
import json, sys
v = [r[sys.argv[2]] for r in map(json.loads, open('images')) if r['record'] == 'image' and r['folder'] == sys.argv[1]][-1]
print(' '.join(v) if isinstance(v, list) else v)
P
}
# redate STORE N DAYS: as if the Nth backup had been made so many days ago
redate() {
    python3 - "$1/$(nth "$1" "$2")/backup-set.txt" "$3" <<'P'
import hashlib, re, sys
text = open(sys.argv[1], 'rb').read()
body = re.sub(rb'(?m)^time\t(\d+)', lambda m: b'time\t%d' % (int(m[1]) - int(sys.argv[2]) * 864000000000), text[:text.rindex(b'sha256\t')])
open(sys.argv[1], 'wb').write(body + b'sha256\t' + hashlib.sha256(body).hexdigest().encode() + b'\n')
P
}
# step STORE TYPE [OPTIONS]: change the tree, back it up, keep a copy by the name of the backup
mkdir s
count=0
step() {
    count=$((count + 1))
    echo "$count" >"s/file-$((count % 5))"
    rm -f "s/file-$(((count + 2) % 5))"
    "$TOOL" backup -t "$2" "$1" "/s=$SCRATCH/s" >/dev/null
    rm -rf "copy-$(sets "$1" | tail -n 1)"
    cp -a s "copy-$(sets "$1" | tail -n 1)"
}
# whole STORE: all that is left verifies, and every backup restores what it was made of
whole() {
    local set
    vssctl verify --from "$1" >out 2>&1 || { cat out; fail "$1 does not verify"; }
    for set in $(sets "$1"); do
        rm -rf back
        vssctl restore --from "$1" --set "$set" --into back >/dev/null
        tree-compare "copy-$set" back/s || fail "$set of $1 restores something else"
    done
}

echo "-- chains: base, image, and what a restore takes (I-40, I-41, I-180, I-181, I-184)"
for type in full incremental incremental differential incremental copy full incremental; do step store $type; done
[ "$(image store 3 needs)" = "$(sets store | sed -n 1,3p | xargs)" ] || fail "needs of I2: $(image store 3 needs)"
[ "$(image store 4 needs)" = "$(nth store 1) $(nth store 4)" ] || fail "needs of the differential"
[ "$(image store 5 needs)" = "$(nth store 1) $(nth store 2) $(nth store 3) $(nth store 5)" ] || fail "an increment after a differential (I-183)"
[ "$(image store 5 base)" = "$(nth store 3)" ] || fail "base"
[ "$(image store 6 base)" = None ] || fail "a copy builds on something (I-44)"
vssctl list backups --from store >out
grep -q "plain files, builds on .*; a restore takes [0-9a-f]\{8\} [0-9a-f]\{8\} and this one" out || { cat out; fail "no chain in words"; }
whole store

echo "-- gaps: a missing and a failed member end the chain before them (I-188, IV-96)"
cp -a store gap
rm -r "gap/$(nth gap 2)"
[ "$(image gap 2 state) $(image gap 4 state)" = "gap gap" ] || fail "no gap is seen"
[ "$(image gap 4 best_before)" = "$(nth gap 3)" ] || fail "best before: $(image gap 4 best_before)"
[ "$(image gap 3 state)" = good ] || fail "the differential needs only its full one"
vssctl list backups --from gap >out
grep -q "GAP: .* is missing; the newest before it that can be restored is" out || { cat out; fail "no word of the gap"; }
expect 2 "the newest before it that can be restored is '$(nth gap 1)'" vssctl restore --from gap --set "$(nth gap 2)" --into nowhere
mkdir c && echo 1 >c/f
for spec in f f missing f; do
    "$TOOL" backup -K -t "$([ -d failed ] && echo incremental || echo full)" failed "/c=$SCRATCH/c:$spec" >/dev/null 2>&1 || true
done
[ "$(image failed 3 state) $(image failed 4 state)" = "failed good" ] || fail "a failed component: $(image failed 3 state)"
[ "$(image failed 4 base)" = "$(nth failed 2)" ] || fail "an increment builds on the failed one"
[ "$(image failed 3 best_before)" = "$(nth failed 2)" ] || fail "nothing left to restore"

echo "-- a copy is no base: what the next increment builds on stays (I-44, I-53)"
mkdir src-copy && echo one >src-copy/f
vssctl backup --to with-copy "$SCRATCH/src-copy" >/dev/null
for n in 1 2; do echo "copy $n" >>src-copy/f; vssctl backup --to with-copy --type copy "$SCRATCH/src-copy" >/dev/null; done
vssctl forget --from with-copy --keep 1 >/dev/null
[ "$(sets with-copy | sed 's/.*Z-//; s/-.*//' | tr '\n' ' ')" = "full copy " ] || fail "what stays: $(sets with-copy)"
vssctl backup --to with-copy --type incremental "$SCRATCH/src-copy" >/dev/null
[ "$(image with-copy 3 base)" = "$(nth with-copy 1)" ] || fail "it builds on '$(image with-copy 3 base)'"

echo "-- forget by number: what a kept one needs stays, all that stays restores (I-188)"
before=$(find store | sort | md5sum)
vssctl forget --from store --keep 3 --plan >plan
[ "$(find store | sort | md5sum)" = "$before" ] || fail "--plan changes the store"
for n in 1 2 3 4 5 6 7; do
    cp -a store "k$n"
    vssctl forget --from "k$n" --keep $n --json >out
    [ -z "$(find "k$n" -name '.*' -path '*/.*')" ] || fail "something stays behind"
    whole "k$n"
done
[ "$(sets k1)" = "$(sets store | tail -n 2)" ] || fail "--keep 1 keeps the last and its full one: $(sets k1)"
[ "$(sets k4 | wc -l)" = 7 ] || fail "--keep 4 must keep the chain of the fourth: $(sets k4)"
python3 - plan <<P || fail "plan and deed differ"
import subprocess
plan = {l.split()[1] for l in open('plan') if l.startswith('forget')}
assert plan == set('''$(sets store)'''.split()) - set('''$(sets k3)'''.split()), plan
P
cp -a store freed
was=$(find freed -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
freed=$(vssctl forget --from freed --keep 1 --json | tail -n 1 | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["freed_bytes"])')
is=$(find freed -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
[ $((was - is)) = "$freed" ] || fail "says $freed bytes, they were $((was - is))"

echo "-- the newest of each component stays, a failed one takes nobody's place"
vssctl forget --from failed --keep 1 >out
[ "$(sets failed | wc -l)" = 3 ] || { cat out; fail "$(sets failed)"; }
rm -r "failed/$(nth failed 3)"
"$TOOL" backup -K failed "/c=$SCRATCH/c:missing" >/dev/null 2>&1 || true
"$TOOL" backup -K failed "/other=$SCRATCH/c:f" >/dev/null
vssctl forget --from failed --keep 1 >out
vssctl list backups --from failed --json | python3 -c '
import json, sys
left = [(r["component"], r["state"]) for r in map(json.loads, sys.stdin) if r["record"] == "image"]
assert left == [("/c", "good"), ("/c", "good"), ("/c", "failed"), ("/other", "good")], left'

echo "-- forget by name"
cp -a store name
expect 2 "builds on '$(nth name 1)'; name both" vssctl forget --from name "$(nth name 1)"
expect 2 "builds on" vssctl forget --from name "$(nth name 1)" "$(nth name 2)"
[ "$(sets name)" = "$(sets store)" ] || fail "something is removed although it is needed"
expect 1 "no backup set 'nonsense'" vssctl forget --from name "$(nth name 8)" nonsense
expect 1 "more than one" vssctl forget --from name 2
expect 1 "empty" vssctl forget --from name ""
[ "$(sets name)" = "$(sets store)" ] || fail "something is removed although a name is wrong"
id=$(vssctl list backups --from name --json | tail -n 1 | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["id"])')
expect 0 "1 backup is gone" vssctl forget --from name "${id:0:8}"
# shellcheck disable=SC2046
expect 0 "5 backups are gone, 2 stay" vssctl forget --from name $(sets name | head -n 5)
whole name

echo "-- forget by age; the newest stays whatever its age"
cp -a store age
for n in 1 2 3 4 5 6; do redate age $n 40; done
redate age 7 20
expect 0 "6 backups are gone, 2 stay" vssctl forget --from age --older-than 30d
redate age 1 400
redate age 2 300
expect 0 "0 backups are gone" vssctl forget --from age --older-than 1w
cp -a store both
for n in 1 2 3 4 5 6 7 8; do redate both $n $((50 - n)); done
expect 0 "1 backup would go" vssctl forget --from both --older-than 46d --keep 1 --plan
expect 0 "0 backups would go" vssctl forget --from both --older-than 46d --keep 6 --plan

echo "-- plain files of other paths are not the same: the newest of each stays"
make_fs btrfs 256M "$SCRATCH/b"
etc=$SCRATCH/etc
mkdir -p b/x b/y "$etc/writers.d"
run=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn "rm -rf $run"
printf '[service]\nruntime_dir = %s\nstate_dir = %s/state\n' "$run" "$SCRATCH" >"$etc/vss.conf"
for path in x y y x x; do vssctl backup --config "$etc" --to paths "$SCRATCH/b/$path" >/dev/null; done
vssctl backup --config "$etc" --to paths --type incremental >/dev/null
kept="$(nth paths 3) $(nth paths 5) $(nth paths 6)"
vssctl forget --from paths --keep 1 >out
[ "$(sets paths | xargs)" = "$kept" ] || { cat out; fail "$(sets paths)"; }

echo "-- a component without a base gets an operation of its own, which is no base of the plain files (I-76, I-157)"
mkdir b/x/app && echo data >b/x/app/file && sync
vssctl backup --config "$etc" --to two "$SCRATCH/b/x" >/dev/null
printf '[writer]\nplugin = test\n[test]\nschema = incremental, differential\n[component app]\nfiles = %s/b/x/app/*\n' "$SCRATCH" >"$etc/writers.d/app.conf"
for i in 1 2; do vssctl backup --config "$etc" --to two --type incremental >out 2>&1 || { cat out; fail "increment $i"; }; done
vssctl list backups --from two --json | python3 -c '
import json, sys
r = [r for r in map(json.loads, sys.stdin) if r["record"] == "image"]
sets = list(dict.fromkeys(i["folder"] for i in r))
own = [i for i in r if i["component"] == ""]
assert [(i["folder"], i["base"]) for i in own] == [(sets[0], None), (sets[1], sets[0]), (sets[2], sets[1])], own
app = [i for i in r if i["component"] == "app"]
assert [(i["folder"], i["operation"]) for i in app][0] == (sets[1], 2), app'
vssctl list paths --from two --component app >out
grep -q /b/x/app/file out || { cat out; fail "the component"; }
vssctl forget --from two --keep 1 >out
vssctl verify --from two >/dev/null || fail "two operations"
# each on its own: what the files need no more the component needs, and the other way round (I-184)
app=(--component c42f9a06-e158-4d3b-b70a-915c6d23f840:app)
rm -r two
made() { # made OPTIONS...
    date +%N >b/x/own; date +%N >b/x/app/file
    vssctl backup --config "$etc" --to two "$@" >out 2>&1 || { cat out; fail "$*"; }
}
made "$SCRATCH/b/x"                          # 1 both
made --type incremental "${app[@]}"          # 2 the component, on 1
mv "$etc/writers.d/app.conf" aside
made "$SCRATCH/b/x"                          # 3 the files, without the writer also those of app
mv aside "$etc/writers.d/app.conf"
made --type incremental "$SCRATCH/b/x"       # 4 both: the files on 3, the component on 2
made --type differential "${app[@]}"         # 5 the component, on 1
cp two/"$(nth two 5)"/op-1/manifest.zst manifest
sets two >all
needs() { # needs SET COMPONENT: numbers of the sets that a restore takes
    vssctl list backups --from two --json | python3 -c '
import json, sys
names = open("all").read().split()
r = [r for r in map(json.loads, sys.stdin) if r["record"] == "image" and r["component"] == sys.argv[2] and r["folder"] == names[int(sys.argv[1]) - 1]]
print(*[1 + names.index(n) for n in r[-1]["needs"]])' "$1" "$2"
}
for case in "4::3 4" "4:app:1 2 4" "5:app:1 5" "2:app:1 2" "3::3"; do
    IFS=: read -r set component wanted <<<"$case"
    [ "$(needs "$set" "$component")" = "$wanted" ] || fail "set $set, '$component': $(needs "$set" "$component"), not $wanted"
done
left() { [ "$(sets two | grep -nxFf - all | cut -d: -f1 | tr '\n' ' ')" = "$1 " ] || { cat out; fail "$2: $(sets two)"; }; }
expect 2 "builds on" vssctl forget --from two "$(sed -n 2p all)" # 4 needs it
left "1 2 3 4 5" "one that is needed"
vssctl forget --from two --keep 2 >out
left "1 2 3 4 5" "two of each component, and what they need"
vssctl forget --from two --keep 1 >out
left "1 2 3 4 5" "4 stays for the files, and can be restored with all that it has"
made "$SCRATCH/b/x"                          # 6 both
made --type incremental "${app[@]}"          # 7 the component
mv "$etc/writers.d/app.conf" aside
made "$SCRATCH/b/x"                          # 8 the files
mv aside "$etc/writers.d/app.conf"
sets two >all
vssctl forget --from two --keep 1 >out
left "6 7 8" "the newest of the component needs 6, that of the files nothing"
vssctl verify --from two >/dev/null || fail "what is left of two"
rm "$etc/writers.d/app.conf"

echo "-- a clock that was wrong: a date in the future takes no place, a base dated after its increment stays"
cp -a store clock
redate clock 6 -1000
expect 0 "future" vssctl forget --from clock --keep 1 --plan
vssctl forget --from clock --keep 1 >out
grep -q "stays\|3 stay" out && [ "$(sets clock)" = "$(sets store | tail -n 3)" ] || { cat out; fail "$(sets clock)"; }
cp -a store clock2
redate clock2 7 -500 # the base of 8
vssctl forget --from clock2 --keep 1 >out
[ "$(sets clock2)" = "$(sets store | tail -n 2)" ] || { cat out; fail "$(sets clock2)"; }
cp -a store clock3
redate clock3 2 500 # older than what it builds on
expect 0 "3 backups are gone" vssctl forget --from clock3 "$(nth clock3 2)" "$(nth clock3 3)" "$(nth clock3 5)"
whole clock3

echo "-- damaged sets: who may be needed by one that cannot be read stays, until that is removed"
cp -a store rot
bad=$(nth rot 3)
truncate -s -20 "rot/$bad/backup-set.txt"
expect 2 "DAMAGED $bad" vssctl list backups --from rot
[ "$(image rot 5 state)" = gap ] || fail "what builds on the damaged one has no gap"
grep -q "$bad', which cannot be read" images || { cat images; fail "the damaged one is not named"; }
expect 2 "'$bad' cannot be read .* repair it, or remove it" vssctl forget --from rot --keep 1
expect 2 "'$bad' cannot be read" vssctl forget --from rot "$(nth rot 8)"
expect 2 "builds on '$bad'" vssctl forget --from rot "$bad"
[ "$(sets rot)" = "$(sets store)" ] || fail "something is removed"
expect 0 "2 backups are gone" vssctl forget --from rot "$bad" "$(nth rot 5)"
whole rot
expect 0 "backups are gone" vssctl forget --from rot --keep 1
cp -a store rot2 # a full one builds on nothing: it is no obstacle, but stays
: >"rot2/$(nth rot2 7)/backup-set.txt"
rm -r "rot2/$(nth rot2 8)"
expect 0 "cannot be read" vssctl forget --from rot2 --keep 1 --plan
vssctl forget --from rot2 --keep 1 >/dev/null
[ -d "rot2/$(nth store 7)" ] || fail "a damaged backup went by itself"

echo "-- a set, and a store, from a newer version"
cp -a store newer
new=$(nth newer 3)
sed -i '1s/1$/2/' "newer/$new/backup-set.txt"
expect 2 "newer version" vssctl list backups --from newer
expect 2 "newer version" vssctl forget --from newer --keep 1
expect 2 "newer version" vssctl forget --from newer "$new"
expect 2 "newer version" vssctl forget --from newer "$(nth newer 8)"
expect 0 "" vssctl list paths --from newer
[ "$(sets newer)" = "$(sets store)" ] || fail "something is removed"
sed -i '1s/1$/999/' newer/vss-store
expect 2 "newer" vssctl forget --from newer --keep 1
expect 1 "not a backup store" vssctl forget --from s --keep 1

echo "-- what only looks like a backup"
cp -a store fake
mkdir elsewhere && echo precious >elsewhere/backup-set.txt
ln -s "$SCRATCH/elsewhere" "fake/20200101T000000.000Z-full-00000001"
mkdir "fake/20200101T000001.000Z-copy-"$'\e[31m\n00000002'
expect 2 '\\x1b\[31m\\x0a00000002' vssctl list backups --from fake
vssctl forget --from fake --keep 1 >/dev/null
expect 0 "gone" vssctl forget --from fake 20200101T000000 20200101T000001
[ "$(cat elsewhere/backup-set.txt)" = precious ] || fail "followed a link"
[ "$(find fake -maxdepth 1 -name '2020*' | wc -l)" = 0 ] || fail "still there"

echo "-- while a backup runs, and while somebody reads, nothing goes"
head -c 40000000 /dev/urandom >s/large
"$TOOL" backup store "/s=$SCRATCH/s" >/dev/null & writer=$!
cleanup_fn "kill -CONT $writer 2>/dev/null; kill $writer 2>/dev/null"
for ((i = 0; i < 2000; i++)); do compgen -G 'store/.incomplete-*' >/dev/null && kill -STOP $writer && break; sleep 0.005; done
compgen -G 'store/.incomplete-*' >/dev/null || fail "the backup was too quick"
expect 2 "another backup is writing" vssctl forget --from store --keep 1
compgen -G 'store/.incomplete-*' >/dev/null || fail "forget removed a running backup"
expect 0 "would go" vssctl forget --from store --keep 1 --plan
kill -CONT $writer
wait $writer || fail "the backup failed"
cp -a s "copy-$(sets store | tail -n 1)"
rm s/large
mkdir many && (cd many && seq -f 'a-rather-long-name-so-that-the-pipe-is-full-%.0f' 3000 | xargs touch)
"$TOOL" backup readers "/m=$SCRATCH/many" >/dev/null
step readers full
mkfifo pipe
vssctl list paths --from readers --set "$(nth readers 1)" >pipe 2>/dev/null & reader=$!
exec 8<pipe
read -r _ <&8
expect 2 "somebody reads" vssctl forget --from readers "$(nth readers 1)"
[ "$(sets readers | wc -l)" = 2 ] || fail "removed under a reader"
cat <&8 >/dev/null
exec 8<&-
wait $reader || fail "the reader failed"
expect 0 "1 backup is gone" vssctl forget --from readers "$(nth readers 1)"

echo "-- two at once, again and again"
for i in 1 2 3 4 5; do
    rm -rf twice && cp -a k7 twice
    vssctl forget --from twice --keep 1 >one 2>&1 & first=$!
    two=0
    vssctl forget --from twice --keep 2 >two 2>&1 || two=$?
    one=0
    wait $first || one=$?
    [ $((one + two)) -le 2 ] || { cat one two; fail "both failed"; }
    grep -hE '^vssctl:' one two | grep -vE 'nothing is removed: another|again later' && fail "another failure"
    whole twice
done

echo "-- a store without room: forgetting needs none"
make_fs ext4 16M tight
for i in 1 2; do head -c 3000000 /dev/urandom >s/ballast; "$TOOL" backup tight/store "/s=$SCRATCH/s" >/dev/null; done
rm s/ballast
cat /dev/zero >tight/fill 2>/dev/null || true
expect 0 "1 backup is gone" vssctl forget --from tight/store --keep 1
vssctl verify --from tight/store >/dev/null

echo "-- somebody who comes while sets disappear waits, and sees whole ones"
requires strace
strace -qq -o /dev/null -e trace=none true 2>/dev/null || skip "no ptrace here"
rm -rf slow && cp -a k7 slow
strace -f -qq -o trace -e trace=renameat -e inject=renameat:delay_enter=400000 vssctl forget --from slow --keep 1 >/dev/null & forget=$!
for ((i = 0; i < 400; i++)); do grep -qs renameat trace && break; sleep 0.01; done
vssctl list backups --from slow >out || { cat out; fail "a reader fails"; }
grep -q GAP out && { cat out; fail "a reader sees half of it"; }
wait $forget || fail "the slow one failed"

echo "-- SIGKILL at every step: what is there is whole, and the next one clears up"
steps=0
# killed_at CALL N: vssctl forget, killed as it enters its Nth CALL; false when there is no Nth
killed_at() {
    local status=0
    {
        strace -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
            vssctl forget --from killed --keep 1 >/dev/null 2>&1 || status=$?
    } 2>/dev/null
    [ $status != 0 ]
}
for call in renameat fsync unlinkat; do
    for ((n = 1; n < 200; n++)); do
        rm -rf killed && cp -a k7 killed
        killed_at $call $n || break
        steps=$((steps + 1))
        vssctl list backups --from killed >out || { cat out; fail "$call $n"; }
        ! grep -q GAP out || { cat out; fail "a gap after $call $n"; }
        vssctl verify --from killed --quick >/dev/null || fail "$call $n: does not verify"
        [ $((n % 9)) != 1 ] || whole killed
        vssctl forget --from killed --keep 1 >/dev/null || fail "$call $n: cannot go on"
        [ "$(sets killed)" = "$(sets k1)" ] || fail "$call $n: $(sets killed)"
        [ -z "$(find killed -mindepth 1 -maxdepth 1 -name '.*')" ] || fail "$call $n: something stays behind"
    done
done
for n in 4 5 6; do # what it builds on has the later date, and must not go first
    rm -rf killed && cp -a k7 killed
    redate killed 2 500
    killed_at renameat $n
    vssctl list backups --from killed >out
    ! grep -q GAP out || { cat out; fail "a wrong date makes a gap after $n"; }
done
[ $steps -gt 40 ] || fail "only $steps steps"
echo "all well, $steps steps"
