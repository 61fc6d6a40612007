#!/bin/bash
# docs/first-backup.md says what happens: its commands do that.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../page.sh"
requires sqlite3
run_page "$(cd "$(dirname "$0")/../.." && pwd)/docs/first-backup.md"
