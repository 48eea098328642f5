"""The worker and the directory over TLS: it believes `directory.ca_file` and nobody else."""

import pytest

from support.scene import Scene
from support.tls import self_signed


@pytest.fixture
def over_tls(kafka, tmp_path):
    """over_tls(certificate, ca_file): a scene whose directory shows the one, whose worker trusts
    the other."""
    opened = []

    def scene(certificate, ca_file):
        folder = tmp_path / f"scene-{len(opened)}"
        folder.mkdir()
        settings = {"directory": {"ca_file": ca_file, "request_timeout_ms": 1000},
                    "policy": {"request_deadline_seconds": 5}}
        opened.append(Scene(folder, kafka, settings, tls=certificate).__enter__())
        return opened[-1]

    yield scene
    for one in opened:
        one.__exit__()


def test_a_user_is_restored_by_a_directory_that_the_ca_file_vouches_for(over_tls, tmp_path):
    certificate = self_signed(tmp_path)
    scene = over_tls(certificate, certificate.cert)
    user = scene.deleted()
    assert scene.restore(user).topic == "succeeded"
    assert scene.directory.effects(user["id"])["restores"] == 1


def test_a_directory_that_cannot_prove_itself_is_told_nothing(over_tls, tmp_path):
    good = self_signed(tmp_path)
    elsewhere = self_signed(tmp_path, "elsewhere", "IP:127.0.0.2")
    scenes = {
        "another authority": over_tls(good, elsewhere.cert),
        "another address": over_tls(elsewhere, elsewhere.cert),
        "the system's authorities": over_tls(good, ""),
    }
    asked = {why: scene.requests.restore(scene.deleted()["id"]) for why, scene in scenes.items()}
    for why, scene in scenes.items():  # all three wait for the same deadline
        outcome = scene.outcome(asked[why])
        assert (outcome.topic, outcome.data["code"]) == ("failed", "directory_unavailable"), why
        assert scene.directory.call_counts()["total"] == 0, why
        assert scene.directory.effects()["totals"]["restores"] == 0, why
