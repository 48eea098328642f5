"""Mode `plan`: what would happen, read and not done; and the hash that holds a restore to it."""

import pytest

from support.contract import TEXT, TIME, Number, check_event, event_id, later, plan_hash
from support.directory import DOMAIN, REQUESTER, USER_ADMINISTRATOR
from support.events import SOURCE, TYPE_PREFIX
from support.refusal import FINAL
from support.scene import Scene

DEFAULT = {"userPrincipalName": "reject", "proxyAddresses": "remove"}
ALLOWED = ["rename-restored", "rename-active", "replace-active"]


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka, {"policy": {"allow": ALLOWED}}) as scene:
        yield scene


@pytest.fixture
def taken(scene):
    """(a deleted user, the active one who bears the name and the address now)"""
    user = scene.deleted()
    return user, scene.person(userPrincipalName=user["userPrincipalName"],
                              displayName="Successor")


def local(user):
    return user["userPrincipalName"].partition("@")[0]


def name_policy(policy, **names):
    return {"userPrincipalName": {"policy": policy, **names}}


def in_the_bin(scene, user):
    return {**user, "deletedDateTime": scene.directory.object(user["id"])["deletedDateTime"]}


def planned(scene, user, would, **more):
    """Asks for a plan, which changes nothing; the event."""
    with scene.untouched(), scene.calls() as calls:
        event = scene.restore(user, mode="plan", **more)
    assert (event.topic, event.data["would"]) == ("plans", would), event
    assert {call["method"] for call in calls if "oauth2" not in call["path"]} <= {"GET"}
    id, user_id = event.causation, event.data["user"].get("id")
    named = user if isinstance(user, str) else user["id"]
    check_event(event, scene.topics.group, id, event_id(SOURCE, id, named, "planned"),
                user_id or id, kind="planned")
    assert scene.everything(id) == [event]  # and nobody is mailed
    return event


def apply(scene, event):
    return scene.outcome(scene.send_ready(event.data["apply"]))


# ---- what would happen ------------------------------------------------------------------------


