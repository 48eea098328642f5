"""How requests may look, who may ask for whom, and what the directory says of it. The table of all
codes is test_codes.py's."""

import json
import urllib.parse
import uuid

import pytest

from support.contract import GUID, TEXT, TIME, check_event, event_id, parse_time, uuid5
from support.directory import DOMAIN, REQUESTER, USER_ADMINISTRATOR
from support.events import SOURCE, TYPE_PREFIX
from support.refusal import TRACE, hours_ago, refused
from support.scene import Scene

DEADLINE_S = 10
PLAIN = "urn:restore-worker:plain"


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    settings = {"policy": {"request_deadline_seconds": DEADLINE_S}}
    with Scene(tmp_path_factory.mktemp("scene"), kafka, settings) as scene:
        yield scene


def names_of_reads(calls, user):
    """The calls that could tell something of the user."""
    return [call["path"] for call in calls
            if any(text in urllib.parse.unquote(call["path"])
                   for text in (user["id"], user["userPrincipalName"], "/deletedItems"))]


# ---- envelopes --------------------------------------------------------------------------------


def structured(data, **attributes):
    return json.dumps({
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": SOURCE,
        "type": f"{TYPE_PREFIX}user.restore.requested.v1", "datacontenttype": "application/json",
        "data": {"requestedBy": {"id": REQUESTER}, **data}, **attributes}).encode()


def test_trace_and_correlation_are_carried_to_every_event(scene):
    user = scene.deleted()
    headers = {"ce_correlationid": "ticket-4711", **{f"ce_{n}": v for n, v in TRACE.items()}}
    id = scene.requests.restore(user["id"], headers=headers)
    outcome, notification = scene.outcome(id), scene.notification(id)
    for event, kind in ((outcome, "succeeded"),
                        (notification, "notification-requested:user-restored")):
        check_event(event, scene.topics.group, id, event_id(SOURCE, id, user["id"], kind),
                    user["id"], correlation="ticket-4711", trace=TRACE)


def test_a_trace_in_plain_headers_is_carried_too(scene):
    user = scene.deleted()
    id = scene.requests.restore(user["id"], headers=TRACE)
    check_event(scene.outcome(id), scene.topics.group, id,
                event_id(SOURCE, id, user["id"], "succeeded"), user["id"], trace=TRACE)


def test_a_structured_event_is_a_request_whatever_its_headers_say(scene):
    user, id = scene.deleted(), str(uuid.uuid4())
    value = structured({"user": {"id": user["id"]}}, id=id, correlationid="c-1", **TRACE)
    scene.requests.send_raw(value, user["id"], {"content-type": "text/plain", "ce_id": "another"})
    check_event(scene.outcome(id), scene.topics.group, id,
                event_id(SOURCE, id, user["id"], "succeeded"), user["id"], "c-1", TRACE)


def test_plain_json_is_a_request_under_its_own_request_id(scene):
    user, id = scene.deleted(), str(uuid.uuid4())
    data = {"requestId": id, "user": {"id": user["id"]}, "requestedBy": {"id": REQUESTER}}
    scene.requests.send_raw(json.dumps(data).encode(), user["id"])
    check_event(scene.outcome(id), scene.topics.group, id,
                event_id(PLAIN, id, user["id"], "succeeded"), user["id"])


def test_plain_json_without_an_id_is_known_by_its_place(scene):
    user = scene.deleted()
    data = {"user": {"id": user["id"]}, "requestedBy": {"id": REQUESTER}}
    partition, offset = scene.requests.send_raw(json.dumps(data).encode())  # and without a key
    id = f"{scene.topics.names['requests']}/{partition}/{offset}"
    check_event(scene.outcome(id), scene.topics.group, id,
                event_id(PLAIN, id, user["id"], "succeeded"), user["id"])


