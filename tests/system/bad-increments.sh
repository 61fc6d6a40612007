#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an increment meets that is not as it should be: history with gaps and damage, a clock that
# jumps, a machine that was put back, writers that change or say what cannot be. Each is told, nothing
# is missed, and what is stored can be restored.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires btrfs
requires python3

V=$SCRATCH/v S=$SCRATCH/store etc=$SCRATCH/etc
mkdir -p "$etc/writers.d"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n' "$SCRATCH" "$SCRATCH" >"$etc/vss.conf"
make_fs btrfs 600M "$V"
mkdir -p "$V/own" "$V/w" "$V/more"
for i in 1 2 3 4; do for folder in own w more; do echo $i >"$V/$folder/f$i"; done; done

# app [LINE]...: a writer with one component, after what "schema" says
schema="incremental, differential, last_modify"
app() {
    {
        printf '[writer]\nplugin = test\n[test]\nlog = %s/log\nschema = %s\n' "$SCRATCH" "$schema"
        printf '[component app]\n'
        printf '%s\n' "$@"
    } >"$etc/writers.d/test.conf"
}
files="files = $V/w/*" judged="differenced = $V/w/*"
# back_up CODE WORDS OPTIONS...: how it ends, and what is said
back_up() {
    local code=$1 words=$2 got=0
    shift 2
    vssctl backup --config "$etc" --to "$S" "$@" >"$SCRATCH/said" 2>&1 || got=$?
    [ $got = "$code" ] || { cat "$SCRATCH/said"; fail "exit $got instead of $code: $*"; }
    grep -q -- "$words" "$SCRATCH/said" || { cat "$SCRATCH/said"; fail "'$words' was not said: $*"; }
}
inc() { local code=$1 words=$2; shift 2; back_up "$code" "$words" --type incremental "$@"; }
silent() { ! grep -q -- "$1" "$SCRATCH/said" || { cat "$SCRATCH/said"; fail "'$1' was said"; }; }
nth() { # nth N: the Nth set as it was made
    grep -H '^number' "$S"/2*/backup-set.txt | sort -t'	' -k2n | sed -n "$1s|/backup-set.txt.*||p"
}
base_of() { # base_of N COMPONENT: the number of the set that its component builds on
    local id
    id=$(awk -F'\t' -v c="$2" '$1 == "component" && $3 == c { print $10 }' "$(nth "$1")/backup-set.txt" | tail -1)
    grep -l "^id	$id" "$S"/2*/backup-set.txt | xargs grep -h '^number' | cut -f2
}
based() { [ "$(base_of "$1" "$2")" = "$3" ] || fail "set $1 builds on $(base_of "$1" "$2"), not on $3"; }
whole() { # whole FOLDER...: what is there comes back
    local folder
    rm -rf "$SCRATCH/out"
    vssctl restore --config "$etc" --from "$S" --into "$SCRATCH/out" >"$SCRATCH/said" 2>&1 ||
        fail "no restore: $(cat "$SCRATCH/said")"
    for folder; do diff -r "$V/$folder" "$SCRATCH/out$V/$folder" || fail "$folder is not what is there"; done
}
change() { for folder in own w; do echo "$RANDOM$RANDOM" >>"$V/$folder/f$1"; done; }
damage() { printf XXXX | dd of="$1" bs=1 seek=24 conv=notrunc status=none; }
redate() { # redate FOLDER DAYS
    python3 - "$1/backup-set.txt" "$2" <<'P'
import hashlib, re, sys
text = open(sys.argv[1], 'rb').read()
body = re.sub(rb'(?m)^time\t(\d+)', lambda m: b'time\t%d' % (int(m[1]) + int(sys.argv[2]) * 864000000000), text[:text.rindex(b'sha256\t')])
open(sys.argv[1], 'wb').write(body + b'sha256\t' + hashlib.sha256(body).hexdigest().encode() + b'\n')
P
}
both=(--all-components "$V/own")

echo "-- a gap: the increment builds on what is whole before it, and says so (I-188, IV-96)"
app "$files" "$judged"
back_up 0 saved "${both[@]}"
for n in 1 2; do change $n; inc 0 saved "${both[@]}"; done
cp -a "$S" "$SCRATCH/kept"
rm -r "$(nth 2)"
inc 0 "on the last backup nothing is built: .* which is missing" "${both[@]}"
based 3 0 1; based 3 1 1
whole own w
change 3; inc 0 saved "${both[@]}"; silent "nothing is built"

echo "-- damage: nothing is built on a backup that cannot be read, and none is made on one that turns out damaged"
again() { rm -rf "$S"; cp -a "$SCRATCH/kept" "$S"; }
again; damage "$(nth 3)/backup-set.txt"
inc 0 "the backup .* cannot be read, so nothing is built on it" "${both[@]}"
whole own w
for name in manifest.zst backup-components.xml; do
    again; damage "$(nth 3)/op-1/$name"
    sets=$(cd "$S" && echo 2*)
    inc 2 "a backup that this one builds on is damaged; make a full one" "${both[@]}"
    [ "$sets" = "$(cd "$S" && echo 2*)" ] || fail "another set: $(ls "$S")"
    back_up 0 saved "${both[@]}"
    change 4; inc 0 saved "${both[@]}" # the damage is behind it
    whole own w
done
again; rm "$(nth 1)/op-1/manifest.zst"
inc 2 "a backup that this one builds on is damaged; make a full one" "${both[@]}" --no-delta

