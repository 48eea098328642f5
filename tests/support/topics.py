"""The worker's topics under a prefix of their own, as `restorectl topics create` makes them."""

import uuid

from confluent_kafka.admin import AdminClient, NewTopic

from .process import wait_for

HOUR_MS = 3600 * 1000
OUT = ("succeeded", "conflicts", "failed", "plans", "batches", "notifications", "dead_letters")


def wait_known(client, topics):
    """Metadata in which every topic has leaders: a broker hears of a topic after its creation was
    acknowledged, and each of several brokers at its own time."""
    def known():
        metadata = client.list_topics(timeout=10)
        found = [metadata.topics.get(topic) for topic in topics]
        good = all(t and t.partitions and all(p.leader >= 0 for p in t.partitions.values())
                   for t in found)
        return good and metadata

    return wait_for(known, 60, f"the brokers to know {topics}")


class Topics:
    """`names`: contract section 5's setting name -> topic; `group` goes with them."""

    def __init__(self, bootstrap, replication=1, create=True):
        """`create=False`: the names alone."""
        prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.group = prefix
        self.names = {name: f"{prefix}.{name.replace('_', '-')}"
                      for name in ("requests", "journal", *OUT)}
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        if not create:
            return
        journal = {"cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime",
                   "retention.ms": str((72 + 7 * 24) * HOUR_MS)}
        self._wait(self._admin.create_topics([
            NewTopic(topic, num_partitions=12 if name in ("requests", "journal") else 3,
                     replication_factor=replication, config=journal if name == "journal" else {})
            for name, topic in self.names.items()]))
        wait_known(self._admin, list(self.names.values()))

    def delete(self):
        self._wait(self._admin.delete_topics(list(self.names.values())))

    @staticmethod
    def _wait(futures):
        for future in futures.values():
            future.result(30)
