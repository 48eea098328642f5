#include "consumers/journal_care.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_journal_is_kept_as_long_as_the_requests_and_compacted(void **state)
{
    static const struct {
        int64_t requests_ms;
        struct topic_care journal;
        const char *why; /* NULL: right */
    } cases[] = {
        {7, {7, "compact,delete", "LogAppendTime"}, NULL},
        {7, {8, "delete,compact", "LogAppendTime"}, NULL},
        {7, {-1, "compact,delete", "LogAppendTime"}, NULL},
        {-1, {-1, "compact,delete", "LogAppendTime"}, NULL},
        {7,
         {6, "compact,delete", "LogAppendTime"},
         "retention.ms 6 is below the requests' 7: a request may be worked on twice"},
        {-1,
         {6, "compact,delete", "LogAppendTime"},
         "retention.ms 6 is below the requests' -1: a request may be worked on twice"},
        {7, {6, "compact", "LogAppendTime"}, "cleanup.policy is compact, should be compact,delete"},
        {7, {7, "delete", "LogAppendTime"}, "cleanup.policy is delete, should be compact,delete"},
        {7,
         {7, "compact,delete", "CreateTime"},
         "message.timestamp.type is CreateTime, should be LogAppendTime"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[256];
        const struct topic_care requests = {cases[i].requests_ms, "delete", "CreateTime"};
        assert_int_equal(journal_care_judge(&requests, &cases[i].journal, why, sizeof why),
                         cases[i].why == NULL);
        if (cases[i].why != NULL)
            assert_string_equal(why, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_journal_is_kept_as_long_as_the_requests_and_compacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
