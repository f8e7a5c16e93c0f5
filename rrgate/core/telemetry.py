"""/clients/{clientId}/telemetry, and that of its proxies: how many requests, how they ended, how long they took.

Belongs here: which spans are asked for. Does not: what is in them (telemetry_view.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from rrgate.api import Problem
from rrgate.core.answers import Answer, joined, not_right
from rrgate.core.checking import owned
from rrgate.core.log_shapes import Span as ShownSpan
from rrgate.core.log_shapes import Spans
from rrgate.core.queries import MOST
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.store.counts import INTERVALS, span_of
from rrgate.store.telemetry import Span
from rrgate.telemetry_view import telemetry_shown

USUALLY: Final = 100
"""Spans answered where no `limit` is asked for."""
_FOREVER: Final = 1 << 40
"""Minutes: more than any time that can be asked for."""


async def show_client_telemetry(call: Call) -> Answer:
    return await _shown(call, call.client.id, None)


async def show_proxy_telemetry(call: Call) -> Answer:
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    return await _shown(call, proxy.id, proxy.id)


async def _shown(call: Call, scope: str, proxy_id: str | None) -> Answer:
    query = call.query
    name = query.text("interval")
    if name is None:
        name = "hour"
    if name not in INTERVALS:
        raise not_right([Problem("interval", f"must be one of {', '.join(INTERVALS)}")])
    interval = INTERVALS.index(name)
    start, end = query.minute("startDate"), query.minute("endDate")
    # What is asked for from half past ten is in the hour that began at ten, which is answered whole.
    first = -_FOREVER if start is None else span_of(interval, start)
    last = _FOREVER if end is None else end
    limit = query.number("limit", 1, MOST) or USUALLY

    def shown(spans: Sequence[Span]) -> Answer:
        # On the reader's thread: a thousand spans are some MB.
        texts = telemetry_shown(scope, name, spans, proxy_id)
        return joined({"message": "Success", "interval": name}, "telemetry", texts)

    return await call.house.request_log.telemetry(scope, interval, first, last, limit, shown)


_route = partial(
    Route,
    method="GET",
    parameters=("interval", "startDate", "endDate", "limit"),
    success=Success(name="telemetry", of=ShownSpan, also=Spans),
)

ROUTES = (
    _route(
        template="/clients/{clientId}/telemetry",
        handler=show_client_telemetry,
        help="The sums over all proxies that the client has or had, newest first.",
    ),
    _route(
        template="/clients/{clientId}/proxies/{proxyId}/telemetry",
        handler=show_proxy_telemetry,
        help="A proxy's requests in sums by minute, hour, day or month, newest first.",
    ),
)
