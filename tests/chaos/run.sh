#!/bin/sh
# usage: sh tests/chaos/run.sh [--requests N] [--faults K] [--seed S] [--without PROTECTION] [--long]
# Builds what it needs and runs the chaos suite (chaos.py explains it).
set -eu
cd "$(dirname "$0")/../.."
sh tests/install.sh full
[ -f build/dev/build.ninja ] || cmake --preset dev
cmake --build --preset dev -j2 --target restore-worker directory-sim
exec build/venv/bin/python tests/chaos/chaos.py "$@"
