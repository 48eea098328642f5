/* data/reply/<case>/input: lines "word value" that say what was asked, an empty line, and the reply
 * as it came over the wire. data/reply/<case>/expected: the answer. */
#include "policy/time_text.h"
#include "worker/directory/reply.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_BYTES = 32 * 1024 };

static const char *const status_names[] = {
    [DIRECTORY_YES] = "YES",
    [DIRECTORY_NOT_FOUND] = "NOT_FOUND",
    [DIRECTORY_NAME_TAKEN] = "NAME_TAKEN",
    [DIRECTORY_ADDRESS_TAKEN] = "ADDRESS_TAKEN",
    [DIRECTORY_DENIED] = "DENIED",
    [DIRECTORY_REJECTED] = "REJECTED",
    [DIRECTORY_BUSY] = "BUSY",
    [DIRECTORY_UNKNOWN] = "UNKNOWN",
    [DIRECTORY_UNPROVEN] = "UNPROVEN",
};

static void read_file(const char *directory, const char *name, char ret_text[FILE_BYTES])
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/reply/%s/%s", TEST_DATA, directory, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    size_t n = fread(ret_text, 1, FILE_BYTES - 1, file);
    (void)fclose(file);
    ret_text[n] = '\0';
}

static int kind_of(const char *word)
{
    if (strcmp(word, "requester_roles") == 0)
        return CALL_REQUESTER_ROLES;
    for (int kind = 0; kind < DIRECTORY_OPERATION_COUNT; kind++)
        if (strcmp(directory_operation_name((enum directory_operation)kind), word) == 0)
            return kind;
    fail_msg("no such operation: %s", word);
    return -1;
}

static enum reply_fate fate_of(const char *word)
{
    static const char *const fates[] = {"whole", "unsent", "unproven", "lost"};
    for (int i = 0; i < 4; i++)
        if (strcmp(fates[i], word) == 0)
            return (enum reply_fate)i;
    fail_msg("no such fate: %s", word);
    return REPLY_LOST;
}

static void add_address(struct directory_question *question, const char *address)
{
    static struct string_list addresses;
    if (question->n_addresses++ == 0)
        string_list_clear(&addresses);
    assert_true(string_list_add(&addresses, address));
    question->addresses = addresses.bytes;
}

/* Takes the head of the input; gives where the reply begins. */
static char *read_asked(char *at, struct asked *asked, struct directory_question *question,
                        struct reply *reply)
{
    asked->question = question;
    for (char *end; *at != '\n' && *at != '\0'; at = end + 1) {
        char word[32], value[256];
        end = strchr(at, '\n');
        assert_non_null(end);
        assert_int_equal(sscanf(at, "%31s %255[^\n]", word, value), 2);
        if (strcmp(word, "asked") == 0)
            asked->kind = kind_of(value);
        else if (strcmp(word, "id") == 0)
            assert_true(text_copy(question->id, sizeof question->id, value));
        else if (strcmp(word, "name") == 0)
            assert_true(text_copy(question->name, sizeof question->name, value));
        else if (strcmp(word, "address") == 0)
            add_address(question, value);
        else if (strcmp(word, "now") == 0)
            assert_true(time_parse(value, &asked->now_ms));
        else if (strcmp(word, "fate") == 0)
            reply->fate = fate_of(value);
        else
            fail_msg("no such word: %s", word);
    }
    return *at == '\n' ? at + 1 : at;
}

static void read_reply(const char *at, struct reply *reply)
{
    while (*at != '\0') {
        size_t n = strcspn(at, "\n") + 1;
        if (n == 1)
            break;
        assert_true(reply_take_header(reply, at, n));
        at += n;
    }
    if (*at == '\0')
        return;
    size_t n = strlen(at + 1);
    while (n > 0 && at[n] == '\n') /* the file's last line */
        n--;
    assert_true(reply_take_body(reply, at + 1, n));
}

