"""The benchmark; tests/bench/README.md says what its table means.

    python tests/bench/bench.py [--restores N] [--repeat N] [--only WORD] [--keep DIR]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import namedtuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import directory as sim  # noqa: E402
from support.directory import Directory, deleted_id, standard_load  # noqa: E402
from support.events import SOURCE, TYPE_PREFIX  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.process import binary, wait_for  # noqa: E402
from support.topics import Topics  # noqa: E402
from support.worker import Worker  # noqa: E402

LATENCY_MS = 50
IN_FLIGHT = 256
CALLS = {"leave": 3, "generate": 4}  # bin, restore, [password,] read back
WHATS = ("bare loop", "worker", "up before", "reject")
TICKS = os.sysconf("SC_CLK_TCK")

COLUMNS = ("what", "password", "seconds", "restores/s", "of theory", "wire", "CPU s/1000",
           "user", "system", "RSS MB", "calls", "writes", "per batch", "commits/s")
Row = namedtuple("Row", [name.replace(" ", "_").replace("/", "_") for name in COLUMNS])


def produce(kafka, topics, restores, password):
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random",
                         "linger.ms": 20, "queue.buffering.max.messages": restores + 1})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for n in range(restores):
        data = {"user": {"id": deleted_id(n)}, "requestedBy": {"id": sim.REQUESTER},
                "password": password, "notify": {"to": [f"desk@{sim.DOMAIN}"]}}
        producer.produce(topics.names["requests"], json.dumps(data), deleted_id(n), headers={
            "ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": SOURCE,
            "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1", "ce_time": now,
            "content-type": "application/json"})
    assert producer.flush(60) == 0


def read_topic(kafka, topic, each):
    """Calls each(message) for every committed record of the topic as it stands."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "bench-reader",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    partitions = set(consumer.list_topics(topic, 10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    while partitions:
        message = consumer.poll(10)
        assert message is not None, f"no end of {topic}"
        if message.error() is None:
            each(message)
        else:
            partitions.discard(message.partition())
    consumer.close()


def outcome_times_ms(kafka, topics):
    """When each success was handed to Kafka."""
    times = []
    read_topic(kafka, topics.names["succeeded"], lambda m: times.append(m.timestamp()[1]))
    return sorted(times)


def count_transactions(kafka, group):
    """Every transaction ends in a control record behind the group's offsets, and control records
    are the gaps between what a consumer is shown."""
    offsets = {}

    def note(message):
        if group.encode() in (message.key() or b""):
            offsets.setdefault(message.partition(), []).append(message.offset())

    read_topic(kafka, "__consumer_offsets", note)
    return sum(1 for seen in offsets.values() for a, b in zip(seen, seen[1:]) if b > a + 1) + 1


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def thread_cpu_s(pid):
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        fields = rest.split()
        found.append((name, (int(fields[11]) + int(fields[12])) / TICKS))
    return sorted(found, key=lambda one: -one[1])


def peak_rss_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def wire_share(directory, restores):
    """Calls between the first and the last, against what the limit in flight would allow."""
    page, since, times = None, 0, []
    while page is None or page["calls"]:
        page = directory.calls(since)
        # Not the token and the requester, which come before.
        times += [c["at_ms"] for c in page["calls"] if c["user"] and c["user"] != sim.REQUESTER]
        since = page["calls"][-1]["n"] if page["calls"] else since
    took_s = (max(times) - min(times) + LATENCY_MS) / 1000
    return len(times) / took_s / (IN_FLIGHT / LATENCY_MS * 1000)


def calls_and_writes(directory, restores):
    counts = directory.call_counts()
    effects = directory.effects()["totals"]
    assert effects["restores"] == restores, effects
    return counts["total"] / restores, (effects["restores"] + effects["passwords"]) / restores


def calls_of(what, password):
    return CALLS[password] + (what == "reject")  # its roles


def settings(what):
    return {"policy": {"secret_recipients": [f"@{sim.DOMAIN}"],
                       "privileged_targets": "reject" if what == "reject" else "allow"},
            "directory": {"max_in_flight": IN_FLIGHT}, "log": {"level": "info"}}


