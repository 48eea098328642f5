"""What came of a run, found out without believing the worker: read from the topics by a reader of
its own, asked of the directory, and compared with what was sent."""

import json
import os
import subprocess
from collections import Counter, defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from support.contract import parse_time
from support.directory import CLIENT_SECRET
from support.events import Reader
from support.survival import raw_records

from .load import MALFORMED, expected
from .world import REQUEST_TIMEOUT_MS

PARTITIONS = 12
# A change that may have been made is not made again sooner: the next incarnation settles for
# PROOF_MS + request_timeout_ms, the same one asks for 10 s before it believes that it was not.
APART_MS = min(5000 + REQUEST_TIMEOUT_MS, 10000) - 1000

COUNTS = ("missing", "doubled", "double_effects", "wrong_passwords", "mails_doubled",
          "order_violations", "retry_after_undercut", "plaintext")

# kind of request -> (topic, a look at the outcome's data); `restored` is looked at apart
RIGHT = {
    "again": ("succeeded", lambda d: d["disposition"] == "already-active"),
    "rename": ("succeeded", lambda d: d["disposition"] == "restored"
               and d["user"]["userPrincipalName"].startswith("again.")),
    "address": ("succeeded", lambda d: d["disposition"] == "restored"
                and len(d["changes"].get("removedProxyAddresses", [])) == 1),
    "reject": ("conflicts", lambda d: True),
    "not-found": ("failed", lambda d: d["code"] == "not_found"),
    "hopeless": ("failed", lambda d: d["code"] == "directory_unavailable"),
}
RESTORED = ("succeeded", lambda d: d["disposition"] == "restored")


