/* restorectl: writes requests, reads outcomes; needs Kafka and nothing else (contract 1). */
#include "worker/restorectl/commands.h"

#include <assert.h>

static enum exit_code run(const struct options *options)
{
    switch (options->command) {
    case COMMAND_RESTORE: return command_restore(options);
    case COMMAND_WAIT: return command_wait(options);
    case COMMAND_TOPICS_CREATE: return command_topics_create(options);
    case COMMAND_TOPICS_CHECK: return command_topics_check(options);
    case COMMAND_KEYS_NEW: return command_keys_new(options);
    case COMMANDS: break;
    }
    assert(false && "every command has its line above");
    return EXIT_INTERNAL;
}

int main(int argc, char **argv)
{
    static struct options options; /* 30 KiB */
    bool done;
    enum exit_code code = options_parse(argc, argv, stdout, stderr, &options, &done);
    if (code == EXIT_OK && !done)
        code = run(&options);
    /* What could not be printed was not told. */
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_IO;
    return (int)code;
}
