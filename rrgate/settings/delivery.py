"""Settings of the Async API: how much is under way at one time, and how long what has ended is kept.

Belongs here: rows of the table. Does not: when a request is tried again (`proxyRetryPolicy`).
"""

from __future__ import annotations

from attrs import frozen

from rrgate.settings import values
from rrgate.settings.row import setting


@frozen(kw_only=True, slots=False)
class DeliverySettings:
    """What is true of all requests that are taken to be delivered later."""

    async_in_flight: int = setting(
        values.whole(1, 10_000),
        100,
        unit="attempts",
        where="Async API",
        help="Attempts under way at one time; each holds its request's body in memory, until what came of it is "
        "written down.",
    )
    async_in_flight_per_target: int = setting(
        values.whole(1, 10_000), 10, unit="attempts", where="Async API", help="The same for each target."
    )
    async_answers_hours: int = setting(
        values.whole(1, 8760),
        24,
        unit="hours",
        where="Async API",
        help="How long a request that was delivered or cancelled is kept, with its answer.",
    )
    async_dead_letters_hours: int = setting(
        values.whole(1, 8760),
        168,
        unit="hours",
        where="Async API",
        help="How long a request is kept that was not delivered, or may not have been.",
    )
    async_queued: int = setting(
        values.whole(1, 1_000_000_000),
        1_000_000,
        unit="requests",
        where="Async API",
        help="Requests that may be under way in all; beyond, new ones are answered 503.",
    )
    async_queued_per_client: int = setting(
        values.whole(1, 1_000_000_000), 500_000, unit="requests", where="Async API", help="The same of each client."
    )
    async_queued_per_proxy: int = setting(
        values.whole(1, 1_000_000_000), 200_000, unit="requests", where="Async API", help="The same of each proxy."
    )
    async_queued_bytes: int = setting(
        values.whole(1, 2**50),
        8 * 1024**3,
        unit="bytes",
        where="Async API",
        help="What requests under way may have, head and body, in all; beyond, new ones are answered 503.",
    )
    async_queued_bytes_per_client: int = setting(
        values.whole(1, 2**50), 4 * 1024**3, unit="bytes", where="Async API", help="The same of each client."
    )
    async_queued_bytes_per_proxy: int = setting(
        values.whole(1, 2**50), 1024**3, unit="bytes", where="Async API", help="The same of each proxy."
    )
    async_kept: int = setting(
        values.whole(1, 1_000_000_000),
        4_000_000,
        unit="requests",
        where="Async API",
        help="Ended requests of which answer or body are kept in all; beyond, those of the oldest are removed.",
    )
    async_kept_per_client: int = setting(
        values.whole(1, 1_000_000_000), 1_000_000, unit="requests", where="Async API", help="The same of each client."
    )
    async_kept_bytes: int = setting(
        values.whole(1, 2**50),
        8 * 1024**3,
        unit="bytes",
        where="Async API",
        help="What these may have on disk in all; beyond, those of the oldest are removed.",
    )
    async_kept_bytes_per_client: int = setting(
        values.whole(1, 2**50), 2 * 1024**3, unit="bytes", where="Async API", help="The same of each client."
    )
    async_ended: int = setting(
        values.whole(1, 1_000_000_000),
        20_000_000,
        unit="requests",
        where="Async API",
        help="Ended requests and callbacks in all; beyond, the oldest are removed whole, also before their hours.",
    )
    async_ended_per_client: int = setting(
        values.whole(1, 1_000_000_000), 10_000_000, unit="requests", where="Async API", help="The same of each client."
    )
    async_free_disk: int = setting(
        values.whole(0, 2**50),
        256 * 1024**2,
        unit="bytes",
        where="Async API",
        help="What must be free on the disk of `data`; with less, new requests are answered 503.",
    )
