#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# docs/restore.md is read on a bad day: its commands do what it says, the words of those that fail included.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/../page.sh"
requires sqlite3
run_page "$(cd "$(dirname "$0")/../.." && pwd)/docs/restore.md" all
