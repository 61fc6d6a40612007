#!/bin/bash
# engine.sh - backup sets over real trees: every image of a chain restored and compared, plain tar,
# partial files, damage at many places, a full disk at many sizes, SIGKILL at any time, links
# planted in the destination.
#   engine.sh [GROUP | TEST...]     groups are at the end; without one, all
# shellcheck shell=bash
SELF=$(readlink -f "$0")
. "$(dirname "$0")/../functions.sh"

TOOL=$BUILD/src/backup/engine-tool
COMPARE=$BUILD/tests/tree-compare
CHANGE=$BUILD/tests/tree-change
requires zstd
requires tar
requires setfattr
requires setfacl
cd "$SCRATCH"
ok() { echo "ok $1"; }
same() { "$COMPARE" -n 5 "$@" || fail "${FUNCNAME[1]}: trees differ"; }

# everything that a tree can hold, made by hand
make_tree() {
    mkdir -p "$1"/a/b/c "$1/empty" "$1/na me" && cd "$1"
    echo hi >a/f1; head -c 3000000 /dev/urandom >a/big; head -c 100000 /dev/zero >a/zero
    ln a/f1 a/f1link; ln a/f1 zlink; ln -s ../nowhere/x a/sym; ln a/sym a/symlink2; ln -s /etc/passwd abs
    mkfifo a/fifo; mknod a/dev c 1 3; mknod a/blk b 7 9
    truncate -s 10M a/sparse; printf xyz | dd of=a/sparse bs=1 seek=5000000 conv=notrunc status=none
    truncate -s 20G a/hole; truncate -s 1M "a/$(printf 's%.0s' {1..200})"
    : >$'nl\nname'; echo y >$'bad\xff\xfeutf'; echo z >"$(printf 'n%.0s' {1..255})"; echo u >ünï
    setfattr -n user.foo -v bar a/f1; setfattr -n 'user.e=q%3D u\nl' -v odd a/f1; setfattr -n $'user.nl\n\xff' -v '' a/f1; setfattr -n user.bin -v 0x00ff00 a/b; setfattr -n trusted.t -v q a/big
    setfattr -h -n trusted.l -v 1 a/sym
    setfacl -m u:1234:rwx,g:66:r a/zero; setfacl -d -m g:77:rx a/b; setfacl -m u:55:rwx a/b/c
    chown -h 1000:1001 a/f1 a/sym; chmod 4755 a/big; chmod 1777 empty
    touch -d '2001-02-03 04:05:06.123456789' a/f1 a/b; touch -h -d '1960-01-01' a/sym
    cd "$SCRATCH"
}

test_full() { # B-150, SEC-65, R-105
    make_tree "$SCRATCH/full"
    "$TOOL" backup store-full /s="$SCRATCH/full" >/dev/null
    "$TOOL" restore store-full latest out-full >/dev/null
    same full out-full/s
    "$TOOL" verify -f store-full latest >/dev/null || fail "a good set does not verify"
    mkdir tar-full
    zstd -dc store-full/2*/op-1/data.tar.zst |
        tar -C tar-full -xp --acls --xattrs --xattrs-include='*' --warning=no-unknown-keyword --warning=no-timestamp
    same full tar-full/s
    [ "$(du -s out-full | cut -f1)" -lt 100000 ] || fail "holes were filled"
    ok "full, restored by us and by tar"
}

test_sparse() { # XFS reserves space behind a file that grows: none of it may stay in a hole
    local m=$SCRATCH/sparse-xfs
    make_fs xfs 400M "$m"
    mkdir sparse; head -c 5000000 /dev/urandom >sparse/f; truncate -s 60M sparse/f
    "$TOOL" backup store-sparse /s="$SCRATCH/sparse" >/dev/null
    "$TOOL" restore store-sparse latest "$m/out" >/dev/null
    same sparse "$m/out/s"
    sync -f "$m"
    [ "$(stat -c %b "$m/out/s/f")" -lt 10000 ] || fail "$(stat -c %b "$m/out/s/f") blocks, not $(stat -c %b sparse/f)"
    umount "$m"
    ok "holes stay holes on XFS"
}

