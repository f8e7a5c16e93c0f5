"""/healthz and /readyz: whether this process lives, and whether it should be sent requests.

Belongs here: these two, for anybody. Does not: what makes a gateway ready (the composition root knows).
"""

from __future__ import annotations

from rrgate.core.answers import Answer, Refused
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Status, Success


async def healthz(call: Call) -> Answer:
    """200 while the process can answer at all."""
    return Answer(200, {"status": "ok"})


async def readyz(call: Call) -> Answer:
    """200 when it serves; 503 while it starts or drains."""
    if not call.house.is_ready():
        raise Refused(503, "The gateway is starting or draining.", headers=(("Retry-After", "1"),))
    return Answer(200, {"status": "ready"})


ROUTES = (
    Route(
        method="GET",
        template="/healthz",
        handler=healthz,
        success=Success(of=Status),
        bare=True,
        help="200 while the process lives.",
    ),
    Route(
        method="GET",
        template="/readyz",
        handler=readyz,
        success=Success(of=Status),
        statuses=(503,),
        bare=True,
        help="200 while the gateway serves, 503 while it starts or drains.",
    ),
)
