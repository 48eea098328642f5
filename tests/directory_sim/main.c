/* directory-sim: a simulated Microsoft Graph and token endpoint for tests. See README.md. */
#include "tests/directory_sim/load.h"
#include "tests/directory_sim/sim.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { EXIT_NO_RECORD = 1, EXIT_USAGE = 64, EXIT_DATA = 65 };

struct store_clock sim_clock(const struct sim *sim)
{
    return (struct store_clock){sim->mono_ms, sim->wall_ms + sim->options.clock_offset_ms};
}

/* xorshift64*: quick and far from secret, which ids of test replies and tokens need not be. */
uint64_t sim_random(struct sim *sim)
{
    sim->random ^= sim->random >> 12;
    sim->random ^= sim->random << 25;
    sim->random ^= sim->random >> 27;
    return sim->random * 0x2545f4914f6cdd1du;
}

void sim_guid(struct sim *sim, char guid[REQUEST_ID_BYTES])
{
    uint64_t a = sim_random(sim), b = sim_random(sim);
    snprintf(guid, REQUEST_ID_BYTES, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 48 & 0xfff),
             (unsigned long long)(b & 0xffffffffffff));
}

struct tenant *sim_tenant(const struct sim *sim, const char *id)
{
    for (size_t i = 0; i < sim->n_tenants; i++) {
        if (text_same(sim->tenants[i]->id, id))
            return sim->tenants[i];
    }
    return NULL;
}

static bool file_load(struct sim *sim, const char *path)
{
    json_error_t at;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    char error[LOAD_ERROR_BYTES];
    bool good = root && load_directory(sim, root, error);
    if (!root)
        fprintf(stderr, "directory-sim: %s:%d: %s\n", path, at.line, at.text);
    else if (!good)
        fprintf(stderr, "directory-sim: %s: %s\n", path, error);
    json_decref(root);
    return good;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
                                            {"tls", required_argument, NULL, 't'},
                                            {"load", required_argument, NULL, 'f'},
                                            {"record", required_argument, NULL, 'r'},
                                            {0}};
    const char *listen = NULL, *load = NULL, *cert = NULL, *record = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'l': listen = optarg; break;
        case 'f': load = optarg; break;
        case 't': cert = optarg; break;
        case 'r': record = optarg; break;
        default: return EXIT_USAGE;
        }
    }
    /* --tls takes two words; the second is what getopt leaves over. */
    const char *key = cert && optind < argc ? argv[optind++] : NULL;
    if (!listen || !load || optind < argc || (cert && !key)) {
        fprintf(stderr, "usage: directory-sim --listen ADDRESS:PORT [--tls CERT KEY] "
                        "[--record FILE] --load FILE\n");
        return EXIT_USAGE;
    }
    struct sim *sim = memory_zeroed(sizeof *sim);
    sim->options.token_lifetime_s = 3599;
    sim->options.clash_status = 400;
    if (getrandom(&sim->random, sizeof sim->random, 0) != sizeof sim->random)
        sim->random = 1;
    sim_clocks_read(sim);
    signal(SIGPIPE, SIG_IGN);
    if (record && !(sim->record = fopen(record, "a"))) {
        fprintf(stderr, "directory-sim: cannot write %s\n", record);
        return EXIT_NO_RECORD;
    }
    int code = file_load(sim, load) ? http_run(sim, listen, cert, key) : EXIT_DATA;
    /* exit, not return: what the directory holds stays reachable from this frame, so the leak
     * checker complains of real leaks only. */
    exit(code);
}
