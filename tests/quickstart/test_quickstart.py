"""deploy/quickstart.sh from outside: what it says, its exit status, and what it leaves behind."""

import os
import re
import shutil
import signal
import subprocess
import uuid

import pytest

from support.process import ROOT, wait_for

SCRIPT = os.path.join(ROOT, "deploy", "quickstart.sh")
LIMIT_S = 300  # the first run builds


class Quickstart:
    """One run, known by a mark in its environment, which everything that it starts inherits."""

    def __init__(self, folder, *arguments, **environment):
        self._mark = f"QUICKSTART_TEST={uuid.uuid4()}".encode()
        name, value = self._mark.decode().split("=")
        self._output = folder / "output"
        self._files = checkout()
        with open(self._output, "wb") as output:
            self._popen = subprocess.Popen(
                ["sh", SCRIPT, *arguments], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, name: value, **environment})

    def said(self):
        return self._output.read_text()

    def interrupt(self):
        """As Ctrl-C does: the whole process group of the terminal."""
        os.killpg(self._popen.pid, signal.SIGINT)

    def terminate(self):
        """The script alone."""
        self._popen.send_signal(signal.SIGTERM)

    def has_ended(self):
        return self._popen.poll() is not None

    def exit_status(self):
        return self._popen.wait(LIMIT_S)

    def processes(self):
        """Command lines of all that it started and that still run."""
        found = {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    command = file.read().replace("\0", " ")
                if self._is_ours(pid, command):
                    found[int(pid)] = command
            except OSError:  # ended meanwhile
                pass
        return found

    def _is_ours(self, pid, command):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return self._mark in file.read().split(b"\0")
        except PermissionError:  # a worker's, which hides its memory from all but root
            return f"{ROOT}/build/quickstart." in command

    def left_nothing(self):
        return self.processes() == {} and checkout() == self._files

    def end(self):
        """What a failure left: processes, and the folder with the logs."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        for folder in set(checkout()[1]) - set(self._files[1]):
            shutil.rmtree(os.path.join(ROOT, "build", folder))


def checkout():
    """What the version control says, and the folders of runs."""
    status = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True)
    runs = [name for name in os.listdir(os.path.join(ROOT, "build"))
            if name.startswith("quickstart.")]
    return status.stdout, sorted(runs)


@pytest.fixture
def quickstart(tmp_path):
    runs = []

    def start(*arguments, **environment):
        runs.append(Quickstart(tmp_path, *arguments, **environment))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


def test_the_story_is_told_and_nothing_stays(quickstart):
    run = quickstart()
    assert run.exit_status() == 0, run.said()
    said = run.said()
    assert "embedded, for trying out: nothing is kept" in said
    assert re.findall(r"^(\d)\. ", said, re.MULTILINE) == list("123456")
    told = re.findall(r"^ +-> (restored|conflict|failed, \w+|dead letter)", said, re.MULTILINE)
    assert told == ["restored", "conflict", "restored", "failed, retention_expired",
                    "failed, requester_not_authorized", "failed, too_old", "dead letter"]
    assert "with 26 days left" in said and "ola@contoso.com as ola.2@contoso.com" in said
    assert max(map(len, said.splitlines())) <= 80
    assert run.left_nothing()


@pytest.mark.parametrize("arguments, moment", [
    ([], "quickstart"), ([], "directory "), ([], "1. Ida"), ([], "4. nils"),
    (["--kafka"], "directory "), (["--kafka"], "kill -9 of one worker")])
def test_ctrl_c_leaves_nothing(quickstart, arguments, moment):
    run = quickstart(*arguments)
    wait_for(lambda: moment in run.said() or run.has_ended(), LIMIT_S, moment)
    if moment.startswith("kill"):
        wait_for(lambda: sum("/thousand/worker-" in c for c in run.processes().values()) == 2,
                 60, "the workers of the thousand")
    run.interrupt()
    assert run.exit_status() == 130, run.said()
    assert run.left_nothing(), run.processes()


def test_ending_the_script_alone_leaves_nothing(quickstart):
    run = quickstart()
    wait_for(lambda: "kafka " in run.said() or run.has_ended(), LIMIT_S, "Kafka")
    run.terminate()
    assert run.exit_status() == 143, run.said()
    assert run.left_nothing(), run.processes()


def test_what_comes_out_otherwise_is_a_failure(quickstart, tmp_path):
    """With a mail service that opens another password."""
    jose = tmp_path / "jose"
    jose.write_text('#!/bin/sh\necho \'{"password": "another", "userId": "none"}\'\n')
    jose.chmod(0o755)
    run = quickstart(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert run.exit_status() == 1
    assert "not as expected: mail" in run.said()
    assert run.processes() == {}


def test_kept_things_run_until_they_are_ended_as_it_says(quickstart):
    run = quickstart("--keep")
    assert run.exit_status() == 0, run.said()
    assert len(run.processes()) == 3
    example = re.search(r"export .*\n.*\n +restorectl restore .*", run.said())[0]
    reply = subprocess.run(["sh", "-c", example], capture_output=True, text=True, timeout=120)
    assert (reply.returncode, "restored" in reply.stdout) == (0, True), reply
    subprocess.run(["sh", "-c", run.said().split("To end it:\n")[1]], check=True)
    wait_for(run.left_nothing, 60, "the end of all")


def test_on_real_kafka_a_thousand_restores_survive_a_kill(quickstart):
    run = quickstart("--kafka")
    assert run.exit_status() == 0, run.said()
    counted = dict((what, int(number)) for number, what in
                   re.findall(r"^ +(\d+)  (\w.*)$", run.said(), re.MULTILINE))
    assert counted.pop("calls that were answered 429") > 0
    assert counted == {
        "records sent": 1010, "outcomes": 1000, "dead letters": 10,
        "users back, says the directory": 1000, "orders to the mail service": 1000,
        "requests without an outcome (missing)": 0, "outcomes or events doubled": 0,
        "users restored twice": 0, "mails doubled": 0,
        "of them asked again too early (Retry-After)": 0,
        "of 1000 passwords found in clear, in logs and topics": 0}
    assert re.search(r"\d+\.\d  seconds from kill -9", run.said())
    assert run.left_nothing()
