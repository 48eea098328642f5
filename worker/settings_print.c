/* The table as text: what is in force, and the sample file. */
#include "worker/settings_table.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { INDENT = 4, WRAP_COLUMN = 100 };

void setting_print_text(const char *text, FILE *file)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            fprintf(file, "\\x%02x", c);
        else
            fprintf(file, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    fputc('"', file);
}

void setting_print_origin(const struct settings *settings, const struct setting_origin *origin,
                          FILE *file)
{
    if (origin->source == SOURCE_DEFAULT)
        fputs("default", file);
    else if (origin->source == SOURCE_ENVIRONMENT)
        fputs("environment", file);
    else if (origin->line == 0)
        fputs(settings->source_names[origin->source], file);
    else
        fprintf(file, "%s:%u", settings->source_names[origin->source], origin->line);
}

static int64_t load_integer(const void *field, size_t bytes)
{
    switch (bytes) {
    case sizeof(bool): return *(const bool *)field;
    case sizeof(int): return *(const int *)field;
    default: return *(const int64_t *)field;
    }
}

void setting_print_value(const struct setting_row *row, const void *base,
                         const struct setting_origin *origin, FILE *file)
{
    const void *field = (const char *)base + row->offset;
    switch (row->type) {
    case SETTING_INTEGER:
        fprintf(file, "%" PRId64, load_integer(field, row->bytes) / row->scale);
        break;
    case SETTING_BOOL: fputs(*(const bool *)field ? "true" : "false", file); break;
    case SETTING_TEXT: setting_print_text(field, file); break;
    case SETTING_WORD:
        for (const struct setting_word *word = row->words; word->word != NULL; word++)
            if (word->value == load_integer(field, row->bytes))
                setting_print_text(word->word, file);
        break;
    case SETTING_LIST: fputs(origin->list_text, file); break;
    }
}

/* Opens and closes groups as the sections come: "tenants.credential" stands inside "tenants". */
struct printer {
    FILE *file;
    int depth;
    const char *section;
};

static void indent(const struct printer *printer)
{
    fprintf(printer->file, "%*s", printer->depth * INDENT, "");
}

static bool is_inside(const char *section, const char *outer)
{
    size_t length = strlen(outer);
    return strncmp(section, outer, length) == 0 &&
           (section[length] == '\0' || section[length] == '.');
}

static void close_section(struct printer *printer)
{
    const char *dot = strrchr(printer->section, '.');
    printer->depth--;
    indent(printer);
    fputs(dot == NULL && is_inside(printer->section, "tenants") ? "} );\n" : "};\n", printer->file);
    /* Sections are at most two deep, and each outer one has a name of its own in the list. */
    const char *outer = "";
    for (const char *const *s = setting_sections; dot != NULL && *s != NULL; s++)
        if (strlen(*s) == (size_t)(dot - printer->section) && is_inside(printer->section, *s))
            outer = *s;
    printer->section = outer;
}

static void enter_section(struct printer *printer, const char *section)
{
    while (*printer->section != '\0' && !is_inside(section, printer->section))
        close_section(printer);
    if (strcmp(printer->section, section) == 0)
        return;
    const char *dot = strrchr(section, '.');
    if (printer->depth == 0)
        fputc('\n', printer->file);
    indent(printer);
    fprintf(printer->file, "%s = %s{\n", dot != NULL ? dot + 1 : section,
            strcmp(section, "tenants") == 0 ? "( " : "");
    printer->depth++;
    printer->section = section;
}

static void leave_sections(struct printer *printer)
{
    while (*printer->section != '\0')
        close_section(printer);
}

static void print_effective(struct printer *printer, const struct settings *settings,
                            const void *base, const struct setting_origin *origins,
                            const struct setting_row *row)
{
    const struct setting_origin *origin = &origins[row - setting_rows];
    indent(printer);
    fprintf(printer->file, "%s = ", row->key);
    setting_print_value(row, base, origin, printer->file);
    fputs(";  # ", printer->file);
    setting_print_origin(settings, origin, printer->file);
    fputc('\n', printer->file);
}

static void print_tenants(struct printer *printer, const struct settings *settings)
{
    leave_sections(printer);
    fputs("\ntenants = (", printer->file);
    for (int n = 0; n < settings->n_tenant_entries; n++) {
        const struct tenant_entry *entry = &settings->tenant_entries[n];
        fputs(n > 0 ? ", {\n" : " {\n", printer->file);
        printer->depth = 1;
        printer->section = "tenants";
        for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
            bool left_out =
                (row->flags & SETTING_OF_TYPE) != 0 && ((const char *)entry)[row->offset] == '\0';
            if (!setting_is_of_tenant(row) || left_out)
                continue;
            enter_section(printer, row->section);
            print_effective(printer, settings, entry, entry->origins, row);
        }
        while (strcmp(printer->section, "tenants") != 0)
            close_section(printer);
        fputc('}', printer->file);
        printer->depth = 0;
        printer->section = "";
    }
    fputs(" );\n", printer->file);
}

void settings_print(const struct settings *settings, FILE *file)
{
    struct printer printer = {.file = file, .section = ""};
    bool tenants_done = false;
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
        if (setting_is_of_tenant(row)) {
            if (!tenants_done)
                print_tenants(&printer, settings);
            tenants_done = true;
            continue;
        }
        enter_section(&printer, row->section);
        print_effective(&printer, settings, settings, settings->origins, row);
    }
    leave_sections(&printer);
}

/* A comment broken between words. */
static void print_comment(const struct printer *printer, const char *text)
{
    int column = printer->depth * INDENT + 1;
    indent(printer);
    fputc('#', printer->file);
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > WRAP_COLUMN) {
            fputc('\n', printer->file);
            indent(printer);
            fputc('#', printer->file);
            column = printer->depth * INDENT + 1;
        }
        fprintf(printer->file, " %.*s", length, text);
        column += 1 + length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', printer->file);
}

static void print_sample_row(const struct printer *printer, const struct setting_row *row)
{
    char comment[1024];
    char words[SETTING_MESSAGE_BYTES];
    setting_list_words(row, words);
    if (row->type == SETTING_INTEGER)
        snprintf(words, sizeof words, "%" PRId64 "..%" PRId64 "%s%s", row->min, row->max,
                 row->unit != NULL ? " " : "", row->unit != NULL ? row->unit : "");
    snprintf(comment, sizeof comment, "%s%s%s%s%s%s", row->sentence, *words != '\0' ? " (" : "",
             words, *words != '\0' ? ")" : "",
             (row->flags & SETTING_REQUIRED) != 0 ? "; needed" : "",
             (row->flags & SETTING_RELOADABLE) != 0 ? "; SIGHUP reloads it" : "");
    print_comment(printer, comment);
    indent(printer);
    fprintf(printer->file, "%s%s = %s;\n", (row->flags & SETTING_ASIDE) != 0 ? "# " : "", row->key,
            row->initial);
}

void settings_print_sample(FILE *file)
{
    struct printer printer = {.file = file, .section = ""};
    fputs(
        "# restore-worker: every setting with its default. Strings stand in double quotes, times\n"
        "# are integers in the unit that the name says. conf.d/*.conf next to this file is read\n"
        "# after it, in bytewise order of the names, and wins.\n",
        file);
    for (const struct setting_row *row = setting_rows; row->section != NULL; row++) {
        enter_section(&printer, row->section);
        print_sample_row(&printer, row);
    }
    leave_sections(&printer);
}
