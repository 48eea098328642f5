#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/situations.h"

#include <stdio.h>
#include <string.h>

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

static void a_list(struct run *run)
{
    run->request.mode = MODE_LIST;
    run->request.user = (struct named){0};
}

static void a_plan(struct run *run)
{
    run->request.mode = MODE_PLAN;
    run->world.name_taken = true;
    run->world.address_taken = true;
}

static void a_plan_to_rename(struct run *run)
{
    a_plan(run);
    run->world.n_template_names_taken = 2;
    run->request.name_policy = NAME_POLICY_RENAME_RESTORED;
}

static void rename_active(struct run *run)
{
    run->world.name_taken = true;
    run->rules.name_policy_allowed[NAME_POLICY_RENAME_ACTIVE] = true;
    run->request.name_policy = NAME_POLICY_RENAME_ACTIVE;
}

static void rename_active_by_template(struct run *run)
{
    rename_active(run);
    run->world.n_template_names_taken = 2;
}

static void rename_active_once(struct run *run)
{
    rename_active(run);
    text_copy(run->request.rename_active_to, sizeof run->request.rename_active_to,
              "ola.n@contoso.com");
}

static void rename_active_in_vain(struct run *run)
{
    rename_active_once(run);
    run->world.new_name_taken = true;
}

static void replace_active(struct run *run)
{
    run->world.name_taken = true;
    run->rules.name_policy_allowed[NAME_POLICY_REPLACE_ACTIVE] = true;
    run->request.name_policy = NAME_POLICY_REPLACE_ACTIVE;
}

static void rename_undone(struct run *run)
{
    rename_active(run);
    run->world.restore_refused = true;
}

static void replace_undone(struct run *run)
{
    replace_active(run);
    run->world.restore_refused = true;
}

static void holder_lags(struct run *run)
{
    run->world.holder_lag_ms = 6 * SECOND_MS;
    run->world.lag_ms = 20 * SECOND_MS;
    run->world.bin_lag_ms = 6 * SECOND_MS;
}

static void rename_with_lag(struct run *run)
{
    rename_active(run);
    holder_lags(run);
}

static void replace_with_lag(struct run *run)
{
    replace_active(run);
    holder_lags(run);
}

static void replace_undone_with_lag(struct run *run)
{
    replace_undone(run);
    holder_lags(run);
}

static void rename_undone_with_lag(struct run *run)
{
    rename_undone(run);
    holder_lags(run);
}

static void replace_taken_again(struct run *run)
{
    replace_active(run);
    run->world.name_taken_again = true;
}

static void rename_taken_again(struct run *run)
{
    rename_active(run);
    run->world.name_taken_again = true;
}

static void holder_is_administrator(struct run *run)
{
    replace_active(run);
    run->world.n_holder_roles = 1;
}

static void holder_is_synced(struct run *run)
{
    rename_active(run);
    run->world.holder_synced = true;
}

static void rename_and_address(struct run *run)
{
    rename_active(run);
    run->world.address_taken = true;
}

static void replace_and_reject_addresses(struct run *run)
{
    replace_active(run);
    address_rejected(run);
}

static void a_plan_to_rename_the_active(struct run *run)
{
    rename_active_by_template(run);
    run->request.mode = MODE_PLAN;
}

/* That of the plan for the same situation. */
static void with_its_plan_hash(struct run *run)
{
    static struct run plan;
    memcpy(&plan, run, offsetof(struct run, job));
    plan.request.mode = MODE_PLAN;
    plan.script = (struct script){0};
    plan.traced = false;
    run_restore(&plan);
    memcpy(run->request.plan_hash, plan.job.outcome.plan_hash, sizeof run->request.plan_hash);
}

static void planned(struct run *run)
{
    with_its_plan_hash(run);
}

static void planned_to_rename(struct run *run)
{
    rename_by_template(run);
    run->world.address_taken = true;
    with_its_plan_hash(run);
}

static void planned_to_replace(struct run *run)
{
    replace_active(run);
    with_its_plan_hash(run);
}

static void planned_otherwise(struct run *run)
{
    with_its_plan_hash(run);
    run->world.name_taken = true;
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
    {"rename active", true, rename_active},
    {"rename active by template", false, rename_active_by_template},
    {"rename active once", false, rename_active_once},
    {"rename active in vain", false, rename_active_in_vain},
    {"rename active, lag", false, rename_with_lag},
    {"rename active, undone", true, rename_undone},
    {"rename active, undone, lag", false, rename_undone_with_lag},
    {"rename active, taken again", false, rename_taken_again},
    {"rename active and an address", false, rename_and_address},
    {"replace active", true, replace_active},
    {"replace active, lag", false, replace_with_lag},
    {"replace active, undone", true, replace_undone},
    {"replace active, undone, lag", false, replace_undone_with_lag},
    {"replace active, taken again", false, replace_taken_again},
    {"replace active, an address is not let go", false, replace_and_reject_addresses},
    {"the holder is an administrator", false, holder_is_administrator},
    {"the holder is synchronised", false, holder_is_synced},
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
    {"a list", false, a_list},
    {"a plan", false, a_plan},
    {"a plan to rename", false, a_plan_to_rename},
    {"a plan to rename the active", false, a_plan_to_rename_the_active},
    {"planned", false, planned},
    {"planned to rename", false, planned_to_rename},
    {"planned to replace", false, planned_to_replace},
    {"planned otherwise", false, planned_otherwise},
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
