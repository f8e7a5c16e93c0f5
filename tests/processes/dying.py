"""Gateways that kill themselves with SIGKILL at a point that is named: before or after one of their writes or sends.

    python -m tests.processes.dying     (`Dying` runs it)

Belongs here: the points, and starting such gateways quickly: everything is imported once, and each is a fork of that.
Does not: what is expected of those that come after (test_crash_points.py).

What is written is wrapped from outside, part by part: nothing in a gateway asks whether it is to die.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import Any

from attrs import define

from rrgate.gateway import Gateway
from rrgate.registry import Registry, load_registry
from rrgate.settings import load
from tests.processes.twistd import ROOT

WRITES = ("add", "begin", "answer", "cancel", "replay", "told", "recover")
"""Of the queue: each has a point `in` its transaction, before the commit, and one `after` it."""
ALSO = {"begin": ("begin_small",)}
"""Methods of the queue that are the same write for some requests."""
PATIENCE = 20.0
"""Seconds in which a gateway must come to its point."""


def die(*_: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def make_die(gateway: Gateway, point: str) -> None:
    """`gateway`, which has been opened, dies at `point`: `begin in`, `send after`…"""
    what, _, when = point.partition(" ")
    if what in WRITES:
        for name in (what, *ALSO.get(what, ())):
            dies_writing(gateway.delivery.queue, name, when)
    elif what == "send":
        dies_sending(gateway.pool, when)
    elif what == "log":
        dies_logging(gateway.request_log, when)


def dies_writing(queue: Any, name: str, when: str) -> None:
    writes, write = queue._writes, getattr(queue, name)
    commit, commit_together = writes.do, writes.do_together
    concerned = False

    def do(work: Callable[[sqlite3.Connection], Any]) -> Any:
        def last(connection: sqlite3.Connection) -> None:
            work(connection)
            die()

        return commit(last if concerned and when == "in" else work)

    def do_together(together: Callable[[sqlite3.Connection, Any], Any], given: Any) -> Any:
        def last(connection: sqlite3.Connection, many: Any) -> None:
            together(connection, many)
            die()

        return commit_together(last if concerned and when == "in" else together, given)

    def written(*given: Any, **named: Any) -> Any:
        nonlocal concerned
        concerned = True
        try:
            told = write(*given, **named)
        finally:
            concerned = False
        return ends(told)

    async def ends(told: Any) -> Any:
        # Recovering is done until nothing is left to recover: then too it is written.
        result = await told
        return die() if result != () else result

    writes.do, writes.do_together = do, do_together
    setattr(queue, name, written)


def dies_sending(pool: Any, when: str) -> None:
    send = pool.send

    async def sent(ex: Any) -> None:
        if when == "before":
            die()
        await send(ex)
        die()

    pool.send = sent


def dies_logging(log: Any, when: str) -> None:
    append = log.append

    def appended(rows: Sequence[Any], *more: Any) -> None:
        ended = any(json.loads(row.facts)[-1] for row in rows)
        if ended and when == "before":
            die()
        append(rows, *more)
        if ended:
            die()

    log.append = appended


def run(data: str, point: str, plugins: Registry) -> None:
    """Run a gateway on the state in `data`; never returns."""
    from rrgate.reactor import install

    reactor: Any = install()
    settings = {
        "data": data,
        "listen": "tcp:0:interface=127.0.0.1",
        "core_listen": "tcp:0:interface=127.0.0.1",
        "allow_networks": "127.0.0.0/8",
        "journal_interval": 0.02,
        "block_warning": 0,
    }
    gateway = Gateway(load(settings, {}, None), reactor, registry=plugins)
    if point:
        start = gateway._listen

        def listen() -> None:
            start()
            make_die(gateway, point)

        gateway._listen = listen  # type: ignore[method-assign]
    gateway.startService()
    ports: list[Any] = [port.getHost() for port in gateway.ports]
    tell("ready", os.getpid(), *(port.port for port in ports[:2]))
    reactor.run()
    os._exit(0)


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def serve() -> None:
    """What is asked on standard input: start one, and tell its end."""
    plugins = load_registry()
    import_module("rrgate.reactor")
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        data, _, point = line.rstrip("\n").partition("\t")
        if (child := os.fork()) == 0:
            try:
                run(data, point, plugins)
            finally:
                os._exit(70)
        tell("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@define
class Running:
    """A gateway: its process and its ports; 0 where it died before it listened."""

    pid: int = 0
    port: int = 0
    core_port: int = 0


class Dying:
    """Starts gateways, one at a time. Use as a context."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.processes.dying"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        self._ended: int | None = 0

    def __enter__(self) -> Dying:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def start(self, data: Path, point: str = "") -> Running:
        """One on the state in `data`, that dies at `point`; in no time, if that is while it starts."""
        assert self._ended is not None, "the one before has not ended"
        assert self._process.stdin is not None
        self._running = Running()
        self._ended = None
        self._process.stdin.write(f"{data}\t{point}\n")
        self._process.stdin.flush()
        self._read()
        return self._running

    def ended(self) -> int:
        """Wait for its end; negative for a signal, 0 for one that had to be stopped: it did not come to its point."""
        late = Timer(PATIENCE, os.kill, (self._running.pid, signal.SIGTERM))
        late.daemon = True
        if self._running.pid:
            late.start()
        while self._ended is None:
            self._read()
        late.cancel()
        return self._ended

    def kill(self) -> None:
        """End it, if it is there."""
        if self._ended is None:
            os.kill(self._running.pid, signal.SIGKILL)
            self.ended()

    def _read(self) -> None:
        assert self._process.stdout is not None
        word, *numbers = self._process.stdout.readline().split()
        if word == "ready":
            self._running = Running(*map(int, numbers))
        else:
            self._ended = int(numbers[0])


if __name__ == "__main__":
    serve()
