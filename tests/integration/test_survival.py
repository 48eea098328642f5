"""What must survive: kills, lost replies, frozen and doubled workers, rebalances, brokers (P1-P3,
P8). Where a protection is shown, a scene without it is played beside it and must go wrong.
"""

import signal
import time

import pytest
from confluent_kafka import Producer

from support.directory import DOMAIN, deleted_id
from support.events import duplicates
from support.kafka import Kafka
from support.process import wait_for
from support.survival import Scene, assigned, figure, scenes, throw_out  # noqa: F401 (fixtures)

USERS = [deleted_id(n) for n in range(1000)]
USER, OTHER = USERS[0], USERS[1]

# Slow enough to be met in the middle of its work.
BUSY = {"directory": {"request_timeout_ms": 1000, "max_in_flight": 16}}


# ---- one slow user ---------------------------------------------------------------------------


def others_do_not_wait_for(slow, scene):
    """Asks for the slow user and 999 others; whether they have their outcomes before he has his."""
    scene.directory.fault(kind="delay", delay_ms=10000, user=slow, times=-1)
    scene.worker()
    [his] = scene.ask(slow)
    scene.ask(*(user for user in USERS if user != slow))
    records = scene.outcomes(999)
    return all(r.causation != his for r in records)


def test_a_user_whose_calls_take_10_s_delays_nobody(scenes):
    patient = {"directory": {"request_timeout_ms": 30000}}
    scene = scenes(deleted=1000, settings=patient)
    assert others_do_not_wait_for(USER, scene)
    scene.directory.clear_faults()
    scene.outcomes()
    assert scene.audit() == {}


def test_without_lanes_of_its_own_a_users_partition_waits_for_a_slow_user(scenes):
    scene = scenes(settings={"directory": {"request_timeout_ms": 30000}}, without="lanes")
    scene.directory.fault(kind="delay", delay_ms=3000, user=USER)
    scene.worker()
    [his] = scene.ask(USER)
    scene.ask(*USERS[1:100])
    records = scene.outcomes()
    order = [r.causation for r in records if r.is_outcome]
    assert order.index(his) < 99  # those of his partition came after him


# ---- killed ----------------------------------------------------------------------------------


def kill_and_restart(scene, worker, figure, when, more):
    """`more` users are asked for while it is dead, so that certainly an outcome is left."""
    worker.kill9()
    before = len(scene.reader.all())
    scene.ask(*more)
    started = time.monotonic()
    worker.start().wait_ready()
    figure(f"ready after the start, killed {when}", time.monotonic() - started)
    scene.reader.until(lambda records: len(records) > before)
    figure(f"next outcome after the start, killed {when}", time.monotonic() - started)
    return started


