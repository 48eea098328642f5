"""A restore as others see it: the success event, the journal, and the order to the mail service."""

import time

import pytest

from support import secrecy
from support.contract import (GUID, TEXT, TIME, Number, check_event, digest, event_id,
                              jose_header, later, parse_time, partition_of, uuid5)
from support.directory import DOMAIN, REQUESTER, USER_ADMINISTRATOR
from support.events import SOURCE
from support.scene import Scene

WORDS = ["manager", "requester", "user-alternate"]


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    settings = {"policy": {"secret_recipients": [*WORDS, f"@{DOMAIN}"]}}
    with Scene(tmp_path_factory.mktemp("scene"), kafka, settings) as scene:
        yield scene


def operation(name, key, n=1):
    return {"operation": name, "clientRequestId": uuid5(key, name, str(n)), "requestId": GUID,
            "at": TIME}


def restored_data(scene, user, id, named=None, **more):
    """The whole success event of a plain restore with a new password."""
    key = event_id(SOURCE, id, named or user["id"], "journal")
    deleted_at = more.pop("deletedAt")
    return {
        "requestId": id, "tenant": "contoso",
        "user": {name: user[name] for name in ("id", "userPrincipalName", "displayName")},
        "requestedBy": {"id": REQUESTER}, "deletedAt": deleted_at,
        "restorableUntil": later(deleted_at, days=30),
        "secondsLeft": Number(29 * 86400 - 120, 29 * 86400), "startedAt": TIME, "finishedAt": TIME,
        "replayed": False,
        "directory": [operation("restore", key), operation("set_password", key)],
        "disposition": "restored", "changes": {"password": "generated"}, "todo": [], **more}


# ---- the success event ------------------------------------------------------------------------


def test_a_user_named_by_id_comes_back_and_the_event_says_all_of_it(scene):
    user = scene.deleted()
    deleted_at = scene.deleted_at(user)
    ticket = {"system": "servicenow", "id": "INC0012345"}
    reason = "INC0012345: slettet ved en feil – «Ola»"
    begun = time.time()
    outcome = scene.restore(user, reason=reason, ticket=ticket)
    ended = time.time()

    id = outcome.causation
    assert outcome.topic == "succeeded"
    check_event(outcome, scene.topics.group, id,
                event_id(SOURCE, id, user["id"], "succeeded"), user["id"])
    assert outcome.data == restored_data(scene, user, id, deletedAt=deleted_at, reason=reason,
                                         ticket=ticket)
    assert outcome.headers["ce_time"] == outcome.data["finishedAt"]
    started, finished = (parse_time(outcome.data[name]).timestamp()
                         for name in ("startedAt", "finishedAt"))
    assert begun - 0.001 <= started <= finished <= ended
    assert len(scene.everything(id)) == 2  # and the notification

    now = scene.directory.object(user["id"])
    assert (now["userPrincipalName"], now["deletedDateTime"]) == (user["userPrincipalName"], None)
    effects = scene.directory.effects(user["id"])
    assert (effects["restores"], effects["passwords"], effects["enables"]) == (1, 1, 0)
    assert effects["mustChange"] is True


def test_a_user_named_by_name_in_any_case_comes_back(scene):
    user = scene.deleted()
    named = user["userPrincipalName"].upper()
    deleted_at = scene.deleted_at(user)
    outcome = scene.restore(named)
    id = outcome.causation
    check_event(outcome, scene.topics.group, id,
                event_id(SOURCE, id, user["userPrincipalName"], "succeeded"), user["id"])
    assert outcome.data == restored_data(scene, user, id, named, deletedAt=deleted_at)


def test_the_event_id_is_the_contracts_vector(scene):
    user = scene.deleted(id="8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10")
    id = scene.requests.restore(user["id"], id="INC0012345",
                                headers={"ce_source": "urn:servicenow:prod"})
    assert scene.outcome(id).id == "3fac718e-8086-5256-a5ed-f283398b4b66"
    assert event_id("urn:servicenow:prod", id, user["id"], "succeeded") == scene.outcome(id).id


