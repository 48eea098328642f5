"""The worker speaks Graph, and the simulated directory is Graph: every operation of the worker is
provoked, answered well and badly, recorded, and judged by Microsoft's own description.

A new operation needs a row in ROWS, and a path that the description lacks one in graph.EXCEPTIONS.
"""

import contextlib
import itertools
import json
import os
import re
import uuid
from typing import Callable, NamedTuple
from urllib.parse import quote

import pytest

from contract.graph import EXCEPTIONS, Graph, Wrong
from support.directory import DOMAIN, USER_ADMINISTRATOR
from support.process import ROOT
from support.scene import Scene

ORDERED = (403, 429, 503)

# ---- what is asked for: each returns the data of one request and what its calls name ------------


def by_id(scene, **properties):
    user = scene.deleted(**properties)
    return {"named": user["id"], "id": user["id"]}


def by_name(scene, user=None):
    name = (user or scene.deleted())["userPrincipalName"]
    return {"named": name, "name": quote(name, safe=""),
            "literal": quote(name.replace("'", "''"), safe="")}


def active_by_name(scene):
    return by_name(scene, scene.person())


def quoted_name(scene):
    return by_name(scene, scene.deleted(userPrincipalName=f"o'neil@{DOMAIN}"))


def dollar_name(scene):
    return by_name(scene, scene.person(userPrincipalName=f"$dollar@{DOMAIN}"))


def nobody_by_id(_):
    id = str(uuid.uuid4())
    return {"named": id, "id": id}


def nobody_by_name(scene):
    return by_name(scene, {"userPrincipalName": f"nobody@{DOMAIN}"})


def own_requester(scene):
    requester = scene.person(roles=[USER_ADMINISTRATOR])
    return {**by_id(scene), "requester": requester["id"],
            "data": {"requestedBy": {"id": requester["id"]}}}


def own_requester_by_name(scene):
    name = scene.person(roles=[USER_ADMINISTRATOR])["userPrincipalName"]
    return {**by_id(scene), "requester": quote(name, safe=""),
            "data": {"requestedBy": {"userPrincipalName": name}}}


def own_app(scene):
    app = next(scene.apps)
    scene.directory.add(servicePrincipals=[{"id": str(uuid.uuid4()), "appId": app}])
    return {**by_id(scene), "app": app, "data": {"requestedBy": {"appId": app}}}


def unknown_app(scene):
    app = next(scene.apps)
    return {**by_id(scene), "app": app, "data": {"requestedBy": {"appId": app}}}


def administrator(scene):
    return by_id(scene, roles=[USER_ADMINISTRATOR])


def a_list(_):
    return {"data": {"mode": "list"}}


def without_manager(scene):
    return by_id(scene, manager=None)


def name_taken(scene):
    return by_id(scene, userPrincipalName=scene.person()["userPrincipalName"])


def name_taken_and_changed(scene):
    policy = {"policy": "rename-restored", "newUserPrincipalName": f"{uuid.uuid4().hex}@{DOMAIN}"}
    return {**name_taken(scene), "data": {"conflict": {"userPrincipalName": policy}}}


def _name_held(scene, policy, **properties):
    """By an active user who has to give way."""
    holder = scene.person()
    return {**by_id(scene, userPrincipalName=holder["userPrincipalName"], **properties),
            "holder": holder["id"], "data": {"conflict": {"userPrincipalName": {"policy": policy}}}}


def holder_renamed(scene):
    return _name_held(scene, "rename-active")


def holder_replaced(scene):
    return _name_held(scene, "replace-active")


def holder_replaced_in_vain(scene):
    """The address, which somebody else holds, makes the restore fail in the end."""
    asked = _name_held(scene, "replace-active", proxyAddresses=[f"SMTP:{scene.person()['mail']}"])
    asked["data"]["conflict"]["proxyAddresses"] = "reject"
    return asked


def address_taken(scene):
    return by_id(scene, proxyAddresses=[f"SMTP:{scene.person()['mail']}"])


def _address_held_by(scene, kind):
    """By an active object of that kind; and the requester will not do without the address."""
    address = f"{uuid.uuid4().hex}@{DOMAIN}"
    holder = {"id": str(uuid.uuid4()), "proxyAddresses": [f"SMTP:{address}"]}
    if kind == "users":
        scene.person(**holder)
    else:
        scene.directory.add(**{kind: [holder]})
    return {**by_id(scene, proxyAddresses=[f"SMTP:{address}"]),
            "held": "proxyAddresses/any(p:p%20eq%20%27smtp%3A" + quote(address, safe=""),
            "data": {"conflict": {"proxyAddresses": "reject"}}}


def address_of_user(scene):
    return _address_held_by(scene, "users")


def address_of_group(scene):
    return _address_held_by(scene, "groups")


def address_of_contact(scene):
    return _address_held_by(scene, "contacts")


