#include "worker/kafka_property.h"
#include "worker/settings_load.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(const config_setting_t *value)
{
    switch (config_setting_type(value)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: return "an integer";
    case CONFIG_TYPE_FLOAT: return "a number with a point";
    case CONFIG_TYPE_STRING: return "a string";
    case CONFIG_TYPE_BOOL: return "true or false";
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST: return "a list";
    default: return "a group";
    }
}

/* What a row is called in an error, and where that error is. */
struct place {
    struct loader *loader;
    const struct setting_row *row;
    const struct setting_origin *origin;
};
#define place_error(place, ...)                                                                    \
    loader_error((place)->loader, (place)->origin, (place)->row->section, (place)->row->key,       \
                 __VA_ARGS__)

static bool has_type(const struct place *place, const config_setting_t *value, int type,
                     const char *wanted)
{
    if (config_setting_type(value) == type)
        return true;
    place_error(place, "must be %s, not %s", wanted, type_name(value));
    return false;
}

static void store_integer(void *field, size_t bytes, int64_t value)
{
    switch (bytes) {
    case sizeof(bool): *(bool *)field = value != 0; break;
    case sizeof(int): *(int *)field = (int)value; break;
    case sizeof(int64_t): *(int64_t *)field = value; break;
    default: assert(false && "a field is a bool, an int or an int64_t");
    }
}

static void apply_integer(const struct place *place, void *field, const config_setting_t *value)
{
    const struct setting_row *row = place->row;
    if (!has_type(place, value, CONFIG_TYPE_INT64, "an integer"))
        return;
    int64_t number = config_setting_get_int64(value);
    if (number < row->min || number > row->max)
        place_error(place, "must be %" PRId64 "..%" PRId64 "%s%s, not %" PRId64, row->min, row->max,
                    row->unit != NULL ? " " : "", row->unit != NULL ? row->unit : "", number);
    else
        store_integer(field, row->bytes, number * row->scale);
}

static void apply_bool(const struct place *place, void *field, const config_setting_t *value)
{
    if (has_type(place, value, CONFIG_TYPE_BOOL, "true or false"))
        *(bool *)field = config_setting_get_bool(value) != 0;
}

static void apply_word(const struct place *place, void *field, const config_setting_t *value)
{
    char all[SETTING_MESSAGE_BYTES];
    if (!has_type(place, value, CONFIG_TYPE_STRING, "a string"))
        return;
    const char *text = config_setting_get_string(value);
    const struct setting_word *word = place->row->words;
    while (word->word != NULL && strcmp(text, word->word) != 0)
        word++;
    setting_list_words(place->row, all);
    if (word->word != NULL)
        store_integer(field, place->row->bytes, word->value);
    else
        place_error(place, "must be one of %s, not \"%.100s\"", all, text);
}

static void apply_text(const struct place *place, char *field, const config_setting_t *value)
{
    const struct setting_row *row = place->row;
    char text[BROKERS_BYTES + 1] = "";
    assert(row->bytes <= sizeof text);
    if (!has_type(place, value, CONFIG_TYPE_STRING, "a string"))
        return;
    if (!text_copy(text, row->bytes, config_setting_get_string(value))) {
        place_error(place, "must be at most %zu bytes long", row->bytes - 1);
        return;
    }
    const char *wrong = row->check(text);
    if (wrong != NULL) {
        place_error(place, "%s", wrong);
        return;
    }
    memset(field, 0, row->bytes); /* so that settings_reload can compare the fields */
    text_copy(field, row->bytes, text);
}

/* The list as --print-config shows it: as it was written, less what must not be seen. */
static void list_remember(const config_setting_t *value, const struct setting_row *row,
                          struct setting_origin *origin)
{
    char name[PROPERTY_NAME_BYTES + 1];
    char shown[PROPERTY_NAME_BYTES + sizeof "=<redacted>"];
    const char *rest;
    size_t bytes;
    FILE *file = open_memstream(&origin->list_text, &bytes);
    assert(file != NULL);
    fputs("[", file);
    for (int i = 0; i < config_setting_length(value); i++) {
        const char *text = config_setting_get_string_elem(value, i);
        if (row->add == add_property && text != NULL &&
            text_split_at(text, '=', name, sizeof name, &rest) && kafka_property_is_secret(name)) {
            snprintf(shown, sizeof shown, "%s=<redacted>", name);
            text = shown;
        }
        fputs(i > 0 ? ", " : " ", file);
        setting_print_text(text != NULL ? text : "", file);
    }
    fputs(" ]", file);
    fclose(file);
}

static void apply_list(const struct place *place, const struct setting_target *target,
                       const config_setting_t *value)
{
    char wrong[SETTING_MESSAGE_BYTES];
    const struct setting_row *row = place->row;
    if (!config_setting_is_array(value) && !config_setting_is_list(value)) {
        place_error(place, "must be a list of strings, not %s", type_name(value));
        return;
    }
    memset((char *)target->base + row->offset, 0, row->bytes);
    for (int i = 0; i < config_setting_length(value); i++) {
        const config_setting_t *element = config_setting_get_elem(value, (unsigned)i);
        struct setting_origin at = {place->origin->source, config_setting_source_line(element),
                                    NULL};
        struct place here = {place->loader, row, at.source >= 0 ? &at : place->origin};
        if (has_type(&here, element, CONFIG_TYPE_STRING, "a list of strings") &&
            !row->add(place->loader->settings, config_setting_get_string(element), wrong))
            place_error(&here, "%s", wrong);
    }
}

void setting_apply(struct loader *loader, const struct setting_row *row,
                   const struct setting_target *target, const config_setting_t *value,
                   const struct setting_origin *origin)
{
    struct setting_origin *remembered = &target->origins[row - setting_rows];
    const struct place place = {loader, row, origin};
    void *field = (char *)target->base + row->offset;

    free(remembered->list_text);
    *remembered = *origin;
    switch (row->type) {
    case SETTING_INTEGER: apply_integer(&place, field, value); break;
    case SETTING_BOOL: apply_bool(&place, field, value); break;
    case SETTING_TEXT: apply_text(&place, field, value); break;
    case SETTING_WORD: apply_word(&place, field, value); break;
    case SETTING_LIST:
        apply_list(&place, target, value);
        list_remember(value, row, remembered);
        break;
    }
}
