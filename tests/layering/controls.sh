#!/bin/sh
# usage: controls.sh SOURCE_DIR   ($CC, $AR: the build's)
# The checks' negative controls: each is fed what it must refuse, and must name it.
source_dir=${1:?usage: $0 SOURCE_DIR}
checks=$source_dir/tests/layering
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
wrong=0

report() { # what is wrong with a check
    echo "$1"
    wrong=1
}

put() { # FILE CONTENT: a tree with this file alone
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/$(dirname "$1")"
    printf '%s\n' "$2" >"$tree/$1"
}

refuses() { # CHECK FILE CONTENT NAMED
    put "$2" "$3"
    said=$(sh "$checks/$1" "$tree" 2>&1) && report "$1 accepted, in $2: $3"
    case $said in
    *"$4"*) ;;
    *) report "$1 did not say '$4' of $2: $said" ;;
    esac
}

accepts() { # CHECK FILE CONTENT
    put "$2" "$3"
    said=$(sh "$checks/$1" "$tree" 2>&1) || report "$1 refused, in $2: $3: $said"
}

accepts includes.sh policy/a.c '#include <string.h>'
refuses includes.sh policy/a.c '#include <time.h>' 'policy/a.c:1: policy/ must not include <time.h>'
refuses includes.sh policy/a.c '#include "worker/loop.h"' '"worker/loop.h"'
refuses includes.sh policy/a.h '# include <librdkafka/rdkafka.h>' '<librdkafka/rdkafka.h>'
accepts includes.sh consumers/a.c '#include <jansson.h>'
refuses includes.sh consumers/a.c '#include "producers/ledger.h"' '"producers/ledger.h"'
refuses includes.sh consumers/a.c '#include "text.h"' '"text.h"'
refuses includes.sh producers/a.c '#include "consumers/offsets.h"' '"consumers/offsets.h"'
refuses includes.sh producers/a.c '#include <curl/curl.h>' '<curl/curl.h>'
accepts includes.sh worker/directory/a.c '#include <curl/curl.h>'
refuses includes.sh worker/a.c '#include <glib.h>' '<glib.h>'
refuses includes.sh worker/a.c '#include HEADER' 'cannot read'

refuses banned.sh policy/a.c 'void f(char *a) { strcpy(a, "b"); }' 'policy/a.c:1:'
refuses banned.sh worker/a.c 'int f(void) { return /* x */ system ("ls"); }' 'worker/a.c:1:'
refuses banned.sh worker/lanes.c 'long f(void) { return time(NULL); }' 'worker/lanes.c:1:'
accepts banned.sh worker/loop_clock.c 'int f(void) { return clock_gettime(0, 0); }'
accepts banned.sh worker/a.c '/* not
 * strcpy(a, b) */ int f(void) { return ticket.system("atoi(x)"); } // sprintf(a)'
accepts banned.sh worker/a.c 'int f(void) { return snprintf(a, 1, "x") + mktime(t); }'

lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print ";" }'; }
accepts sizes.sh policy/a.c "$(lines 450)"
refuses sizes.sh policy/a.c "$(lines 451)" 'policy/a.c: 451 lines'
accepts sizes.sh policy/a.c "$(echo 'void f(void) {' && lines 68 && echo '}')"
refuses sizes.sh policy/a.c "$(echo 'void f(void) {' && lines 69 && echo '}')" 'f has 71 lines'

bound() { # CONSTANT TEST: a row
    echo "| a | \`$1\` \`tests/BOUNDS.md\` | b | \`$2\` |"
}
refuses bounds.sh policy/a.c 'enum { A_MAX = 1 };' 'tests/BOUNDS.md is missing'
mkdir "$tree/tests" && : >"$tree/tests/BOUNDS.md"
said=$(sh "$checks/bounds.sh" "$tree") && report "bounds.sh accepted a maximum without a row"
[ "$said" = "tests/BOUNDS.md: A_MAX is missing" ] || report "bounds.sh said: $said"
refuses bounds.sh tests/BOUNDS.md "$(bound A no_such_test)" 'no test no_such_test'
refuses bounds.sh tests/BOUNDS.md "$(bound A '')" 'no test for: a'
refuses bounds.sh tests/BOUNDS.md '| a | `A` `policy/a.h` | b | `c` |' 'no A in policy/a.h'

cp "$source_dir/.clang-format" "$tree"
accepts format.sh tests/a.c 'int a;'
refuses format.sh tests/a.c 'int  a;' 'tests/a.c:1:'

cp "$source_dir/policy/text.c" "$tree/text.c"
printf '#include <time.h>\nlong now(void) { return time(NULL); }\n' >>"$tree/text.c"
${CC:-cc} -I "$source_dir" -O2 -c "$tree/text.c" -o "$tree/text.o" &&
    ${AR:-ar} rc "$tree/lib.a" "$tree/text.o" || report "the impure policy does not compile"
said=$(sh "$checks/policy_is_pure.sh" "$tree/lib.a") && report "policy_is_pure.sh accepted a clock"
[ "$said" = "policy/ reaches outside itself: time" ] || report "policy_is_pure.sh said: $said"

exit $wrong
