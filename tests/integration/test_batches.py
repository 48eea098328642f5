"""A request with `users`: one outcome a user and one summary, through kills, repeats and reuse; and
the ready requests of those who failed, sent as they are (contract 3 and 4)."""

import json
from collections import Counter

import pytest
from confluent_kafka import Consumer, TopicPartition

from support.contract import TIME, TYPE_PREFIX, event_id, partition_of
from support.directory import DOMAIN, MANAGER, REQUESTER, USER_ADMINISTRATOR, deleted_id
from support.events import SOURCE, duplicates
from support.scene import Scene
from support.survival import figure, scenes  # noqa: F401 (fixtures)

USERS = [deleted_id(n) for n in range(100)]
BUSY = {"directory": {"request_timeout_ms": 1000, "max_in_flight": 64}}


def generated_name(n):
    return f"user{n:06}@{DOMAIN}"


def is_summary(record):
    return record.topic == "batches"


def committed(scene, partition):
    """The group's offset in the partition of the requests; None: none yet."""
    consumer = Consumer({"bootstrap.servers": scene._kafka.bootstrap,
                         "group.id": scene.topics.group})
    try:
        [found] = consumer.committed(
            [TopicPartition(scene.topics.names["requests"], partition)], timeout=60)
    finally:
        consumer.close()
    return found.offset if found.offset >= 0 else None


# ---- the promise ------------------------------------------------------------------------------


def deny_two(scene):
    """The worker lacks a right for them."""
    for n in (30, 70):
        scene.directory.fault(kind="answer", status=403, code="Authorization_RequestDenied",
                              method="POST", user=USERS[n], times=-1)


def break_seven(scene):
    """Seven of the hundred users cannot come back as they are asked for; returns how to mend it."""
    holders = []
    for n in (10, 90):  # another bears the name
        scene.directory.add_users({
            "id": deleted_id(1000 + n), "userPrincipalName": generated_name(n),
            "displayName": "Successor", "proxyAddresses": [f"SMTP:successor{n}@{DOMAIN}"]})
    for n in (20, 80):  # another holds an address
        address = scene.directory.object(USERS[n])["proxyAddresses"][0]
        holders.append(deleted_id(1000 + n))
        scene.directory.add_users({
            "id": holders[-1], "userPrincipalName": f"holder{n}@{DOMAIN}", "displayName": "Holder",
            "proxyAddresses": [f"SMTP:holder{n}@{DOMAIN}", address.replace("SMTP:", "smtp:")]})
    deny_two(scene)
    privileged = deleted_id(2000)  # held a role
    scene.directory.add_users({
        "id": privileged, "userPrincipalName": f"boss@{DOMAIN}", "displayName": "Boss",
        "deletedDaysAgo": 1, "roles": [USER_ADMINISTRATOR], "manager": MANAGER})

    def mend(worker):
        for holder in holders:
            scene.delete_user(holder)
        scene.directory.clear_faults()
        worker.reloaded({"policy": {"privileged_targets": "allow"}})

    broken = {USERS[10]: "name_conflict", USERS[90]: "name_conflict",
              USERS[20]: "address_conflict", USERS[80]: "address_conflict",
              USERS[30]: "directory_denied", USERS[70]: "directory_denied",
              privileged: "privileged_target"}
    users = [user for user in USERS if user != USERS[50]] + [privileged]
    return users, broken, mend


def check_nothing_doubled(scene, users):
    """By the directory's own count and an independent reader's."""
    records = scene.reader.all()
    assert duplicates(records) == {}
    effects = scene.directory.effects()["users"]
    assert [user for user in users if effects[user]["restores"] != 1] == []
    told = {}
    for record in records:
        if record.topic == "notifications":
            secret = scene.workers[0].keys.open(record.data["secret"])
            assert secret["userId"] not in told
            told[secret["userId"]] = secret["password"]
    assert [u for u in users if told[u] != effects[u]["password"]] == []


