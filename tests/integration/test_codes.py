"""Every failure code of contract section 4, in one table, and the promise that goes with it: after
each but `needs_hands` the directory is byte for byte as it was."""

import contextlib
import re
import uuid

import pytest

from support.contract import TEXT
from support.directory import DOMAIN, MANAGER, USER_ADMINISTRATOR
from support.process import ROOT
from support.refusal import FINAL, OWNERS, hours_ago, refused
from support.scene import Scene


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    settings = {"policy": {"allow": ["rename-active", "replace-active"]}}
    with Scene(tmp_path_factory.mktemp("scene"), kafka, settings) as scene:
        yield scene


def codes_of_the_program():
    """The failures among the rows of policy/reason.h."""
    with open(f"{ROOT}/policy/reason.h") as file:
        rows = re.findall(r'X\(REASON_\w+,\s*"([\w-]+)",\s*(\w+),', file.read())
    return {code for code, verdict in rows if verdict == "FAILED"}


# ---- the table --------------------------------------------------------------------------------


def policy(name):
    return {"conflict": {"userPrincipalName": {"policy": name}}}


REQUESTS = [  # code, how the deleted user is, what the request says, whether the user is looked at
    ("unknown_tenant", {}, {"tenant": "fabrikam"}, False),
    ("too_old", {"deletedDaysAgo": 10}, {"headers": {"ce_time": hours_ago(73)}}, False),
    ("retention_expired", {"deletedDaysAgo": 31}, {}, True),
    ("requester_unknown", {}, {"requestedBy": {"id": str(uuid.uuid4())}}, False),
    ("requester_not_authorized", {}, {"requestedBy": {"id": MANAGER}}, False),
    ("privileged_target", {"roles": ["88d8e3e3-8f55-4a1e-953a-9b9898b8876b"]}, {}, True),
    ("privileged_target", {"scopedRoles": [{"roleTemplateId": USER_ADMINISTRATOR,
                                            "directoryScopeId": "/administrativeUnits/1"}]},
     {}, True),
    ("synced_user", {"onPremisesSyncEnabled": True}, {}, True),
    ("policy_not_allowed", {}, policy("rename-restored"), False),
    ("recipient_not_allowed", {}, {"notify": {"to": ["ola@elsewhere.example"]}}, False),
    ("plan_stale", {}, {"planHash": "sha256:" + "0" * 64}, True),
    ("deadline_exceeded", {}, {"notAfter": hours_ago(1)}, False),
]


KEPT = [  # code, the policy that frees the name, which call that gives it back fails, what is done
    ("needs_hands", "rename-active", "PATCH", "active_user_renamed"),
    ("needs_hands", "replace-active", "POST", "active_user_replaced"),
]
WAYS = {}  # code -> context manager: sets the scene and gives a function that asks


def way(make):
    WAYS[make.__name__] = contextlib.contextmanager(make)
    return make


@way
def malformed(scene):
    user = scene.deleted()
    yield lambda: scene.restore(user, surprise=1)


@way
def request_id_reused(scene):
    """The other data would restore the user."""
    user = scene.deleted()
    id = scene.restore(user, notAfter=hours_ago(1)).causation

    def ask():
        scene.requests.restore(user["id"], id)
        return scene.outcome(id, 2)

    yield ask


@way
def not_found(scene):
    yield lambda: refused(scene, "not_found", str(uuid.uuid4()))[0]


@way
def ambiguous_user(scene):
    users = [scene.deleted(userPrincipalName=f"twice@{DOMAIN}") for _ in range(2)]
    yield lambda: refused(scene, "ambiguous_user", users[0]["userPrincipalName"])[0]


@way
def duplicate_user(scene):
    """The item that is no duplicate fails as well: whatever changed would be the duplicate's."""
    user = scene.deleted(onPremisesSyncEnabled=True)

    def ask():
        id = scene.requests.restore_batch([user["id"], user["userPrincipalName"]])
        outcomes = [scene.outcome(id, n) for n in (1, 2)]
        [found] = [o for o in outcomes if o.data["code"] != "synced_user"]
        return found

    yield ask


@way
def over_limit(scene):
    assert scene.restore(scene.deleted()).topic == "succeeded"
    user = scene.deleted()
    with scene.policy(restores_per_hour=1):
        yield lambda: refused(scene, "over_limit", user, True)[0]