def test_nothing_is_lost_or_doubled_by_three_kills_in_1000_requests(scenes, figure):
    scene = scenes(deleted=1000, settings=BUSY)
    scene.directory.latency(10)
    # He holds back the offset of his partition, with done records beyond it, until he is let go.
    scene.directory.fault(kind="hang", user=USERS[300], times=-1)
    scene.ask(*USERS[:700])
    worker = scene.worker()

    for progress in (200, 400, 600):
        scene.outcomes(progress)
        more = USERS[600 + progress // 2:][:100]
        started = kill_and_restart(scene, worker, figure, f"at {progress}", more)
    scene.outcomes(999)
    scene.directory.clear_faults()
    scene.outcomes()
    figure("all outcomes after the last start", time.monotonic() - started)

    assert scene.audit() == {}


def test_without_the_journals_done_records_a_kill_doubles_outcomes(scenes):
    scene = scenes(settings=BUSY, without="done-records")
    scene.directory.fault(kind="hang", user=USER, times=-1)
    scene.ask(*USERS[:100])
    worker = scene.worker()
    scene.outcomes(99)
    worker.kill9()
    worker.start()
    scene.reader.until(duplicates, what="doubled outcomes")
    assert "doubled" in scene.audit()


def test_another_worker_takes_over_what_a_killed_one_had(scenes, figure):
    scene = scenes(deleted=1000, settings=BUSY)
    scene.directory.latency(10)
    first = scene.worker().wait_ready()
    second = scene.worker("worker-2").wait_ready()
    assigned(first, times=2)
    for worker in (first, second):
        worker.signal(signal.SIGUSR1)
        worker.wait_log("paused")
    scene.ask(*USERS)
    for worker in (first, second):
        worker.signal(signal.SIGUSR2)

    scene.outcomes(400)
    second.kill9()
    killed = time.monotonic()
    assigned(first, times=3)
    figure("partitions taken over after the kill (session.timeout.ms=3000)",
           time.monotonic() - killed)
    scene.outcomes()
    figure("all outcomes after the kill", time.monotonic() - killed)

    assert scene.audit() == {}


# ---- replies that are lost after the effect --------------------------------------------------


def lose_reply(scene, user, method, fresh=False, **fault):
    """The user's first change of this method takes effect, its reply is lost; how often the
    directory saw the call of that change, by its client request id."""
    if fresh:  # the read before it ends the only connection
        scene.directory.fault(kind="answer", status=200, body={"value": []}, method="GET",
                              path="roleAssignments", headers={"Connection": "close"})
    scene.directory.fault(method=method, user=user, when="after", **fault)
    [request] = scene.ask(user)
    scene.reader.outcomes_of(request)
    calls = scene.calls(method, user)
    return sum(c["client_request_id"] == calls[0]["client_request_id"] for c in calls)


ONE_CALL = {"directory": {"request_timeout_ms": 1000, "max_in_flight": 1}}


def test_a_change_whose_reply_is_lost_is_made_once_and_told(scenes):
    scene = scenes(settings=ONE_CALL)
    scene.worker().wait_ready()
    assert lose_reply(scene, USERS[0], "POST", kind="reset") == 1
    assert lose_reply(scene, USERS[1], "POST", kind="reset", fresh=True) == 1
    assert lose_reply(scene, USERS[2], "POST", kind="answer", status=504) == 1
    assert lose_reply(scene, USERS[3], "POST", kind="hang") == 1
    assert lose_reply(scene, USERS[4], "PATCH", kind="reset") == 1
    assert lose_reply(scene, USERS[5], "PATCH", kind="answer", status=504) == 1
    assert lose_reply(scene, USERS[6], "PATCH", kind="hang") == 1
    assert scene.audit() == {}
    totals = scene.directory.effects()["totals"]
    assert (totals["restores"], totals["passwords"]) == (7, 7)


def test_without_the_prereq_guard_libcurl_sends_a_restore_twice(scenes):
    scene = scenes(settings=ONE_CALL, without="prereq")
    scene.worker().wait_ready()
    assert lose_reply(scene, USERS[0], "POST", kind="reset") == 2
    # On a fresh connection libcurl does not: so the test above had both kinds.
    assert lose_reply(scene, USERS[1], "POST", kind="reset", fresh=True) == 1


# ---- frozen workers --------------------------------------------------------------------------
#
# A worker is frozen, thrown out of the group, and replaced. It wakes up while no broker can tell it
# so, and acts on what it believes. (Woken with a broker it would be a race: librdkafka itself may
# notice first how late it is.)

IGNORANT = {"properties": ["session.timeout.ms=120000", "heartbeat.interval.ms=500"]}


@pytest.fixture(scope="module")
def own_kafka():
    with Kafka() as kafka:
        yield kafka


@pytest.fixture
def freezable(own_kafka):
    yield own_kafka
    own_kafka.resume()  # a test that failed in between harms no other


def hold_before_the_restore(scene):
    """Freezes the worker between an intent's commit and its POST: another user's read takes the
    only slot while the intent is being committed."""
    scene.directory.fault(kind="hang", path="roleAssignments")
    scene.directory.fault(kind="hang", user=OTHER, times=-1)
    worker = scene.worker(settings={"directory": {"request_timeout_ms": 30000}}).wait_ready()
    scene.ask(USER)
    wait_for(lambda: scene.calls(path="roleAssignments"), 60, "the last read before the intent")
    scene.ask(OTHER)
    in_flight = "restore_worker_requests_in_flight"
    wait_for(lambda: worker.metrics()[in_flight,] == 2, 60, "the other to wait for the slot")
    scene.directory.release()
    worker.wait_log('"to":"restore"')
    worker.freeze()
    assert scene.calls(user=OTHER) and scene.calls("POST", USER) == []
    assert USER in scene.intents()
    scene.directory.clear_faults()
    scene.directory.release()


def hold_before_the_password(scene):
    """Freezes the worker while it waits to send the PATCH again that was certainly not done."""
    scene.directory.fault(kind="answer", method="PATCH", status=429, headers={"Retry-After": "5"})
    scene.worker().wait_ready()
    scene.ask(USER)
    wait_for(lambda: [c for c in scene.calls("PATCH", USER) if c["status"] == 429], 60, "the 429")
    scene.workers[0].freeze()


def hold_before_the_outcome(scene):
    """Holds the last reply back, to be let go while no broker answers."""
    scene.directory.fault(kind="hang", method="GET", path=f"/v1.0/users/{USER}", when="after")
    scene.worker(settings={"directory": {"request_timeout_ms": 30000}}).wait_ready()
    scene.ask(USER, notify={"to": [f"helpdesk@{DOMAIN}"]})  # no manager is looked up
    # By the time the journal was read, the next batch need not pause for the last one any more.
    wait_for(lambda: scene.calls("GET", USER, "/v1.0/users/") and USER in scene.intents(), 60,
             "the read back")


def transaction_begun_after_the_finish(worker):
    """Waits until it tries to publish the outcome that it had in mind."""
    def said():
        lines = [line["raw"] for line in worker.log()]
        finished = [n for n, line in enumerate(lines) if "restore finished" in line]
        return finished and any("transaction begun" in line for line in lines[finished[0]:])

    wait_for(said, 60, "the outcome's transaction")


def replace(pair, figure):
    """The first workers are frozen and thrown out; second ones do the work."""
    frozen = time.monotonic()
    for scene in pair:
        throw_out(scene, "worker-1")
        scene.worker("worker-2")
    for scene in pair:
        scene.outcomes()
        assert scene.audit() == {}
    figure("told after the worker was frozen", time.monotonic() - frozen)


def wake(kafka, guarded, control, harmed):
    """Wakes the first workers without a broker; what is guarded asks for a new intent, the other
    does its harm."""
    kafka.freeze()
    for scene in (guarded, control):
        scene.workers[0].resume()
    his = list(guarded.asked)[0]
    wait_for(lambda: sum(line.get("to") == "intent" and line.get("request_id") == his
                         for line in guarded.workers[0].log()) == 2, 60,
             "the guarded worker to act")
    wait_for(harmed, 60, "the harm without the guard")
    kafka.resume()
    for scene in (guarded, control):
        assigned(scene.workers[0], times=2)


def test_a_worker_that_slept_between_intent_and_restore_restores_nobody(scenes, freezable, figure):
    settings = {"directory": {"request_timeout_ms": 4000, "max_in_flight": 1}, "kafka": IGNORANT}
    guarded = scenes(kafka=freezable, settings=settings)
    control = scenes(kafka=freezable, settings=settings, without="proof")
    for scene in (guarded, control):
        hold_before_the_restore(scene)
    frozen = time.monotonic()
    replace((guarded, control), figure)
    for scene in (guarded, control):
        scene.delete_user(USER)  # and so it must stay
    wait_for(lambda: time.monotonic() - frozen > 20, 30, "20 s of sleep")
    wake(freezable, guarded, control, lambda: control.directory.effects(USER)["restores"] == 2)
    assert guarded.directory.effects(USER)["restores"] == 1
    assert guarded.audit() == {}


def test_a_worker_that_slept_before_the_password_leaves_the_told_one_in_force(scenes, freezable,
                                                                              figure):
    settings = {"kafka": IGNORANT}
    guarded = scenes(kafka=freezable, settings=settings)
    control = scenes(kafka=freezable, settings=settings, without="proof")
    for scene in (guarded, control):
        hold_before_the_password(scene)
    replace((guarded, control), figure)
    wake(freezable, guarded, control, lambda: control.directory.effects(USER)["passwords"] == 2)
    assert guarded.audit() == {}
    assert control.audit() == {"password": [USER]}


def test_an_outcome_that_slept_on_its_way_is_refused(scenes, freezable, figure):
    settings = {"kafka": IGNORANT}
    guarded = scenes(kafka=freezable, settings=settings)
    control = scenes(kafka=freezable, settings=settings, without="generation")
    for scene in (guarded, control):
        hold_before_the_outcome(scene)
    freezable.freeze()
    for scene in (guarded, control):
        scene.directory.release()
        transaction_begun_after_the_finish(scene.workers[0])
        scene.workers[0].freeze()
    freezable.resume()
    replace((guarded, control), figure)
    for scene in (guarded, control):
        scene.workers[0].resume()
    guarded.workers[0].wait_log("transaction refused by the group")
    control.reader.until(duplicates, what="a doubled outcome")
    assert guarded.audit() == {}


def test_a_worker_whose_producer_was_fenced_while_it_slept_makes_a_new_one(scenes, freezable):
    """As the coordinator does with a transaction that has grown too old: 15 s."""
    scene = scenes(kafka=freezable)
    hold_before_the_outcome(scene)
    freezable.freeze()
    scene.directory.release()
    worker = scene.workers[0]
    transaction_begun_after_the_finish(worker)
    worker.freeze()
    frozen = time.monotonic()
    freezable.resume()
    Producer({"bootstrap.servers": freezable.bootstrap, "log_level": 2,
              "transactional.id": f"{scene.topics.group}-worker-1"}).init_transactions(30)
    wait_for(lambda: time.monotonic() - frozen > 16, 60, "the transaction to be old enough")
    worker.resume()
    scene.outcomes()
    assert scene.audit() == {}
    assert worker.exit_code() is None


# ---- a rebalance while changes are open ------------------------------------------------------


def test_a_password_that_is_being_set_during_a_rebalance_is_awaited_by_the_next_owner(scenes):
    users = USERS[:24]  # in all partitions, so that some of them move
    scene = scenes(settings={"directory": {"request_timeout_ms": 12000}})
    scene.directory.fault(kind="delay", method="PATCH", delay_ms=10000, times=-1)
    scene.worker()
    scene.ask(*users)
    wait_for(lambda: len(scene.calls("PATCH")) == len(users), 60, "the PATCHes")
    scene.directory.clear_faults()
    scene.worker("worker-2")
    assigned(scene.workers[1])
    scene.outcomes()
    wait_for(lambda: scene.directory.effects()["totals"]["passwords"] == 2 * len(users), 60,
             "the second passwords")
    assert scene.audit() == {}
    for user in users:
        first, second = scene.calls("PATCH", user)
        assert second["at_ms"] - first["at_ms"] >= 10000


# ---- two of one name -------------------------------------------------------------------------


def test_the_older_of_two_workers_with_one_instance_name_ends_with_78(scenes):
    scene = scenes(settings=BUSY)
    scene.directory.latency(10)
    scene.ask(*USERS[:100])
    older = scene.worker()
    scene.outcomes(20)
    scene.worker("worker-2", settings={"kafka": {"instance": "worker-1"}})
    assert older.wait(60) == 78
    older.wait_log("another process uses kafka.instance worker-1")
    scene.outcomes()
    assert scene.audit() == {}


# ---- SIGTERM ---------------------------------------------------------------------------------


def test_sigterm_under_load_loses_nothing_and_the_next_start_finishes(scenes, figure):
    # The grace period is long: what is open at its end is abandoned (design 6), here nothing is.
    scene = scenes(deleted=310, settings={**BUSY, "shutdown": {"grace_seconds": 60}})
    scene.directory.latency(20)
    scene.ask(*USERS[:300])
    worker = scene.worker()
    scene.outcomes(50)
    told = time.monotonic()
    assert worker.terminate() == 0
    figure("drained", time.monotonic() - told)
    scene.ask(*USERS[300:310])

    broken = scene.audit()
    assert 10 <= len(broken["missing"]) < 300
    assert broken.keys() == {"missing", "not restored"}  # nobody is left half done
    worker.start()
    scene.outcomes()
    assert scene.audit() == {}


def test_a_second_sigterm_ends_at_once(scenes):
    scene = scenes(settings={"directory": {"request_timeout_ms": 30000},
                             "shutdown": {"grace_seconds": 60}})
    scene.directory.fault(kind="hang", user=USER)
    scene.ask(USER)
    worker = scene.worker()
    wait_for(lambda: scene.calls(user=USER), 60, "an open call")
    worker.signal(signal.SIGTERM)
    worker.wait_log("draining")
    assert worker.exit_code() is None
    worker.signal(signal.SIGTERM)
    assert worker.wait(20) == 128 + signal.SIGTERM  # its call lasts longer
    worker.start()
    scene.outcomes()
    assert scene.audit() == {}


# ---- the broker ------------------------------------------------------------------------------


def test_nothing_is_lost_or_doubled_when_the_broker_is_killed_under_load(tmp_path, figure):
    with Kafka() as kafka, Scene(tmp_path / "scene", kafka, 500, BUSY) as scene:
        scene.directory.latency(10)
        scene.ask(*USERS[:400])
        worker = scene.worker()
        scene.outcomes(150)
        # It is away for longer than the session timeout: what was on the way then is refused.
        kafka.kill()
        killed = time.monotonic()
        kafka.restart()
        figure("broker back after", time.monotonic() - killed)
        before = len(scene.reader.all())
        scene.ask(*USERS[400:500])
        scene.reader.until(lambda records: len(records) > before)
        figure("next outcome after", time.monotonic() - killed)
        scene.outcomes(300)

        # SIGTERM while no broker answers ends within the grace period all the same.
        kafka.freeze()
        assert worker.terminate() == 0
        kafka.resume()
        worker.start()
        scene.outcomes()
        assert scene.audit() == {}
