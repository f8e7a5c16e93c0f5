"""Rows of a batch on their way into the request log: the statements that put many of them into their segments.

Belongs here: SQL that inserts rows, on an open transaction. Does not: which segment a row is in (segments.py), reading
rows, bodies and telemetry (request_log.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final

from rrgate.store.ended import TELLS_MORE
from rrgate.store.log_rows import LogRow
from rrgate.store.segments import begin_next, by_segment

COLUMNS: Final = ", ".join(LogRow._fields)

# Many rows in one statement: `executemany` gives the GIL away and takes it back for each row, which makes the reactor's
# thread and this one hand it to and fro; and each statement copies every page that it changes, which rows of many
# proxies share only with others of a whole batch.
_AT_ONCE: Final = (500, 100)


def append_rows(connection: sqlite3.Connection, rows: Sequence[LogRow]) -> None:
    """Write `rows`, which are some. Raw: sqlite-utils' insert_all costs 5 µs a row more."""
    for segment, those in by_segment(connection, rows).items():
        for at_once in _AT_ONCE:
            while len(those) >= at_once:
                values = chain.from_iterable(those[:at_once])
                connection.execute(_append(at_once), (segment, *values))
                those = those[at_once:]
        connection.executemany(_append(1), [(segment, *row) for row in those])
    begin_next(connection, len(rows))


@cache
def _append(rows: int) -> str:
    """SQL that writes so many rows into the segment that comes first. A request that is told of again (asynchronous,
    when it ends) keeps its row; of its beginning another process may have told more before."""
    one = f"(?1, {', '.join('?' * len(LogRow._fields))})"
    changed = (f"{name} = excluded.{name}" for name in ("segment", *LogRow._fields) if name != "request_id")
    return (
        f"INSERT INTO requests (segment, {COLUMNS}) VALUES {', '.join([one] * rows)} "
        f"ON CONFLICT (request_id) DO UPDATE SET {', '.join(changed)} "
        f"WHERE {TELLS_MORE}"
    )
