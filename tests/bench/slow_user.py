"""One slow user among many, on real Kafka: what does he cost the others (promise P3)?

    sh tests/bench/run.sh --slow-user [--users N] [--repeat N] [--rate N]

Restores of N users come evenly at a rate, all in one partition, as the others of a slow user would
feel him most there. In every second run the first user's restore takes the directory 20 s, for as
long as the others come. The time of each is from sending the request to reading its outcome
(read_committed), in one process. Nothing is judged.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import directory as sim  # noqa: E402
from support.directory import Directory, deleted_id, standard_load  # noqa: E402
from support.events import SOURCE, TYPE_PREFIX  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.topics import Topics  # noqa: E402
from support.worker import Worker  # noqa: E402

LATENCY_MS = 50
SLOW_MS = 20000
BOUND_S = 120


class Ends:
    """Sends restores and reads their outcomes: `took_s` by object id."""

    def __init__(self, kafka, topics):
        self._topic = topics.names["requests"]
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0,
                                   "log_level": 2})
        self._consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "bench-reader",
                                   "enable.auto.commit": False, "fetch.wait.max.ms": 10,
                                   "isolation.level": "read_committed", "log_level": 2})
        topic = topics.names["succeeded"]
        partitions = self._consumer.list_topics(topic, 10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, p, OFFSET_END) for p in partitions])
        self._sent_at = {}
        self.took_s = {}

    def send(self, user):
        data = {"user": {"id": user}, "requestedBy": {"id": sim.REQUESTER},
                "notify": {"to": [f"desk@{sim.DOMAIN}"]}}
        self._sent_at[user] = time.monotonic()
        self._producer.produce(self._topic, json.dumps(data), user, partition=0, headers={
            "ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": SOURCE,
            "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1",
            "ce_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "content-type": "application/json"})
        self._producer.poll(0)

    def read_until(self, mono):
        while (left := mono - time.monotonic()) > 0:
            message = self._consumer.poll(left)
            if message is not None:
                assert message.error() is None, message.error()
                user = message.key().decode()
                self.took_s[user] = time.monotonic() - self._sent_at[user]

    def read_all(self, users):
        end = time.monotonic() + BOUND_S
        while not self.took_s.keys() >= set(users):
            assert time.monotonic() < end, f"{BOUND_S} s without all outcomes"
            self.read_until(time.monotonic() + 0.02)

    def close(self):
        self._producer.flush(10)
        self._consumer.close()


def run(ends, directory, users, rate, slow):
    """Milliseconds that each of the users took, the slow one's apart (None: there is none)."""
    if slow:
        directory.fault(kind="delay", method="POST", path="/restore", user=users[0],
                        delay_ms=SLOW_MS)
    began = time.monotonic()
    for i, user in enumerate(users):
        ends.read_until(began + i / rate)
        ends.send(user)
    ends.read_all(users)
    ms = [1000 * ends.took_s[user] for user in users]
    return ms[1:], ms[0] if slow else None


def percentiles(ms):
    points = statistics.quantiles(ms, n=1000, method="inclusive")
    return points[499], points[949], points[989], max(ms)


def show(what, ms, slow_ms=None):
    shown = "  ".join(f"{name} {value:7.1f}" for name, value in
                      zip(("p50", "p95", "p99", "max"), percentiles(ms)))
    print(f"{what:<24} n={len(ms):<6} {shown} ms" + (f"  slow user {slow_ms / 1000:.1f} s"
                                                     if slow_ms else ""), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rate", type=float, default=25, help="requests a second")
    options = parser.parse_args()
    n = options.users + 1
    folder = tempfile.mkdtemp(prefix="restore-bench-")
    found = {False: [], True: []}
    with Kafka() as kafka:
        topics = Topics(kafka.bootstrap)
        directory = Directory(folder, standard_load((2 * options.repeat + 1) * n,
                                                    latency_ms=LATENCY_MS))
        worker = Worker(folder, kafka, topics, directory.url, settings={
            "policy": {"secret_recipients": [f"@{sim.DOMAIN}"]}, "log": {"level": "info"}})
        ends = Ends(kafka, topics)
        try:
            worker.start().wait_ready()
            users = map(deleted_id, range((2 * options.repeat + 1) * n))
            run(ends, directory, [next(users) for _ in range(n)], options.rate, False)  # warm
            for _ in range(options.repeat):
                for slow in (False, True):
                    ms, slow_ms = run(ends, directory, [next(users) for _ in range(n)],
                                      options.rate, slow)
                    show("with a slow user" if slow else "without", ms, slow_ms)
                    found[slow] += ms
        finally:
            ends.close()
            worker.stop()
            directory.stop()
    shutil.rmtree(folder, ignore_errors=True)
    show("without, all runs", found[False])
    show("with, all runs", found[True])
    p99 = [percentiles(found[slow])[2] for slow in (False, True)]
    print(f"p99 of the others with the slow user: {100 * p99[1] / p99[0] - 100:+.1f} %")


if __name__ == "__main__":
    main()
