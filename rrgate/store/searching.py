"""What a search of the request log asks for as SQL, and the place where a page ends.

Belongs here: conditions and cursors. Does not: the search itself (request_log.py).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any


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
