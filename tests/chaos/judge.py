"""What came of a run, found out without believing the worker: read from the topics by a reader of
its own, asked of the directory, and compared with what was sent."""

import json
import os
import subprocess
import time
from collections import Counter, defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from support.contract import event_id, parse_time, plan_hash
from support.directory import CLIENT_SECRET
from support.events import SOURCE
from support.topics import OUT

from .load import MALFORMED
from .world import REQUEST_TIMEOUT_MS

PARTITIONS = 12
# A change that may have been made is not made again sooner: the next incarnation settles for
# PROOF_MS + request_timeout_ms, the same one asks for 10 s before it believes that it was not.
APART_MS = min(5000 + REQUEST_TIMEOUT_MS, 10000) - 1000
POLICIES = {"userPrincipalName": "reject", "proxyAddresses": "remove"}  # nobody asks for another
LISTED_MAX = 200
SILENCE_S = 120  # of the brokers

COUNTS = ("missing", "doubled", "double_effects", "wrong_passwords", "mails_doubled",
          "order_violations", "retry_after_undercut", "plaintext")


def _restored(data):
    return data["disposition"] == "restored"


# kind of item -> (topic, a look at the outcome's data)
RIGHT = {
    **dict.fromkeys(("id", "name", "shared-key"), ("succeeded", _restored)),
    "again": ("succeeded", lambda d: d["disposition"] == "already-active"),
    "rename": ("succeeded", lambda d: _restored(d)
               and d["user"]["userPrincipalName"].startswith("again.")),
    "address": ("succeeded", lambda d: _restored(d)
                and len(d["changes"].get("removedProxyAddresses", [])) == 1),
    "reject": ("conflicts", lambda d: True),
    "not-found": ("failed", lambda d: d["code"] == "not_found"),
    "duplicate": ("failed", lambda d: d["code"] == "duplicate_user"),
    "hopeless": ("failed", lambda d: d["code"] == "directory_unavailable"),
    "plan": ("plans", lambda d: d["would"] == "restore"),
    "plan-reject": ("plans", lambda d: d["would"] == "conflict"),
    "plan-not-found": ("plans", lambda d: (d["would"], d.get("code")) == ("fail", "not_found")),
    "plan-duplicate": ("plans", lambda d: (d["would"], d.get("code")) == ("fail", "duplicate_user")),
    "list": ("plans", lambda d: 0 < len(d["users"]) <= LISTED_MAX
             and (not d["truncated"] or len(d["users"]) == LISTED_MAX)),
    "list-empty": ("plans", lambda d: (d["users"], d["truncated"]) == ([], False)),
}
# What a summary counts an item of this kind as.
SUMMED_UP = {"reject": "conflicts", "not-found": "failed", "duplicate": "failed"}
LOOKED_AT = ("code", "disposition", "would", "planHash", "startedAt", "finishedAt",
             "template", "user", "changes", "users", "truncated", "total", "succeeded",
             "conflicts", "failed")


class Told:
    """An event, reduced to what is looked at, and that kept as text: there are many."""

    __slots__ = ("topic", "partition", "offset", "key", "id", "causation", "time", "mark",
                 "password", "_text")

    def __init__(self, topic, message, headers, data, password):
        self.topic, self.partition, self.offset = topic, message.partition(), message.offset()
        self.key, self.password = message.key(), password
        self.id, self.causation = headers["ce_id"].decode(), headers["ce_causationid"].decode()
        self.time = headers["ce_time"]
        self.mark = "replayed" if data.get("replayed") else (
            "reused" if data.get("code") == "request_id_reused" else "first")
        data = {name: data[name] for name in LOOKED_AT if name in data}
        if topic != "batches":  # a summary has their number
            data.pop("conflicts", None)
        if "users" in data:
            data["users"] = [user["id"] for user in data["users"]]
        self._text = json.dumps(data).encode()

    @property
    def data(self):
        return json.loads(self._text)

    def __str__(self):
        return (f"{self.topic}[{self.partition}]@{self.offset} id={self.id} "
                f"causation={self.causation} {self._text.decode()}")