def test_of_100_users_7_fail_and_a_kill_at_50_loses_and_doubles_nothing(scenes, figure):
    scene = scenes(deleted=100, settings=BUSY)
    scene.directory.latency(10)
    users, broken, mend = break_seven(scene)
    scene.directory.fault(kind="hang", user=USERS[60], times=-1)  # so that one is left at the kill
    worker = scene.worker().wait_ready()
    id = scene.requests.restore_batch(users, conflict={"proxyAddresses": "reject"})
    *_, partition, offset = scene.requests.sent[id]

    def outcomes(records):
        return [r for r in records if r.is_outcome and r.causation == id]

    scene.reader.until(lambda records: len(outcomes(records)) >= 50)
    worker.kill9()
    scene.directory.clear_faults()
    deny_two(scene)
    assert len(outcomes(scene.reader.all())) < 100 and not any(map(is_summary, scene.reader.all()))
    assert (committed(scene, partition) or 0) <= offset
    worker.start().wait_ready()
    records = scene.reader.until(lambda records: any(map(is_summary, records)))

    found = outcomes(scene.reader.all())
    assert Counter(r.data["user"]["id"] for r in found) == Counter(users)
    [summary] = [r for r in records if is_summary(r)]
    data = summary.data
    assert (data["total"], data["succeeded"], data["conflicts"], data["failed"]) == (100, 93, 4, 3)
    assert {f["user"]["id"]: f["code"] for f in data["failures"]} == broken
    figure("seconds of the batch", (int(summary.headers["ce_time"][17:19])
                                    - int(data["startedAt"][17:19])) % 60)
    assert committed(scene, partition) == offset + 1
    check_nothing_doubled(scene, [user for user in users if user not in broken])

    # Once the cause is gone, what the summary holds is sent as it stands.
    mend(worker)
    ready = [request for failure in data["failures"] for request in failure["requests"]]
    assert len(ready) == 7
    ids = [request["event"]["id"] for request in ready]
    for request in ready:
        scene.requests.send_raw(json.dumps(request["event"]).encode(), request["key"])
    again = scene.reader.outcomes_of(*ids)
    assert [r.topic for id in ids for r in again[id]] == ["succeeded"] * 7
    check_nothing_doubled(scene, users)


def test_without_the_look_up_of_done_records_a_restart_doubles_users(scenes):
    scene = scenes(deleted=100, settings=BUSY, without="done-records")
    scene.directory.fault(kind="hang", user=USERS[0], times=-1)
    worker = scene.worker().wait_ready()
    scene.requests.restore_batch(USERS)
    scene.reader.until(lambda records: sum(r.is_outcome for r in records) >= 50)
    worker.kill9()
    worker.start()
    scene.reader.until(duplicates, what="doubled outcomes")


def test_the_offset_is_committed_behind_the_last_user_only(scenes):
    scene = scenes(deleted=20, settings={"directory": {"request_timeout_ms": 30000}})
    scene.directory.fault(kind="hang", user=USERS[3], times=-1)
    scene.worker().wait_ready()
    id = scene.requests.restore_batch(USERS[:20])
    *_, partition, offset = scene.requests.sent[id]
    records = scene.reader.until(lambda records: sum(r.is_outcome for r in records) >= 19)
    assert not any(map(is_summary, records)) and (committed(scene, partition) or 0) <= offset
    scene.directory.clear_faults()
    scene.directory.release()
    scene.reader.until(lambda records: any(map(is_summary, records)))
    assert committed(scene, partition) == offset + 1
    check_nothing_doubled(scene, USERS[:20])


# ---- what a batch says ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka) as scene:
        yield scene


def summary_of(scene, id, n=1):
    return scene.nth(n, lambda r: is_summary(r) and r.causation == id, f"summary {n} of {id}")


