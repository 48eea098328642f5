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

# A tree in which all is well with the claims, so that one change can be made to it.
claims_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/worker" "$tree/tests/sim" "$tree/tests/integration"
    cat >"$tree/worker/test_controls.h" <<'END'
/* Guards.
 *
 *   one    text
 *   other  text */
static inline bool test_without(const char *guard);
END
    echo 'bool f(void) { return test_without("one") || test_without("other"); }' >"$tree/worker/a.c"
    cat >"$tree/tests/run.sh" <<'END'
python -m pytest -q
    suite_run "chaos" 0 3h --long
    for control in one other; do
        suite_run "chaos without $control" 1 20m --without $control
END
    cat >"$tree/tests/sim/test_b.c" <<'END'
static void it_works(void **state)
{
}

static void without_it_not(void **state)
{
    assert_true(CONTROL_IT);
}
TEST(it_works), TEST(without_it_not)
END
    echo 'worker_test(b)' >"$tree/tests/sim/CMakeLists.txt"
    cat >"$tree/tests/integration/test_c.py" <<'END'
def test_it_works(scenes):
    assert scenes()

@pytest.mark.parametrize("a", [1])
def test_without_one(scenes):
    """Nothing."""
    assert scenes(without="one")

def test_without_a_judge(scenes):
    scenes(without="other")
END
    cat >"$tree/tests/CLAIMS.md" <<'END'
## P1 promise
- `sim/test_b.c::it_works` and `run.sh::chaos`

| protection | for | switched off by | fails | shows |
|---|---|---|---|---|
| a | b | guard `one` | `integration/test_c.py::test_without_one`, `run.sh::chaos without one` | c |
| a | b | guard `other` | `run.sh::chaos without other` | c |
| a | b | `CONTROL_IT` | `sim/test_b.c::without_it_not` | c |
END
    for promise in 2 3 4 5 6 7 8; do
        printf '%s\n' "## P$promise promise" '- `sim/test_b.c::it_works`' \
            '| a | b | guard `one` | `run.sh::chaos without one` | c |'
    done >>"$tree/tests/CLAIMS.md"
}

claims_refused() { # FILE SED-EXPRESSION NAMED: the tree with this change
    claims_tree
    sed -i "$2" "$tree/$1"
    said=$(sh "$checks/claims.sh" "$tree" 2>&1) && report "claims.sh accepted, in $1: $2"
    case $said in
    *"$3"*) ;;
    *) report "claims.sh did not say '$3' of $1 with $2: $said" ;;
    esac
}

claims_tree
said=$(sh "$checks/claims.sh" "$tree" 2>&1) || report "claims.sh refused the good tree: $said"
claims=tests/CLAIMS.md
claims_refused $claims 's/^## P4 .*//' 'P4: no test shows it'
claims_refused $claims '/^## P5/,/^## P6/s/^- .*//' 'P5: no test shows it'
claims_refused $claims '/^## P5/,/^## P6/s/^| a .*//' 'P5: no control'
claims_refused $claims 's/^| a .* `run.*other.*//' 'guard other: no line'
claims_refused $claims 's/::it_works/::it_walks/' 'sim/test_b.c::it_walks: no such test'
claims_refused $claims 's/test_c.py/test_d.py/' 'integration/test_d.py::test_without_one: no such test'
claims_refused $claims 's/test_without_one`/test_without_a_judge`/' 'does not switch off one'
claims_refused $claims '1,/other/s/`run.sh::chaos without other`/`integration\/test_c.py::test_without_a_judge`/' \
    'test_without_a_judge: judges nothing'
claims_refused $claims 's/guard `other` .* `run.*other`/guard `other` | none/' 'no test that fails'
claims_refused $claims 's/`CONTROL_IT`/nothing/' 'does not say what it switches off'
claims_refused $claims 's/`CONTROL_IT`/`CONTROL_THAT`/' 'does not switch off CONTROL_THAT'
claims_refused $claims 's/guard `other`/guard `neither`/' 'guard neither: the product does not know'
claims_refused worker/test_controls.h 's/ [*]   one .*/ */' 'guard one: not in the list'
claims_refused worker/test_controls.h 's/ [*]   one .*/&\n *   third  text/' 'guard third: no line'
claims_refused worker/a.c 's/"other"/"third"/' 'guard other: the product does not know it'
claims_refused worker/a.c 's/"other"/name/' 'a guard this check cannot read'
claims_refused tests/run.sh 's/in one other/in one/' 'run.sh::chaos without other: not run'
claims_refused tests/run.sh 's/without \$control" 1/without $control" 0/' 'chaos without one: not run'
claims_refused tests/run.sh 's/"chaos" 0/"chaos" 1/' 'run.sh::chaos: not run'
claims_refused tests/run.sh 's/python.*//' 'integration/test_c.py::test_without_one: not run'
claims_refused tests/sim/CMakeLists.txt 's/b/c/' 'sim/test_b.c::it_works: not run'
claims_refused tests/sim/test_b.c 's/TEST(it_works), //' 'sim/test_b.c::it_works: not run'
claims_refused tests/integration/test_c.py 's/parametrize.*/skip/' 'test_without_one: not run'

rm -rf "${tree:?}"/*
printf '#include "worker/test_controls.h"\nint main(void) { return test_without("one"); }\n' \
    >"$tree/main.c"
${CC:-cc} -I "$source_dir" "$tree/main.c" -o "$tree/main" &&
    sh "$checks/no_test_controls.sh" "$tree/main" >/dev/null ||
    report "no_test_controls.sh refused a program without any"
${CC:-cc} -I "$source_dir" -DRESTORE_TEST_CONTROLS "$tree/main.c" -o "$tree/main" &&
    sh "$checks/no_test_controls.sh" "$tree/main" >/dev/null &&
    report "no_test_controls.sh accepted a program with one"

cp "$source_dir/policy/text.c" "$tree/text.c"
printf '#include <time.h>\nlong now(void) { return time(NULL); }\n' >>"$tree/text.c"
${CC:-cc} -I "$source_dir" -O2 -c "$tree/text.c" -o "$tree/text.o" &&
    ${AR:-ar} rc "$tree/lib.a" "$tree/text.o" || report "the impure policy does not compile"
said=$(sh "$checks/policy_is_pure.sh" "$tree/lib.a") && report "policy_is_pure.sh accepted a clock"
[ "$said" = "policy/ reaches outside itself: time" ] || report "policy_is_pure.sh said: $said"

exit $wrong
