#!/bin/sh
# usage: sh tests/run.sh [--quick|--long] [REGEX]
#
# Installs what is missing (Debian 12), builds, tests, and ends with "N passed, N failed"; exit
# status 1 when anything failed or no test ran. REGEX chooses tests by name.
#   --quick  unit, golden, sim and layering tests of the debug build: seconds
#   --long   also what is marked long: more seeds, more kills, more chaos, half an hour's soak
# Reports and logs are in build/results.
set -u
cd "$(dirname "$0")/.." || exit 1

mode=full
case ${1:-} in
--quick) mode=quick && shift ;;
--long) mode=long && shift ;;
-*) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 64 ;;
esac
only=${1:-}

results=build/results
passed=0
failed=0
failures=""
times=""
fixed="" # what runs a program with fixed addresses, where one needs it
rm -rf $results
mkdir -p $results

fail() {
    failed=$((failed + 1))
    failures="$failures
  $1"
}

part() { # NAME COMMAND...: runs it and keeps its time; the command reports its failures itself
    echo "== $1"
    started=$(date +%s)
    part=$1
    shift
    "$@"
    times="$times
  $(($(date +%s) - started)) s  $part"
}

quietly() { # NAME COMMAND...: its output is shown only when it fails
    log=$results/$(echo "$1" | tr ' ' '-').log
    name=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return 0
    cat "$log"
    fail "$name"
    return 1
}

# Adds up a JUnit report of ctest or pytest. For ctest a test that did not run has failed.
count() { # REPORT NAME
    if ! [ -s "$1" ]; then
        fail "$2: no report"
        return
    fi
    awk 'BEGIN { RS = "<" }
        function told() { if (name != "") print verdict, name; name = "" }
        /^testcase / {
            told()
            name = $0
            sub(/.* name="/, "", name)
            sub(/".*/, "", name)
            verdict = $0 ~ / status="(fail|notrun)"/ ? "failed" : "passed"
        }
        /^(failure|error)[ >\/]/ { verdict = "failed" }
        /^skipped/ && verdict == "passed" { verdict = "skipped" }
        END { told() }' "$1" >"$1.verdicts"
    while read -r verdict test; do
        case $verdict in
        passed) passed=$((passed + 1)) ;;
        failed) fail "$2: $test" ;;
        esac
    done <"$1.verdicts"
}

build() { # PRESET
    quietly "configure $1" cmake --preset "$1" &&
        quietly "build $1" cmake --build --preset "$1" -j2 -- -k 0
}

run_tests() { # PRESET LABELS [NOT-LABELS]: what could not be built is not run, and has failed
    unwanted=${3:-kafka}
    [ "$mode" = long ] || unwanted="$unwanted|long"
    report=$PWD/$results/$1-$(echo "$2" | tr -cd a-z).xml
    $fixed ctest --preset "$1" -j2 --output-junit "$report" \
        -L "^($2)\$" -LE "^($unwanted)\$" ${only:+-R "$only"} </dev/null
    count "$report" "$1"
}

build_and_test() { # as run_tests
    build "$1"
    run_tests "$@"
}

# ThreadSanitizer of gcc 12 cannot map its shadow where the kernel randomises addresses too much.
thread_sanitized() { # LABELS [NOT-LABELS]
    setarch -R true 2>/dev/null && fixed="setarch -R"
    run_tests tsan "$@"
    fixed=""
}

thread_sanitizer() {
    build tsan
    thread_sanitized 'component|threads'
}

# The edges on a real broker: error classes and assignments that the mock cluster cannot show.
edges_on_kafka() {
    directory=$PWD/$results/kafka
    python=build/venv/bin/python
    if ! RESTORE_TEST_BROKERS=$($python tests/support/kafka.py start "$directory"); then
        fail "edges on real Kafka: no broker"
        return
    fi
    export RESTORE_TEST_BROKERS
    run_tests dev kafka none
    run_tests asan kafka none
    thread_sanitized kafka none
    $python tests/support/kafka.py stop "$directory"
}

integration() {
    limit=30m long=""
    [ "$mode" = long ] && limit=3h long=--long
    report=$PWD/$results/integration.xml
    # Tests wait more than they work: three at a time, each process with a broker of its own.
    (cd tests && timeout -k 30 $limit ../build/venv/bin/python -m pytest -q -n 3 --dist worksteal \
        --junitxml="$report" ${only:+--only "$only"} $long </dev/null) ||
        [ $? -lt 124 ] || fail "integration: ended after $limit"
    count "$report" integration
}

quickstart() {
    report=$PWD/$results/quickstart.xml
    (cd tests && timeout -k 30 20m ../build/venv/bin/python -m pytest -q quickstart \
        --junitxml="$report" ${only:+--only "$only"} </dev/null) ||
        [ $? -lt 124 ] || fail "quickstart: ended after 20m"
    count "$report" quickstart
}

suite_run() { # NAME EXIT-STATUS LIMIT ARGUMENT...
    name=$1 expected=$2 limit=$3
    shift 3
    [ -z "$only" ] || echo "$name" | grep -qE -- "$only" || return 0
    log=$results/$(echo "$name" | tr ' ' '-').log
    timeout -k 30 "$limit" sh "tests/${suite:-chaos}/run.sh" "$@" >"$log" 2>&1 </dev/null
    status=$?
    tail -n 1 "$log"
    if [ $status -eq "$expected" ]; then
        passed=$((passed + 1))
    else
        tail -n 40 "$log"
        fail "$name: exit status $status, $log"
    fi
}

# Kills, one of them in the middle of a batch, a worker frozen beyond its session, cuts, 429, 503 and
# 504, replies lost after their effect, and brokers that go: minutes, and the same every time. With
# --long 100,000 requests and 31 kills by a seed of their own; and without a protection the suite
# must fail, by a promise that is broken.
chaos() {
    suite_run "chaos in short" 0 30m --requests 1500 --seed 5423 --kinds \
        kill-takeover,batch-kill,stop-worker,cut-directory,throttle-tenant,throttle-user,unavailable,lost-504,reset-after,cut-broker,broker-bounce,broker-kill
    [ "$mode" = long ] || return 0
    suite_run "chaos at length" 0 3h --long --requests 100000
    for control in prereq proof done-records lanes generation settling retry-after; do
        suite_run "chaos without $control" 1 20m --requests 450 --faults 3 --without $control
    done
}

soak() {
    suite=soak
    suite_run "soak" 0 1h --minutes 30
    suite_run "soak without freeing" 1 20m --minutes 4 --without freeing
}

export ASAN_OPTIONS="${ASAN_OPTIONS-detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-print_stacktrace=1}"
[ $mode != long ] || export RESTORE_TEST_LONG=1

if [ $mode = quick ]; then
    part "install" quietly install sh tests/install.sh quick
    part "debug build, quick tests" build_and_test dev 'unit|golden|sim|layering'
else
    part "install" quietly install sh tests/install.sh full
    part "debug build, all tests" build_and_test dev '.*'
    part "clang build" build clang
    part "AddressSanitizer, UndefinedBehaviorSanitizer" build_and_test asan '.*' 'layering|kafka'
    part "ThreadSanitizer" thread_sanitizer
    part "release build, policy purity" build_and_test release 'unit|golden|layering'
    part "edges on real Kafka" edges_on_kafka
    part "integration on real Kafka" integration
    part "chaos" chaos
    [ $mode != long ] || part "soak" soak
    part "quickstart" quickstart
fi

[ -z "$failures" ] || echo "
failed:$failures"
echo "
times:$times
"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