def outcomes_of(scene, id, n):
    """All of them, once n are there: who reads two topics may see the summary first (contract 4)."""
    scene.nth(n, lambda r: r.is_outcome and r.causation == id, f"{n} outcomes of {id}")
    return [r for r in scene.reader.records if r.is_outcome and r.causation == id]


def test_the_summary_is_an_event_of_the_request(scene):
    users = [scene.deleted(), scene.deleted()]
    ticket = {"system": "servicenow", "id": "INC1"}
    id = scene.requests.restore_batch([u["id"] for u in users], reason="two", ticket=ticket)
    summary = summary_of(scene, id)
    assert summary.headers == {
        "content-type": "application/json", "ce_specversion": "1.0",
        "ce_id": event_id(SOURCE, id, "", "batch-completed"),
        "ce_source": f"urn:restore-worker:{scene.topics.group}",
        "ce_type": f"{TYPE_PREFIX}user.restore.batch-completed.v1", "ce_time": TIME,
        "ce_subject": f"requests/{id}", "ce_partitionkey": id,
        "ce_dataschema": "urn:restore-worker:schema:batch-completed:1",
        "ce_correlationid": id, "ce_causationid": id}
    assert (summary.key.decode(), summary.partition) == (id, partition_of(id, 3))
    assert summary.data == {
        "requestId": id, "tenant": "contoso", "requestedBy": {"id": REQUESTER}, "reason": "two",
        "ticket": ticket, "startedAt": TIME, "finishedAt": summary.headers["ce_time"],
        "replayed": False, "total": 2, "succeeded": 2, "conflicts": 0, "failed": 0, "failures": []}
    for user in users:
        [outcome] = [r for r in outcomes_of(scene, id, 2) if r.data["user"]["id"] == user["id"]]
        assert outcome.id == event_id(SOURCE, id, user["id"], "succeeded")
        assert outcome.data["reason"] == "two"


def test_an_item_has_its_own_name_and_recipients(scene):
    first, second = scene.deleted(), scene.deleted()
    scene.person(userPrincipalName=first["userPrincipalName"], mail=None, proxyAddresses=[])
    chosen = f"chosen.{first['userPrincipalName']}"
    id = scene.requests.restore_batch(
        [{"id": first["id"], "newUserPrincipalName": chosen, "notify": {"to": [f"a@{DOMAIN}"]}},
         {"id": second["id"], "notify": {"to": [f"b@{DOMAIN}"]}}],
        conflict={"userPrincipalName": {"policy": "rename-restored"}})
    assert summary_of(scene, id).data["succeeded"] == 2
    mails = {r.data["values"]["userPrincipalName"]: r.data["to"] for r in scene.everything(id)
             if r.topic == "notifications"}
    assert mails == {chosen: [f"a@{DOMAIN}"], second["userPrincipalName"]: [f"b@{DOMAIN}"]}


@pytest.mark.parametrize("first, second", [("id", "userPrincipalName"),
                                           ("userPrincipalName", "id"), ("id", "id")])
def test_two_items_of_one_user_restore_him_once(scene, first, second):
    user = scene.deleted()
    names = [user[first], user[second]]
    id = scene.requests.restore_batch(names)
    summary = summary_of(scene, id).data
    assert (summary["total"], summary["succeeded"], summary["failed"]) == (2, 1, 1)
    [failure] = summary["failures"]
    assert (failure["kind"], failure["code"], failure["requests"]) == (
        "failed", "duplicate_user", [])
    outcomes = outcomes_of(scene, id, 2)
    assert sorted(o.topic for o in outcomes) == ["failed", "succeeded"]
    assert len({o.id for o in outcomes}) == 2
    assert scene.directory.effects(user["id"])["restores"] == 1
    if first == second:
        [failed] = [o for o in outcomes if o.topic == "failed"]
        assert failed.id == event_id(SOURCE, id, f"{user['id']}#2", "failed")


