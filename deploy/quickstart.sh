#!/bin/sh
# usage: sh deploy/quickstart.sh [--kafka] [--keep]
#
# Installs what is missing (Debian), builds, starts a simulated directory, an embedded Kafka and one
# worker, and tells what becomes of six requests, from the events themselves.
#   --kafka  the same on real Apache Kafka, and then 1,000 restores through kill -9 and throttling
#   --keep   leave everything running, and say how to talk to it
# Exit status 1 when anything came out otherwise than told. All files are under build/.
set -eu
cd "$(dirname "$0")/.."

kafka=embedded
keep=""
for argument; do
    case $argument in
    --kafka) kafka=real ;;
    --keep) keep=yes ;;
    *) sed -n '2,8s/^# \{0,1\}//p' deploy/quickstart.sh >&2 && exit 64 ;;
    esac
done

mkdir -p build
dir=$PWD/$(mktemp -d build/quickstart.XXXXXX)
programs=$PWD/build/release
topic=user-restore
groups=""     # process groups that run, by leader
unexpected="" # chapters that came out otherwise

# ---- processes and files ----------------------------------------------------------------------

has_group() { kill -0 "-$1" 2>/dev/null; }

stop_all() {
    for group in $groups; do
        kill -TERM "-$group" 2>/dev/null || :
    done
    [ ! -d "$dir/broker" ] || python3 tests/support/kafka.py stop "$dir/broker" || :
    for group in $groups; do
        turns=0
        while has_group "$group" && [ $((turns += 1)) -le 100 ]; do
            sleep 0.1
        done
        kill -KILL "-$group" 2>/dev/null || :
    done
    groups=""
}

leave() { # on every way out
    status=$?
    trap '' INT TERM HUP
    [ "$status" = 0 ] && [ "$keep" ] && return
    stop_all
    case $status in
    0 | 129 | 130 | 143) rm -rf "$dir" ;;
    *) echo "quickstart: exit status $status; the logs are in ${dir#"$PWD"/}" >&2 ;;
    esac
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# In a process group of its own, so that a signal ends this script at once and it ends the rest.
start() { # NAME COMMAND...
    log=$dir/$1.log
    shift
    setsid "$@" >"$log" 2>&1 3>&- </dev/null & # whoever reads our output is not held up by it
    groups="$groups $!"
}

run() { # NAME COMMAND...: to its end; its output is shown when it fails
    log=$dir/$1.log
    start "$@"
    if wait $!; then
        groups=${groups% *}
        return 0
    fi
    tail -n 30 "$log" >&2
    return 1
}

await() { # SECONDS WHAT COMMAND...
    turns=$(($1 * 10))
    what=$2
    shift 2
    until "$@"; do
        [ $((turns -= 1)) -gt 0 ] || {
            echo "quickstart: waited in vain for $what" >&2
            exit 1
        }
        sleep 0.1
    done
}

logged() { grep -q "$2" "$dir/$1.log"; }

listening() { # NAME: its address
    await 30 "$1 to listen" logged "$1" '^listening on '
    sed -n 's/^listening on //p' "$dir/$1.log"
}

now() { date +%s.%N; }
since() { echo "$1 $(now)" | awk '{ printf "%.1f s", $2 - $1 }'; }
say() { printf '  %-11s %s\n' "$1" "$2"; }

# ---- the world --------------------------------------------------------------------------------

build() {
    began=$(now)
    [ ! -t 1 ] || printf '  building ...\r'
    run configure cmake --preset release
    run build cmake --build --preset release \
        --target restore-worker restorectl directory-sim embedded-kafka
    say built "worker, restorectl, simulated directory, embedded Kafka: $(since "$began")"
}

start_directory() {
    start directory "$programs/tests/directory_sim/directory-sim" --listen 127.0.0.1:0 \
        --load deploy/quickstart/directory.json
    graph=http://$(listening directory)
    say directory "simulated, a dozen deleted users; $graph"
}

start_embedded_kafka() {
    start kafka "$programs/tests/embedded_kafka/embedded-kafka" $topic.requests:12 \
        $topic.journal:12 $topic.succeeded:3 $topic.conflicts:3 $topic.failed:3 $topic.plans:3 \
        $topic.batches:3 $topic.notifications:3 $topic.dead-letters:3
    brokers=$(listening kafka)
    say kafka "embedded, for trying out: nothing is kept; $brokers"
}

start_real_kafka() {
    began=$(now)
    run kafka python3 tests/support/kafka.py start "$dir/broker"
    brokers=$(tail -n 1 "$dir/kafka.log")
    say kafka "Apache Kafka, one node; $brokers; $(since "$began")"
}