def test_calls_carry_the_client_request_ids_that_the_event_names(scene):
    user = scene.deleted()
    with scene.calls() as calls:
        outcome = scene.restore(user)
    changes = [call for call in calls if call["method"] in ("POST", "PATCH")
               and "oauth2" not in call["path"]]
    assert [call["client_request_id"] for call in changes] == \
        [done["clientRequestId"] for done in outcome.data["directory"]]
    assert all(call["client_request_id"] for call in calls)


def test_what_the_account_lacks_becomes_todo(scene):
    user = scene.deleted(accountEnabled=False, assignedLicenses=0)
    outcome = scene.restore(user)
    assert outcome.data["todo"] == ["sign_in_disabled", "no_licence"]
    assert scene.directory.object(user["id"])["accountEnabled"] is False


def test_a_restored_administrator_is_pointed_out(scene):
    others = {"roleGroups": [USER_ADMINISTRATOR], "scopedRoles": [
        {"roleTemplateId": USER_ADMINISTRATOR, "directoryScopeId": "/administrativeUnits/x"}]}
    with scene.policy(privileged_targets="allow"):
        user = scene.deleted(roles=[USER_ADMINISTRATOR])
        assert scene.restore(user).data["todo"] == ["restored_administrator"]
        assert scene.restore(scene.deleted(**others)).data["todo"] == []  # groups are no roles


@pytest.mark.parametrize("targets, made", [
    ("allow", ["GET", "POST", "PATCH", "GET"]),
    ("reject", ["GET", "GET", "POST", "PATCH", "GET"])])
def test_a_plain_restore_takes_no_call_too_many(scene, targets, made):
    to_desk = {"to": [f"desk@{DOMAIN}"]}
    with scene.policy(privileged_targets=targets):
        scene.restore(scene.deleted(), notify=to_desk)  # reads the requester
        user = scene.deleted()
        with scene.calls() as calls:
            outcome = scene.restore(user, notify=to_desk)
    assert outcome.data["changes"] == {"password": "generated"} and outcome.data["todo"] == []
    assert [call["method"] for call in calls] == made
    assert ["$expand" in call["path"] for call in calls] == \
        [False] * (len(made) - 1) + [targets == "allow"]


def test_an_active_user_is_reported_and_left_alone(scene):
    user = scene.person()
    with scene.untouched(), scene.calls() as calls:
        outcome = scene.restore(user)
    assert outcome.topic == "succeeded"
    assert (outcome.data["disposition"], outcome.data["changes"]) == ("already-active", {})
    assert outcome.data["user"]["userPrincipalName"] == user["userPrincipalName"]
    assert "deletedAt" not in outcome.data and outcome.data["directory"] == []
    assert {call["method"] for call in calls} <= {"GET"}
    assert scene.everything(outcome.causation) == [outcome]


def test_a_requester_named_by_name_is_accepted_and_echoed(scene):
    requester = {"userPrincipalName": f"Admin@{DOMAIN}"}
    outcome = scene.restore(scene.deleted(), requestedBy=requester)
    assert (outcome.topic, outcome.data["requestedBy"]) == ("succeeded", requester)


def test_a_role_held_through_a_group_is_enough(scene):
    helper = scene.person(roleGroups=["62e90394-69f5-4237-9190-012177145e10"])
    outcome = scene.restore(scene.deleted(), requestedBy={"id": helper["id"]})
    assert outcome.topic == "succeeded"


# ---- the journal ------------------------------------------------------------------------------


def test_the_journal_holds_the_intent_and_then_the_published_event(scene):
    user = scene.deleted()
    outcome = scene.restore(user)
    id = outcome.causation
    key, data, partition, offset = scene.requests.sent[id]
    intent, done = scene.journal(event_id(SOURCE, id, user["id"], "journal"))

    assert intent.partition == done.partition == partition == partition_of(key, 12)
    rw = {"rw-v": "1", "rw-offset": str(offset), "rw-digest": digest(data)}
    started = round(parse_time(outcome.data["startedAt"]).timestamp() * 1000)
    for record, state in ((intent, "intent"), (done, "done")):
        assert {**record.headers, **rw, "rw-state": state,
                "rw-started": str(started)} == record.headers
        assert record.headers["rw-time"].isdecimal()
    assert {name: value for name, value in done.headers.items()
            if not name.startswith("rw-")} == outcome.headers
    assert done.value == outcome.value


