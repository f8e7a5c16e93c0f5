"""SIGHUP does not end a gateway without workers, and an operator's `nohup` stays in force.

Belongs here: the handler. Does not: SIGHUP with workers (tests/processes/test_workers.py).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rrgate.service import _bear_hangups


class Reactor:
    """Keeps what it is asked to call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        self.calls.append((call, *arguments))


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    before = signal.getsignal(signal.SIGHUP)
    yield Reactor()
    signal.signal(signal.SIGHUP, before)


def test_it_is_told_and_nothing_else(reactor: Reactor) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    _bear_hangups(reactor)
    signal.raise_signal(signal.SIGHUP)
    ((_, text),) = reactor.calls
    assert "SIGHUP does nothing without workers" in text


def test_one_that_is_ignored_stays_ignored(reactor: Reactor) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _bear_hangups(reactor)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