configure() {
    printf 'simulated-secret' >"$dir/client-secret"
    chmod 0400 "$dir/client-secret"
    "$programs/worker/restorectl/restorectl" keys new --out "$dir/mail-service.jwk" \
        --public "$dir/recipients.jwks"
    cat >"$dir/restore-worker.conf" <<-END
	kafka = { brokers = "$brokers"; group = "quickstart"; instance = "quickstart";
	          properties = [ "fetch.wait.max.ms=10" ]; };
	tenants = ( { name = "contoso"; id = "contoso.onmicrosoft.com";
	              graph_url = "$graph"; login_url = "$graph";
	              client_id = "22222222-0000-4000-8000-000000000001";
	              credential = { type = "secret"; file = "$dir/client-secret"; }; } );
	secrets = { recipient_keys_file = "$dir/recipients.jwks"; };
	admin = { listen = "127.0.0.1:0"; };
	log = { format = "json"; level = "debug"; };
	END
}

restorectl() {
    "$programs/worker/restorectl/restorectl" --config "$dir/restore-worker.conf" "$@"
}

start_worker() {
    began=$(now)
    [ $kafka = embedded ] || restorectl topics create >"$dir/topics.log"
    start worker "$programs/worker/restore-worker" --config "$dir/restore-worker.conf"
    await 60 "the worker to join" logged worker 'partitions assigned'
    say worker "one, with the partitions assigned after $(since "$began")"
}

# ---- the story --------------------------------------------------------------------------------

# The outcome of one request, {type, id, data}; the exit status repeats what stands in it.
ask() {
    echo "   \$ restorectl restore $*" >&3
    restorectl restore "$@" --timeout 60 -o json || :
}
outcome_of() { restorectl wait "$1" --timeout 60 -o json || :; }

send() { # KEY: one line of standard input, as it is
    kcat -b "$brokers" -P -t $topic.requests -k "$1" -X topic.partitioner=murmur2_random
}

read_topic() { # NAME: its records as JSON, one a line
    kcat -b "$brokers" -C -t "$topic.$1" -o beginning -e -q -J -X fetch.wait.max.ms=10
}

chapter() { printf '\n%s\n' "$1"; }

tell() { # EVENT EXPECTATION TEXT: two jq programs
    if printf '%s' "$1" | jq -e "$2" >/dev/null; then
        printf '%s' "$1" | jq -r "$words $3" | while IFS= read -r line; do
            printf '%s\n' "$line" | fold -s -w 72 | sed '1s/^/   /; 1!s/^/      /'
        done
    else
        printf '   NOT AS EXPECTED (%s)\n   %s\n' "$2" "${1:-nothing}"
        unexpected="$unexpected $chapter"
    fi
}

# shellcheck disable=SC2016 # jq's variables
words='def days: (. / 86400 | floor | tostring) + " days";
    def name: .data.user.userPrincipalName;
    def refusal: "-> failed, \(.data.code): \(.data.message)",
        "   for: the \(.data.owner); retryable: \(.data.retryable)",
        "   hint: \(.data.hint)";'

plain() {
    chapter "1. Ida of the help desk asks for anna, deleted some days ago."
    anna=$(ask anna@contoso.com --requested-by ida@contoso.com)
    say_first
    tell "$anna" '.type | endswith("succeeded.v1")' \
        '"-> \(.data.disposition): \(name), with \(.data.secondsLeft | days) left " +
         "(until \(.data.restorableUntil[:10]))", "   password: \(.data.changes.password)"'
}

name_taken() {
    chapter "2. ola's name has been given to somebody else since."
    clash=$(ask ola@contoso.com --requested-by ida@contoso.com)
    tell "$clash" '.type | endswith("conflict.v1")' \
        '.data.conflicts[] | "-> conflict: \(.property) \(.value)",
         "   held by \(.holder.displayName), \(.holder.type), since \(.holder.createdAt[:10])"'
    ready=$(printf '%s' "$clash" |
        jq -c '.data.resolutions[] | select(.policy == "rename-restored").request')
    [ "$ready" ] || return 0
    printf '   The event carries the next request ready-made; sent as it is:\n'
    printf '%s' "$ready" | jq -c .event | send "$(printf '%s' "$ready" | jq -r .key)"
    tell "$(outcome_of "$(printf '%s' "$ready" | jq -r .event.id)")" \
        '.data.disposition == "restored"' \
        '.data | "-> \(.disposition): \(.changes.userPrincipalName | "\(.from) as \(.to)")"'
}

too_late() {
    chapter "3. erik was deleted 31 days ago."
    tell "$(ask erik@contoso.com --requested-by ida@contoso.com)" \
        '.data.code == "retention_expired"' refusal
}

stranger() {
    chapter "4. nils asks for lena, and holds no role that may."
    tell "$(ask lena@contoso.com --requested-by nils@contoso.com)" \
        '.data.code == "requester_not_authorized"' refusal
}

deleted_since() {
    chapter "5. kim was deleted again after this request was written."
    restorectl restore kim@contoso.com --requested-by ida@contoso.com --request-id desk-5 \
        --print -o json | jq -c '{specversion: "1.0", id: .headers.ce_id, data: .value,
            source: .headers.ce_source, type: .headers.ce_type, time: (now - 7200 | todate)}' |
        send kim@contoso.com
    tell "$(outcome_of desk-5)" '.data.code == "too_old"' refusal
}

