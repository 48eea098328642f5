"""The operator's tool against real topics and a real worker."""

import json
import os
import subprocess
import uuid

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from support.contract import GUID, TIME, event_id
from support.directory import DOMAIN, REQUESTER
from support.events import Reader
from support.libconfig import to_libconfig
from support.process import ROOT, binary
from support.scene import Scene
from support.topics import HOUR_MS, Topics
from support.worker import RecipientKey

SOURCE = "urn:restorectl"


def run(*arguments, config=None, **environment):
    """restorectl's (exit code, standard output, standard error)."""
    command = [binary("worker/restorectl/restorectl"), *arguments]
    if config:
        command += ["--config", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def tool_topics(kafka, tmp_path_factory):
    """(names that are no topics before the tool made them, a configuration for the tool alone)"""
    topics = Topics(kafka.bootstrap, create=False)
    config = tmp_path_factory.mktemp("tool") / "tool.conf"
    config.write_text(to_libconfig({"kafka": {
        "brokers": kafka.bootstrap, "group": topics.group, "topics": topics.names}}))
    config = str(config)
    assert run("topics", "check", config=config)[0] == 78  # nothing there yet
    assert run("topics", "create", config=config)[0] == 0
    return topics, config


@pytest.fixture(scope="module")
def tool_keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    private, public = str(folder / "private.json"), str(folder / "public.json")
    code, out, _ = run("keys", "new", "--out", private, "--public", public)
    assert (code, out) == (0, "")
    return RecipientKey(private=private, public=public), private, public


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory, tool_topics, tool_keys):
    """A worker on topics and with a key that the tool made."""
    with Scene(tmp_path_factory.mktemp("scene"), kafka, keys=tool_keys[0],
               topics=tool_topics[0]) as scene:
        yield scene


@pytest.fixture
def restorectl(scene):
    """Runs it as an administrator with the worker's own configuration."""
    def call(command, *arguments):
        if command in ("restore", "plan", "deleted"):
            arguments += "--requested-by", f"admin@{DOMAIN}"
        return run(command, *arguments, config=scene.worker.config_file)

    return call


# ---- topics and keys --------------------------------------------------------------------------


