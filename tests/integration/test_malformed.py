"""Any byte string on the requests topic gives an outcome or a dead letter, and the worker goes on
(P7)."""

import json
import os
import random
import uuid

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from support.directory import REQUESTER, deleted_id
from support.events import SOURCE, TYPE_PREFIX
from support.survival import raw_records, scenes  # noqa: F401 (fixture)

ERRORS = "__connect.errors."
HUGE_BYTES = 900_000
RSS_GROWTH_MAX_KB = 16 * 1024


def attributes(**changes):
    """Headers of a good request, with some replaced; None takes one out."""
    names = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": SOURCE,
             "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1",
             "content-type": "application/json", **changes}
    return [(name, value) for name, value in names.items() if value is not None]


def data(**changes):
    fields = {"user": {"id": deleted_id(0)}, "requestedBy": {"id": REQUESTER}, **changes}
    return json.dumps(fields).encode()


def structured(**changes):
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": SOURCE,
             "type": f"{TYPE_PREFIX}user.restore.requested.v1",
             "data": {"user": {"id": deleted_id(0)}, "requestedBy": {"id": REQUESTER}}, **changes}
    return json.dumps(event).encode()


def kinds():
    """name -> (value, headers). All are malformed by contract section 3."""
    rng = random.Random(1)
    good = data()
    deep = b"[" * 100_000
    return {
        "random bytes": (rng.randbytes(500), []),
        "random bytes with attributes": (rng.randbytes(500), attributes()),
        "empty": (b"", attributes()),
        "empty without attributes": (b"", []),
        "tombstone": (None, attributes()),
        "tombstone without attributes": (None, []),
        "huge": (data(reason="x" * HUGE_BYTES), attributes()),
        "huge bytes": (rng.randbytes(HUGE_BYTES), []),
        "just too large": (data(reason="x" * 65536), attributes()),
        "deep": (deep, attributes()),
        "deep and closed": (b'{"user":' * 17 + b"1" + b"}" * 17, attributes()),
        "user is a number": (data(user=7), attributes()),
        "user is null": (data(user=None), attributes()),
        "reason is a list": (data(reason=[]), attributes()),
        "no requester type": (data(requestedBy="admin"), attributes()),
        "unknown field": (data(surprise=1), attributes()),
        "unknown mode": (data(mode="destroy"), attributes()),
        "two ways to name": (data(user={"id": deleted_id(0), "userPrincipalName": "a@b.c"}),
                             attributes()),
        "user and users": (data(users=[{"id": deleted_id(0)}]), attributes()),
        "duplicate key": (good[:-1] + b',"mode":"restore","mode":"plan"}', attributes()),
        "invalid UTF-8": (data(reason="@").replace(b"@", b"\xc3\x28"), attributes()),
        "overlong UTF-8": (data(reason="@").replace(b"@", b"\xc0\xaf"), attributes()),
        "surrogate": (data(reason="@").replace(b"@", b"\\ud800"), attributes()),
        "NUL inside": (data(reason="@").replace(b"@", b"\\u0000"), attributes()),
        "cut off": (good[:-5], attributes()),
        "more after it": (good + b"{}", attributes()),
        "byte order mark": (b"\xef\xbb\xbf" + good, attributes()),
        "UTF-16": (good.decode().encode("utf-16"), attributes()),
        "an array": (b"[" + good + b"]", attributes()),
        "a number": (b"7", []),
        "Schema Registry framing": (b"\0\0\0\0\x07" + good, attributes()),
        "Schema Registry framing alone": (b"\0\0\0\0\x07" + good, []),
        "text": (good, attributes(**{"content-type": "text/plain"})),
        "another type": (good, attributes(ce_type="com.example.other")),
        "no id": (good, attributes(ce_id=None)),
        "long id": (good, attributes(ce_id="i" * 257)),
        "control characters in the id": (good, attributes(ce_id="a\nb")),
        "no source": (good, attributes(ce_source=None)),
        "binary headers": (b"?", [("x", rng.randbytes(50)), ("x", b""), ("x", None), ("", b"y")]),
        "structured, no data": (structured(data=None), []),
        "structured, old version": (structured(specversion="0.3"), []),
        "structured, no type": (structured(type=""), []),
        "structured, data_base64": (structured(data_base64="e30="), []),
    }


def send(scene, value, headers, key):
    """As a producer of its own would: headers in order, with doubles and nulls."""
    done = []
    scene.requests._producer.produce(scene.topics.names["requests"], value, key, headers=headers,
                                     on_delivery=lambda error, m: done.append((error, m)))
    scene.requests._producer.flush(30)
    assert done[0][0] is None, done[0][0]
    return done[0][1].partition(), done[0][1].offset()


def encoded(headers):
    return [(name, value.encode() if isinstance(value, str) else value)
            for name, value in headers]


