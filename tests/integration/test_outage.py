"""A directory that is down for a while: the group stays as it is, nobody fails, and work goes on when
it is back (P6)."""

import json
import os
import struct
import time
from datetime import datetime

import pytest

from support.directory import DOMAIN, Directory, deleted_id, standard_load
from support.process import wait_for
from support.survival import assigned, figure, raw_records, scenes  # noqa: F401 (fixtures)
from support.worker import Worker

USERS = [deleted_id(n) for n in range(100)]
LATE = [deleted_id(n) for n in range(100, 130)]  # asked for during the outage
BUSY = {"directory": {"request_timeout_ms": 30000, "max_in_flight": 8}}
BREAKER = "restore_worker_directory_breaker_open"
AT_ONCE_S = 15  # about 2 s here; the bound is for slow machines


def generation(kafka, group):
    """As the broker keeps it in __consumer_offsets: key (2, group), value (version, protocol type,
    generation, ...)."""
    def text(data, at):
        [n] = struct.unpack_from(">h", data, at)
        return data[at + 2:at + 2 + n].decode(), at + 2 + n

    found = []
    for message in raw_records(kafka.bootstrap, "__consumer_offsets", partitions=4):
        key, value = message.key(), message.value()
        if value and struct.unpack_from(">h", key)[0] == 2 and text(key, 2)[0] == group:
            found += struct.unpack_from(">i", value, text(value, 2)[1])
    return max(found)


def finished_at(record):
    return datetime.fromisoformat(record.data["finishedAt"].replace("Z", "+00:00")).timestamp()


def is_open(worker, tenant="contoso"):
    return worker.metrics()[BREAKER, tenant] == 1


class Outage:
    """Of login and Graph: `begin()`, and `end()`, whose time `ended_at` is."""

    def __init__(self, directory, kind):
        self._directory, self._kind = directory, kind

    def begin(self):
        if self._kind == "frozen":
            self._directory.freeze()
        elif self._kind == "reset":
            self._directory.fault(kind="reset", times=-1)
        else:
            self._directory.fault(kind="answer", status=503, times=-1)

    def end(self):
        self.ended_at = time.time()
        if self._kind == "frozen":
            self._directory.resume()
        else:
            self._directory.clear_faults()


def outlive_an_outage(scene, kind, seconds, note):
    workers = [scene.worker(f"worker-{n}") for n in (1, 2)]
    for worker in workers:
        assigned(worker)
    wait_for(lambda: {w.metrics()["restore_worker_partitions_assigned",] for w in workers} == {6},
             60, "both to have their partitions")
    before = generation(scene._kafka, scene.topics.group)
    rebalances = [w.metrics()["restore_worker_rebalances_total",] for w in workers]

    scene.directory.latency(300)  # so that it is met at work
    scene.ask(*USERS)
    scene.outcomes(20)
    outage = Outage(scene.directory, kind)
    begun = time.monotonic()
    outage.begin()
    scene.ask(*LATE)
    for worker in workers:
        wait_for(lambda w=worker: is_open(w), 60, "an open breaker")
        assert worker.get("/readyz")[0] == 200  # a restart would cure nothing
        [tenant] = json.loads(worker.get("/status")[1])["tenants"]
        assert tenant["breaker"] in ("open", "half-open")
    time.sleep(max(0, seconds - (time.monotonic() - begun)))
    assert all(is_open(worker) for worker in workers)
    unfinished = len(USERS + LATE) - len([r for r in scene.reader.all() if r.is_outcome])
    outage.end()

    records = scene.outcomes()
    assert unfinished > 0
    late = sorted(finished_at(r) - outage.ended_at for r in records if r.is_outcome)[-unfinished:]
    note(f"{seconds} s {kind}: first restore after", late[0])
    note(f"{seconds} s {kind}: last of {unfinished} restores after", late[-1])
    assert -0.001 <= late[0] < AT_ONCE_S  # finishedAt has whole milliseconds
    assert scene.audit() == {}
    assert [w.metrics()["restore_worker_rebalances_total",] for w in workers] == rebalances
    assert generation(scene._kafka, scene.topics.group) == before
    assert not any(is_open(worker) for worker in workers)
    for worker in workers:  # once each, and not once per call
        assert worker.log_count("directory unreachable") == 1
        assert worker.log_count("directory reachable again") == 1