test_default_acl() { # SEC-65: what is made again below a default ACL inherits nothing from it
    mkdir acl; echo hi >acl/file; mkfifo -m 666 acl/fifo; mknod -m 664 acl/dev c 1 3; ln -s x acl/link; mkdir acl/dir
    setfacl -m u:55:r acl/file; setfacl -d -m u:77:rwx acl
    "$TOOL" backup store-acl /s="$SCRATCH/acl" >/dev/null
    for _ in 1 2; do "$TOOL" restore store-acl latest out-acl >/dev/null; same acl out-acl/s; done
    ok "default ACLs"
}

test_open_to_all() { # SEC-63: a folder that anybody may write to is not trusted, and is the one that is named
    mkdir -p open/all/below; echo hi >open/all/below/file; chown -R 7 open/all/below; chmod 777 open/all
    "$TOOL" backup store-open /s="$SCRATCH/open" >/dev/null
    "$TOOL" restore store-open latest out-open >/dev/null; same open out-open/s
    "$TOOL" restore store-open latest out-open >said 2>&1 && fail "a folder that anybody may write to is trusted"
    grep -q "the directory 'out-open/s/all' may be written by everybody" said || fail "another folder is named: $(cat said)"
    ok "folders open to all"
}

test_deep() { # paths longer than PATH_MAX, and a directory that takes many steps to leave
    local name; name=$(printf 'deep%.0s' {1..10})
    mkdir deep; (cd deep; for ((i = 0; i < 150; i++)); do mkdir "$name"; cd -P "$name"; done; echo bottom >here)
    "$TOOL" backup store-deep /s="$SCRATCH/deep" >/dev/null
    "$TOOL" restore store-deep latest out-deep >/dev/null
    same deep out-deep/s
    "$TOOL" backup -t incremental store-deep /s="$SCRATCH/deep" >/dev/null
    "$TOOL" list store-deep | tail -1 | grep -q ' 0 entries' || fail "an increment of nothing stores something"
    ok "deep trees"
}

test_rounds() { # I-40, I-41, I-180, I-181, I-187: $1 seed, $2 options
    local w=$SCRATCH/rounds-$1 ids=() i
    mkdir "$w"; cd "$w"
    "$CHANGE" "$1" 250 s
    ids+=("$("$TOOL" backup $2 store /s="$w/s")"); cp -a s c0
    for i in 1 2 3; do
        "$CHANGE" "$1$i" 50 s
        ids+=("$("$TOOL" backup $2 -t incremental store /s="$w/s")"); cp -a s c$i
    done
    "$CHANGE" "${1}9" 50 s
    ids+=("$("$TOOL" backup $2 -t differential store /s="$w/s")"); cp -a s c4
    for i in 0 1 2 3 4; do
        "$TOOL" restore store "${ids[i]}" "o$i" >/dev/null
        same "c$i" "o$i/s"
        "$TOOL" verify -f store "${ids[i]}" >/dev/null || fail "image $i does not verify"
    done
    # the same by one image after the other, with their deletions (I-185)
    for i in 0 1 2 3; do "$TOOL" restore -l -g store "${ids[i]}" step >/dev/null; done
    same -T c3 step/s
    cd "$SCRATCH"; rm -rf "$w"
    ok "rounds $1 $2"
}

# $1 what is backed up, $2 options: an increment, restored and compared; with -c the source is a copy
# whose inode numbers are others each time
link_image() {
    local from=$PWD/$1
    if [ -n "$2" ]; then rm -rf mirror; cp -a "$1" mirror; from=$PWD/mirror; fi
    "$TOOL" backup $2 -t "$3" store "/s=$from" >/dev/null
    rm -rf out; "$TOOL" restore store latest out >/dev/null
    same "$1" out/s
}

