/* restorectl: writes requests, reads outcomes; needs Kafka and nothing else (contract 1). */
#include "worker/restorectl/option_table.h"

int main(int argc, char **argv)
{
    static struct options options; /* 30 KiB */
    enum exit_code code = options_parse(argc, argv, stderr, &options);
    if (code == EXIT_OK && options.help)
        help_print(stdout);
    else if (code == EXIT_OK && options.version)
        version_print(stdout);
    else if (code == EXIT_OK)
        code = command_rows[options.command].run(&options);
    /* What could not be printed was not told. */
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_IO;
    return (int)code;
}
