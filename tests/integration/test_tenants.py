"""Several tenants side by side: one whose login or Graph is down holds nobody else's restores, and
its own go on when it is back."""

import os
import time
import uuid

import pytest

from support.directory import DOMAIN, Directory, deleted_id, standard_load
from support.process import wait_for
from support.worker import Worker

DEAD = 300  # more than are taken up at a time: 2 * max_in_flight + 128
SOON_S = 20  # a call to a directory that is silent ends after 30 s
ALIVE = [{"id": str(uuid.uuid4()), "userPrincipalName": f"live{n}@{DOMAIN}", "deletedDaysAgo": 1,
          "mail": f"live{n}@{DOMAIN}"} for n in range(20)]


@pytest.fixture
def directories(tmp_path):
    """Of contoso, which will be down, and of fabrikam."""
    running = []
    for name, load in (("contoso", standard_load(deleted=DEAD + 1)),
                       ("fabrikam", standard_load(deleted=0, users=ALIVE))):
        os.makedirs(tmp_path / name)
        running.append(Directory(tmp_path / name, load))
    yield running
    for directory in running:
        directory.stop()


@pytest.fixture
def worker(tmp_path, kafka, topics, directories):
    contoso, fabrikam = directories
    worker = Worker(tmp_path, kafka, topics, contoso.url)
    [tenant] = worker.settings["tenants"]
    worker.configure({
        "directory": {"max_in_flight": 8},
        "tenants": [tenant, {**tenant, "name": "fabrikam", "graph_url": fabrikam.url,
                             "login_url": fabrikam.url}]})
    yield worker
    worker.stop()


def tokens(worker, tenant):
    return [line for line in worker.log()
            if "token received" in line["raw"] and tenant in line["raw"]]


def ask(requests, directories):
    dead = [requests.restore(deleted_id(n), tenant="contoso", password="leave",
                             notify={"to": [f"help@{DOMAIN}"]}) for n in range(DEAD)]
    alive = [requests.restore(user["id"], tenant="fabrikam", password="leave",
                              notify={"to": [f"help@{DOMAIN}"]}) for user in ALIVE]
    return dead, alive


@pytest.mark.parametrize("down", ["login", "graph"])
def test_a_tenant_that_is_down_holds_nobody_elses_restores(
        worker, directories, requests, reader, down):
    contoso, fabrikam = directories
    if down == "login":
        contoso.freeze()
    worker.start().wait_ready()
    wait_for(lambda: tokens(worker, "fabrikam"), 60, "fabrikam's token")
    if down == "graph":  # the requester is known, so that each request has a call on the wire
        first = requests.restore(deleted_id(DEAD), tenant="contoso")
        reader.outcomes_of(first)
        contoso.freeze()
    begun = time.monotonic()
    dead, alive = ask(requests, directories)
    outcomes = reader.outcomes_of(*alive, timeout_s=SOON_S)
    assert time.monotonic() - begun < SOON_S
    assert {r.topic for records in outcomes.values() for r in records} == {"succeeded"}
    assert not [r for r in reader.records if r.causation in dead]
    contoso.resume()
    outcomes = reader.outcomes_of(*dead, timeout_s=90)
    assert {r.topic for records in outcomes.values() for r in records} == {"succeeded"}
    restores = DEAD + (1 if down == "graph" else 0)
    assert contoso.effects()["totals"]["restores"] == restores
    assert fabrikam.effects()["totals"]["restores"] == len(ALIVE)


def test_a_throttled_tenant_is_left_alone_and_the_other_is_not(
        worker, directories, requests, reader):
    contoso, fabrikam = directories
    contoso.fault(kind="answer", status=429, path="/v1.0/", times=-1, headers={
        "Retry-After": "4", "x-ms-throttle-scope": "Tenant/ReadWrite/app/contoso"})
    worker.start().wait_ready()
    dead, alive = ask(requests, directories)
    reader.outcomes_of(*alive)
    assert not [r for r in reader.records if r.causation in dead]
    assert contoso.faults()[0]["hits"] > 0
    contoso.clear_faults()
    outcomes = reader.outcomes_of(*dead, timeout_s=90)
    assert {r.topic for records in outcomes.values() for r in records} == {"succeeded"}
    assert contoso.call_counts()["retry_after_undercut"] == {"path": 0, "tenant": 0}
