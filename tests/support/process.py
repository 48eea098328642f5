"""Processes under test: started so that they cannot outlive the tests, stopped by their own pid."""

import os
import signal
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary(path):
    """The built program at build/<preset>/<path>, or a clear error. The preset is
    $RESTORE_TEST_PRESET, `dev` by default."""
    preset = os.environ.get("RESTORE_TEST_PRESET", "dev")
    full = os.path.join(ROOT, "build", preset, path)
    if not os.access(full, os.X_OK):
        raise FileNotFoundError(
            f"{full} is not built: cmake --preset {preset} && cmake --build --preset {preset}"
        )
    return full


def wait_for(condition, timeout_s, what):
    """Returns condition()'s first true value; AssertionError naming `what` after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.02)


def tail(path, lines=40):
    with open(path, errors="replace") as file:
        return "".join(file.readlines()[-lines:])


class Process:
    """One child whose output goes to a file. `killed` tells a death we wished from a crash."""

    def __init__(self, command, stdout, stderr=subprocess.STDOUT, keep=False, **popen):
        # The kernel kills the child when the thread that started it ends, even by SIGKILL; so this
        # is asked for only from the main thread, whose end is the end of the tests.
        if not keep and threading.current_thread() is threading.main_thread():
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        self.killed = False
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            start_new_session=True, **popen,
        )
        self.pid = self._popen.pid

    def exit_code(self):
        """None while it runs; -N after signal N."""
        return self._popen.poll()

    def wait(self, timeout_s):
        """Its exit code, or AssertionError when it still runs after timeout_s."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._popen.args} still runs after {timeout_s} s") from None

    def signal(self, number):
        self._popen.send_signal(number)

    def kill9(self):
        self.killed = True
        self.signal(signal.SIGKILL)
        self._popen.wait()

    def freeze(self):
        """SIGSTOP; returns once the kernel says that it has stopped."""
        self.signal(signal.SIGSTOP)
        wait_for(self.is_frozen, 60, f"process {self.pid} to stop")

    def resume(self):
        self.signal(signal.SIGCONT)

    def is_frozen(self):
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
