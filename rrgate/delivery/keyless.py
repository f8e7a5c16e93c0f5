"""`Keyless`: requests that cannot be opened because a key is not at hand: they wait for it, and their time with them.

Belongs here: for how long, and telling the operator. Does not: what is broken itself, which no key mends (courier.py).
"""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

from rrgate.delivery.queue import Queue
from rrgate.store.errors import BrokenSecret, SecretError

WAIT: Final = 30_000
"""Milliseconds until it is tried again."""
SAID_FOR: Final = 60_000
"""Milliseconds for which nothing more is said of it."""


class Keyless:
    """One object a courier; on the reactor's thread."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._said_at: int | None = None
        self._log = Logger("rrgate.delivery")

    async def waits(self, lane: str, error: SecretError) -> bool:
        """Whether it is for want of a key, then what is due of that lane waits. Raises sqlite3.Error."""
        if isinstance(error, BrokenSecret):
            return False
        now = self._queue.now()
        if self._said_at is None or now - self._said_at >= SAID_FOR:
            self._said_at = now
            self._log.error("what proxy {proxy} has to deliver waits for a key: {error}", proxy=lane, error=error)
        await self._queue.put_off(lane, WAIT)
        return True
