/* restorectl: writes requests, reads outcomes; needs Kafka and nothing else (contract 1). */
#include "worker/restorectl/commands.h"

typedef enum exit_code run_command(const struct options *options);

static run_command *const commands[COMMANDS] = {
    [COMMAND_RESTORE] = command_restore,
    [COMMAND_PLAN] = command_plan,
    [COMMAND_DELETED] = command_deleted,
    [COMMAND_WAIT] = command_wait,
    [COMMAND_WATCH] = command_watch,
    [COMMAND_RETRY] = command_retry,
    [COMMAND_TOPICS_CREATE] = command_topics_create,
    [COMMAND_TOPICS_CHECK] = command_topics_check,
    [COMMAND_TOPICS_ACLS] = command_topics_acls,
    [COMMAND_KEYS_NEW] = command_keys_new,
};

int main(int argc, char **argv)
{
    static struct options options; /* 30 KiB */
    bool done;
    enum exit_code code = options_parse(argc, argv, stdout, stderr, &options, &done);
    if (code == EXIT_OK && !done)
        code = commands[options.command](&options);
    /* What could not be printed was not told. */
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_IO;
    return (int)code;
}
