"""How much may wait to be delivered: of a proxy, of a client, in all; and how much of what is over is kept.

Belongs here: the bounds, and comparing them with what the tables have counted. Does not: counting, which triggers do
(schema.py), the room on the disk (space.py).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from attrs import frozen

from rrgate.settings import Settings

ALL: Final = ""
"""The scope of all requests; others are ids of proxies and clients."""


@frozen
class Bound:
    """Requests, and bytes of what is on disk of them."""

    requests: int
    bytes: int


_ANY: Final = Bound(2**62, 2**62)


@frozen
class EndedBounds:
    """Of requests that are over, whether or not anything is kept of them: of each client, of all."""

    client: int = 2**62
    all: int = 2**62


@frozen
class KeptBounds:
    """Of requests that are over, of which something is kept, and bytes of that: of each client, of all."""

    client: Bound
    all: Bound
    ended: EndedBounds = EndedBounds()


@frozen
class Bounds:
    """Of each proxy, of each client, of all; and of what is kept."""

    proxy: Bound
    client: Bound
    all: Bound
    kept: KeptBounds = KeptBounds(_ANY, _ANY)


NO_BOUNDS: Final = Bounds(_ANY, _ANY, _ANY)


def bounds_of(settings: Settings) -> Bounds:
    """As a gateway is set."""
    return Bounds(
        Bound(settings.async_queued_per_proxy, settings.async_queued_bytes_per_proxy),
        Bound(settings.async_queued_per_client, settings.async_queued_bytes_per_client),
        Bound(settings.async_queued, settings.async_queued_bytes),
        KeptBounds(
            Bound(settings.async_kept_per_client, settings.async_kept_bytes_per_client),
            Bound(settings.async_kept, settings.async_kept_bytes),
            EndedBounds(settings.async_ended_per_client, settings.async_ended),
        ),
    )


@frozen
class Depth:
    """What is under way: requests, bytes of these, and when that was due which has been so for the longest; what
    is kept of requests that are over, and how many these are in all."""

    requests: int
    bytes: int
    due_at: int | None
    kept: int = 0
    kept_bytes: int = 0
    ended: int = 0


def depth(connection: sqlite3.Connection) -> Depth:
    """How much waits and is kept now."""
    found = connection.execute("SELECT requests, bytes, ended FROM totals WHERE scope = ?", (ALL,)).fetchone()
    (due_at,) = connection.execute("SELECT min(due_at) FROM requests WHERE due_at IS NOT NULL").fetchone()
    kept = connection.execute("SELECT requests, bytes FROM kept_totals WHERE scope = ?", (ALL,)).fetchone()
    requests, held, ended = found or (0, 0, 0)
    kept_requests, kept_bytes = kept or (0, 0)
    return Depth(requests, held, due_at, kept_requests, kept_bytes, ended)


@frozen
class Full:
    """A request is not taken. `why`: a sentence for its caller, who is told of no other client's."""

    why: str


class Room:
    """How much more may be taken in one transaction, which nobody else's changes."""

    def __init__(self, connection: sqlite3.Connection, bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = bounds
        self._left: dict[str, list[int]] = {}
        """By scope, requests and bytes that may still be taken."""

    def take(self, proxy_id: str, client_id: str, size: int) -> Full | None:
        """Count one more, of so many bytes, head and body; or why that is too much, and then it is not counted."""
        left = self._left
        try:
            proxy, client, all = left[proxy_id], left[client_id], left[ALL]
        except KeyError:
            proxy, client, all = (
                left.setdefault(scope, self._left_of(scope, bound))
                for scope, bound in (
                    (proxy_id, self._bounds.proxy), (client_id, self._bounds.client), (ALL, self._bounds.all)
                )
            )  # fmt: skip
        for scope, whose in ((proxy, "This proxy"), (client, "This client"), (all, "The gateway")):
            if scope[0] < 1 or scope[1] < size:
                return Full(f"{whose} has as much waiting to be delivered as may be; this request was not taken")
        for scope in (proxy, client, all):
            scope[0] -= 1
            scope[1] -= size
        return None

    def _left_of(self, scope: str, bound: Bound) -> list[int]:
        found = self._connection.execute("SELECT requests, bytes FROM totals WHERE scope = ?", (scope,)).fetchone()
        requests, held = found or (0, 0)
        return [bound.requests - requests, bound.bytes - held]
