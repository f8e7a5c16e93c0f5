"""`Deliveries`: what the Core API asks of requests that were taken to be delivered later.

Belongs here: the interface between the two planes. Does not: what carries it out (delivery/managing.py), routes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from attrs import frozen

Document = Mapping[str, Any]

REPEATABLE: Final = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"))
"""Methods of requests that may be sent again although nobody knows whether they have arrived."""


class NotNow(Exception):
    """What was asked for does not happen to a request in the state that it is in; the text says which."""


@frozen
class Replayed:
    """How many requests are to be sent again; `behind`: where to go on, None where that were all."""

    count: int
    behind: tuple[int, int] | None


class Deliveries(Protocol):
    """All on the reactor's thread. A request is named by its proxy and its id; None: there is none, or it is no longer
    kept. Documents are the published form: state, attempts, moments. What cannot be read or written raises
    sqlite3.Error or OSError."""

    async def told(self, proxy_id: str, request_id: str) -> Document | None:
        """How far it has come."""

    async def cancel(self, proxy_id: str, request_id: str) -> Document | None:
        """It is not to be sent any more. Raises NotNow for what is being sent, or is over."""

    async def replay(self, proxy_id: str, request_id: str) -> Document | None:
        """It is to be sent again, from the start. Raises NotNow for what is under way, or was delivered."""

    async def replay_all(
        self,
        proxy_id: str,
        states: Collection[str],
        after: int | None,
        before: int | None,
        behind: tuple[int, int] | None,
    ) -> Replayed:
        """The same for those of a proxy in one of `states` that came after and before so many milliseconds since the
        epoch, exclusively; some at a time, the oldest first."""
