"""The worker's configuration: checked, printed, reloaded, and the signals."""

import os
import signal
import subprocess

import pytest

from support.contract import later
from support.directory import CLIENT_SECRET, DOMAIN
from support.libconfig import merge, to_libconfig
from support.process import binary
from support.scene import Scene
from support.worker import RecipientKey


@pytest.fixture
def scene(kafka, tmp_path):
    with Scene(tmp_path, kafka) as scene:
        yield scene


@pytest.fixture
def config(tmp_path):
    """config({...}) puts settings over a small valid file and returns (path, run)."""
    secret = tmp_path / "secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o400)
    keys = RecipientKey(str(tmp_path))
    valid = {
        "kafka": {"brokers": "127.0.0.1:9092"},
        "tenants": [{"name": "contoso", "id": "contoso.onmicrosoft.com",
                     "client_id": "22222222-0000-4000-8000-000000000001",
                     "credential": {"type": "secret", "file": str(secret)}}],
        "secrets": {"recipient_keys_file": keys.file}}
    path = tmp_path / "restore-worker.conf"

    def write(settings=None, text=None):
        path.write_text(text or to_libconfig(merge(valid, settings or {})))
        return str(path)

    write.secret, write.keys, write.folder, write.valid = secret, keys.file, tmp_path, valid
    return write