def test_the_tool_makes_the_topics_of_the_contract(kafka, tool_topics):
    topics, config = tool_topics
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    listed = admin.list_topics(timeout=10).topics
    for name, topic in topics.names.items():
        assert len(listed[topic].partitions) == (12 if name in ("requests", "journal") else 3)
        [described] = admin.describe_configs(
            [ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
        found = {name: entry.value for name, entry in described.result(10).items()}
        retention_h = int(found["retention.ms"]) / HOUR_MS
        cleanup = set(found["cleanup.policy"].split(","))
        if name == "journal":
            assert (cleanup, retention_h) == ({"compact", "delete"}, 72 + 7 * 24)
            assert found["message.timestamp.type"] == "LogAppendTime"
        else:
            assert (cleanup, retention_h) == ({"delete"},
                                              48 if name == "notifications" else 7 * 24)
    assert run("topics", "check", config=config)[0] == 0
    code, out, _ = run("topics", "create", config=config)  # again: nothing to do
    assert code == 0 and all(topic in out for topic in topics.names.values())


def test_a_topic_that_cannot_be_the_journal_is_pointed_out(kafka, tool_topics, tmp_path):
    names = tool_topics[0].names
    wrong = tmp_path / "wrong.conf"
    wrong.write_text(to_libconfig({"kafka": {"brokers": kafka.bootstrap, "topics": {
        **names, "journal": names["succeeded"], "succeeded": names["failed"]}}}))
    code, out, _ = run("topics", "check", config=str(wrong))
    assert code == 78 and "has 3 partitions, must have the 12" in out
    assert "should be compact,delete" in out and "should be LogAppendTime" in out


def test_a_new_key_is_a_private_file_and_a_public_set(tool_keys):
    keys, private, public = tool_keys
    with open(private) as file:
        secret = json.load(file)
    with open(public) as file:
        [shown] = json.load(file)["keys"]
    assert os.stat(private).st_mode & 0o777 == 0o600
    assert secret == {**shown, "d": secret["d"]}
    assert (shown["kty"], shown["crv"], shown["use"]) == ("EC", "P-256", "enc")
    assert shown["kid"] == keys.thumbprint() and "d" not in shown
    assert run("keys", "new", "--out", private)[0] == 74  # never over a key that is there


# ---- restore ----------------------------------------------------------------------------------


def test_restore_waits_and_says_what_was_done(scene, restorectl):
    user = scene.deleted()
    code, out, err = restorectl("restore", user["userPrincipalName"])
    assert (code, err) == (0, "")
    assert user["userPrincipalName"] in out and user["id"] in out and "restored" in out
    assert scene.directory.effects(user["id"])["restores"] == 1


def test_restore_shows_the_event_as_json(scene, restorectl):
    user = scene.deleted()
    code, out, _ = restorectl(
        "restore", user["id"], "-o", "json", "--request-id", "tool-1", "--reason", "by mistake",
        "--ticket", "servicenow:INC:1", "--tenant", "contoso", "--notify", "manager",
        "--notify", f"desk@{DOMAIN}")
    shown = json.loads(out)
    outcome = scene.outcome("tool-1")
    assert code == 0 and shown["data"] == outcome.data
    assert (shown["id"], shown["type"]) == (outcome.id, outcome.headers["ce_type"])
    assert outcome.id == event_id(SOURCE, "tool-1", user["id"], "succeeded")
    assert outcome.data["requestedBy"] == {"userPrincipalName": f"admin@{DOMAIN}"}
    assert (outcome.data["reason"], outcome.data["ticket"]) == (
        "by mistake", {"system": "servicenow", "id": "INC:1"})
    assert scene.notification("tool-1").data["to"] == [f"manager@{DOMAIN}", f"desk@{DOMAIN}"]


def test_the_password_opens_with_the_key_that_the_tool_made(scene, restorectl):
    user = scene.deleted()
    assert restorectl("restore", user["id"], "--request-id", "tool-2")[0] == 0
    opened = scene.worker.keys.open(scene.notification("tool-2").data["secret"])
    assert opened["password"] == scene.directory.effects(user["id"])["password"]


def test_a_failure_ends_with_1_and_says_what_to_do(scene, restorectl):
    user = scene.deleted(onPremisesSyncEnabled=True)
    code, out, _ = restorectl("restore", user["id"])
    assert code == 1 and "synced_user" in out and "on-premises" in out


def test_a_conflict_ends_with_3_and_the_tool_can_resolve_it(scene, restorectl):
    user = scene.deleted()
    holder = scene.person(userPrincipalName=user["userPrincipalName"])
    code, out, _ = restorectl("restore", user["id"])
    assert code == 3 and holder["id"] in out and "rename-restored" in out
    code, out, _ = restorectl("restore", user["id"], "--on-name-conflict", "rename-restored",
                              "--new-name", f"again.{user['userPrincipalName']}")
    assert code == 0 and f"again.{user['userPrincipalName']}" in out


def test_topics_that_are_not_there_end_with_78(kafka):
    code, out, err = run("restore", str(uuid.uuid4()), "-b", kafka.bootstrap)
    assert (code, out) == (78, "") and "user-restore" in err  # the default names


def test_a_frozen_worker_makes_the_wait_end_with_75(scene, restorectl):
    user = scene.deleted()
    scene.worker.freeze()
    code, out, err = restorectl("restore", user["id"], "--timeout", "5", "--request-id", "slow")
    assert (code, out) == (75, "") and "restorectl wait slow" in err
    scene.worker.resume()
    code, out, _ = restorectl("wait", "slow", "--timeout", "60")
    assert code == 0 and "restored" in out


# ---- wait, print ------------------------------------------------------------------------------


def test_wait_finds_the_newest_outcome_of_a_request_sent_before(scene, restorectl):
    user = scene.deleted()
    code, out, _ = restorectl("restore", user["id"], "--no-wait")
    assert code == 0
    id = out.strip()
    assert id == GUID
    first = scene.outcome(id)
    code, out, _ = restorectl("wait", id, "-o", "json")
    assert (code, json.loads(out)["data"]) == (0, first.data)
    code, out, _ = restorectl("restore", user["id"], "--request-id", id)
    assert code == 0 and "sent before" in out
    assert json.loads(restorectl("wait", id, "-o", "json")[1])["data"]["replayed"] is True


def test_wait_for_what_was_never_sent_times_out(restorectl):
    code, out, _ = restorectl("wait", str(uuid.uuid4()), "--timeout", "5")
    assert (code, out) == (75, "")


def test_print_sends_nothing_and_what_it_shows_is_a_request(scene, restorectl):
    user = scene.deleted()
    before = sent(scene)
    code, out, _ = restorectl("restore", user["userPrincipalName"].upper(), "--print", "-o",
                              "json", "--request-id", "printed")
    shown = json.loads(out)
    assert code == 0 and sent(scene) == before
    assert shown == {
        "topic": scene.topics.names["requests"], "key": user["userPrincipalName"],
        "headers": {"ce_specversion": "1.0", "ce_id": "printed", "ce_source": SOURCE,
                    "ce_type": "io.restore-worker.user.restore.requested.v1", "ce_time": TIME,
                    "content-type": "application/json"},
        "value": {"user": {"userPrincipalName": user["userPrincipalName"].upper()},
                  "requestedBy": {"userPrincipalName": f"admin@{DOMAIN}"}}}
    text = restorectl("restore", user["id"], "--print")[1]
    assert f"key: {user['id']}" in text and "header: ce_source: urn:restorectl" in text
    scene.requests.send_raw(json.dumps(shown["value"]).encode(), shown["key"], shown["headers"])
    assert scene.outcome("printed").topic == "succeeded"


def sent(scene):
    return len(Reader(scene.kafka.bootstrap, scene.topics, names=["requests"]).all())


def test_a_ready_request_of_an_event_is_sent_by_retry(scene, restorectl, tmp_path):
    user = scene.deleted()
    scene.person(userPrincipalName=user["userPrincipalName"])
    code, out, _ = restorectl("restore", user["id"], "-o", "json")
    assert code == 3
    event = tmp_path / "event.json"
    event.write_text(out)
    code, out, _ = restorectl("retry", str(event), "--policy", "rename-restored")
    assert code == 0 and "renamed: " in out


def test_rows_of_a_csv_file_are_restored(scene, tmp_path):
    good, synced = scene.deleted(), scene.deleted(onPremisesSyncEnabled=True)
    file = tmp_path / "users.csv"
    file.write_text(f"user,ticket\n{good['id']},sn:1\n{synced['userPrincipalName']},sn:2\n")
    code, out, _ = run("restore", "--csv", str(file), "-o", "csv", "--requested-by", REQUESTER,
                       config=scene.worker.config_file)
    rows = {row.split(",")[0]: row.split(",")[1:3] for row in out.splitlines()}
    assert code == 1 and rows[good["id"]] == ["succeeded", "restored"]
    assert rows[synced["userPrincipalName"]] == ["failed", "synced_user"]


# ---- several users ----------------------------------------------------------------------------


def as_json(out):
    """[(kind, data)] of what the tool printed."""
    events = [json.loads(line) for line in out.splitlines()]
    return [(event["type"].split(".")[-2], event["data"]) for event in events]


def borne(scene):
    """A deleted user whose name another bears by now."""
    user = scene.deleted()
    scene.person(userPrincipalName=user["userPrincipalName"], mail=None, proxyAddresses=[])
    return user


def test_several_users_are_a_batch_and_the_worst_of_them_decides(scene, restorectl):
    def synced(scene):
        return scene.deleted(onPremisesSyncEnabled=True)

    for makes, code, counts in (([Scene.deleted] * 2, 0, (2, 0, 0)),
                                ([Scene.deleted, borne], 3, (1, 1, 0)),
                                ([borne, Scene.deleted, synced], 1, (1, 1, 1))):
        users = [make(scene) for make in makes]
        found, out, err = restorectl("restore", *(user["id"] for user in users), "-o", "json")
        *outcomes, (kind, summary) = as_json(out)
        assert (found, err, kind) == (code, "", "batch-completed")
        assert tuple(summary[n] for n in ("succeeded", "conflicts", "failed")) == counts
        assert {data["user"]["id"] for _, data in outcomes} == {user["id"] for user in users}
        assert [scene.directory.effects(user["id"])["restores"] for user in users] == [
            int(make == Scene.deleted) for make in makes]


def test_what_a_batch_left_is_sent_by_retry(scene, restorectl, tmp_path):
    users = [borne(scene), scene.deleted(), borne(scene)]
    code, out, _ = restorectl("restore", *(user["id"] for user in users), "-o", "json")
    assert code == 3
    summary = tmp_path / "summary.json"
    summary.write_text(out.splitlines()[-1])
    code, out, _ = restorectl("retry", str(summary), "--policy", "rename-restored", "-o", "json")
    assert code == 0
    assert {data["user"]["id"]: data["disposition"] for _, data in as_json(out)} == {
        users[0]["id"]: "restored", users[2]["id"]: "restored"}
    assert [scene.directory.effects(user["id"])["restores"] for user in users] == [1, 1, 1]


# ---- plan, deleted ----------------------------------------------------------------------------


def test_a_plan_says_what_would_happen_and_changes_nothing(scene, restorectl):
    users = scene.deleted(), borne(scene), scene.deleted(onPremisesSyncEnabled=True)
    with scene.untouched():
        for user, code, words in zip(users, (0, 3, 1),
                                     ("be restored", "be a conflict", "fail, synced_user")):
            found, out, err = restorectl("plan", user["id"])
            assert (found, err) == (code, "") and f"would {words}" in out
        code, out, _ = restorectl("plan", *(user["id"] for user in users), "-o", "json")
    assert code == 1 and as_json(out)[-1][1]["conflicts"] == 1


def test_a_plan_is_carried_out_by_retry(scene, restorectl, tmp_path):
    user, plan = scene.deleted(), tmp_path / "plan.json"
    code, out, _ = restorectl("plan", user["userPrincipalName"], "-o", "json")
    assert code == 0
    plan.write_text(out)
    code, out, _ = restorectl("retry", str(plan), "-o", "json")
    [(kind, data)] = as_json(out)
    assert (code, kind, data["user"]["id"]) == (0, "succeeded", user["id"])
    assert scene.directory.effects(user["id"])["restores"] == 1


def test_a_plan_that_others_overtook_fails_in_retry(scene, restorectl, tmp_path):
    user, plan = scene.deleted(), tmp_path / "plan.json"
    plan.write_text(restorectl("plan", user["id"], "-o", "json")[1])
    scene.person(userPrincipalName=user["userPrincipalName"])
    with scene.untouched():
        code, out, _ = restorectl("retry", str(plan))
    assert code == 1 and "plan_stale" in out


def test_the_deleted_are_listed_by_name_and_by_deadline(scene, restorectl):
    late, soon = (scene.deleted(userPrincipalName=f"{name}.listed@{DOMAIN}", deletedDaysAgo=days)
                  for name, days in (("late", 1), ("soon", 28)))
    with scene.untouched():
        code, out, _ = restorectl("deleted", "--match", ".LISTED", "-o", "json")
        [(kind, data)] = as_json(out)
        assert (code, kind, data["truncated"]) == (0, "listed", False)
        assert [user["id"] for user in data["users"]] == [soon["id"], late["id"]]
        code, out, _ = restorectl("deleted", "--match", ".listed", "--closing-within", "3")
        assert code == 0 and soon["id"] in out and late["id"] not in out


# ---- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, code", [
    (["restore"], 64), (["restore", "no-name"], 64), (["undelete", "x@y"], 64), ([], 64),
    (["restore", "a@b.c", "--on-name-conflict", "guess"], 64),
    (["wait"], 64), (["restore", "a@b.c", "--timeout", "0"], 64),
    (["restore", "--csv", "/nowhere.csv", "-b", "127.0.0.1:1"], 66),
    (["retry", "/nowhere.json", "-b", "127.0.0.1:1"], 66),
    (["restore", "--csv", "/etc/passwd", "-b", "127.0.0.1:1"], 65),
    (["wait", "x", "--config", "/nowhere.conf"], 66),
    (["wait", "x", "-b", "127.0.0.1:1", "--timeout", "1"], 69),
])
def test_mistakes_have_their_exit_codes(arguments, code):
    found, out, err = run(*arguments)
    assert (found, out) == (code, "") and err


def test_a_bad_configuration_ends_with_78(tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text('kafka = { brokerz = "x"; };\n')
    code, _, err = run("wait", "x", config=str(bad))
    assert code == 78 and "bad.conf:1" in err and "brokerz" in err


def test_the_environment_can_name_the_configuration(scene):
    user = scene.deleted()
    code, out, _ = run("restore", user["id"], "--requested-by", REQUESTER,
                       RESTORECTL_CONFIG=scene.worker.config_file)
    assert code == 0 and "restored" in out
