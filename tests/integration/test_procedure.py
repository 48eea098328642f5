"""The manual procedure, a row per sentence (procedure/*.json): what the administrator did, what the
worker does, the request and the events that must come of it, and no others.

A row's `steps` are taken in order: `request` is the data of a request, `send` the path of a
ready-made one in the step before, `rename` gives accounts another name first. `events` are all
events of the request, fields that are not named may hold anything and null means absent;
`directory` is what the accounts have become. "<word>" stands for what SHAPES says."""

import json
import pathlib
import re

import pytest

from support.contract import GUID, TEXT, TIME, Like, parse_time
from support.directory import DOMAIN
from support.scene import Scene

ROWS = sorted(pathlib.Path(__file__).with_name("procedure").glob("*.json"))
SHAPES = {"<time>": TIME, "<guid>": GUID, "<text>": TEXT, "<hash>": Like("sha256:[0-9a-f]{64}"),
          "<jwe>": Like(r"[\w-]+(\.[\w-]+){4}")}


@pytest.fixture(scope="module")
def scene(kafka, tmp_path_factory):
    settings = {
        "policy": {"allow": ["rename-restored", "rename-active", "replace-active"],
                   "secret_recipients": ["manager", f"@{DOMAIN}"]},
        "events": {"notify_on": ["succeeded", "conflict", "failed"]}}
    with Scene(tmp_path_factory.mktemp("procedure"), kafka, settings) as scene:
        yield scene


def differences(expected, actual, place=""):
    """Sentences about where `actual` is not as `expected`, whose objects may leave fields out."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for name, value in expected.items():
            if value is None and name in actual and actual[name] is not None:
                found.append(f"{place}.{name} ought to be absent, is {actual[name]!r}")
            elif value is not None and name not in actual:
                found.append(f"{place}.{name} is absent")
            elif value is not None:
                found += differences(value, actual[name], f"{place}.{name}")
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{place} has {len(actual)} elements, not {len(expected)}: {actual!r}"]
        pairs = enumerate(zip(expected, actual))
        return [d for i, (e, a) in pairs for d in differences(e, a, f"{place}[{i}]")]
    wanted = SHAPES.get(expected, expected) if isinstance(expected, str) else expected
    return [] if wanted == actual else [f"{place} is {actual!r}, not {expected!r}"]


def follow(events, path):
    """What stands at ["topic", field, index, ...] in the events of a step."""
    [found] = [e.data for e in events if e.topic == path[0]]
    for name in path[1:]:
        found = found[name]
    return found


def check_how_long_is_left(event):
    """Every event about somebody in the bin says when the window closes, and how long that is."""
    data = event.data
    if "deletedAt" not in data:
        return
    deleted, until, finished = (parse_time(data[name])
                                for name in ("deletedAt", "restorableUntil", "finishedAt"))
    assert (until - deleted).days == 30
    left = max((until - finished).total_seconds(), 0)
    assert abs(data["secondsLeft"] - left) <= 1, data


def check_secret(scene, event):
    """The password inside is the one that the directory holds, to be changed at the next sign-in;
    nobody reads it on the way."""
    if "secret" not in event.data:
        return
    claims = scene.worker.keys.open(event.data["secret"])
    effects = scene.directory.effects(claims["userId"])
    assert (claims["password"], effects["mustChange"]) == (effects["password"], True)
    assert claims["password"] not in json.dumps(event.data)


def in_order(events, data):
    """Comparable, whatever the order in which several users of a batch were told."""
    return sorted(events, key=lambda event: (
        topic(event), data(event).get("template", ""), str(data(event).get("user")),
        data(event).get("values", {}).get("userPrincipalName", "")))


def topic(event):
    return event["topic"] if isinstance(event, dict) else event.topic


def events_of(scene, id, wanted):
    scene.reader.until(lambda records: sum(r.causation == id for r in records) >= wanted,
                       what=f"{wanted} events of {id}")
    return in_order(scene.everything(id), lambda event: event.data)


def take(scene, step, before):
    for user, name in step.get("rename", {}).items():
        scene.directory.rename(user, name)
    if "send" in step:
        id = scene.send_ready(follow(before, step["send"]))
    else:
        id = scene.requests.send(step["request"], key=None)
    events = events_of(scene, id, len(step["events"]))
    expected = in_order(step["events"], lambda event: event["data"])
    assert [e.topic for e in events] == [e["topic"] for e in expected]
    found = [d for i, (e, a) in enumerate(zip(expected, events))
             for d in differences(e["data"], a.data, f"{a.topic}[{i}]")]
    assert not found, "\n".join(found)
    for event in events:
        check_how_long_is_left(event)
        check_secret(scene, event)
    for user, state in step.get("directory", {}).items():
        found = differences(state, scene.directory.object(user), user)
        assert not found, "\n".join(found)
    return events


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.stem)
def test_the_procedure(scene, row):
    story = json.loads(row.read_text())
    scene.directory.add(**story["given"])
    events = []
    for step in story["steps"]:
        events = take(scene, step, events)