@pytest.mark.parametrize("kind", ["reset", "frozen"])
def test_an_outage_costs_time_only_and_moves_no_partition(scenes, figure, kind):  # noqa: F811
    outlive_an_outage(scenes(deleted=130, settings=BUSY), kind, 15, figure)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["reset", "frozen", "503"])
def test_a_minutes_outage_costs_time_only_and_moves_no_partition(
        scenes, figure, kind):  # noqa: F811
    outlive_an_outage(scenes(deleted=130, settings=BUSY), kind, 60, figure)


def test_a_deadline_shorter_than_an_outage_stands_still(scenes):  # noqa: F811
    """Beside it the control: without the breaker time runs, and its end ends the outage."""
    short = {**BUSY, "policy": {"request_deadline_seconds": 20}}
    guarded = scenes(deleted=40, settings=short)
    control = scenes(deleted=40, settings=short, without="breaker")
    outages = [Outage(scene.directory, "reset") for scene in (guarded, control)]
    for scene, outage in zip((guarded, control), outages):
        scene.worker().wait_ready()
        scene.directory.latency(500)
        scene.ask(*USERS[:40])
        wait_for(lambda s=scene: s.calls(path="/v1.0/"), 30, "work")
        outage.begin()
    failed = control.reader.until(lambda records: any(r.topic == "failed" for r in records), 60,
                                  "failures")
    assert {r.data["code"] for r in failed if r.topic == "failed"} <= {
        "directory_unavailable", "deadline_exceeded", "needs_hands"}
    for outage in outages:
        outage.end()
    guarded.outcomes()
    assert guarded.audit() == {}


def test_a_tenant_that_is_down_slows_no_other(tmp_path, kafka, topics, requests, reader):
    """All of fabrikam's is done while contoso's breaker is open."""
    alive = [{"id": deleted_id(900 + n), "userPrincipalName": f"live{n}@{DOMAIN}",
              "deletedDaysAgo": 1, "mail": f"live{n}@{DOMAIN}"} for n in range(50)]
    loads = {"contoso": standard_load(deleted=50), "fabrikam": standard_load(deleted=0, users=alive)}
    directories = {}
    for name, load in loads.items():
        os.makedirs(tmp_path / name)
        directories[name] = Directory(tmp_path / name, load)
    url = directories["contoso"].url
    worker = Worker(tmp_path, kafka, topics, url)
    [tenant] = worker.settings["tenants"]
    other = {**tenant, "name": "fabrikam", "graph_url": directories["fabrikam"].url,
             "login_url": directories["fabrikam"].url}
    worker.configure({**BUSY, "tenants": [tenant, other]})
    try:
        worker.start().wait_ready()
        more = {"password": "leave", "notify": {"to": [f"help@{DOMAIN}"]}}
        outage = Outage(directories["contoso"], "reset")
        outage.begin()
        down = [requests.restore(user, tenant="contoso", **more) for user in USERS[:50]]
        wait_for(lambda: is_open(worker), 60, "contoso's breaker")
        up = [requests.restore(user["id"], tenant="fabrikam", **more) for user in alive]
        outcomes = reader.outcomes_of(*up)
        assert is_open(worker) and not is_open(worker, "fabrikam")
        assert {r.topic for records in outcomes.values() for r in records} == {"succeeded"}
        assert not [r for r in reader.records if r.causation in down]
        outage.end()
        outcomes = reader.outcomes_of(*down)
        assert {r.topic for records in outcomes.values() for r in records} == {"succeeded"}
        assert worker.log_count("directory unreachable") == 1
    finally:
        worker.stop()
        for directory in directories.values():
            directory.stop()
