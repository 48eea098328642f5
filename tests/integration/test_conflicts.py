"""A name or an address that somebody else bears by now: what the event says, and what its
ready-made requests do when they are sent exactly as they stand in it."""

import uuid

import pytest

from support.contract import TIME, Number, check_event, event_id, later
from support.directory import DOMAIN, REQUESTER, USER_ADMINISTRATOR
from support.events import SOURCE, TYPE_PREFIX
from support.scene import Scene


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka) as scene:
        yield scene


@pytest.fixture(params=[400, 409])
def clash_status(scene, request):
    """The directory's two ways to say the same (400 Request_BadRequest, and the newer 409)."""
    scene.directory.options(clash_status=request.param)
    yield request.param
    scene.directory.options(clash_status=400)


@pytest.fixture
def taken(scene):
    """(a deleted user, the active one who bears the name now)"""
    user = scene.deleted()
    name = user["userPrincipalName"]
    return user, scene.person(userPrincipalName=name, displayName="Successor", mail=None,
                              proxyAddresses=[f"SMTP:successor.{name}"])


def rename(new_name=None):
    return {"userPrincipalName": {"policy": "rename-restored",
                                  **({"newUserPrincipalName": new_name} if new_name else {})}}


def local(user):
    return user["userPrincipalName"].partition("@")[0]


def conflicted(scene, user, **more):
    with scene.untouched():
        outcome = scene.restore(user, **more)
    assert outcome.topic == "conflicts", outcome
    return outcome


# ---- names ------------------------------------------------------------------------------------


def test_a_taken_name_is_a_conflict_that_names_its_holder(scene, taken, clash_status):
    user, holder = taken
    ticket = {"system": "servicenow", "id": "INC1"}
    outcome = conflicted(scene, user, ticket=ticket)
    id, deleted_at = outcome.causation, scene.deleted_at(user)
    check_event(outcome, scene.topics.group, id, event_id(SOURCE, id, user["id"], "conflict"),
                user["id"])
    data = dict(outcome.data)
    assert data.pop("resolutions") and [o["operation"] for o in data.pop("directory")] in (
        ["restore"], [])
    assert data == {
        "requestId": id, "tenant": "contoso",
        "user": {name: user[name] for name in ("id", "userPrincipalName", "displayName")},
        "requestedBy": {"id": REQUESTER}, "ticket": ticket, "deletedAt": deleted_at,
        "restorableUntil": later(deleted_at, days=30), "secondsLeft": Number(1, 29 * 86400),
        "startedAt": TIME, "finishedAt": TIME, "replayed": False,
        "conflicts": [{
            "property": "userPrincipalName", "value": user["userPrincipalName"],
            "holder": {"id": holder["id"], "type": "user",
                       "userPrincipalName": holder["userPrincipalName"],
                       "displayName": "Successor", "createdAt": "2024-02-29T08:00:00.000Z",
                       "enabled": True}}]}
    assert scene.everything(id) == [outcome]  # policy events.notify_on: succeeded alone


def test_the_resolution_is_the_request_with_another_policy(scene, taken):
    user, _ = taken
    outcome = conflicted(scene, user, reason="by mistake",
                         headers={"ce_correlationid": "c-1"})
    id = outcome.causation
    [resolution] = outcome.data["resolutions"]
    assert resolution["policy"] == "rename-restored"
    assert resolution["request"]["key"] == user["id"]
    event = resolution["request"]["event"]
    optional = {"subject", "dataschema", "partitionkey", "causationid"}
    assert {name: value for name, value in event.items() if name not in optional} == {
        "specversion": "1.0", "id": event_id(SOURCE, id, user["id"], "rename-restored"),
        "source": SOURCE, "type": f"{TYPE_PREFIX}user.restore.requested.v1",
        "datacontenttype": "application/json", "correlationid": "c-1",
        "data": {**scene.requests.sent[id][1], "conflict": rename()}}


def test_the_resolution_sent_as_it_stands_restores_under_the_templates_name_once(scene, taken):
    user, holder = taken
    [resolution] = conflicted(scene, user).data["resolutions"]
    id = scene.send_ready(resolution["request"])
    new_name = f"{local(user)}.2@{DOMAIN}"
    first = scene.outcome(id)
    assert first.topic == "succeeded" and first.data["replayed"] is False
    assert first.data["user"]["userPrincipalName"] == new_name
    assert first.data["changes"]["userPrincipalName"] == {"from": user["userPrincipalName"],
                                                          "to": new_name}
    values = scene.notification(id).data["values"]
    assert (values["userPrincipalName"], values["previousUserPrincipalName"]) == (
        new_name, user["userPrincipalName"])

    with scene.untouched():
        scene.send_ready(resolution["request"])
        again = scene.outcome(id, 2)
    assert (again.id, again.data) == (first.id, {**first.data, "replayed": True})
    now = scene.directory.object
    assert now(user["id"])["userPrincipalName"] == new_name
    assert now(holder["id"])["userPrincipalName"] == holder["userPrincipalName"]


