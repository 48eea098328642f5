"""The same request again: the same outcome, and nothing else happens (contract 2, identity)."""

import json

import pytest

from support.contract import TEXT, TIME, check_event, digest, event_id
from support.directory import REQUESTER
from support.events import SOURCE
from support.scene import Scene


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka) as scene:
        yield scene


def restart(scene):
    assert scene.worker.terminate() == 0
    scene.worker.start().wait_ready()


def go_on(scene):
    pass


between = pytest.mark.parametrize("between", [go_on, restart])


def repeat(scene, id, n=2, **data):
    """Sends what was sent under the id once more (with `data` instead, if given), while the
    directory must hear nothing; the n-th outcome."""
    key, sent, *_ = scene.requests.sent[id]
    with scene.untouched(), scene.calls() as calls:
        scene.requests.send({**sent, **data}, id, key)
        outcome = scene.outcome(id, n)
    assert [call for call in calls if "oauth2" not in call["path"]] == []
    return outcome


def check_replay(again, first):
    assert (again.topic, again.key, again.headers) == (first.topic, first.key, first.headers)
    assert first.data["replayed"] is False
    assert again.data == {**first.data, "replayed": True}


@between
def test_a_repeated_request_gets_the_same_success_and_no_second_mail(scene, between):
    first = scene.restore(scene.deleted(), reason="by mistake")
    between(scene)
    check_replay(repeat(scene, first.causation), first)
    check_replay(repeat(scene, first.causation, 3), first)
    topics = [event.topic for event in scene.everything(first.causation)]
    assert sorted(topics) == ["notifications", "succeeded", "succeeded", "succeeded"]


@between
def test_a_repeated_request_gets_the_same_conflict(scene, between):
    user = scene.deleted()
    scene.person(userPrincipalName=user["userPrincipalName"])
    first = scene.restore(user["userPrincipalName"])
    assert first.topic == "conflicts"
    between(scene)
    check_replay(repeat(scene, first.causation), first)


@between
def test_a_repeated_request_gets_the_same_failure_even_if_it_would_succeed_now(scene, between):
    user = scene.deleted()
    with scene.fault(kind="answer", status=403, method="POST", user=user["id"], times=-1):
        first = scene.restore(user)
    assert first.data["code"] == "directory_denied"
    between(scene)
    check_replay(repeat(scene, first.causation), first)
    assert scene.restore(user).topic == "succeeded"  # under an id of its own


def test_a_repeat_is_known_by_its_data_whatever_their_order_and_spacing(scene):
    first = scene.restore(scene.deleted(), ticket={"system": "s", "id": "1"}, reason="–")
    key, data, *_ = scene.requests.sent[first.causation]
    turned = {name: data[name] for name in reversed(data)}
    turned["ticket"] = {"id": "1", "system": "s"}
    event = {"data": turned, "specversion": "1.0", "source": SOURCE, "id": first.causation,
             "type": "io.restore-worker.user.restore.requested.v1"}
    scene.requests.send_raw(json.dumps(event, indent=2).encode(), key)
    check_replay(scene.outcome(first.causation, 2), first)


def test_the_name_of_a_user_in_another_case_is_the_same_user_but_other_data(scene):
    user = scene.deleted()
    first = scene.restore(user["userPrincipalName"])
    key, *_ = scene.requests.sent[first.causation]
    name = user["userPrincipalName"].upper()
    again = repeat(scene, first.causation, user={"userPrincipalName": name})
    assert again.data["code"] == "request_id_reused"


def test_the_same_id_for_another_user_or_from_another_source_is_another_request(scene):
    first, other = scene.deleted(), scene.deleted()
    id = scene.restore(first).causation
    scene.requests.restore(other["id"], id=id)
    assert scene.outcome(id, 2).data["user"]["id"] == other["id"]
    scene.requests.restore(first["id"], id=id, headers={"ce_source": "urn:test:other"})
    third = scene.outcome(id, 3)
    assert (third.data["disposition"], third.data["replayed"]) == ("already-active", False)


@between
def test_an_id_used_for_other_data_is_refused_and_the_first_outcome_stays(scene, between):
    first = scene.restore(scene.deleted(), reason="by mistake")
    id = first.causation
    key, sent, *_ = scene.requests.sent[id]
    user = sent["user"]["id"]
    between(scene)
    other = {**sent, "reason": "on purpose"}
    refused = repeat(scene, id, reason="on purpose")
    check_event(refused, scene.topics.group, id,
                event_id(SOURCE, id, user, f"failed:reused:{digest(other)[:16]}"), user)
    data = {name: value for name, value in refused.data.items() if name != "directory"}
    assert data == {
        "requestId": id, "tenant": "contoso", "user": {"id": user},
        "requestedBy": {"id": REQUESTER}, "reason": "on purpose", "startedAt": TIME,
        "finishedAt": TIME, "replayed": False, "code": "request_id_reused", "message": TEXT,
        "retryable": False, "owner": "requester", "hint": TEXT}
    third = repeat(scene, id, 3, reason="at last")
    assert third.data["code"] == "request_id_reused" and third.id != refused.id
    scene.requests.send(sent, id, key)
    check_replay(scene.outcome(id, 4), first)


@between
def test_plain_json_with_a_request_id_is_recognised_too(scene, between):
    user = scene.deleted()
    value = json.dumps({"requestId": f"plain-{user['id']}", "user": {"id": user["id"]},
                        "requestedBy": {"id": REQUESTER}}).encode()
    scene.requests.send_raw(value, user["id"])
    first = scene.outcome(f"plain-{user['id']}")
    between(scene)
    scene.requests.send_raw(value, user["id"])
    check_replay(scene.outcome(f"plain-{user['id']}", 2), first)


def test_a_replay_moves_the_journals_record_to_its_own_offset_and_changes_nothing_else(scene):
    user = scene.deleted()
    first = scene.restore(user)
    repeat(scene, first.causation)
    *_, offset = scene.requests.sent[first.causation]
    *_, done, again = scene.journal(event_id(SOURCE, first.causation, user["id"], "journal"))
    assert again.headers == {**done.headers, "rw-offset": str(offset)}
    assert again.value == done.value == first.value
