"""`gateway_metrics`: which parts of a gateway its metrics are read from.

Belongs here: the figures that are asked for at a scrape. Does not: their text (metrics/exposition.py), counting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rrgate.entrance import Entrance
from rrgate.journal import Journal
from rrgate.metrics.exposition import Level, Metrics, Total
from rrgate.metrics.outside_calls import Outcomes
from rrgate.wire.listener import CallerListener
from rrgate.wire.pool import Pool


def gateway_metrics(
    outcomes: Outcomes,
    events: Mapping[str, int],
    *,
    is_ready: Callable[[], bool],
    listener: CallerListener,
    entrance: Entrance,
    pool: Pool,
    journal: Journal,
) -> Metrics:
    """The metrics of the gateway that has these parts."""
    return Metrics(
        journal.figures,
        outcomes,
        events,
        levels=(
            Level("rrgate_ready", "1 while the gateway takes requests, 0 while it starts or drains.", is_ready),
            Level(
                "rrgate_requests_in_flight",
                "Requests under way.",
                lambda: listener.in_flight + entrance.in_flight,
            ),
            Level("rrgate_caller_connections", "Connections of callers.", lambda: len(listener.connections)),
            Level("rrgate_pool_idle_connections", "Connections to targets, kept for the next.", lambda: pool.idle),
            Level("rrgate_journal_waiting_rows", "Rows that are not in the request log yet.", lambda: journal.lag),
        ),
        totals=(
            Total("rrgate_journal_written_rows", "Rows written to the request log.", lambda: journal.written),
            Total("rrgate_journal_shed_rows", "Rows that the request log will never have.", lambda: journal.shed),
        ),
    )
