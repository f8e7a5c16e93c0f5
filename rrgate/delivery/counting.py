"""What is under way, over and kept, counted for many rows at once, by those statements that the triggers leave it to.

Belongs here: adding to `totals` and `kept_totals`. Does not: the triggers, which count for every other statement
(schema.py), comparing the counts with bounds (bounds.py).
Why: of one row after the other a trigger costs more than all else that a request's end writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from rrgate.delivery.bounds import ALL
from rrgate.delivery.many_rows import flat, pieces, rows_of

Counted = tuple[str, str, int]
"""Of a request: its proxy's id, or what its lane is called, its client's, and its size."""


def add_taken(connection: sqlite3.Connection, requests: Iterable[Counted]) -> None:
    """These are under way from now on."""
    _add(connection, requests, 1, 0)


def add_ended(connection: sqlite3.Connection, requests: Iterable[Counted]) -> None:
    """These were, and are over."""
    _add(connection, requests, -1, 1)


def add_kept(connection: sqlite3.Connection, kept: Sequence[tuple[str, int, int, int]]) -> None:
    """Of requests that are over, and of which something is kept: the client's id, when it ended, its number, and
    bytes of what is."""
    sums: dict[str, list[int]] = {}
    for client_id, _, _, size in kept:
        for scope in (ALL, client_id):
            sum = sums.setdefault(scope, [0, 0])
            sum[0] += 1
            sum[1] += size
    for some in pieces([(*each, 1) for each in kept]):
        connection.execute(f"INSERT INTO kept {rows_of(5, len(some))}", flat(some))
    for scopes in pieces([(scope, *sum) for scope, sum in sums.items()]):
        connection.execute(
            f"INSERT INTO kept_totals {rows_of(3, len(scopes))} ON CONFLICT (scope) DO UPDATE SET "
            "requests = requests + excluded.requests, bytes = bytes + excluded.bytes",
            flat(scopes),
        )


def _add(connection: sqlite3.Connection, requests: Iterable[Counted], sign: int, ended: int) -> None:
    sums: dict[str, list[int]] = {}
    for proxy_id, client_id, size in requests:
        for scope, over in ((ALL, ended), (client_id, ended), (proxy_id, 0)):
            sum = sums.setdefault(scope, [0, 0, 0])
            sum[0] += sign
            sum[1] += sign * size
            sum[2] += over
    for some in pieces([(scope, *sum) for scope, sum in sums.items()]):
        connection.execute(
            f"INSERT INTO totals (scope, requests, bytes, ended) {rows_of(4, len(some))} ON CONFLICT (scope) DO UPDATE "
            "SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes, ended = ended + "
            "excluded.ended",
            flat(some),
        )