test_hard_links() { # B-150, I-187: one file stays one file, whichever of its names changed; $1 options
    local w=$SCRATCH/links$1; mkdir "$w"; cd "$w"
    mkdir -p s/deep s/z; echo one >s/a; ln s/a s/b; ln s/a s/deep/c; ln -s x s/sym; ln s/sym s/z/sym
    echo two >s/m; ln s/m s/deep/m; echo three >s/single; mkfifo s/pipe; ln s/pipe s/deep/pipe
    sleep 2.1 # long ago, so that nothing but stat is needed to know it again
    link_image s "$1" full
    mv s/deep s/other; link_image s "$1" incremental
    mv s/other s/0first; link_image s "$1" differential
    rm s/b; link_image s "$1" incremental
    ln s/single s/z/twin; link_image s "$1" incremental
    rm s/0first/m && ln s/m s/0first/m; link_image s "$1" incremental
    ln s/a s/0first/d; mv s/a s/z/a; link_image s "$1" incremental
    rm s/single; link_image s "$1" differential
    cd "$SCRATCH"; rm -rf "$w"
    ok "hard links $1"
}

test_link_rounds() { # $1 seed, $2 options
    local w=$SCRATCH/links-$1 i; mkdir "$w"; cd "$w"
    "$CHANGE" "$1" 120 s; "$CHANGE" "$1" 120 s links
    link_image s "$2" full
    for i in incremental incremental differential incremental; do
        "$CHANGE" "$1$i" 25 s links
        link_image s "$2" $i
    done
    cd "$SCRATCH"; rm -rf "$w"
    ok "rounds of links $1 $2"
}

test_partial() { # IV-112, IV-113, IV-114, IV-116
    mkdir p; head -c 200 /dev/zero | tr '\0' A >p/f; echo other >p/g
    "$TOOL" backup -K store-p /p="$SCRATCH/p" >/dev/null
    # the component's key is its path; the partial image is of the same component
    cp -a p p.orig
    head -c 200 /dev/zero | tr '\0' B >p/f
    printf 'C%.0s' {1..50} >>p/f
    "$TOOL" ranges store-p /p/f="$SCRATCH/p/f" 0:5,100:20,200:50 >/dev/null
    mkdir -p live/p; cp p.orig/f live/p/f
    "$TOOL" restore -l -k /p/f store-p latest live >/dev/null
    { head -c 5 p/f; head -c 95 p.orig/f; head -c 20 p/f; head -c 80 p.orig/f; tail -c 50 p/f; } >want
    cmp want live/p/f || fail "ranges are not where they should be"
    truncate -s 50 p/f
    "$TOOL" ranges store-p /p/f="$SCRATCH/p/f" 0:10 >/dev/null
    "$TOOL" restore -l -k /p/f store-p latest live >/dev/null
    [ "$(stat -c %s live/p/f)" = 50 ] || fail "the length is not the stored one (I-129)"
    ! "$TOOL" restore -k /p/f store-p latest nobase >/dev/null 2>&1 || fail "ranges without a base were restored"
    [ ! -e nobase/p/f ] || fail "a file of ranges only appeared"
    ok "partial files"
}

test_selection() { # R-102
    "$TOOL" restore store-full latest out-one /s/a/f1 >/dev/null
    [ "$(cat out-one/s/a/f1)" = hi ] || fail "one file"
    [ "$(find out-one -type f | wc -l)" = 1 ] || fail "more than one file"
    echo mine >out-one/s/a/f1
    "$TOOL" restore -e keep store-full latest out-one /s/a/f1 | grep -q '1 kept' || fail "not kept"
    [ "$(cat out-one/s/a/f1)" = mine ] || fail "kept file was replaced"
    ! "$TOOL" restore -e absent store-full latest out-one /s/a/f1 >/dev/null 2>&1 || fail "must be absent (R-50)"
    "$TOOL" restore store-full latest out-one /s/a/f1 >/dev/null
    [ "$(cat out-one/s/a/f1)" = hi ] || fail "not replaced"
    ok "selection and existing files"
}

