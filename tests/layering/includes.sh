#!/bin/sh
# Every #include of the product against the picture in the design, section 2:
# worker -> consumers, producers, policy; consumers, producers -> policy; policy -> nothing.
. "$(dirname "$0")/lib.sh"

product_files | xargs -r awk '
BEGIN {
    own["policy"] = "policy"
    own["consumers"] = "consumers policy"
    own["producers"] = "producers policy"
    own["worker"] = "worker consumers producers policy"
    # Who may use which library; a header that is in neither table is refused.
    library["librdkafka/rdkafka.h"] = library["librdkafka/rdkafka_mock.h"] = \
        library["jansson.h"] = "consumers producers worker"
    library["jose/"] = library["openssl/"] = "producers worker"
    library["curl/curl.h"] = library["libconfig.h"] = \
        library["microhttpd.h"] = "worker"
    pure = "^(assert|stdbool|stddef|stdint|string)\\.h$"
    system_header = "^(assert|ctype|dirent|errno|fcntl|getopt|inttypes|limits|locale|malloc|math|netdb|poll" \
        "|pthread|sched|signal|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string" \
        "|strings|sysexits|syslog|termios|threads|time|unistd|arpa/inet|netinet/[a-z]+" \
        "|sys/[a-z]+)\\.h$"
}
function fault(text) { print FILENAME ":" FNR ": " text }
function has(list, word) { return index(" " list " ", " " word " ") > 0 }
/^[ \t]*#[ \t]*include/ {
    folder = FILENAME
    sub(/\/.*/, "", folder)
    name = $0
    if (sub(/^[ \t]*#[ \t]*include[ \t]*"/, "", name)) {
        sub(/".*/, "", name)
        top = name
        sub(/\/.*/, "", top)
        if (!has(own[folder], top)) fault(folder "/ must not include \"" name "\"")
    } else if (sub(/^[ \t]*#[ \t]*include[ \t]*</, "", name)) {
        sub(/>.*/, "", name)
        top = name
        sub(/\/.*/, "/", top)
        users = name in library ? library[name] : library[top]
        if (users != "" ? !has(users, folder) \
                        : name !~ (folder == "policy" ? pure : system_header))
            fault(folder "/ must not include <" name ">")
    } else {
        fault("an include this check cannot read")
    }
}' | no_faults
