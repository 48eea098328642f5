/* restore-worker: options, configuration, exit codes (contract 1). */
#include "worker/log.h"
#include "worker/secret_file.h"
#include "worker/settings.h"
#include "worker/test_controls.h"
#include "worker/worker.h"

#include "producers/jwe.h"

#include <curl/curl.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

enum task { TASK_RUN, TASK_CHECK, TASK_PRINT };

struct options {
    enum task task;
    const char *config;
};

static const char usage[] =
    "Usage: restore-worker --config FILE [--check-config | --print-config]\n"
    "\n"
    "Restores deleted Microsoft 365 users on request, from Kafka to Kafka.\n"
    "\n"
    "  -c, --config FILE    the configuration (libconfig); conf.d/*.conf beside it is merged\n"
    "      --check-config   read everything, print every error, start nothing\n"
    "      --print-config   effective values, secrets redacted, and where each came from\n"
    "  -V, --version        version of the program and its libraries\n"
    "  -h, --help           this text\n";

static void print_version(void)
{
    printf("restore-worker %s\nlibrdkafka %s\n%s\njansson %s\nlibmicrohttpd %s\n",
           RESTORE_WORKER_VERSION, rd_kafka_version_str(), curl_version(), jansson_version_str(),
           MHD_get_version());
}

/* Whether to go on; if not, *ret_exit_code. */
static bool parse_options(int argc, char **argv, struct options *ret_options, int *ret_exit_code)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", optional_argument, NULL, 'k'},
        {"print-config", no_argument, NULL, 'p'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "c:Vh", known, NULL)) != -1;) {
        switch (c) {
        case 'c': ret_options->config = optarg; break;
        case 'k':
            if (optarg != NULL) {
                fprintf(stderr, "restore-worker: --check-config=%s is not in this version\n",
                        optarg);
                *ret_exit_code = EX_USAGE;
                return false;
            }
            ret_options->task = TASK_CHECK;
            break;
        case 'p': ret_options->task = TASK_PRINT; break;
        case 'V':
            print_version();
            *ret_exit_code = 0;
            return false;
        case 'h':
            fputs(usage, stdout);
            *ret_exit_code = 0;
            return false;
        default: *ret_exit_code = EX_USAGE; return false;
        }
    }
    if (optind == argc && ret_options->config != NULL)
        return true;
    fprintf(stderr, "restore-worker: %s\nTry restore-worker --help.\n",
            optind < argc ? "too many arguments" : "--config FILE is missing");
    *ret_exit_code = EX_USAGE;
    return false;
}

/* Before the log is open, and for --check-config, errors are for a person's eyes. */
static void report_to_stderr(void *context, int level, const char *line)
{
    (void)context;
    if (level <= LOG_WARNING)
        fprintf(stderr, "%s\n", line);
}

static void report_to_log(void *context, int level, const char *line)
{
    (void)context;
    log_event(level, "configuration", LOG_TEXT("detail", line));
}

/* SIGHUP: all of the new file, or none of it. */
static void reload(struct worker *worker)
{
    worker->reload_refused = true;
    const struct settings_report report = {.on_line = report_to_log};
    struct settings *fresh;
    if (settings_load(worker->config_path, SETTINGS_WORKER, &report, &fresh) != 0) {
        log_event(LOG_ERR, "reload failed, the old settings stay");
        return;
    }
    bool taken = settings_reload(worker->settings, fresh, &report);
    settings_free(fresh);
    if (!taken) {
        log_event(LOG_ERR, "reload failed, the old settings stay");
        return;
    }
    worker->reload_refused = false;
    log_set_level(worker->settings->log_level);
    if (worker_set_policy(worker) != 0)
        log_event(LOG_ERR, "no memory for the new policy, the old one stays");
    else
        log_event(LOG_INFO, "settings reloaded");
}

/* False with a sentence in reterr. *ret_key stays NULL when none is configured. */
static bool load_recipient_key(const struct settings *settings, struct recipient_key **ret_key,
                               char reterr[SECRET_ERROR_BYTES])
{
    char path[PATH_BYTES + 1];
    if (settings->recipient_keys_file[0] == '\0')
        return true;
    return secret_path(settings->recipient_keys_file, path, sizeof path, reterr) &&
           recipient_key_load(path, ret_key, reterr, SECRET_ERROR_BYTES) == 0;
}

static int carry_out(const struct options *options, struct settings *settings)
{
    struct recipient_key *key = NULL;
    char error[SECRET_ERROR_BYTES];
    int exit_code = 0;
    if (!load_recipient_key(settings, &key, error)) {
        fprintf(stderr, "secrets.recipient_keys_file: %s\n", error);
        return EX_CONFIG;
    }
    settings->policy.has_recipient_key = key != NULL;
    if (options->task == TASK_PRINT) {
        settings_print(settings, stdout);
    } else if (options->task == TASK_CHECK) {
        puts("configuration is valid");
    } else {
        log_open(settings->log_level, (enum log_format)settings->log_format);
        exit_code = worker_run(options->config, settings, key, reload);
    }
    recipient_key_free(key);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct options options = {.task = TASK_RUN};
    int exit_code = 0;
    if (!parse_options(argc, argv, &options, &exit_code))
        return exit_code;
    /* Tokens and passwords are in memory: no core dump, no ptrace by the same user (P5). */
    if (!test_without("undumpable"))
        (void)prctl(PR_SET_DUMPABLE, 0);
    /* A peer that hangs up is an error of that write, for curl as for the log. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (access(options.config, F_OK) != 0) {
        fprintf(stderr, "restore-worker: %s: no such file\n", options.config);
        return EX_NOINPUT;
    }
    json_object_seed(0); /* before threads: jansson seeds its hashes once */
    jwe_clear_freed_json();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct settings_report report = {.on_line = report_to_stderr};
    struct settings *settings = NULL;
    if (settings_load(options.config, SETTINGS_WORKER, &report, &settings) != 0)
        return EX_CONFIG;
    exit_code = carry_out(&options, settings);
    settings_free(settings);
    curl_global_cleanup();
    return exit_code;
}