test_links_in_the_way() { # SEC-61, SEC-64, SEC-66
    mkdir -p outside evil/s; echo precious >outside/f1; ln -s "$SCRATCH/outside" evil/s/a
    "$TOOL" restore -e keep store-full latest evil /s/a/f1 >/dev/null 2>&1 && fail "went through a link"
    [ "$(cat outside/f1)" = precious ] || fail "something outside was changed"
    rm evil/s/a; mkdir evil/s/a; ln outside/f1 evil/s/a/f1
    "$TOOL" restore store-full latest evil /s/a/f1 >/dev/null
    [ "$(cat outside/f1)" = precious ] || fail "a hard link from outside was written into"
    # somebody swaps a directory for a link all the time
    mkdir -p many/d; for i in {1..300}; do echo "$i" >"many/d/$i"; done
    "$TOOL" backup store-many /m="$SCRATCH/many" >/dev/null
    mkdir -p race/m/d
    (set +e; while :; do mv race/m/d race/m/e 2>/dev/null; ln -s "$SCRATCH/outside" race/m/d 2>/dev/null
        rm -f race/m/d 2>/dev/null; mv race/m/e race/m/d 2>/dev/null; done) &
    local swapper=$! i
    for i in {1..12}; do "$TOOL" restore -e keep store-many latest race >/dev/null 2>&1 || true; done
    kill "$swapper" || true; wait "$swapper" 2>/dev/null || true
    [ "$(ls outside)" = f1 ] || fail "files appeared outside: $(ls outside)"
    ok "links in the way"
}

# every kind of damage is noticed, and what is not touched by it can still be restored
test_damage() {
    local set size at file i
    mkdir dm; for i in {1..400}; do head -c 20000 /dev/urandom >"dm/f$i"; done
    "$TOOL" backup store-dm /d="$SCRATCH/dm" >/dev/null
    set=$(echo store-dm/2*)
    for file in op-1/data.tar.zst op-1/manifest.zst backup-set.txt; do
        size=$(stat -c %s "$set/$file"); cp "$set/$file" keep
        for i in {1..12}; do
            at=$((RANDOM * 32768 % size + i)); [ $at -lt "$size" ] || at=$((size - i))
            printf '\x5a' | dd of="$set/$file" bs=1 seek=$at conv=notrunc status=none
            if ! cmp -s keep "$set/$file"; then
                "$TOOL" verify store-dm latest >/dev/null 2>&1 && fail "a changed byte at $at of $file is not seen"
                rm -rf od; "$TOOL" restore store-dm latest od >/dev/null 2>words || true
                grep -q 'trouble\|engine-tool' words || cmp -s keep "$set/$file" ||
                    diff -r dm od/d >/dev/null || fail "damage at $at of $file restored something wrong in silence"
                if [ -d od/d ]; then
                    for f in od/d/*; do cmp -s "$f" "dm/${f##*/}" || fail "a wrong file was restored: $f"; done
                    [ $file != op-1/data.tar.zst ] || [ "$(ls od/d | wc -l)" -gt 200 ] || fail "too little was restored"
                fi
            fi
            cp keep "$set/$file"
        done
        for at in 0 1 $((size / 3)) $((size / 2)) $((size - 1)); do
            truncate -s $at "$set/$file"
            "$TOOL" verify store-dm latest >/dev/null 2>&1 && fail "$file cut at $at is not seen"
            rm -rf od; "$TOOL" restore store-dm latest od >/dev/null 2>&1 || true
            if [ -d od/d ]; then for f in od/d/*; do
                [ ! -e "$f" ] || cmp -s "$f" "dm/${f##*/}" || fail "a wrong file was restored: $f"; done; fi
            [ $file != op-1/data.tar.zst ] || [ $at -lt $((size / 3)) ] || [ "$(ls od/d | wc -l)" -gt 50 ] ||
                fail "nothing before the cut was restored"
            cp keep "$set/$file"
        done
    done
    "$TOOL" verify -f store-dm latest >/dev/null || fail "the set put together again does not verify"
    ok "damage"
}

