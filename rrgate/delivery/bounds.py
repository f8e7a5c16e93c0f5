"""How much may wait to be delivered: of a proxy, of a client, in all.

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
    """Requests that are under way, and bytes of their bodies."""

    requests: int
    bytes: int


@frozen
class Bounds:
    """Of each proxy, of each client, of all."""

    proxy: Bound
    client: Bound
    all: Bound


_ANY: Final = Bound(2**62, 2**62)
NO_BOUNDS: Final = Bounds(_ANY, _ANY, _ANY)


def bounds_of(settings: Settings) -> Bounds:
    """As a gateway is set."""
    return Bounds(
        Bound(settings.async_queued_per_proxy, settings.async_queued_bytes_per_proxy),
        Bound(settings.async_queued_per_client, settings.async_queued_bytes_per_client),
        Bound(settings.async_queued, settings.async_queued_bytes),
    )


@frozen
class Depth:
    """What is under way: requests, bytes of their bodies, and when that was due which has been so for the longest."""

    requests: int
    bytes: int
    due_at: int | None


def depth(connection: sqlite3.Connection) -> Depth:
    """How much waits now."""
    found = connection.execute("SELECT requests, bytes FROM totals WHERE scope = ?", (ALL,)).fetchone()
    (due_at,) = connection.execute("SELECT min(due_at) FROM requests WHERE due_at IS NOT NULL").fetchone()
    requests, held = found or (0, 0)
    return Depth(requests, held, due_at)


@frozen
class Full:
    """A request is not taken. `why`: a sentence for its caller, who is told of no other client's."""

    why: str


def full(connection: sqlite3.Connection, bounds: Bounds, proxy_id: str, client_id: str, size: int) -> Full | None:
    """Whether one more, with a body of so many bytes, is too much."""
    found = connection.execute(
        "SELECT scope, requests, bytes FROM totals WHERE scope IN (?, ?, ?)", (proxy_id, client_id, ALL)
    )
    counted = {scope: (requests, held) for scope, requests, held in found}
    for scope, bound, whose in (
        (proxy_id, bounds.proxy, "This proxy"),
        (client_id, bounds.client, "This client"),
        (ALL, bounds.all, "The gateway"),
    ):
        requests, held = counted.get(scope, (0, 0))
        if requests >= bound.requests or held + size > bound.bytes:
            return Full(f"{whose} has as much waiting to be delivered as may be; this request was not taken")
    return None
