#!/bin/sh
# usage: sh tests/install.sh quick|full|quickstart|quickstart-kafka
# Installs on Debian 12 what the tests, or deploy/quickstart.sh, need and this machine lacks; `full`
# and `quickstart-kafka` add real Kafka (build/kafka) and the tests' Python (build/venv); `full` adds
# Microsoft's Graph client as well (tests/contract/node_modules).
set -eu
cd "$(dirname "$0")/.."

BUILD="gcc libc6-dev cmake ninja-build pkg-config
    librdkafka-dev libjansson-dev libcurl4-openssl-dev libssl-dev libconfig-dev libmicrohttpd-dev
    libjose-dev libcmocka-dev python3"
QUICK="binutils clang-format universal-ctags openssl"
KAFKA="default-jre-headless maven python3-venv ca-certificates"
STORY="jose jq kcat curl"
FULL="clang libclang-rt-14-dev"
NODE="nodejs npm" # 18 will do
! { command -v node && command -v npm; } >/dev/null || NODE="" # by whatever way they came

packages() { # those of "$@" that are missing, and nothing else
    if ! command -v dpkg-query >/dev/null; then
        echo "not a Debian, so nothing is installed; needed are, by Debian's names: $*" >&2
        return
    fi
    missing=""
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing" | fold -s -w 80 >&2
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    $sudo apt-get update
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

kafka() {
    venv
    python3 tests/support/kafka.py fetch
}

venv() { # made again when the requirements or its Python changed
    cmp -s tests/requirements.txt build/venv/requirements.txt &&
        build/venv/bin/python -c '' && return 0
    python3 -m venv --clear build/venv
    build/venv/bin/pip install -q -r tests/requirements.txt
    cp tests/requirements.txt build/venv/
}

graph_client() { # fetched again when the lock changed
    lock="package-lock.json"
    (
        cd tests/contract
        cmp -s $lock node_modules/$lock && return 0
        npm ci --no-audit --no-fund --ignore-scripts
        cp $lock node_modules/
    )
}

# shellcheck disable=SC2086 # lists of words
case ${1:-} in
quick)
    packages $BUILD $QUICK
    ;;
full)
    packages $BUILD $QUICK $KAFKA $STORY $FULL $NODE
    kafka
    graph_client
    ;;
quickstart)
    packages $BUILD $STORY
    ;;
quickstart-kafka)
    packages $BUILD $STORY $KAFKA
    kafka
    ;;
*)
    sed -n '2,5s/^# //p' "$0" >&2
    exit 64
    ;;
esac