# what an increment inherits is proven down to the full set: I-184, IV-96
test_chain_damage() {
    local w=$SCRATCH/chain i full inc second size at; mkdir -p "$w/s"; cd "$w"
    for i in {1..300}; do head -c 9000 /dev/urandom >"s/f$i"; done
    full=$("$TOOL" backup store /s="$w/s")
    for i in {1..100}; do head -c 9000 /dev/urandom >"s/f$i"; done; rm s/f29?
    inc=$("$TOOL" backup -t incremental store /s="$w/s")
    for i in {101..150}; do head -c 9000 /dev/urandom >"s/f$i"; done
    second=$("$TOOL" backup -t incremental store /s="$w/s"); cp -a store whole
    vssctl verify --from store "$second" >out || fail "a good chain does not verify"
    [ "$(grep -c ': good' out)" = 3 ] || fail "the sets below were not looked at: $(cat out)"

    # many places of the full set's archive: what the others inherit of it is named, and only that
    set -- store/*-full-*; size=$(stat -c %s "$1/op-1/data.tar.zst")
    for at in 10 $((size - 1500000)); do
        printf '\x5a\xa5' | dd of="$1/op-1/data.tar.zst" bs=1 seek=$at conv=notrunc status=none; done
    ! vssctl verify --from store "$second" >out 2>words || fail "a damaged base is not noticed"
    grep -q "^${1##*/}: DAMAGED" out && [ "$(grep -c 'NOT WHOLE' out)" = 2 ] || fail "which set is damaged: $(cat out)"
    grep -q "all others can be restored" words || fail "what can still be restored: $(tail -3 words)"
    for i in "$inc" "$second"; do
        rm -rf o w2; { "$TOOL" verify -f store "$i" 2>&1 || true; } | sed -n "s|^trouble: '/s/\(f[0-9]*\)': lost.*|\1|p" | sort >lost
        ! "$TOOL" restore store "$i" o >/dev/null 2>&1 || fail "a restore with losses is called good"
        "$TOOL" restore whole "$i" w2 >/dev/null; ls o/s | sort >have
        ls w2/s | sort | comm -13 have - | cmp -s - lost || fail "$(wc -l <lost) are called lost, $(wc -l <have) restored"
        [ -s lost ] && ! grep -qx 'f[1-9]' lost || fail "something that was stored again is called lost"
    done
    ! vssctl verify --quick --from store "$second" >out 2>words && grep -q 'what lies there cannot be restored' words ||
        fail "quick: $(cat words)"
    rm -rf store; cp -a whole store; set -- store/*-full-*

    # another full set under the name and id of the base: each for itself is good, the chain is not
    "$TOOL" backup other /s="$w/s" >/dev/null
    rm -r "$1/op-1"; cp -a other/2*/op-1 "$1/"
    python3 - "$1" other/2* <<'P'
import hashlib, sys
base, other = (open(f + '/backup-set.txt', 'rb').read().split(b'\n') for f in sys.argv[1:])
lines = [next(l for l in base if l.startswith(b'id')) if l.startswith(b'id') else l for l in other[:-2]]
text = b'\n'.join(lines) + b'\n'
open(sys.argv[1] + '/backup-set.txt', 'wb').write(text + b'sha256\t' + hashlib.sha256(text).hexdigest().encode() + b'\n')
P
    vssctl verify --from store "$full" >/dev/null || fail "the false base is not good for itself"
    ! vssctl verify --from store "$second" >out 2>words && grep -q 'made on another base' words || fail "a false base: $(cat words)"
    grep -q "restored whole is '${1##*/}'" words || fail "no word of what can be restored: $(cat words)"
    rm -rf "$1"
    ! vssctl verify --from store "$second" >out 2>words && grep -q 'missing or damaged' words || fail "no base: $(cat words)"
    cd "$SCRATCH"; rm -rf "$w"
    ok "damage below a set"
}

