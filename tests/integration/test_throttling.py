"""A directory that is busy, sick or forgets its tokens: Retry-After is never undercut, and everybody
is restored once (P2, P6)."""

from support.directory import deleted_id
from support.process import wait_for
from support.survival import figure, scenes  # noqa: F401 (fixtures)

USERS = [deleted_id(n) for n in range(100)]
# Slow enough to be met in the middle of its work; that there is work left is seen to by asking for
# more users after each fault.
BUSY = {"directory": {"request_timeout_ms": 1000, "max_in_flight": 8}}
FOR_ALL = {"x-ms-throttle-scope": "Tenant/ReadWrite/app/contoso"}


def undercut(scene):
    return scene.directory.call_counts()["retry_after_undercut"]


def answered(scene, status):
    return [c for c in scene.calls() if c["status"] == status]


def throttle_one_user(scene, seconds):
    """Until the others are back, and he was told to wait twice."""
    scene.directory.fault(kind="answer", status=429, user=USERS[0], times=-1,
                          headers={"Retry-After": seconds})
    scene.ask(*USERS[:20])
    scene.worker()
    scene.outcomes(19)
    wait_for(lambda: len(answered(scene, 429)) >= 2, 60, "a second 429")
    scene.directory.clear_faults()
    scene.outcomes()


def test_a_throttled_user_waits_as_long_as_he_is_told_and_nobody_else_does(scenes):
    scene = scenes()
    throttle_one_user(scene, "2")
    assert [r.causation for r in scene.reader.records if r.is_outcome][-1] == list(scene.asked)[0]
    assert undercut(scene) == {"path": 0, "tenant": 0}
    assert scene.audit() == {}


def test_without_retry_after_a_throttled_user_comes_too_soon(scenes):
    scene = scenes(without="retry-after")
    throttle_one_user(scene, "30")
    assert undercut(scene)["path"] > 0


def throttle_the_tenant(scene, seconds):
    """Twice in the middle of the work."""
    scene.directory.latency(20)
    scene.ask(*USERS[:40])
    scene.worker()
    for progress, more in ((20, USERS[40:80]), (60, USERS[80:])):
        scene.outcomes(progress)
        scene.directory.fault(kind="answer", status=429, path="/v1.0/",
                              headers={"Retry-After": seconds, **FOR_ALL})
        scene.ask(*more)
    scene.outcomes()
    assert len(answered(scene, 429)) == 2


def test_a_throttled_tenant_is_left_alone_for_as_long_as_it_says(scenes):
    scene = scenes(settings=BUSY)
    throttle_the_tenant(scene, "2")
    assert undercut(scene) == {"path": 0, "tenant": 0}
    assert scene.audit() == {}


def test_without_retry_after_a_throttled_tenant_is_called(scenes):
    scene = scenes(settings=BUSY, without="retry-after")
    throttle_the_tenant(scene, "30")
    assert undercut(scene)["tenant"] > 0


def test_a_storm_of_503_costs_time_only(scenes):
    """Some changes are done but nobody is told; later nothing is done, until 30 calls failed."""
    scene = scenes(settings=BUSY)
    scene.directory.latency(20)
    scene.directory.fault(kind="answer", status=503, path="/restore", when="after", times=5)
    scene.directory.fault(kind="answer", status=503, method="PATCH", when="after", times=5)
    scene.ask(*USERS[:40])
    scene.worker()
    scene.outcomes(20)
    scene.directory.fault(kind="answer", status=503, path="/v1.0/", times=-1)
    scene.ask(*USERS[40:])
    wait_for(lambda: scene.directory.faults()[-1]["hits"] >= 30, 60, "the storm")
    restores, patches, _ = scene.directory.faults()
    assert restores["hits"] == patches["hits"] == 5
    scene.directory.clear_faults()
    scene.outcomes()
    assert scene.audit() == {}


def test_expired_tokens_and_a_token_endpoint_that_is_down_cost_time_only(scenes):
    scene = scenes(settings=BUSY)
    scene.directory.latency(20)
    scene.ask(*USERS[:40])
    worker = scene.worker()
    scene.outcomes(20)
    scene.directory.expire_tokens()
    scene.ask(*USERS[40:80])
    scene.outcomes(60)
    scene.directory.fault(kind="reset", path="/oauth2/", times=-1)
    scene.directory.expire_tokens()
    scene.ask(*USERS[80:])
    worker.wait_log("no token")
    scene.directory.clear_faults()
    scene.outcomes()
    assert len(scene.calls("POST", path="/oauth2/")) >= 4
    assert scene.audit() == {}
