"""`Program`: one of examples/embedding/ in a process of its own, started as its first lines say.

Belongs here: starting, waiting and ending it. Does not: what is expected of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.callers import call
from tests.leak_search import LeakSearch
from tests.processes.forks import Fork, fork
from tests.processes.twistd import BIN, ROOT

FOLDER = ROOT / "examples" / "embedding"


class Program:
    """A process in the folder `place`, with its output in `place/output`. Use as a context: it ends with it, and raises
    AssertionError if a secret that `search` knows is in its output or in the states below `place`.
    """

    def __init__(
        self, place: Path, search: LeakSearch, *command: str | Path, anew: bool = True, **environ: str
    ) -> None:
        """`command`: as typed. `anew`: it imports everything itself; else it is a fork of what has (forks.py).
        `environ`: variables, besides those of this process."""
        self.place, self.search, self.log = place, search, place / "output"
        self.process: Fork | subprocess.Popen[bytes]
        self.log.write_bytes(b"")
        if not anew:
            script = command[1:] if command[0] == "python" else command
            self.process = fork(script, self.log, place, {"PYTHONPATH": str(ROOT), **environ})
            return
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BIN / command[0], *command[1:]],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A test run in the background of a shell ignores SIGINT, and so would its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if kind is None:
            self.search.add("the output", self.output())
            self.search.look_at_state(self.place)
            self.search.end()

    def answers_at(self, port: int, path: str) -> Program:
        """Wait until there is an answer of 200 at `path`."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if call(("127.0.0.1", port), "GET", path).status == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"it did not start:\n{self.output()}")

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Have it end; the status it ended with, negative for a signal."""
        self.process.send_signal(by)
        return self.process.wait(20)

    def output(self) -> str:
        return self.log.read_text()
