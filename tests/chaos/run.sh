#!/bin/sh
# usage: sh tests/chaos/run.sh [--requests N] [--faults K | --kinds KIND,...] [--seed S]
#                              [--without PROTECTION] [--long]
# Builds what it needs and runs the chaos suite (chaos.py explains it): the debug build, which logs
# everything and whose protections can be switched off, or with --long the release.
set -eu
cd "$(dirname "$0")/../.."
sh tests/install.sh full
preset=dev
for argument; do
    [ "$argument" != --long ] || preset=release
done
for argument; do
    [ "$argument" != --without ] || preset=dev
done
[ -f build/$preset/build.ninja ] || cmake --preset $preset
cmake --build --preset $preset -j2 --target restore-worker directory-sim
RESTORE_TEST_PRESET=$preset exec build/venv/bin/python tests/chaos/chaos.py "$@"
