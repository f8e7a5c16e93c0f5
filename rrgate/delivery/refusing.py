"""Work on the queue that refuses what it is asked for: those that share its commit keep theirs.

Belongs here: which exceptions are refusals, and carrying them past a commit. Does not: what is refused when.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from rrgate.delivery.commits import Work
from rrgate.delivery.keys import AnotherRequest
from rrgate.delivery.making_room import NotKept
from rrgate.delivery.states import WrongState

T = TypeVar("T")

_REFUSALS: Final = (WrongState, LookupError, AnotherRequest, NotKept)


class Refused:
    """What work has raised, as its result: to a commit, what is raised means that nothing of it may be kept."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def refusing(work: Work[T]) -> Work[T | Refused]:
    """`work`, which writes nothing before it raises a refusal, so that it answers that."""

    def answering(connection: sqlite3.Connection) -> T | Refused:
        try:
            return work(connection)
        except _REFUSALS as error:
            if type(error) not in _REFUSALS:
                raise  # a KeyError is a bug, and may have left something half written
            return Refused(error)

    return answering


def raising(result: Any) -> Any:
    """The result of such work, or what it has raised."""
    if type(result) is Refused:
        raise result.error
    return result


async def told(asked: Awaitable[Any]) -> Any:
    """The same when it is there."""
    return raising(await asked)
