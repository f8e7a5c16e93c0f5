"""New rows of the queue: SQL on an open transaction that takes requests, one or many with one statement.

Belongs here: inserting. Does not: what becomes of them (table.py), room and keys (taking.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rrgate.delivery.counting import Counted, add_taken
from rrgate.delivery.many_rows import AT_ONCE, rows_of
from rrgate.delivery.states import Progress
from rrgate.delivery.table import PROGRESS, columns


class NewRow(NamedTuple):
    """A request as it is taken. `head`, `body`: sealed. `callback_of`: of a call, of which request it tells."""

    request_id: str
    proxy_id: str
    client_id: str
    identity: bytes
    accepted_at: int
    progress: Progress
    head: bytes
    body: bytes
    callback_of: int | None = None
    taker: int = 0
    """Which process has taken it (takers.py)."""


def insert(connection: sqlite3.Connection, row: NewRow) -> int:
    """Take one. Its number."""
    return insert_all(connection, [row])[0]


def insert_all(connection: sqlite3.Connection, rows: Iterable[NewRow]) -> list[int]:
    """Take these. Their numbers. Of large ones only a few are asked for before they are written."""
    counted: list[Counted] = []
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'requests'").fetchone()
    first = following = (found[0] if found else 0) + 1
    some: list[NewRow] = []
    size = 0
    for row in rows:
        some.append(row)
        counted.append((row.proxy_id, row.client_id, size_of(row)))
        size += len(row.body)
        if len(some) == AT_ONCE or size >= _BYTES_AT_ONCE:
            _insert_some(connection, some, following)
            following += len(some)
            some, size = [], 0
    if some:
        _insert_some(connection, some, following)
    add_taken(connection, counted)
    return list(range(first, following + len(some)))


def _insert_some(connection: sqlite3.Connection, some: Sequence[NewRow], first: int) -> None:
    values: list[object] = []
    payloads: list[object] = []
    for number, row in enumerate(some, first):
        request_id, proxy_id, client_id, identity, accepted_at, progress, head, body, callback_of, taker = row
        values += number, request_id, proxy_id, client_id, identity, size_of(row), accepted_at
        values += columns(progress)
        values += callback_of, True, taker
        payloads += number, head, body
    connection.execute(f"{_INSERT} {rows_of(17, len(some))}", values)
    connection.execute(f"INSERT INTO payloads {rows_of(3, len(some))}", payloads)


def size_of(row: NewRow) -> int:
    """For the bounds: of heads alone very many could be sent."""
    return len(row.head) + len(row.body)


_BYTES_AT_ONCE: Final = 1024 * 1024
"""Of bodies, after which a statement has no more rows: a sealed body is a copy."""
_INSERT: Final = (
    "INSERT INTO requests (id, request_id, proxy_id, client_id, identity, size, accepted_at, "
    f"{PROGRESS}, callback_of, counted, taker)"
)