class Judge:
    """`broken`: name of a count -> texts, one for each breach; `others`: promises that the closing
    line does not name."""

    def __init__(self, world, load):
        self._world, self._requests = world, load
        self.broken = {name: [] for name in COUNTS}
        self.broken["order_violations"] += world.order_violations
        self.others = list(world.notes)
        self._records = Reader(world.kafka.bootstrap, world.topics).all(300)
        self._keys = world.workers["worker-1"].keys
        self._effects = world.directory.effects()["users"]

    def judge(self):
        outcomes = defaultdict(list)
        for record in self._records:
            if record.is_outcome:
                outcomes[record.causation].append(record)
        self._count_outcomes(outcomes)
        self._count_dead_letters()
        self._look_at_outcomes(outcomes)
        self._count_mails()
        self._compare_passwords()
        self._count_effects()
        self._check_order(outcomes)
        undercut = self._world.directory.call_counts()["retry_after_undercut"]
        for scope, n in undercut.items():
            self.broken["retry_after_undercut"] += [f"{scope}: {n} calls too soon"] * n
        self._check_offsets()
        self._check_journal()
        self._search_plaintext()
        return self

    # ---- outcomes ----------------------------------------------------------------------------

    def _count_outcomes(self, outcomes):
        wanted = expected(r for r in self._requests if r.kind not in MALFORMED)
        for id, counts in wanted.items():
            found = Counter(_mark(r) for r in outcomes.get(id, []))
            for mark in set(counts) | set(found):
                difference = found[mark] - counts[mark]
                told = [str(r)[:200] for r in outcomes.get(id, [])]
                if difference < 0:
                    self.broken["missing"].append(f"{id}: {mark}; there are {told}")
                elif difference > 0:
                    self.broken["doubled"] += [f"{id}: {mark}; there are {told}"] * difference

    def _count_dead_letters(self):
        found = Counter()
        for record in self._records:
            if record.topic == "dead_letters":
                at = tuple(int(record.headers[f"__connect.errors.{name}"])
                           for name in ("partition", "offset"))
                found[at] += 1
        told = Counter(r.causation for r in self._records
                       if r.topic == "failed" and r.data.get("code") == "malformed")
        for request in self._requests:
            if request.kind in MALFORMED:
                at = (request.partition, request.offset)
                for what, n in (("dead letter", found.pop(at, 0)), ("event", told[request.id])):
                    if n != 1:
                        self.broken["doubled" if n else "missing"].append(
                            f"{request.id}: {n} times a {what} for a malformed request")
        for at, n in found.items():
            self.others.append(f"{n} dead letters for the good request at {at}")

    def _look_at_outcomes(self, outcomes):
        for request in self._requests:
            if request.kind in MALFORMED or request.kind in ("repeat", "reused"):
                continue
            rights = [RIGHT.get(request.kind, RESTORED)]
            if request.kind == "again" and "userPrincipalName" in request.data["user"]:
                # Only an active account bears the name (contract 3), unless the bin lags.
                rights.append(RIGHT["not-found"])
            for record in outcomes.get(request.id, []):
                if _mark(record) == "first" and not any(
                        record.topic == topic and is_right(record.data)
                        for topic, is_right in rights):
                    self.others.append(f"wrong outcome of a request of kind {request.kind}: "
                                       f"{record}")

    def _check_order(self, outcomes):
        """Requests of one key: each begins when the one before it has ended, and in one partition
        of a topic the outcomes lie in that order."""
        by_key = defaultdict(list)
        for request in sorted(self._requests, key=lambda r: (r.partition, r.offset)):
            if request.kind not in MALFORMED and request.kind not in ("repeat", "reused"):
                by_key[request.key].append(request)
        for key, requests in by_key.items():
            before, last_at = None, {}
            for request in requests:
                now = next((r for r in outcomes.get(request.id, []) if _mark(r) == "first"), None)
                if now is None:
                    continue
                place = (now.topic, now.partition)
                if before is not None and (
                        parse_time(now.data["startedAt"]) < parse_time(before.data["finishedAt"])
                        or last_at.get(place, -1) > now.offset):
                    self.broken["order_violations"].append(f"{key}: {now} after {before}")
                before, last_at[place] = now, now.offset

    # ---- passwords and mails -----------------------------------------------------------------

    def _count_mails(self):
        mails = [r for r in self._records if r.topic == "notifications"]
        told = Counter((r.causation, r.key, r.data["template"]) for r in mails)
        for what, n in told.items():
            self.broken["mails_doubled"] += [f"{what}: {n} mails"] * (n - 1)

    def _compare_passwords(self):
        told = {}
        for record in sorted((r for r in self._records if r.topic == "notifications"
                              and "secret" in r.data), key=lambda r: r.headers["ce_time"]):
            claims = self._keys.open(record.data["secret"])
            told[claims["userId"]] = claims["password"]
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
        self._world.take_changes(all=True)
        perhaps_done = {}
        for call in self._world.changes:
            step = (call["method"], call["user"])
            before = perhaps_done.get(step)
            refused = 400 <= call["status"] < 500
            if before is not None and call["at_ms"] - before["at_ms"] < APART_MS and (
                    not refused or call["client_request_id"] == before["client_request_id"]):
                self.broken["double_effects"].append(
                    f"{step} again after {call['at_ms'] - before['at_ms']} ms: {before} {call}")
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
        newest = {m.key(): m for m in raw_records(
            self._world.kafka.bootstrap, self._world.topics.names["journal"], PARTITIONS)}
        for key, message in newest.items():
            if dict(message.headers())["rw-state"] != b"done":
                self.others.append(f"an open intent in the journal: {key} {message.value()}")

    def _search_plaintext(self):
        """Passwords told or in force, and the client's secret, in whatever lies in any topic (of
        aborted transactions, too) and in the workers' logs."""
        folder = self._world._folder
        raw, words = os.path.join(folder, "raw"), os.path.join(folder, "secrets")
        secrets = {e["password"] for e in self._effects.values() if e.get("password")}
        with open(raw, "wb") as file:
            for message in everything(self._world):
                file.write((message.key() or b"") + b"\n" + (message.value() or b"") + b"\n")
                for name, value in message.headers() or []:
                    file.write(name.encode() + b": " + (value or b"") + b"\n")
                secrets |= self._passwords(message)
        secrets.add(CLIENT_SECRET)
        # grep must be able to find: the last word is known to be there, once.
        canary = self._requests[-1].id
        with open(words, "w") as file:
            file.writelines(secret + "\n" for secret in secrets)
        if not _found([canary], raw):
            self.others.append("the search for plain text finds nothing at all")
        logs = [w.log_file for w in self._world.workers.values()]
        self.broken["plaintext"] += _found(words, raw, *logs)
        os.remove(words)
        os.remove(raw)

    def _passwords(self, message):
        if message.topic() != self._world.topics.names["notifications"]:
            return set()
        secret = json.loads(message.value()).get("secret")
        return {self._keys.open(secret)["password"]} if secret else set()


def _mark(record):
    if record.data.get("replayed"):
        return "replayed"
    return "reused" if record.data.get("code") == "request_id_reused" else "first"


def _found(words, *files):
    """The lines of the files that contain one of the words (a list, or a file of them)."""
    patterns = ["-e", words[0]] if isinstance(words, list) else ["-f", words]
    done = subprocess.run(["grep", "-a", "-F", "-h", "-m", "100", *patterns, *files],
                          capture_output=True, timeout=600, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode in (0, 1), done.stderr
    return [line.decode(errors="replace")[:300] for line in done.stdout.splitlines()]


def everything(world):
    """Every record of every topic, read_uncommitted: of aborted transactions, too."""
    consumer = Consumer({"bootstrap.servers": world.kafka.bootstrap, "group.id": "raw-reader",
                         "enable.auto.commit": False, "isolation.level": "read_uncommitted",
                         "enable.partition.eof": True})
    metadata = consumer.list_topics(timeout=30)
    unread = {(t, p) for t in world.topics.names.values() for p in metadata.topics[t].partitions}
    consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in unread])
    try:
        while unread:
            messages = consumer.consume(10000, 1)
            for message in messages:
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    unread.discard((message.topic(), message.partition()))
    finally:
        consumer.close()
