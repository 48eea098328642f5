"""sh tests/soak/run.sh [--minutes N] [--rate N] [--seed S] [--without PROTECTION]

One worker under a steady load, and its memory: restores by id and by name, conflicts, repeats,
reused ids, dead letters (the mix is tests/chaos/load.py's), and each second users who were restored
are deleted and asked for again. After a warm-up of a fifth of the time (five minutes at most) the
resident memory of the last third must lie within 5 % of that of the first third, by their medians.

What may grow is the journal's index, 40 bytes a place (design 7); how large it is follows from what
was sent and is taken off before the judgement. Every sample is in build/results/soak/<seed>.
--without freeing (worker/test_controls.h) makes the worker leak; the run must then fail. Exit
status: 0 flat, 1 not flat, 2 something else is wrong, and said.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from confluent_kafka import Producer  # noqa: E402

from chaos.load import MALFORMED, Load, Request, Sender, name_of  # noqa: E402
from support.directory import MANAGER, deleted_id  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.process import ROOT  # noqa: E402
from support.scene import Scene  # noqa: E402

GROWTH_MAX = 0.05
WARM_UP_MAX_S = 300
AGAIN_A_SECOND = 4  # users who are deleted and restored once more
PLACE_BYTES = 40
PLACES_MIN = 1024  # of a partition's table; it doubles when three quarters are taken
CHUNK = 500  # users in one call to the directory


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=40, help="requests a second")
    parser.add_argument("--seed", type=int, default=random.randrange(1000000))
    parser.add_argument("--without", choices=["freeing"])
    return parser.parse_args()


class Soak:
    def __init__(self, scene, load, log):
        self.scene = scene
        self._load = load
        self._log = log
        self._sender = Sender(Producer({
            "bootstrap.servers": scene.kafka.bootstrap, "partitioner": "murmur2_random",
            "linger.ms": 2, "enable.idempotence": True, "log_level": 2}),
            scene.topics.names["requests"])
        self._users = 0  # so many of the load's are in the directory
        self._seen = 0
        self._answered = set()
        self._restored = []  # users whom the load asks for only once
        self._once = {r.id: r.user for r in load.requests if r.kind == "id" and not r.is_followed}
        self._keys = {}  # partition -> the journal keys of what was sent to it
        self._counted = 0
        self.samples = []  # (seconds, resident, index), bytes

    def open(self):
        holders = self._load.holders
        for i in range(0, len(holders), CHUNK):
            self.scene.directory.add_users(*holders[i:i + CHUNK])

    def second(self, requests, until):
        self._delete_newly(sum(r.user is not None and r.kind not in MALFORMED for r in requests))
        again = self._delete_again()
        for request in [*requests, *again]:
            self._sender.send(request)
        self._sender.flush()
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def wait_for_all(self):
        """Every request has its outcome, or its place among the dead letters."""
        end = time.monotonic() + 180
        while (left := len(self._sender.sent) - len(self._answered)) > 0:
            assert time.monotonic() < end, f"{left} requests without an outcome"
            before = len(self._answered)
            self._read(1)
            if len(self._answered) > before:
                end = time.monotonic() + 180

    def sample(self, seconds):
        with open(f"/proc/{self.scene.worker.pid()}/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self.samples.append((seconds, resident, self._index_bytes()))
        print(*self.samples[-1], file=self._log, flush=True)

    def _delete_newly(self, n):
        """As many more of the load's users as the next second can ask for."""
        more = range(self._users, min(self._users + n, self._load.users))
        self._users = more.stop
        if more:
            self.scene.directory.add_users(*(
                {"id": deleted_id(i), "userPrincipalName": name_of(i), "displayName": f"User {i}",
                 "mail": name_of(i), "proxyAddresses": [f"SMTP:{name_of(i)}"], "manager": MANAGER,
                 "assignedLicenses": 1, "deletedDaysAgo": 1} for i in more))

    def _delete_again(self):
        again, self._restored = (self._restored[:AGAIN_A_SECOND],
                                 self._restored[AGAIN_A_SECOND:][-CHUNK:])
        requests = []
        for user in again:
            self.scene.directory.delete(user)
            id = str(uuid.uuid4())
            requests.append(Request("id", id, user, user, {"user": {"id": user}}))
            self._once[id] = user
        return requests

    def _read(self, seconds):
        reader = self.scene.reader
        before = len(reader.records)
        try:
            reader.until(lambda records: len(records) > before, seconds)
        except AssertionError:
            pass  # nothing came
        code = self.scene.worker.exit_code()
        assert code is None, f"the worker ended with {code}"
        for record in reader.records:
            if record.topic == "dead_letters" or record.is_outcome and (
                    record.data.get("code") != "malformed"):
                self._answered.add((record.topic, record.partition, record.offset))
                if record.topic == "succeeded" and record.causation in self._once:
                    self._restored.append(self._once[record.causation])
        reader.records.clear()  # a day's run must not fill the memory of its judge

    def _index_bytes(self):
        sent = self._sender.sent
        for request in sent[self._counted:]:
            own = request.kind in MALFORMED or request.kind == "reused"
            key = request.offset if own else (request.id, request.user)
            self._keys.setdefault(request.partition, set()).add(key)
        self._counted = len(sent)
        return sum(map(table_bytes, map(len, self._keys.values())))


