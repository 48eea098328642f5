#!/bin/sh
# tests/CLAIMS.md against the sources. Every promise has tests and a control; every test that is
# named exists and is run; every guard of worker/test_controls.h stands in its comment, is used by
# the product and has a line; and a control's own code names what it switches off, and judges.
. "$(dirname "$0")/lib.sh"
CLAIMS=tests/CLAIMS.md
GUARDS=worker/test_controls.h
PROMISES='P1 P2 P3 P4 P5 P6 P7 P8'
[ -f $CLAIMS ] || { echo "$CLAIMS: no such file"; exit 1; }

section() { # PROMISE: its part of the file
    awk -v head="## $1 " '/^## / { on = index($0, head) == 1 } on' $CLAIMS
}

controls() { # lines of tables that are no head, as "what switches off<tab>who then fails"
    awk -F ' *[|] *' '/^\|/ && $2 != "protection" && $2 !~ /^---/ { print $4 "\t" $5 }'
}

names() { # all PATH::NAME in backticks
    grep -oE '`[^`]+::[^`]+`' | tr -d '`' | sort -u
}

c_body() { # FILE NAME: of a cmocka test
    awk -v head="static void $2(void **state)" '$0 == head { on = 1 } on; on && /^}/ { exit }' "$1"
}

python_body() { # FILE NAME: of a test, with what stands above it
    awk -v head="def $2(" '
        on && /^[^ )]/ { exit }
        /^@/ { above = above $0 "\n"; next }
        index($0, head) == 1 { on = 1; printf "%s", above }
        /^[^ ]/ { above = "" }
        on' "$1"
}

body() { # PATH::NAME
    case $1 in
    *.c::*) c_body "tests/${1%%::*}" "${1##*::}" ;;
    *.py::*) python_body "tests/${1%%::*}" "${1##*::}" ;;
    esac
}

# Whether run.sh runs it: all of pytest's folders, and the C files that CMake is told of.
is_run() { # PATH::NAME
    name=${1##*::}
    folder=$(dirname "tests/${1%%::*}")
    file=$(basename "${1%%::*}")
    case $1 in
    integration/test_*.py::test_* | contract/test_*.py::test_*)
        grep -qE 'pytest -q' tests/run.sh && ! body "$1" | grep -qE '^@.*mark\.(skip|xfail)'
        ;;
    *.c::*)
        stem=${file%.c}
        grep -qE "(^|[^a-z_])(${stem}|${stem#test_})([^a-z_]|$)" "$folder/CMakeLists.txt" &&
            [ "$(grep -cE "(^|[^a-z_])$name([^a-z_]|$)" "$folder/$file")" -ge 2 ]
        ;;
    *) false ;;
    esac
}

# Those of run.sh: a part must find nothing, "PART without GUARD" must fail by a broken promise.
part_is_run() { # NAME
    grep -qE "^ *suite_run \"$1\" $(case $1 in *' without '*) echo 1 ;; *) echo 0 ;; esac) " \
        tests/run.sh && return
    grep -qE 'suite_run "chaos without \$control" 1 .*--without \$control' tests/run.sh &&
        grep -E 'for control in .*; do' tests/run.sh | grep -qE "[ ]${1#chaos without }[ ;]"
}

check_test() { # PATH::NAME
    case $1 in
    run.sh::*) part_is_run "${1#run.sh::}" || echo "$1: not run by tests/run.sh" ;;
    *)
        if ! [ -f "tests/${1%%::*}" ] || [ -z "$(body "$1")" ]; then
            echo "$1: no such test"
        elif ! is_run "$1"; then
            echo "$1: not run"
        fi
        ;;
    esac
}

check_control() { # WHAT-SWITCHES-OFF PATH::NAME: that its code does it, and asserts what came of it
    what=$(printf '%s\n' "$1" | sed -n 's/^[^`]*`\([^`]*\)`.*/\1/p')
    case $1 in guard\ *) literal=\"$what\" ;; *) literal=$what ;; esac
    case $2 in
    run.sh::*) [ "${2#*" without "}" = "$what" ] || echo "$2: does not switch off $what" ;;
    *)
        body "$2" | grep -qF -- "$literal" || echo "$2: does not switch off $what"
        body "$2" | grep -qE 'assert|reader\.until\(|wait_for\(' || echo "$2: judges nothing"
        ;;
    esac
}

check_promise() { # PROMISE
    section "$1" | grep -E '^- ' | names | grep -q . || echo "$1: no test shows it"
    section "$1" | controls | grep -q . || echo "$1: no control"
    section "$1" | controls | while IFS="$(printf '\t')" read -r off tests; do
        printf '%s\n' "$off" | grep -q '`' || echo "$1: a line does not say what it switches off"
        printf '%s\n' "$tests" | names | grep -q . || echo "$1: no test that fails without: $off"
        printf '%s\n' "$tests" | names | while read -r test; do check_control "$off" "$test"; done
    done
}

# `guard a,b` switches off two.
claimed_guards() {
    controls <$CLAIMS | sed -n 's/^guard `\([^`]*\)`.*/\1/p' | tr ',' '\n' | sort -u
}

listed_guards() {
    awk '/^ \*   [a-z-]+  / { print $2 } /\*\// { exit }' $GUARDS | sort -u
}

uses() { # of guards in the product
    product_files | grep -vx $GUARDS | xargs -r grep -hoE 'test_without\("?[^")]*'
}

used_guards() {
    uses | sed -nE 's/^test_without\("([^"]*)/\1/p' | sort -u
}

only_in_first() { # NAMES NAMES WHAT-TO-SAY
    for name in $1; do
        printf '%s\n' "$2" | grep -qx -- "$name" || echo "guard $name: $3"
    done
}

{
    for promise in $PROMISES; do check_promise "$promise"; done
    names <$CLAIMS | while read -r test; do check_test "$test"; done
    listed=$(listed_guards) used=$(used_guards) claimed=$(claimed_guards)
    [ -n "$listed" ] || echo "$GUARDS: no list of guards"
    only_in_first "$used" "$listed" "not in the list of $GUARDS"
    only_in_first "$listed" "$used" "the product does not know it"
    only_in_first "$listed" "$claimed" "no line in $CLAIMS"
    only_in_first "$used" "$claimed" "no line in $CLAIMS"
    only_in_first "$claimed" "$used" "the product does not know it, and $CLAIMS names it"
    uses | grep -vE '^test_without\("' | sed 's/.*/a guard this check cannot read: &/'
} | sort -u | no_faults
