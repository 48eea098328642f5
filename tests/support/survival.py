"""A world of its own for one run: topics, directory, workers, and an audit of what came of it.

A guard and its negative control are two scenes that a test plays side by side:

    def test_...(scenes):
        guarded, control = scenes(), scenes(without="proof")

`without` names guards of worker/test_controls.h; `audit()` believes nobody but the independent
reader and the directory, and answers {} when every promise was kept.
"""

import json
import os
import socket
import struct
import time
import urllib.request
from collections import Counter, defaultdict

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from . import directory as simulated
from .directory import Directory, standard_load
from .events import Reader, Requests, duplicates, outcomes
from .process import wait_for
from .topics import Topics
from .worker import Worker

# A member that died is missed after 3 s instead of 15.
QUICK = ["session.timeout.ms=3000", "heartbeat.interval.ms=500"]


class Scene:
    def __init__(self, folder, kafka, deleted=100, settings=None, without=None, environment=None):
        os.makedirs(folder)
        self._folder = folder
        self._kafka = kafka
        self._settings = {"directory": {"request_timeout_ms": 1000},
                          "kafka": {"properties": QUICK}, **(settings or {})}
        self._environment = {**(environment or {}),
                             **({"RESTORE_TEST_WITHOUT": without} if without else {})}
        self.topics = Topics(kafka.bootstrap)
        self.directory = Directory(folder, standard_load(deleted))
        self.requests = Requests(kafka.bootstrap, self.topics)
        self.reader = Reader(kafka.bootstrap, self.topics)
        self.workers = []
        self.asked = {}  # request id -> object id of the user, for the audit

    def worker(self, name="worker-1", settings=None, tenant=None):
        """Starts one, with more settings, also of its tenant; wait_ready() is the caller's."""
        keys = self.workers[0].keys if self.workers else None
        self.workers.append(Worker(self._folder, self._kafka, self.topics, self.directory.url,
                                   name, keys, self._settings, self._environment))
        worker = self.workers[-1]
        worker.configure(settings or {})
        worker.configure({"tenants": [{**worker.settings["tenants"][0], **(tenant or {})}]})
        return worker.start()

    def ask(self, *users, **more):
        """One request per object id; their ids, in order."""
        ids = [self.requests.restore(user, **more) for user in users]
        self.asked.update(zip(ids, users))
        return ids

    def outcomes(self, n=None, timeout_s=120):
        """Waits until n of the requests (all by default) have an outcome."""
        n = len(self.asked) if n is None else n

        def reached(records):
            return len({r.causation for r in records if r.is_outcome} & self.asked.keys()) >= n

        return self.reader.until(reached, timeout_s, f"outcomes of {n} requests")

    def calls(self, method=None, user=None, path=""):
        """The directory's log of calls that fit."""
        return [c for c in self.directory.calls()["calls"]
                if method in (None, c["method"]) and user in (None, c["user"])
                and path in c["path"]]

    def intents(self):
        """Object ids of users whose intent stands in the journal and is not done yet."""
        newest = {}
        for message in raw_records(self._kafka.bootstrap, self.topics.names["journal"]):
            newest[message.key()] = message
        return {json.loads(m.value())["user"]["id"] for m in newest.values()
                if dict(m.headers() or [])["rw-state"] == b"intent"}

    def audit(self):
        """Promises P1 and P2, as found now: what was broken, by name; {} when nothing was."""
        records = self.reader.all()
        effects = self.directory.effects()["users"]
        found = outcomes(records)
        broken = {
            "missing": [id for id, user in self.asked.items() if (id, user) not in found],
            "doubled": [str(group[-1]) for group in duplicates(records).values()],
            "failed": [str(r) for group in found.values() for r in group
                       if r.topic != "succeeded"],
            "restored again": [u for u, effect in effects.items() if effect["restores"] > 1],
            "mailed again": [id for id, n in Counter(
                r.id for r in records if r.topic == "notifications").items() if n > 1],
            "not restored": [u for u in self.asked.values()
                             if effects.get(u, {"restores": 0})["restores"] == 0],
            "password": self._wrong_passwords(records, effects),
        }
        return {name: what for name, what in broken.items() if what}

    def _wrong_passwords(self, records, effects):
        """Users whose last mail does not tell the password in force, or who got none."""
        told = {}
        for record in sorted(records, key=lambda r: r.headers.get("ce_time", "")):
            if record.topic == "notifications" and "secret" in record.data:
                told[record.data["values"]["userPrincipalName"]] = self.workers[0].keys.open(
                    record.data["secret"])
        by_user = {secret["userId"]: secret["password"] for secret in told.values()}
        return [user for user in set(self.asked.values())
                if by_user.get(user) != effects.get(user, {}).get("password")]

    def delete_user(self, user):
        """An administrator deletes the user (again), past the worker."""
        form = (f"grant_type=client_credentials&client_id={simulated.CLIENT_ID}"
                f"&client_secret={simulated.CLIENT_SECRET}"
                f"&scope={self.directory.url}/.default").encode()
        token = json.loads(_http("POST", f"{self.directory.url}/{simulated.TENANT}"
                                 "/oauth2/v2.0/token", form))["access_token"]
        _http("DELETE", f"{self.directory.url}/v1.0/users/{user}",
              headers={"Authorization": f"Bearer {token}"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Of a scene with a broker of its own, which may be gone, and its topics with it."""
        self.close(delete_topics=False)

    def close(self, delete_topics=True):
        faults = []
        self.reader.close()
        for part in [*self.workers, self.directory]:
            try:
                part.stop()
            except AssertionError as fault:
                faults.append(str(fault))
        if delete_topics:
            self.topics.delete()
        assert not faults, "\n".join(faults)


@pytest.fixture
def scenes(tmp_path, kafka):
    """scenes(without="...", deleted=N, settings={...}, kafka=...) opens one; all end with the
    test."""
    opened = []

    def scene(**more):
        folder = os.path.join(tmp_path, f"scene-{len(opened) + 1}")
        opened.append(Scene(folder, **{"kafka": kafka, **more}))
        return opened[-1]

    yield scene
    faults = []
    for one in opened:
        try:
            one.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def figure(record_property):
    """figure(name, seconds): into the report, and onto the screen with -s."""
    def note(name, seconds):
        record_property(name, round(seconds, 2))
        print(f"\n  {name}: {seconds:.2f} s")

    return note


def raw_records(bootstrap, topic, partitions=12):
    """Everything committed in a topic, as confluent_kafka gives it: headers in order, as bytes."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "independent-reader",
                         "enable.auto.commit": False, "isolation.level": "read_committed",
                         "enable.partition.eof": True})
    unread = set(range(partitions))
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in unread])
    found = []
    end = time.monotonic() + 60
    try:
        while unread:
            assert time.monotonic() < end, f"no end of {topic} {unread}"
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error() is None:
                found.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
    finally:
        consumer.close()
    return found


def assigned(worker, times=1, timeout_s=120):
    """Waits until the worker has taken partitions so many times since its start."""
    def taken():
        code = worker.exit_code()
        assert code is None, f"{worker.name} ended with {code}"
        return sum("partitions assigned" in line["raw"] for line in worker.log()) >= times

    wait_for(taken, timeout_s, f"assignment {times} of {worker.name}")


def throw_out(scene, instance):
    """Removes a static member from the group, as `kafka-consumer-groups.sh --remove-members` would:
    LeaveGroup v3 with the instance's name (confluent_kafka has no call for it)."""
    def text(value):
        return struct.pack(">h", len(value)) + value.encode()

    body = (struct.pack(">hhih", 13, 3, 1, -1) + text(scene.topics.group)
            + struct.pack(">i", 1) + text("") + text(instance))
    host, port = scene._kafka.bootstrap.split(":")
    with socket.create_connection((host, int(port)), 10) as sock:
        sock.sendall(struct.pack(">i", len(body)) + body)
        answer = sock.makefile("rb").read(4 + 4 + 4 + 2)
    [error] = struct.unpack(">h", answer[-2:])
    assert error == 0, f"LeaveGroup: {error}"


def _http(method, url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return reply.read()