def test_a_resolution_asks_for_the_name_that_was_named(scene):
    """Named by name, the deleted user is found by it, whoever bears it now."""
    user = scene.deleted()
    scene.person(userPrincipalName=user["userPrincipalName"], proxyAddresses=[], mail=None)
    outcome = conflicted(scene, user["userPrincipalName"].title())
    [resolution] = outcome.data["resolutions"]
    assert resolution["request"]["key"] == user["userPrincipalName"]
    assert scene.outcome(scene.send_ready(resolution["request"])).topic == "succeeded"


def test_the_next_free_name_of_the_template_is_taken(scene, taken, clash_status):
    user, _ = taken
    for n in (2, 3):
        scene.person(userPrincipalName=f"{local(user)}.{n}@{DOMAIN}")
    outcome = scene.restore(user, conflict=rename())
    assert outcome.topic == "succeeded"
    assert outcome.data["user"]["userPrincipalName"] == f"{local(user)}.4@{DOMAIN}"
    assert scene.directory.effects(user["id"])["restores"] == 1


def test_without_a_clash_the_name_stays_whatever_the_policy(scene):
    user = scene.deleted()
    outcome = scene.restore(user, conflict=rename(f"other.{user['userPrincipalName']}"))
    assert outcome.topic == "succeeded" and "userPrincipalName" not in outcome.data["changes"]


def test_an_exhausted_template_is_a_conflict(scene, taken):
    user, holder = taken
    for n in range(2, 21):
        scene.person(userPrincipalName=f"{local(user)}.{n}@{DOMAIN}")
    outcome = conflicted(scene, user, conflict=rename())
    [conflict] = outcome.data["conflicts"]
    assert (conflict["value"], conflict["holder"]["id"]) == (user["userPrincipalName"],
                                                             holder["id"])


def test_a_new_name_that_is_named_is_given(scene, taken):
    user, _ = taken
    new_name = f"New.{user['userPrincipalName']}"
    outcome = scene.restore(user, conflict=rename(new_name))
    assert outcome.topic == "succeeded"
    assert outcome.data["user"]["userPrincipalName"] == new_name
    opened = scene.worker.keys.open(scene.notification(outcome.causation).data["secret"])
    assert opened["userPrincipalName"] == new_name


def test_a_new_name_that_is_taken_too_is_a_conflict_about_it(scene, taken):
    user, _ = taken
    other = scene.person()
    outcome = conflicted(scene, user, conflict=rename(other["userPrincipalName"]))
    [conflict] = outcome.data["conflicts"]
    assert (conflict["value"], conflict["holder"]["id"]) == (other["userPrincipalName"],
                                                             other["id"])


def test_a_policy_of_the_configuration_needs_no_word_in_the_request(scene, taken):
    user, _ = taken
    with scene.policy(user_principal_name="rename-restored"):
        outcome = scene.restore(user)
        assert outcome.data["user"]["userPrincipalName"] == f"{local(user)}.2@{DOMAIN}"


def test_a_request_may_insist_on_the_name(scene, taken):
    user, _ = taken
    with scene.policy(user_principal_name="rename-restored"):
        conflicted(scene, user, conflict={"userPrincipalName": {"policy": "reject"}})


def test_conflicts_are_notified_where_asked_for(scene, taken):
    user, _ = taken
    scene.worker.reloaded({"events": {"notify_on": ["succeeded", "conflict"]}})
    outcome = conflicted(scene, user, reason="by mistake", notify={"to": ["requester"]},
                         password="leave")
    id = outcome.causation
    notification = scene.notification(id)
    check_event(notification, scene.topics.group, id,
                event_id(SOURCE, id, user["id"], "notification-requested:restore-conflict"),
                user["id"])
    data = notification.data
    assert (data["template"], data["to"]) == ("restore-conflict", [f"admin@{DOMAIN}"])
    assert "secret" not in data and data["values"]["reason"] == "by mistake"
    scene.worker.reloaded({"events": None})


# ---- addresses --------------------------------------------------------------------------------


