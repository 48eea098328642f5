"""restore-worker as a process: configuration, readiness, signals, log."""

import json
import os
import re
import signal
import urllib.error
import urllib.request

from jwcrypto import jwe, jwk
from prometheus_client.parser import text_string_to_metric_families

from . import directory
from .libconfig import merge, to_libconfig
from .process import Process, binary, tail, wait_for

READY_MESSAGE = "partitions assigned"

# What must never stand in a worker's output, whatever the test was about.
CRASHES = re.compile(
    r"Assertion .* failed|ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")

# The simulated directory has no limits, and few tests want to wait for those of Graph.
AMPLE_BUDGET = {"resource_units_per_10s": 10_000_000, "writes_per_150s": 10_000_000}


class RecipientKey:
    """The notification service's key pair: the public JWK set for the worker, and the opener.
    `private` and `public` are files of a pair that somebody else made."""

    def __init__(self, folder=None, private=None, public=None):
        if private is not None:
            with open(private) as file:
                self._key = jwk.JWK.from_json(file.read())
            self.file = public
            return
        self._key = jwk.JWK.generate(kty="EC", crv="P-256", use="enc")
        self.file = os.path.join(folder, "recipient-keys.json")
        with open(self.file, "w") as file:
            json.dump({"keys": [self._key.export_public(as_dict=True)]}, file)

    def thumbprint(self):
        return self._key.thumbprint()

    def open(self, compact):
        """The claims inside a notification's `secret`."""
        token = jwe.JWE(algs=["ECDH-ES+A256KW", "A256GCM"])
        token.deserialize(compact, key=self._key)
        return json.loads(token.payload)


def default_settings(bootstrap, topics, directory_url, secret_file, keys_file, name):
    return {
        "kafka": {"brokers": bootstrap, "group": topics.group, "instance": name,
                  "topics": topics.names},
        "tenants": [{
            "name": "contoso", "id": directory.TENANT, "graph_url": directory_url,
            "login_url": directory_url, "client_id": directory.CLIENT_ID,
            "credential": {"type": "secret", "file": secret_file},
            **AMPLE_BUDGET,
        }],
        "policy": {"secret_recipients": ["manager", f"@{directory.DOMAIN}"]},
        "secrets": {"recipient_keys_file": keys_file},
        "admin": {"listen": "127.0.0.1:0"},
        "log": {"format": "json", "level": "debug"},
        "shutdown": {"grace_seconds": 10},
    }


class Worker:
    """One instance. Its name is also `kafka.instance`: start() after kill9() is the same member
    again. `settings` are put over the default ones, group by group."""

    def __init__(self, folder, kafka, topics, directory_url, name="worker-1", keys=None,
                 settings=None, environment=None):
        self.name = name
        self._folder = os.path.join(folder, name)
        os.makedirs(self._folder)
        self.keys = keys or RecipientKey(self._folder)
        self.config_file = os.path.join(self._folder, "restore-worker.conf")
        self.log_file = os.path.join(self._folder, "stderr.log")
        self.settings = merge(
            default_settings(kafka.bootstrap, topics, directory_url, self._write_secret(),
                             self.keys.file, name), settings or {})
        self._environment = {**os.environ, **(environment or {})}
        self._process = None
        self._log_start = 0

    def _write_secret(self):
        path = os.path.join(self._folder, "client-secret")
        with open(path, "w") as file:
            file.write(directory.CLIENT_SECRET)
        os.chmod(path, 0o400)
        return path

    def configure(self, settings):
        """Puts more settings over the present ones; seen by the next start() or SIGHUP."""
        self.settings = merge(self.settings, settings)

    def write_config(self):
        with open(self.config_file, "w") as file:
            file.write(to_libconfig(self.settings))

    def start(self):
        assert self._process is None or self._process.exit_code() is not None, "it runs"
        self.write_config()
        with open(self.log_file, "ab") as log:
            self._log_start = log.tell()
            self._process = Process([binary("worker/restore-worker"), "--config", self.config_file],
                                    log, log, env=self._environment)
        return self

    def pid(self):
        return self._process.pid

    def exit_code(self):
        return self._process.exit_code()

    def has_died(self):
        """Whether it ended and nobody killed it."""
        return self._process.exit_code() is not None and not self._process.killed

    def log_count(self, text):
        """How often the log says so since the last start()."""
        with open(self.log_file, "rb") as file:
            file.seek(self._log_start)
            return file.read().count(text.encode())

    def wait(self, timeout_s=60):
        """The exit code of a worker that ends by itself."""
        return self._process.wait(timeout_s)

    def log(self):
        """The log lines since the last start(), each as a dict; {"raw": ...} when not JSON."""
        with open(self.log_file, errors="replace") as file:
            file.seek(self._log_start)
            return [_parse(line) for line in file if line.endswith("\n")]

    def wait_log(self, text, timeout_s=60):
        """The first log line since start() that contains text."""
        def found():
            for line in self.log():
                if text in line["raw"]:
                    return line
            if self._process.exit_code() is not None:
                raise AssertionError(f"{self.name} ended with {self._process.exit_code()} before "
                                     f"{text!r}:\n{tail(self.log_file)}")
            return None

        try:
            return wait_for(found, timeout_s, f"{text!r} in the log of {self.name}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(self.log_file)}") from None

    def wait_ready(self, timeout_s=120):
        self.wait_log(READY_MESSAGE, timeout_s)
        return self

    def admin_url(self):
        """Of the running process: the port is chosen at each start."""
        return f"http://127.0.0.1:{self.wait_log('admin pages')['port']}"

    def get(self, path, timeout_s=30, address=None):
        """One of the admin pages: (status, text). `address` saves looking it up."""
        url = (address or self.admin_url()) + path
        try:
            with urllib.request.urlopen(url, timeout=timeout_s) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """{(name, label values in the order written): value} of /metrics."""
        status, text = self.get("/metrics")
        assert status == 200
        return {(sample.name, *sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text) for sample in family.samples}

    def kill9(self):
        self._process.kill9()

    def signal(self, number):
        self._process.signal(number)

    def reload(self):
        self.write_config()
        self.signal(signal.SIGHUP)

    def reloaded(self, settings, says="settings reloaded"):
        """Puts `settings` over the present ones by SIGHUP, and waits until the log says so."""
        def said():
            return sum(says in line["raw"] for line in self.log())

        before = said()
        self.configure(settings)
        self.reload()
        wait_for(lambda: said() > before, 60, f"{says!r} in the log of {self.name}")

    def freeze(self):
        self._process.freeze()

    def resume(self):
        self._process.resume()

    def terminate(self, grace=None):
        """SIGTERM; its exit code. AssertionError when it far outlives the grace period (`grace` in
        seconds, the configured one by default)."""
        grace = grace or self.settings["shutdown"]["grace_seconds"]
        self.signal(signal.SIGTERM)
        return self._process.wait(grace + 10)

    def stop(self):
        """Kills it if it runs; AssertionError when it died by itself or said what no worker may."""
        if self._process is None:
            return
        if self._process.exit_code() is None:
            self._process.kill9()
        with open(self.log_file, errors="replace") as file:
            crash = CRASHES.search(file.read())
        code = self._process.exit_code()
        if crash or (code < 0 and not self._process.killed and code != -signal.SIGTERM):
            raise AssertionError(f"{self.name} ended with {code}:\n{tail(self.log_file, 200)}")


def _parse(line):
    try:
        parsed = json.loads(line)
    except ValueError:
        parsed = {}
    if not isinstance(parsed, dict):
        parsed = {}
    return {**parsed, "raw": line.rstrip("\n")}
