"""Processes without the second that each takes to import the project: forks of one that has imported it.

    python -m tests.processes.forks ADDRESS     (`fork` and `commands` run it, once in a test process)

Belongs here: that process, a fork as the tests hold it, and commands for shells that are forks (forked_command.py is
what a shell starts). Does not: what is started (twistd.py), gateways that kill themselves (dying.py).

What such a process does from its command line on, to its end and its status, is what the script in `bin/` does: it runs
that, and has read no setting, opened no file and chosen no reactor. It ends when whoever asked for it is gone. Whose
subject are the command, its process or its imports has it started anew.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import selectors
import shlex
import signal
import socket
import subprocess
import sys
from ast import literal_eval
from collections.abc import Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from runpy import run_path
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMMANDS = ("rrgate", "twistd", "pytest")
IMPORTED = (
    *("rrgate.service", "rrgate.embedding", "rrgate.testing", "rrgate.demo", "rrgate_plugins"),
    *(f"rrgate.cli.{name}" for name in ("init", "token", "user", "keys", "audit", "backup", "doctor")),
    *("twisted.scripts.twistd", "twisted.scripts._twistd_unix", "_pytest.config"),
)
LONGEST = 1 << 20
"""Bytes of what is asked: a command line, and all variables."""


class Fork:
    """One of them, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, wanted: Mapping[str, Any], files: Sequence[int]) -> None:
        """`wanted`: `script` to run, `arguments`, `cwd`, `environ`. `files`: its input, output and error output."""
        self._asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked.connect(_address())
        socket.send_fds(self._asked, [os.fsencode(repr(dict(wanted)))], files)
        self.pid = int(self._asked.recv(100))
        self.status: int | None = None
        self._reading = Lock()

    @property
    def returncode(self) -> int | None:
        return self.status

    def poll(self) -> int | None:
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._status(timeout)
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _status(self, timeout: float | None) -> int | None:
        if self.status is None:
            told = select.poll()
            told.register(self._asked, select.POLLIN)
            if told.poll(None if timeout is None else timeout * 1000):
                with self._reading:
                    if self.status is None:
                        self.status = int(self._asked.recv(100))
                        self._asked.close()
        return self.status


def fork(
    command: Sequence[str | Path], log: Path, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> Fork:
    """Run a script of Python's, a path or one of `COMMANDS`, with `environ` besides what is in the environment.

    It has no input; what it prints is added to `log`.
    """
    script, *arguments = map(str, command)
    wanted = {
        "script": str(BIN / script if script in COMMANDS else script),
        "arguments": arguments,
        "cwd": str(cwd),
        "environ": {**os.environ, **(environ or {})},
    }
    with open(os.devnull) as nothing, log.open("ab") as output:
        return Fork(wanted, [nothing.fileno(), output.fileno(), output.fileno()])


def commands(folder: Path) -> None:
    """Put `COMMANDS` there, and a `python` which runs files so and all else as ever: for the PATH of a shell."""
    _address()
    for name in (*COMMANDS, "python"):
        words = [sys.executable, "-IS", str(Path(__file__).with_name("forked_command.py")), _ADDRESS]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join([*words, str(BIN / name)])} "$@"\n')
        (folder / name).chmod(0o755)


def _address() -> str:
    """Where the process that is forked is asked; it ends when this one does."""
    with _ASKING:
        if not _RUNNING:
            _RUNNING.append(
                subprocess.Popen(
                    [sys.executable, "-m", __name__, _ADDRESS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            assert _RUNNING[0].stdout is not None
            assert _RUNNING[0].stdout.readline() == b"listening\n"
    return f"\0{_ADDRESS}"


_ADDRESS = f"rrgate-forks-{os.getpid()}"
_ASKING = Lock()
_RUNNING: list[subprocess.Popen[bytes]] = []


def serve(listening: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each connection; tell it the pid, and later the end. Returns in the fork; None at the end."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ)
        waiting.register(listening, selectors.EVENT_READ)
        under_way: dict[int, tuple[int, socket.socket]] = {}
        while True:
            for key, _ in waiting.select():
                if key.fd == 0:
                    return None
                if key.fileobj is listening:
                    asking, _ = listening.accept()
                    message, files, *_ = socket.recv_fds(asking, LONGEST, 3)
                    if not (pid := os.fork()):
                        # Files of the other forks; those of this one's own are made anew.
                        for process, other in under_way.values():
                            os.close(process)
                            other.close()
                        asking.close()
                        wanted: dict[str, Any] = literal_eval(os.fsdecode(message))
                        return wanted, files
                    for file in files:
                        os.close(file)
                    under_way[pid] = os.pidfd_open(pid), asking
                    for each in under_way[pid]:
                        waiting.register(each, selectors.EVENT_READ, pid)
                    asking.send(str(pid).encode())
                elif key.data in under_way:
                    process, asking = under_way[key.data]
                    if key.fileobj is asking:
                        waiting.unregister(asking)  # who asked is gone, and its end is told to nobody
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                        continue
                    del under_way[key.data]
                    status = os.waitstatus_to_exitcode(os.waitpid(key.data, 0)[1])
                    waiting.unregister(process)
                    os.close(process)
                    if asking in waiting.get_map():
                        waiting.unregister(asking)
                        asking.send(str(status).encode())
                    asking.close()


def become(wanted: Mapping[str, Any], files: Sequence[int]) -> None:
    """What is before the first line of the script."""
    for place, file in enumerate(files):
        os.dup2(file, place)
    os.closerange(3, max(files) + 1)
    # A test run in the background of a shell ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["environ"])
    searched = [each for each in wanted["environ"].get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:] = [str(Path(wanted["script"]).parent), *searched, *INSTALLED]
    sys.argv = [wanted["script"], *wanted["arguments"]]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    importlib.invalidate_caches()


_GIVEN = {os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each}
INSTALLED = list(dropwhile(_GIVEN.__contains__, sys.path[1:]))
"""Where modules are searched for here, but for what comes first: the folder, and what PYTHONPATH has. The project may
be there once more, where it is installed to be edited."""


if __name__ == "__main__":
    for each in IMPORTED:
        importlib.import_module(each)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"\0{sys.argv[1]}")
        listening.listen(100)
        os.write(1, b"listening\n")
        begun = serve(listening)
    if begun is not None:
        become(*begun)
        run_path(begun[0]["script"], run_name="__main__")
