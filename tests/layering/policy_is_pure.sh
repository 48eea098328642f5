#!/bin/sh
# usage: policy_is_pure.sh LIBPOLICY.A
# The policy calls nothing but string and memory functions and what the compiler adds (assert, stack
# protector, fortify): no clock, no allocation, no I/O.
library=${1:?usage: $0 LIBPOLICY.A}
whole=$(mktemp) || exit 2
trap 'rm -f "$whole"' EXIT

ld -r --whole-archive "$library" -o "$whole" || exit 2
undefined=$(nm -u "$whole") || exit 2
outside=$(printf '%s\n' "$undefined" | awk '{print $2}' |
    grep -vE '^(str.*|mem.*|__assert_fail|__stack_chk_fail|__.*_chk|_GLOBAL_OFFSET_TABLE_)?$')
for name in $outside; do
    echo "policy/ reaches outside itself: $name"
done
[ -z "$outside" ]
