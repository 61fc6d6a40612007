#!/bin/bash
# clang-format has nothing to change.
set -eu
cd "$1"
find include src providers writers tools tests examples bench -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror
echo "formatted"
