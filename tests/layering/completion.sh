#!/bin/bash
# deploy/restorectl.bash offers every command and option of `restorectl --help`, each option after
# the commands that take it and after no other: COMPLETION RESTORECTL. Needs bash, not sh.
[ "$BASH_VERSION" ] || exec bash "$0" "$@"
. "${1:?completion}"
restorectl=${2:?restorectl}
compopt() { :; } # there is no completion under way
faults=0

offered() { # WORDS...: what is offered for the last of them
    COMP_WORDS=(restorectl "$@")
    COMP_CWORD=$#
    _restorectl
    printf '%s\n' "${COMPREPLY[@]}"
}

fault() { echo "$*"; faults=1; }

help=$("$restorectl" --help)
commands=$(sed -nE '/^$/,/^$/s/^([a-z]+( (create|check|acls|new))?) .*/\1/p' <<<"$help")
options=$(grep -oE '^(-.,|   ) --[a-z-]+' <<<"$help" | grep -oE -- '--[a-z-]+')
[ "$(wc -l <<<"$commands")" -ge 10 ] || fault "the help shows too few commands: $commands"
[ "$(wc -l <<<"$options")" -ge 20 ] || fault "the help shows too few options: $options"

while read -r first second; do
    offered "" | grep -qx -- "$first" || fault "command $first is not offered"
    [ -z "$second" ] || offered "$first" "" | grep -qx -- "$second" ||
        fault "$first $second is not offered"
    nowhere="-c /nowhere" # no command gets as far as Kafka
    [ "$first" != keys ] || nowhere=
    for option in $options; do
        case $option in --help | --version) continue ;; esac
        said=$("$restorectl" $first $second x@y "$option" \
            "$(case $option in --ticket) echo a:b ;; --requested-by | --new-name) echo a@b ;;
               --on-name-conflict | --policy) echo rename-restored ;; --output) echo json ;;
               *) echo 1 ;; esac)" $nowhere 2>&1 ||:)
        takes=yes
        grep -q -- "$option: does not belong" <<<"$said" && takes=no
        offers=no
        offered $first $second -- | grep -qx -- "$option" && offers=yes
        [ $takes = $offers ] || fault "$first $second $option: taken: $takes, offered: $offers"
    done
done <<<"$commands"
exit $faults