@pytest.fixture
def clashing(scene):
    """(a deleted user two of whose addresses active users hold by now, the state of these)"""
    user = scene.deleted()
    name = user["userPrincipalName"]
    alias, shared = f"alias.{name}", f"shared.{name}"
    user = scene.deleted(userPrincipalName=f"main.{name}", mail=f"main.{name}", proxyAddresses=[
        f"SMTP:main.{name}", f"smtp:{alias}", f"smtp:{shared}", f"smtp:own.{name}"])
    holders = [scene.person(proxyAddresses=[f"SMTP:holder{i}.{name}", f"smtp:{address.upper()}"])
               for i, address in enumerate((alias, shared))]
    return user, [f"smtp:{alias}", f"smtp:{shared}"], holders


def test_addresses_that_others_hold_are_removed_and_listed(scene, clashing, clash_status):
    user, lost, holders = clashing
    before = [scene.directory.object(holder["id"]) for holder in holders]
    outcome = scene.restore(user)
    assert outcome.topic == "succeeded"
    assert outcome.data["changes"] == {"password": "generated", "removedProxyAddresses": lost}
    now = scene.directory.object(user["id"])
    assert now["proxyAddresses"] == [a for a in user["proxyAddresses"] if a not in lost]
    assert [scene.directory.object(holder["id"]) for holder in holders] == before
    assert scene.notification(outcome.causation).data["values"]["removedProxyAddresses"] == lost


def test_a_lost_primary_address_is_a_change_of_mail_too(scene):
    user = scene.deleted()
    address = user["proxyAddresses"][0]
    scene.person(proxyAddresses=[address.replace("SMTP", "smtp")])
    outcome = scene.restore(user)
    assert outcome.topic == "succeeded"
    assert outcome.data["changes"]["removedProxyAddresses"] == [address]
    assert outcome.data["changes"]["mail"]["from"] == user["mail"]
    assert outcome.data["changes"]["mail"].get("to") is None  # there is none now


def test_rejected_address_clashes_are_a_conflict(scene, clashing, clash_status):
    user, lost, holders = clashing
    outcome = conflicted(scene, user, conflict={"proxyAddresses": "reject"})
    assert outcome.data["conflicts"] == [
        {"property": "proxyAddresses", "value": address, "holder": {
            "id": holder["id"], "type": "user", "enabled": True,
            "userPrincipalName": holder["userPrincipalName"],
            "displayName": holder["displayName"], "createdAt": "2024-02-29T08:00:00.000Z"}}
        for address, holder in zip(lost, holders)]


def test_groups_and_contacts_hold_addresses_too(scene):
    user = scene.deleted()
    name = user["userPrincipalName"]
    user = scene.deleted(userPrincipalName=f"it's.{name}", mail=None, proxyAddresses=[
        f"SMTP:it's.{name}", f"smtp:group.{name}", f"smtp:contact.{name}",
        *(f"smtp:free{i}.{name}" for i in range(10))])
    group = {"id": str(uuid.uuid4()), "displayName": "Project",
             "proxyAddresses": [f"SMTP:group.{name}"]}
    contact = {"id": str(uuid.uuid4()), "displayName": "Partner",
               "proxyAddresses": [f"smtp:Contact.{name}", f"SMTP:IT'S.{name}"]}
    scene.directory.add(groups=[group], contacts=[contact])
    outcome = conflicted(scene, user, conflict={"proxyAddresses": "reject"})
    found = {c["value"]: (c["holder"]["type"], c["holder"]["id"], c["holder"]["displayName"])
             for c in outcome.data["conflicts"]}
    assert found == {f"SMTP:it's.{name}": ("contact", contact["id"], "Partner"),
                     f"smtp:contact.{name}": ("contact", contact["id"], "Partner"),
                     f"smtp:group.{name}": ("group", group["id"], "Project")}


def test_without_the_right_to_read_groups_their_addresses_are_nobodys(scene):
    user = scene.deleted()
    scene.directory.add(groups=[{"id": str(uuid.uuid4()), "displayName": "Project",
                                 "proxyAddresses": user["proxyAddresses"]}])
    with scene.fault(kind="answer", method="GET", path="/v1.0/groups", status=403,
                     code="Authorization_RequestDenied"):
        outcome = conflicted(scene, user, conflict={"proxyAddresses": "reject"})
    assert outcome.data["conflicts"] == [{"property": "proxyAddresses", "holder": "unknown"}]