@way
def directory_unavailable(scene):
    user = scene.deleted()
    with scene.fault(kind="answer", status=429, user=user["id"], headers={"Retry-After": "1000"}):
        yield lambda: refused(scene, "directory_unavailable", user)[0]


def refusing(scene, code, status):
    user = scene.deleted()
    with scene.fault(kind="answer", status=status, method="POST", user=user["id"], times=-1):
        yield lambda: refused(scene, code, user, True)[0]


@way
def directory_denied(scene):
    yield from refusing(scene, "directory_denied", 403)


@way
def directory_rejected(scene):
    yield from refusing(scene, "directory_rejected", 422)


def test_every_code_of_the_program_is_in_the_table():
    assert codes_of_the_program() == OWNERS.keys()
    assert {code for code, *_ in REQUESTS + KEPT} | WAYS.keys() == OWNERS.keys()


@pytest.mark.parametrize("code, user, request_data, found", REQUESTS)
def test_a_request_is_refused_and_nothing_is_changed(scene, code, user, request_data, found):
    _, rest = refused(scene, code, scene.deleted(**user), found, **request_data)
    assert rest.keys() <= {"resend"}


@pytest.mark.parametrize("code", WAYS)
def test_what_it_takes_more_than_a_request_for_changes_nothing_either(scene, code):
    with WAYS[code](scene) as ask:
        with scene.untouched():
            outcome = ask()
    check_failure(outcome, code)


def check_failure(outcome, code):
    data = outcome.data
    assert (outcome.topic, data.get("code")) == ("failed", code), outcome
    assert (data["owner"], data["retryable"]) == OWNERS[code]
    assert (data["message"], data["hint"]) == (TEXT, TEXT)
    assert ("resend" in data) == (code not in FINAL)


# ---- changed, and given back; or not ----------------------------------------------------------


@contextlib.contextmanager
def refused_once_the_name_is_free(scene):
    """(a deleted user whom the directory does not restore, the active bearer of the name, who
    gives way first)"""
    user = scene.deleted()
    name = user["userPrincipalName"]
    holder = scene.person(userPrincipalName=name, mail=f"her.{name}",
                          proxyAddresses=[f"SMTP:her.{name}"], preferredLanguage="sv-SE")
    restore = {"method": "POST", "path": f"{user['id']}/restore"}
    scene.directory.fault(kind="delay", delay_ms=1, **restore)  # the clash: its own answer
    with scene.fault(kind="answer", status=400, code="Request_BadRequest", times=-1, **restore):
        yield user, holder


def counted(scene, user):
    return {name: n for name, n in scene.directory.effects(user["id"]).items()
            if isinstance(n, int) and not isinstance(n, bool) and n}


@pytest.mark.parametrize("name_policy, back", [
    ("rename-active", {"renames": 2}), ("replace-active", {"deletes": 1, "restores": 1})])
def test_a_name_that_was_freed_in_vain_is_given_back(scene, name_policy, back):
    with refused_once_the_name_is_free(scene) as (user, holder):
        before = scene.directory.state()
        outcome = scene.restore(user, **policy(name_policy))
        assert scene.directory.state() == before
    check_failure(outcome, "directory_rejected")
    assert outcome.data["directoryError"]["status"] == 400
    assert (counted(scene, holder), counted(scene, user)) == (back, {})
    assert [r.topic for r in scene.everything(outcome.causation)] == ["failed"]


@pytest.mark.parametrize("code, name_policy, method, done", KEPT)
def test_a_name_that_cannot_be_given_back_needs_hands(scene, code, name_policy, method, done):
    with refused_once_the_name_is_free(scene) as (user, holder):
        scene.directory.fault(kind="delay", delay_ms=1, method="PATCH", user=holder["id"])
        scene.directory.fault(kind="answer", user=holder["id"], status=403, times=-1,
                              code="Authorization_RequestDenied", method=method)
        before = scene.directory.state()
        outcome = scene.restore(user, **policy(name_policy))
        assert scene.directory.state() != before
    check_failure(outcome, code)
    assert (outcome.data["done"], outcome.data["todo"]) == ([done], ["needs_hands"])
    [changed] = outcome.data["changes"].values()
    assert changed["id"] == holder["id"]
