#!/bin/sh
# usage: sh tests/bench/run.sh [--restores N] [--repeat N] [--only WORD]
#        sh tests/bench/run.sh --slow-user [--users N] [--repeat N] [--rate N]
#
# Measures the release build on real Apache Kafka and the simulated directory, and a bare libcurl
# loop that makes the same calls in the same minute; prints one table (README.md explains it).
# It judges nothing: times depend on the machine and on what else it does.
set -eu
cd "$(dirname "$0")/../.."
sh tests/install.sh full
[ -f build/release/build.ninja ] || cmake --preset release
cmake --build --preset release --target restore-worker directory-sim bare_loop
export RESTORE_TEST_PRESET=release
if [ "${1:-}" = --slow-user ]; then
    shift
    exec build/venv/bin/python tests/bench/slow_user.py "$@"
fi
exec build/venv/bin/python tests/bench/bench.py "$@"
