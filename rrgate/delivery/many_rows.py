"""Statements about many rows at once: one step of one statement does the work for all of them.

Belongs here: their SQL by the number of rows, and cutting what is given to them into pieces. Does not: any table.
Why: each step of a statement gives the GIL away and must have it back, which the thread that writes and the reactor's
then hand to and fro.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Final, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 32
"""Rows of one statement, of which SQLite then knows 32 in all."""


def pieces(given: Sequence[T]) -> Iterator[Sequence[T]]:
    """Up to `AT_ONCE` at a time."""
    if len(given) <= AT_ONCE:
        if given:
            yield given
        return
    for start in range(0, len(given), AT_ONCE):
        yield given[start : start + AT_ONCE]


def flat(rows: Sequence[Sequence[object]]) -> list[object]:
    """The values of rows, one behind the other, as `rows_of` wants them."""
    return list(chain.from_iterable(rows))


@cache
def marks(count: int) -> str:
    """`(?, ?, …)`."""
    return f"({', '.join('?' * count)})"


@cache
def rows_of(columns: int, rows: int) -> str:
    """`VALUES (?, …), (?, …), …`; their columns are called column1, column2, …"""
    return f"VALUES {', '.join([marks(columns)] * rows)}"
