#!/bin/sh
# usage: no_test_controls.sh PROGRAM
# A program that is not for tests has no guard that the environment could switch off.
program=${1:?usage: $0 PROGRAM}
[ -s "$program" ] || { echo "$program: no program"; exit 2; }
if grep -q RESTORE_TEST_WITHOUT "$program"; then
    echo "$program: RESTORE_TEST_WITHOUT switches its guards off"
    exit 1
fi