# says WORDS COMMAND: it fails, and says so
says() {
    local words=$1 out; shift
    ! out=$("$@" 2>&1) && grep -q "$words" <<<"$out"
}

make_big() { [ -d big ] || { mkdir big; for i in {1..60}; do head -c 50000 /dev/urandom >"big/f$i"; done; }; }

test_full_disk() { # the store is as before, whatever step meets the end of the room
    local size made=0 refused=0
    mkdir -p tiny; make_big
    for size in 60 100 200 400 800 1600 2400 2900 2990 3000 3010 3020 3030 3040 3060 3080 3100 3200 4000; do
        mount -t tmpfs -o size=${size}k tmpfs tiny
        if "$TOOL" backup tiny/store /b="$SCRATCH/big" >/dev/null 2>words; then
            made=$((made + 1)); "$TOOL" verify -f tiny/store latest >/dev/null || fail "a bad set at ${size}k"
        else
            refused=$((refused + 1)); grep -q 'no room' words || fail "no clear words at ${size}k: $(cat words)"
            [ ! -e tiny/store/vss-store ] || [ -z "$("$TOOL" list tiny/store)" ] || fail "a set appeared at ${size}k"
            [ -z "$(ls -A tiny/store 2>/dev/null | grep -v '^lock$\|^vss-store')" ] || fail "leftovers at ${size}k"
        fi
        umount tiny
    done
    [ $made -gt 0 ] && [ $refused -gt 3 ] || fail "the sizes do not meet the point: $made made, $refused refused"
    ok "a full disk"
}

test_killed() { # nothing but a whole set ever appears; the next run removes what is left
    local i before
    make_big; [ -d full ] || make_tree "$SCRATCH/full"
    "$TOOL" backup store-k /b="$SCRATCH/big" >/dev/null
    for i in {1..25}; do
        before=$("$TOOL" list store-k | wc -l)
        "$TOOL" backup store-k /b="$SCRATCH/full" >/dev/null 2>&1 &
        sleep "0.0$((RANDOM % 60 + 10))"; kill -9 $! 2>/dev/null || true; wait $! 2>/dev/null || true
        "$TOOL" list store-k | grep -q damaged && fail "a damaged set after SIGKILL"
        [ "$("$TOOL" list store-k | wc -l)" -ge "$before" ] || fail "a set was lost"
    done
    "$TOOL" backup store-k /b="$SCRATCH/big" >/dev/null
    [ -z "$(ls -A store-k | grep '^\.')" ] || fail "leftovers: $(ls -A store-k)"
    for i in $("$TOOL" list store-k | cut -d' ' -f1); do "$TOOL" verify store-k "$i" >/dev/null || fail "set $i"; done
    ok "killed at any time"
}