def test_a_plan_says_all_that_the_restore_would_say_beforehand(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore", reason="by mistake")
    id, data, deleted_at = event.causation, event.data, scene.deleted_at(user)
    request = {**scene.requests.sent[id][1], "planHash": data["planHash"]}
    del request["mode"]
    assert data == {
        "requestId": id, "tenant": "contoso",
        "user": {name: user[name] for name in ("id", "userPrincipalName", "displayName")},
        "requestedBy": {"id": REQUESTER}, "reason": "by mistake", "deletedAt": deleted_at,
        "restorableUntil": later(deleted_at, days=30), "secondsLeft": Number(1, 29 * 86400),
        "startedAt": TIME, "finishedAt": event.headers["ce_time"], "replayed": False,
        "directory": [], "would": "restore",
        "planHash": plan_hash(in_the_bin(scene, user), DEFAULT),
        "disposition": "restored", "changes": {"password": "generated"}, "todo": [],
        "apply": {"key": user["id"], "event": {
            "specversion": "1.0", "id": event_id(SOURCE, id, user["id"], "apply"),
            "source": SOURCE, "type": f"{TYPE_PREFIX}user.restore.requested.v1",
            "datacontenttype": "application/json",
            "dataschema": "urn:restore-worker:schema:requested:1", "partitionkey": user["id"],
            "correlationid": id, "data": request}}}


def test_a_plan_sent_as_it_stands_is_carried_out_once(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore")
    first = apply(scene, event)
    assert first.topic == "succeeded" and first.data["disposition"] == "restored"
    with scene.untouched():
        scene.send_ready(event.data["apply"])
        assert scene.outcome(first.causation, 2).data["replayed"] is True
    assert scene.directory.effects(user["id"])["restores"] == 1


def test_a_plan_names_the_new_name_and_the_lost_addresses(scene, taken):
    user, holder = taken
    scene.person(userPrincipalName=f"{local(user)}.2@{DOMAIN}", proxyAddresses=[], mail=None)
    event = planned(scene, user, "restore", conflict=name_policy("rename-restored"))
    new_name = f"{local(user)}.3@{DOMAIN}"
    assert event.data["changes"] == {
        "userPrincipalName": {"from": user["userPrincipalName"], "to": new_name},
        "removedProxyAddresses": user["proxyAddresses"], "password": "generated"}
    assert event.data["user"]["userPrincipalName"] == user["userPrincipalName"]
    held = {"id": holder["id"]}
    assert event.data["planHash"] == plan_hash(
        in_the_bin(scene, user), {**DEFAULT, "userPrincipalName": "rename-restored"},
        [{"property": "userPrincipalName", "value": user["userPrincipalName"], "holder": held},
         {"property": "proxyAddresses", "value": user["proxyAddresses"][0], "holder": held}],
        newUserPrincipalName=new_name)
    outcome = apply(scene, event)
    assert outcome.topic == "succeeded"
    assert outcome.data["changes"]["userPrincipalName"]["to"] == new_name
    assert outcome.data["changes"]["removedProxyAddresses"] == user["proxyAddresses"]


def test_a_plan_names_who_would_be_renamed(scene, taken):
    user, holder = taken
    event = planned(scene, user, "restore", conflict=name_policy("rename-active"))
    assert event.data["changes"]["renamedActiveUser"] == {
        "id": holder["id"], "from": user["userPrincipalName"], "to": f"{local(user)}.2@{DOMAIN}"}
    outcome = apply(scene, event)
    assert outcome.data["changes"]["renamedActiveUser"] == \
        event.data["changes"]["renamedActiveUser"]


def test_a_plan_names_who_would_be_replaced(scene, taken):
    user, holder = taken
    event = planned(scene, user, "restore", conflict=name_policy("replace-active"))
    replaced = {"id": holder["id"], "userPrincipalName": user["userPrincipalName"]}
    assert event.data["changes"] == {"replacedActiveUser": replaced, "password": "generated"}
    outcome = apply(scene, event)
    assert outcome.data["changes"]["replacedActiveUser"].items() >= replaced.items()


def test_a_conflict_is_told_with_its_holder_and_the_ways_out(scene, taken):
    user, holder = taken
    event = planned(scene, user, "conflict")
    [conflict] = event.data["conflicts"]  # the address would be let go of
    assert (conflict["property"], conflict["holder"]["id"]) == ("userPrincipalName", holder["id"])
    assert "apply" not in event.data and "planHash" in event.data
    resolutions = {r["policy"]: r["request"] for r in event.data["resolutions"]}
    assert set(resolutions) == set(ALLOWED)
    assert resolutions["rename-restored"]["event"]["data"]["mode"] == "plan"
    with scene.untouched():
        again = scene.outcome(scene.send_ready(resolutions["rename-restored"]))
    assert (again.topic, again.data["would"]) == ("plans", "restore")
    assert apply(scene, again).topic == "succeeded"


def test_addresses_that_may_not_go_are_a_conflict(scene):
    user = scene.deleted()
    holder = scene.person(proxyAddresses=[a.replace("SMTP", "smtp") for a in
                                          user["proxyAddresses"]])
    event = planned(scene, user, "conflict", conflict={"proxyAddresses": "reject"})
    [conflict] = event.data["conflicts"]
    assert (conflict["property"], conflict["holder"]["id"]) == ("proxyAddresses", holder["id"])


def test_who_is_active_already_has_nothing_to_apply(scene):
    data = planned(scene, scene.person(), "restore").data
    assert data["disposition"] == "already-active"
    assert "apply" not in data and "planHash" not in data


@pytest.mark.parametrize("code, deleted, more", [
    ("retention_expired", {"deletedDaysAgo": 31}, {}),
    ("synced_user", {"onPremisesSyncEnabled": True}, {}),
    ("privileged_target", {"roles": [USER_ADMINISTRATOR]}, {}),
    ("unknown_tenant", {}, {"tenant": "fabrikam"}),
    ("recipient_not_allowed", {}, {"notify": {"to": ["ola@elsewhere.example"]}}),
])
def test_a_refusal_is_a_plan_that_would_fail(scene, code, deleted, more):
    data = planned(scene, scene.deleted(**deleted), "fail", **more).data
    assert data["code"] == code
    assert (data["message"], data["owner"], data["hint"]) == (TEXT, TEXT, TEXT)
    assert not {"planHash", "apply"} & set(data)
    assert ("resend" in data) == (code not in FINAL)
    if "resend" in data:  # once the cause is mended: still a question
        assert data["resend"]["event"]["data"]["mode"] == "plan"


def test_a_directory_that_is_down_would_fail_and_can_be_asked_again(scene):
    user = scene.deleted()
    with scene.policy(request_deadline_seconds=5), \
            scene.fault(kind="answer", status=503, user=user["id"], times=-1):
        data = planned(scene, user, "fail").data
    assert (data["code"], data["retryable"]) == ("directory_unavailable", True)
    assert data["resend"]["event"]["data"]["mode"] == "plan"
    again = scene.outcome(scene.send_ready(data["resend"]))
    assert (again.topic, again.data["would"]) == ("plans", "restore")


def test_a_stranger_learns_nothing(scene):
    user = scene.deleted()
    asks = {"id": scene.person()["id"]}
    with scene.calls() as calls:
        data = planned(scene, user, "fail", requestedBy=asks).data
    assert data["code"] == "requester_not_authorized"
    assert data["user"] == {"id": user["id"]}
    assert not [call for call in calls if user["id"] in call["path"]]


def test_a_repeated_plan_is_the_same_answer_without_a_call(scene, taken):
    user, _ = taken
    first = planned(scene, user, "conflict")
    key, data, *_ = scene.requests.sent[first.causation]
    with scene.calls() as calls:
        scene.requests.send(data, first.causation, key)
        again = scene.outcome(first.causation, 2)
    assert [call for call in calls if "oauth2" not in call["path"]] == []
    assert (again.topic, again.key, again.headers) == (first.topic, first.key, first.headers)
    assert again.data == {**first.data, "replayed": True}


# ---- the hash ---------------------------------------------------------------------------------


def stale(scene, event):
    """The plan's request, whose facts changed: refused, and nothing is changed by it."""
    ready = event.data["apply"]
    with scene.untouched():
        outcome = apply(scene, event)
    assert (outcome.topic, outcome.data["code"]) == ("failed", "plan_stale"), outcome
    assert outcome.data["retryable"] is False and outcome.data["owner"] == "requester"
    assert scene.everything(ready["event"]["id"]) == [outcome]


def test_a_name_taken_since_makes_the_plan_stale(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore")
    scene.person(userPrincipalName=user["userPrincipalName"], proxyAddresses=[], mail=None)
    stale(scene, event)


def test_an_address_taken_since_makes_the_plan_stale(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore")
    scene.person(proxyAddresses=user["proxyAddresses"])
    stale(scene, event)


def test_a_new_name_taken_since_makes_the_plan_stale(scene, taken):
    user, _ = taken
    event = planned(scene, user, "restore", conflict=name_policy("rename-restored"))
    scene.person(userPrincipalName=f"{local(user)}.2@{DOMAIN}")
    stale(scene, event)


def test_another_default_policy_makes_the_plan_stale(scene):
    event = planned(scene, scene.deleted(), "restore")
    with scene.policy(user_principal_name="rename-restored"):
        stale(scene, event)


def test_the_rules_are_asked_again(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore")
    with scene.policy(retention_days=1), scene.untouched():
        outcome = apply(scene, event)
    assert outcome.data["code"] == "retention_expired"


def test_a_hash_binds_whoever_sends_it_and_however_he_names_the_tenant(scene):
    user = scene.deleted()
    event = planned(scene, user, "restore")
    asks = scene.person(roles=[USER_ADMINISTRATOR])
    outcome = scene.restore(user, planHash=event.data["planHash"], tenant="contoso",
                            requestedBy={"userPrincipalName": asks["userPrincipalName"]})
    assert outcome.topic == "succeeded"