# ---- which calls come of it ---------------------------------------------------------------------

BIN = "/v1.0/directory/deletedItems/"
USERS = "/v1.0/users/"


class Row(NamedTuple):
    operation: str  # wire name in policy/directory.h
    ask: Callable
    call: str  # method, and how its target begins; {…} is of the request
    status: int  # the directory's own answer
    ordered: tuple = ()  # further answers, each ordered as a fault of a request of its own
    options: tuple = ()  # of the directory
    policy: tuple = ()  # of the worker


ROWS = [
    Row("get_requester", own_requester, "GET " + USERS + "{requester}?", 200, ORDERED),
    Row("get_requester", own_requester, "GET " + USERS + "{requester}/transitiveMemberOf/"
        "microsoft.graph.directoryRole?", 200, ORDERED),
    Row("get_requester", own_requester_by_name, "GET " + USERS + "{requester}?", 200),
    Row("get_requester_app", own_app, "GET /v1.0/servicePrincipals(appId=%27{app}%27)?", 200,
        ORDERED),
    Row("get_requester_app", unknown_app, "GET /v1.0/servicePrincipals(appId=%27{app}%27)?", 404),
    Row("get_deleted_user", by_id, "GET " + BIN + "{id}/microsoft.graph.user?", 200,
        (401, *ORDERED)),
    Row("get_deleted_user", nobody_by_id, "GET " + BIN + "{id}/microsoft.graph.user?", 404),
    Row("find_deleted_users", by_name, "GET " + BIN + "microsoft.graph.user?$filter="
        "endsWith(userPrincipalName,%27{literal}%27)", 200, ORDERED),
    Row("find_deleted_users", quoted_name, "GET " + BIN + "microsoft.graph.user?$filter="
        "endsWith(userPrincipalName,%27{literal}%27)", 200),
    Row("get_user", by_id, "GET " + USERS + "{id}?", 200, ORDERED),
    Row("get_user", nobody_by_id, "GET " + USERS + "{id}?", 404),
    Row("get_user_by_name", active_by_name, "GET " + USERS + "{name}?", 200, ORDERED),
    Row("get_user_by_name", dollar_name, "GET /v1.0/users(%27{literal}%27)?", 200),
    Row("get_user_by_name", nobody_by_name, "GET " + USERS + "{name}?", 404),
    Row("get_role_assignments", by_id, "GET /v1.0/roleManagement/directory/roleAssignments?$filter="
        "principalId%20eq%20%27{id}%27", 200, ORDERED),
    Row("find_users_by_address", address_of_user, "GET /v1.0/users?$filter={held}", 200, ORDERED),
    Row("find_groups_by_address", address_of_group, "GET /v1.0/groups?$filter={held}", 200,
        ORDERED),
    Row("find_contacts_by_address", address_of_contact, "GET /v1.0/contacts?$filter={held}", 200,
        ORDERED),
    Row("list_deleted_users", a_list, "GET " + BIN + "microsoft.graph.user?$orderby="
        "deletedDateTime&", 200, ORDERED),
    Row("get_manager", by_id, "GET " + USERS + "{id}/manager?", 200, ORDERED),
    Row("get_manager", without_manager, "GET " + USERS + "{id}/manager?", 404),
    Row("restore", by_id, "POST " + BIN + "{id}/restore", 200, (404, *ORDERED)),
    Row("restore", name_taken, "POST " + BIN + "{id}/restore", 400),
    Row("restore", name_taken_and_changed, "POST " + BIN + "{id}/restore", 200),
    Row("restore", address_taken, "POST " + BIN + "{id}/restore", 400),
    Row("restore", address_taken, "POST " + BIN + "{id}/restore", 200),
    Row("set_password", by_id, "PATCH " + USERS + "{id}", 204, (400, 404, *ORDERED)),
    Row("rename_user", holder_renamed, "PATCH " + USERS + "{holder}", 204, ORDERED),
    Row("delete_user", holder_replaced, "DELETE " + USERS + "{holder}", 204, ORDERED),
    Row("restore_holder", holder_replaced_in_vain, "POST " + BIN + "{holder}/restore", 200,
        ORDERED),
    Row("restore", name_taken, "POST " + BIN + "{id}/restore", 409,
        options=(("clash_status", 409),)),
    Row("restore", address_taken, "POST " + BIN + "{id}/restore", 409,
        options=(("clash_status", 409),)),
    Row("get_user", administrator, "GET " + USERS + "{id}?", 200,
        policy=(("privileged_targets", "allow"),)),
]

CASES = [(row, status) for row in ROWS for status in (row.status, *row.ordered)]


def title(value):
    return str(value) if isinstance(value, int) else \
        f"{value.operation}-{value.ask.__name__}-{value.call.count('/')}"


