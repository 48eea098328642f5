"""Who may go on and who must end: two processes of one name, a group whose coordinator changes, and
a librdkafka that never lets go (P8)."""

import os
import subprocess

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from support.directory import deleted_id
from support.kafka import Kafka
from support.process import wait_for
from support.survival import Scene, assigned, scenes  # noqa: F401 (a fixture)

USERS = [deleted_id(n) for n in range(100)]
FENCED = "another process uses kafka.instance worker-1"


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    """The environment of a worker whose librdkafka does not come back from ending a handle, as
    2.0.2 does now and then."""
    folder = tmp_path_factory.mktemp("hanging")
    source, library = os.path.join(folder, "hanging.c"), os.path.join(folder, "hanging.so")
    with open(source, "w") as file:
        file.write("#include <unistd.h>\n"
                   "void rd_kafka_destroy_flags(void *handle, int flags)\n"
                   "{ (void)handle; (void)flags; for (;;) pause(); }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0"}


# ---- two of one name -------------------------------------------------------------------------


def fence_the_older(scene):
    """An idle one, whose producer has nothing to be refused; the older and its exit code."""
    older = scene.worker().wait_ready()
    newer = scene.worker("worker-2", settings={"kafka": {"instance": "worker-1"}})
    code = older.wait(30)
    assert [line["error"] for line in older.log() if "consumer failed" in line["raw"]] == [FENCED]
    newer.wait_ready()
    scene.ask(*USERS[:20])
    scene.outcomes()
    assert scene.audit() == {}
    return code


def test_an_idle_worker_learns_of_another_of_its_name_and_ends_with_78(scenes):
    assert fence_the_older(scenes()) == 78


def test_it_ends_with_78_even_where_librdkafka_hangs(scenes, hanging):
    assert fence_the_older(scenes(environment=hanging)) == 78


# ---- the way out -----------------------------------------------------------------------------


def test_sigterm_ends_a_worker_whose_librdkafka_hangs(scenes, hanging):
    scene = scenes(environment=hanging)
    scene.ask(*USERS[:20])
    worker = scene.worker().wait_ready()
    scene.outcomes()
    assert worker.terminate() == 0
    assert scene.audit() == {}


def test_without_a_bound_a_hanging_librdkafka_keeps_the_worker(scenes, hanging):
    scene = scenes(environment=hanging, without="exit-bound")
    worker = scene.worker().wait_ready()
    with pytest.raises(AssertionError):
        worker.terminate()
    assert worker.exit_code() is None
    worker.wait_log("stopping")


# ---- the coordinator -------------------------------------------------------------------------


def coordinator(kafka, group):
    """The node that coordinates the group, asked by somebody new each time: librdkafka remembers.
    """
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    try:
        answer = admin.describe_consumer_groups([group], request_timeout=5)[group].result(10)
    except KafkaException:
        return None
    return answer.coordinator.id


def test_a_former_coordinator_is_not_asked_for_ever(tmp_path):
    with Kafka(nodes=3) as kafka, Scene(tmp_path / "scene", kafka) as scene:
        first = scene.worker().wait_ready()
        group = scene.topics.group
        former = wait_for(lambda: coordinator(kafka, group), 30, "the coordinator")
        kafka.freeze(former)
        wait_for(lambda: coordinator(kafka, group) not in (None, former), 60, "another coordinator")
        kafka.resume(former)
        before = first.log_count("partitions assigned")
        scene.worker("worker-2")
        assigned(scene.workers[1])
        assigned(first, times=before + 1)
        scene.ask(*USERS)
        scene.outcomes()
        assert scene.audit() == {}
