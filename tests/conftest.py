"""What all Python tests share: the choice of tests that tests/run.sh passes on, and a broker."""

import re
import signal
import sys

import pytest

from support.kafka import Kafka


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run tests marked `long`")
    parser.addoption("--only", default="", metavar="REGEX", help="run tests whose name matches")


def pytest_configure(config):
    # Being told to stop still ends the processes that the fixtures started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def pytest_collection_modifyitems(config, items):
    def wanted(item):
        return (re.search(config.getoption("--only"), item.nodeid) is not None
                and (config.getoption("--long") or item.get_closest_marker("long") is None))

    left_out = [item for item in items if not wanted(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if wanted(item)]


@pytest.fixture(scope="session")
def kafka():
    """One broker for all tests. A test that harms brokers starts its own Kafka()."""
    with Kafka() as running:
        yield running