# restored over an older state: every file is the old one or the new one, and what the killed
# restores left beside goes away with the next
test_restore_killed() { # SEC-64
    local i f; mkdir old new rk; for i in {1..400}; do
        head -c $((i * 37)) /dev/zero | tr '\0' o >"old/f$i"; head -c $((i * 41)) /dev/zero | tr '\0' n >"new/f$i"; done
    ln -s old old/l; ln -s new new/l; mkfifo -m 600 new/p; cp -a old rk/m
    head -c 3000000 /dev/urandom >new/big; : >rk/m/.vss-restore-mine
    "$TOOL" backup store-rk /m="$SCRATCH/new" >/dev/null
    mkfifo rk/m/.vss-restore-1-1-0000000000000001 # of a process that is no more, though its number is
    : >"rk/m/.vss-restore-$$-$(cut -d' ' -f22 /proc/$$/stat)-0000000000000002" # of one that lives
    local left=0
    for i in {1..30}; do
        "$TOOL" restore store-rk latest rk >/dev/null 2>&1 &
        sleep "0.0$((RANDOM % 30 + 5))"; kill -9 $! 2>/dev/null || true; wait $! 2>/dev/null || true
        [ "$(find rk/m -name '.vss-restore-*' | wc -l)" -le 2 ] || left=$((left + 1))
        for f in rk/m/f*; do
            cmp -s "$f" "old/${f##*/}" || cmp -s "$f" "new/${f##*/}" || fail "neither old nor new: $f"; done
        [ ! -e rk/m/big ] || cmp -s rk/m/big new/big || fail "half a file"
    done
    "$TOOL" restore store-rk latest rk >/dev/null
    [ -e rk/m/.vss-restore-mine ] || fail "a file of somebody else was removed"
    rm rk/m/.vss-restore-mine "rk/m/.vss-restore-$$-"*
    [ -z "$(find rk -name '.vss-restore-*')" ] || fail "left behind: $(find rk -name '.vss-restore-*')"
    touch -r new rk/m; same new rk/m
    ok "a restore killed at any time ($left of 30 left something)"
}

