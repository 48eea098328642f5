"""Negative controls: a protection is switched off, and the promise that rests on it must be seen to
break, by the same judge that finds nothing when it is on. tests/CLAIMS.md has them all; those that
share a scene with what they control stand there.
"""

import errno
import os
import signal
import time

import pytest
from confluent_kafka import Producer

from support import secrecy
from support.contract import digest, event_id, partition_of
from support.directory import DOMAIN, deleted_id
from support.events import SOURCE, duplicates
from support.process import Process, binary, wait_for
from support.survival import assigned, raw_records, scenes  # noqa: F401 (fixture)

USERS = [deleted_id(n) for n in range(100)]
USER, OTHER = USERS[0], USERS[1]
HOLDER = "33333333-0000-4000-8000-000000000001"

PATIENT = {"directory": {"request_timeout_ms": 30000}}


def outcomes_of(scene, *ids):
    return [r for r in scene.reader.all() if r.is_outcome and r.causation in ids]


def held(scene):
    """How many calls hang; one that does is in no log of calls yet."""
    return sum(fault["hits"] for fault in scene.directory.faults() if fault["kind"] == "hang")


def of_one_partition(n):
    """So many record keys that share a partition of the requests."""
    keys = (f"key {i}" for i in range(1000))
    return [key for key in keys if partition_of(key, 12) == 0][:n]


# ---- what the journal knows (P1, P2) ---------------------------------------------------------


def killed_after_a_replacing_restore(scene):
    """The holder of the name was deleted and the user restored, and nobody was told; the outcome
    after the restart."""
    scene.directory.add_users({"id": HOLDER, "userPrincipalName": f"user000000@{DOMAIN}"})
    worker = scene.worker().wait_ready()
    scene.directory.fault(kind="delay", delay_ms=1, method="POST", user=USER)  # the clash
    scene.directory.fault(kind="hang", method="POST", user=USER, when="after")
    [id] = scene.ask(USER, conflict={"userPrincipalName": {"policy": "replace-active"}})
    wait_for(lambda: scene.directory.effects(USER)["restores"] == 1, 20, "the restore")
    worker.kill9()
    scene.directory.clear_faults()
    worker.start()
    [outcome] = scene.reader.outcomes_of(id)[id]
    assert scene.directory.effects(USER)["restores"] == 1
    return outcome


def test_without_intents_a_kill_after_replacing_calls_our_own_restore_anothers(scenes):
    settings = {"directory": {"request_timeout_ms": 1000},
                "policy": {"allow": ["replace-active"], "secret_recipients": ["manager"]}}
    guarded = scenes(settings=settings)
    told = killed_after_a_replacing_restore(guarded)
    assert told.data["disposition"] == "restored" and "replacedActiveUser" in told.data["changes"]
    assert guarded.audit() == {}
    control = scenes(settings=settings, without="intents")
    told = killed_after_a_replacing_restore(control)
    assert told.data["disposition"] == "already-active" and "secret" not in told.data
    assert control.directory.effects(USER)["passwords"] == 0  # and nobody will ever set one


def repeated_behind_a_stuck_record(scene):
    """A request that is done and repeated stands behind one that is stuck when the worker dies; how
    many outcomes it had then, and what it has when all is done."""
    stuck, key = of_one_partition(2)
    scene.directory.fault(kind="hang", user=OTHER, times=-1)
    worker = scene.worker()
    scene.ask(OTHER, key=stuck)
    wait_for(lambda: held(scene), 60, "the stuck one")
    [id] = scene.ask(USER, key=key)
    scene.reader.outcomes_of(id)
    scene.ask(USER, id=id, key=key)
    scene.reader.outcomes_of(id, per_request=2)
    worker.kill9()
    scene.directory.clear_faults()
    before = len(outcomes_of(scene, id))
    worker.start().wait_ready()
    after = scene.ask(USERS[2], key=stuck)
    scene.reader.outcomes_of(*scene.asked)
    scene.reader.outcomes_of(*after)
    return before, [r.data["replayed"] for r in outcomes_of(scene, id)]


def test_without_the_journals_offsets_a_repeat_behind_a_stuck_record_is_told_again(scenes):
    guarded = scenes()
    assert repeated_behind_a_stuck_record(guarded) == (2, [False, True])
    assert guarded.audit() == {}
    control = scenes(without="journal-offsets")
    before, replayed = repeated_behind_a_stuck_record(control)
    assert before == 2 and len(replayed) > 2 and all(replayed[1:])


