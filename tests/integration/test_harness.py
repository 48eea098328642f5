"""The harness itself: the exactly-once tests are worth what this broker and this reader are."""

import json

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource

from support.directory import deleted_id
from support.events import Reader, Record, Requests, duplicates
from support.kafka import Kafka
from support.libconfig import merge, to_libconfig
from support.process import binary, wait_for
from support.topics import Topics


def transactional(bootstrap, name):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name,
                         "retry.backoff.ms": 5})
    producer.init_transactions(30)
    return producer


def produce(producer, topics, value):
    producer.begin_transaction()
    producer.produce(topics.names["succeeded"], value)
    assert producer.flush(30) == 0


def values(records):
    return [record.value for record in records]


def test_the_reader_sees_committed_and_hides_aborted_records(kafka, topics, reader):
    producer = transactional(kafka.bootstrap, topics.group)
    produce(producer, topics, b"aborted")
    producer.abort_transaction(30)
    produce(producer, topics, b"committed")
    producer.commit_transaction(30)

    assert values(reader.until(lambda seen: seen)) == [b"committed"]
    assert values(reader.all()) == [b"committed"]
    # Control: the aborted record is in the log, and a reader that asks for all of it gets it.
    everything = Reader(kafka.bootstrap, topics, isolation="read_uncommitted").all()
    assert sorted(values(everything)) == [b"aborted", b"committed"]


def test_the_reader_sees_nothing_of_an_open_transaction(kafka, topics, reader):
    producer = transactional(kafka.bootstrap, topics.group)
    produce(producer, topics, b"open")
    assert reader.all() == []
    producer.commit_transaction(30)
    assert values(reader.until(lambda seen: seen)) == [b"open"]


def test_an_older_producer_of_the_same_name_is_fenced(kafka, topics, reader):
    older = transactional(kafka.bootstrap, topics.group)
    produce(older, topics, b"older")
    newer = transactional(kafka.bootstrap, topics.group)
    with pytest.raises(KafkaException):
        older.commit_transaction(30)
    produce(newer, topics, b"newer")
    newer.commit_transaction(30)
    reader.until(lambda seen: seen)
    assert values(reader.all()) == [b"newer"]


def test_the_reader_fails_when_nothing_comes(reader):
    with pytest.raises(AssertionError, match="without a miracle"):
        reader.until(lambda seen: seen, timeout_s=0.5, what="a miracle")


def test_a_killed_broker_comes_back_with_its_data():
    with Kafka() as kafka:
        topics = Topics(kafka.bootstrap)
        producer = transactional(kafka.bootstrap, topics.group)
        produce(producer, topics, b"before the kill")
        producer.commit_transaction(30)

        kafka.kill()
        kafka.restart()

        assert values(Reader(kafka.bootstrap, topics).all()) == [b"before the kill"]
        produce(producer, topics, b"after it")
        producer.commit_transaction(60)
        assert len(Reader(kafka.bootstrap, topics).all()) == 2


def test_two_of_three_brokers_go_on_without_the_third():
    with Kafka(nodes=3) as kafka:
        topics = Topics(kafka.bootstrap, replication=3)
        requests = Requests(kafka.bootstrap, topics)
        kafka.kill(2)
        for partition in range(12):  # of which the killed one led a third
            requests.send_raw(b"with two", partition=partition)
        kafka.restart(2)
        assert kafka.brokers_seen_by(2) == 3
        kafka.freeze(3)
        assert kafka.brokers_seen_by(3) == 0
        wait_for(lambda: kafka.brokers_seen_by(1) == 2, 60, "the frozen broker to be missed")
        kafka.resume(3)
        wait_for(lambda: kafka.brokers_seen_by(1) == 3, 60, "the third broker to be back")


def test_topics_are_as_the_contract_says_and_none_comes_unasked(kafka, topics, requests):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    partitions = {name: len(admin.list_topics(topic, 10).topics[topic].partitions)
                  for name, topic in topics.names.items()}
    assert partitions.pop("requests") == partitions.pop("journal") == 12
    assert set(partitions.values()) == {3}
    [journal] = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, topics.names["journal"])]).values()
    settings = {name: entry.value for name, entry in journal.result(10).items()}
    assert settings["cleanup.policy"] in ("compact,delete", "delete,compact")
    assert settings["message.timestamp.type"] == "LogAppendTime"
    assert admin.list_topics("no-such-topic", 10).topics["no-such-topic"].error is not None
    assert "no-such-topic" not in admin.list_topics(timeout=10).topics


def test_equal_keys_go_to_one_partition_as_in_java(requests):
    # Vectors of Java's default partitioner: toPositive(murmur2(key)) % 12, murmur2("21") =
    # -973932308 and murmur2("a-little-bit-long-string") = -985981536 (Kafka's own UtilsTest).
    for key, murmur2 in (("21", -973932308), ("a-little-bit-long-string", -985981536)):
        assert requests.send_raw(b"{}", key)[0] == (murmur2 & 0x7FFFFFFF) % 12


def test_duplicates_are_found_and_replays_are_none():
    def outcome(id, replayed, causation="r1"):
        data = {"user": {"id": deleted_id(1)}, "replayed": replayed}
        return Record("succeeded", 0, 0, b"", {"ce_id": id, "ce_causationid": causation},
                      json.dumps(data).encode())

    assert not duplicates([outcome("a", False), outcome("a", True), outcome("b", False, "r2")])
    assert len(duplicates([outcome("a", False), outcome("a", False)])) == 2
    assert list(duplicates([outcome("a", False), outcome("b", False)])) == [("r1", deleted_id(1))]


def test_settings_become_libconfig_text():
    settings = merge({"kafka": {"brokers": "b", "start": "latest"}, "list": [1]},
                     {"kafka": {"brokers": 'a"\\b', "start": None}, "big": 3000000000})
    settings |= {"on": True, "tenants": [{"name": "x", "roles": []}]}
    assert to_libconfig(settings) == (
        'kafka = { brokers = "a\\"\\\\b"; };\n'
        "list = [ 1 ];\n"
        "big = 3000000000L;\n"
        "on = true;\n"
        'tenants = ( { name = "x"; roles = [  ]; } );\n')


def test_a_program_that_is_not_built_is_named(monkeypatch):
    monkeypatch.setenv("RESTORE_TEST_PRESET", "no-such-preset")
    with pytest.raises(FileNotFoundError, match="no-such-preset/worker/restore-worker is not"):
        binary("worker/restore-worker")
