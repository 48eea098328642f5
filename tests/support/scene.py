"""A running worker with its topics and its directory, shared by the tests of a module: each test
makes users of its own, so that none can see another."""

import contextlib
import itertools
import json
import uuid

from .directory import DOMAIN, MANAGER, REQUESTER, Directory, standard_load
from .events import Reader, Requests, by_causation
from .topics import Topics
from .worker import Worker


class Scene:
    """`requests` writes, `reader` reads the events, `journal` the journal."""

    def __init__(self, folder, kafka, settings=None, keys=None, topics=None,
                 environment=None, **directory):
        """`directory`: `tls` and `record` of Directory()."""
        self._numbers = itertools.count(1)
        self.kafka = kafka
        self.topics = topics or Topics(kafka.bootstrap)
        self.directory = Directory(folder, standard_load(deleted=0), **directory)
        self.worker = Worker(folder, kafka, self.topics, self.directory.url, keys=keys,
                             settings=settings, environment=environment)
        self.requests = Requests(kafka.bootstrap, self.topics)
        self.reader = Reader(kafka.bootstrap, self.topics)

    def __enter__(self):
        self.worker.start()
        try:
            self.worker.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.reader.close()
        try:
            self.worker.stop()
        finally:
            self.directory.stop()
            self.topics.delete()

    # ---- the directory -----------------------------------------------------------------------

    def person(self, **properties):
        """An active user, added to the directory; its properties as a dict."""
        name = f"user{next(self._numbers):03}@{DOMAIN}"
        name = properties.get("userPrincipalName", name)
        user = {"id": str(uuid.uuid4()), "userPrincipalName": name,
                "displayName": f"User {name.partition('@')[0]}", "mail": name,
                "proxyAddresses": [f"SMTP:{name}"], "assignedLicenses": 1, "manager": MANAGER,
                "createdDateTime": "2024-02-29T08:00:00Z", **properties}
        user = {key: value for key, value in user.items() if value is not None}
        self.directory.add_users(user)
        return user

    def deleted(self, **properties):
        """A user who was deleted yesterday."""
        return self.person(**{"deletedDaysAgo": 1, **properties})

    def deleted_at(self, user):
        """As events write it."""
        return self.directory.object(user["id"])["deletedDateTime"].replace("Z", ".000Z")

    @contextlib.contextmanager
    def untouched(self):
        """What happens inside leaves the directory as it was, byte for byte, and writes nothing."""
        before = self.directory.state(), self.directory.effects()
        yield
        assert (self.directory.state(), self.directory.effects()) == before

    @contextlib.contextmanager
    def calls(self):
        """A list of the directory calls made inside, complete afterwards."""
        made = []
        since = max((call["n"] for call in self.directory.calls()["calls"]), default=0)
        yield made
        made += self.directory.calls(since)["calls"]

    @contextlib.contextmanager
    def fault(self, **fault):
        self.directory.fault(**fault)
        try:
            yield
        finally:
            self.directory.clear_faults()

    @contextlib.contextmanager
    def policy(self, **policy):
        """Other policy settings for a while, by SIGHUP."""
        before = self.worker.settings["policy"]
        self.worker.reloaded({"policy": policy})
        try:
            yield
        finally:
            self.worker.reloaded({"policy": {**dict.fromkeys(policy), **before}})

    # ---- requests and events -----------------------------------------------------------------

    def restore(self, user, **more):
        """Asks for the user (a dict: by id; a text: as it stands) and returns the outcome."""
        named = user if isinstance(user, str) else user["id"]
        return self.outcome(self.requests.restore(named, **more))

    def nth(self, n, wanted, what):
        """The n-th record of the reader that `wanted` says yes to. A worker that dies ends the
        wait."""
        def complete(records):
            code = self.worker.exit_code()
            assert code is None, f"{self.worker.name} ended with {code}"
            return sum(map(wanted, records)) >= n

        return [r for r in self.reader.until(complete, what=what) if wanted(r)][n - 1]

    def outcome(self, id, n=1):
        """The n-th outcome of the request."""
        return self.nth(n, lambda r: r.causation == id and r.is_outcome, f"outcome {n} of {id}")

    def notification(self, id, n=1):
        return self.nth(n, lambda r: r.causation == id and r.topic == "notifications",
                        f"notification {n} of {id}")

    def everything(self, id):
        """All events of a request whose outcome is there, also those that ought not to be. One more
        transaction lies between: the broker ends them in order, so the request's is whole."""
        after = self.requests.restore(REQUESTER, tenant="no-such-tenant")
        self.outcome(after)
        return by_causation(Reader(self.kafka.bootstrap, self.topics).all(), id)

    def journal(self, key):
        """The journal's records under the key, in the order written."""
        reader = Reader(self.kafka.bootstrap, self.topics, names=["journal"])
        return sorted((r for r in reader.all() if r.key.decode() == key), key=lambda r: r.offset)

    def send_ready(self, ready):
        """Sends a ready-made request of an event exactly as it stands there; its id."""
        self.requests.send_raw(json.dumps(ready["event"]).encode(), ready["key"])
        return ready["event"]["id"]
