"""The admin pages (contract 6): probes, metrics and status, compared with what others count."""

import json
import re
import signal
import socket
import time
from collections import Counter

import pytest
from confluent_kafka import Producer

from support.directory import CLIENT_SECRET, REQUESTER, deleted_id
from support.kafka import Kafka
from support.process import wait_for
from support.scene import Scene
from support.survival import Scene as Survival, scenes  # noqa: F401 (a fixture)

PREFIX = "restore_worker_"
PAGES = ["/livez", "/readyz", "/readyz?verbose", "/metrics", "/status", "/version"]


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    with Scene(tmp_path_factory.mktemp("scene"), kafka) as scene:
        yield scene


def ready(worker):
    return worker.get("/readyz")[0]


def reasons(worker):
    """{check: reason} of those that fail."""
    return dict(re.findall(r"^\[-\] (\w+): (.*)$", worker.get("/readyz?verbose")[1], re.MULTILINE))


# ---- what was done ---------------------------------------------------------------------------


def test_metrics_and_status_agree_with_the_events_and_with_the_directory(kafka, tmp_path):
    with Scene(tmp_path, kafka) as scene:
        worker = scene.worker
        ids = [scene.requests.restore(scene.deleted()["id"]) for _ in range(20)]
        taken = scene.deleted()
        scene.person(userPrincipalName=taken["userPrincipalName"], proxyAddresses=[])
        ids += [scene.requests.restore(taken["id"]),
                scene.requests.restore(deleted_id(4711)),
                scene.requests.restore(scene.deleted()["id"], tenant="fabrikam"),
                scene.requests.restore(scene.deleted(deletedDaysAgo=31)["id"])]
        scene.reader.outcomes_of(*ids)
        scene.requests.send_raw(b"no request at all", "a")
        scene.requests.send_raw(b'{"requestId":"INC1","user":7}', "b")
        repeated = scene.requests.sent[ids[0]]
        scene.requests.send(repeated[1], ids[0], repeated[0])
        reused = scene.requests.send({**repeated[1], "reason": "other data"}, ids[0], repeated[0])
        scene.outcome(reused, 3)
        scene.nth(2, lambda r: r.topic == "dead_letters", "dead letters")
        scene.nth(1, lambda r: r.causation == "INC1", "the failure event")
        done = PREFIX + "requests_in_flight"
        wait_for(lambda: worker.metrics()[done,] == 0, 60, "the last commit to come back")

        records = scene.reader.all()
        told = Counter()
        for record in records:
            if not record.is_outcome or record.data.get("replayed"):
                continue
            data = record.data
            told[data.get("code") or data.get("disposition") or "name_conflict"] += 1
        metrics = worker.metrics()
        counted = {key[1]: n for key, n in metrics.items()
                   if key[0] == PREFIX + "requests_total" and n > 0}
        assert counted == dict(told)
        assert counted["restored"] == 20 and counted["malformed"] == 1 and len(counted) == 7
        assert metrics[PREFIX + "requests_replayed_total",] == 1
        assert metrics[PREFIX + "dead_letters_total",] == 2
        assert metrics[PREFIX + "requests_waiting",] == 0
        assert metrics[PREFIX + "oldest_request_age_seconds",] == 0
        assert metrics[PREFIX + "dedupe_window_seconds",] == 72 * 3600
        assert metrics[PREFIX + "partitions_assigned",] == metrics[PREFIX + "partitions",] > 0
        assert metrics[PREFIX + "paused",] == 0 and metrics[PREFIX + "ready",] == 1
        assert metrics[PREFIX + "directory_throttled", "contoso"] == 0
        calls = [c for c in scene.directory.calls()["calls"] if "/v1.0/" in c["path"]]
        assert sum(n for key, n in metrics.items()
                   if key[0] == PREFIX + "directory_requests_total") == len(calls)
        assert metrics[PREFIX + "directory_request_duration_seconds_count",] == len(calls)
        assert metrics[PREFIX + "directory_requests_total", "restore", "200"] == 20
        assert metrics[PREFIX + "commits_total",] \
            == metrics[PREFIX + "commit_duration_seconds_count",] > 1
        assert 1e6 < metrics["process_resident_memory_bytes",] < 1e9
        assert abs(time.time() - metrics["process_start_time_seconds",]) < 600

        status = json.loads(worker.get("/status")[1])
        kinds = Counter({"succeeded": "succeeded", "conflicts": "conflict",
                         "failed": "failed"}[r.topic]
                        for r in records if r.is_outcome and not r.data.get("replayed"))
        assert status["outcomes"] == dict(kinds)
        assert status["codes"] == counted
        assert status["outcomesLastMinute"] == len(status["recent"]) == sum(told.values())
        [tenant] = status["tenants"]
        assert tenant.pop("resourceUnitsLeft") > 0 and tenant.pop("writesLeft") > 0
        assert tenant == {"name": "contoso", "token": True, "breaker": "closed", "throttled": False,
                          "throttledMs": 0, "concurrencyLimit": 256}
        newest = status["recent"][0]
        assert newest["code"] in ("request_id_reused", "malformed") and newest["hint"]
        places = {(one["partition"], one["offset"]) for one in status["recent"]}
        assert {scene.requests.sent[id][2:] for id in ids[1:]} <= places
        assert json.loads(worker.get("/version")[1]).keys() \
            == {"version", "librdkafka", "libcurl", "jansson", "libmicrohttpd"}

        # P5, and contract 6: object ids, never names or addresses.
        everything = "".join(worker.get(page)[1] for page in PAGES)
        secrets = [scene.worker.keys.open(r.data["secret"])["password"]
                   for r in records if r.topic == "notifications"]
        people = [r.data["user"] for r in records if r.topic == "succeeded"]
        assert len(secrets) == 20 and len(people) == 21  # and the repeat
        named = [p[word] for p in people for word in ("userPrincipalName", "displayName")]
        for word in [*secrets, *named, *ids, CLIENT_SECRET, "Bearer", "@"]:
            assert word not in everything, word
        assert all(p["id"] in everything for p in people)


