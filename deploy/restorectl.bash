# Bash completion for restorectl; install as /usr/share/bash-completion/completions/restorectl.
# tests/layering/completion.sh compares it with restorectl --help.

_restorectl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i command= second=
    local policies='reject rename-restored rename-active replace-active'
    COMPREPLY=()
    case $previous in
    --on-name-conflict | --policy) COMPREPLY=($(compgen -W "$policies" -- "$word")) ;;
    -o | --output) COMPREPLY=($(compgen -W 'text json csv' -- "$word")) ;;
    --notify) COMPREPLY=($(compgen -W 'manager requester user-alternate' -- "$word")) ;;
    --csv | --resume | --config | -c | --out | --public)
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    --tenant | --requested-by | --reason | --ticket | --new-name | --match | --closing-within) ;;
    --request-id | --timeout | --replication | --brokers | -b | --property | -X) ;;
    *) false ;;
    esac && return

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        restore | plan | deleted | wait | watch | retry) command=${COMP_WORDS[i]} && break ;;
        topics | keys) command=${COMP_WORDS[i]} second=${COMP_WORDS[i + 1]} && break ;;
        esac
    done
    local kafka='--config --brokers --property --help --version'
    local sent="--requested-by --timeout --no-wait --print --output $kafka"
    local user='--tenant --request-id --reason --ticket --notify --on-name-conflict --new-name'
    local words
    case $command in
    restore) words="--csv --resume $user $sent" ;;
    plan) words="$user $sent" ;;
    deleted) words="--tenant --request-id --match --closing-within $sent" ;;
    retry) words="--policy $sent" ;;
    wait) words="--timeout --output $kafka" ;;
    watch) words="--output $kafka" ;;
    topics) words=$kafka ;;
    keys) words='--out --public --help --version' ;;
    *) words="restore plan deleted wait watch retry topics keys $kafka" ;;
    esac
    [[ $second == create ]] && words="--replication $words"
    if [[ $word != -* && ${COMP_WORDS[COMP_CWORD - 1]} == topics ]]; then
        words='create check acls'
    elif [[ $word != -* && ${COMP_WORDS[COMP_CWORD - 1]} == keys ]]; then
        words=new
    elif [[ $word != -* && $command == retry ]]; then
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$word"))
        return
    elif [[ $word != -* && -n $command ]]; then
        return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _restorectl restorectl