static void print_moment(FILE *out, const char *word, int64_t at_ms)
{
    char text[TIME_CHARS + 1];
    if (at_ms == 0)
        return;
    time_format(at_ms, text);
    (void)fprintf(out, "%s %s\n", word, text);
}

static void print_user(FILE *out, const struct user_facts *user)
{
    if (user->id[0] == '\0')
        return;
    (void)fprintf(out, "user %s\nname %s\ndisplay %s\nmail %s\nlanguage %s\n", user->id,
                  user->user_principal_name, user->display_name, user->mail,
                  user->preferred_language);
    for (int i = 0; i < user->n_other_mails; i++)
        (void)fprintf(out, "other_mail %s\n", user->other_mails[i]);
    print_moment(out, "created", user->created_at_ms);
    print_moment(out, "deleted", user->deleted_at_ms);
    print_moment(out, "password_changed", user->last_password_change_at_ms);
    (void)fprintf(out, "enabled %d synced %d licence %d\n", user->enabled, user->synced,
                  user->has_licence);
    for (const char *address = NULL;
         (address = string_list_next(&user->proxy_addresses, address)) != NULL;)
        (void)fprintf(out, "proxy %s\n", address);
}

static void print_answer(FILE *out, const struct directory_answer *answer, const char *next_link)
{
    (void)fprintf(out, "status %s\nhttp %d\n", status_names[answer->status], answer->http_status);
    if (answer->retry_after_ms != 0)
        (void)fprintf(out, "retry_after_ms %lld\n", (long long)answer->retry_after_ms);
    if (answer->error_code[0] != '\0')
        (void)fprintf(out, "code %s\n", answer->error_code);
    if (answer->request_id[0] != '\0')
        (void)fprintf(out, "request_id %s\n", answer->request_id);
    const struct requester_facts *requester = &answer->requester;
    if (requester->exists)
        (void)fprintf(out, "requester %s enabled %d\ndisplay %s\nmail %s\n", requester->id,
                      requester->enabled, requester->display_name, requester->mail);
    for (int i = 0; i < requester->n_roles; i++)
        (void)fprintf(out, "role %s\n", requester->role_template_ids[i]);
    if (answer->n_roles != 0)
        (void)fprintf(out, "n_roles %d\n", answer->n_roles);
    if (answer->manager_mail[0] != '\0')
        (void)fprintf(out, "manager %s\n", answer->manager_mail);
    if (answer->n_candidates != 0)
        (void)fprintf(out, "n_candidates %d\n", answer->n_candidates);
    for (int i = 0; i < answer->n_candidates && i < CANDIDATES_MAX; i++) {
        const struct candidate *found = &answer->candidates[i];
        (void)fprintf(out, "candidate %s %s %s\n", found->id, found->user_principal_name,
                      found->display_name);
    }
    for (int i = 0; i < answer->n_named_addresses; i++)
        (void)fprintf(out, "named %s\n", answer->named_addresses[i]);
    for (int i = 0; i < answer->n_held; i++) {
        const struct holder *holder = &answer->held[i].holder;
        (void)fprintf(out, "held %d %s %s %s %s enabled %d\n", answer->held[i].address,
                      holder_type_word(holder->type), holder->id, holder->user_principal_name,
                      holder->display_name, holder->enabled);
        print_moment(out, "created", holder->created_at_ms);
    }
    print_user(out, &answer->user);
    if (next_link[0] != '\0')
        (void)fprintf(out, "next %s\n", next_link);
}

static void check_case(const char *name)
{
    static char input[FILE_BYTES], expected[FILE_BYTES];
    static struct directory_answer answer;
    struct directory_question question = {0};
    struct asked asked = {.now_ms = INT64_C(1792000000000)};
    struct reply reply = {0};
    char next_link[CALL_URL_BYTES], *found = NULL;
    size_t found_bytes = 0;
    read_file(name, "input", input);
    read_file(name, "expected", expected);
    read_reply(read_asked(input, &asked, &question, &reply), &reply);
    answer_clear(&answer);
    reply_answer(&asked, &reply, &answer, next_link);
    answer_close(asked.kind, &answer);
    FILE *out = open_memstream(&found, &found_bytes);
    assert_non_null(out);
    print_answer(out, &answer, next_link);
    assert_int_equal(fclose(out), 0);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: found\n%s\nexpected\n%s", name, found, expected);
    free(found);
    reply_deinit(&reply);
}

