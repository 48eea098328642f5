"""A tenant's budget of resource units and writes, as the directory counts it (contract
5, directory-api.md 7.1); and what it is for: nobody is lost, however long it takes."""

import json

from support.directory import deleted_id
from support.survival import assigned, raw_records, scenes  # noqa: F401 (a fixture)

UNITS, WRITES = 200, 150
# Calls leave in time, and how long each is on its way a busy machine decides.
LATE = 1.25


def arrivals(scene, costs):
    """(at_ms, cost) of the calls of Graph, in order."""
    return [(call["at_ms"], costs(call)) for call in scene.calls(path="/v1.0/")]


def units_of(call):
    return 2 if "$expand" in call["path"] else 1


def writes_of(call):
    return call["method"] != "GET"


def most_in(arrivals, window_ms):
    """The most that any window of this length saw."""
    most = first = now = 0
    for at_ms, cost in arrivals:
        now += cost
        while arrivals[first][0] <= at_ms - window_ms:
            now -= arrivals[first][1]
            first += 1
        most = max(most, now)
    return most


def restore_with_few_units(scene):
    tenant = {"resource_units_per_10s": UNITS}
    workers = [scene.worker(f"worker-{n}", tenant=tenant) for n in (1, 2)]
    for worker in workers:
        assigned(worker)
    scene.ask(*[deleted_id(n) for n in range(70)])
    scene.outcomes(timeout_s=180)


def test_two_workers_together_ask_no_more_units_than_the_tenant_has(scenes):
    scene = scenes()
    restore_with_few_units(scene)
    calls = arrivals(scene, units_of)
    assert sum(cost for _, cost in calls) > 1.5 * LATE * UNITS
    assert most_in(calls, 10_000) <= LATE * UNITS
    assert scene.audit() == {}


def test_without_the_budget_two_workers_ask_for_more(scenes):
    scene = scenes(without="budget")
    restore_with_few_units(scene)
    assert most_in(arrivals(scene, units_of), 10_000) > LATE * UNITS


USERS = [deleted_id(n) for n in range(20)]


def restore_with_few_writes(scene):
    """Twice as many writes as users, nine tenths of a write in a second."""
    scene.ask(*USERS)
    worker = scene.worker(tenant={"writes_per_150s": WRITES})
    scene.outcomes(timeout_s=240)
    return worker


def most_above_the_flow(scene):
    """By how many writes any stretch of time saw more than what flows in meanwhile."""
    times = [at_ms for at_ms, cost in arrivals(scene, writes_of) if cost]
    assert len(times) == 2 * len(USERS)
    return max(j - i + 1 - (times[j] - times[i]) * 0.9 * WRITES / 150_000
               for i in range(len(times)) for j in range(i, len(times)))


def test_no_more_is_written_than_allowed_and_no_storm_of_intents_comes_of_it(scenes):
    scene = scenes()
    worker = restore_with_few_writes(scene)
    assert most_above_the_flow(scene) <= LATE * (WRITES / 10 + 1)  # what may be saved up
    assert scene.audit() == {}
    brokers = worker.settings["kafka"]["brokers"]
    intents = [r for r in raw_records(brokers, scene.topics.names["journal"])
               if dict(r.headers())["rw-state"] == b"intent"]
    # Its first; one when its turn came; and now and then one more, behind passwords in the line.
    assert len(USERS) <= len(intents) <= 4 * len(USERS)
    [tenant] = json.loads(worker.get("/status")[1])["tenants"]
    assert tenant["writesLeft"] <= WRITES // 10
    assert tenant["concurrencyLimit"] == 256


def test_without_the_budget_as_much_is_written_as_there_is(scenes):
    scene = scenes(without="budget")
    restore_with_few_writes(scene)
    assert most_above_the_flow(scene) > LATE * (WRITES / 10 + 1)

