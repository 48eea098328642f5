"""The requests of a run, drawn from its seed, and what must come of each."""

import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from support.contract import digest, event_id
from support.directory import DOMAIN, REQUESTER, deleted_id
from support.events import SOURCE, TYPE_PREFIX

# kind -> how many of 1,000. `again`, `repeat` and `reused` follow an earlier request: the user is
# asked for once more, the same request is sent once more, its id is used for something else.
SHARES = {"id": 580, "name": 125, "shared-key": 95, "again": 50, "repeat": 55, "rename": 15,
          "reject": 10, "address": 10, "reused": 8, "not-found": 4, "no-json": 8,
          "unknown-field": 5, "batch": 3, "batch-plan": 3, "plan": 15, "plan-reject": 5,
          "plan-not-found": 4, "list": 5}
FOLLOWERS = ("again", "repeat", "reused")
FOLLOWED = {"again": ("id", "name"), "reused": ("id", "name", "plan"),
            "repeat": ("id", "name", "batch", "batch-plan", "plan", "list")}
MALFORMED = ("no-json", "unknown-field")
RECENT = 100  # a follower follows one of the last so many
# Every so many requests one is a batch, large enough to be killed in its middle.
BATCH_EVERY, BATCH_SIZES, SMALL_BATCH_SIZES = 100, (10, 20, 40, 100), (1, 2, 5, 20)
# kind of an item -> how many of 100; `duplicate` names the user of an earlier item again
ITEM_SHARES = {"id": 80, "name": 10, "reject": 4, "not-found": 3, "duplicate": 3}
DEPARTMENTS = 50  # keys that many share: what has one runs one by one
DAYS_LEFT = 29  # of everybody in the bin; nobody closes sooner


@dataclass(slots=True)
class Item:
    """What one user must get; a request for one user has one of them."""
    kind: str
    user: str | None  # object id
    named: str  # as ids of events name the user: a second item of that name ends in #2


@dataclass(slots=True)
class Request:
    kind: str
    id: str
    key: str
    user: str = None  # object id, of a request for one
    data: dict = None
    items: list = field(default_factory=list)
    is_followed: bool = False
    partition: int = -1
    offset: int = -1  # once it is sent

    @property
    def has_summary(self):
        return "users" in self.data

    @property
    def mark(self):
        """Of its outcomes: `first`, `replayed`, or `reused` for a refusal of the id."""
        return {"repeat": "replayed", "reused": "reused"}.get(self.kind, "first")

    def wanted(self):
        """(mark, user as named) of each outcome that it must get; "summary" for the summary."""
        return [(self.mark, item.named) for item in self.items] + (
            [(self.mark, "summary")] if self.has_summary else [])

    def ids(self):
        """{id that one of its outcomes may have: the user as named}, by the contract."""
        if self.kind == "reused":
            named, data = self.items[0].named, {"requestedBy": {"id": REQUESTER}, **self.data}
            kind = f"failed:reused:{digest(data)[:16]}"
            return {event_id(SOURCE, self.id, named, kind): named}
        kinds = {"plan": ("planned",), "list": ("listed", "failed")}.get(
            self.data.get("mode"), ("succeeded", "conflict", "failed"))
        found = {event_id(SOURCE, self.id, item.named, kind): item.named
                 for item in self.items for kind in kinds}
        if self.has_summary:
            found[event_id(SOURCE, self.id, "", "batch-completed")] = "summary"
        return found


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
        kinds[BATCH_EVERY // 2::BATCH_EVERY] = ["large-batch"] * len(
            kinds[BATCH_EVERY // 2::BATCH_EVERY])
        for kind in kinds:
            self.requests.append(self._draw(kind))
        self.users = self._users

    def _uuid(self):
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _draw(self, kind):
        if kind in FOLLOWERS:
            earlier = [r for r in self.requests[-RECENT:] if r.kind in FOLLOWED[kind]]
            if earlier:
                return self._follow(kind, self._random.choice(earlier))
            kind = "id"
        if kind in MALFORMED:
            id = self._uuid()
            return Request(kind, id, id, id, {"user": {"id": id}})
        if kind == "list":
            return self._list()
        if "batch" in kind:
            return self._batch(kind)
        return self._single(kind)

    def _single(self, kind):
        mode, _, what = kind.partition("-") if kind.startswith("plan") else ("", "", kind)
        item, data = self._item(what or "id")
        request = Request(kind, self._uuid(), item.named, item.user, {"user": data}, [item])
        if mode:
            request.data["mode"] = mode
            item.kind = kind
        if kind == "shared-key":
            request.key = self._department()
        elif kind == "rename":
            request.data["conflict"] = {"userPrincipalName": {
                "policy": "rename-restored",
                "newUserPrincipalName": f"again.{self._name_of(item)}"}}
        return request

    def _department(self):
        return f"department-{self._random.randrange(DEPARTMENTS)}"

    def _item(self, kind):
        """A user of his own, and how a request names him."""
        if kind == "not-found":
            id = self._uuid()
            return Item(kind, id, id), {"id": id}
        n = self._users
        self._users += 1
        user, name = deleted_id(n), name_of(n)
        if kind in ("rename", "reject"):
            self._hold(f"holder{n:06d}", userPrincipalName=name)
        elif kind == "address":
            self._hold(f"holder{n:06d}", userPrincipalName=f"holder.{name}",
                       proxyAddresses=[f"SMTP:{name}"])
        if kind == "name":
            return Item(kind, user, name), {"userPrincipalName": name}
        return Item(kind, user, user), {"id": user}

    def _name_of(self, item):
        return name_of(int(item.user[-12:], 16))

    def _batch(self, kind):
        size = self._random.choice(BATCH_SIZES if kind == "large-batch" else SMALL_BATCH_SIZES)
        id = self._uuid()
        request = Request("batch" if kind == "large-batch" else kind, id, id, data={"users": []})
        if self._random.random() < 0.3:
            request.key = self._department()
        if kind == "batch-plan":
            request.data["mode"] = "plan"
        names = Counter()
        for what in self._random.choices(list(ITEM_SHARES), ITEM_SHARES.values(), k=size):
            originals = [i for i in request.items if i.kind == "id"]
            if what == "duplicate" and originals:
                original = self._random.choice(originals)
                names[original.user] += 1
                item = Item(what, original.user, f"{original.user}#{1 + names[original.user]}")
                named = {"id": original.user}
            else:
                item, named = self._item(what if what != "duplicate" else "id")
            request.items.append(item)
            request.data["users"].append(named)
        if kind == "batch-plan":
            for item in request.items:
                item.kind = "plan" if item.kind in ("id", "name") else f"plan-{item.kind}"
        return request

    def _list(self):
        id = self._uuid()
        data = self._random.choice(({}, {"closingWithinDays": DAYS_LEFT - 2}))
        return Request("list", id, id, data={"mode": "list", **data},
                       items=[Item("list-empty" if data else "list", None, "")])

    def _follow(self, kind, first):
        first.is_followed = True
        follower = Request(kind, first.id, first.key, first.user, first.data, first.items)
        if kind == "again":
            follower.id = self._uuid()
            follower.items = [Item(kind, first.user, first.items[0].named)]
        elif kind == "reused":
            follower.data = {**first.data, "reason": "another"}
        return follower

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