static void every_golden_reply_gives_its_answer(void **state)
{
    (void)state;
    DIR *directory = opendir(TEST_DATA "/reply");
    assert_non_null(directory);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.') {
            check_case(entry->d_name);
            n++;
        }
    (void)closedir(directory);
    assert_true(n >= 30);
}

static void headers_and_bodies_are_bounded(void **state)
{
    (void)state;
    static char line[4096];
    struct reply reply = {0};
    memset(line, 'x', sizeof line);
    for (int i = 0; i < REPLY_HEADER_BYTES_MAX / (int)sizeof line; i++)
        assert_true(reply_take_header(&reply, line, sizeof line));
    assert_false(reply_take_header(&reply, line, 1));
    for (int i = 0; i < REPLY_BODY_BYTES_MAX / (int)sizeof line; i++)
        assert_true(reply_take_body(&reply, line, sizeof line));
    assert_false(reply_take_body(&reply, line, 1));
    assert_true(reply.body_room <= REPLY_BODY_BYTES_MAX);
    reply_clear(&reply, false);
    assert_null(reply.body); /* a large body is not kept */
    assert_true(reply_take_body(&reply, "x", 1));
    reply_clear(&reply, false);
    assert_non_null(reply.body); /* a small one's place is used again */
    reply_deinit(&reply);
}

static void a_header_too_long_for_its_place_is_absent(void **state)
{
    (void)state;
    struct reply reply = {0};
    char line[256] = "Retry-After: ";
    memset(line + strlen(line), '1', sizeof reply.retry_after);
    assert_true(reply_take_header(&reply, line, strlen(line)));
    assert_string_equal(reply.retry_after, "");
    reply_deinit(&reply);
}

static char *write_rows(int n)
{
    char *body = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&body, &bytes);
    assert_non_null(out);
    (void)fprintf(out, "{\"value\":[");
    for (int i = 0; i < n; i++)
        (void)fprintf(out,
                      "%s{\"id\":\"00000000-0000-0000-0000-%012d\",\"userPrincipalName\":"
                      "\"00000000000000000000%012dola@b.no\","
                      "\"deletedDateTime\":\"2026-10-%02dT00:00:00Z\"}",
                      i > 0 ? "," : "", i, i, i % 28 + 1);
    (void)fprintf(out, "]}");
    assert_int_equal(fclose(out), 0);
    return body;
}

static void more_candidates_than_places_are_counted_and_the_newest_kept(void **state)
{
    (void)state;
    static struct directory_answer answer;
    struct directory_question question = {.operation = DIRECTORY_DELETED_BY_NAME,
                                          .name = "Ola@b.no"};
    struct asked asked = {.kind = DIRECTORY_DELETED_BY_NAME, .question = &question};
    struct reply reply = {.http_status = 200};
    char next_link[CALL_URL_BYTES], *body = write_rows(28);
    assert_true(reply_take_body(&reply, body, strlen(body)));
    answer_clear(&answer);
    reply_answer(&asked, &reply, &answer, next_link);
    assert_int_equal(answer.n_candidates, 28);
    for (int i = 1; i < CANDIDATES_MAX; i++)
        assert_true(answer.candidates[i - 1].deleted_at_ms > answer.candidates[i].deleted_at_ms);
    assert_string_equal(answer.candidates[0].id, "00000000-0000-0000-0000-000000000027");
    answer_close(asked.kind, &answer);
    assert_int_equal(answer.status, DIRECTORY_YES);
    assert_string_equal(answer.user.id, ""); /* nobody is picked */
    free(body);
    reply_deinit(&reply);
}

