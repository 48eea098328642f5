"""The operator's tool alone: no worker runs here. A script answers its requests with the events of
the contract, so that every kind of answer can be given at will."""

import csv
import io
import json
import signal
import subprocess
import threading
import time
import uuid

import pytest
from confluent_kafka import Producer

from support.events import TYPE_PREFIX, Reader
from support.libconfig import to_libconfig
from support.process import ROOT, binary, wait_for
from support.topics import Topics

TOPIC_OF = {"succeeded": "succeeded", "conflict": "conflicts", "failed": "failed",
            "planned": "plans", "listed": "plans", "batch-completed": "batches"}
ID = "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"


class Script:
    """Pretends to be the worker: `answer(id, data)` gives [(kind, data), ...] for each request."""

    def __init__(self, kafka, topics):
        self.topics = topics
        self.answer = lambda id, data: []
        self.seen = []  # (key, id, data)
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})
        self._reader = Reader(kafka.bootstrap, topics, names=["requests"])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, id, kind, data):
        headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_causationid": id,
                   "ce_type": f"{TYPE_PREFIX}user.restore.{kind}.v1",
                   "content-type": "application/json"}
        self._producer.produce(self.topics.names[TOPIC_OF[kind]],
                               json.dumps({"requestId": id, **data}), id, headers=headers)
        self._producer.flush(10)

    def _run(self):
        done = 0
        while not self._stop.is_set():
            try:
                records = self._reader.until(lambda r: len(r) > done, 0.5)
            except AssertionError:
                continue
            for record in records[done:]:
                whole = record.data
                id = record.id or whole["id"]
                data = whole["data"] if "specversion" in whole else whole
                self.seen.append((record.key.decode(), id, data))
                for kind, answer in self.answer(id, data):
                    self.publish(id, kind, answer)
            done = len(records)

    def stop(self):
        self._stop.set()
        self._thread.join(20)
        self._reader.close()


@pytest.fixture(scope="module")
def script(kafka, tmp_path_factory):
    topics = Topics(kafka.bootstrap)
    config = tmp_path_factory.mktemp("tool") / "tool.conf"
    config.write_text(to_libconfig({"kafka": {"brokers": kafka.bootstrap,
                                              "topics": topics.names}}))
    script = Script(kafka, topics)
    script.config = str(config)
    yield script
    script.stop()
    topics.delete()


def run(script, *arguments, stdin=None):
    done = subprocess.run(
        [binary("worker/restorectl/restorectl"), *arguments, "--config", script.config],
        capture_output=True, text=True, timeout=120, cwd=ROOT, input=stdin)
    return done.returncode, done.stdout, done.stderr


def ready(id, policy=None):
    data = {"user": {"id": ID}, "requestedBy": {"id": "someone"}}
    if policy:
        data["conflict"] = {"userPrincipalName": {"policy": policy}}
    return {"key": ID, "event": {"specversion": "1.0", "id": id, "source": "urn:servicenow",
                                 "type": f"{TYPE_PREFIX}user.restore.requested.v1", "data": data}}


def test_a_plan_is_asked_for_and_shown(script):
    for would, code in (("restore", 0), ("conflict", 3), ("fail", 1)):
        script.answer = lambda id, data, would=would: [
            ("planned", {"user": data["user"], "would": would, "planHash": "sha256:ab"})]
        found, out, err = run(script, "plan", "ola@contoso.com")
        assert (found, err) == (code, "") and would in out and "sha256:ab" in out
    assert script.seen[-1][0] == "ola@contoso.com"
    assert script.seen[-1][2] == {"mode": "plan", "user": {"userPrincipalName": "ola@contoso.com"}}


def test_the_deleted_are_listed(script):
    user = {"id": ID, "userPrincipalName": "ola@contoso.com", "synced": False,
            "restorableUntil": "2999-01-01T00:00:00.000Z"}
    script.answer = lambda id, data: [("listed", {"users": [user], "truncated": True})]
    code, out, err = run(script, "deleted", "--match", "ola", "--closing-within", "3")
    assert (code, err) == (0, "") and "ola@contoso.com" in out and "there are more" in out
    key, id, data = script.seen[-1]
    assert key == id and data == {"mode": "list", "match": "ola", "closingWithinDays": 3}
    [row] = csv.DictReader(io.StringIO(run(script, "deleted", "-o", "csv")[1]))
    assert row["userPrincipalName"] == "ola@contoso.com" and row["synced"] == "no"


def test_several_users_are_one_request_that_its_summary_ends(script):
    summary = ("batch-completed", {"total": 2, "succeeded": 1, "conflicts": 1, "failed": 0,
                                   "failures": []})
    outcomes = [("succeeded", {"user": {"id": "1"}, "disposition": "restored"}),
                ("conflict", {"user": {"id": "2"}, "conflicts": []})]
    # The summary may be seen first (contract 4), and is printed last.
    script.answer = lambda id, data: [summary, *outcomes]
    code, out, _ = run(script, "restore", "a@b.c", "d@e.f", "-o", "json")
    kinds = [json.loads(line)["type"].split(".")[-2] for line in out.splitlines()]
    assert code == 3 and sorted(kinds[:2]) == ["conflict", "succeeded"]
    assert kinds[2:] == ["batch-completed"]
    key, id, data = script.seen[-1]
    assert key == id and data == {"users": [{"userPrincipalName": "a@b.c"},
                                            {"userPrincipalName": "d@e.f"}]}
    code, out, _ = run(script, "wait", id)
    assert code == 3 and "2 users: 1 succeeded, 1 in conflict, 0 failed" in out


