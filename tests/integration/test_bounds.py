"""The worker at its maxima, from outside: what is larger than it takes costs a bounded amount of
memory and gives a clear outcome (tests/BOUNDS.md)."""

import os
import uuid

import pytest

from support.directory import DOMAIN
from support.events import SOURCE
from support.scene import Scene

MB = 1 << 20
USERS = 10_000  # of one name
ID_BYTES = 1_048_300  # the record fits into a topic, and with a dead letter's headers no more
CANDIDATES_MAX = 20
REPLY_MAX_KB = 1024  # REPLY_BODY_BYTES_MAX
SLACK_KB = 16 * 1024  # allocators round up


@pytest.fixture(scope="module")
def scene(tmp_path_factory, kafka):
    with Scene(tmp_path_factory.mktemp("bounds"), kafka,
               {"policy": {"notify_default": [f"helpdesk@{DOMAIN}"]}}) as scene:
        yield scene


def peak_kb(worker):
    """The most that was ever resident, and begins to count anew."""
    with open(f"/proc/{worker.pid()}/status") as file:
        peak = int(next(line for line in file if line.startswith("VmHWM")).split()[1])
    with open(f"/proc/{worker.pid()}/clear_refs", "w") as file:
        file.write("5")
    return peak


def test_of_10000_users_with_one_name_the_20_newest_are_named(scene):
    name = f"everybody@{DOMAIN}"
    users = [{"id": str(uuid.uuid4()), "userPrincipalName": name, "displayName": f"User {n}",
              "deletedDaysAgo": 1 + n / USERS} for n in range(USERS)]
    scene.directory.add_users(*users)
    scene.restore(scene.deleted())
    before = peak_kb(scene.worker)

    failed = scene.restore(name)

    assert (failed.topic, failed.data["code"]) == ("failed", "ambiguous_user")
    assert [c["id"] for c in failed.data["candidates"]] == [
        user["id"] for user in users[:CANDIDATES_MAX]]
    assert peak_kb(scene.worker) < before + SLACK_KB


def test_a_reply_of_50_mb_is_cut_off_and_the_user_restored_when_replies_are_well_again(scene):
    users = [scene.deleted() for _ in range(4)]
    scene.restore(scene.deleted())
    before = peak_kb(scene.worker)

    with scene.fault(kind="answer", method="GET", path="/directory/deletedItems", status=200,
                     body={}, fill_bytes=50 * MB, times=3 * len(users)):
        ids = [scene.requests.restore(user["id"]) for user in users]
        outcomes = [scene.outcome(id) for id in ids]
        [fault] = scene.directory.faults()

    assert fault["hits"] == 3 * len(users)
    assert all(outcome.topic == "succeeded" for outcome in outcomes)
    assert peak_kb(scene.worker) < before + len(users) * REPLY_MAX_KB + SLACK_KB


@pytest.mark.parametrize("header", ["x-anything", "ce_extension", "ce_tracestate"])
def test_a_header_of_1_mb_that_nobody_needs_disturbs_nobody(scene, header):
    restored = scene.restore(scene.deleted(), headers={header: "x" * 1_000_000})

    assert restored.topic == "succeeded"
    assert all(len(value) < 1000 for value in restored.headers.values())


def test_a_request_whose_id_has_1_mb_becomes_a_dead_letter_without_headers(scene):
    before = sum(r.topic == "dead_letters" for r in scene.reader.records)
    partition, offset = scene.requests.send_raw(
        b"{}", "key", {"ce_specversion": "1.0", "ce_source": SOURCE, "ce_id": os.urandom(ID_BYTES)})

    letter = scene.nth(before + 1, lambda r: r.topic == "dead_letters", "the dead letter")

    assert (letter.headers["__connect.errors.partition"],
            letter.headers["__connect.errors.offset"]) == (str(partition), str(offset))
    assert letter.headers["__connect.errors.truncated"] == "true" and "ce_id" not in letter.headers
    assert "id" in letter.headers["__connect.errors.exception.message"]
    assert scene.restore(scene.deleted()).topic == "succeeded"