def dead_letters(scene):
    """(partition, offset) of the record -> [(key, value, its headers, the error's headers)]."""
    found = {}
    for m in raw_records(scene._kafka.bootstrap, scene.topics.names["dead_letters"], 3):
        headers = m.headers() or []
        own = [h for h in headers if not h[0].startswith(ERRORS)]
        errors = {n.removeprefix(ERRORS): v.decode() for n, v in headers if n.startswith(ERRORS)}
        where = int(errors["partition"]), int(errors["offset"])
        found.setdefault(where, []).append((m.key(), m.value(), own, errors))
    return found


def rss_kb(worker):
    with open(f"/proc/{worker.pid()}/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def test_300_malformed_records_among_300_good_ones_cost_nothing_but_dead_letters(scenes):
    scene = scenes(deleted=300)
    worker = scene.worker().wait_ready()
    pid = worker.pid()
    sent = {}  # (partition, offset) -> (kind, key, value, headers)
    rss = []
    for half in (range(150), range(150, 300)):
        for i in half:
            made = list(kinds().items())  # fresh ids, but for each second round
            name, (value, headers) = made[i % len(made)]
            key = [deleted_id(i), None, b"\xff\0key"][i % 3]
            sent[send(scene, value, headers, key)] = (name, key, value, encoded(headers))
            scene.ask(deleted_id(i))
        scene.outcomes()
        scene.reader.until(lambda records, n=half.stop: sum(
            r.topic == "dead_letters" for r in records) >= n, what="the dead letters")
        rss.append(rss_kb(worker))

    letters = dead_letters(scene)
    assert letters.keys() == sent.keys()
    for where, (name, key, value, headers) in sent.items():
        key = key.encode() if isinstance(key, str) else key
        [(letter_key, letter_value, own, errors)] = letters[where]
        assert (letter_key, letter_value, own) == (key, value, headers), name
        assert errors["topic"] == scene.topics.names["requests"]
        assert errors["stage"] and errors["exception.class.name"], name
        assert errors["exception.message"], name
        assert "truncated" not in errors, name
        if name.startswith("Schema Registry"):
            assert "Schema Registry" in errors["exception.message"]
    assert worker.pid() == pid and worker.exit_code() is None
    if "san" not in os.environ.get("RESTORE_TEST_PRESET", ""):  # ASan holds freed memory back
        assert rss[1] - rss[0] < RSS_GROWTH_MAX_KB, rss
    told = [r for r in scene.reader.all() if r.topic == "failed"]
    assert told and all(r.data["code"] == "malformed" for r in told)
    broken = scene.audit()
    broken.pop("failed")  # those that were just looked at
    broken.pop("doubled", None)
    assert broken == {}


def test_a_record_with_too_many_headers_keeps_them_all(scenes):
    scene = scenes()
    scene.worker()
    headers = attributes() + [(f"h{i}", b"v") for i in range(65)]
    where = send(scene, b"{}", headers, b"key")
    scene.reader.until(lambda records: records, what="the dead letter")
    [(_, _, own, _)] = dead_letters(scene)[where]
    assert own == encoded(headers)


def test_a_record_sent_twice_gives_two_dead_letters(scenes):
    scene = scenes()
    scene.worker()
    for _ in range(2):
        send(scene, b"no request", attributes(ce_id="the same"), b"key")
    scene.reader.until(lambda records: sum(r.topic == "dead_letters" for r in records) == 2)


def test_a_record_too_large_for_the_dead_letters_arrives_without_its_value(scenes):
    scene = scenes()
    admin = AdminClient({"bootstrap.servers": scene._kafka.bootstrap})
    topic = scene.topics.names["dead_letters"]
    [done] = admin.incremental_alter_configs([ConfigResource(
        ConfigResource.Type.TOPIC, topic, incremental_configs=[
            ConfigEntry("max.message.bytes", "4000",
                        incremental_operation=AlterConfigOpType.SET)])]).values()
    done.result(30)
    rng = random.Random(2)
    scene.worker()
    large = send(scene, rng.randbytes(20_000), [("mine", b"kept")], b"key")
    larger = send(scene, b"", [("mine", rng.randbytes(20_000))], b"key")
    small = send(scene, b"no request", [("mine", b"kept")], b"key")
    scene.ask(deleted_id(0))
    scene.reader.until(lambda records: sum(r.topic == "dead_letters" for r in records) == 3)

    letters = dead_letters(scene)
    [(key, value, own, errors)] = letters[large]
    assert (key, value, own) == (b"key", b"", [("mine", b"kept")])
    assert errors["truncated"] == "true"
    [(key, value, own, errors)] = letters[larger]
    assert not value and own == [] and errors["truncated"] == "true"
    [(key, value, own, errors)] = letters[small]
    assert (key, value, own) == (b"key", b"no request", [("mine", b"kept")])
    assert "truncated" not in errors
    scene.outcomes()
    assert scene.audit() == {}
