#include "worker/restorectl/option_table.h"

#include <jansson.h>
#include <libconfig.h>
#include <librdkafka/rdkafka.h>

enum { COLUMN = 34 };

static const char examples[] =
    "restorectl restore ola@contoso.com --config /etc/restore-worker/restore-worker.conf \\\n"
    "                   --requested-by kari@contoso.com --ticket servicenow:INC0012345\n"
    "restorectl restore --csv users.csv -o csv > results.csv\n"
    "restorectl plan ola@contoso.com -o json > plan.json\n"
    "restorectl retry plan.json --requested-by kari@contoso.com\n"
    "restorectl deleted --closing-within 3\n";

static const char codes[] =
    "Exit: 0 done, 1 some failed, 3 a conflict and none failed, 64 usage, 65 bad data, 66 no such\n"
    "file, 69 no Kafka, 70 internal, 74 input or output, 75 no outcome in time, 77 not permitted,\n"
    "78 configuration or topics.\n";

static void print_option(FILE *out, const struct option_row *row)
{
    char left[64], letter[8] = "    ";
    if (row->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "%s--%s %s", letter, row->name,
             row->argument != NULL ? row->argument : "");
    fprintf(out, "%-*s%s\n", COLUMN, left, row->help);
}

void help_print(FILE *out)
{
    char left[64];
    fprintf(out, "%s\n", examples);
    for (int i = 0; i < COMMANDS; i++) {
        const struct command_row *row = &command_rows[i];
        snprintf(left, sizeof left, "%s%s%s %s", row->word, row->second != NULL ? " " : "",
                 row->second != NULL ? row->second : "", row->operands);
        fprintf(out, "%-*s%s\n", COLUMN, left, row->help);
    }
    fputc('\n', out);
    for (int i = 0; i < OPTION_ROWS; i++)
        print_option(out, &option_rows[i]);
    fprintf(out, "\n%s", codes);
}

void version_print(FILE *out)
{
    fprintf(out, "restorectl %s\nlibrdkafka %s\njansson %s\nlibconfig %d.%d.%d\n",
            RESTORE_WORKER_VERSION, rd_kafka_version_str(), JANSSON_VERSION, LIBCONFIG_VER_MAJOR,
            LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
}
