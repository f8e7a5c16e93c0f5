"""The two changes that nearly every request goes through, being sent and being delivered: of many with one statement.

Belongs here: these, as states.py says. Does not: all other changes (`save_all` in table.py), what else an end brings
with it. What is not said here of a row stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from rrgate.delivery import untold
from rrgate.delivery.counting import add_ended, add_kept
from rrgate.delivery.many_rows import marks, pieces
from rrgate.delivery.states import Progress
from rrgate.delivery.table import Keep, Row, begin_attempts


def send_all(connection: sqlite3.Connection, begun: Sequence[tuple[Row, Progress]], now: int) -> list[Row]:
    """Of each an attempt begins. The rows as they are then."""
    begin_attempts(connection, [(row.id, progress.attempts, now) for row, progress in begun])
    for some in pieces([row.id for row, _ in begun]):
        connection.execute(
            "UPDATE requests SET state = 'sending', attempts = attempts + 1, due_at = NULL, problem = NULL "
            f"WHERE id IN {marks(len(some))}",
            some,
        )
    return [_changed(row, progress, None, None) for row, progress in begun]


def deliver_all(
    connection: sqlite3.Connection,
    delivered: Sequence[tuple[Row, Progress]],
    kept: Mapping[int, int],
    now: int,
    keep: Keep,
) -> list[Row]:
    """Each has succeeded, and had not ended before. `kept`: by number, bytes of the answers that are kept of them."""
    for some in pieces([row.id for row, _ in delivered]):
        connection.execute(
            "UPDATE requests SET state = 'succeeded', problem = NULL, ended_at = ?, keep_until = ?, "
            f"counted = NOT counted WHERE id IN {marks(len(some))}",
            (now, now + keep.others, *some),
        )
        untold.remember(connection, some)
        connection.execute(f"DELETE FROM payloads WHERE request IN {marks(len(some))}", some)
    add_ended(connection, [(row.proxy_id, row.client_id, row.size) for row, _ in delivered])
    add_kept(connection, [(row.client_id, now, row.id, kept[row.id]) for row, _ in delivered if row.id in kept])
    return [_changed(row, progress, None, now) for row, progress in delivered]


def _changed(row: Row, progress: Progress, problem: str | None, ended_at: int | None) -> Row:
    return Row(
        row.id,
        row.request_id,
        row.proxy_id,
        row.client_id,
        row.size,
        row.accepted_at,
        progress,
        problem,
        ended_at,
    )
