#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The files writer in restores through vssctl: every method once without a word from the writer (R-35) and once with programs that
# take the application off its files; a program that fails; new places; what is killed in the middle, and the same again.
# shellcheck source=tests/functions.sh
. "$(dirname "$0")/../functions.sh"
requires pgrep
R=$(mktemp -d /dev/shm/vss-test.XXXXXX)
cleanup_fn 'rm -rf "$R"'
make_fs ext4 200M "$SCRATCH/d"
A=$SCRATCH/d/web ALT=$SCRATCH/d/other etc=$R/etc log=$R/log store=
mkdir -p "$etc/writers.d"
cat >"$R/service" <<C
#!/bin/bash
[ "\$1" = web.service ] || exit 4
case \$2 in
status) [ -e "$R/service.up" ] || exit 3 ;;
stop) rm -f "$R/service.up"; echo service stop \$(cat "$A/0/page-1") >>"$log" ;;
start) : >"$R/service.up"; echo service start \$(cat "$A/0/page-1") >>"$log" ;;
esac
C
cat >"$R/program" <<C
#!/bin/bash
echo \$VSS_EVENT \${VSS_STATUS:--} \${VSS_COMPONENTS//\$'\n'/,} \$(cat "$A/0/page-1") >>"$log"
[ ! -e "$R/fails" ] || { echo no, not now; exit 9; }
if [ -e "$R/waits" ] && [ \$VSS_EVENT = "\$(cat "$R/waits")" ]; then : >"$R/waiting"; sleep 1000; fi
C
chmod 755 "$R/service" "$R/program"
printf '[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n[restore]\nservice_command = %s/service\nprotected_paths =\n' \
    "$R" "$R" "$R" >"$etc/vss.conf"
METHODS=([1]=restore_if_not_there [2]=restore_if_can_replace [3]=stop_restore_start [4]=restore_to_alternate_location
    [5]=restore_at_reboot [6]=restore_at_reboot_if_cannot_replace [8]=restore_stop_start)
writer() { # METHOD [programs]
    {
        printf '[writer]\nplugin = files\n[backup]\nincremental = yes\n[component web]\nfiles = %s/* recursive\n' "$A"
        printf '[component rest]\nfiles = %s/rest/*\n' "$SCRATCH/d"
        [ -z "${2:-}" ] || printf '[hooks]\npre_restore = %s/program\npost_restore = %s/program\nrestore_timeout = 3s\n' "$R" "$R"
        printf '[restore]\nmethod = %s\n' "${METHODS[$1]}"
        case $1 in
        3 | 8) echo 'service = web.service' ;;
        4) printf 'mapping = %s/* recursive to=%s\nmapping = %s/rest/* to=%s-rest\n' "$A" "$ALT" "$SCRATCH/d" "$ALT" ;;
        esac
    } >"$etc/writers.d/files.conf"
}
v() { timeout 100 vssctl "$@" --config "$etc" >"$R/out" 2>&1; }
said() { grep -qE -- "$1" "$R/out" || { cat "$R/out"; fail "no '$1'"; }; }
gone() { local i; for ((i = 0; i < 600; i++)); do pgrep -f "$etc|$R/run" >/dev/null || return 0; sleep 0.05; done; fail "still there"; }
heard() { diff <([ $# = 0 ] || printf '%s\n' "$@") <(cat "$log" 2>/dev/null) || { cat "$R/out"; fail "heard something else"; }; rm -f "$log"; }
fill() { # WORD: the application's state of that name, 3 folders of 40 pages
    local d i
    mkdir -p "$SCRATCH/d/rest"
    for d in 0 1 2; do mkdir -p "$A/$d"; for ((i = 0; i < 40; i++)); do echo "$1" >"$A/$d/page-$i"; done; done
    echo "$1" >"$SCRATCH/d/rest/file"
}
all() { # DIR WORD
    [ "$(cat "$1"/*/page-* | sort -u)" = "$2" ] && [ "$(find "$1" -name 'page-*' -type f | wc -l)" = 120 ] ||
        { cat "$R/out"; fail "$1 is not '$2': $(cat "$1"/*/page-* | sort | uniq -c)"; }
}
fresh() { rm -rf "$A" "$ALT" "$SCRATCH/d/new" "$log" "$R/waiting" "$R/waits" "$R/fails"; : >"$R/service.up"; fill old; }
place_pending() { vss-place-pending --run --now --config="$etc" >"$R/out" 2>&1 || { cat "$R/out"; fail "vss-place-pending"; }; }
backup() { # METHOD [programs]: a full one of "first", an increment of "saved"
    store=$SCRATCH/d/store-$1-${2:-}
    [ ! -e "$store" ] || return 0
    rm -rf "$A"; fill first; writer "$@"
    v backup --to "$store" --all-components || { cat "$R/out"; fail "backup for $1"; }
    fill saved
    v backup --to "$store" --type incremental --all-components || { cat "$R/out"; fail "increment for $1"; }
}
restore() { v restore --from "$store" --in-place --component web; }
well() { restore || { cat "$R/out"; fail "restore"; }; }

for with in '' programs; do
    echo "-- each method, ${with:-no} programs (R-35, R-50 to R-57)"
    # a chain comes image by image to a writer that hears of it, at once without: for the order one image is enough
    pre=("pre_restore - web old") post=("post_restore all web saved")
    [ "$with" ] || pre=() post=()
    one() { # METHOD [ARGUMENTS...]: the last image, as a chain of one
        local method=$1 chain; shift
        chain=$SCRATCH/d/one-$method-$with
        if [ ! -e "$chain" ]; then
            rm -rf "$A"; fill saved; writer "$method" "$with"
            v backup --to "$chain" --all-components || { cat "$R/out"; fail "backup for $method"; }
            fresh; "${scene:-true}"
        fi
        store=$chain
    }
    fresh; one 1; fresh; writer 1 "$with"
    restore && fail "1: over what is there"; all "$A" old; rm -f "$log"
    rm -rf "$A"; mkdir -p "$A"; well; all "$A" saved; rm -f "$log"

    fresh; one 2; fresh; writer 2 "$with"; well; all "$A" saved; heard "${pre[@]}" "${post[@]}"
    fresh; exec 7<"$A/1/page-7"; restore && fail "2: in use"; exec 7<&-; all "$A" old
    [ -z "$with" ] || heard "${pre[@]}" "post_restore none web old"; rm -f "$log"

    fresh; one 3; fresh; writer 3 "$with"; well; all "$A" saved
    heard "${pre[@]}" "service stop old" "service start saved" "${post[@]}"; [ -e "$R/service.up" ] || fail "3: off"

    fresh; one 4; fresh; writer 4 "$with"; well; all "$A" old; all "$ALT" saved
    [ -z "$with" ] || heard "${pre[@]}" "post_restore all web old"

    fresh; one 5; fresh; writer 5 "$with"; well; all "$A" old; place_pending; all "$A" saved; rm -f "$log"

    fresh; one 6; fresh; writer 6 "$with"; well; all "$A" saved; heard "${pre[@]}" "${post[@]}"
    fresh; exec 7<"$A/1/page-7"; well; said 'next boot'; all "$A" old; exec 7<&-; place_pending; all "$A" saved; rm -f "$log"

    fresh; one 8; fresh; writer 8 "$with"; well; all "$A" saved
    heard "${pre[@]}" "${post[@]}" "service stop saved" "service start saved"; [ -e "$R/service.up" ] || fail "8: off"
done

echo "-- a chain: off until the last image is in place (R-141)"
backup 2 programs; fresh; writer 2 programs; well; all "$A" saved
heard "pre_restore - web old" "pre_restore - web first" "post_restore all web saved"

echo "-- a program that refuses: its words, nothing is changed, and the application comes back (R-110)"
fresh; : >"$R/fails"; restore && fail "exit 0"; said "exit code 9: no, not now"; all "$A" old
heard "pre_restore - web old" "post_restore none web old"

echo "-- to a new place: no program, no service (R-39, R-82)"
fresh; mkdir "$SCRATCH/d/new"
v restore --from "$store" --component web --target "$SCRATCH/d/new" || { cat "$R/out"; fail "target"; }
all "$SCRATCH/d/new" saved; all "$A" old; heard

echo "-- killed while the application is taken off, or comes back: the same command ends as ever (R-18)"
for who in vssctl vss-host; do
    for event in pre_restore post_restore; do
        fresh; echo "$event" >"$R/waits"
        vssctl restore --from "$store" --in-place --component web --config "$etc" >"$R/out" 2>&1 & pid=$!
        for ((i = 0; i < 500; i++)); do [ -e "$R/waiting" ] && break; sleep 0.02; done
        [ -e "$R/waiting" ] || { cat "$R/out"; fail "$event never came"; }
        case $who in
            vssctl) kill -9 $pid ;;
            vss-host) kill -9 "$(pgrep -P "$(pgrep -P $pid -x vssd)" -f 'writers/files')" ;;
        esac
        wait $pid 2>/dev/null && fail "exit 0 with a dead $who"
        rm "$R/waits"
        gone # no program of the dead ones either
        ! pgrep -f "$R/program" >/dev/null || fail "the program lives"
        [ $event = post_restore ] || [ "$(cat "$A/0/page-1")" = old ] || fail "files without leave"
        rm -f "$log"; well; all "$A" saved
        [ "$(tail -n 1 "$log")" = "post_restore all web saved" ] || fail "the application did not come back: $(cat "$log")"
    done
done
[ -z "$(find "$SCRATCH/d" -name '.vss-*' ! -path '*/store-*' ! -path '*/one-*')" ] || fail "left behind"
echo ok