def test_what_is_no_request_goes_to_the_dead_letters_and_fails_under_its_id(scene):
    id = str(uuid.uuid4())
    value = b'{"user": {"id": "' + id.encode() + b'"}, "surprise": 1}'
    headers = {"ce_specversion": "1.0", "ce_id": id, "ce_source": SOURCE, "x": "y",
               "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1", "ce_time": hours_ago(0)}
    partition, offset = scene.requests.send_raw(value, "a key", headers)
    failed = scene.outcome(id)
    check_event(failed, scene.topics.group, id, event_id(SOURCE, id, "", "failed"), id)
    assert {name: value for name, value in failed.data.items() if name != "replayed"} == {
        "requestId": id, "code": "malformed", "message": TEXT, "owner": "requester",
        "retryable": False, "hint": TEXT, "startedAt": TIME, "finishedAt": TIME}
    assert "surprise" in failed.data["message"]

    [letter] = [r for r in scene.reader.until(lambda seen: any(
        r.topic == "dead_letters" and r.headers.get("ce_id") == id for r in seen))
        if r.topic == "dead_letters" and r.headers.get("ce_id") == id]
    assert (letter.key, letter.value) == (b"a key", value)
    error = "__connect.errors."
    assert {name: value for name, value in letter.headers.items()
            if not name.startswith(error)} == headers
    assert {name.removeprefix(error): value for name, value in letter.headers.items()
            if name.startswith(error)} == {
        "topic": scene.topics.names["requests"], "partition": str(partition),
        "offset": str(offset), "stage": TEXT, "exception.class.name": TEXT,
        "exception.message": failed.data["message"]}


# ---- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data, headers", [
    ({"notAfter": hours_ago(1)}, {}),
    ({}, {"ce_expirytime": hours_ago(1)}),
    ({"notAfter": hours_ago(-1)}, {"ce_expirytime": hours_ago(1)}),
    ({"notAfter": hours_ago(1)}, {"ce_expirytime": hours_ago(-1)}),
])
def test_after_its_time_a_request_changes_nothing_and_can_be_sent_again(scene, data, headers):
    user = scene.deleted()
    outcome, rest = refused(scene, "deadline_exceeded", user, headers=headers, **data)
    assert list(rest) == ["resend"]
    ready = rest["resend"]
    assert "notAfter" not in ready["event"]["data"]
    assert scene.outcome(scene.send_ready(ready)).topic == "succeeded"


def test_before_its_time_is_over_a_request_is_carried_out(scene):
    outcome = scene.restore(scene.deleted(), notAfter="2999-01-01T01:00:00+01:00",
                            headers={"ce_expirytime": hours_ago(-1)})
    assert outcome.topic == "succeeded"


def test_a_ready_made_request_is_a_whole_event_with_an_id_of_its_own(scene):
    user = scene.deleted()
    outcome, rest = refused(
        scene, "deadline_exceeded", user, notAfter=hours_ago(1), reason="by mistake",
        ticket={"system": "s", "id": "1"}, notify={"to": ["manager"], "locale": "nb"},
        headers={"ce_correlationid": "c-7", "ce_traceparent": TRACE["traceparent"]})
    id = outcome.causation
    data = {name: value for name, value in scene.requests.sent[id][1].items()
            if name != "notAfter"}
    event = rest["resend"]["event"]
    optional = {"subject", "dataschema", "partitionkey", "causationid", "traceparent"}
    assert {name: value for name, value in event.items() if name not in optional} == {
        "specversion": "1.0", "id": event_id(SOURCE, id, user["id"], "resend"), "source": SOURCE,
        "type": f"{TYPE_PREFIX}user.restore.requested.v1", "datacontenttype": "application/json",
        "correlationid": "c-7", "data": data}
    assert rest["resend"]["key"] == user["id"]


def test_a_request_from_before_the_deletion_is_too_old(scene):
    user = scene.deleted(deletedDaysAgo=0)
    _, rest = refused(scene, "too_old", user, True, headers={"ce_time": hours_ago(6 / 60)})
    assert rest == {}


def test_a_clock_four_minutes_behind_is_no_reason_to_refuse(scene):
    user = scene.deleted(deletedDaysAgo=0)
    outcome = scene.restore(user, headers={"ce_time": hours_ago(4 / 60)})
    assert outcome.topic == "succeeded"


def seconds_of(outcome):
    started, finished = (parse_time(outcome.data[at]) for at in ("startedAt", "finishedAt"))
    return (finished - started).total_seconds()


