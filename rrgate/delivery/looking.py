"""Which requests are due: SQL that costs little, however many wait and of however many proxies.

Belongs here: finding them. Does not: whose turn it is among them (lanes.py), writing (table.py).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from rrgate.delivery.table import Due

FEW: Final = 500
"""Requests that are due, up to which they are simply read: 0.3 ms. Of more, each proxy's are looked for."""
MOST_READ: Final = 50_000
"""Requests in one look, unless more proxies have some."""
LEAST_READ: Final = 8
"""Of each proxy, however many there are."""

_LANES: Final = (
    "WITH RECURSIVE lanes (lane) AS (SELECT min(proxy_id) FROM requests WHERE due_at IS NOT NULL UNION ALL "
    "SELECT (SELECT min(proxy_id) FROM requests WHERE due_at IS NOT NULL AND proxy_id > lane) FROM lanes "
    "WHERE lane IS NOT NULL) SELECT lane FROM lanes WHERE lane IS NOT NULL AND EXISTS "
    "(SELECT 1 FROM requests WHERE due_at IS NOT NULL AND proxy_id = lane AND due_at <= ?)"
)
"""Proxies that have something due: two looks into an index for each that has anything waiting (1.5 µs), none for what
waits besides."""


def due(connection: sqlite3.Connection, now: int, most: int) -> tuple[dict[str, list[Due]], int | None]:
    """By proxy, up to `most` requests each that are due, the longest due first; and when the next one will be."""
    rows = connection.execute(
        "SELECT id, proxy_id, size FROM requests WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, id LIMIT ?",
        (now, FEW + 1),
    ).fetchall()
    lanes = _of_many(connection, now, most) if len(rows) > FEW else _of_few(rows, most)
    following = connection.execute(
        "SELECT min(due_at) FROM requests WHERE due_at IS NOT NULL AND due_at > ?", (now,)
    ).fetchone()
    return lanes, following[0]


def _of_few(rows: list[tuple[int, str, int]], most: int) -> dict[str, list[Due]]:
    lanes: dict[str, list[Due]] = {}
    for row in rows:
        lane = lanes.setdefault(row[1], [])
        if len(lane) < most:
            lane.append(Due(*row))
    return lanes


def _of_many(connection: sqlite3.Connection, now: int, most: int) -> dict[str, list[Due]]:
    names = [lane for (lane,) in connection.execute(_LANES, (now,))]
    most = min(most, max(LEAST_READ, MOST_READ // max(1, len(names))))
    lanes = {}
    for lane in names:
        rows = connection.execute(
            "SELECT id, proxy_id, size FROM requests WHERE due_at IS NOT NULL AND proxy_id = ? AND due_at <= ? "
            "ORDER BY due_at, id LIMIT ?",
            (lane, now, most),
        )
        lanes[lane] = [Due(*row) for row in rows]
    return lanes
