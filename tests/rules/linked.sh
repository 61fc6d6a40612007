#!/bin/bash
# What runs as the service reads no document and copies no data (M-1): it is not even linked with
# what could. Programs see the XML through the interfaces only (M-25).
# usage: linked.sh TOP BUILD
set -eu
cd "$1"
command -v readelf >/dev/null || { echo "skipped: readelf is not installed"; exit 77; }
bad=0
for program in vssd vss-hold vss-probe; do # vss-host runs plug-ins through libvss, which has documents
    if needed=$(readelf -d "$2/$program" | grep -E 'NEEDED.*(libxml2|libvss|libarchive|libzstd|libcrypto|libsqlite)'); then
        echo "$program needs $needed"; bad=1
    fi
done
if named=$(grep -rnE 'libxml|xmlDoc|xmlNode|WRITER_METADATA|BACKUP_COMPONENTS' include/vss); then
    echo "a public header shows the XML: $named"; bad=1
fi
if used=$(grep -rnE 'libxml/|<WRITER_METADATA|<BACKUP_COMPONENTS' providers writers tools/vssctl examples src/backup src/coordinator src/bus \
    --include='*.[ch]' --exclude='test-*'); then
    echo "the XML is read or written outside of src/documents: $used"; bad=1
fi
[ $bad = 0 ] && echo "the service reads no documents, programs read no XML"
exit $bad