def test_a_directory_that_is_down_until_the_deadline_is_unavailable(scene):
    user = scene.deleted()
    with scene.fault(kind="answer", status=503, user=user["id"], times=-1):
        outcome, rest = refused(scene, "directory_unavailable", user)
    assert DEADLINE_S - 1 <= seconds_of(outcome) < 2 * DEADLINE_S
    assert list(rest) == ["resend"]
    assert scene.outcome(scene.send_ready(rest["resend"])).topic == "succeeded"


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(scene):
    user = scene.deleted()
    with scene.fault(kind="answer", status=429, user=user["id"], headers={"Retry-After": "60"}):
        outcome, _ = refused(scene, "directory_unavailable", user)
    assert seconds_of(outcome) < DEADLINE_S - 1


# ---- who asks ---------------------------------------------------------------------------------


def test_a_tenant_that_is_not_configured_is_unknown(scene):
    with scene.calls() as calls:
        _, rest = refused(scene, "unknown_tenant", scene.deleted(), tenant="fabrikam")
    assert (rest, calls) == ({}, [])


def test_a_tenant_may_be_named(scene):
    outcome = scene.restore(scene.deleted(), tenant="contoso")
    assert (outcome.topic, outcome.data["tenant"]) == ("succeeded", "contoso")


HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
STRANGERS = {
    "absent": ("requester_unknown", None),
    "disabled": ("requester_unknown", {"roles": [USER_ADMINISTRATOR], "accountEnabled": False}),
    "deleted": ("requester_unknown", {"roles": [USER_ADMINISTRATOR], "deletedDaysAgo": 1}),
    "no role": ("requester_not_authorized", {}),
    "another role": ("requester_not_authorized", {"roles": [HELPDESK_ADMINISTRATOR]}),
    "another role through a group": ("requester_not_authorized",
                                     {"roleGroups": [HELPDESK_ADMINISTRATOR]}),
    "for an administrative unit": ("requester_not_authorized", {"scopedRoles": [
        {"roleTemplateId": USER_ADMINISTRATOR, "directoryScopeId": "/administrativeUnits/1"}]}),
}


@pytest.mark.parametrize("by", ["id", "userPrincipalName"])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_learns_nothing_and_nothing_of_the_user_is_read(scene, stranger, by):
    code, properties = STRANGERS[stranger]
    user = scene.deleted()
    asks = {"id": str(uuid.uuid4()), "userPrincipalName": f"nobody@{DOMAIN}"}
    if properties is not None:
        asks = scene.person(**properties)
    with scene.calls() as calls:
        _, rest = refused(scene, code, user if by == "id" else user[by], requestedBy={by: asks[by]})
    assert (rest, names_of_reads(calls, user)) == ({}, [])


def app(scene, **properties):
    """A service principal, added to the directory; its app id."""
    added = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4()), "displayName": "Portal",
             **properties}
    scene.directory.add(servicePrincipals=[added])
    return added["appId"]


def test_an_app_that_is_not_configured_is_not_authorized_and_costs_no_call(scene):
    user, asks = scene.deleted(), {"appId": app(scene)}
    with scene.calls() as calls:
        _, rest = refused(scene, "requester_not_authorized", user, requestedBy=asks)
    assert (rest, [call for call in calls if "/oauth2/" not in call["path"]]) == ({}, [])


@pytest.mark.parametrize("properties", [None, {"accountEnabled": False}])
def test_a_configured_app_that_is_absent_or_disabled_is_unknown(scene, properties):
    user = scene.deleted()
    asks = {"appId": app(scene, **properties) if properties else str(uuid.uuid4())}
    with scene.policy(requester_apps=[asks["appId"]]), scene.calls() as calls:
        _, rest = refused(scene, "requester_unknown", user, requestedBy=asks)
    assert (rest, names_of_reads(calls, user)) == ({}, [])
    assert len([call for call in calls if asks["appId"] in call["path"]]) == 1


def test_a_configured_app_is_looked_up_once_a_minute_and_is_the_contact(scene):
    asks = {"appId": app(scene)}
    with scene.policy(requester_apps=[asks["appId"].upper()]), scene.calls() as calls:
        for _ in range(2):
            outcome = scene.restore(scene.deleted(), requestedBy=asks)
            assert outcome.topic == "succeeded" and outcome.data["requestedBy"] == asks
    mail = scene.notification(outcome.causation)
    assert mail.data["values"]["contact"] == {"displayName": "Portal"}
    assert len([call for call in calls if "/servicePrincipals" in call["path"]]) == 1


