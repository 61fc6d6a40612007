#!/bin/bash
# Every shell script of the tree passes shellcheck. SC2164: functions.sh, which it cannot follow, has set -e; names in tests are tame (SC2010).
set -eu
cd "$1"
mapfile -t scripts < <(git ls-files 2>/dev/null | while read -r f; do
    case $f in *.sh) echo "$f" ;; *) head -c 20 "$f" 2>/dev/null | grep -aqE '^#!/bin/(ba)?sh' && echo "$f" ;; esac
done)
[ "${#scripts[@]}" -gt 0 ] || { echo "skipped: not a git checkout"; exit 77; }
shellcheck -x -S warning -e SC1090,SC1091,SC2010,SC2016,SC2164 "${scripts[@]}"
echo "${#scripts[@]} scripts are clean"
