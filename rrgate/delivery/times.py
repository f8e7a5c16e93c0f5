"""`DeliveryTime`: the time by which requests wait and are given up: nobody can set it, and it goes on over restarts.

Belongs here: this clock, in whole milliseconds. Does not: timers (the reactor's).

It is the time since the machine was started (CLOCK_BOOTTIME, which also runs while the machine sleeps), counted from
the wall's time when the queue was first opened since then. So it looks like the wall's time, but a wall clock that is
set forth or back neither ends a request's window nor holds it up.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class DeliveryTime:
    """Callable on any thread."""

    def __init__(self, since: Callable[[], float], offset: int) -> None:
        """`since`: seconds that only go forward. `offset`: milliseconds from where they begin to the epoch."""
        self._since = since
        self._offset = offset

    def __call__(self) -> int:
        """Milliseconds since the epoch, as this clock has them."""
        return int(self._since() * 1000) + self._offset

    @classmethod
    def of(cls, connection: sqlite3.Connection, wall: Callable[[], float]) -> DeliveryTime:
        """The time of the queue that is open in a transaction; every process of one boot has the same."""
        boot = boot_id()
        known = connection.execute("SELECT boot, offset FROM times").fetchone()
        if known is not None and known[0] == boot and boot:
            return cls(boottime, known[1])
        since = int(boottime() * 1000)
        # A machine may start with a clock that is behind: what waits would wait for that, too.
        offset = max(int(wall() * 1000), _last(connection)) - since
        if known is not None and known[0] == boot:
            offset = max(offset, known[1])  # it may be the same start, and then it does not go back
        connection.execute("INSERT OR REPLACE INTO times (id, boot, offset) VALUES (1, ?, ?)", (boot, offset))
        return cls(boottime, offset)


def _last(connection: sqlite3.Connection) -> int:
    """A moment that has been, as late as is known of what waits; 0 where nothing is."""
    taken = connection.execute("SELECT accepted_at FROM requests ORDER BY id DESC LIMIT 1").fetchone()
    tried = connection.execute(
        "SELECT max(started_at) FROM attempts WHERE request IN (SELECT id FROM requests WHERE due_at IS NOT NULL "
        "UNION ALL SELECT id FROM requests WHERE state = 'sending')"
    ).fetchone()
    return max(0 if taken is None else int(taken[0]), tried[0] or 0)


def boottime() -> float:
    """Seconds since the machine was started, those in which it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """What tells this start of the machine from any other; empty where the system does not say (in a sandbox, say)."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
