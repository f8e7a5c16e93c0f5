"""What a search of the request log asks for as SQL, and the place where a page ends.

Belongs here: conditions and cursors. Does not: the search itself (request_log.py).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from rrgate.store.ended import HOW, Ended

USUAL_STATUS: Final = 200
"""Those of any other are in an index."""


class Conditions:
    """SQL that rows fulfil, and its values."""

    def __init__(self, first: str = "", *values: Any) -> None:
        self._conditions = [first] if first else []
        self.values = [*values]

    def __str__(self) -> str:
        return " AND ".join(self._conditions)

    def add(self, condition: str, *values: Any) -> None:
        """One more; not if a value is None."""
        if None not in values:
            self._conditions.append(condition)
            self.values.extend(values)


def asked_for(
    proxy_id: str,
    after: int | None,
    before: int | None,
    cursor: str | None,
    status: int | None,
    method: str | None,
    ended: Ended | None,
) -> tuple[Conditions, Conditions]:
    """What rows are to be gone through, by indexes, and which of them are wanted, which is found by looking at each.

    The arguments are those of `RequestLog.list`. Raises ValueError for a cursor that is none.
    """
    within = Conditions("proxy_id = ?", proxy_id)
    # Of segments as well, so that others are not looked into.
    within.add("processed_at > ? AND ends_at > ?", after, after)
    within.add("processed_at < ? AND begins_at < ?", before, before)
    if status is not None and status != USUAL_STATUS:
        # Spelled out, so that SQLite sees that the index of unusual ones has them all.
        within.add(f"status = {int(status)} AND status <> {USUAL_STATUS}")
    if cursor is not None:
        moment, row_id = place_of(cursor)
        within.add("(processed_at, id) < (?, ?) AND begins_at <= ?", moment, row_id, moment)
    wanted = Conditions()
    if status == USUAL_STATUS:
        wanted.add("status = ?", status)
    if ended is not None:
        wanted.add(HOW[ended])
    wanted.add("method = ?", method)
    return within, wanted


def cursor_of(processed_at: int, row_id: int) -> str:
    """The cursor of a page that ends with this row. `processed_at`: milliseconds since the epoch."""
    return base64.urlsafe_b64encode(f"{processed_at}.{row_id}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> tuple[int, int]:
    """What `cursor_of` was given. Raises ValueError for what is none."""
    try:
        processed_at, _, row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).partition(b".")
        place = int(processed_at), int(row_id)
    except (ValueError, binascii.Error):
        place = (-1, -1)
    if not (0 <= place[0] < 1 << 63 and 0 <= place[1] < 1 << 63):
        raise ValueError("cursor: must be the nextCursor of an earlier answer")
    return place