echo "-- the clock went back: what comes after what is not its matter, and times prove nothing"
rm -rf "$S"
back_up 0 saved "${both[@]}"
redate "$(nth 1)" 1
change 1; inc 0 "the clock of this machine went back: the last backup, .*, is dated after this one" "${both[@]}"
change 2; inc 0 saved "${both[@]}"; silent "went back"
based 3 0 2; based 3 1 2
whole own w
vssctl list backups --from "$S" --json >"$SCRATCH/said"
python3 - "$SCRATCH/said" <<'P' || fail "the order of the list"
import json, sys
types = [r['type'] for r in map(json.loads, open(sys.argv[1])) if r['record'] == 'backup']
assert types == ['full', 'incremental', 'incremental'], types
P
for n in 1 2 3; do redate "$(nth $n)" -3000; done # and forward again
change 3; inc 0 saved "${both[@]}"; silent "went back"
based 4 0 3
whole own w

echo "-- the machine was put back to an earlier state: its references are none of the last backup's"
rm -rf "$S"
image=$(echo "$SCRATCH"/btrfs.*.img)
back_up 0 saved "${both[@]}"
change 1; inc 0 "knows what changed" "${both[@]}"
umount "$V"; cp --sparse=always "$image" "$SCRATCH/earlier.img"; mount -o loop "$image" "$V"
change 2; inc 0 "knows what changed" "${both[@]}"
umount "$V"; cp --sparse=always "$SCRATCH/earlier.img" "$image"; mount -o loop "$image" "$V"
echo other >>"$V/own/f3"
inc 0 "compared with the last backup as a whole: .*was released or is not on this machine" "${both[@]}"
whole own w # f2 as it was before
change 4; inc 0 "knows what changed" "${both[@]}"
whole own w

echo "-- a writer that changes what it is: its schema (I-67, I-72), its components (I-76), their kind"
rm -rf "$S"
back_up 0 saved "${both[@]}"
schema=copy app "$files"
change 1; inc 0 "has no backups of this type: its components are saved in full" "${both[@]}"
app "$files" "$judged"
change 2; inc 0 saved "${both[@]}"
whole own w
app "$files" "$judged" "[component more]" "files = $V/more/*"
inc 0 "component 'more' of writer 'Test Writer' has no backup that this one can build on: it gets a full" "${both[@]}"
change 3; inc 0 saved "${both[@]}"; silent "full backup"
whole own w more
sed -i 's/component app/component other/' "$etc/writers.d/test.conf"
inc 0 "component 'other' .* gets a full backup" "${both[@]}"
whole own w more
app "type = database" "$files" "$judged"
inc 0 "its components get a full backup" "${both[@]}"
change 4; inc 0 saved "${both[@]}"; silent "full backup"
whole own w

echo "-- a previous stamp that the writer cannot honour: it says so, and that component has no image (I-159)"
rm -rf "$S"
schema="incremental, timestamped"
app "files = $V/w/f*" "stamp = of another life"
back_up 0 saved --all-components
app "files = $V/w/f* mask=0x0f01" "files = $V/w/data mask=0x0f01" "data = $V/w/data by=partial"
inc 4 "make a full backup" --all-components
based 2 1 1
awk -F'\t' '$1 == "component" && $3 == 1 { print $4 }' "$(nth 2)/backup-set.txt" | grep -q failed || fail "it is good"
inc 4 "make a full backup" --all-components # a failed one is no base (I-149)
based 3 1 1
back_up 0 saved --all-components
inc 0 saved --all-components
schema="incremental, differential, last_modify"
rm "$V/w/data"

echo "-- entries that cannot be: ranges beyond the end, a ranges file that is none (I-121, I-122, IV-65, IV-66)"
rm -rf "$S"; echo short >"$V/w/short"
app "$files"
back_up 0 saved --all-components
impossible() { # impossible RANGES WORDS
    app "$files" "partial = $V/w/short $1"
    inc 4 "$2" --all-components
    awk -F'\t' '$1 == "component" && $3 == 1 { print $4 }' "$(nth "$(find "$S" -maxdepth 1 -name '2*' | wc -l)")/backup-set.txt" |
        grep -q failed || fail "it is good"
}
impossible 3:9 "w/short: a range lies beyond the end of the file"
impossible "$SCRATCH/nothing" "cannot read ranges file"
printf short >"$SCRATCH/bad"; impossible "$SCRATCH/bad" "a ranges file of .* this one has 5"
python3 -c 'import struct; print(end=""); open("'"$SCRATCH"'/bad", "wb").write(struct.pack("<QQQQ", 1, 0, 3, 0))'
impossible "$SCRATCH/bad" "a ranges file of 1 ranges has 8 + 16 bytes for each; this one has 32"
mkdir "$SCRATCH/folder"; impossible "$SCRATCH/folder" "cannot read ranges file"
mkfifo "$SCRATCH/fifo"; impossible "$SCRATCH/fifo" "cannot read ranges file"
ln -s bad "$SCRATCH/loop"; ln -sfn loop "$SCRATCH/loop"; impossible "$SCRATCH/loop" "cannot read ranges file"
echo "-- the same file differenced and partial: the former (I-138, IV-73)"
app "$files" "$judged" "partial = $V/w/short 0:3"
echo else >"$V/w/short"
inc 0 "as differenced and as partial file; it is treated as differenced (I-138)" --all-components
based "$(find "$S" -maxdepth 1 -name '2*' | wc -l)" 1 1
whole w
echo "all well"
