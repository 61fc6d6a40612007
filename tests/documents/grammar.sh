#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: grammar.sh PRINT-GRAMMAR SOURCE
# data/*.rng are what the table of names says; every sample validates, every *-invalid.xml fails.
set -eu
print=$1 top=$2
command -v xmllint >/dev/null || { echo "skipped: xmllint is not installed"; exit 77; }
status=0
check() { # GRAMMAR FOLDER
    local good=() bad=() file
    "$print" "$2" | diff -u "$top/data/$1" - || {
        echo "data/$1 is not what names.c says: $print $2 >data/$1" >&2
        status=1
    }
    for file in "$top/tests/documents/$2"/*.xml; do
        case $file in
        *-invalid.xml) bad+=("$file") ;;
        *) good+=("$file") ;;
        esac
    done
    # libxml2 talks about name classes on the side: its words are shown when it matters only
    xmllint --noout --nonet --relaxng "$top/data/$1" "${good[@]}" 2>/dev/null || {
        xmllint --noout --nonet --relaxng "$top/data/$1" "${good[@]}" || true
        status=1
    }
    if xmllint --noout --nonet --relaxng "$top/data/$1" "${bad[@]}" 2>&1 | grep ' validates$'; then
        echo "these should not" >&2
        status=1
    fi
    echo "$2: ${#good[@]} good, ${#bad[@]} bad"
}
check writer-metadata.rng wmd
check backup-components.rng bcd
[ $status = 0 ] && echo "grammars and samples agree"
exit $status
