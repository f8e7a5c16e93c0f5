"""Processes of `twistd` without the second that each takes to import the project: forks of one that has imported it.

    python -m tests.processes.forks     (`fork` runs it, once in a test process)

Belongs here: that process, and a fork as the tests hold it. Does not: what is started (twistd.py), gateways that kill
themselves (dying.py).

What such a process does from its command line on, to its end and its status, is what `bin/twistd` does: a fork has read
no setting, opened no file and chosen no reactor. Whose subject are the command, its process or its imports has it
started anew.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

ROOT = Path(__file__).parents[2]


class Fork:
    """One of them, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.over = Event()
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        if not self.over.wait(timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired("twistd", timeout)
        assert self.status is not None
        return self.status

    def send_signal(self, number: int) -> None:
        if self.status is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(arguments: Sequence[str | Path], environ: Mapping[str, str], log: Path) -> Fork:
    """Run `twistd` with these `arguments`, and `environ` besides what is in the environment; `log` gets its output."""
    return _imported().fork({"arguments": list(map(str, arguments)), "environ": dict(environ), "log": str(log)})


@cache
def _imported() -> _Imported:
    return _Imported()


class _Imported:
    """The process that is forked; it ends when this one does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._asking = Lock()
        self._begun: SimpleQueue[Fork] = SimpleQueue()
        Thread(target=self._read, name="forks", daemon=True).start()

    def fork(self, wanted: Mapping[str, Any]) -> Fork:
        with self._asking:
            assert self._process.stdin is not None
            print(json.dumps(wanted), file=self._process.stdin, flush=True)
            return self._begun.get(timeout=60)

    def _read(self) -> None:
        forks: dict[int, Fork] = {}
        assert self._process.stdout is not None
        for line in self._process.stdout:
            pid, *status = map(int, line.split())
            if not status:
                forks[pid] = Fork(pid)
                self._begun.put(forks[pid])
            else:
                forks[pid].status = status[0]
                forks.pop(pid).over.set()


def serve() -> dict[str, Any] | None:
    """Fork for each line of standard input; tell its pid, and later its end. Returns in the fork; None at the end."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is not None:
                    waiting.unregister(key.fd)
                    os.close(key.fd)
                    tell(key.data, os.waitstatus_to_exitcode(os.waitpid(key.data, 0)[1]))
                elif not (line := sys.stdin.readline()):
                    return None
                elif pid := os.fork():
                    waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                    tell(pid)
                else:
                    # Files of the other forks; those of this one's own are made anew.
                    for other in [each.fd for each in waiting.get_map().values() if each.data is not None]:
                        os.close(other)
                    wanted: dict[str, Any] = json.loads(line)
                    return wanted


def tell(*numbers: int) -> None:
    os.write(1, (" ".join(map(str, numbers)) + "\n").encode())


def become(wanted: Mapping[str, Any]) -> None:
    """What is before the first line of `bin/twistd`."""
    log = os.open(wanted["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for source, place in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(source, place)
    os.environ.update(wanted["environ"])
    sys.path[1:1] = [each for each in wanted["environ"].get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.argv = [str(Path(sys.executable).with_name("twistd")), *wanted["arguments"]]


if __name__ == "__main__":
    from twisted.scripts.twistd import run

    for each in ("rrgate.service", "rrgate_plugins"):
        import_module(each)

    wanted = serve()
    if wanted is not None:
        become(wanted)
        sys.exit(run())
