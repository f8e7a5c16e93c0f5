"""`Upstream`: what the pipeline sends with, and the ways in which that fails.

Belongs here: the interface and its errors, so that the pipeline need not know the wire. Does not: any sending.
"""

from __future__ import annotations

from typing import Protocol

from rrgate.exchange import Exchange


class TargetError(Exception):
    """The target did not answer as it should; the text is fit for a caller, and holds nothing of the target's."""


class TargetUnreachable(TargetError):
    """No connection, or one that closed before its answer."""


class TargetBroken(TargetError):
    """An answer that is no HTTP, or broke off in its head."""


class TargetTimeout(TargetError):
    """No answer in time."""


class Upstream(Protocol):
    """Sends requests to targets. `rrgate.wire.pool` is one; tests have their own."""

    async def send(self, ex: Exchange) -> None:
        """Send `ex.target_request` and set `ex.response`, whose body comes as it comes.

        Raises TargetError; BodyBroken or BodyTooLarge if the caller's body ended so. Cancelling cuts the target off.
        """