def test_an_item_of_somebody_who_came_back_in_the_same_batch_is_a_duplicate(scene):
    """17 items: the second of his can only begin when he is active and bears the name again."""
    user = scene.deleted()
    others = [scene.deleted()["id"] for _ in range(15)]
    id = scene.requests.restore_batch([user["id"], *others, user["userPrincipalName"]])
    summary = summary_of(scene, id).data
    assert (summary["total"], summary["succeeded"]) == (17, 16)
    assert [f["code"] for f in summary["failures"]] == ["duplicate_user"]


def test_a_repeated_batch_says_all_of_it_again_and_asks_nobody(scene):
    users = [scene.deleted() for _ in range(3)]
    scene.person(userPrincipalName=users[1]["userPrincipalName"])
    names = [user["id"] for user in users]
    id = scene.requests.restore_batch(names)
    first = summary_of(scene, id)
    key, sent, *_ = scene.requests.sent[id]
    with scene.untouched(), scene.calls() as calls:
        scene.requests.send(sent, id, key)
        again = summary_of(scene, id, 2)
    assert [call for call in calls if "oauth2" not in call["path"]] == []
    assert (again.headers, again.data) == (first.headers, {**first.data, "replayed": True})
    events = scene.everything(id)
    for topic, n in (("succeeded", 4), ("conflicts", 2), ("batches", 2), ("notifications", 2)):
        assert sum(e.topic == topic for e in events) == n
    assert duplicates(events) == {}


def test_the_same_after_a_restart(scene):
    id = scene.requests.restore_batch([scene.deleted()["id"], scene.deleted()["id"]])
    first = summary_of(scene, id)
    assert scene.worker.terminate() == 0
    scene.worker.start().wait_ready()
    key, sent, *_ = scene.requests.sent[id]
    with scene.untouched():
        scene.requests.send(sent, id, key)
        again = summary_of(scene, id, 2)
    assert again.data == {**first.data, "replayed": True}
    assert duplicates(scene.everything(id)) == {}


def test_another_batch_under_the_same_id_is_refused_as_a_whole(scene):
    id = scene.requests.restore_batch([scene.deleted()["id"]])
    summary_of(scene, id)
    other = scene.deleted()
    with scene.untouched():
        scene.requests.restore_batch([other["id"]], id)
        outcome = scene.outcome(id, 2)
    assert outcome.data["code"] == "request_id_reused" and "user" not in outcome.data
    assert sum(map(is_summary, scene.everything(id))) == 1


def test_an_item_whose_id_was_used_before_fails_alone(scene):
    used, other = scene.deleted(), scene.deleted()
    id = scene.restore(used).causation
    # The same partition: a batch may have any key.
    scene.requests.restore_batch([used["id"], other["id"]], id, key=used["id"])
    summary = summary_of(scene, id)
    assert (summary.data["succeeded"], summary.data["failed"]) == (1, 1)
    [failure] = summary.data["failures"]
    assert (failure["user"], failure["code"]) == ({"id": used["id"]}, "request_id_reused")


def test_a_malformed_item_makes_the_record_a_dead_letter(scene):
    user = scene.deleted()
    with scene.untouched():
        id = scene.requests.restore_batch([user["id"], {"userPrincipalName": ""}])
        outcome = scene.outcome(id)
    assert outcome.data["code"] == "malformed"
    assert [e.topic for e in scene.everything(id) if e.topic != "dead_letters"] == ["failed"]


def test_100_users_are_summed_up_within_a_moment(scene, record_property):
    users = [scene.deleted()["id"] for _ in range(100)]
    id = scene.requests.restore_batch(users)
    summary = summary_of(scene, id)
    last = max(o.headers["ce_time"] for o in outcomes_of(scene, id, 100))
    record_property("last outcome", last)
    record_property("summary", summary.headers["ce_time"])
    print(f"\n  last outcome {last}, summary {summary.headers['ce_time']}")
    assert summary.data["succeeded"] == 100
