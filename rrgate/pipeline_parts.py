"""What the pipeline hands requests over to, as interfaces: the log, and the Async API.

Belongs here: these interfaces. Does not: what is behind them (journal.py, delivery/), sending (upstream.py).
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


class Records(Protocol):
    """Where finished requests go."""

    def put(self, ex: Exchange) -> None:
        """Write it down, later; never raises, never waits."""

    def shown(self, ex: Exchange) -> Mapping[str, object]:
        """The record of it, as lists show it, made when it is read. Never raises; reading may."""


class Accepts(Protocol):
    """The Async API."""

    async def accept(self, ex: Exchange) -> Reply:
        """Take a request that may pass; the answer. Raises BodyTooLarge or BodyBroken."""

    async def show(self, ex: Exchange) -> Reply:
        """Answer a question about requests that were taken, to a caller that is known."""


def asks_of_requests(ex: Exchange) -> bool:
    """Whether it is such a question, and nothing for a target."""
    return ex.is_async and (ex.origin_path == OURS or ex.origin_path.startswith(OURS + b"/"))