def table_bytes(entries):
    places = PLACES_MIN
    while 4 * entries > 3 * places:
        places *= 2
    return places * PLACE_BYTES


def thirds(samples, total_s):
    """Medians of the first and the last third after the warm-up: (resident, without the index)."""
    warm = [s for s in samples if s[0] >= min(total_s / 5, WARM_UP_MAX_S)]
    n = len(warm) // 3
    return [(statistics.median(r for _, r, _ in part), statistics.median(r - i for _, r, i in part))
            for part in (warm[:n], warm[-n:])]


def judge(samples, total_s):
    """(growth as a share, a sentence)"""
    (first, first_own), (last, last_own) = thirds(samples, total_s)
    growth = last_own / first_own - 1
    mb = 1 << 20
    return growth, (
        f"resident {first / mb:.1f} MB -> {last / mb:.1f} MB, without the journal's index "
        f"{first_own / mb:.1f} MB -> {last_own / mb:.1f} MB: {100 * growth:+.1f} %")


def run(soak, options):
    soak.open()
    began = time.monotonic()
    for n in range(int(options.minutes * 60)):
        requests = soak._load.requests[n * options.rate:(n + 1) * options.rate]
        soak.second(requests, began + n + 1)
        soak.sample(time.monotonic() - began)
        if n % 60 == 59:
            seconds, resident, index = soak.samples[-1]
            print(f"{seconds:7.0f} s  {len(soak._sender.sent)} requests, {len(soak._answered)} "
                  f"answered, resident {resident >> 10} KB, index {index >> 10} KB", flush=True)
    seconds = time.monotonic() - began
    soak.wait_for_all()
    return seconds


def main():
    options = arguments()
    folder = os.path.join(ROOT, "build", "results", "soak", options.without or str(options.seed))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    load = Load(int(options.minutes * 60) * options.rate, options.seed)
    environment = {"RESTORE_TEST_WITHOUT": options.without} if options.without else None
    settings = {"policy": {"notify_default": ["helpdesk@contoso.com"]}, "log": {"level": "info"}}
    print(f"seed {options.seed}, {len(load.requests)} requests, samples in {folder}", flush=True)
    try:
        with open(os.path.join(folder, "samples"), "w") as log, \
                Kafka(1, os.path.join(folder, "kafka")) as kafka, \
                Scene(folder, kafka, settings, environment=environment) as scene:
            soak = Soak(scene, load, log)
            seconds = run(soak, options)
    except AssertionError as fault:
        print(f"BROKEN  {fault}")
        return 2
    growth, sentence = judge(soak.samples, seconds)
    print(f"{len(soak._sender.sent)} requests in {seconds:.0f} s; {sentence}")
    return 0 if growth <= GROWTH_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