def report(what, password, restores, seconds, wire, user_s, system_s, rss_mb, more):
    theory = IN_FLIGHT / (LATENCY_MS / 1000) / calls_of(what, password)
    calls, writes, per_batch, commits = more
    return Row(what, password, f"{seconds:.2f}", f"{restores / seconds:.0f}",
               f"{100 * restores / seconds / theory:.1f} %", f"{100 * wire:.1f} %",
               f"{(user_s + system_s) * 1000 / restores:.3f}", f"{user_s * 1000 / restores:.3f}",
               f"{system_s * 1000 / restores:.3f}", f"{rss_mb:.1f}", f"{calls:.3f}",
               f"{writes:.3f}", per_batch, commits)


def run_worker(folder, kafka, what, password, restores, hooks):
    already_up = what == "up before"
    topics = Topics(kafka.bootstrap)
    directory = Directory(folder, standard_load(restores, latency_ms=LATENCY_MS))
    worker = Worker(folder, kafka, topics, directory.url, settings=settings(what))
    try:
        if already_up:
            worker.start().wait_ready()
        produce(kafka, topics, restores, password)
        if not already_up:
            worker.start()
        hooks.started(worker.pid())
        # The last restore ends in a read back; its outcome follows within a commit or two.
        wait_for(lambda: directory.effects(deleted_id(0)) is not None and
                 directory.call_counts()["total"] >= restores * calls_of(what, password), 600,
                 "the calls")
        time.sleep(0.5)
        wait_for(lambda: len(outcome_times_ms(kafka, topics)) == restores, 60, "all outcomes")
        user_s, system_s = cpu_s(worker.pid())
        hooks.done(worker.pid())
        rss_mb = peak_rss_mb(worker.pid())
        times = outcome_times_ms(kafka, topics)
        transactions = count_transactions(kafka, topics.group)
        seconds = (times[-1] - times[0]) / 1000
        return report(
            what, password, restores, seconds,
            wire_share(directory, restores), user_s, system_s, rss_mb,
            (*calls_and_writes(directory, restores), f"{2 * restores / transactions:.1f}",
             f"{transactions / seconds:.1f}"))
    finally:
        worker.stop()
        directory.stop()
        topics.delete()


def run_bare_loop(folder, password, restores):
    directory = Directory(folder, standard_load(restores, latency_ms=LATENCY_MS))
    try:
        done = subprocess.run(
            [binary("tests/bench/bare_loop"), directory.url, sim.TENANT, sim.CLIENT_ID,
             sim.CLIENT_SECRET, str(restores), str(IN_FLIGHT), password],
            check=True, stdout=subprocess.PIPE)
        found = json.loads(done.stdout)
        return report("bare loop", password, restores, found["seconds"],
                      wire_share(directory, restores), found["user_s"], found["system_s"],
                      found["rss_kb"] / 1024, (*calls_and_writes(directory, restores), "-", "-"))
    finally:
        directory.stop()


class Hooks:
    """What --threads and --perf show beside the table."""

    def __init__(self, show, perf):
        self._show = show
        self._perf = perf and perf.split()
        self._recording = None

    def started(self, pid):
        if self._perf:
            self._recording = subprocess.Popen(
                ["perf", "record", "-q", "-o", self._perf[0], *self._perf[1:], "-p", str(pid)])

    def done(self, pid):
        if self._recording:
            self._recording.send_signal(2)
            self._recording.wait()
        if self._show:
            used = ", ".join(f"{name} {cpu:.2f}" for name, cpu in thread_cpu_s(pid) if cpu > 0)
            print(f"  CPU seconds by thread: {used}")


def print_table(rows):
    table = [COLUMNS, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print("  ".join(cell.ljust(w) if i < 2 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--restores", type=int, default=20000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", default="", help="e.g. worker, generate, 'bare loop'")
    parser.add_argument("--perf", metavar="FILE [OPTION...]", help="perf record of the worker")
    parser.add_argument("--threads", action="store_true", help="CPU by thread")
    arguments = parser.parse_args()
    runs = [(what, password) for _ in range(arguments.repeat) for password in CALLS
            for what in WHATS
            if arguments.only in f"{what} {password}"]
    rows = []
    with Kafka() as kafka:
        for what, password in runs:
            folder = tempfile.mkdtemp(prefix="restore-bench-")
            try:
                rows.append(run_bare_loop(folder, password, arguments.restores)
                            if what == "bare loop" else
                            run_worker(folder, kafka, what, password, arguments.restores,
                                       Hooks(arguments.threads, arguments.perf)))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            print(" ".join(rows[-1]), file=sys.stderr)
    print_table(rows)


if __name__ == "__main__":
    main()
