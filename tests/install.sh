#!/bin/sh
# usage: sh tests/install.sh quick|full
# Installs on Debian 12 what the tests need and this machine lacks; `full` adds a second compiler,
# real Kafka (build/kafka) and the Python of the integration tests (build/venv).
set -eu
cd "$(dirname "$0")/.."

QUICK="gcc libc6-dev binutils cmake ninja-build pkg-config
    librdkafka-dev libjansson-dev libcurl4-openssl-dev libssl-dev libconfig-dev libmicrohttpd-dev
    libjose-dev libcmocka-dev clang-format universal-ctags python3 openssl"
FULL="clang libclang-rt-14-dev default-jre-headless maven python3-venv ca-certificates"

packages() { # those of "$@" that are missing, and nothing else
    missing=""
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    $sudo apt-get update
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

venv() { # made again when the requirements or its Python changed
    cmp -s tests/requirements.txt build/venv/requirements.txt &&
        build/venv/bin/python -c '' && return 0
    python3 -m venv --clear build/venv
    build/venv/bin/pip install -q -r tests/requirements.txt
    cp tests/requirements.txt build/venv/
}

case ${1:-} in
quick)
    # shellcheck disable=SC2086
    packages $QUICK
    ;;
full)
    # shellcheck disable=SC2086
    packages $QUICK $FULL
    venv
    python3 tests/support/kafka.py fetch
    ;;
*)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 64
    ;;
esac