def test_pages_are_read_only_and_unknown_ones_are_not_there(scene):
    worker = scene.worker
    host, port = worker.admin_url().removeprefix("http://").split(":")
    said = {}
    for line in ["POST /metrics", "PUT /livez", "DELETE /status", "OPTIONS /readyz", "GET /",
                 "GET /admin", "GET /livez/", "HEAD /metrics", "GET /livez?x=1"]:
        with socket.create_connection((host, int(port)), 5) as client:
            client.sendall(f"{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
            reply = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        said[line] = int(head.split()[1]), len(body) > 0
    assert said == {
        "POST /metrics": (405, True), "PUT /livez": (405, True), "DELETE /status": (405, True),
        "OPTIONS /readyz": (405, True), "GET /": (404, True), "GET /admin": (404, True),
        "GET /livez/": (404, True), "HEAD /metrics": (200, False), "GET /livez?x=1": (200, True)}


# ---- probes ----------------------------------------------------------------------------------


def test_a_paused_worker_is_ready_and_counts_who_waits(scene):
    worker = scene.worker
    worker.signal(signal.SIGUSR1)
    worker.wait_log("paused")
    users = [scene.deleted() for _ in range(5)]
    ids = [scene.requests.restore(user["id"]) for user in users]
    try:
        wait_for(lambda: worker.metrics()[PREFIX + "requests_waiting",] == 5, 60, "five waiting")
        assert ready(worker) == 200
        assert worker.metrics()[PREFIX + "paused",] == 1
        assert json.loads(worker.get("/status")[1])["phase"] == "paused"
    finally:
        worker.signal(signal.SIGUSR2)
    scene.reader.outcomes_of(*ids)
    wait_for(lambda: worker.metrics()[PREFIX + "requests_waiting",] == 0, 60, "nobody waiting")
    assert worker.metrics()[PREFIX + "paused",] == 0


def test_nobody_waits_behind_the_end_of_a_transaction(scene):
    producer = Producer({"bootstrap.servers": scene.kafka.bootstrap, "transactional.id": "outbox"})
    producer.init_transactions(30)
    for ended in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce(scene.topics.names["requests"], b"no request", b"k")
        producer.flush(30)
        ended(30)
    scene.nth(1, lambda r: r.value == b"no request", "its dead letter")
    wait_for(lambda: scene.worker.metrics()[PREFIX + "requests_waiting",] == 0, 60, "the end")


def test_one_who_is_throttled_is_ready_and_says_so(scene):
    worker = scene.worker
    scope = f"Tenant/ReadWrite/{REQUESTER}/{REQUESTER}"
    with scene.fault(kind="answer", status=429, path="deletedItems",
                     headers={"Retry-After": "6", "x-ms-throttle-scope": scope}):
        id = scene.requests.restore(scene.deleted()["id"])
        wait_for(lambda: worker.metrics()[PREFIX + "directory_throttled", "contoso"] == 1, 60,
                 "the throttle to close")
        assert ready(worker) == 200
        assert worker.metrics()[PREFIX + "requests_in_flight",] == 1
        assert worker.metrics()[PREFIX + "oldest_request_age_seconds",] > 0
        [tenant] = json.loads(worker.get("/status")[1])["tenants"]
        assert tenant["throttled"] and 0 < tenant["throttledMs"] <= 6000
    scene.reader.outcomes_of(id)
    assert worker.metrics()[PREFIX + "directory_throttled", "contoso"] == 0


def test_readiness_comes_with_the_token_and_a_refused_reload_only_warns(scenes):
    scene = scenes()
    scene.directory.fault(kind="hang", path="oauth2", times=-1)
    worker = scene.worker()
    wait_for(lambda: worker.get("/livez")[0] == 200, 60, "the loop")
    wait_for(lambda: reasons(worker).keys() == {"tokens"}, 60, "all but the token")
    assert ready(worker) == 503 and reasons(worker) == {"tokens": "contoso: none"}
    scene.directory.clear_faults()
    wait_for(lambda: ready(worker) == 200, 60, "readiness")

    worker.reloaded({"shutdown": {"grace_seconds": 0}}, "reload failed")
    status, text = worker.get("/readyz?verbose")
    assert status == 200 and "[+] configuration: in force; warning: the last reload" in text
    worker.reloaded({"shutdown": {"grace_seconds": 10}})
    assert "[+] configuration: in force\n" in worker.get("/readyz?verbose")[1]


def test_a_clock_that_is_far_from_the_directorys_is_not_ready(scenes):
    scene = scenes()
    scene.directory.options(clock_offset_ms=310000)
    worker = scene.worker().wait_ready()
    wait_for(lambda: ready(worker) == 200, 60, "readiness; no reply has told the time yet")
    scene.ask(deleted_id(1))
    # A Date header names a second, and the reply may be slow.
    wait_for(lambda: re.fullmatch("the directory's is 3(0[5-9]|10) s ahead",
                                  reasons(worker).get("clock", "")), 60, "the clock")
    assert ready(worker) == 503
    scene.directory.options(clock_offset_ms=0)
    scene.ask(deleted_id(2), deleted_id(3))
    wait_for(lambda: ready(worker) == 200, 60, "the clock")


def test_a_partition_whose_journal_is_unreadable_is_named(scenes, kafka):
    scene = scenes()
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(scene.topics.names["journal"], b"{}", b"not the worker's", partition=5)
    assert producer.flush(30) == 0
    worker = scene.worker().wait_ready()
    wait_for(lambda: reasons(worker) == {"journal": "unreadable in 1 partitions, 5 the first"}, 60,
             "the reason")
    assert ready(worker) == 503
    assert worker.metrics()[PREFIX + "partitions_assigned",] == 11


def test_one_is_not_ready_while_partitions_are_given_back_and_ready_without_any(scenes):
    scene = scenes(settings={"directory": {"request_timeout_ms": 30000}})
    scene.directory.fault(kind="hang", user=deleted_id(1), times=-1)
    first = scene.worker().wait_ready()
    wait_for(lambda: ready(first) == 200, 60, "readiness")
    scene.ask(deleted_id(1))
    wait_for(lambda: scene.calls(user=deleted_id(1)), 60, "an open call")
    second = scene.worker("worker-2")  # the revoke awaits the call for 2 s
    wait_for(lambda: ready(first) == 503, 60, "not ready in the revoke")
    assert reasons(first).keys() <= {"group"}
    wait_for(lambda: ready(first) == ready(second) == 200, 60, "readiness after the revoke")
    held = [w.metrics()[PREFIX + "partitions_assigned",] for w in scene.workers]
    assert min(held) > 0 and sum(held) == first.metrics()[PREFIX + "partitions",]
    for n in range(3, sum(held) + 2):  # one more than there are partitions
        scene.worker(f"worker-{n}")

    def settled():
        return all(ready(w) == 200 for w in scene.workers) and sorted(
            w.metrics()[PREFIX + "partitions_assigned",] for w in scene.workers)

    wait_for(lambda: settled() == [0] + [1] * sum(held), 120, "readiness of the one without any")
    scene.directory.clear_faults()


def test_livez_stays_while_kafka_and_the_directory_are_gone(tmp_path):
    with Kafka() as kafka, Survival(tmp_path / "scene", kafka, 10) as scene:
        worker = scene.worker().wait_ready()
        wait_for(lambda: ready(worker) == 200, 60, "readiness")
        scene.directory.freeze()
        kafka.freeze()
        try:
            wait_for(lambda: worker.get("/livez")[0] == 200 and ready(worker) == 503, 60,
                     "not ready without a broker")
            assert reasons(worker).keys() == {"group"}  # the token is good for an hour
            slow = 0
            for _ in range(100):
                begun = time.monotonic()
                assert worker.get("/livez", 30) == (200, "live\n")
                slow += time.monotonic() - begun >= 1
            assert slow < 10  # the machine may stall, but not each time
        finally:
            kafka.resume()
            scene.directory.resume()
        wait_for(lambda: ready(worker) == 200, 60, "readiness afterwards")


# ---- where they listen -----------------------------------------------------------------------


def test_a_port_in_use_ends_the_start_with_78(worker, scene):
    taken = scene.worker.admin_url().removeprefix("http://")
    second = worker(settings={"admin": {"listen": taken}})
    assert second.wait(60) == 78
    line = second.wait_log("cannot serve the admin pages")
    assert line["error"] == f"admin.listen {taken}: Address already in use"


def test_the_environment_can_move_them_and_nothing_listens_without_an_address(worker):
    moved = worker(settings={"admin": {"listen": ""}},
                   environment={"RESTORE_WORKER_LISTEN": "[::1]:0"})
    port = moved.wait_log("admin pages")["port"]
    with socket.create_connection(("::1", port), 30) as client:
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        reply = client.recv(4096)
    assert reply.startswith(b"HTTP/1.1 200")
    silent = worker("worker-2", settings={"admin": {"listen": ""}}).wait_ready()
    assert not any("admin pages" in line["raw"] for line in silent.log())
