"""Which requests are due: SQL that costs little, however many wait and of however many proxies.

Belongs here: finding them. Does not: whose turn it is among them (lanes.py), writing (table.py).
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import orjson

from rrgate.delivery.table import Due

FEW: Final = 500
"""Requests that are due, up to which they are simply read. Of more, each proxy's are looked for."""
MOST_READ: Final = 50_000
"""Requests in one look, unless more proxies have some."""
LEAST_READ: Final = 8
"""Of each proxy, however many there are."""

# Each answers one row, whatever is in it: for every step of a statement Python gives the GIL away and takes it back,
# which made a look at 500 requests as dear as sending ten.
_DUE: Final = "due_at IS NOT NULL AND due_at <= :now"
_MANY: Final = f"SELECT count(*) > :few FROM (SELECT 1 FROM requests WHERE {_DUE} LIMIT :few + 1)"
_ALL: Final = (
    "SELECT json_group_array(json_array(proxy_id, id, size)) FROM "
    f"(SELECT proxy_id, id, size FROM requests WHERE {_DUE} ORDER BY due_at, id)"
)
_LANES: Final = (
    "WITH RECURSIVE lanes (lane) AS (SELECT min(proxy_id) FROM requests WHERE due_at IS NOT NULL UNION ALL "
    "SELECT (SELECT min(proxy_id) FROM requests WHERE due_at IS NOT NULL AND proxy_id > lane) FROM lanes "
    "WHERE lane IS NOT NULL) SELECT json_group_array(lane) FROM lanes WHERE lane IS NOT NULL AND EXISTS "
    f"(SELECT 1 FROM requests WHERE proxy_id = lane AND {_DUE})"
)
"""Proxies that have something due: two looks into an index for each that has anything waiting (1.5 µs), none for what
waits besides."""
_OF_LANES: Final = (
    "SELECT json_group_array(json((SELECT json_group_array(json_array(lanes.value, id, size)) FROM (SELECT id, size "
    f"FROM requests WHERE proxy_id = lanes.value AND {_DUE} ORDER BY due_at, id LIMIT :most)))) "
    "FROM json_each(:lanes) AS lanes"
)


def due(connection: sqlite3.Connection, now: int, most: int) -> tuple[dict[str, list[Due]], int | None]:
    """By proxy, up to `most` requests each that are due, the longest due first; and when the next one will be."""
    many = _answer(connection, _MANY, now=now, few=FEW)
    lanes = _of_many(connection, now, most) if many else _of_few(connection, now, most)
    following: int | None = _answer(
        connection, "SELECT min(due_at) FROM requests WHERE due_at IS NOT NULL AND due_at > :now", now=now
    )
    return lanes, following


def _of_few(connection: sqlite3.Connection, now: int, most: int) -> dict[str, list[Due]]:
    lanes: dict[str, list[Due]] = {}
    for proxy_id, id, size in orjson.loads(_answer(connection, _ALL, now=now)):
        lane = lanes.setdefault(proxy_id, [])
        if len(lane) < most:
            lane.append(Due(id, proxy_id, size))
    return lanes


def _of_many(connection: sqlite3.Connection, now: int, most: int) -> dict[str, list[Due]]:
    names = _answer(connection, _LANES, now=now)
    most = min(most, max(LEAST_READ, MOST_READ // max(1, len(orjson.loads(names)))))
    found = orjson.loads(_answer(connection, _OF_LANES, now=now, lanes=names, most=most))
    return {lane[0][0]: [Due(id, proxy_id, size) for proxy_id, id, size in lane] for lane in found if lane}


def _answer(connection: sqlite3.Connection, sql: str, **values: object) -> Any:
    return connection.execute(sql, values).fetchone()[0]
