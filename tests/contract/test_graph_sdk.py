"""Microsoft's own client (npm @microsoft/microsoft-graph-client) takes the simulated directory for
Graph, over TLS: the worker is judged by a directory that others can work with too."""

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
import uuid

import pytest

from contract.graph import Graph
from support.directory import (CLIENT_ID, CLIENT_SECRET, DOMAIN, TENANT, USER_ADMINISTRATOR,
                               Directory, standard_load)
from support.tls import self_signed

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "graph_sdk.mjs")
IN_BIN = 25
LIMIT_S = 120


class Client:
    """sdk("step", …) is one step of graph_sdk.mjs. Its traffic is judged as the worker's is: a
    judge that refuses what Microsoft's client sends is wrong."""

    def __init__(self, folder):
        certificate = self_signed(folder)
        record = os.path.join(folder, "traffic.jsonl")
        self.directory = Directory(folder, standard_load(deleted=IN_BIN), certificate, record)
        self._graph = Graph()
        self._pairs = open(record)
        self._environment = {**os.environ, "NODE_EXTRA_CA_CERTS": certificate.cert}
        self._environment["TOKEN"] = self._token()

    def _token(self):
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET, "scope": "https://graph.microsoft.com/.default"})
        with urllib.request.urlopen(f"{self.directory.url}/{TENANT}/oauth2/v2.0/token",
                                    form.encode(), timeout=10,
                                    context=self.directory.context) as reply:
            return json.load(reply)["access_token"]

    def __call__(self, step, environment=None, **given):
        run = subprocess.run(["node", SCRIPT, self.directory.url, step, json.dumps(given)],
                             env={**self._environment, **(environment or {})}, text=True,
                             capture_output=True, timeout=LIMIT_S)
        assert run.returncode == 0, run.stderr
        for line in self._pairs:
            self._graph.check(json.loads(line))
        return json.loads(run.stdout)

    def close(self):
        self._pairs.close()
        self.directory.stop()

    def add(self, **properties):
        name = f"{uuid.uuid4().hex[:12]}@{DOMAIN}"
        user = {"id": str(uuid.uuid4()), "userPrincipalName": name, "mail": name,
                "proxyAddresses": [f"SMTP:{name}"], **properties}
        self.directory.add_users(user)
        return user


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    client = Client(tmp_path_factory.mktemp("sdk"))
    yield client
    client.close()


def test_it_finds_a_deleted_user_by_the_end_of_his_name(sdk):
    user = sdk.add(deletedDaysAgo=1)
    found = sdk("find", name=user["userPrincipalName"])
    assert found["@odata.count"] == 1
    [row] = found["value"]
    assert row["userPrincipalName"] == user["id"].replace("-", "") + user["userPrincipalName"]
    assert row.keys() == {"id", "userPrincipalName", "deletedDateTime"}


def test_it_follows_the_next_link_to_the_end(sdk):
    walked = sdk("pages", top=10)
    assert walked["complete"] is True
    assert len(walked["ids"]) == len(set(walked["ids"])) == walked["count"] >= IN_BIN


def test_it_reads_a_deleted_user(sdk):
    user = sdk.add(deletedDaysAgo=1)
    read = sdk("get", id=user["id"])
    assert (read["id"], read["mail"]) == (user["id"], user["mail"])


def test_it_restores_under_another_name(sdk):
    user = sdk.add(deletedDaysAgo=1)
    name = f"new-{user['userPrincipalName']}"
    restored = sdk("restore", id=user["id"], newUserPrincipalName=name,
                   autoReconcileProxyConflict=True)
    assert (restored["id"], restored["userPrincipalName"]) == (user["id"], name)
    assert sdk.directory.effects(user["id"])["restores"] == 1


@pytest.mark.parametrize("status, code, target", [
    (400, "Request_BadRequest", "userPrincipalName"),
    (409, "Request_MultipleObjectsWithSameKeyValue", "None")])
def test_it_is_told_of_a_clash_in_words_that_it_understands(sdk, status, code, target):
    user = sdk.add(deletedDaysAgo=1)
    sdk.add(userPrincipalName=user["userPrincipalName"])
    sdk.directory.options(clash_status=status)
    error = sdk("restore", id=user["id"])["error"]
    sdk.directory.options(clash_status=400)
    assert (error["statusCode"], error["code"]) == (status, code)
    assert error["message"] == \
        "Another object with the same value for property userPrincipalName already exists."
    [detail] = error["body"]["details"]
    assert (detail["code"], detail["target"]) == ("ObjectConflict", target)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", error["requestId"])
    assert error["date"] is not None
    assert sdk.directory.effects(user["id"])["restores"] == 0


def test_it_is_told_that_a_user_is_not_there(sdk):
    error = sdk("get", id=str(uuid.uuid4()))["error"]
    assert (error["statusCode"], error["code"]) == (404, "Request_ResourceNotFound")


def test_it_sets_a_password_to_be_changed(sdk):
    user = sdk.add()
    assert sdk("password", id=user["id"], password="Correct-horse-7") is None
    effects = sdk.directory.effects(user["id"])
    assert (effects["password"], effects["mustChange"]) == ("Correct-horse-7", True)


def test_it_renames_and_deletes(sdk):
    user = sdk.add()
    assert sdk("rename", id=user["id"], name=f"renamed-{user['userPrincipalName']}") is None
    assert sdk("remove", id=user["id"]) is None
    effects = sdk.directory.effects(user["id"])
    assert (effects["renames"], effects["deletes"]) == (1, 1)


def test_it_reads_role_assignments(sdk):
    user = sdk.add(roles=[USER_ADMINISTRATOR])
    [assignment] = sdk("roles", id=user["id"])["value"]
    assert assignment["roleDefinitionId"] == USER_ADMINISTRATOR
    assert (assignment["principalId"], assignment["directoryScopeId"]) == (user["id"], "/")


def test_it_waits_as_long_as_retry_after_says(sdk):
    user = sdk.add()
    sdk.directory.fault(kind="answer", status=429, user=user["id"], headers={"Retry-After": "2"})
    assert sdk("user", id=user["id"])["id"] == user["id"]
    calls = [c for c in sdk.directory.calls()["calls"] if c["user"] == user["id"]]
    assert [c["status"] for c in calls] == [429, 200]
    assert calls[1]["at_ms"] - calls[0]["at_ms"] > 1900


def test_it_trusts_no_directory_whose_certificate_it_does_not_know(sdk):
    before = sdk.directory.call_counts()["total"]
    error = sdk("user", {"NODE_EXTRA_CA_CERTS": ""}, id=str(uuid.uuid4()))["error"]
    assert (error["statusCode"], error["message"]) == (-1, "fetch failed")
    assert sdk.directory.call_counts()["total"] == before
