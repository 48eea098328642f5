#!/bin/sh
# All C files, tests included, as .clang-format wants them.
. "$(dirname "$0")/lib.sh"
command -v clang-format >/dev/null || { echo "needs clang-format"; exit 1; }
find policy consumers producers worker tests -name '*.[ch]' 2>/dev/null |
    xargs -r clang-format --dry-run -Werror
