#include "worker/restorectl/options.h"

#include <jansson.h>
#include <libconfig.h>
#include <librdkafka/rdkafka.h>

static const char help[] =
    "restorectl restore ola@contoso.com --config /etc/restore-worker/restore-worker.conf \\\n"
    "                   --requested-by kari@contoso.com --ticket servicenow:INC0012345\n"
    "restorectl wait REQUEST-ID\n"
    "restorectl topics create --replication 3\n"
    "restorectl topics check\n"
    "restorectl keys new --out private.json --public keys.json\n"
    "\n"
    "restore USER...         ask for users, by object id or user principal name, and wait\n"
    "  --tenant NAME         which tenant, where several are configured\n"
    "  --requested-by WHO    object id, user principal name, or app:APPLICATION-ID\n"
    "  --reason TEXT         why, for the record\n"
    "  --ticket SYSTEM:ID    the ticket it belongs to\n"
    "  --notify WHOM         address, manager, requester or user-alternate; up to 5 times\n"
    "  --on-name-conflict POLICY   reject, rename-restored, rename-active or replace-active\n"
    "  --new-name NAME       the name to restore under if the old one is taken; one USER only\n"
    "  --request-id ID       instead of a random one; one USER only\n"
    "  --no-wait             print the request ids and leave\n"
    "  --print               send nothing; show topic, key, headers and value\n"
    "wait REQUEST-ID         the outcome of a request sent earlier; the newest if several\n"
    "  --timeout SECONDS     how long to wait, also for restore (1200)\n"
    "topics create           make the topics that are not there\n"
    "  --replication N       instead of the broker's default\n"
    "topics check            compare the topics with what the worker needs\n"
    "keys new                a key pair for the notification service, to stdout or\n"
    "  --out FILE            the private key, made readable for its owner only\n"
    "  --public FILE         the public key set, for secrets.recipient_keys_file\n"
    "\n"
    "-c, --config FILE       the worker's configuration; else -b; else $RESTORECTL_CONFIG\n"
    "-b, --brokers LIST      host:port, comma between\n"
    "-X NAME=VALUE           a librdkafka property; secrets as NAME=file:PATH\n"
    "-o text|json            how to print outcomes\n"
    "-h, --help   -V, --version\n"
    "\n"
    "Exit: 0 restored, 1 some failed, 3 a conflict, 64 usage, 66 no such file, 69 no Kafka,\n"
    "74 input or output, 75 no outcome in time, 77 not permitted, 78 configuration or topics.\n";

void help_print(FILE *out)
{
    fputs(help, out);
}

void version_print(FILE *out)
{
    fprintf(out, "restorectl %s\nlibrdkafka %s\njansson %s\nlibconfig %d.%d.%d\n",
            RESTORE_WORKER_VERSION, rd_kafka_version_str(), JANSSON_VERSION, LIBCONFIG_VER_MAJOR,
            LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
}