def test_the_resolution_of_an_address_clash_restores_without_the_address(scene, clashing):
    user, lost, _ = clashing
    outcome = conflicted(scene, user, conflict={"proxyAddresses": "reject"})
    [resolution] = outcome.data["resolutions"]
    assert resolution["policy"] == "remove"
    assert resolution["request"]["event"]["id"] == event_id(SOURCE, outcome.causation, user["id"],
                                                            "remove")
    restored = scene.outcome(scene.send_ready(resolution["request"]))
    assert restored.topic == "succeeded"
    assert restored.data["changes"]["removedProxyAddresses"] == lost


def test_a_request_cannot_allow_what_the_configuration_rejects(scene, clashing):
    user, _, _ = clashing
    with scene.policy(proxy_addresses="reject"):
        with scene.untouched():
            outcome = scene.restore(user, conflict={"proxyAddresses": "remove"})
        assert outcome.data["code"] == "policy_not_allowed"
        assert conflicted(scene, user).data["resolutions"] == []


def test_a_name_and_an_address_may_clash_at_once(scene, clash_status):
    user = scene.deleted()
    scene.person(userPrincipalName=user["userPrincipalName"])  # with its primary address, too
    outcome = scene.restore(user, conflict=rename())
    assert outcome.topic == "succeeded"
    assert outcome.data["user"]["userPrincipalName"] == f"{local(user)}.2@{DOMAIN}"
    assert outcome.data["changes"]["removedProxyAddresses"] == user["proxyAddresses"]


# ---- the active user gives way ----------------------------------------------------------------


ALL_POLICIES = ["rename-restored", "rename-active", "replace-active"]


@pytest.fixture
def freeing(scene):
    with scene.policy(allow=ALL_POLICIES):
        yield


@pytest.fixture
def borne(scene, freeing):
    """(a deleted user, the active one who bears the name now and can be reached by mail)"""
    user = scene.deleted()
    name = user["userPrincipalName"]
    return user, scene.person(userPrincipalName=name, displayName="Successor", mail=f"her.{name}",
                              proxyAddresses=[f"SMTP:her.{name}"], preferredLanguage="sv-SE")


def freed(policy, to=None):
    return {"userPrincipalName": {"policy": policy, **({"renameActiveTo": to} if to else {})}}


def told(scene, id, holder):
    """The notification of the one who gave way."""
    [notification] = [r for r in scene.everything(id)
                      if r.topic == "notifications" and r.key.decode() == holder["id"]]
    check_event(notification, scene.topics.group, id,
                event_id(SOURCE, id, scene.requests.sent[id][1]["user"]["id"],
                         "notification-requested:user-renamed"), holder["id"])
    assert "secret" not in notification.data and "password" not in notification.data["values"]
    return notification.data


def counted(scene, user):
    return {name: n for name, n in scene.directory.effects(user["id"]).items()
            if isinstance(n, int) and not isinstance(n, bool) and n}


def test_the_active_user_is_renamed_and_told(scene, borne, clash_status):
    user, holder = borne
    new_name = f"{local(user)}.2@{DOMAIN}"
    outcome = scene.restore(user, conflict=freed("rename-active"), reason="back")
    assert outcome.topic == "succeeded", outcome.data
    assert outcome.data["changes"] == {"password": "generated", "renamedActiveUser": {
        "id": holder["id"], "from": user["userPrincipalName"], "to": new_name}}
    assert [o["operation"] for o in outcome.data["directory"]] == [
        "restore", "rename_user", "restore", "set_password"]
    now = scene.directory.object
    assert now(user["id"])["userPrincipalName"] == user["userPrincipalName"]
    assert now(holder["id"])["userPrincipalName"] == new_name
    assert (counted(scene, user), counted(scene, holder)) == (
        {"restores": 1, "passwords": 1}, {"renames": 1})
    data = told(scene, outcome.causation, holder)
    assert (data["template"], data["to"], data["locale"]) == (
        "user-renamed", [holder["mail"]], "sv-SE")
    assert data["values"]["displayName"] == "Successor"
    assert data["values"]["userPrincipalName"] == new_name
    assert data["values"]["previousUserPrincipalName"] == user["userPrincipalName"]
    assert data["values"]["reason"] == "back"
    [other] = [r for r in scene.everything(outcome.causation)
               if r.topic == "notifications" and r.key.decode() == user["id"]]
    assert "secret" in other.data and other.data["template"] == "user-restored"


