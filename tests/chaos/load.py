"""The requests of a run, drawn from its seed, and what must come of each."""

import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass

from support.directory import DOMAIN, REQUESTER, deleted_id
from support.events import SOURCE, TYPE_PREFIX

# kind -> how many of 1,000. `again`, `repeat` and `reused` follow an earlier request: the user is
# asked for once more, the same request is sent once more, its id is used for something else.
SHARES = {"id": 610, "name": 130, "shared-key": 100, "again": 50, "repeat": 50, "rename": 15,
          "reject": 10, "address": 10, "reused": 8, "not-found": 4, "no-json": 8,
          "unknown-field": 5}
FOLLOWERS = ("again", "repeat", "reused")
MALFORMED = ("no-json", "unknown-field")
RECENT = 100  # a follower follows one of the last so many


@dataclass
class Request:
    kind: str
    id: str
    key: str
    user: str = None  # object id
    data: dict = None
    is_followed: bool = False
    partition: int = -1
    offset: int = -1  # once it is sent


def name_of(n):
    return f"user{n:06d}@{DOMAIN}"  # as the directory generates them


class Load:
    """`requests` in the order of sending; `holders` are the active users whom conflicts need."""

    def __init__(self, n, seed):
        self._random = random.Random(f"load {seed}")
        self._users = 0
        self.holders = []
        self.requests = []
        kinds = self._random.choices(list(SHARES), SHARES.values(), k=n)
        for kind in kinds:
            self.requests.append(self._draw(kind))
        self.users = self._users

    def _uuid(self):
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _draw(self, kind):
        if kind in FOLLOWERS:
            earlier = [r for r in self.requests[-RECENT:] if r.kind in ("id", "name")]
            if not earlier:
                kind = "id"
            else:
                return self._follow(kind, self._random.choice(earlier))
        if kind in MALFORMED or kind == "not-found":
            id = self._uuid()
            return Request(kind, id, id, id, {"user": {"id": id}})
        n = self._users
        self._users += 1
        user, name = deleted_id(n), name_of(n)
        request = Request(kind, self._uuid(), user, user, {"user": {"id": user}})
        if kind == "name":
            request.key, request.data = name, {"user": {"userPrincipalName": name}}
        elif kind == "shared-key":
            request.key = f"department-{self._random.randrange(20)}"
        elif kind in ("rename", "reject"):
            self._hold(f"holder{n:06d}", userPrincipalName=name)
            if kind == "rename":
                request.data["conflict"] = {"userPrincipalName": {
                    "policy": "rename-restored", "newUserPrincipalName": f"again.{name}"}}
        elif kind == "address":
            self._hold(f"holder{n:06d}", userPrincipalName=f"holder.{name}",
                       proxyAddresses=[f"SMTP:{name}"])
        return request

    def _follow(self, kind, first):
        first.is_followed = True
        if kind == "again":
            return Request(kind, self._uuid(), first.key, first.user, first.data)
        data = first.data if kind == "repeat" else {**first.data, "reason": "another"}
        return Request(kind, first.id, first.key, first.user, data)

    def _hold(self, display_name, **properties):
        self.holders.append({"id": self._uuid(), "displayName": display_name, **properties})


class Sender:
    """Sends requests without waiting for each; together they are in order, and acknowledged when
    flush() returns."""

    def __init__(self, producer, topic):
        self._producer, self._topic = producer, topic
        self.sent = []

    def send(self, request):
        def delivered(error, message):
            assert error is None, f"request {request.id}: {error}"
            request.partition, request.offset = message.partition(), message.offset()

        value = json.dumps({"requestedBy": {"id": REQUESTER}, **request.data}).encode()
        if request.kind == "no-json":
            value = value[:-1]
        elif request.kind == "unknown-field":
            value = value[:-1] + b', "colour": "blue"}'
        self._producer.produce(
            self._topic, value, request.key, on_delivery=delivered,
            headers={"ce_specversion": "1.0", "ce_id": request.id, "ce_source": SOURCE,
                     "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1",
                     "ce_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                     "content-type": "application/json"})
        self._producer.poll(0)
        self.sent.append(request)

    def flush(self):
        assert self._producer.flush(60) == 0, "requests without acknowledgement for 60 s"


def expected(requests):
    """{request id: Counter of the kinds of outcome it must have}: `first` counts one that is not
    marked as replayed, `replayed` one that is, `reused` a refusal of the id."""
    kinds = {"repeat": "replayed", "reused": "reused"}
    found = {}
    for request in requests:
        found.setdefault(request.id, Counter())[kinds.get(request.kind, "first")] += 1
    return found