class Judge:
    """`broken`: name of a count -> texts, one for each breach; `others`: promises that the closing
    line does not name."""

    def __init__(self, world, requests):
        self._world = world
        self._by_id = defaultdict(list)  # the well-formed ones
        for request in requests:
            if request.kind not in MALFORMED:
                self._by_id[request.id].append(request)
        self._malformed = [r for r in requests if r.kind in MALFORMED]
        self._last_id = requests[-1].id
        self.broken = {name: [] for name in COUNTS}
        self.broken["order_violations"] += world.order_violations
        self.others = list(world.notes)
        self._keys = world.workers["worker-1"].keys
        self._opened = {}  # hash of a secret -> its claims
        self._outcomes, self._mails = defaultdict(list), []  # the former by causation
        self._dead_letters, self._told_malformed = Counter(), Counter()
        self._read()
        self.n_outcomes = sum(map(len, self._outcomes.values()))
        self._effects = world.directory.effects()["users"]
        self._state = {o["id"]: (o["userPrincipalName"], o.get("deletedDateTime"))
                       for tenant in world.directory.state()["tenants"] for o in tenant["objects"]
                       if "userPrincipalName" in o}
        self._lagging = self._came_back_unseen()

    def _read(self):
        """Everything committed in the topics for others."""
        names = {self._world.topics.names[name]: name for name in OUT}
        for message in everything(self._world, OUT, "read_committed"):
            topic, headers = names[message.topic()], dict(message.headers() or [])
            if topic == "dead_letters":
                self._dead_letters[tuple(int(headers[f"__connect.errors.{name}"])
                                         for name in ("partition", "offset"))] += 1
                continue
            data = json.loads(message.value())
            password = self._claims(data["secret"]) if "secret" in data else None
            told = Told(topic, message, headers, data, password)
            if topic == "notifications":
                self._mails.append(told)
            elif data.get("code") == "malformed":
                self._told_malformed[told.causation] += 1
            else:
                self._outcomes[told.causation].append(told)

    def _claims(self, secret):
        """(user id, password): opening one costs 0.3 ms, and all are met twice."""
        if hash(secret) not in self._opened:
            claims = self._keys.open(secret)
            self._opened[hash(secret)] = (claims["userId"], claims["password"])
        return self._opened[hash(secret)]

    def judge(self):
        for id in self._by_id.keys() | self._outcomes.keys():
            self._count_outcomes(id)
        self._count_dead_letters()
        for requests in self._by_id.values():
            if requests[0].mark == "first":
                self._look_at_outcomes(requests[0])
        self._count_mails()
        self._compare_passwords()
        self._count_effects()
        self._check_order()
        undercut = self._world.directory.call_counts()["retry_after_undercut"]
        for scope, n in undercut.items():
            self.broken["retry_after_undercut"] += [f"{scope}: {n} calls too soon"] * n
        self._check_offsets()
        self._check_journal()
        self._search_plaintext()
        return self

    # ---- outcomes ----------------------------------------------------------------------------

    def _count_outcomes(self, id):
        """Of every user and the summary as many as were asked for, each under an id of its own."""
        requests, told = self._by_id[id], self._outcomes[id]
        ids = {}
        for request in requests:
            ids |= request.ids()
        topics = {}
        for one in told:
            if topics.setdefault(one.id, one.topic) != one.topic:
                self.others.append(f"the same event in {topics[one.id]} and {one.topic}: {one}")
        wanted = Counter(one for request in requests for one in request.wanted())
        found = Counter((one.mark, ids.get(one.id, f"nobody: {one}")) for one in told)
        for one in wanted.keys() | found.keys():
            difference = found[one] - wanted[one]
            text = f"{id}: {one}; there are {[str(t)[:200] for t in told[:5]]}"
            if difference < 0:
                self.broken["missing"] += [text] * -difference
            elif difference > 0:
                self.broken["doubled"] += [text] * difference

    def _count_dead_letters(self):
        found = self._dead_letters
        for request in self._malformed:
            at = (request.partition, request.offset)
            for what, n in (("dead letter", found.pop(at, 0)),
                            ("event", self._told_malformed[request.id])):
                if n != 1:
                    self.broken["doubled" if n else "missing"].append(
                        f"{request.id}: {n} times a {what} for a malformed request")
        for at, n in found.items():
            self.others.append(f"{n} dead letters for the good request at {at}")

    def _look_at_outcomes(self, request):
        """Of the request as it came first: the verdict on each user, and the summary's numbers."""
        items = {item.named: item for item in request.items}
        ids = request.ids()
        for told in self._outcomes[request.id]:
            named = ids.get(told.id)
            if told.mark != "first" or named is None:
                continue
            is_right = (self._sums_up(request, told) if named == "summary" else
                        self._is_right(request, items[named], told))
            if not is_right:
                self.others.append(f"wrong outcome of a request of kind {request.kind}: {told}")

    def _is_right(self, request, item, told):
        data = told.data
        kind = "hopeless" if request.kind == "hopeless" else item.kind
        rights = [RIGHT[kind]]
        if kind == "again" and "userPrincipalName" in request.data["user"]:
            # Only an active account bears the name (contract 3), unless the bin lags.
            rights.append(RIGHT["not-found"])
        if item.user in self._lagging:
            rights.append(RIGHT["id"])
        if kind == "plan":
            id, (name, deleted_at) = item.user, self._state[item.user]
            # The prefix of names in the bin is the id without its hyphens.
            facts = {"id": id, "deletedDateTime": deleted_at,
                     "userPrincipalName": name.removeprefix(id.replace("-", ""))}
            if data.get("planHash") != plan_hash(facts, POLICIES):
                return False
        if kind == "list" and not self._state.keys() >= set(data.get("users", [])):
            return False
        return any(told.topic == topic and is_right(data) for topic, is_right in rights)

    def _sums_up(self, request, told):
        data = told.data
        counts = Counter(SUMMED_UP.get(item.kind.removeprefix("plan-"), "succeeded")
                         for item in request.items)
        names = ("succeeded", "conflicts", "failed")
        return (told.topic, data["total"], *map(data.get, names)) == (
            "batches", len(request.items), *map(counts.get, names, (0, 0, 0)))

    def _came_back_unseen(self):
        """Users asked for again whom the bin may still have shown then. Whoever restores him once
        more and loses the reply finds him active, and cannot know that it was another's doing
        (design 4): the second outcome tells a password that is in force."""
        spans = [(start, end or float("inf")) for start, end in self._world.lags]

        def lagged(told):
            start, end = (parse_time(told.data[name]).timestamp()
                          for name in ("startedAt", "finishedAt"))
            return any(start <= to and end >= since for since, to in spans)

        again = {r.user for requests in self._by_id.values() for r in requests
                 if r.kind == "again"} if spans else set()
        return {requests[0].user for requests in self._by_id.values() if requests[0].user in again
                and requests[0].kind != "again"
                and any(map(lagged, self._outcomes.get(requests[0].id, [])))}

    def _check_order(self):
        """Requests of one key: each begins when the one before it has ended, and in one partition
        of a topic the outcomes lie in that order."""
        by_key = defaultdict(list)
        for requests in self._by_id.values():
            if requests[0].mark == "first":
                by_key[requests[0].key].append(requests[0])
        for key, requests in by_key.items():
            ended_at, last_at = "", {}
            for request in sorted(requests, key=lambda r: (r.partition, r.offset)):
                told = [t for t in self._outcomes[request.id] if t.mark == "first"]
                if not told:
                    continue
                # All times are written alike, so they compare as texts. A summary's startedAt is
                # when its record was taken, which may be long before its turn.
                begins = min((t.data["startedAt"] for t in told if t.topic != "batches"),
                             default=ended_at)
                is_broken = begins < ended_at or any(
                    t.offset < last_at.get((t.topic, t.partition), -1) for t in told)
                if is_broken:
                    self.broken["order_violations"].append(
                        f"{key}: {told[0]} after {ended_at} {last_at}")
                ended_at = max(t.data["finishedAt"] for t in told)
                for t in told:
                    place = (t.topic, t.partition)
                    last_at[place] = max(t.offset, last_at.get(place, -1))

    # ---- passwords and mails -----------------------------------------------------------------

    def _count_mails(self):
        """One for every user and template, under its own id."""
        told = Counter((mail.causation, mail.key, mail.data["template"]) for mail in self._mails)
        for what, n in told.items():
            self.broken["mails_doubled"] += [f"{what}: {n} mails"] * (n - 1)
        for mail in self._mails:
            ids = {event_id(SOURCE, mail.causation, item.named,
                            f"notification-requested:{mail.data['template']}")
                   for request in self._by_id[mail.causation][:1] for item in request.items
                   if item.user == mail.key.decode()}
            if mail.id not in ids:
                self.others.append(f"a mail under a wrong id: {mail}")

    def _compare_passwords(self):
        told = dict(mail.password for mail in sorted(self._mails, key=lambda m: m.time)
                    if mail.password)
        for user, effect in self._effects.items():
            if effect.get("password") is not None and told.get(user) != effect["password"]:
                self.broken["wrong_passwords"].append(
                    f"{user}: the mail tells another password than the directory has"
                    if user in told else f"{user}: nobody was told the password")
        for user in told.keys() - self._effects.keys():
            self.broken["wrong_passwords"].append(f"{user}: told, and never set")

    # ---- the directory -----------------------------------------------------------------------

    def _count_effects(self):
        for user, effect in self._effects.items():
            for what, allowed in (("restores", 1), ("renames", 0), ("deletes", 0), ("purges", 0)):
                if effect.get(what, 0) > allowed:
                    self.broken["double_effects"].append(f"{user}: {effect[what]} {what}")
        for requests in self._by_id.values():
            for item in requests[0].items:
                if item.kind.startswith("plan") and item.user in self._effects:
                    self.broken["double_effects"].append(f"{item.user}: changed by a plan")
        self._world.take_changes(all=True)
        perhaps_done = {}
        for call in self._world.changes:
            step = (call.method, call.user)
            before = perhaps_done.get(step)
            refused = 400 <= call.status < 500
            if before is not None and call.at_ms - before.at_ms < APART_MS and (
                    not refused or call.client_request_id == before.client_request_id) and (
                    call.user not in self._lagging):
                self.broken["double_effects"].append(
                    f"{step} again after {call.at_ms - before.at_ms} ms: {before} {call}")
            if not refused:
                perhaps_done[step] = call

    # ---- what is left behind -----------------------------------------------------------------

    def _check_offsets(self):
        topic = self._world.topics.names["requests"]
        consumer = Consumer({"bootstrap.servers": self._world.kafka.bootstrap,
                             "group.id": self._world.topics.group, "enable.auto.commit": False})
        try:
            for found in consumer.committed(
                    [TopicPartition(topic, p) for p in range(PARTITIONS)], timeout=30):
                _, end = consumer.get_watermark_offsets(found, timeout=30)
                if found.offset != end and not (found.offset < 0 and end == 0):
                    self.others.append(
                        f"partition {found.partition}: committed {found.offset} of {end}")
        finally:
            consumer.close()

    def _check_journal(self):
        intents = {}
        for message in everything(self._world, ("journal",), "read_committed"):
            if dict(message.headers())["rw-state"] == b"done":
                intents.pop(message.key(), None)
            else:
                intents[message.key()] = message.value()
        for key, value in intents.items():
            self.others.append(f"an open intent in the journal: {key} {value}")

    def _search_plaintext(self):
        """Passwords told or in force, and the client's secret, in whatever lies in any topic (of
        aborted transactions, too) and in the workers' logs."""
        folder = self._world._folder
        raw, words = os.path.join(folder, "raw"), os.path.join(folder, "secrets")
        secrets = {e["password"] for e in self._effects.values() if e.get("password")}
        with open(raw, "wb") as file:
            for message in everything(self._world, self._world.topics.names, "read_uncommitted"):
                file.write((message.key() or b"") + b"\n" + (message.value() or b"") + b"\n")
                for name, value in message.headers() or []:
                    file.write(name.encode() + b": " + (value or b"") + b"\n")
                secrets |= self._passwords(message)
        secrets.add(CLIENT_SECRET)
        # grep must be able to find: the last word is known to be there, once.
        with open(words, "w") as file:
            file.writelines(secret + "\n" for secret in secrets)
        if not _found([self._last_id], raw):
            self.others.append("the search for plain text finds nothing at all")
        logs = [w.log_file for w in self._world.workers.values()]
        self.broken["plaintext"] += _found(words, raw, *logs)
        os.remove(words)
        os.remove(raw)

    def _passwords(self, message):
        if message.topic() != self._world.topics.names["notifications"]:
            return set()
        secret = json.loads(message.value()).get("secret")
        return {self._claims(secret)[1]} if secret else set()


