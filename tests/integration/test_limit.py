"""policy.restores_per_hour."""

import pytest

from support.scene import Scene

LIMIT = 3


@pytest.fixture
def scene(kafka, tmp_path):
    settings = {"policy": {"restores_per_hour": LIMIT}}
    with Scene(tmp_path, kafka, settings) as scene:
        yield scene


def test_no_more_are_restored_than_the_limit_however_many_come_at_once(scene):
    users = [scene.deleted() for _ in range(4 * LIMIT)]
    ids = [scene.requests.restore(user["id"]) for user in users]
    outcomes = [scene.outcome(id) for id in ids]
    restored = [outcome for outcome in outcomes if outcome.topic == "succeeded"]
    refused = [outcome for outcome in outcomes if outcome.topic == "failed"]
    assert (len(restored), len(refused)) == (LIMIT, 3 * LIMIT)
    assert scene.directory.effects()["totals"]["restores"] == LIMIT
    for outcome in refused:
        data = outcome.data
        assert (data["code"], data["owner"], data["retryable"]) == ("over_limit", "operator", True)

    again = refused[0].data["resend"]
    with scene.policy(restores_per_hour=LIMIT + 1):  # counted on, through the reload
        assert scene.outcome(scene.send_ready(again)).topic == "succeeded"
        outcome = scene.outcome(scene.send_ready(refused[1].data["resend"]))
        assert outcome.data["code"] == "over_limit"


def test_what_is_no_restore_does_not_count(scene):
    for _ in range(LIMIT):
        assert scene.restore(scene.person()).data["disposition"] == "already-active"
        assert scene.restore(scene.deleted(), mode="plan").data["would"] == "restore"
        assert scene.restore(scene.deleted(deletedDaysAgo=31)).data["code"] == "retention_expired"
    for _ in range(LIMIT):
        assert scene.restore(scene.deleted()).topic == "succeeded"
    assert scene.restore(scene.deleted()).data["code"] == "over_limit"
    data = scene.restore(scene.deleted(), mode="plan").data
    assert (data["would"], data["code"]) == ("fail", "over_limit")


def test_0_is_no_limit(scene):
    with scene.policy(restores_per_hour=0):
        for _ in range(LIMIT + 2):
            assert scene.restore(scene.deleted()).topic == "succeeded"
