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
        help="Attempts under way at one time; each holds its request's body in memory.",
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
