"""The worker's topics under a prefix of their own, as `restorectl topics create` makes them."""

import uuid

from confluent_kafka.admin import AdminClient, NewTopic

HOUR_MS = 3600 * 1000
OUT = ("succeeded", "conflicts", "failed", "plans", "batches", "notifications", "dead_letters")


class Topics:
    """`names`: contract section 5's setting name -> topic; `group` goes with them."""

    def __init__(self, bootstrap, replication=1):
        prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.group = prefix
        self.names = {name: f"{prefix}.{name.replace('_', '-')}"
                      for name in ("requests", "journal", *OUT)}
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        journal = {"cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime",
                   "retention.ms": str((72 + 7 * 24) * HOUR_MS)}
        self._wait(self._admin.create_topics([
            NewTopic(topic, num_partitions=12 if name in ("requests", "journal") else 3,
                     replication_factor=replication, config=journal if name == "journal" else {})
            for name, topic in self.names.items()]))

    def delete(self):
        self._wait(self._admin.delete_topics(list(self.names.values())))

    @staticmethod
    def _wait(futures):
        for future in futures.values():
            future.result(30)
