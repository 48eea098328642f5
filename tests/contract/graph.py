"""Microsoft's description of Graph as a judge of recorded traffic.

graph-openapi-subset.json is the judge; openapi-core matches paths, parameters, bodies, statuses and
headers against it. Where it lets everything pass it is tightened here, in memory: Graph itself
refuses an unknown property, while the document's schemas are open.
"""

import copy
import json
import os
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.testing import MockRequest, MockResponse

HOST = "https://graph.microsoft.com"
DOCUMENT = os.path.join(os.path.dirname(__file__), "graph-openapi-subset.json")

# What the worker writes to or reads from, field by field; errors stay open, as their note says.
CLOSED = ["directoryRole", "group", "orgContact", "passwordProfile", "unifiedRoleAssignment",
          "user"]


# Paths of Graph that the subset leaves out: why, and what describes them instead: method, path of
# the operation whose parameters and errors they share, schema of the answer.
EXCEPTIONS = {
    "/users/{user-id}/manager": (
        "a navigation property, and the subset leaves those out; Graph's own document gives it a "
        "directoryObject, which for a user has a user's properties",
        ("get", "/users/{user-id}", "microsoft.graph.user")),
    "/users('{user-id}')": (
        "the same resource by OData's other key syntax, which a name that begins with $ needs "
        "(reference page of user-get); the document knows one spelling of a key",
        ("get", "/users/{user-id}", "microsoft.graph.user")),
    "/servicePrincipals(appId='{appId}')": (
        "the subset was cut for restoring users and knows no applications (reference page of "
        "serviceprincipal-get)",
        ("get", "/users/{user-id}", "microsoft.graph.servicePrincipal")),
}


# Of Graph's document, what the subset leaves out and the worker reads.
SCHEMAS = {
    "microsoft.graph.servicePrincipal": {
        "type": "object", "additionalProperties": False, "properties": {
            "id": {"type": "string"},
            "accountEnabled": {"type": "boolean", "nullable": True},
            "displayName": {"type": "string", "nullable": True},
            "@odata.context": {"type": "string"}}},
}


# A user's navigation property, which the subset leaves out too; $expand shows 20 objects of it.
EXPANDABLE = {"memberOf": {"type": "array", "maxItems": 20, "items": {
    "type": "object", "additionalProperties": False, "required": ["@odata.type"], "properties": {
        "@odata.type": {"type": "string", "pattern": "^#microsoft[.]graph[.]"},
        "id": {"type": "string"}}}}}
EXPAND = "memberOf($select=id)"  # the only one that is made


class Wrong(Exception):
    """A pair that Graph would not have made."""


def _answer(schema):
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _tightened(document):
    document = copy.deepcopy(document)
    del document["security"]  # openapi-core knows no oauth2; that a token is sent is asked below
    paths, schemas = document["paths"], document["components"]["schemas"]
    for path, (_, (method, like, schema)) in EXCEPTIONS.items():
        assert path not in paths, f"{path} is described: no exception is needed"
        operation = copy.deepcopy(paths[like][method])
        operation["operationId"] = f"exception {path}"
        operation["parameters"] = [p for p in operation["parameters"]
                                   if p != {"$ref": "#/components/parameters/user-id"}]
        operation["parameters"] += [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall("{(.+?)}", path)]
        operation["responses"]["200"]["content"] = _answer(schema)
        paths[path] = {method: operation}
    assert not SCHEMAS.keys() & schemas.keys()
    schemas.update(SCHEMAS)
    schemas["microsoft.graph.user"]["properties"].update(EXPANDABLE)
    for name in CLOSED:
        schemas[f"microsoft.graph.{name}"]["additionalProperties"] = False
    # A restored user comes as a directoryObject with a user's properties (reference page).
    restore = paths["/directory/deletedItems/{directoryObject-id}/restore"]["post"]
    restore["responses"]["200"]["content"] = _answer("microsoft.graph.user")
    return document


