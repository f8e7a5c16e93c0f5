"""The queue as rows, for people: cancelling, sending again, and calls that told of a request's end.

Belongs here: SQL on an open transaction, as states.py says. Does not: the steps of a delivery (table.py), what is done
with them (managing.py).
"""

from __future__ import annotations

import sqlite3

from rrgate.delivery import states
from rrgate.delivery.making_room import NotKept
from rrgate.delivery.schema import DEAD
from rrgate.delivery.table import ROW, Keep, Row, read, row_of, save


def cancel(connection: sqlite3.Connection, id: int, now: int, keep: Keep) -> Row:
    """It is not to be sent any more. Raises WrongState, LookupError."""
    before = read(connection, id)
    return save(connection, before, states.cancelled(before.progress), now, keep, "It was cancelled")


def replay(connection: sqlite3.Connection, id: int, now: int, keep: Keep, window: int) -> Row:
    """It is to be sent again, from the start; its answer so far is no more. Raises WrongState, LookupError; NotKept for
    one that was removed early."""
    before = read(connection, id)
    progress = states.replayed(before.progress, now, window)
    if removed_early(connection, id):
        raise NotKept("what was sent is no longer kept: it was removed to make room for others")
    connection.execute("DELETE FROM answers WHERE request = ?", (id,))
    return save(connection, before, progress, now, keep, None)


def removed_early(connection: sqlite3.Connection, id: int) -> bool:
    """Whether what was kept of it was removed before its time."""
    found = connection.execute("SELECT removed_early FROM requests WHERE id = ?", (id,)).fetchone()
    return found is not None and bool(found[0])


def dead(
    connection: sqlite3.Connection,
    proxy_id: str,
    after: int | None,
    before: int | None,
    behind: tuple[int, int] | None,
    most: int,
) -> list[Row]:
    """Up to `most` of a proxy's requests that may be replayed, were taken after and before these, exclusively, and come
    `behind` (when it was taken, its number) that one; in this order."""
    behind = behind or (0, 0)
    # SQLite seeks by the one bound on the time alone.
    least = max(behind[0] - 1, -1 if after is None else after)
    rows = connection.execute(
        f"SELECT {ROW} FROM requests WHERE proxy_id = ? AND {DEAD} AND (accepted_at, id) > (?, ?) "
        "AND accepted_at > ? AND accepted_at < ? ORDER BY accepted_at, id LIMIT ?",
        (proxy_id, *behind, least, 2**62 if before is None else before, most),
    )
    return [row_of(row) for row in rows]


def callback_of(connection: sqlite3.Connection, id: int) -> Row | None:
    """The last call that told of the end of the request of that number."""
    found = connection.execute(
        f"SELECT {ROW} FROM requests WHERE callback_of = ? ORDER BY id DESC LIMIT 1", (id,)
    ).fetchone()
    return None if found is None else row_of(found)
