"""`Attempts`: how many wrong tokens and wrong codes an address may show in a minute.

Belongs here: counting them, and 429. Does not: whose address it is (gateway.py), what is wrong (authentication.py).

Tokens and codes cannot be guessed, whatever number of times one may try; this keeps those who try anyway quiet. So that
they do not shut out others behind their address, a token that was good there before stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

from rrgate.core.answers import Refused

MOST: Final = 30
"""Wrong ones in a window."""
WINDOW: Final = 60
"""Seconds, from the first wrong one."""
MOST_ADDRESSES: Final = 10_000
"""Kept at a time; beyond, the oldest are forgotten."""


class Attempts:
    """Of one gateway."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: seconds since the epoch."""
        self._wall = wall
        self._wrong: dict[str, tuple[float, int]] = {}
        self._good: dict[tuple[str, bytes], None] = {}

    def check(self, address: str, shown: bytes = b"") -> None:
        """Raises Refused with 429 if `address` has shown too many. `shown`: the hash of the token that it shows."""
        place = _place(address)
        until, count = self._now(place)
        if count >= MOST and (place, shown) not in self._good:
            seconds = max(1, int(until - self._wall()) + 1)
            raise Refused(
                429,
                "Too many wrong tokens or codes came from this address; wait a minute.",
                headers=(("Retry-After", str(seconds)),),
            )

    def wrong(self, address: str) -> None:
        """`address` has shown one that is none."""
        place = _place(address)
        until, count = self._now(place)
        self._wrong.pop(place, None)
        self._wrong[place] = (until, count + 1)
        if len(self._wrong) > MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def good(self, address: str, shown: bytes) -> None:
        """The token with the hash `shown` was good at `address`."""
        key = (_place(address), shown)
        if key not in self._good:
            if len(self._good) >= MOST_ADDRESSES:
                del self._good[next(iter(self._good))]
            self._good[key] = None

    def _now(self, place: str) -> tuple[float, int]:
        """Until when the window of `place` lasts, and how many there were in it."""
        now = self._wall()
        until, count = self._wrong.get(place, (0.0, 0))
        # A clock that is set back prolongs nothing.
        if not now < until <= now + WINDOW:
            return now + WINDOW, 0
        return until, count


def _place(address: str) -> str:
    """What counts as one address: of IPv6 a whole /64, which is what a single host is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or ip_network((parsed, 64), strict=False))
