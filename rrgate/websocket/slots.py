"""`Slots`: how many WebSockets may be open at one time, and how many of them may be one proxy's.

Belongs here: counting, and when it is enough. Does not: requests, of which a WebSocket is none any more.

A proxy may have as many open as could still be opened: alone half of all, of two a third each, and who has none gets
any that is left. So no proxy takes all, and nothing is kept free for who does not come.
"""

from __future__ import annotations

from collections import Counter


class Slots:
    """Those of one listener."""

    def __init__(self, most: int) -> None:
        self.open = 0
        self._most = most
        self._of: Counter[str] = Counter()

    def full(self, proxy_id: str) -> str:
        """Why `proxy_id` can open no more, or nothing."""
        left = self._most - self.open
        if left <= 0:
            return "The gateway has as many WebSockets open as it takes"
        own = self._of.get(proxy_id, 0)
        return "This proxy has too many WebSockets open" if own and own >= left else ""

    def take(self, proxy_id: str) -> None:
        """One more."""
        self.open += 1
        self._of[proxy_id] += 1

    def give_back(self, proxy_id: str) -> None:
        """One less."""
        self.open -= 1
        self._of[proxy_id] -= 1
        if not self._of[proxy_id]:
            del self._of[proxy_id]
