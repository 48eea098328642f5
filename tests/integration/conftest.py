"""Fixtures of the integration tests: real Kafka, the simulated directory, the real worker.

    def test_a_deleted_user_comes_back(directory, worker, requests, reader):
        worker().wait_ready()
        id = requests.restore(deleted_id(1))
        [outcome] = reader.outcomes_of(id)[id]
        assert outcome.topic == "succeeded"

A fixture's stop() fails the test when its process crashed. $RESTORE_TEST_PRESET chooses the build.
"""

import pytest

from support.directory import Directory
from support.events import Reader, Requests
from support.topics import Topics
from support.worker import Worker


@pytest.fixture
def topics(kafka):
    topics = Topics(kafka.bootstrap)
    yield topics
    topics.delete()


@pytest.fixture
def directory_load():
    """None is standard_load(); a test module or a parametrize overrides it."""
    return None


@pytest.fixture
def directory(tmp_path, directory_load):
    directory = Directory(tmp_path, directory_load)
    yield directory
    directory.stop()


@pytest.fixture
def worker(tmp_path, kafka, topics, directory):
    """worker(name="worker-1", settings={...}) starts one; wait_ready() is the caller's."""
    workers = []

    def start(name="worker-1", settings=None, **more):
        keys = workers[0].keys if workers else None
        workers.append(Worker(tmp_path, kafka, topics, directory.url, name, keys, settings, **more))
        return workers[-1].start()

    yield start
    faults = []
    for one in workers:
        try:
            one.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def requests(kafka, topics):
    return Requests(kafka.bootstrap, topics)


@pytest.fixture
def reader(kafka, topics):
    reader = Reader(kafka.bootstrap, topics)
    yield reader
    reader.close()