class Graph:
    """check(pair) raises Wrong, or returns the path template that the pair was judged by. A pair
    is one line of directory-sim's record."""

    def __init__(self):
        with open(DOCUMENT) as file:
            self._document = _tightened(json.load(file))
        self._openapi = OpenAPI.from_dict(self._document)

    def check(self, pair):
        try:
            return self._check(pair)
        except OpenAPIError as error:
            raise Wrong(f"{error.__cause__ or error}") from error

    def _check(self, pair):
        request = pair["request"]
        parts = urlsplit(request["target"])
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        headers = {name.lower(): value for name, value in request["headers"].items()}
        asked = MockRequest(
            HOST, request["method"], unquote(parts.path), args=dict(query), headers=headers,
            data=(request["body"] or "").encode() or None,
            content_type=headers.get("content-type", ""))
        template, operation = self._find(asked)
        self._check_parameters(operation, query, headers)
        self._openapi.validate_request(asked)
        if "response" not in pair:  # the connection was reset
            return template
        response = pair["response"]
        body = response["body"] or ""
        given = {name.lower(): value for name, value in response["headers"].items()}
        self._check_body_allowed(operation, response["status"], body)
        self._openapi.validate_response(asked, MockResponse(
            body.encode(), response["status"], given, given.get("content-type", "")))
        if response["status"] == 200 and body:
            self._check_selection(operation, dict(query), json.loads(body))
        return template

    def _find(self, asked):
        try:
            found = APICallPathFinder(self._openapi.spec).find(asked.method, HOST + asked.path)
        except PathError as error:
            raise Wrong(f"{asked.method} {asked.path}: {error}") from error
        return found.path_result.pattern, found.operation.read_value()

    def _check_parameters(self, operation, query, headers):
        parameters = [self._resolved(p) for p in operation["parameters"]]
        known = {p["name"] for p in parameters if p["in"] == "query"}
        names = [name for name, _ in query]
        if len(names) != len(set(names)) or not set(names) <= known:
            raise Wrong(f"query parameters {names}, known are {sorted(known)}")
        expand = dict(query).get("$expand", EXPAND)
        if expand != EXPAND or ("$expand" in names and "consistencylevel" in headers):
            raise Wrong(f"expanding {expand}, or in an advanced query")
        if "consistencylevel" in headers and "ConsistencyLevel" not in {
                p["name"] for p in parameters}:
            raise Wrong("no advanced query here, but a ConsistencyLevel")
        for needed in ("authorization", "client-request-id"):
            if needed not in headers:
                raise Wrong(f"no {needed}")

    @staticmethod
    def _check_body_allowed(operation, status, body):
        """openapi-core asks nothing of the body of a response that has no content."""
        described = operation["responses"].get(str(status))
        if described and "$ref" not in described and bool(body) != ("content" in described):
            raise Wrong(f"{status} {'with' if body else 'without'} a body")

    def _check_selection(self, operation, query, body):
        """Objects bear what was selected and nothing else; without $select, their key."""
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        if name.endswith("CollectionResponse"):
            name, objects = name.removesuffix("CollectionResponse"), body["value"]
        else:
            objects = [body]
        selected = set(query["$select"].split(",")) if "$select" in query else None
        unknown = (selected or set()) - self._document["components"]["schemas"][name][
            "properties"].keys()
        if unknown:
            raise Wrong(f"{name} has no {sorted(unknown)}")
        expanded = EXPANDABLE.keys() if "$expand" in query else set()
        for one in objects:
            if not expanded <= one.keys():
                raise Wrong(f"{sorted(expanded)} was to be expanded")
            given = {key for key in one if not key.startswith("@")} - expanded
            if given != (selected or given | {"id"}):
                raise Wrong(f"{sorted(given)} was given, {sorted(selected or {'id'})} is due")

    def _resolved(self, node):
        if "$ref" not in node:
            return node
        found = self._document
        for step in node["$ref"].split("/")[1:]:
            found = found[step]
        return found
