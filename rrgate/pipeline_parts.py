"""What the pipeline hands requests over to, as interfaces: targets, the log, and the Async API.

Belongs here: these interfaces. Does not: what is behind them (wire/pool.py, journal.py, delivery/).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from rrgate.exchange import Exchange
from rrgate.messages import Reply

ASYNC: Final = b"/async/"
"""What paths of the Async API begin with."""
OURS: Final = b"/.requests"
"""The first segment behind a proxy's address on the Async API that is the gateway's own."""


class Upstream(Protocol):
    """Sends requests to targets. `rrgate.wire.pool` is one; tests have their own."""

    async def send(self, ex: Exchange) -> None:
        """Send `ex.target_request` and set `ex.response`, whose body comes as it comes.

        Raises TargetError; BodyBroken or BodyTooLarge if the caller's body ended so. Cancelling cuts the target off.
        """


class Records(Protocol):
    """Where finished requests go."""

    def put(self, ex: Exchange) -> None:
        """Write it down, later; never raises, never waits."""

    def shown(self, ex: Exchange) -> Mapping[str, object]:
        """The record of it, as lists show it, made when it is read. Never raises; reading may."""


class Admits(Protocol):
    """Whether there is a place for a request."""

    def refusal(self) -> Reply | None:
        """What a request is answered that there is no place for at all."""

    def take(self, ex: Exchange) -> Reply | None:
        """Count `ex` for its proxy and target; what it is answered if they have too many under way. Asked right after
        `refusal`. It is counted, refused or not, until `leave_place`."""


class _Boundless:
    """There always is."""

    def refusal(self) -> None: ...
    def take(self, ex: Exchange) -> None: ...


BOUNDLESS: Final[Admits] = _Boundless()
"""For requests that are not to be counted."""


class Accepts(Protocol):
    """The Async API."""

    async def accept(self, ex: Exchange) -> Reply:
        """Take a request that may pass; the answer. Raises BodyTooLarge or BodyBroken."""

    def recorded(self, ex: Exchange) -> None:
        """The log was given the record of a request that was to be taken, whatever its caller was answered."""

    async def show(self, ex: Exchange) -> Reply:
        """Answer a question about requests that were taken, to a caller that is known."""


def leave_place(ex: Exchange) -> None:
    """Count `ex` no longer, if it was: it is over, or has become a WebSocket, which may last for days."""
    place, ex.place = ex.place, None
    if place is not None:
        proxy, target, places = place
        proxy.now -= 1
        target.now -= 1
        if places.holding:
            places.let_go(ex, proxy)


def asks_of_requests(ex: Exchange) -> bool:
    """Whether it is such a question, and nothing for a target."""
    return ex.is_async and (ex.origin_path == OURS or ex.origin_path.startswith(OURS + b"/"))