def test_the_active_user_gets_the_next_free_name_or_the_one_that_was_named(scene, borne):
    user, holder = borne
    scene.person(userPrincipalName=f"{local(user)}.2@{DOMAIN}")
    outcome = scene.restore(user, conflict=freed("rename-active"))
    assert outcome.data["changes"]["renamedActiveUser"]["to"] == f"{local(user)}.3@{DOMAIN}"
    assert counted(scene, holder) == {"renames": 1}

    user = scene.deleted()
    holder = scene.person(userPrincipalName=user["userPrincipalName"], mail=None, proxyAddresses=[])
    named = f"another.{user['userPrincipalName']}"
    outcome = scene.restore(user, conflict=freed("rename-active", named))
    assert scene.directory.object(holder["id"])["userPrincipalName"] == named
    # Nobody can be told who has no address.
    assert [r.key.decode() for r in scene.everything(outcome.causation)
            if r.topic == "notifications"] == [user["id"]]


def test_no_free_name_for_the_active_user_is_a_conflict(scene, borne):
    user, holder = borne
    other = scene.person()
    outcome = conflicted(scene, user, conflict=freed("rename-active", other["userPrincipalName"]))
    [conflict] = outcome.data["conflicts"]
    assert (conflict["value"], conflict["holder"]["id"]) == (user["userPrincipalName"],
                                                             holder["id"])
    # By the template it may still work.
    ready = {r["policy"]: r["request"]["event"]["data"]["conflict"]
             for r in outcome.data["resolutions"]}
    assert set(ready) == set(ALL_POLICIES) and ready["rename-active"] == freed("rename-active")


def test_the_active_user_is_replaced_and_told(scene, borne, clash_status):
    user, holder = borne
    outcome = scene.restore(user, conflict=freed("replace-active"))
    assert outcome.topic == "succeeded", outcome.data
    deleted_at = scene.deleted_at(holder)
    assert outcome.data["changes"] == {"password": "generated", "replacedActiveUser": {
        "id": holder["id"], "userPrincipalName": user["userPrincipalName"],
        "restorableUntil": later(deleted_at, days=30)}}
    assert scene.directory.object(user["id"])["userPrincipalName"] == user["userPrincipalName"]
    assert (counted(scene, user), counted(scene, holder)) == (
        {"restores": 1, "passwords": 1}, {"deletes": 1})
    data = told(scene, outcome.causation, holder)
    assert (data["template"], data["to"]) == ("user-renamed", [holder["mail"]])


def test_who_has_no_mail_is_told_at_the_other_addresses(scene, freeing):
    user = scene.deleted()
    holder = scene.person(userPrincipalName=user["userPrincipalName"], mail=None,
                          proxyAddresses=[], otherMails=["a@home.example", "b@home.example"])
    outcome = scene.restore(user, conflict=freed("replace-active"))
    assert told(scene, outcome.causation, holder)["to"] == ["a@home.example", "b@home.example"]


@pytest.mark.parametrize("policy", ["rename-active", "replace-active"])
@pytest.mark.parametrize("protected", [{"roles": [USER_ADMINISTRATOR]},
                                       {"onPremisesSyncEnabled": True}])
def test_the_rules_protect_the_active_user_too(scene, freeing, policy, protected):
    user = scene.deleted()
    holder = scene.person(userPrincipalName=user["userPrincipalName"], proxyAddresses=[], mail=None,
                          **protected)
    outcome = conflicted(scene, user, conflict=freed(policy))
    assert outcome.data["conflicts"][0]["holder"]["id"] == holder["id"]
    assert [r["policy"] for r in outcome.data["resolutions"]] == ["rename-restored"]


@pytest.mark.parametrize("policy", ["rename-active", "replace-active"])
def test_the_resolution_that_frees_the_name_works_as_it_stands(scene, borne, policy):
    user, holder = borne
    resolutions = {r["policy"]: r["request"] for r in conflicted(scene, user).data["resolutions"]}
    assert set(resolutions) == set(ALL_POLICIES)
    outcome = scene.outcome(scene.send_ready(resolutions[policy]))
    assert outcome.topic == "succeeded"
    assert scene.directory.object(user["id"])["userPrincipalName"] == user["userPrincipalName"]


def test_a_holder_whom_the_worker_may_not_touch_is_a_conflict(scene, borne):
    user, holder = borne
    with scene.fault(kind="answer", method="DELETE", user=holder["id"], status=403,
                     code="Authorization_RequestDenied"):
        outcome = conflicted(scene, user, conflict=freed("replace-active"))
    assert outcome.data["conflicts"][0]["holder"]["id"] == holder["id"]
