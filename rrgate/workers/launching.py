"""`Launcher`: starts a worker's process, with its sockets and the channel to it.

Belongs here: descriptors, arguments and output of processes. Does not: when one is started (supervisor.py), what it
does (main.py).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from attrs import asdict, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from rrgate.workers.channel import PROTOCOL, Message, open_channel
from rrgate.workers.crew import Hand, Launched

MODULE: Final = "rrgate.workers.main"
ENDING: Final = 5.0
"""Seconds until a process has ended that has closed its channel."""
LOOKING: Final = 60.0
"""Seconds that it may take to read the settings."""
CHANNEL, SHARES, CONFIG, FIRST_SOCKET = 3, 4, 5, 6
"""Descriptors in a worker's process."""


@frozen
class Told:
    """What a worker is told by its command line, as JSON."""

    protocol: int = PROTOCOL
    endpoints: tuple[str, ...] = ()
    """Its sockets', in the order of their descriptors."""
    reactor: str = ""
    """The module of another than ours."""
    has_config: bool = False
    """Whether a descriptor has what was in the settings' file, which may have changed since."""
    only_look: bool = False
    """Say what the settings are for the node as a whole, and end."""


@frozen
class Invocation:
    """How the gateway was started: what its workers are told too."""

    arguments: Sequence[str]
    folder: str
    reactor: str
    output: Callable[[], Callable[[str], None] | None]
    """What takes its lines; None if it writes where we do. Asked once the log is there."""


class WorkerProcess(ProcessProtocol):
    """One process: its end, and its output where that is not written by itself."""

    def __init__(self, ended: Callable[[str, int], None], output: Callable[[int, str], None]) -> None:
        """`ended`: called once, with how it ended in words, and the status. `output`: descriptor and text."""
        self._ended = ended
        self._output = output
        self._rest: dict[int, bytes] = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._rest[childFD] = (self._rest[childFD] + data).split(b"\n")
        if lines:
            self._output(childFD, b"\n".join((*lines, b"")).decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        for descriptor, rest in self._rest.items():
            if rest:
                self._output(descriptor, rest.decode("utf-8", "replace") + "\n")
        how: Any = reason.value
        if reason.check(ProcessDone):
            self._ended("status 0", 0)
        elif reason.check(ProcessTerminated) and how.signal:
            self._ended(f"signal {signal.Signals(how.signal).name}", -how.signal)
        else:
            self._ended(f"status {how.exitCode}", int(how.exitCode or 1))


class _Running:
    send: Callable[..., None]

    def __init__(self, process: Any) -> None:
        self.pid = process.pid
        self._process = process

    def kill(self) -> None:
        """End it now, if it has not ended."""
        with suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")


class Launcher:
    """One parent's."""

    def __init__(
        self,
        reactor: Any,
        invocation: Invocation,
        shares: int,
        descriptors: Callable[[Sequence[str]], Sequence[int]],
        heard: Callable[[Hand, Message], None],
        ended: Callable[[Hand, str], None],
    ) -> None:
        """`shares`: the descriptor of the memory for Shares. `descriptors`: of the sockets at these endpoints."""
        self._reactor = reactor
        self._invocation = invocation
        self._shares = shares
        self._descriptors = descriptors
        self._heard = heard
        self._ended = ended
        self._output = invocation.output()

    def launch(self, hand: Hand) -> Launched:
        """Start the process of `hand`. Raises OSError."""
        plan = hand.generation.plan
        ours, theirs = socket.socketpair()
        with ours, theirs:
            told = self._told(endpoints=plan.endpoints, has_config=plan.config is not None)
            process = self._spawn(
                WorkerProcess(lambda how, _: self._ended(hand, how), self._write),
                told,
                plan.config,
                {CHANNEL: theirs.fileno(), SHARES: self._shares},
                self._descriptors(plan.endpoints),
            )
            running = _Running(process)
            # Who has closed its end is about to end, or will never do anything again.
            lost = partial(self._reactor.callLater, ENDING, running.kill)
            running.send = open_channel(self._reactor, ours.fileno(), partial(self._heard, hand), lost).send
        return running

    def look(self, config: bytes | None) -> Deferred[Mapping[str, Any]]:
        """What the settings say now, read by the code that is installed now. Fails with ValueError, which says why
        not."""
        answered: Deferred[Mapping[str, Any]] = Deferred()
        texts = {1: "", 2: ""}

        def output(descriptor: int, text: str) -> None:
            texts[descriptor] += text

        def ended(how: str, status: int) -> None:
            if status != 0:
                why = texts[2].strip()[-4000:] or f"the process that read the settings has ended ({how})"
                answered.errback(ValueError(why))
                return
            try:
                said = json.loads(texts[1])
            except ValueError:
                answered.errback(ValueError("the process that read the settings has printed something else"))
            else:
                answered.callback(said)

        told = self._told(only_look=True, has_config=config is not None)
        looking = _Running(self._spawn(WorkerProcess(ended, output), told, config, {}, (), collect=True))
        late = self._reactor.callLater(LOOKING, looking.kill)

        def over(result: Any) -> Any:
            if late.active():
                late.cancel()
            return result

        return answered.addBoth(over)

    def _told(self, **values: Any) -> Told:
        return Told(reactor=self._invocation.reactor, **values)

    def _write(self, descriptor: int, text: str) -> None:
        if self._output is not None:
            self._output(text)

    def _spawn(
        self,
        protocol: ProcessProtocol,
        told: Told,
        config: bytes | None,
        descriptors: Mapping[int, int],
        sockets: Sequence[int],
        collect: bool = False,
    ) -> Any:
        collect = collect or self._output is not None
        opened = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)]
        children: dict[int, Any] = {0: opened[0], 1: "r" if collect else 1, 2: "r" if collect else 2, **descriptors}
        try:
            for gap in {CHANNEL, SHARES} - set(children):
                children[gap] = opened[0]
            if config is None:
                children[CONFIG] = opened[0]
            else:
                memory = os.memfd_create("rrgate-settings", os.MFD_CLOEXEC)
                opened.append(memory)
                os.write(memory, config)
                children[CONFIG] = memory
            children.update({FIRST_SOCKET + at: descriptor for at, descriptor in enumerate(sockets)})
            how = self._invocation
            module = (*_safe_path(how.folder), "-m", MODULE)
            return self._reactor.spawnProcess(
                protocol,
                sys.executable,
                [sys.executable, *module, json.dumps(asdict(told)), *how.arguments],
                env=dict(os.environ),
                path=how.folder,
                childFDs=children,
            )
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _safe_path(folder: str) -> Sequence[str]:
    """What keeps a worker from finding modules in its folder, unless the parent does too."""
    return () if folder in sys.path or "" in sys.path else ("-P",)