test_store() { # refusals with words
    make_big; [ -d store-p ] || "$TOOL" backup store-p /b="$SCRATCH/big" >/dev/null
    mkdir notastore; : >notastore/x
    says 'not a backup store' "$TOOL" list notastore || fail "a folder was taken for a store"
    says 'not empty' "$TOOL" backup notastore /b="$SCRATCH/big" || fail "a store was made over files"
    cp -r store-p newer; sed -i '1s/1$/2/' newer/vss-store
    says 'newer version' "$TOOL" list newer || fail "a newer format was read"
    flock store-p/lock sleep 2 & sleep 0.3
    says 'another backup' "$TOOL" backup store-p /b="$SCRATCH/big" || fail "two at a time"
    wait
    local base; base=$("$TOOL" backup store-rm /b="$SCRATCH/big"); "$TOOL" backup -t incremental store-rm /b="$SCRATCH/big" >/dev/null
    says 'builds on' "$TOOL" remove store-rm "$base" || fail "a base was removed"
    rm -rf store-rm/*-full-*
    says 'missing or damaged' "$TOOL" restore store-rm latest lost || fail "a chain with a gap (IV-96)"
    ok "refusals"
}

test_huge_attributes() { # B-153: what could not be read again is told now, and all else is there
    make_fs xfs 400M "$SCRATCH/x"; mkdir x/s; echo much >x/s/f; echo little >x/s/g; setfattr -n user.a -v b x/s/g
    python3 -c "import os; [os.setxattr('x/s/f', f'user.k{i}', os.urandom(60000)) for i in range(20)]"
    local code=0; "$TOOL" backup store-x /s="$SCRATCH/x/s" >/dev/null 2>words || code=$?
    [ $code = 3 ] && grep -q "'/s/f'.*more than 1 MiB" words || fail "exit $code: $(cat words)"
    "$TOOL" verify -f store-x latest >/dev/null || fail "what is in the set does not verify"
    "$TOOL" restore store-x latest out-x >/dev/null
    cmp x/s/g out-x/s/g && [ ! -e out-x/s/f ] || fail "the other file"
    ok "attributes that no header can hold"
}

test_changed() { # a provider's delta: only what it names is read, what is gone is gone
    local w=$SCRATCH/delta; mkdir -p "$w/s/d" "$w/s/old/x"; echo 1 >"$w/s/d/a"; echo 2 >"$w/s/d/b"; echo 3 >"$w/s/old/x/y"
    "$TOOL" backup store-c /s="$w/s" >/dev/null
    rm -rf "$w/s/old" "$w/s/d/b"; echo 11 >"$w/s/d/a"; mkdir -p "$w/s/new/deep"; echo n >"$w/s/new/deep/f"
    "$TOOL" changed store-c /s="$w/s" /s /s/d /s/d/a /s/d/b /s/new /s/new/deep /s/new/deep/f /s/old /s/old/x /s/old/x/y >/dev/null
    "$TOOL" restore store-c latest out-c >/dev/null; same "$w/s" out-c/s
    "$TOOL" show store-c latest | grep -q '^gone /s/old' || fail "deletions are not known"
    ok "only what changed"
}

test_known_content() { # what is known to have changed is read, though neither size nor any time shows it
    command -v debugfs >/dev/null || { echo "skipped: debugfs is not installed"; return; }
    local m=$SCRATCH/quiet image
    make_fs ext4 32M "$m"
    image=$(losetup -l -n -O NAME,BACK-FILE | awk -v d="$(findmnt -no SOURCE "$m")" '$1 == d { print $2 }')
    set_times() { # as a clock that was moved back would
        umount "$m"
        for t in mtime ctime atime; do for f in a b; do
            debugfs -w -R "set_inode_field /$f $t 20200101000000" "$image" 2>/dev/null
            debugfs -w -R "set_inode_field /$f ${t}_extra 0" "$image" 2>/dev/null
        done; done
        mount -o loop "$image" "$m"
    }
    echo one >"$m/a"; echo one >"$m/b"
    set_times
    "$TOOL" backup store-q /q="$m" >/dev/null
    printf two | dd of="$m/a" conv=notrunc status=none; printf two | dd of="$m/b" conv=notrunc status=none
    set_times
    "$TOOL" changed store-q /q="$m" /q/a +/q/b >/dev/null
    "$TOOL" restore store-q latest out-q >/dev/null
    [ "$(cat out-q/q/a out-q/q/b)" = $'one\ntwo' ] || fail "what was stored: $(cat out-q/q/a out-q/q/b)"
    # by times alone it cannot be seen; it is when the last backup is dated after this one
    "$TOOL" backup -t incremental store-q /q="$m" >/dev/null
    "$TOOL" restore store-q latest out-blind >/dev/null
    [ "$(cat out-blind/q/a)" = one ] || fail "then the rest of this test says nothing"
    for f in store-q/2*/backup-set.txt; do
        python3 - "$f" <<'P'
import hashlib, re, sys
text = open(sys.argv[1], 'rb').read()
body = re.sub(rb'(?m)^time\t(\d+)', lambda m: b'time\t%d' % (int(m[1]) + 864000000000), text[:text.rindex(b'sha256\t')])
open(sys.argv[1], 'wb').write(body + b'sha256\t' + hashlib.sha256(body).hexdigest().encode() + b'\n')
P
    done
    "$TOOL" backup -t incremental store-q /q="$m" >/dev/null
    "$TOOL" restore store-q latest out-back >/dev/null
    [ "$(cat out-back/q/a out-back/q/b)" = $'two\ntwo' ] || fail "a clock that went back: $(cat out-back/q/*)"
    umount "$m"
    ok "content that is known to have changed, or may have"
}

case ${1:-all} in
    trees) for t in full sparse deep partial selection changed known_content huge_attributes; do "test_$t"; done ;;
    rounds) test_rounds 11 ""; test_rounds 12 ""; test_rounds 13 -c ;;
    links) test_hard_links ""; test_hard_links -c
        for seed in 21 22 23; do test_link_rounds $seed ""; test_link_rounds $seed -c; done ;;
    damage) test_damage; test_chain_damage ;;
    hostile) test_full; test_default_acl; test_open_to_all; test_links_in_the_way ;;
    crashes) for t in full_disk killed restore_killed store; do "test_$t"; done ;;
    all) for t in trees rounds links damage hostile crashes; do "$SELF" $t; done ;;
    *) for t; do "test_$t"; done ;;
esac
