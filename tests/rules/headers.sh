#!/bin/bash
# Every public header alone, as C99 and as C++17, without a warning.
set -eu
cd "$1"
for header in include/vss/*.h; do
    gcc -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c "$header"
    g++ -std=c++17 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ "$header"
    # the extension that hides what the standard lacks must not hide a missing include
    printf '#include "%s"\nint main(void) { return 0; }\n' "${header#include/}" |
        gcc -std=c99 -Werror -Iinclude -fsyntax-only -x c -
done
echo "all public headers stand alone"