def test_nobody_asks_only_where_nobody_is_checked(scene):
    user = scene.deleted()
    id = scene.requests.restore(user["id"], requestedBy=None)
    assert scene.outcome(id).data["code"] in ("requester_unknown", "malformed")
    with scene.policy(requester="not-checked"):
        outcome = scene.restore(user, requestedBy=None)
    assert outcome.topic == "succeeded" and "requestedBy" not in outcome.data


# ---- whom -------------------------------------------------------------------------------------


def test_where_privileged_users_are_allowed_they_are_restored(scene):
    with scene.policy(privileged_targets="allow"):
        outcome = scene.restore(scene.deleted(roles=[USER_ADMINISTRATOR]))
    assert outcome.topic == "succeeded"


def test_where_synchronised_users_are_allowed_that_is_pointed_out(scene):
    with scene.policy(synced_users="allow"):
        outcome = scene.restore(scene.deleted(onPremisesSyncEnabled=True))
    assert (outcome.topic, outcome.data["todo"]) == ("succeeded", ["was_synchronised"])


@pytest.mark.parametrize("conflict", [
    {"userPrincipalName": {"policy": "rename-active"}},
    {"userPrincipalName": {"policy": "replace-active"}}])
def test_a_policy_that_is_not_allowed_is_refused(scene, conflict):
    user = scene.deleted()
    with scene.calls() as calls:
        _, rest = refused(scene, "policy_not_allowed", user, conflict=conflict)
    assert (rest, names_of_reads(calls, user)) == ({}, [])


def test_a_user_who_is_nowhere_is_looked_for_twice(scene):
    nobody = str(uuid.uuid4())
    with scene.calls() as calls:
        _, rest = refused(scene, "not_found", nobody)
    looks = [call["at_ms"] for call in calls if nobody in call["path"]
             and "deletedItems" in call["path"]]
    assert len(looks) == 2 and looks[1] - looks[0] >= 5000
    assert rest.get("candidates", []) == []


def test_an_active_user_of_the_name_is_a_candidate_and_nobody_is_restored(scene):
    user = scene.person()
    _, rest = refused(scene, "not_found", user["userPrincipalName"])
    [candidate] = rest["candidates"]
    assert candidate == {name: user[name]
                         for name in ("id", "userPrincipalName", "displayName")}


def test_of_several_deleted_users_of_a_name_none_is_picked(scene):
    name = f"many@{DOMAIN}"
    users = [scene.deleted(userPrincipalName=name, displayName=f"Many {days}",
                           deletedDaysAgo=days) for days in (3, 1, 2)]
    _, rest = refused(scene, "ambiguous_user", name)
    assert rest == {"candidates": [
        {"id": user["id"], "userPrincipalName": name, "displayName": user["displayName"],
         "deletedAt": scene.deleted_at(user)}
        for user in sorted(users, key=lambda user: user["deletedDaysAgo"])]}


def test_a_longer_name_with_the_same_end_is_another_user(scene):
    scene.deleted(userPrincipalName=f"kari.ola@{DOMAIN}")
    user = scene.deleted(userPrincipalName=f"ola@{DOMAIN}")
    outcome = scene.restore(f"ola@{DOMAIN}")
    assert (outcome.topic, outcome.data["user"]["id"]) == ("succeeded", user["id"])


# ---- what the directory says ------------------------------------------------------------------


@pytest.mark.parametrize("status, raw, code", [
    (403, "Authorization_RequestDenied", "directory_denied"),
    (400, "Request_SomethingNew", "directory_rejected"),
    (422, "Request_Unprocessable", "directory_rejected")])
def test_a_refusal_of_the_directory_is_passed_on_in_its_own_words(scene, status, raw, code):
    user = scene.deleted()
    with scene.fault(kind="answer", status=status, code=raw, method="POST", user=user["id"],
                     times=-1):
        outcome, rest = refused(scene, code, user, True)
    assert rest.pop("directoryError") == {"status": status, "code": raw, "requestId": GUID}
    key = event_id(SOURCE, outcome.causation, user["id"], "journal")
    [refusal] = rest.pop("directory")
    assert refusal == {"operation": "restore", "clientRequestId": uuid5(key, "restore", "1"),
                       "requestId": outcome.data["directoryError"]["requestId"], "at": TIME}
    assert rest == {}
