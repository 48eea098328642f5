"""A name or an address that somebody else bears by now: what the event says, and what its
ready-made requests do when they are sent exactly as they stand in it."""

import uuid

import pytest

from support.contract import TIME, Number, check_event, event_id, later
from support.directory import DOMAIN, REQUESTER
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