def test_a_batch_without_its_summary_is_not_ended(script):
    script.answer = lambda id, data: [("succeeded", {"user": {"id": "1"}})]
    code, _, err = run(script, "restore", "a@b.c", "d@e.f", "--timeout", "5")
    id = script.seen[-1][1]
    assert code == 75 and f"restorectl wait {id}" in err
    assert run(script, "wait", id, "--timeout", "5")[0] == 75  # the request says: a batch


def test_a_malformed_batch_ends_with_1(script):
    script.answer = lambda id, data: [("failed", {"code": "malformed", "message": "bad"})]
    code, out, _ = run(script, "restore", "a@b.c", "d@e.f", "--timeout", "60")
    assert code == 1 and "malformed" in out


def test_retry_sends_the_resolution_that_the_policy_names(script, tmp_path):
    script.answer = lambda id, data: [("conflict", {"user": {"id": ID}, "resolutions": [
        {"policy": policy, "request": ready(policy, policy)}
        for policy in ("rename-restored", "replace-active")]})]
    code, event, _ = run(script, "restore", ID, "-o", "json")
    assert code == 3
    file = tmp_path / "event.json"
    file.write_text(event)
    assert run(script, "retry", str(file))[0] == 64  # which?
    assert run(script, "retry", str(file), "--policy", "reject")[0] == 65
    script.answer = lambda id, data: [("succeeded", {"user": {"id": ID},
                                                     "disposition": "restored"})]
    assert run(script, "retry", str(file), "--policy", "replace-active")[0] == 0
    assert script.seen[-1] == (ID, "replace-active",
                               ready("", "replace-active")["event"]["data"])
    # the bare data, from standard input, by somebody else
    bare = json.dumps(json.loads(event)["data"])
    assert run(script, "retry", "-", "--policy", "rename-restored", "--requested-by",
               "kari@contoso.com", stdin=bare)[0] == 0
    assert script.seen[-1][2]["requestedBy"] == {"userPrincipalName": "kari@contoso.com"}


@pytest.mark.parametrize("text, code", [("{", 65), ("{}", 65), ("[]", 65), ('{"resend": {}}', 65)])
def test_retry_refuses_what_is_no_event(script, text, code):
    found, out, err = run(script, "retry", "-", stdin=text)
    assert (found, out) == (code, "") and err.startswith("restorectl: ")


def test_a_csv_file_restores_each_row_and_resumes_what_is_left(script, tmp_path):
    users, results = tmp_path / "users.csv", tmp_path / "results.csv"
    users.write_text("user,reason\n" + "".join(f"u{i}@b.c,\n" for i in range(300)))
    asked = len(script.seen)
    script.answer = lambda id, data: [
        ("failed", {"user": data["user"], "code": "too_old"})
        if data["user"]["userPrincipalName"] == "u7@b.c" else
        ("succeeded", {"user": data["user"], "disposition": "restored"})]
    code, out, err = run(script, "restore", "--csv", str(users), "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, err, len(rows)) == (1, "", 300) and len(script.seen) == asked + 300
    assert {r["user"] for r in rows if r["outcome"] == "failed"} == {"u7@b.c"}
    results.write_text(out)
    code, out, err = run(script, "restore", "--csv", str(users), "--resume", str(results))
    assert code == 1 and "299 are done" in err and len(script.seen) == asked + 301
    assert run(script, "restore", "--csv", "/nowhere.csv")[0] == 66
    users.write_text("user\nbob\n")
    code, _, err = run(script, "restore", "--csv", str(users))
    assert code == 65 and "users.csv:2: user: " in err


def test_watch_shows_events_until_it_is_interrupted(script, tmp_path):
    with open(tmp_path / "out", "w") as out, open(tmp_path / "err", "w") as err:
        tool = subprocess.Popen(
            [binary("worker/restorectl/restorectl"), "watch", "-o", "json", "--config",
             script.config], stdout=out, stderr=err)
    try:
        wait_for(lambda: "watching" in (tmp_path / "err").read_text(), 60, "the tool to watch")
        script.publish("watched", "succeeded", {"user": {"id": "1"}})
        wait_for(lambda: '"watched"' in (tmp_path / "out").read_text(), 60, "the event")
        tool.send_signal(signal.SIGINT)
        assert tool.wait(60) == 0
    finally:
        tool.kill()


def test_the_timeout_bounds_also_the_way_to_kafka():
    began = time.monotonic()
    done = subprocess.run([binary("worker/restorectl/restorectl"), "wait", "x", "-b",
                           "127.0.0.1:1", "--timeout", "1"], capture_output=True, timeout=60)
    assert done.returncode == 69 and time.monotonic() - began < 20
