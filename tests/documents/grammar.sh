#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: grammar.sh PRINT-GRAMMAR SOURCE
# data/*.rng are what the table of names says; every sample validates, every *-invalid.xml fails.
set -eu
print=$1 top=$2
command -v xmllint >/dev/null || { echo "skipped: xmllint is not installed"; exit 77; }
status=0
validates() { # GRAMMAR FILE; libxml2 talks about name classes on the side, so be quiet first
    xmllint --noout --nonet --relaxng "$top/data/$1" "$2" 2>/dev/null
}

check() { # GRAMMAR FOLDER
    local file
    "$print" "$2" | diff -u "$top/data/$1" - || {
        echo "data/$1 is not what names.c says: $print $2 >data/$1" >&2
        status=1
    }
    for file in "$top/tests/documents/$2"/*.xml; do
        case $file in
        *-invalid.xml)
            if validates "$1" "$file"; then
                echo "accepted: $file" >&2
                status=1
            fi
            ;;
        *)
            validates "$1" "$file" || {
                xmllint --noout --nonet --relaxng "$top/data/$1" "$file" || true
                status=1
            }
            ;;
        esac
    done
}
check writer-metadata.rng wmd
check backup-components.rng bcd
[ $status = 0 ] && echo "grammars and samples agree"
exit $status