def _found(words, *files):
    """The lines of the files that contain one of the words (a list, or a file of them)."""
    patterns = ["-e", words[0]] if isinstance(words, list) else ["-f", words]
    done = subprocess.run(["grep", "-a", "-F", "-h", "-m", "100", *patterns, *files],
                          capture_output=True, timeout=600, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode in (0, 1), done.stderr
    return [line.decode(errors="replace")[:300] for line in done.stdout.splitlines()]


def everything(world, names, isolation):
    """Every record of these topics; with "read_uncommitted" those of aborted transactions, too."""
    consumer = Consumer({"bootstrap.servers": world.kafka.bootstrap, "group.id": "judge",
                         "enable.auto.commit": False, "isolation.level": isolation,
                         "enable.partition.eof": True})
    metadata = consumer.list_topics(timeout=30)
    unread = {(t, p) for t in map(world.topics.names.get, names)
              for p in metadata.topics[t].partitions}
    consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in unread])
    end = time.monotonic() + SILENCE_S
    try:
        while unread:
            assert time.monotonic() < end, f"no end of {unread}: {SILENCE_S} s without a record"
            for message in consumer.consume(10000, 1):
                end = time.monotonic() + SILENCE_S
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    unread.discard((message.topic(), message.partition()))
    finally:
        consumer.close()