def test_the_intent_holds_the_plan_and_the_user_as_found(scene):
    user = scene.deleted(proxyAddresses=["SMTP:a@contoso.com", "smtp:b@contoso.com"])
    before = scene.directory.object(user["id"])
    outcome = scene.restore(user, conflict={"proxyAddresses": "reject"})
    intent = scene.journal(event_id(SOURCE, outcome.causation, user["id"], "journal"))[0].data
    assert intent["plan"] == {"policy": "reject", "template": "{local}.{n}@{domain}",
                              "proxyAddresses": "reject", "password": "generate"}
    assert intent["phase"] == "restore" and "holder" not in intent
    expected = {name: before[name] for name in ("id", "mail", "proxyAddresses")}
    expected["userPrincipalName"] = user["userPrincipalName"]
    expected["deletedDateTime"] = before["deletedDateTime"].replace("Z", ".000Z")
    expected["synced"] = False
    assert {**intent["user"], **expected} == intent["user"]


# ---- the notification -------------------------------------------------------------------------


def test_the_mail_service_is_told_everything_it_needs(scene):
    user = scene.deleted()
    ticket = {"system": "servicenow", "id": "INC1"}
    outcome = scene.restore(user, ticket=ticket, reason="by mistake",
                            notify={"to": ["manager"], "cc": [f"desk@{DOMAIN}"],
                                    "locale": "nb-NO"})
    id, finished = outcome.causation, outcome.data["finishedAt"]
    notification = scene.notification(id)
    check_event(notification, scene.topics.group, id,
                event_id(SOURCE, id, user["id"], "notification-requested:user-restored"),
                user["id"])
    assert notification.headers["ce_time"] == finished
    data = dict(notification.data)
    assert {data.pop("requestId", id), data.pop("tenant", "contoso")} == {id, "contoso"}
    assert data == {
        "template": "user-restored", "to": [f"manager@{DOMAIN}"], "cc": [f"desk@{DOMAIN}"],
        "locale": "nb-NO", "expiresAt": later(finished, hours=24), "secret": TEXT,
        "values": {
            "displayName": user["displayName"], "userPrincipalName": user["userPrincipalName"],
            "restoredAt": finished, "passwordChanged": True, "mustChangeAtSignIn": True,
            "contact": {"displayName": "Admin", "mail": f"admin@{DOMAIN}"},
            "ticket": ticket, "reason": "by mistake"}}


def test_the_password_opens_with_the_mail_services_key_alone(scene):
    user = scene.deleted()
    notification = scene.notification(scene.restore(user).causation)
    header = jose_header(notification.data["secret"])
    assert set(header) == {"alg", "enc", "kid", "typ", "cty", "epk"}
    assert (header["alg"], header["enc"]) == ("ECDH-ES+A256KW", "A256GCM")
    assert header["kid"] == scene.worker.keys.thumbprint()
    assert (header["epk"]["kty"], header["epk"]["crv"]) == ("EC", "P-256")
    assert "d" not in header["epk"]

    expires = parse_time(notification.data["expiresAt"]).timestamp()
    assert scene.worker.keys.open(notification.data["secret"]) == {
        "password": scene.directory.effects(user["id"])["password"],
        "userPrincipalName": user["userPrincipalName"], "userId": user["id"],
        "eventId": notification.id, "to": notification.data["to"], "exp": int(expires)}


def test_every_user_gets_another_password(scene):
    users = [scene.deleted() for _ in range(5)]
    scene.reader.outcomes_of(*[scene.requests.restore(user["id"]) for user in users])
    passwords = {scene.directory.effects(user["id"])["password"] for user in users}
    assert len(passwords) == 5 and all(len(password) >= 12 for password in passwords)


@pytest.mark.parametrize("to, told", [
    (["manager"], [f"manager@{DOMAIN}"]),
    (["requester"], [f"admin@{DOMAIN}"]),
    (["user-alternate"], ["home@example.org", "old@example.org"]),
    ([f"Desk@{DOMAIN.upper()}"], [f"Desk@{DOMAIN.upper()}"]),
    (["requester", f"admin@{DOMAIN}", "manager"], [f"admin@{DOMAIN}", f"manager@{DOMAIN}"]),
    (None, [f"manager@{DOMAIN}"]),  # policy.notify_default
])
def test_the_notification_goes_to_those_named(scene, to, told):
    user = scene.deleted(otherMails=["home@example.org", "old@example.org"])
    outcome = scene.restore(user, notify=to and {"to": to})
    notification = scene.notification(outcome.causation)
    assert notification.data["to"] == told
    assert scene.worker.keys.open(notification.data["secret"])["to"] == told