class Traffic:
    """All pairs of one run, and the call that each case was about."""

    def __init__(self, scene, record):
        self._record = record
        self._calls = {}
        by = itertools.groupby(CASES, lambda case: (case[0].options, case[0].policy))
        for (options, policy), cases in by:
            scene.directory.options(**dict(options))
            with scene.policy(**dict(policy)) if policy else contextlib.nullcontext():
                ids = [self._ask(scene, *case) for case in cases]
                for id in ids:
                    scene.outcome(id)
        with open(record) as lines:
            self.pairs = [json.loads(line) for line in lines]

    def _ask(self, scene, row, status):
        asked = row.ask(scene)
        method, target = row.call.format(**asked).split(" ", 1)
        self._calls[row, status] = method, target
        if status != row.status:
            more = {"headers": {"Retry-After": "1"}} if status == 429 else {}
            scene.directory.fault(kind="answer", method=method, target=target, status=status,
                                  **more)
        data = asked.get("data", {})
        return scene.requests.restore(asked["named"], **data) if "named" in asked else \
            scene.requests.send(data)

    def of(self, row, status):
        """The answers that the call of a case was given."""
        method, target = self._calls[row, status]
        return [pair["response"]["status"] for pair in self.pairs if "response" in pair
                and pair["request"]["method"] == method
                and pair["request"]["target"].startswith(target)]