class Pending:
    """What another worker is committing: the outcome of the user's request, and its journal
    record."""

    def __init__(self, scene):
        [self.id] = scene.ask(USER)
        _, data, partition, offset = scene.requests.sent[self.id]
        names = scene.topics.names
        self._producer = Producer({"bootstrap.servers": scene._kafka.bootstrap, "log_level": 2,
                                   "transactional.id": f"{scene.topics.group}-another",
                                   "transaction.timeout.ms": 120000})
        self._producer.init_transactions(30)
        self._producer.begin_transaction()
        now = str(time.time_ns() // 10**6)
        self._producer.produce(
            names["journal"], b"{}", event_id(SOURCE, self.id, USER, "journal"), partition,
            headers={"rw-v": "1", "rw-state": "done", "rw-offset": str(offset),
                     "rw-digest": digest(data), "rw-time": now, "rw-started": now})
        assert self._producer.flush(30) == 0

    def commit(self):
        self._producer.commit_transaction(30)


def test_a_journal_read_to_its_last_stable_offset_misses_what_is_being_committed(scenes):
    guarded, control = scenes(), scenes()
    control._environment = {"LD_PRELOAD": binary("tests/libstable_end.so")}
    pending = [Pending(scene) for scene in (guarded, control)]
    for scene in (guarded, control):
        scene.worker()
    guarded.workers[0].wait_log("waiting for the end of another's transaction")
    wait_for(lambda: control.directory.effects(USER)["restores"] == 1, 60, "a second restore")
    assert guarded.calls(user=USER) == []
    for one in pending:
        one.commit()
    guarded.workers[0].wait_ready()
    after = guarded.ask(OTHER)
    guarded.reader.outcomes_of(*after)
    assert guarded.calls(user=USER) == [] and outcomes_of(guarded, pending[0].id) == []
    assert len(control.reader.outcomes_of(pending[1].id)[pending[1].id]) == 1


# ---- partitions that are another's by now (P1, P2) -------------------------------------------


def rebalanced_while_passwords_are_set(scene, next_owner=None):
    """The passwords are on their way while some of the users' partitions go to another worker."""
    users = USERS[:24]
    scene.directory.fault(kind="hang", method="PATCH", times=-1)
    scene.worker()
    scene.ask(*users)
    wait_for(lambda: held(scene) == len(users), 60, "the PATCHes")
    scene.directory.clear_faults()
    scene.worker("worker-2", settings=next_owner)
    assigned(scene.workers[1])


def test_without_settling_a_password_told_after_a_revoke_is_replaced_by_a_late_one(scenes):
    """What test_a_password_that_is_being_set_during_a_rebalance_is_awaited_by_the_next_owner finds
    nothing of."""
    scene = scenes(settings=PATIENT, without="settling")
    rebalanced_while_passwords_are_set(scene)
    scene.outcomes(1)  # of those that the next owner did not wait for
    told = [scene.asked[r.causation] for r in scene.reader.all() if r.is_outcome]
    scene.directory.release()
    for user in told:
        wait_for(lambda user=user: len(scene.calls("PATCH", user)) == 2, 20, "the late password")
    scene.outcomes()
    broken = scene.audit()
    assert told and broken.keys() == {"password"} and set(told) <= set(broken["password"])


@pytest.mark.long  # it needs both workers to finish within one session, which a busy machine spoils
def test_without_letting_go_what_another_holds_by_now_is_told_twice(scenes):
    """Offsets of a partition not held: the broker asks for the generation alone, and lets them
    through."""
    scene = scenes(settings=PATIENT, without="held")
    rebalanced_while_passwords_are_set(scene, {"directory": {"request_timeout_ms": 1000}})
    scene.directory.release()
    scene.reader.until(duplicates, what="a doubled outcome")
    for worker in scene.workers:
        assert worker.exit_code() is None
        assert worker.log_count("transaction refused by the group") == 0


def lost_its_name(scene):
    """The older of two workers with one name, as soon as it has found out."""
    older = scene.worker().wait_ready()
    scene.worker("worker-2", settings={"kafka": {"instance": "worker-1"}})
    older.wait_log("another process uses kafka.instance worker-1", 60)
    return older


def test_without_fencing_the_older_of_two_with_one_name_pretends_to_work(scenes):
    assert lost_its_name(scenes()).wait(30) == 78
    control = lost_its_name(scenes(without="fencing"))
    for _ in range(2):  # turns of its loop: it has not ended
        assert control.get("/livez")[0] == 200


# ---- one key, one at a time (P3) -------------------------------------------------------------


def first_hangs_while_a_third_is_served(scene):
    """Two requests of one key, and one of another in the same partition; the first's call hangs."""
    key, another = of_one_partition(2)
    scene.directory.fault(kind="hang", user=USER)
    scene.worker()
    [first] = scene.ask(USER, key=key)
    wait_for(lambda: held(scene), 60, "the first one's call")
    scene.ask(OTHER, key=key)
    [third] = scene.ask(USERS[2], key=another)
    scene.reader.outcomes_of(third)
    return first


def test_without_the_order_of_keys_the_second_overtakes_the_first(scenes):
    guarded, control = (scenes(settings=PATIENT, without=w) for w in (None, "key-order"))
    first_hangs_while_a_third_is_served(guarded)
    assert guarded.calls(user=OTHER) == []
    guarded.directory.release()
    guarded.outcomes()
    assert guarded.audit() == {}
    assert (max(c["n"] for c in guarded.calls(user=USER))
            < min(c["n"] for c in guarded.calls(user=OTHER)))

    first = first_hangs_while_a_third_is_served(control)
    control.outcomes(2)
    assert control.calls(user=OTHER) != [] and outcomes_of(control, first) == []


# ---- secrets (P5) ----------------------------------------------------------------------------


def test_without_secrecy_the_search_for_secrets_finds_each_password(scenes):
    """The search is that of test_restore.py, and finds nothing there."""
    scene = scenes(without="secrecy")
    worker = scene.worker()
    scene.ask(*USERS[:3])
    scene.outcomes()
    passwords = {scene.directory.effects(user)["password"] for user in USERS[:3]}
    texts = secrecy.written(scene._kafka.bootstrap, scene.topics, worker)
    assert secrecy.in_clear(secrecy.secrets(scene.directory), texts) == passwords


def reader_of_its_memory(folder, without):
    """Who may read the memory of a worker that an ordinary user runs, and get its core dump: the
    owner of its files in /proc (proc(5), prctl(2))."""
    os.makedirs(folder)
    config = os.path.join(folder, "never-written")
    os.mkfifo(config)  # at which it waits, as early as it can
    os.chmod(config, 0o644)
    user = 65534 if os.getuid() == 0 else os.getuid()
    with open(os.path.join(folder, "log"), "wb") as log:
        become = [] if os.getuid() else ["setpriv", f"--reuid={user}", "--clear-groups"]
        process = Process([*become, binary("worker/restore-worker"), "--config", config], log, log,
                          env={**os.environ, "RESTORE_TEST_WITHOUT": without})
    try:
        is_read = wait_for(lambda: writer_of(config), 20, "the worker to open its configuration")
        owner = os.stat(f"/proc/{process.pid}/environ").st_uid
        os.close(is_read)
        return user, owner
    finally:
        process.kill9()


def writer_of(fifo):
    """A descriptor as soon as somebody opens it for reading."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        assert error.errno == errno.ENXIO
        return None


def test_without_being_undumpable_anybody_of_its_user_could_read_its_memory(tmp_path):
    folder = tmp_path
    while folder != folder.parent and "pytest-" in str(folder):  # pytest's own, however deep
        os.chmod(folder, 0o755)
        folder = folder.parent
    user, reader = reader_of_its_memory(tmp_path / "guarded", "")
    assert (reader == 0) and reader != user
    user, reader = reader_of_its_memory(tmp_path / "control", "undumpable")
    assert reader == user


# ---- any byte string (P7) --------------------------------------------------------------------


def garbage_then_a_request(scene):
    """How many dead letters there are when the request behind three malformed records is done."""
    [key] = of_one_partition(1)
    scene.worker()
    for value in (b"", b"\xff\0 no request", b"{}"):
        scene.requests.send_raw(value, key)
    [id] = scene.ask(USER, key=key)
    scene.reader.outcomes_of(id)
    return sum(r.topic == "dead_letters" for r in scene.reader.all())


def test_without_dead_letters_what_is_no_request_is_gone_without_a_word(scenes):
    guarded, control = scenes(), scenes(without="dead-letters")
    assert garbage_then_a_request(guarded) == 3
    assert garbage_then_a_request(control) == 0
    # They are in nobody's hands any more: the offset is beyond them.
    assert guarded.audit() == control.audit() == {}


# ---- SIGTERM (P8) ----------------------------------------------------------------------------


def told_to_stop_while_a_reply_is_awaited(scene):
    """The user is restored, and the read that comes next hangs."""
    scene.directory.fault(kind="hang", method="GET", path=f"/v1.0/users/{USER}", when="after")
    worker = scene.worker()
    [id] = scene.ask(USER)
    wait_for(lambda: held(scene), 60, "the read")
    worker.signal(signal.SIGTERM)
    worker.wait_log("draining")
    return worker, id


def test_without_a_drain_sigterm_leaves_a_user_half_done(scenes):
    settings = {**PATIENT, "shutdown": {"grace_seconds": 30}}
    for without in (None, "drain"):
        scene = scenes(settings=settings, without=without)
        worker, id = told_to_stop_while_a_reply_is_awaited(scene)
        scene.directory.release()
        assert worker.wait(30) == 0
        assert scene.audit() == ({"missing": [id]} if without else {})  # but he is restored


def test_without_a_grace_period_sigterm_waits_for_a_call_that_hangs(scenes):
    settings = {**PATIENT, "shutdown": {"grace_seconds": 10}}
    guarded, control = scenes(settings=settings), scenes(settings=settings, without="grace")
    worker, _ = told_to_stop_while_a_reply_is_awaited(control)
    other, _ = told_to_stop_while_a_reply_is_awaited(guarded)
    assert other.wait(10 + 2) == 0
    assert worker.exit_code() is None
    with pytest.raises(AssertionError, match="still runs"):
        worker.wait(2)
    control.directory.release()  # for which it waited, and for nothing else
    assert worker.wait(30) == 0
    assert control.audit() == {}