def run(*arguments, **environment):
    done = subprocess.run([binary("worker/restore-worker"), *arguments], capture_output=True,
                          text=True, timeout=120, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


# ---- checking ---------------------------------------------------------------------------------


def test_a_valid_configuration_is_accepted_without_asking_anybody(config):
    code, _, err = run("--check-config", "--config", config())
    assert (code, err) == (0, "")


def test_every_error_is_told_at_once_with_its_place(config):
    path = config(text='kafka = {\n  brokers = 7;\n  brokerz = "x";\n};\n'
                       'shutdown = {\n  grace_seconds = 9;\n};\n'
                       'journal = {\n  dedupe_window_hours = 4294967320;\n};\n'
                       'policy = {\n  user_principal_name = "replace-active";\n'
                       '  requester_roles = [ "Nobody" ];\n};\n')
    code, out, err = run("--check-config", "--config", path)
    lines = err.splitlines()
    assert (code, out) == (78, "")
    for line, setting in ((2, "kafka.brokers"), (3, "kafka.brokerz"),
                          (6, "shutdown.grace_seconds"), (9, "journal.dedupe_window_hours"),
                          (12, "policy.user_principal_name"), (13, "policy.requester_roles")):
        assert any(said.startswith(f"{path}:{line}: {setting}: ") for said in lines), (line, err)
    assert "tenants" in err


@pytest.mark.parametrize("settings, setting", [
    ({"kafka": {"properties": ["sasl.password=hunter2"]}}, "kafka.properties"),
    ({"kafka": {"properties": ["group.id=mine"]}}, "kafka.properties"),
    ({"kafka": {"properties": ["no.such.property=1"]}}, "kafka.properties"),
    ({"policy": {"retention_days": 31}}, "policy.retention_days"),
    ({"policy": {"max_request_age_hours": 100}}, "policy.max_request_age_hours"),
    ({"policy": {"rename_template": "{local}@{domain}"}}, "policy.rename_template"),
    ({"policy": {"secret_recipients": ["x@contoso.com"]}}, "policy.secret_recipients"),
    ({"directory": {"ca_file": "/nowhere.pem"}}, "directory.ca_file"),
    ({"secrets": {"recipient_keys_file": "/nowhere.json"}}, "secrets.recipient_keys_file"),
])
def test_what_cannot_work_is_refused(config, settings, setting):
    code, _, err = run("--check-config", "--config", config(settings))
    assert code == 78 and f": {setting}: " in err
    assert "hunter2" not in err


@pytest.mark.parametrize("change", [
    {"graph_url": "http://graph.example"}, {"login_url": "ftp://127.0.0.1"}, {"client_id": "me"},
    {"credential": {"type": "secret", "file": "/nowhere"}}])
def test_a_tenant_that_cannot_work_is_refused(config, change):
    [tenant] = config.valid["tenants"]
    code, _, err = run("--check-config", "--config", config({"tenants": [{**tenant, **change}]}))
    assert code == 78 and ": tenants." in err


@pytest.mark.parametrize("mode, good", [
    (0o400, True), (0o440, True), (0o600, True), (0o444, False), (0o460, False), (0o402, False)])
def test_a_secret_that_others_can_read_or_write_is_refused(config, mode, good):
    config.secret.chmod(mode)
    code, _, err = run("--check-config", "--config", config())
    assert code == (0 if good else 78) and CLIENT_SECRET not in err


def test_a_credential_of_systemd_is_found(config):
    [tenant] = config.valid["tenants"]
    path = config({"tenants": [{**tenant, "credential": {"type": "secret",
                                                         "file": "credential:secret"}}]})
    assert run("--check-config", "--config", path,
               CREDENTIALS_DIRECTORY=str(config.folder))[0] == 0
    assert run("--check-config", "--config", path)[0] == 78


@pytest.mark.parametrize("keys", [
    "no JSON", '{"keys": []}',
    '{"keys": [{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]}'])
def test_a_key_set_without_a_usable_key_is_refused(config, keys):
    with open(config.keys, "w") as file:
        file.write(keys)
    code, _, err = run("--check-config", "--config", config())
    assert code == 78 and "secrets.recipient_keys_file" in err


@pytest.mark.parametrize("arguments, code", [
    (["--config", "/nowhere.conf"], 66), (["--check-config", "--config", "/nowhere.conf"], 66),
    (["--print-config", "--config", "/nowhere.conf"], 66), ([], 64), (["--no-such-option"], 64)])
def test_mistakes_have_their_exit_codes(arguments, code):
    found, out, err = run(*arguments)
    assert (found, out) == (code, "") and err


def test_a_worker_with_a_bad_configuration_does_not_start(config):
    code, _, err = run("--config", config({"kafka": {"brokerz": "x"}}))
    assert code == 78 and "brokerz" in err


def test_the_version_names_the_libraries():
    code, out, _ = run("--version")
    assert code == 0 and "librdkafka" in out and "libcurl" in out


# ---- printing ---------------------------------------------------------------------------------


def test_the_effective_settings_are_printed_with_their_origins_and_no_secret(config):
    password = config.folder / "password"
    password.write_text("hunter2\n")
    password.chmod(0o400)
    drop_in = config.folder / "conf.d"
    drop_in.mkdir()
    (drop_in / "10-policy.conf").write_text("policy = { retention_days = 20; };\n")
    path = config({"policy": {"retention_days": 25}, "kafka": {
        "properties": [f"sasl.password=file:{password}"]}})
    code, out, err = run("--print-config", "--config", path, RESTORE_WORKER_LOG_LEVEL="warn",
                         RESTORE_WORKER_BROKERS="kafka.example:9092",
                         RESTORE_WORKER_SERVICE_PORT="1")
    assert (code, err) == (0, "")
    assert "<redacted>" in out and CLIENT_SECRET not in out and "hunter2" not in out

    def line_of(setting):
        [line] = [line for line in out.splitlines() if line.strip().startswith(f"{setting} =")]
        return line

    assert "20" in line_of("retention_days") and "10-policy.conf:1" in line_of("retention_days")
    assert '"warn"' in line_of("level") and "environment" in line_of("level")
    assert "kafka.example:9092" in line_of("brokers") and "environment" in line_of("brokers")
    assert "default" in line_of("grace_seconds")
    assert f"{path}:" in line_of("recipient_keys_file")


def test_what_is_printed_is_a_configuration_with_the_same_meaning(config):
    path = config({"policy": {"notify_default": ["requester", f"a@{DOMAIN}"],
                              "rename_template": "{local}-{n}@{domain}"}})
    out = run("--print-config", "--config", path)[1]
    again = config.folder / "again.conf"
    again.write_text(out.replace('"<redacted>"', f'"{config.secret}"'))
    code, printed, err = run("--print-config", "--config", str(again))

    def values(text):
        return [line.partition("#")[0].partition("/*")[0].partition("//")[0].rstrip()
                for line in text.splitlines()]

    assert (code, err) == (0, "") and values(printed) == values(out)


# ---- other than the default -------------------------------------------------------------------


@pytest.fixture(scope="module")
def other(kafka, tmp_path_factory):
    """A worker of two tenants, under another source and prefix, without plain JSON, that writes its
    mails and its successes to one topic."""
    scene = Scene(tmp_path_factory.mktemp("other"), kafka, {
        "events": {"source": "urn:example:restore", "type_prefix": "com.example."},
        "kafka": {"accept_plain_json": False}, "secrets": {"expire_hours": 48}})
    [tenant] = scene.worker.settings["tenants"]
    names = scene.topics.names
    scene.worker.configure({
        "tenants": [tenant, {**tenant, "name": "fabrikam"}],
        "kafka": {"topics": {**names, "notifications": names["succeeded"]}}})
    with scene:
        yield scene


def requested(prefix="com.example."):
    return {"ce_type": f"{prefix}user.restore.requested.v1"}


def test_events_bear_the_configured_source_and_types_and_may_share_a_topic(other):
    id = other.requests.restore(other.deleted()["id"], tenant="fabrikam", headers=requested())
    outcome = other.outcome(id)
    notification = other.nth(
        1, lambda r: r.causation == id and "notification" in r.headers["ce_type"], "the mail")
    for event, kind in ((outcome, "succeeded"), (notification, "notification-requested")):
        assert event.topic == "succeeded"  # the topic's name, not the event's kind
        assert event.headers["ce_source"] == "urn:example:restore"
        assert event.headers["ce_type"] == f"com.example.user.restore.{kind}.v1"
        assert event.headers["ce_dataschema"] == f"urn:restore-worker:schema:{kind}:1"
    assert outcome.data["tenant"] == "fabrikam"
    assert notification.data["expiresAt"] == later(outcome.data["finishedAt"], hours=48)


def test_a_request_of_another_type_is_none(other):
    id = other.requests.restore(other.deleted()["id"], tenant="fabrikam",
                                headers=requested("io.restore-worker."))
    assert other.outcome(id).data["code"] == "malformed"


def test_of_several_tenants_one_must_be_named(other):
    user = other.deleted()
    with other.untouched():
        outcome = other.restore(user, headers=requested())
    assert outcome.data["code"] == "unknown_tenant" and "tenant" not in outcome.data


def test_plain_json_is_a_dead_letter_where_it_is_not_accepted(other):
    value = b'{"requestId": "plain", "user": {"id": "8f3c0f9e-4b51-4c0e-9a51-0d5d1c1f7a10"}}'
    other.requests.send_raw(value)
    assert other.outcome("plain").data["code"] == "malformed"
    assert other.nth(1, lambda r: r.topic == "dead_letters" and r.value == value, "a dead letter")


# ---- signals ----------------------------------------------------------------------------------


def test_sighup_brings_another_policy_and_an_error_leaves_the_old_one(scene):
    stranger = {"id": scene.person()["id"]}
    assert scene.restore(scene.deleted(), requestedBy=stranger).topic == "failed"
    scene.worker.reloaded({"policy": {"requester": "not-checked"}})
    assert scene.restore(scene.deleted(), requestedBy=stranger).topic == "succeeded"

    scene.worker.reloaded({"policy": {"requester": "directory-role", "retention_days": 99}},
                          says="reload failed")
    assert scene.restore(scene.deleted(), requestedBy=stranger).topic == "succeeded"
    scene.worker.reloaded({"policy": {"retention_days": 30}})
    assert scene.restore(scene.deleted(), requestedBy=stranger).topic == "failed"


def test_sighup_says_what_needs_a_restart(scene):
    scene.worker.reloaded({"directory": {"max_in_flight": 7}})
    assert scene.worker.wait_log("directory.max_in_flight")["level"] == "warn"


def test_a_key_set_that_comes_or_goes_by_sighup_ends_no_worker(kafka, tmp_path):
    """The key is read at the start: whatever SIGHUP finds, no password goes out without one."""
    keys = RecipientKey(str(tmp_path))
    settings = {"secrets": {"recipient_keys_file": ""}}
    with Scene(tmp_path, kafka, settings, keys) as scene:
        scene.worker.reloaded({"secrets": {"recipient_keys_file": keys.file}})
        outcome = scene.restore(scene.deleted())
        assert outcome.topic == "succeeded"
        if outcome.data["changes"]["password"] == "generated":
            assert keys.open(scene.notification(outcome.causation).data["secret"])
        scene.worker.reloaded({"secrets": {"recipient_keys_file": ""}})
        assert scene.restore(scene.deleted()).topic == "succeeded"


def test_sigterm_ends_with_0_and_leaves_nothing_undone(scene):
    users = [scene.deleted() for _ in range(30)]
    ids = [scene.requests.restore(user["id"]) for user in users]
    assert scene.worker.terminate() == 0
    scene.worker.start().wait_ready()
    for outcomes in scene.reader.outcomes_of(*ids).values():
        assert [outcome.topic for outcome in outcomes] == ["succeeded"]
    assert scene.directory.effects()["totals"]["restores"] == len(users)


def test_sigint_ends_with_0_too(scene):
    scene.worker.signal(signal.SIGINT)
    assert scene.worker.wait() == 0


def test_a_second_signal_stops_at_once(scene):
    user = scene.deleted()
    scene.directory.fault(kind="hang", method="POST", user=user["id"])
    scene.requests.restore(user["id"])
    scene.worker.wait_log('"to":"restore"')
    scene.worker.signal(signal.SIGTERM)
    scene.worker.wait_log("draining")
    scene.worker.signal(signal.SIGTERM)
    assert scene.worker.wait(20) == 128 + signal.SIGTERM


def test_while_paused_nothing_new_is_begun(scene):
    scene.worker.signal(signal.SIGUSR1)
    scene.worker.wait_log("paused")
    id = scene.requests.restore(scene.deleted()["id"])
    scene.worker.signal(signal.SIGUSR2)
    scene.worker.wait_log("resumed")
    assert scene.outcome(id).topic == "succeeded"