@pytest.fixture(scope="module")
def traffic(kafka, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    record = os.path.join(folder, "traffic.jsonl")
    apps = [str(uuid.uuid4()) for _ in range(8)]
    settings = {"policy": {"requester_apps": apps,
                           "allow": ["rename-restored", "rename-active", "replace-active"],
                           "secret_recipients": ["manager", f"@{DOMAIN}"]}}
    with Scene(folder, kafka, settings, record=record) as scene:
        scene.apps = iter(apps)
        yield Traffic(scene, record)


@pytest.fixture(scope="module")
def graph():
    return Graph()


def operations():
    """Wire name -> whether it changes something, from the table that the worker is built from."""
    with open(os.path.join(ROOT, "policy", "directory.h")) as file:
        found = re.findall(r'\bX\(DIRECTORY_\w+,\s*"(\w+)",\s*(true|false)\)', file.read())
    return {name: changes == "true" for name, changes in found}


def test_every_operation_has_its_calls_here():
    assert {row.operation: row.call.split()[0] != "GET" for row in ROWS} == operations()


def test_every_operation_meets_success_refusal_throttling_and_an_outage():
    met = {name: set() for name in operations()}
    for row, status in CASES:
        met[row.operation].add(status)
    lacking = {name: {403, 429, 503} - statuses for name, statuses in met.items()}
    assert not any(lacking.values()), lacking
    assert all(min(statuses) < 300 for statuses in met.values())


@pytest.mark.parametrize("row, status", CASES, ids=title)
def test_the_call_was_made_and_answered_so(traffic, row, status):
    assert status in traffic.of(row, status)


def test_memberships_are_expanded_where_administrators_are_restored(traffic):
    shown = [json.loads(pair["response"]["body"])["memberOf"] for pair in traffic.pairs
             if "&$expand=" in pair["request"]["target"]]
    assert "#microsoft.graph.directoryRole" in {one["@odata.type"] for of in shown for one in of}


def test_every_request_and_every_answer_is_graphs(traffic, graph):
    wrong = []
    for pair in traffic.pairs:
        try:
            graph.check(pair)
        except Wrong as error:
            wrong.append((str(error), pair))
    assert len(traffic.pairs) > len(CASES)
    assert not wrong


def test_every_exception_is_needed(traffic, graph):
    assert EXCEPTIONS.keys() <= {graph.check(pair) for pair in traffic.pairs}


# ---- the judge itself ---------------------------------------------------------------------------

ID = "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"
ERROR = {"error": {"code": "Request_BadRequest", "message": "no"}}


def a_pair(method, target, sent, status, answer, headers=None, retry_after=None):
    return {"request": {"method": method, "target": "/v1.0" + target,
                        "headers": headers if headers is not None else {
                            "Authorization": "<redacted>", "client-request-id": ID,
                            "Content-Type": "application/json"},
                        "body": sent and json.dumps(sent)},
            "response": {"status": status, "body": answer and json.dumps(answer),
                         "headers": {"Content-Type": "application/json;charset=utf-8",
                                     **({"Retry-After": retry_after} if retry_after else {})}}}


RESTORE = f"/directory/deletedItems/{ID}/restore"
USER = {"id": ID, "mail": None}
EXPANDED = f"/users/{ID}?$select=id&$expand=memberOf($select=id)"
PASSWORD = {"passwordProfile": {"password": "x", "forceChangePasswordNextSignIn": True}}

GOOD = {
    "restore": a_pair("POST", RESTORE, {"newUserPrincipalName": "a@b.c"}, 200, USER),
    "restore without a body": a_pair("POST", RESTORE, None, 200, USER),
    "an error": a_pair("POST", RESTORE, None, 400, ERROR),
    "a password": a_pair("PATCH", "/users/a", PASSWORD, 204, None),
    "a user": a_pair("GET", f"/users/{ID}?$select=id,mail", None, 200, USER),
    "users": a_pair("GET", "/users?$top=9&$select=id", None, 200, {"value": [{"id": ID}]}),
    "a user's memberships": a_pair("GET", EXPANDED, None, 200, {"id": ID, "memberOf": [
        {"@odata.type": "#microsoft.graph.group", "id": ID}]}),
    "throttled": a_pair("GET", "/users", None, 429, ERROR, retry_after="7"),
}

BAD = {
    "an unknown path": a_pair("GET", "/persons", None, 404, ERROR),
    "an unknown method": a_pair("PUT", "/users/a", None, 405, ERROR),
    "an unknown parameter of restore": a_pair("POST", RESTORE, {"force": True}, 200, USER),
    "a parameter of the wrong type": a_pair("POST", RESTORE, {"newUserPrincipalName": 1}, 200,
                                            USER),
    "an id that is none": a_pair("POST", "/directory/deletedItems/x/restore", None, 200, USER),
    "an unknown query parameter": a_pair("GET", f"/users/{ID}?$top=1", None, 200, USER),
    "a parameter twice": a_pair("GET", "/users?$top=1&$top=2", None, 200, {"value": []}),
    "too large a page": a_pair("GET", "/users?$top=1000", None, 200, {"value": []}),
    "selecting what is not there": a_pair("GET", "/users?$select=upn", None, 200, {"value": []}),
    "another expand": a_pair("GET", f"/users/{ID}?$expand=manager", None, 200, USER),
    "an expand in an advanced query": a_pair(
        "GET", EXPANDED, None, 200, {"id": ID, "memberOf": []}, {
            "Authorization": "<redacted>", "client-request-id": ID,
            "ConsistencyLevel": "eventual"}),
    "nothing expanded": a_pair("GET", EXPANDED, None, 200, {"id": ID}),
    "expanded unasked": a_pair("GET", f"/users/{ID}?$select=id", None, 200,
                               {"id": ID, "memberOf": []}),
    "too many expanded": a_pair("GET", EXPANDED, None, 200, {"id": ID, "memberOf": [
        {"@odata.type": "#microsoft.graph.group", "id": ID}] * 21}),
    "no token": a_pair("GET", "/users", None, 200, {"value": []}, {"client-request-id": ID}),
    "no client request id": a_pair("GET", "/users", None, 200, {"value": []},
                                   {"Authorization": "<redacted>"}),
    "a client request id that is none": a_pair(
        "GET", "/users", None, 200, {"value": []},
        {"Authorization": "<redacted>", "client-request-id": "1"}),
    "a level of consistency where there is none": a_pair(
        "POST", RESTORE, None, 200, USER, {"Authorization": "<redacted>", "client-request-id": ID,
                                           "ConsistencyLevel": "eventual"}),
    "a misspelt property": a_pair("PATCH", "/users/a", {"passwordProfil": {}}, 204, None),
    "a misspelt inner property": a_pair("PATCH", "/users/a", {"passwordProfile": {"pass": "x"}},
                                        204, None),
    "a change of nothing": a_pair("PATCH", "/users/a", None, 204, None),
    "an undocumented success": a_pair("PATCH", "/users/a", PASSWORD, 200, USER),
    "a body behind 204": a_pair("PATCH", "/users/a", PASSWORD, 204, USER),
    "no body behind 200": a_pair("POST", RESTORE, None, 200, None),
    "a user without id": a_pair("POST", RESTORE, None, 200, {"mail": None}),
    "a property too many": a_pair("GET", "/users?$select=id", None, 200, {"value": [USER]}),
    "a property too few": a_pair("GET", f"/users/{ID}?$select=id,mail", None, 200, {"id": ID}),
    "an unknown property": a_pair("POST", RESTORE, None, 200, {**USER, "upn": "x"}),
    "a time that is none": a_pair("POST", RESTORE, None, 200, {**USER, "createdDateTime": "now"}),
    "a list without value": a_pair("GET", "/users", None, 200, {}),
    "an error without message": a_pair("POST", RESTORE, None, 400, {"error": {"code": "x"}}),
    "a Retry-After in words": a_pair("GET", "/users", None, 429, ERROR, retry_after="soon"),
}


@pytest.mark.parametrize("what", GOOD)
def test_the_judge_passes(graph, what):
    graph.check(GOOD[what])


@pytest.mark.parametrize("what", BAD)
def test_the_judge_refuses(graph, what):
    with pytest.raises(Wrong):
        graph.check(BAD[what])
