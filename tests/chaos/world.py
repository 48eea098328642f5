"""Three brokers, three workers, a directory, and a network between them that can be cut."""

import json
import os
import signal
import time
from collections import Counter, namedtuple
from datetime import datetime
from types import SimpleNamespace

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from support.directory import Directory, standard_load
from support.events import Reader
from support.kafka import Kafka, free_ports
from support.proxy import Proxy
from support.survival import throw_out
from support.topics import Topics
from support.worker import Worker

from .load import MALFORMED, Sender
from .plan import NODES, WORKERS

SESSION_S = 6
REQUEST_TIMEOUT_MS = 5000
LATENCY_MS = 15
STALLED_S = 180  # without one more outcome; a user's longest wait is 120 s (design 9)

SETTINGS = {
    "directory": {"request_timeout_ms": REQUEST_TIMEOUT_MS, "max_in_flight": 64},
    "policy": {"notify_default": ["helpdesk@contoso.com"]},
}


Change = namedtuple("Change", "at_ms method user status client_request_id client")


class Stalled(Exception):
    """Nothing came any more."""


class World:
    def __init__(self, folder, load, without=None, level="debug"):
        self._folder = os.path.abspath(folder)
        self._load = load
        self._opened = []
        self._incarnations = dict.fromkeys(WORKERS, 0)
        self._n_read = 0
        self._ends = set()  # where the events lie that end a request: the sent ones that are done
        self._ended = set()  # ids of the requests that have any of these
        self._batches = {r.id: Counter() for r in load.requests if r.kind not in MALFORMED
                         and r.has_summary}  # id -> outcomes of each user by now
        self.kills = 0  # kill -9 of a worker
        self.lags = []  # [from, to] in which the bin may show who has been restored, wall time
        self._level = level
        # Whoever wakes up and knows by his own clock that his session is over does no harm, with a
        # proof or without, if that clock is looked at first. Without proof nobody is to know.
        self.is_ignorant = without == "proof"
        self._environment = {"RESTORE_TEST_WITHOUT": without} if without else {}
        self.log = open(os.path.join(folder, "chaos.log"), "w")
        self.began = time.monotonic()
        self.order_violations = []  # seen while it ran
        self.notes = []  # what must not have happened, but is no promise of the closing line
        self.changes = []  # from the directory's log, the calls that change; see Change
        self._taken = 0  # the number of its last call that was looked at
        self._next_take = 0.0

    def __enter__(self):
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self):
        self.kafka = Kafka(3, os.path.join(self._folder, "kafka"), ways=WORKERS)
        self._opened.append(self.kafka.stop)
        self.kafka.__enter__()
        self.topics = Topics(self.kafka.bootstrap, replication=3)
        load = standard_load(self._load.users, users=self._load.holders, latency_ms=LATENCY_MS)
        self.directory = Directory(self._folder, load)
        self._opened.append(self.directory.stop)
        routes, doors = {}, dict(zip(WORKERS, free_ports(len(WORKERS))))
        directory_port = int(self.directory.url.rpartition(":")[2])
        for who in WORKERS:
            routes[f"{who}/directory"] = (doors[who], directory_port)
            for node, (port, advertised) in self.kafka.ways[who].items():
                routes[f"{who}/broker-{node}"] = (advertised, port)
        self.proxy = Proxy(routes)
        self._opened.append(self.proxy.close)
        self.workers = {}
        for who in WORKERS:
            keys = self.workers["worker-1"].keys if self.workers else None
            self.workers[who] = Worker(
                self._folder, self.kafka, self.topics, f"http://127.0.0.1:{doors[who]}", who, keys,
                SETTINGS, self._environment)
            self.workers[who].configure({"kafka": {"brokers": self.kafka.bootstrap_of(who),
                                                   "properties": self._properties()},
                                         "log": {"level": self._level}})
            self._opened.append(lambda who=who: self._end(self.workers[who]))
        self.reader = Reader(self.kafka.bootstrap, self.topics)
        self._opened.append(self.reader.close)
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 2,
                             "partitioner": "murmur2_random", "enable.idempotence": True,
                             "log_level": 2})
        self.sender = Sender(producer, self.topics.names["requests"])
        self._admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 2})
        for who in WORKERS:
            self.start(who)
        self.settle()

    def __exit__(self, *_):
        for close in reversed(self._opened):
            try:
                close()
            except Exception as fault:  # the others must be ended all the same
                self.note(f"at the end: {fault}")
        self.log.close()

    def _end(self, worker):
        """A frozen one cannot be told anything else."""
        try:
            worker.stop()
        except AssertionError as fault:
            self.note(str(fault))

    def _properties(self):
        session_s = 120 if self.is_ignorant else SESSION_S
        return [f"session.timeout.ms={session_s * 1000}", "heartbeat.interval.ms=1000"]

    # ---- what is said ------------------------------------------------------------------------

    def say(self, text):
        line = f"{time.monotonic() - self.began:7.2f} s  {text}"
        print(line, flush=True)
        print(line, file=self.log, flush=True)

    def note(self, text):
        self.notes.append(text)
        self.say(f"BROKEN  {text}")

    # ---- workers -----------------------------------------------------------------------------

    def start(self, who):
        """Each process has an address of its own, by which the directory knows it."""
        self._incarnations[who] += 1
        self.proxy.source(f"{who}/directory", self.address(who))
        self.workers[who].start()

    def kill(self, who):
        self.workers[who].kill9()
        self.kills += 1

    def address(self, who):
        return f"127.1.{who[-1]}.{self._incarnations[who]}"

    def who_called(self, client):
        return f"worker-{client.split('.')[2]}"

    def assignments(self, who):
        """How often it has taken partitions since its start."""
        return self.workers[who].log_count("partitions assigned")

    def revoked_at(self, who, since):
        """Wall time of its first revoke after `since`; None: there was none."""
        with open(self.workers[who].log_file, "rb") as file:
            for line in file:
                if b'"partitions revoked"' in line:
                    at = datetime.fromisoformat(json.loads(line)["time"]).timestamp()
                    if at > since:
                        return at
        return None

    def running(self):
        """Notes and restarts those that ended by themselves."""
        for who, worker in self.workers.items():
            if worker.has_died():
                self.note(f"{who} ended with {worker.exit_code()}")
                self.start(who)

    # ---- requests and outcomes ---------------------------------------------------------------

    def send(self, requests):
        for request in requests:
            self.sender.send(request)
        self.sender.flush()

    def read(self, seconds):
        """Takes note of what comes in this time, and keeps none of it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.reader.until(bool, left)
            except AssertionError:
                return
            for record in self.reader.records:
                self._note(record)
            self._n_read += len(self.reader.records)
            self.reader.records.clear()

    def _note(self, record):
        """A request ends with its outcome, its summary or its dead letter."""
        id = record.causation
        if record.is_outcome and id in self._batches:
            self._batches[id][record.id] += 1
            is_end = record.data.get("code") == "request_id_reused"
        else:
            is_end = record.topic in ("batches", "dead_letters") or (
                record.is_outcome and record.data.get("code") != "malformed")
        if is_end:
            self._ends.add((record.topic, record.partition, record.offset))
            self._ended.add(id)

    def wait(self, condition, timeout_s, what, needs_outcomes=False):
        """Reads on until condition() is true; AssertionError after timeout_s. With needs_outcomes
        the time begins anew with every event."""
        end = time.monotonic() + timeout_s
        while not condition():
            before = self._n_read
            self.read(0.05)
            self.take_changes()
            if needs_outcomes and self._n_read > before:
                end = time.monotonic() + timeout_s
            if time.monotonic() >= end:
                raise AssertionError(f"waited {timeout_s} s in vain for {what}")

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            self.take_changes()

    def done(self):
        """How many of the sent requests were answered, repeats and malformed ones among them."""
        return len(self._ends)

    def answered(self, requests):
        """Whether each of these has an outcome (a repeat counts with its first)."""
        return all(r.id in self._ended for r in requests if r.kind not in MALFORMED)

    def items_done(self, batch):
        """How many users of the batch have their outcome."""
        return len(self._batches[batch.id])

    def outstanding(self):
        return len(self.sender.sent) - self.done()

    def wait_for_all(self):
        """Until every request has its outcome; Stalled when nothing comes any more."""
        try:
            self.wait(lambda: self.running() or self.outstanding() <= 0, STALLED_S,
                      "all outcomes", needs_outcomes=True)
        except AssertionError:
            raise Stalled(f"{self.outstanding()} requests without an outcome, and none came for "
                          f"{STALLED_S} s") from None

    # ---- the directory -----------------------------------------------------------------------

    def mark(self):
        """The number of the directory's last call, for calls()."""
        return self.directory.call_counts()["total"]

    def lag(self, visible_ms, bin_ms):
        """Of the directory's replicas; no_lag() ends it, and what is restored by then lags on."""
        self.directory.options(visible_lag_ms=visible_ms, bin_lag_ms=bin_ms)
        self.lags.append([time.time(), None])
        self._bin_lag_s = bin_ms / 1000

    def no_lag(self):
        self.directory.options(visible_lag_ms=0, bin_lag_ms=0)
        if self.lags and self.lags[-1][1] is None:
            self.lags[-1][1] = time.time() + self._bin_lag_s

    def calls(self, since, method=None, users=None, path=""):
        """Those after the mark that fit; status 0 is not answered yet, or never."""
        return [c for c in self.directory.calls(since)["calls"]
                if method in (None, c["method"]) and path in c["path"]
                and (users is None or c["user"] in users)]

    def take_changes(self, all=False):
        """Keeps the log of changes before the directory forgets it; what is young may still get its
        status and is left for later."""
        if not all and time.monotonic() < self._next_take:
            return
        self._next_take = time.monotonic() + 5
        old_ms = time.time() * 1000 - 2 * REQUEST_TIMEOUT_MS
        seen = self.directory.calls(self._taken)
        assert seen["dropped"] <= self._taken, "the directory forgot calls that nobody has read"
        for call in seen["calls"]:
            if not all and call["at_ms"] > old_ms:
                break
            self._taken = call["n"]
            if _changes(call):
                self.changes.append(Change(*(call[name] for name in Change._fields)))

    # ---- settling ----------------------------------------------------------------------------

    def settle(self):
        """Until everything runs, is in sync, and the workers hold partitions."""
        self.wait(self._in_sync, 120, "all replicas in sync")
        for who in WORKERS:
            self.wait(lambda who=who: self.running() or self.assignments(who) > 0, 120,
                      f"{who} to take partitions")

    def _in_sync(self):
        try:
            metadata = self._admin.list_topics(timeout=5)
        except Exception:
            return False
        partitions = [p for topic in metadata.topics.values() for p in topic.partitions.values()]
        return (len(metadata.brokers) == len(NODES) and bool(partitions)
                and all(set(p.isrs) == set(p.replicas) and p.leader >= 0 for p in partitions))

    def throw_out(self, who):
        """Of the group, by its coordinator, whichever broker that is."""
        for address in self.kafka.bootstrap.split(","):
            here = SimpleNamespace(topics=self.topics, _kafka=SimpleNamespace(bootstrap=address))
            try:
                throw_out(here, who)
                return
            except AssertionError:
                continue  # not the coordinator
        raise AssertionError(f"no broker throws {who} out")

    def drain(self):
        """SIGTERM to all; each ends with 0 in its time."""
        for who, worker in self.workers.items():
            if worker.exit_code() is None:
                worker.signal(signal.SIGTERM)
        for who, worker in self.workers.items():
            code = worker.wait(60)
            if code != 0:
                self.note(f"{who} drained with {code}")


def _changes(call):
    return call["method"] == "PATCH" or call["method"] == "DELETE" or (
        call["method"] == "POST" and "/restore" in call["path"])