static void a_row_repeated_on_the_next_page_counts_once(void **state)
{
    (void)state;
    static struct directory_answer answer;
    struct directory_question question = {.operation = DIRECTORY_DELETED_BY_NAME,
                                          .name = "ola@b.no"};
    struct asked asked = {.kind = DIRECTORY_DELETED_BY_NAME, .question = &question};
    struct reply reply = {.http_status = 200};
    char next_link[CALL_URL_BYTES], *body = write_rows(1);
    assert_true(reply_take_body(&reply, body, strlen(body)));
    answer_clear(&answer);
    reply_answer(&asked, &reply, &answer, next_link);
    reply_answer(&asked, &reply, &answer, next_link);
    answer_close(asked.kind, &answer);
    assert_int_equal(answer.n_candidates, 1);
    assert_string_equal(answer.user.user_principal_name, "ola@b.no");
    free(body);
    reply_deinit(&reply);
}

static void take_reply(struct directory_answer *answer, int kind, int status, const char *body)
{
    struct directory_question question = {.operation = DIRECTORY_USER_BY_ID,
                                          .id = "00000000-0000-0000-0000-000000000001"};
    struct asked asked = {.kind = kind, .question = &question};
    struct reply reply = {.http_status = status};
    char next_link[CALL_URL_BYTES];
    assert_true(reply_take_body(&reply, body, strlen(body)));
    answer_clear(answer);
    reply_answer(&asked, &reply, answer, next_link);
    reply_deinit(&reply);
}

/* `begin`, n times `item` with its number, `end`. */
static const char *write_list(const char *begin, const char *item, int n, const char *end)
{
    static char body[32768];
    size_t used = (size_t)snprintf(body, sizeof body, "%s", begin);
    for (int i = 0; i < n; i++) {
        const char *hole = strstr(item, "%");
        used += (size_t)snprintf(body + used, sizeof body - used, "%s%.*s%02d%s", i > 0 ? "," : "",
                                 (int)(hole - item), item, i, hole + 1);
    }
    used += (size_t)snprintf(body + used, sizeof body - used, "%s", end);
    assert_true(used < sizeof body);
    return body;
}

static void what_there_is_no_place_for_is_left_out(void **state)
{
    (void)state;
    static struct directory_answer answer;
    take_reply(&answer, DIRECTORY_USER_BY_ID, 200,
               write_list("{\"id\":\"00000000-0000-0000-0000-000000000001\","
                          "\"userPrincipalName\":\"ola@b.no\",\"otherMails\":[",
                          "\"ola%@b.no\"", OTHER_MAILS_MAX + 1, "]}"));
    assert_int_equal(answer.status, DIRECTORY_YES);
    assert_int_equal(answer.user.n_other_mails, OTHER_MAILS_MAX);
    assert_string_equal(answer.user.other_mails[0], "ola00@b.no");

    take_reply(&answer, CALL_REQUESTER_ROLES, 200,
               write_list("{\"value\":[",
                          "{\"roleTemplateId\":\"00000000-0000-0000-0000-0000000000%\"}",
                          ROLES_MAX + 1, "]}"));
    assert_int_equal(answer.status, DIRECTORY_YES);
    assert_int_equal(answer.requester.n_roles, ROLES_MAX);

    take_reply(&answer, DIRECTORY_RESTORE, 400,
               write_list("{\"error\":{\"code\":\"Request_BadRequest\",\"details\":[",
                          "{\"code\":\"ObjectConflict\",\"target\":\"ola%@b.no\"}",
                          NAMED_ADDRESSES_MAX + 1, "]}}"));
    assert_int_equal(answer.status, DIRECTORY_ADDRESS_TAKEN);
    assert_int_equal(answer.n_named_addresses, NAMED_ADDRESSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_reply_gives_its_answer),
        cmocka_unit_test(headers_and_bodies_are_bounded),
        cmocka_unit_test(a_header_too_long_for_its_place_is_absent),
        cmocka_unit_test(more_candidates_than_places_are_counted_and_the_newest_kept),
        cmocka_unit_test(a_row_repeated_on_the_next_page_counts_once),
        cmocka_unit_test(what_there_is_no_place_for_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
