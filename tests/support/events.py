"""Requests in and events out, as an integrator's program would write and read them."""

import json
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from .directory import REQUESTER
from .topics import OUT, wait_known

SOURCE = "urn:test:prod"
TYPE_PREFIX = "io.restore-worker."


class Requests:
    """Writes requests; CloudEvents in binary mode (contract section 2)."""

    def __init__(self, bootstrap, topics):
        self._topic = topics.names["requests"]
        self._producer = Producer({
            "bootstrap.servers": bootstrap, "partitioner": "murmur2_random",
            "enable.idempotence": True, "linger.ms": 0, "log_level": 2,
            "message.max.bytes": 2_000_000})  # the topic decides what is too large
        self.sent = {}  # request id -> (key, data, partition, offset), for send() and its callers

    def restore(self, user, id=None, key=None, headers=None, **data):
        """Asks for one user, named by object id or, with an "@", by name. `data` adds to or
        replaces the request's fields; None leaves one out. Returns the request id."""
        named = {"userPrincipalName" if "@" in user else "id": user}
        return self.send({"user": named, **data}, id, key or user.lower(), headers)

    def restore_batch(self, users, id=None, key=None, headers=None, **data):
        items = [u if isinstance(u, dict) else {"userPrincipalName" if "@" in u else "id": u}
                 for u in users]
        id = id or str(uuid.uuid4())
        return self.send({"users": items, **data}, id, key or id, headers)

    def send(self, data, id=None, key=None, headers=None):
        """One request with the usual requester unless `data` names one; acknowledged on return."""
        id = id or str(uuid.uuid4())
        data = {"requestedBy": {"id": REQUESTER}, **data}
        data = {name: value for name, value in data.items() if value is not None}
        attributes = {
            "ce_specversion": "1.0", "ce_id": id, "ce_source": SOURCE,
            "ce_type": f"{TYPE_PREFIX}user.restore.requested.v1",
            "ce_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "content-type": "application/json", **(headers or {})}
        self.sent[id] = (key, data, *self.send_raw(json.dumps(data).encode(), key, attributes))
        return id

    def send_raw(self, value, key=None, headers=None, partition=-1):
        """Any bytes; returns (partition, offset)."""
        done = []
        self._producer.produce(
            self._topic, value, key, partition,
            headers={k: v for k, v in (headers or {}).items() if v is not None},
            on_delivery=lambda error, message: done.append((error, message)))
        self._producer.flush(30)
        assert done, "no acknowledgement within 30 s"
        error, message = done[0]
        assert error is None, error
        return message.partition(), message.offset()


@dataclass
class Record:
    topic: str  # the setting's name: "succeeded", "dead_letters", ...
    partition: int
    offset: int
    key: bytes | None
    headers: dict  # the last one of equal names; values as text
    value: bytes | None

    @property
    def data(self):
        return json.loads(self.value)

    @property
    def id(self):
        return self.headers.get("ce_id")

    @property
    def type(self):
        return self.headers.get("ce_type", "").removeprefix(TYPE_PREFIX)

    @property
    def causation(self):
        return self.headers.get("ce_causationid")

    @property
    def is_outcome(self):
        """A terminal outcome of one user (of the list itself for mode `list`)."""
        return self.topic in ("succeeded", "conflicts", "failed", "plans")

    def __str__(self):
        return (f"{self.topic}[{self.partition}]@{self.offset} {self.type} id={self.id} "
                f"causation={self.causation} {(self.value or b'')[:300]!r}")


class Reader:
    """Reads all topics that the worker writes for others, from the beginning and without a group,
    independently of everything the worker says of itself."""

    def __init__(self, bootstrap, topics, isolation="read_committed", names=OUT):
        self._bootstrap = bootstrap
        self._isolation = isolation
        self._names = {topics.names[name]: name for name in names}
        self._consumer = None
        self.records = []

    def until(self, condition, timeout_s=120, what="the expected events"):
        """Collects into .records until condition(records) is true; returns .records."""
        if self._consumer is None:
            self._consumer, _ = self._open()
        end = time.monotonic() + timeout_s
        while not condition(self.records):
            if time.monotonic() >= end:
                seen = "\n".join(map(str, self.records[-50:]))
                raise AssertionError(f"{timeout_s} s without {what}; {len(self.records)} records, "
                                     f"the last of them:\n{seen}")
            message = self._consumer.poll(0.2)
            if message is not None and self._is_record(message):
                self.records.append(self._record(message))
        return self.records

    def outcomes_of(self, *request_ids, per_request=1, timeout_s=120):
        """Waits until each request has its outcomes; returns {request id: [records]} of these."""
        def complete(records):
            return all(n >= per_request for n in counts(records).values())

        def counts(records):
            found = dict.fromkeys(request_ids, 0)
            for record in records:
                if record.is_outcome and record.causation in found:
                    found[record.causation] += 1
            return found

        records = self.until(complete, timeout_s, f"outcomes of {len(request_ids)} requests")
        return {id: [r for r in by_causation(records, id) if r.is_outcome] for id in request_ids}

    def all(self, timeout_s=120):
        """A fresh look at everything committed up to now, by a new consumer."""
        consumer, open_partitions = self._open()
        records = []
        end = time.monotonic() + timeout_s
        try:
            while open_partitions:
                assert time.monotonic() < end, f"no end of {open_partitions} in {timeout_s} s"
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if self._is_record(message):
                    records.append(self._record(message))
                else:
                    open_partitions.discard((message.topic(), message.partition()))
        finally:
            consumer.close()
        return records

    def close(self):
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _open(self):
        consumer = Consumer({
            "bootstrap.servers": self._bootstrap, "group.id": "independent-reader",
            "enable.auto.commit": False, "isolation.level": self._isolation, "log_level": 2,
            "enable.partition.eof": True})
        metadata = wait_known(consumer, list(self._names))
        partitions = {(topic, p)
                      for topic in self._names for p in metadata.topics[topic].partitions}
        consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in partitions])
        return consumer, partitions

    @staticmethod
    def _is_record(message):
        """False at a partition's end; brokers that come and go are librdkafka's to wait for."""
        error = message.error()
        if error is None:
            return True
        assert error.code() == KafkaError._PARTITION_EOF or error.retriable() \
            or error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT), error
        return False

    def _record(self, message):
        headers = {name: (value or b"").decode(errors="replace")
                   for name, value in message.headers() or []}
        return Record(self._names[message.topic()], message.partition(), message.offset(),
                      message.key(), headers, message.value())


def by_causation(records, request_id):
    return [r for r in records if r.causation == request_id]


def outcomes(records):
    """{(request id, user): [outcomes in the order read]}; the user by object id, else as named."""
    found = defaultdict(list)
    for record in records:
        if record.is_outcome:
            user = record.data.get("user", {})
            found[record.causation, user.get("id") or user.get("userPrincipalName")].append(record)
    return found


def duplicates(records):
    """What P1 forbids: (request id, user) pairs with more than one outcome not marked as replayed,
    and event ids that occur more than once without that mark."""
    def first_ones(group):
        return [r for r in group if not r.data.get("replayed")]

    found = {pair: group for pair, group in outcomes(records).items() if len(first_ones(group)) > 1}
    by_id = defaultdict(list)
    for record in records:
        if record.topic != "dead_letters":
            by_id[record.id].append(record)
    found.update({id: group for id, group in by_id.items() if len(first_ones(group)) > 1})
    return found
