"""/metrics: figures for Prometheus.

Belongs here: the route, for operators. Does not: what is in them (metrics/).
"""

from __future__ import annotations

from rrgate.core.answers import Answer
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.metrics.exposition import CONTENT_TYPE


async def metrics(call: Call) -> Answer:
    """All figures, as text."""
    return Answer(200, {}, (("Content-Type", CONTENT_TYPE),), await call.house.metrics())


ROUTES = (
    Route(
        method="GET",
        template="/metrics",
        handler=metrics,
        success=Success(media_type="text/plain"),
        bare=True,
        help="Figures for Prometheus, of all workers.",
    ),
)
