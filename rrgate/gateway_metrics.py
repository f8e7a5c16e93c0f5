"""`gateway_metrics`: which parts of a gateway its metrics are read from.

Belongs here: the figures that are asked for at a scrape. Does not: their text (metrics/exposition.py), counting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rrgate.entrance import Entrance
from rrgate.journal import Journal
from rrgate.metrics.exposition import Level, Metrics, Total
from rrgate.metrics.outside_calls import Outcomes
from rrgate.opened_delivery import OpenedDelivery
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
    delivery: OpenedDelivery,
    refused: Mapping[str, int],
) -> Metrics:
    """The metrics of the gateway that has these parts."""
    queue, worker = delivery.queue, delivery.worker
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
            Level("rrgate_open_websockets", "WebSockets that are open.", lambda: listener.websockets.open),
            Level("rrgate_caller_connections", "Connections of callers.", lambda: len(listener.connections)),
            Level("rrgate_pool_idle_connections", "Connections to targets, kept for the next.", lambda: pool.idle),
            Level("rrgate_journal_waiting_rows", "Rows that are not in the request log yet.", lambda: journal.lag),
            Level(
                "rrgate_async_waiting_requests",
                "Asynchronous requests that have not ended, and callbacks; of the process that delivers.",
                lambda: queue.depth.requests,
            ),
            Level("rrgate_async_waiting_bytes", "What these have, head and body.", lambda: queue.depth.bytes),
            Level(
                "rrgate_async_oldest_seconds",
                "For how long that of them has been due that is due for the longest.",
                lambda: _seconds_since(queue.depth.due_at, queue.now()),
            ),
            Level(
                "rrgate_async_kept_requests",
                "Asynchronous requests that have ended, of which the answer or what was sent is kept.",
                lambda: queue.depth.kept,
            ),
            Level("rrgate_async_kept_bytes", "What these have on disk.", lambda: queue.depth.kept_bytes),
            Level(
                "rrgate_async_ended_requests",
                "Asynchronous requests and callbacks that have ended, and are still known.",
                lambda: queue.depth.ended,
            ),
            Level(
                "rrgate_async_attempts_in_flight",
                "Attempts under way, those included whose answers are being written down.",
                lambda: worker.under_way,
            ),
            Level(
                "rrgate_async_paused",
                "1 while the queue cannot be written, and nothing is sent.",
                lambda: worker.paused,
            ),
        ),
        totals=(
            Total("rrgate_journal_written_rows", "Rows written to the request log.", lambda: journal.written),
            Total("rrgate_journal_shed_rows", "Rows that the request log will never have.", lambda: journal.shed),
            Total(
                "rrgate_async_commits",
                "Commits of the asynchronous queue, shared by many changes.",
                lambda: queue.commits,
            ),
            Total(
                "rrgate_async_removed_early",
                "Asynchronous requests whose answer and body were removed before their time, to make room for others.",
                lambda: queue.makes_room.removed,
            ),
            Total(
                "rrgate_async_forgotten_early",
                "Asynchronous requests and callbacks that were removed whole before their time.",
                lambda: queue.makes_room.forgets.forgotten,
            ),
        ),
        attempts=queue.attempts,
        refused=refused,
    )


def _seconds_since(moment: int | None, now: int) -> float:
    return 0.0 if moment is None else max(0, now - moment) / 1000
