"""Mode `list`: who can still be restored."""

import json
import uuid

import pytest

from support.contract import TEXT, TIME, check_event, event_id, later
from support.directory import DOMAIN, REQUESTER
from support.events import SOURCE
from support.scene import Scene


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka) as scene:
        yield scene


def send_list(scene, id=None, **data):
    id = id or str(uuid.uuid4())
    return scene.requests.send({"mode": "list", **data}, id, id)


def answered(scene, **data):
    """The event of a list, which changes nothing and mails nobody."""
    with scene.untouched(), scene.calls() as calls:
        id = send_list(scene, **data)
        event = scene.outcome(id)
    assert event.topic == "plans" and scene.everything(id) == [event]
    kind = event.type.removeprefix("user.restore.").removesuffix(".v1")
    check_event(event, scene.topics.group, id, event_id(SOURCE, id, "", kind), id, kind=kind)
    looks = [call["path"] for call in calls if "deletedItems" in call["path"]]
    return event, looks


def listed(scene, **data):
    event, looks = answered(scene, **data)
    assert event.type == "user.restore.listed.v1", event
    return event.data, looks


def entry(scene, user):
    deleted_at = scene.deleted_at(user)
    return {"id": user["id"], "userPrincipalName": user["userPrincipalName"],
            "displayName": user["displayName"], "deletedAt": deleted_at,
            "restorableUntil": later(deleted_at, days=30),
            "synced": user.get("onPremisesSyncEnabled", False)}


def mark():
    return f"mark{uuid.uuid4().hex[:8]}"


def test_those_who_can_be_restored_are_listed_nearest_deadline_first(scene):
    word = mark()
    users = [scene.deleted(deletedDaysAgo=days, displayName=f"{word} {days}")
             for days in (3, 29, 10)]
    synced = scene.deleted(deletedDaysAgo=20, displayName=f"{word} s", onPremisesSyncEnabled=True)
    scene.deleted(deletedDaysAgo=30.5, displayName=f"{word} too late")
    scene.person(displayName=f"{word} active")
    data, _ = listed(scene, match=word, reason="who?")
    assert data == {
        "requestId": data["requestId"], "tenant": "contoso", "requestedBy": {"id": REQUESTER},
        "reason": "who?", "startedAt": TIME, "finishedAt": TIME, "replayed": False,
        "directory": [], "truncated": False,
        "users": [entry(scene, user) for user in (users[1], synced, users[2], users[0])]}


def test_a_match_is_part_of_a_name_in_any_case(scene):
    word = mark()
    by_name = scene.deleted(userPrincipalName=f"a.{word}.b@{DOMAIN}", deletedDaysAgo=3)
    by_display = scene.deleted(displayName=f"\u00d8ystein {word.upper()}", deletedDaysAgo=2)
    data, _ = listed(scene, match=word.title())
    assert [user["id"] for user in data["users"]] == [by_name["id"], by_display["id"]]
    data, _ = listed(scene, match=f"\u00f8ystein {word}")
    assert [user["id"] for user in data["users"]] == [by_display["id"]]
    data, _ = listed(scene, match=mark())
    assert (data["users"], data["truncated"]) == ([], False)


def test_closing_within_days_means_the_deadline(scene):
    word = mark()
    near = scene.deleted(deletedDaysAgo=26, displayName=word)
    scene.deleted(deletedDaysAgo=24, displayName=word)
    data, _ = listed(scene, match=word, closingWithinDays=5)
    assert [user["id"] for user in data["users"]] == [near["id"]]


def test_a_shorter_retention_closes_earlier(scene):
    word = mark()
    user = scene.deleted(deletedDaysAgo=5, displayName=word)
    scene.deleted(deletedDaysAgo=8, displayName=word)
    with scene.policy(retention_days=7):
        data, _ = listed(scene, match=word, closingWithinDays=3)
    assert [entry["id"] for entry in data["users"]] == [user["id"]]
    assert data["users"][0]["restorableUntil"] == later(scene.deleted_at(user), days=7)


