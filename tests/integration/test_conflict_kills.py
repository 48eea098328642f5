"""kill -9 while the active holder of a name gives way, or gets it back (design 9, second table): at
each point one user of his own is held, then the worker dies once for all of them."""

import uuid

import pytest

from support.directory import DOMAIN, MANAGER
from support.process import wait_for
from support.survival import scenes  # noqa: F401 (fixture)

POLICIES = {"rename-active": ("PATCH", "PATCH"), "replace-active": ("DELETE", "POST")}


class Pair:
    """A deleted user, and the active one who bears the name by now."""

    def __init__(self, scene, name):
        self.user, self.holder = str(uuid.uuid4()), str(uuid.uuid4())
        self.name = f"{name}@{DOMAIN}"
        self._scene = scene
        scene.directory.add_users(
            {"id": self.user, "userPrincipalName": self.name, "deletedDaysAgo": 1,
             "manager": MANAGER, "assignedLicenses": 1},
            {"id": self.holder, "userPrincipalName": self.name, "mail": f"her.{self.name}"})

    def passes(self, method, id):
        """The next call of this kind is none of the faults' that follow."""
        self._scene.directory.fault(kind="delay", delay_ms=1, method=method, user=id)

    def held(self, method, id, when):
        self._scene.directory.fault(kind="hang", method=method, user=id, when=when)

    def is_refused(self):
        self._scene.directory.fault(kind="answer", method="POST", user=self.user, status=400,
                                    code="Request_BadRequest", times=-1)


def held_at_every_point(scene, policy):
    """{where the call is held: the pair}"""
    free, undo = POLICIES[policy]
    pairs = {point: Pair(scene, point) for point in (
        "free-unsent", "free-unheard", "restore-unsent", "restore-unheard", "password-unheard",
        "undo-unsent", "undo-unheard")}
    for point, pair in pairs.items():
        what, _, how = point.partition("-")
        when = "before" if how == "unsent" else "after"
        if what == "free":
            pair.held(free, pair.holder, when)
            continue
        pair.passes("POST", pair.user)  # the clash
        if what == "restore":
            pair.held("POST", pair.user, when)
        if what == "password":
            pair.held("PATCH", pair.user, when)
        if what == "undo":
            pair.is_refused()
            if free == undo:
                pair.passes(free, pair.holder)
            pair.held(undo, pair.holder, when)
    return pairs


def all_are_held(scene):
    return sum(f["hits"] for f in scene.directory.faults() if f["kind"] == "hang") == 7


@pytest.mark.parametrize("policy", POLICIES)
def test_a_kill_at_every_point_frees_the_name_once_and_for_good(scenes, policy):
    scene = scenes(deleted=0, settings={
        "policy": {"allow": ["rename-restored", policy],
                   "secret_recipients": ["manager"]},
        "directory": {"request_timeout_ms": 30000}})
    pairs = held_at_every_point(scene, policy)
    worker = scene.worker().wait_ready()
    conflict = {"userPrincipalName": {"policy": policy}}
    ids = dict(zip(pairs, scene.ask(*(pair.user for pair in pairs.values()), conflict=conflict)))
    wait_for(lambda: all_are_held(scene), 28, "every call to be held")
    worker.kill9()  # and with it the connections: what is held unsent never has its effect
    worker.configure({"directory": {"request_timeout_ms": 2000}})  # so long settling takes
    worker.start()
    scene.outcomes(timeout_s=120)

    outcomes = {r.causation: r for r in scene.reader.all() if r.is_outcome}
    for point, pair in pairs.items():
        outcome = outcomes[ids[point]]
        effects = scene.directory.effects(pair.holder)
        user = scene.directory.effects(pair.user)
        gone = (effects["renames"], effects["deletes"], effects["restores"])
        now = scene.directory.object(pair.user)["userPrincipalName"]
        if point.startswith("undo"):
            assert outcome.data["code"] == "directory_rejected", point
            assert gone == ((2, 0, 0) if policy == "rename-active" else (0, 1, 1)), point
            assert scene.directory.object(pair.holder)["userPrincipalName"] == pair.name
            assert user["restores"] == 0 and now != pair.name
            continue
        assert outcome.topic == "succeeded", (point, outcome.data)
        assert gone == ((1, 0, 0) if policy == "rename-active" else (0, 1, 0)), point
        assert (user["restores"], user["deletes"], now) == (1, 0, pair.name), point
        changed = outcome.data["changes"]["renamedActiveUser" if policy == "rename-active"
                                          else "replacedActiveUser"]
        assert changed["id"] == pair.holder, point
    broken = scene.audit()
    assert set(broken) == {"failed", "not restored"} and all(
        len(what) == 2 for what in broken.values()), broken
