#!/bin/sh
# Everything that grows from outside input has a named maximum and a test of it: tests/BOUNDS.md is
# the table. Each row names at least one constant, which must be in the file that the row names, and
# at least one test, which must exist; and no *_MAX of the daemon is missing.
. "$(dirname "$0")/lib.sh"
TABLE=tests/BOUNDS.md

# Functions of C and Python, golden cases by their folder.
tests() {
    find tests -name 'test_*.c' -exec sed -nE 's/^static void ([a-z0-9_]+)\(void \*\*.*/\1/p' {} +
    find tests -name 'test_*.py' -exec sed -nE 's/^def (test_[a-z0-9_]+)\(.*/\1/p' {} +
    find tests -path '*/data/*' -type d -printf '%f\n'
}

words() { # COLUMN: what stands there in backticks, one a line
    printf '%s\n' "$1" | grep -oE '`[^`]+`' | tr -d '`'
}

rows() {
    sed -nE 's/^\| *(.*[^ ]) *\|$/\1/p' $TABLE | grep '`'
}

[ -f $TABLE ] || { echo "$TABLE is missing"; exit 1; }
known=$(mktemp) || exit 2
trap 'rm -f "$known"' EXIT
tests | sort -u >"$known"
{
    rows | while IFS='|' read -r what where _ tested; do
        file=$(words "$where" | grep /)
        words "$where" | grep -v / | while read -r name; do
            grep -qsw -- "$name" "$file" || echo "$TABLE: no $name in $file"
        done
        [ "$(words "$where" | wc -l)" -ge 2 ] || echo "$TABLE: no constant and file for: $what"
        [ -n "$(words "$tested")" ] || echo "$TABLE: no test for: $what"
        words "$tested" | while read -r name; do
            grep -qxF -- "$name" "$known" || echo "$TABLE: no test $name"
        done
    done
    product_code | grep -v '^worker/restorectl/' | grep -oE '\b[A-Z][A-Z0-9_]*_MAX *=' |
        tr -d ' =' | sort -u | while read -r name; do
        grep -qF "\`$name\`" $TABLE || echo "$TABLE: $name is missing"
    done
} | no_faults
