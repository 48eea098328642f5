"""1,000 restores with two workers, one killed in the middle, through a throttled directory; then the
count. For deploy/quickstart.sh --kafka; exit status 1 when one number is not what it must be.

    python thousand.py BOOTSTRAP FOLDER      (topics of its own; FOLDER takes logs and settings)

Who counts is not the worker: a read_committed reader without a group, and the directory itself.
"""

import collections
import json
import os
import sys
import time
import types

from confluent_kafka.admin import AdminClient

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.contract import parse_time
from support.directory import Directory, deleted_id, standard_load
from support.events import Reader, Requests, duplicates
from support.topics import Topics
from support.worker import RecipientKey, Worker

RESTORES = 1000
NO_REQUESTS = 10  # records that are none, between the others
THROTTLE_AT, KILL_AT = 150, 400  # outcomes
THROTTLE_S, RETRY_AFTER_S = 3, 2
LATENCY_MS, IN_FLIGHT = 50, 16  # so that it lasts long enough to be killed in the middle
LIMIT_S = 180


def partitions_held(bootstrap, group, instance):
    """As the broker says it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = admin.describe_consumer_groups([group])[group].result(30)
    [member] = [m for m in described.members if instance in m.group_instance_id]
    return {p.partition for p in member.assignment.topic_partitions}


class Bar:
    """On a terminal one line that is written over; elsewhere nothing."""

    def __init__(self):
        self._began = time.monotonic()
        self.what = ""

    def show(self, done):
        if sys.stdout.isatty():
            full = 30 * done // RESTORES
            print(f"\r   [{'#' * full}{'.' * (30 - full)}] {done:4} of {RESTORES}, "
                  f"{self.seconds():3.0f} s {self.what:24}", end="", flush=True)
        return done

    def seconds(self):
        return time.monotonic() - self._began

    def end(self):
        if sys.stdout.isatty():
            print("\r\033[K", end="")


def outcomes_in(records):
    return sum(record.is_outcome for record in records)


def send_all(requests):
    """Returns the partition of each request."""
    for n in range(RESTORES):
        requests.restore(deleted_id(n))
        if n % (RESTORES // NO_REQUESTS) == 0:
            requests.send_raw(b"no request, number %d" % n, deleted_id(n))
    return {id: partition for id, (_, _, partition, _) in requests.sent.items()}


def run(directory, reader, bar, kill):
    """Lets it happen, until all outcomes are there or the time is over."""
    def until(n):
        reader.until(lambda records: bar.show(outcomes_in(records)) >= n, LIMIT_S)

    try:
        until(THROTTLE_AT)
        directory.fault(kind="answer", status=429, path="/v1.0", for_ms=1000 * THROTTLE_S,
                        headers={"Retry-After": str(RETRY_AFTER_S)})
        bar.what = "throttled"
        until(KILL_AT)
        kill()
        bar.what = "one worker killed"
        until(RESTORES)
    except AssertionError as error:  # what is missing is counted
        print(f"\n{str(error).splitlines()[0]}", file=sys.stderr)


def seconds_to_takeover(records, partition_of, held, killed_at):
    """From the kill to the first outcome that the other worker made for a partition of the dead."""
    ended = [parse_time(r.data["finishedAt"]).timestamp() for r in records
             if r.is_outcome and partition_of.get(r.causation) in held]
    return min((t - killed_at for t in ended if t > killed_at), default=None)


def found_in_clear(bootstrap, topics, workers, passwords):
    """How many of the passwords stand in any topic (requests, journal and what was aborted, too),
    or in a worker's log."""
    everything = Reader(bootstrap, topics, "read_uncommitted", topics.names).all()
    parts = [part for r in everything
             for part in (r.key, r.value, json.dumps(r.headers).encode()) if part]
    for worker in workers:
        with open(worker.log_file, "rb") as file:
            parts.append(file.read())
    haystack = b"\n".join(parts)
    return sum(any(form.encode() in haystack for form in (password, json.dumps(password)[1:-1]))
               for password in passwords)


def print_counts(rows):
    """[(what, number, what it must be or None)]; whether all is as it must be."""
    good = True
    for what, number, wanted in rows:
        wrong = wanted is not None and number != wanted
        good = good and not wrong
        print(f"   {number:>6}  {what}{f'   MUST BE {wanted}' if wrong else ''}")
    return good


def count(bootstrap, topics, requests, directory, workers):
    records = Reader(bootstrap, topics).all()
    outcomes = [r for r in records if r.is_outcome]
    per_request = collections.Counter(r.causation for r in outcomes)
    mails = collections.Counter(r.key for r in records if r.topic == "notifications")
    effects = directory.effects()["users"].values()
    passwords = {e["password"] for e in effects if e.get("password")}
    undercut = directory.call_counts()["retry_after_undercut"]
    throttled = sum(c["status"] == 429 for c in directory.calls()["calls"])
    dead = sum(r.topic == "dead_letters" for r in records)
    return print_counts([
        ("records sent", RESTORES + NO_REQUESTS, None),
        ("outcomes", len(outcomes), RESTORES),
        ("dead letters", dead, NO_REQUESTS),
        ("users back, says the directory", sum(e["restores"] > 0 for e in effects), RESTORES),
        ("orders to the mail service", sum(mails.values()), RESTORES),
        ("requests without an outcome (missing)", len(requests.sent.keys() - per_request), 0),
        ("outcomes or events doubled", len(duplicates(records)), 0),
        ("users restored twice", sum(e["restores"] > 1 for e in effects), 0),
        ("mails doubled", sum(n > 1 for n in mails.values()), 0),
        ("calls that were answered 429", throttled, None),
        ("of them asked again too early (Retry-After)", sum(undercut.values()), 0),
        (f"of {len(passwords)} passwords found in clear, in logs and topics",
         found_in_clear(bootstrap, topics, workers, passwords), 0),
    ]) and throttled > 0 and len(passwords) == RESTORES


def main(bootstrap, folder):
    topics = Topics(bootstrap)
    directory = Directory(folder, standard_load(deleted=RESTORES, latency_ms=LATENCY_MS))
    keys = RecipientKey(folder)
    settings = {"directory": {"max_in_flight": IN_FLIGHT, "request_timeout_ms": 2000}}
    kafka = types.SimpleNamespace(bootstrap=bootstrap)
    survivor, victim = [Worker(folder, kafka, topics, directory.url, name, keys, settings).start()
                        for name in ("worker-1", "worker-2")]
    survivor.wait_ready()
    victim.wait_ready()
    requests = Requests(bootstrap, topics)
    reader = Reader(bootstrap, topics)
    bar = Bar()
    held, killed_at = set(), 0.0

    def kill():
        nonlocal held, killed_at
        held = partitions_held(bootstrap, topics.group, victim.name)
        victim.kill9()
        killed_at = time.time()

    partition_of = send_all(requests)
    run(directory, reader, bar, kill)
    seconds = bar.seconds()
    bar.end()
    good = count(bootstrap, topics, requests, directory, (survivor, victim))
    takeover = seconds_to_takeover(reader.records, partition_of, held, killed_at)
    print(f"   {seconds:6.1f}  seconds in all, {RESTORES / seconds:.0f} restores a second")
    if takeover is not None:
        print(f"   {takeover:6.1f}  seconds from kill -9 to the first outcome of the other worker "
              f"for its\n           {len(held)} partitions")
    reader.close()
    survivor.stop()
    directory.stop()
    return 0 if good and takeover is not None else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    sys.exit(main(*sys.argv[1:]))
