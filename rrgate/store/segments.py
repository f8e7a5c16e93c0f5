"""Segments of the request log: spans of time, each with so many rows, in each of which rows lie by proxy.

Belongs here: which segment a row is in, when a new one begins, which are done with. Does not: rows (request_log.py),
how long they are kept (tidying.py).

Rows of thousands of proxies, were they by proxy in the whole log, would each be written to a place of its own: 30 µs
a row in place of 5. In a segment that is small those places are few and lie beside each other, and only the newest
grows. Who reads a proxy's rows goes from segment to segment, 5 µs each.

Segments do not overlap in time, so that the newest first, and in each the newest row first, is in order of time. A
segment ends with the newest row that is in it, and the next begins right behind; what comes late is put where its time
says. The oldest begins at 0. So a row's segment follows from its time, and stays the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

SEGMENT_ROWS: Final = 8192
"""Of a segment with many proxies."""
FEW_PROXIES: Final = 64
"""Rows of so few are written to few places anyhow."""
MOST_SEGMENT_ROWS: Final = 32 * SEGMENT_ROWS
"""Of a segment with few: who reads a proxy that is called seldom goes through fewer of them."""
_OPEN: Final = 1 << 62
"""The end of the newest."""


class _Row(Protocol):
    @property
    def processed_at(self) -> int: ...

    @property
    def client_id(self) -> str: ...


Row = TypeVar("Row", bound=_Row)


def by_segment(connection: sqlite3.Connection, rows: Sequence[Row]) -> Mapping[int, Sequence[Row]]:
    """`rows`, which are some, by the segment that each belongs in; it is noted whose there are in each.

    Called in the transaction in which they are then written, which must be open.
    """
    number, begins_at = connection.execute(
        "SELECT number, begins_at FROM segments ORDER BY number DESC LIMIT 1"
    ).fetchone()
    found: dict[int, Sequence[Row]] = {}
    if min([row.processed_at for row in rows]) >= begins_at:
        found[number] = rows
    else:
        placed: dict[int, list[Row]] = {}
        for row in rows:
            at = number if row.processed_at >= begins_at else _segment_at(connection, row.processed_at)
            placed.setdefault(at, []).append(row)
        found.update(placed)
    of_clients = [(client, segment) for segment, those in found.items() for client in {row.client_id for row in those}]
    connection.executemany("INSERT OR IGNORE INTO segment_clients VALUES (?, ?)", of_clients)
    return found


def _segment_at(connection: sqlite3.Connection, moment: int) -> int:
    found = connection.execute(
        "SELECT number FROM segments WHERE begins_at <= ? ORDER BY number DESC LIMIT 1", (max(moment, 0),)
    ).fetchone()
    number: int = found[0]
    return number


def begin_next(connection: sqlite3.Connection, written: int) -> None:
    """Begin a new segment if the newest has become full by the rows, so many, that were written in the transaction
    that is open."""
    number, begun = connection.execute(
        "SELECT number, coalesce((SELECT max(id) FROM requests), 0) - first_id + 1 FROM segments "
        "ORDER BY number DESC LIMIT 1"
    ).fetchone()
    # Looked at once in so many rows.
    if begun // SEGMENT_ROWS == (begun - written) // SEGMENT_ROWS:
        return
    proxies, last = connection.execute(_OF_PROXIES, {"segment": number, "few": FEW_PROXIES}).fetchone()
    if proxies <= FEW_PROXIES:
        if begun < MOST_SEGMENT_ROWS:
            return
    else:
        (last,) = connection.execute("SELECT max(processed_at) FROM requests WHERE segment = ?", (number,)).fetchone()
    if last is None:  # all of them were older: the clock has been set back
        return
    connection.execute("UPDATE segments SET ends_at = ? WHERE number = ?", (last + 1, number))
    connection.execute(
        "INSERT INTO segments SELECT ?, ?, ?, max(id) + 1 FROM requests", (number + 1, last + 1, _OPEN)
    )


_OF_PROXIES: Final = """
    WITH RECURSIVE proxies (place, id) AS (
        SELECT 1, (SELECT min(proxy_id) FROM requests WHERE segment = :segment)
        UNION ALL
        SELECT place + 1, (SELECT min(proxy_id) FROM requests WHERE segment = :segment AND proxy_id > proxies.id)
        FROM proxies WHERE proxies.id IS NOT NULL AND place <= :few
    )
    SELECT count(id), max((SELECT max(processed_at) FROM requests WHERE segment = :segment AND proxy_id = proxies.id))
    FROM proxies
"""
"""How many proxies a segment has, one more than few standing for all that are more; and their newest row's time."""


def drop_empty(connection: sqlite3.Connection) -> None:
    """Forget the oldest segments that have no rows, in the transaction that is open."""
    (oldest,) = connection.execute("SELECT min(segment) FROM requests").fetchone()
    if oldest is None or not connection.execute("DELETE FROM segments WHERE number < ?", (oldest,)).rowcount:
        return
    connection.execute("DELETE FROM segment_clients WHERE segment < ?", (oldest,))
    connection.execute("UPDATE segments SET begins_at = 0 WHERE number = ?", (oldest,))


def next_client(connection: sqlite3.Connection, behind: str) -> str | None:
    """The first client that has rows, behind another in their order; None behind the last."""
    found = connection.execute("SELECT min(client_id) FROM segment_clients WHERE client_id > ?", (behind,)).fetchone()
    client: str | None = found[0]
    return client


def begun_before(connection: sqlite3.Connection, client_id: str, moment: int) -> list[int]:
    """The segments with rows of a client that begin before a moment, the oldest first."""
    found = connection.execute(
        "SELECT number FROM segment_clients JOIN segments ON number = segment "
        "WHERE client_id = ? AND begins_at < ? ORDER BY number",
        (client_id, moment),
    )
    return [number for (number,) in found]


def next_proxy(connection: sqlite3.Connection, segment: int, behind: str | None) -> tuple[str, str] | None:
    """The first proxy with rows in a segment, and its client, behind another in their order; None behind the last."""
    sql = "SELECT proxy_id, client_id FROM requests WHERE segment = ? {} ORDER BY proxy_id LIMIT 1"
    if behind is None:
        found = connection.execute(sql.format(""), (segment,)).fetchone()
    else:
        found = connection.execute(sql.format("AND proxy_id > ?"), (segment, behind)).fetchone()
    return None if found is None else (found[0], found[1])


def forget_client(connection: sqlite3.Connection, client_id: str, segment: int, moment: int) -> None:
    """A client has no more rows in a segment that are older than a moment: it is not looked into again if none that is
    younger can be there."""
    connection.execute(
        "DELETE FROM segment_clients WHERE client_id = ? AND segment = ? "
        "AND (SELECT ends_at FROM segments WHERE number = segment) <= ?",
        (client_id, segment, moment),
    )