is_dead() { dead=$(read_topic dead-letters) && [ "$dead" ]; }

no_request() {
    chapter "6. Something that is no request."
    text='{"user": {"userPrincipalName": "anna@contoso.com"} please}'
    printf '%s\n' "$text" | send anna@contoso.com
    await 30 "the dead letter" is_dead
    # kcat gives headers as one list of names and values.
    tell "$(printf '%s' "$dead" | jq -c '.headers |= ([range(0; length; 2) as $i |
        {(.[$i] | ltrimstr("__connect.errors.")): .[$i + 1]}] | add)')" \
        ".payload == $(printf '%s' "$text" | jq -R .)" \
        '.headers | "-> dead letter, its bytes as they were: \(.topic), partition " +
         "\(.partition), offset \(.offset)", "   \(.["exception.message"])"'
}

mail() {
    chapter "And anna's mail, as the mail service with the private key sees it:"
    notification=$(read_topic notifications | jq -c \
        --arg user "$(printf '%s' "$anna" | jq -r .data.user.id)" \
        'select(.key == $user).payload | fromjson')
    printf '%s' "$notification" | jq -r .secret >"$dir/secret.jwe"
    opened=$(jose jwe dec -i "$dir/secret.jwe" -k "$dir/mail-service.jwk" || :)
    held=$(curl -s "$graph/admin/effects/$(printf '%s' "$opened" | jq -r .userId)")
    rm "$dir/secret.jwe"
    tell "[$notification, $opened, $held]" '.[1].password == .[2].password and .[2].restores == 1' \
        '"   to \(.[0].to[0]), template \(.[0].template), valid until \(.[0].expiresAt[:16])",
         "   password for \(.[1].userPrincipalName): \(.[1].password)",
         "   (the one that the directory holds; must be changed: \(.[2].mustChange))"'
}

# Numbers of another kind: counted by a reader that is no worker, and by the directory.
thousand() {
    chapter "And 1,000 restores: two workers, the directory answers 429 for 3 s, then
kill -9 of one worker in the middle. Counted by a read_committed reader that is
not the worker, and by the directory:"
    mkdir "$dir/thousand"
    RESTORE_TEST_PRESET=release setsid build/venv/bin/python tests/quickstart/thousand.py \
        "$brokers" "$dir/thousand" 2>"$dir/thousand.log" 3>&- </dev/null &
    groups="$groups $!"
    if wait $!; then
        groups=${groups% *}
    else
        cat "$dir/thousand.log" >&2
        unexpected="$unexpected thousand"
    fi
}

say_first() { first=$(since "$began_all"); }

# ---- the end ----------------------------------------------------------------------------------

what_was_real() {
    echo
    say simulated "Microsoft Graph, its tokens and its people (tests/directory_sim)"
    if [ $kafka = embedded ]; then
        say "" "Kafka: librdkafka's mock cluster. It keeps nothing and knows no"
        say "" "transactions, so it shows nothing of exactly-once."
        say real "restore-worker and restorectl, their events, keys and encryption"
    else
        say real "Apache Kafka with its transactions; restore-worker and restorectl,"
        say "" "their events, keys and encryption"
    fi
    say seconds "$first to the first outcome, $(since "$began_all") in all, after the packages"
}

what_next() {
    echo
    if [ $kafka = embedded ]; then
        say next "sh deploy/quickstart.sh --kafka   real Kafka, 1,000 restores"
        say "" "sh deploy/quickstart.sh --keep    left running, to talk to"
    else
        say next "deploy/restore-worker.conf.example, and the tenant: README.md, Run"
    fi
}

how_to_talk() {
    cat <<-END

	Everything is left running. To talk to it:
	  export RESTORECTL_CONFIG=$dir/restore-worker.conf
	  PATH=\$PATH:$programs/worker/restorectl
	  restorectl restore per@contoso.com --requested-by ida@contoso.com
	  kcat -b $brokers -C -t $topic.succeeded -e
	  curl -s $graph/admin/effects
	  tail -f $dir/worker.log
	To end it:
	  for group in$groups; do kill -TERM -\$group; done
	END
    [ $kafka = embedded ] || echo "  python3 tests/support/kafka.py stop $dir/broker"
    echo "  rm -rf $dir"
}

exec 3>&1 # the terminal, for what is said inside $(...)
echo "restore-worker: quickstart"
packages=quickstart
[ $kafka = embedded ] || packages=quickstart-kafka
sh tests/install.sh $packages >"$dir/install.log"
began_all=$(now)
build
start_directory
start_${kafka}_kafka
configure
start_worker
for chapter in plain name_taken too_late stranger deleted_since no_request mail; do
    $chapter
done
[ $kafka = embedded ] || thousand
what_was_real
if [ "$unexpected" ]; then
    echo "quickstart: not as expected:$unexpected" >&2
    exit 1
fi
if [ "$keep" ]; then how_to_talk; else what_next; fi
