/* restorectl's command line (contract 1). Strings are argv's. */
#ifndef WORKER_RESTORECTL_OPTIONS_H
#define WORKER_RESTORECTL_OPTIONS_H

#include "policy/request.h"
#include "worker/settings.h"

/* sysexits family, contract 1 */
enum exit_code {
    EXIT_OK = 0,
    EXIT_SOME_FAILED = 1,
    EXIT_CONFLICT = 3,
    EXIT_USAGE = 64,
    EXIT_BAD_DATA = 65,
    EXIT_NO_FILE = 66,
    EXIT_UNREACHABLE = 69,
    EXIT_INTERNAL = 70,
    EXIT_IO = 74,
    EXIT_TIMED_OUT = 75,
    EXIT_NOT_PERMITTED = 77,
    EXIT_CONFIGURATION = 78,
};

enum command {
    COMMAND_RESTORE,
    COMMAND_PLAN,
    COMMAND_DELETED,
    COMMAND_WAIT,
    COMMAND_WATCH,
    COMMAND_RETRY,
    COMMAND_TOPICS_CREATE,
    COMMAND_TOPICS_CHECK,
    COMMAND_TOPICS_ACLS,
    COMMAND_KEYS_NEW,
    COMMANDS
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

enum { USERS_MAX = 100, TIMEOUT_SECONDS_MAX = 86400, REPLICATION_MAX = 100 };

struct options {
    enum command command;
    int n_users;
    struct named users[USERS_MAX];
    /* What the request asks for besides its users; retry: the requester and policy of --policy. */
    struct restore_request request;
    const char *request_id; /* restore, plan, deleted: NULL, then one is made; wait: the operand */
    const char *event_file; /* retry: the operand */
    const char *csv, *resume; /* restore: NULL without */
    int64_t timeout_ms;
    bool no_wait, print, help, version;
    enum output output;
    const char *config; /* NULL: none, not by $RESTORECTL_CONFIG either */
    const char *brokers;
    int n_properties;
    const char *properties[KAFKA_PROPERTIES_MAX];
    int replication; /* -1: the broker's default */
    const char *private_file, *public_file;
};

/* EXIT_OK, or EXIT_USAGE after two lines on `err`. With `help` or `version` nothing else counts. */
enum exit_code options_parse(int argc, char **argv, FILE *err, struct options *ret_options);

#endif
