/* A list over many pages: where it stops, and where it does not go. */
#include "tests/component/directory/fixture.h"
#include "worker/directory/calls.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct user_list list;
static struct asking asking;

static void ask_for_a_list(struct fixture *fixture, int64_t until_ms)
{
    asking_init(&asking, fixture, DIRECTORY_LIST_DELETED);
    asking.question.wish = (struct list_wish){.retention_ms = 30 * DAY_MS, .until_ms = until_ms};
    asking.call.list = &list;
    asking_begin(&asking);
    asking_wait(&asking);
    assert_ptr_equal(asking.answer.list, &list);
}

/* One user a page, each deleted a day after the one before, and always another page. */
static void another_page(void *context, const struct scripted_request *request,
                         struct scripted_reply *reply)
{
    static char body[512];
    struct fixture *fixture = context;
    if (request->number == 0) {
        assert_non_null(strstr(request->target, "$orderby=deletedDateTime"));
        assert_non_null(strstr(request->head, "ConsistencyLevel: eventual"));
    }
    (void)snprintf(body, sizeof body,
                   "{\"value\":[{\"id\":\"00000000-0000-4000-8000-%012d\","
                   "\"userPrincipalName\":\"00000000000040008000%012duser@contoso.com\","
                   "\"deletedDateTime\":\"1971-%02d-%02dT00:00:00Z\"}],"
                   "\"@odata.nextLink\":\"%s/v1.0/page\"}",
                   request->number, request->number, request->number / 28 + 1,
                   request->number % 28 + 1, scripted_server_url(fixture->server));
    reply->body = body;
}

static void a_list_without_end_is_read_so_far_and_truncated(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, another_page);
    ask_for_a_list(fixture, INT64_MAX);
    check_status(&asking, DIRECTORY_YES, 200);
    assert_int_equal(list.n, CALL_PAGES_MAX);
    assert_true(list.truncated);
    assert_string_equal(list.users[0].user_principal_name, "user@contoso.com");
    assert_int_equal(fixture->n_graph, CALL_PAGES_MAX);
}

static void behind_the_first_who_has_time_no_page_is_read(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, another_page);
    ask_for_a_list(fixture, (365 + 33) * DAY_MS);
    check_status(&asking, DIRECTORY_YES, 200);
    assert_int_equal(list.n, 4);
    assert_false(list.truncated);
    assert_int_equal(fixture->n_graph, 5);
}

static void a_list_that_is_asked_for_again_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, another_page);
    ask_for_a_list(fixture, (365 + 33) * DAY_MS);
    ask_for_a_list(fixture, (365 + 33) * DAY_MS);
    assert_int_equal(list.n, 0); /* the pages went on */
}

static void page_elsewhere(void *context, const struct scripted_request *request,
                           struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = "{\"value\":[],\"@odata.nextLink\":\"http://127.0.0.1:9/v1.0/page\"}";
}

static void the_token_goes_to_no_other_host(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, page_elsewhere);
    ask_for_a_list(fixture, INT64_MAX);
    check_status(&asking, DIRECTORY_UNKNOWN, 200);
    assert_int_equal(fixture->n_graph, 1);
}

static void no_date(void *context, const struct scripted_request *request,
                    struct scripted_reply *reply)
{
    (void)context, (void)request;
    reply->body = "{\"value\":[{\"id\":\"" USER_ID "\",\"userPrincipalName\":\"" USER_NAME "\"}]}";
}

static void a_row_without_the_moment_of_deletion_answers_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture_start(fixture, no_date);
    ask_for_a_list(fixture, INT64_MAX);
    check_status(&asking, DIRECTORY_UNKNOWN, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_without_end_is_read_so_far_and_truncated),
        TEST(behind_the_first_who_has_time_no_page_is_read),
        TEST(a_list_that_is_asked_for_again_begins_anew),
        TEST(the_token_goes_to_no_other_host),
        TEST(a_row_without_the_moment_of_deletion_answers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
