"""The outside as the contract says it, computed here a second time and not taken from the program:
ids, the partitioner, digests, attributes, and shapes for exact comparison."""

import base64
import hashlib
import json
import re
import uuid
from datetime import datetime, timedelta

NAMESPACE = uuid.UUID("291238c8-7d25-502e-8722-8fac02bb81b1")
TYPE_PREFIX = "io.restore-worker."
KINDS = {"succeeded": "succeeded", "conflicts": "conflict", "failed": "failed",
         "notifications": "notification-requested"}  # topic -> kind


class Like:
    """Equal to every text that the pattern fits."""

    def __init__(self, pattern):
        self._pattern = pattern

    def __eq__(self, other):
        return isinstance(other, str) and re.fullmatch(self._pattern, other) is not None

    def __repr__(self):
        return f"Like({self._pattern!r})"


class Number:
    """Equal to every integer from low to high."""

    def __init__(self, low, high):
        self._low, self._high = low, high

    def __eq__(self, other):
        return type(other) is int and self._low <= other <= self._high

    def __repr__(self):
        return f"Number({self._low}, {self._high})"


TIME = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
GUID = Like(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TEXT = Like(r"(?s).+")


def ascii_lower(text):
    return "".join(c.lower() if c.isascii() else c for c in text)


def uuid5(*parts):
    return str(uuid.uuid5(NAMESPACE, "\n".join(parts)))


def event_id(source, request_id, user, kind):
    """Of an event, a journal key, a ready request; `user` as the request named it."""
    return uuid5(source, request_id, ascii_lower(user), kind)


def digest(data):
    """Of a request's `data`: SHA-256 over compact JSON with sorted keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def partition_of(key, partitions):
    """The partitioner `murmur2_random` for a record with a key: Java's default."""
    data, mask = key.encode() if isinstance(key, str) else key, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for i in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[i:i + 4], "little") * 0x5BD1E995 & mask
        h = h * 0x5BD1E995 & mask ^ (k ^ k >> 24) * 0x5BD1E995 & mask
    rest = data[len(data) // 4 * 4:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & mask
    h = (h ^ h >> 13) * 0x5BD1E995 & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


def parse_time(text):
    return datetime.fromisoformat(text)


def later(text, **delta):
    """The time `text` plus a timedelta, as events write times."""
    moment = parse_time(text) + timedelta(**delta)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def plan_hash(user, policies, conflicts=(), tenant="contoso", **new_names):
    """Of contract section 4. `user` as the directory shows it, its name as it was; `policies` and
    `conflicts` as requests and events say them."""
    facts = {
        "v": 1, "tenant": tenant, "id": user["id"],
        "deletedDateTime": user["deletedDateTime"].replace("Z", ".000Z"),
        "userPrincipalName": user["userPrincipalName"],
        "synced": bool(user.get("onPremisesSyncEnabled")), "policies": policies,
        "conflicts": sorted(
            ({"property": c["property"], "value": c["value"],
              "holder": c["holder"] if c["holder"] == "unknown" else c["holder"]["id"]}
             for c in conflicts), key=lambda c: (c["property"], c["value"], c["holder"])),
        **new_names}
    return "sha256:" + digest(facts)


def check_event(record, group, request_id, id, key, correlation=None, trace=None, kind=None):
    """Every attribute that contract section 2 lists, the key, and the partition that follows from
    it; of further ones only those that CloudEvents or W3C define."""
    kind = kind or KINDS[record.topic]
    by_object = key != request_id
    expected = {
        "content-type": "application/json",  # the binding's datacontenttype
        "ce_specversion": "1.0", "ce_id": id, "ce_source": f"urn:restore-worker:{group}",
        "ce_type": f"{TYPE_PREFIX}user.restore.{kind}.v1", "ce_time": TIME,
        "ce_subject": f"{'users' if by_object else 'requests'}/{key}",
        "ce_dataschema": f"urn:restore-worker:schema:{kind}:1", "ce_partitionkey": key,
        "ce_correlationid": correlation or request_id, "ce_causationid": request_id,
        **{f"ce_{name}": value for name, value in (trace or {}).items()},
    }
    allowed = {"ce_expirytime", *(trace or {})}
    assert {n: v for n, v in record.headers.items() if n not in allowed} == expected
    assert all(record.headers[name] == value for name, value in (trace or {}).items()
               if name in record.headers)
    assert record.key.decode() == key
    assert record.partition == partition_of(key, 3)


def jose_header(compact):
    """The protected header of a compact JWE."""
    part = compact.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
