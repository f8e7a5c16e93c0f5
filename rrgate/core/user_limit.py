"""`UserLimit`: how many requests a user may make of the Core API in a minute.

Belongs here: that limit, and its 429. Does not: limits of proxies and clients (plugins), wrong tokens (attempts.py).
"""

from __future__ import annotations

from rrgate.api import CountsRequests, Limit, Quota, Window
from rrgate.core.answers import Refused


class UserLimit:
    """Of one gateway; all processes of a node count together."""

    def __init__(self, counters: CountsRequests, most: int) -> None:
        """`most`: requests of a user in a minute; 0 is any number."""
        self._counters = counters
        self._limits = (Limit(Window.MINUTE, most),) if most else ()
        self._quotas: dict[str, tuple[Quota]] = {}

    def forget(self, user_id: str) -> None:
        """There is no such user any more."""
        self._quotas.pop(user_id, None)

    def take(self, user_id: str) -> None:
        """Count a request of this user. Raises Refused with 429 where there is no room for it."""
        if not self._limits:
            return
        quotas = self._quotas.get(user_id)
        if quotas is None:
            quotas = self._quotas[user_id] = (Quota(self._counters.counter("user", user_id), self._limits),)
        taken = self._counters.take(quotas)
        if taken is None or not taken.refused:
            return
        reached = taken.refused[0]
        most = f"{reached.limit.most:.0f}"
        raise Refused(
            429,
            f"You have {most} requests a minute; wait {reached.seconds} seconds.",
            headers=(
                ("Retry-After", str(reached.seconds)),
                ("X-RateLimit-Limit", most),
                ("X-RateLimit-Remaining", "0"),
            ),
        )
