"""SIGHUP: every one of them is heeded, whatever becomes of the one before, and whatever plugins print meanwhile.

Belongs here: reading the settings anew, in the parent. Does not: what new workers do then (test_supervisor.py).
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.settings import Settings
from rrgate.workers import main
from rrgate.workers.launching import LOOKING, Invocation, Launcher, WorkerProcess
from rrgate.workers.plan import what_to_tell
from rrgate.workers.service import WorkersService

SETTINGS = Settings(data=Path("unused"), workers=2)
SAID = what_to_tell(SETTINGS)
INVOCATION = Invocation((), "/", "", lambda: None)


class Looks:
    """A launcher whose looks are ended by the test."""

    def __init__(self) -> None:
        self.begun: list[Deferred[Mapping[str, Any]]] = []
        self.fails: OSError | None = None

    def look(self, config: bytes | None) -> Deferred[Mapping[str, Any]]:
        if self.fails is not None:
            raise self.fails
        self.begun.append(Deferred())
        return self.begun[-1]


class Parent:
    """A service that has started, and the plans that it has had new workers started with."""

    def __init__(self) -> None:
        service: Any = WorkersService(SETTINGS, Clock(), INVOCATION, None)
        self.looks = service._launcher = Looks()
        self.started: list[Any] = []
        service._sockets = self
        service._supervisor = self
        service.running = True
        self.reload: Callable[[], None] = service.reload

    def bind(self, endpoints: object) -> None:
        pass

    def give_up(self, why: str) -> None:
        pass

    def start(self, plan: object) -> None:
        self.started.append(plan)


def test_what_comes_meanwhile_is_looked_at_behind_it() -> None:
    parent = Parent()
    for _ in range(3):
        parent.reload()
    (first,) = parent.looks.begun
    first.callback(SAID)
    assert not parent.started, "these settings may be old"
    _, second = parent.looks.begun
    second.callback(SAID)
    assert len(parent.started) == 1
    assert len(parent.looks.begun) == 2


def test_also_if_the_first_settings_were_wrong() -> None:
    parent = Parent()
    parent.reload()
    parent.reload()
    parent.looks.begun[0].errback(ValueError("did you mean drain_timeout?"))
    parent.looks.begun[1].callback(SAID)
    assert len(parent.started) == 1


def test_one_that_could_not_be_looked_at_is_not_the_last() -> None:
    parent = Parent()
    parent.looks.fails = OSError(errno.EAGAIN, "no process")
    parent.reload()
    parent.looks.fails = None
    parent.reload()
    parent.looks.begun[0].callback(SAID)
    assert len(parent.started) == 1


# What the process says that looks.


class Processes(Clock):
    """A reactor whose processes are spoken for by the test."""

    process: WorkerProcess
    killed = False

    def spawnProcess(self, process: WorkerProcess, *_: object, **__: object) -> Any:
        self.process = process
        return self

    pid = 1

    def signalProcess(self, signal: str) -> None:
        self.killed = True

    def ends(self, out: str, error: str = "", status: int = 0) -> list[Any]:
        """What a look answers, or fails with, that ends so."""
        answers: list[Any] = []
        launcher = Launcher(self, INVOCATION, 0, lambda _: (), lambda *_: None, lambda *_: None)
        launcher.look(None).addBoth(answers.append)
        for descriptor, text in ((1, out), (2, error)):
            self.process.childDataReceived(descriptor, text.encode())
        self.process.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))
        assert not self.getDelayedCalls()
        return answers


def test_it_answers_what_the_settings_say() -> None:
    assert Processes().ends(json.dumps(SAID)) == [SAID]


@pytest.mark.parametrize(
    ("out", "error", "status", "told"),
    [
        ("", "rrgate: did you mean drain_timeout?\n", 1, "rrgate: did you mean drain_timeout?"),
        ("", "", 1, "the process that read the settings has ended (status 1)"),
        ("welcome\n" + json.dumps(SAID), "", 0, "the process that read the settings has printed something else"),
    ],
)
def test_what_is_wrong_is_always_told(out: str, error: str, status: int, told: str) -> None:
    (failure,) = Processes().ends(out, error, status)
    assert failure.check(ValueError)
    assert str(failure.value) == told


def test_one_that_never_answers_is_killed() -> None:
    processes = Processes()
    Launcher(processes, INVOCATION, 0, lambda _: (), lambda *_: None, lambda *_: None).look(None)
    processes.advance(LOOKING)
    assert processes.killed


def test_what_plugins_print_is_no_part_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(main, "load_registry", lambda: print("a plugin says hello"))
    assert main._look(Settings(data=tmp_path, workers=2)) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == SAID
    assert "hello" in printed.err
