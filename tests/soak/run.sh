#!/bin/sh
# usage: sh tests/soak/run.sh [--minutes N] [--rate N] [--seed S] [--without PROTECTION]
# Builds what it needs and runs the soak (soak.py explains it).
set -eu
cd "$(dirname "$0")/../.."
sh tests/install.sh full
[ -f build/dev/build.ninja ] || cmake --preset dev
cmake --build --preset dev -j2 --target restore-worker directory-sim
exec build/venv/bin/python tests/soak/soak.py "$@"