def test_of_250_the_200_nearest_are_listed_and_the_rest_is_not_read(scene):
    word = mark()
    ids = [str(uuid.uuid4()) for _ in range(250)]
    scene.directory.add_users(*[
        {"id": id, "userPrincipalName": f"{word}.{i:03}@{DOMAIN}", "displayName": f"User {i}",
         "deletedDaysAgo": 29 - i / 10} for i, id in enumerate(ids)])
    data, _ = listed(scene, match=word)
    assert [user["id"] for user in data["users"]] == ids[:200] and data["truncated"] is True
    data, _ = listed(scene, match=f"{word}.2")
    assert [user["id"] for user in data["users"]] == ids[200:] and data["truncated"] is False


def test_pages_are_followed_and_no_more_than_needed(scene):
    word = mark()
    scene.directory.add_users(*[
        {"id": str(uuid.uuid4()), "userPrincipalName": f"{word}.{i:04}@{DOMAIN}",
         "displayName": "Many", "deletedDaysAgo": 20 - i / 100} for i in range(1100)])
    last = scene.deleted(deletedDaysAgo=0.5, displayName=f"last {word}")
    data, looks = listed(scene, match=f"last {word}")
    assert [user["id"] for user in data["users"]] == [last["id"]] and len(looks) >= 3
    _, looks = listed(scene, match=f"{word}.0")
    assert len(looks) < 3  # 200 are found before the last page


def test_a_next_page_elsewhere_is_not_asked_for(scene):
    body = json.dumps({"value": [], "@odata.nextLink": "http://127.0.0.1:9/v1.0/steal"})
    with scene.policy(request_deadline_seconds=5), \
            scene.fault(kind="answer", path="/directory/deletedItems/microsoft.graph.user",
                        status=200, body=body, times=-1):
        event, _ = answered(scene)
    assert event.data["code"] == "directory_unavailable"


def test_a_refused_requester_causes_no_read_of_the_bin(scene):
    asks = {"id": scene.person()["id"]}
    event, looks = answered(scene, requestedBy=asks)
    assert (event.type, looks) == ("user.restore.failed.v1", [])
    assert event.data["code"] == "requester_not_authorized"
    assert "users" not in event.data and "user" not in event.data


def test_an_unknown_tenant_fails_on_the_plans_topic(scene):
    event, looks = answered(scene, tenant="fabrikam")
    assert (event.data["code"], looks) == ("unknown_tenant", [])


def test_a_failed_list_can_be_sent_again(scene):
    with scene.policy(request_deadline_seconds=5), \
            scene.fault(kind="answer", status=503, path="/directory/deletedItems", times=-1):
        event = scene.outcome(send_list(scene, match="nobody at all"))
    assert (event.data["code"], event.data["message"]) == ("directory_unavailable", TEXT)
    id = scene.send_ready(event.data["resend"])
    assert event.data["resend"]["key"] == id
    assert scene.outcome(id).data["users"] == []


def test_a_repeated_list_is_the_same_answer_without_a_call(scene):
    word = mark()
    scene.deleted(displayName=word)
    id = send_list(scene, match=word)
    first = scene.outcome(id)
    scene.deleted(displayName=word)
    with scene.calls() as calls:
        send_list(scene, id, match=word)
        again = scene.outcome(id, 2)
        send_list(scene, id, match="another")
        reused = scene.outcome(id, 3)
    assert [call for call in calls if "oauth2" not in call["path"]] == []
    assert (again.topic, again.headers) == ("plans", first.headers)
    assert again.data == {**first.data, "replayed": True}
    assert (reused.topic, reused.data["code"]) == ("plans", "request_id_reused")


def test_a_repeated_failure_of_a_list_stays_on_the_plans_topic(scene):
    id = send_list(scene, tenant="fabrikam")
    first = scene.outcome(id)
    send_list(scene, id, tenant="fabrikam")
    again = scene.outcome(id, 2)
    assert (again.topic, again.data) == ("plans", {**first.data, "replayed": True})


def test_a_list_without_a_key_is_answered(scene):
    id = scene.requests.send({"mode": "list", "match": "nobody at all"})
    assert scene.outcome(id).data["users"] == []
