#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/situations.h"

#include <stdio.h>

static void plain(struct run *run)
{
    (void)run;
}

static void by_name(struct run *run)
{
    run->request.user.by = NAMED_BY_NAME;
    text_copy(run->request.user.text, sizeof run->request.user.text, "Ola@Contoso.com");
}

static void replicas_lag(struct run *run)
{
    run->world.lag_ms = 40 * SECOND_MS;
    run->world.bin_lag_ms = 6 * SECOND_MS;
}

static void name_taken(struct run *run)
{
    run->world.name_taken = true;
}

static void rename_by_template(struct run *run)
{
    run->world.name_taken = true;
    run->world.n_template_names_taken = 2;
    run->request.name_policy = NAME_POLICY_RENAME_RESTORED;
}

static void rename_once(struct run *run)
{
    run->world.name_taken = true;
    run->request.name_policy = NAME_POLICY_RENAME_RESTORED;
    text_copy(run->request.new_user_principal_name, sizeof run->request.new_user_principal_name,
              "ola.n@contoso.com");
}

static void rename_in_vain(struct run *run)
{
    rename_once(run);
    run->world.new_name_taken = true;
}

static void address_removed(struct run *run)
{
    run->world.address_taken = true;
}

static void address_rejected(struct run *run)
{
    run->world.address_taken = true;
    run->request.address_policy = ADDRESS_POLICY_REJECT;
}

static void both_taken(struct run *run)
{
    rename_once(run);
    run->world.address_taken = true;
}

static void password_left(struct run *run)
{
    run->request.password = PASSWORD_LEAVE;
    run->rules.notify_on_succeeded = false;
}

static void password_refused(struct run *run)
{
    run->world.password_refused = true;
}

static void told_to_the_requester(struct run *run)
{
    run->request.has_notify_to = true;
    given_recipients(&run->request.notify_to, "requester", NULL);
    run->rules.secret_words |= RECIPIENT_REQUESTER;
}

static void nobody_to_tell(struct run *run)
{
    run->world.manager_is_nobody = true;
}

static void nobody_checked(struct run *run)
{
    run->rules.check_requester = false;
    run->rules.reject_privileged_targets = false;
}

static void short_deadline(struct run *run)
{
    run->rules.request_deadline_ms = 20 * SECOND_MS;
}

static void already_active(struct run *run)
{
    run->world.place = PLACE_ACTIVE;
}

static void purged(struct run *run)
{
    run->world.place = PLACE_PURGED;
}

static void a_stranger(struct run *run)
{
    run->world.requester_is_nobody = true;
}

static void deleted_again(struct run *run)
{
    run->world.deleted_again_after_ms = SECOND_MS;
}

static void roles_read_for_another(struct run *run)
{
    run->world.requester_read_ago_ms = MINUTE_MS - 3 * CALL_MS;
}

static void another_is_faster(struct run *run)
{
    run->world.another_restores_at_ms = HOUR_MS + 350; /* before RESTORE of a run without faults */
}

static void not_after_a_minute(struct run *run)
{
    run->request.not_after_ms = GIVEN_NOW_MS + MINUTE_MS;
}

const struct situation situations[] = {
    {"plain", true, plain},
    {"by name", false, by_name},
    {"replicas lag", true, replicas_lag},
    {"name taken", true, name_taken},
    {"rename by template", true, rename_by_template},
    {"rename once", false, rename_once},
    {"rename in vain", false, rename_in_vain},
    {"address removed", true, address_removed},
    {"address rejected", true, address_rejected},
    {"both taken", false, both_taken},
    {"password left", false, password_left},
    {"password refused", false, password_refused},
    {"told to the requester", false, told_to_the_requester},
    {"nobody to tell", false, nobody_to_tell},
    {"nobody checked", false, nobody_checked},
    {"short deadline", false, short_deadline},
    {"already active", false, already_active},
    {"purged", false, purged},
    {"a stranger", false, a_stranger},
    {"deleted again", true, deleted_again},
    {"roles read for another", false, roles_read_for_another},
    {"another is faster", false, another_is_faster},
    {"not after a minute", false, not_after_a_minute},
};
const int n_situations = sizeof situations / sizeof situations[0];

void assert_promises_kept(struct run *run, const char *situation)
{
    if (run->broken == NULL)
        return;
    print_error("in \"%s\", seed %llu:", situation, (unsigned long long)run->seed);
    for (int i = 0; i < run->script.n_faults; i++)
        print_error(" %s,", fault_name(run->script.faults[i]));
    for (int i = 0; i < run->script.n_crashes; i++)
        print_error(" crash %d at action %d", run->script.crashes[i].crash,
                    run->script.crashes[i].at_action);
    print_error("\n%s", run->trace);
    fail_msg("%s", run->broken);
}
