#include "worker/restorectl/bulk.h"

#include "policy/utf8.h"
#include "worker/restorectl/commands.h"
#include "worker/restorectl/csv.h"
#include "worker/restorectl/dispatch.h"
#include "worker/restorectl/terms.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MAX = 20 };

/* A name is only asked for under the policy that gives it. */
static const char *take_new_name(struct restore_request *terms, const char *text)
{
    if (terms->name_policy == NAME_POLICY_ABSENT)
        terms->name_policy = NAME_POLICY_RENAME_RESTORED;
    return terms->name_policy == NAME_POLICY_RENAME_RESTORED
               ? term_new_name(terms, text)
               : "--on-name-conflict is not rename-restored";
}

/* Several with ";" between; in the place of the command line's. */
static const char *take_notify(struct restore_request *terms, const char *text)
{
    const char *wrong = NULL;
    terms->notify_to.n = 0;
    for (const char *next = text; wrong == NULL && next != NULL;) {
        char one[ADDRESS_BYTES + 2]; /* what is too long stays so */
        const char *begin = next + strspn(next, " ");
        snprintf(one, sizeof one, "%.*s", (int)strcspn(begin, " ;"), begin);
        wrong = term_notify(terms, one);
        next = strchr(next, ';');
        next = next != NULL ? next + 1 : NULL;
    }
    return wrong;
}

static const struct column {
    const char *name;
    const char *(*take)(struct restore_request *terms, const char *text);
} columns[] = {
    {"user", term_user},     {"newUserPrincipalName", take_new_name},
    {"notify", take_notify}, {"reason", term_reason},
    {"ticket", term_ticket},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], COLUMN_USER = 0 };

struct faults {
    FILE *err;
    const char *name;
    int n;
};

static void fault(struct faults *faults, int line, const char *column, const char *why)
{
    if (faults->n++ < FAULTS_MAX)
        fprintf(faults->err, "%s:%d: %s: %s\n", faults->name, line, column, why);
}

static void csv_fault(struct faults *faults, const struct csv_row *row)
{
    char column[32];
    snprintf(column, sizeof column, "column %d", row->wrong_column);
    fault(faults, row->wrong_line, column, row->wrong);
}

static bool read_header(struct csv *csv, struct faults *faults, struct csv_row *ret_row)
{
    enum csv_result result = csv_next(csv, ret_row);
    if (result == CSV_WRONG)
        csv_fault(faults, ret_row);
    if (result == CSV_END)
        fault(faults, 1, "user", "the first row must name the columns");
    return result == CSV_ROW;
}

static int find_field(const struct csv_row *header, const char *name)
{
    for (int i = 0; i < header->n; i++)
        if (strcmp(header->fields[i], name) == 0)
            return i;
    return -1;
}