def test_a_word_that_resolves_to_nobody_is_skipped(scene):
    outcome = scene.restore(scene.deleted(), notify={"to": ["user-alternate", "requester"]})
    assert scene.notification(outcome.causation).data["to"] == [f"admin@{DOMAIN}"]


@pytest.mark.parametrize("notify", [
    {"to": ["someone@elsewhere.example"]},
    {"to": ["manager", "someone@elsewhere.example"]},
    {"to": ["manager"], "cc": ["someone@elsewhere.example"]},
    {"to": [f"someone@sub.{DOMAIN}"]},
    {"to": ["user-alternate"]},  # which this user has not
])
def test_a_recipient_who_may_not_know_the_password_is_refused_before_any_change(scene, notify):
    user = scene.deleted()
    with scene.untouched():
        outcome = scene.restore(user, notify=notify)
    assert (outcome.topic, outcome.data["code"]) == ("failed", "recipient_not_allowed")
    assert scene.everything(outcome.causation) == [outcome]


@pytest.mark.parametrize("asked, preferred, told", [
    ("nb-NO", "de-DE", "nb-NO"), (None, "de-DE", "de-DE"), (None, None, None)])
def test_the_locale_is_the_requests_else_the_users(scene, asked, preferred, told):
    notify = {"to": ["manager"], **({"locale": asked} if asked else {})}
    outcome = scene.restore(scene.deleted(preferredLanguage=preferred), notify=notify)
    assert scene.notification(outcome.causation).data.get("locale") == told


def test_without_a_manager_the_user_is_restored_and_the_password_left(scene):
    user = scene.deleted(manager=None)
    with scene.calls() as calls:
        outcome = scene.restore(user)
    assert outcome.topic == "succeeded"
    assert outcome.data["changes"] == {"password": "left"}
    assert outcome.data["todo"] == ["password_not_set"]
    assert "PATCH" not in {call["method"] for call in calls}
    assert scene.everything(outcome.causation) == [outcome]  # nobody to tell


def test_password_leave_writes_none_and_the_notification_has_no_secret(scene):
    user = scene.deleted()
    with scene.calls() as calls:  # without a secret any address will do
        outcome = scene.restore(user, password="leave", notify={"to": ["who@elsewhere.example"]})
    assert outcome.data["changes"] == {"password": "left"}
    assert outcome.data["todo"] == ["password_not_set"]
    assert "PATCH" not in {call["method"] for call in calls}
    data = scene.notification(outcome.causation).data
    assert data["to"] == ["who@elsewhere.example"] and "secret" not in data
    assert data["values"]["passwordChanged"] is False
    assert data["expiresAt"] == later(outcome.data["finishedAt"], hours=24)


def test_a_refused_password_is_todo_and_told_without_a_secret(scene):
    user = scene.deleted()
    with scene.fault(method="PATCH", user=user["id"], kind="answer", status=400, times=-1,
                     code="Request_BadRequest"):
        outcome = scene.restore(user)
    assert outcome.topic == "succeeded"
    assert outcome.data["todo"] == ["password_not_set"]
    assert outcome.data["changes"] == {"password": "left"}
    assert [done["operation"] for done in outcome.data["directory"]] == ["restore", "set_password"]
    data = scene.notification(outcome.causation).data
    assert "secret" not in data and data["values"]["passwordChanged"] is False


def test_no_password_and_no_secret_stands_in_clear_in_any_topic_page_or_log(scene):
    """Of all tests in this file; test_protections.py has the control."""
    user = scene.deleted()
    scene.restore(user)
    texts = secrecy.written(scene.kafka.bootstrap, scene.topics, scene.worker)
    assert any(user["id"].encode() in text for text in texts)  # they are the ones to search
    assert secrecy.in_clear(secrecy.secrets(scene.directory), texts) == set()