/* Which column of ours each of the file's is. */
static bool map_columns(const struct csv_row *header, struct faults *faults,
                        int ret_columns[CSV_FIELDS_MAX])
{
    for (int i = 0; i < header->n; i++) {
        const char *name = header->fields[i];
        int k = 0;
        while (k < COLUMNS && strcmp(columns[k].name, name) != 0)
            k++;
        if (k == COLUMNS)
            fault(faults, header->line, name,
                  "no such column; user, newUserPrincipalName, notify, reason, ticket");
        else if (find_field(header, name) < i)
            fault(faults, header->line, name, "stands there twice");
        ret_columns[i] = k;
    }
    if (find_field(header, columns[COLUMN_USER].name) < 0)
        fault(faults, header->line, "user", "there is no such column");
    return faults->n == 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Users, lower case, whom an earlier run's results say succeeded. */
struct done {
    int n;
    char **users; /* owned; the texts are the input's */
};

static void read_done(struct input *results, struct faults *faults, struct done *ret_done)
{
    struct csv csv;
    struct csv_row row;
    enum csv_result result = CSV_END;
    csv_begin(&csv, results->bytes, results->n_bytes);
    if (!read_header(&csv, faults, &row))
        return;
    int user = find_field(&row, "user"), outcome = find_field(&row, "outcome");
    if (user < 0 || outcome < 0) {
        fault(faults, row.line, user < 0 ? "user" : "outcome",
              "there is no such column: not the results of -o csv");
        return;
    }
    ret_done->users = calloc(BULK_ROWS_MAX, sizeof *ret_done->users);
    assert(ret_done->users != NULL);
    while (ret_done->n < BULK_ROWS_MAX && (result = csv_next(&csv, &row)) == CSV_ROW) {
        if (row.n <= user || row.n <= outcome || strcmp(row.fields[outcome], "succeeded") != 0)
            continue;
        text_lower(row.fields[user]);
        ret_done->users[ret_done->n++] = row.fields[user];
    }
    if (result == CSV_WRONG)
        csv_fault(faults, &row);
    qsort(ret_done->users, (size_t)ret_done->n, sizeof *ret_done->users, compare_texts);
}

static bool is_done(const struct done *done, const struct named *user)
{
    char name[NAME_BYTES + 1];
    const char *key = name;
    memcpy(name, user->text, sizeof name);
    text_lower(name);
    return done->n > 0 &&
           bsearch(&key, done->users, (size_t)done->n, sizeof *done->users, compare_texts) != NULL;
}

static void take_row(const struct csv_row *row, const int *map, struct faults *faults,
                     struct restore_request *terms)
{
    for (int i = 0; i < row->n; i++) {
        const struct column *column = &columns[map[i]];
        const char *text = row->fields[i], *wrong = NULL;
        if (!utf8_is_valid(text, strlen(text)))
            wrong = "is not UTF-8";
        else if (*text != '\0' || map[i] == COLUMN_USER)
            wrong = column->take(terms, text);
        if (wrong != NULL)
            fault(faults, row->line, column->name, wrong);
    }
}

static enum exit_code read_rows(const struct options *options, struct csv *csv,
                                struct faults *faults, const struct done *done, struct bulk *bulk)
{
    struct csv_row header, row;
    int map[CSV_FIELDS_MAX];
    enum csv_result result;
    if (!read_header(csv, faults, &header) || !map_columns(&header, faults, map))
        return EXIT_BAD_DATA;
    while ((result = csv_next(csv, &row)) == CSV_ROW) {
        struct restore_request terms = options->request;
        int before = faults->n;
        if (row.n != header.n)
            fault(faults, row.line, "row", "has not as many fields as the first row");
        else
            take_row(&row, map, faults, &terms);
        if (faults->n > before)
            continue;
        if (is_done(done, &terms.user)) {
            bulk->n_skipped++;
            continue;
        }
        if (bulk->n_requests == BULK_ROWS_MAX) {
            fault(faults, row.line, "row", "more than 100000");
            break;
        }
        struct request *request = &bulk->requests[bulk->n_requests];
        int r = request_make(&terms, &terms.user, 1, NULL, request);
        if (r < 0) {
            fprintf(faults->err, "restorectl: %s\n", strerror(-r));
            return EXIT_INTERNAL;
        }
        bulk->n_requests++;
    }
    if (result == CSV_WRONG)
        csv_fault(faults, &row);
    return EXIT_OK;
}

static enum exit_code say_faults(const struct faults *faults)
{
    if (faults->n > FAULTS_MAX)
        fprintf(faults->err, "%s: and %d more\n", faults->name, faults->n - FAULTS_MAX);
    return faults->n > 0 ? EXIT_BAD_DATA : EXIT_OK;
}

enum exit_code bulk_read(const struct options *options, struct input *file, struct input *results,
                         FILE *err, struct bulk *ret_bulk)
{
    struct done done = {0};
    struct csv csv;
    struct faults faults = {.err = err, .name = options->resume};
    *ret_bulk = (struct bulk){0};
    if (results != NULL)
        read_done(results, &faults, &done);
    enum exit_code code = say_faults(&faults);
    if (code == EXIT_OK) {
        faults.name = options->csv;
        ret_bulk->requests = calloc(BULK_ROWS_MAX, sizeof *ret_bulk->requests);
        assert(ret_bulk->requests != NULL);
        csv_begin(&csv, file->bytes, file->n_bytes);
        code = read_rows(options, &csv, &faults, &done, ret_bulk);
        if (code != EXIT_INTERNAL)
            code = say_faults(&faults);
    }
    free(done.users);
    return code;
}

void bulk_deinit(struct bulk *bulk)
{
    for (int i = 0; i < bulk->n_requests; i++)
        request_deinit(&bulk->requests[i]);
    free(bulk->requests);
    *bulk = (struct bulk){0};
}

enum exit_code bulk_restore(const struct options *options)
{
    struct input file = {0}, results = {0};
    struct bulk bulk = {0};
    enum exit_code code = input_read(options->csv, &file);
    if (code == EXIT_OK && options->resume != NULL)
        code = input_read(options->resume, &results);
    if (code == EXIT_OK)
        code = bulk_read(options, &file, options->resume != NULL ? &results : NULL, stderr, &bulk);
    if (bulk.n_skipped > 0)
        fprintf(stderr, "restorectl: %d are done already\n", bulk.n_skipped);
    if (code == EXIT_OK && bulk.n_requests > 0)
        code = dispatch_requests(options, bulk.requests, bulk.n_requests, true);
    bulk_deinit(&bulk);
    input_deinit(&file);
    input_deinit(&results);
    return code;
}
