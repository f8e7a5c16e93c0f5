"""/…/requests/{requestId}/cancel and /replay: what people do with asynchronous requests.

Belongs here: reading what is asked for, and who asked in the audit log. Does not: carrying it out
(delivery/managing.py), reading records (requests.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from attrs import Factory, field, frozen

from rrgate.api import Problem
from rrgate.core.answers import Answer, Refused, missing, shown
from rrgate.core.checking import owned, refuse_if
from rrgate.core.log_shapes import DeliveredRequest, Replayed
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.deliveries import Document, NotNow
from rrgate.model import Proxy
from rrgate.model.times import parse_nanoseconds
from rrgate.structuring import structure

T = TypeVar("T")

DEAD: Final = ("failed", "exhausted", "unknown")
"""States out of which a request is sent again."""
MOST: Final = 1000
"""Requests that one call has sent again, and a few more."""
PARTS: Final = 50
"""Parts of a time that one call looks through: it may hold very many that are in none of the wanted states."""


_TIME: Final[Mapping[str, Any]] = {"example": "2026-01-31T12:00:00Z", "form": {"format": "date-time"}}


@frozen
class WantedReplay:
    """The body of the route. Bounds are exclusive. `states`: of those that may be sent again."""

    processed_after: str = field(metadata=_TIME)
    processed_before: str | None = field(default=None, metadata=_TIME)
    states: list[str] = Factory(lambda: list(DEAD))
    cursor: str | None = None


@frozen
class Nothing:
    """The body of the others, if they have one."""


async def cancel(call: Call) -> Answer:
    """Sends a request no more."""
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    return await _steered(call, proxy, "cancel", call.house.deliveries.cancel)


async def replay(call: Call) -> Answer:
    """Sends one again that was not delivered, or may not have been."""
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    return await _steered(call, proxy, "replay", call.house.deliveries.replay)


async def replay_range(call: Call) -> Answer:
    """The same for all of a time."""
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    wanted: WantedReplay = structure(call.document, WantedReplay, "")
    problems: list[Problem] = []
    after = _bound("processedAfter", wanted.processed_after, problems, up=False)
    before = _bound("processedBefore", wanted.processed_before, problems, up=True)
    if not wanted.states or not set(wanted.states) <= set(DEAD):
        problems.append(Problem("states", f"must be some of {', '.join(DEAD)}"))
    behind = None if wanted.cursor is None else _place(wanted.cursor, problems)
    refuse_if(problems)
    asked = {name: call.document[name] for name in ("processedAfter", "processedBefore") if name in call.document}
    await call.note_steering("replay", proxy, "", **asked, states=wanted.states)
    count = 0
    for _ in range(PARTS):
        done = await _stored(call.house.deliveries.replay_all(proxy.id, wanted.states, after, before, behind))
        count += done.count
        behind = done.behind
        if behind is None or count >= MOST:
            break
    document: dict[str, Any] = {"message": "Success", "replayed": count, "limitReached": behind is not None}
    if behind is not None:
        document["nextCursor"] = f"{behind[0]}.{behind[1]}"
    return Answer(200, document)


async def _steered(
    call: Call, proxy: Proxy, action: Any, steer: Callable[[str, str], Awaitable[Document | None]]
) -> Answer:
    structure(call.document, Nothing, "")
    request_id = call.ids["requestId"]
    if await _stored(call.house.deliveries.told(proxy.id, request_id)) is None:
        raise missing()
    await call.note_steering(action, proxy, request_id)
    try:
        delivery = await _stored(steer(proxy.id, request_id))
    except NotNow as error:
        raise Refused(409, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    if delivery is None:
        raise missing()
    ids = {"pKey": proxy.id, "sKey": request_id, "clientId": proxy.client_id, "parentId": proxy.id}
    return shown("requests", {**ids, "delivery": delivery})


async def _stored(asked: Awaitable[T]) -> T:
    """What it answers. Raises Refused with 503 where the queue cannot be used now."""
    try:
        return await asked
    except (sqlite3.Error, OSError):
        text = "The queue of requests cannot be used at the moment; nothing was changed, or not all of it."
        raise Refused(503, text, headers=(("Retry-After", "5"),)) from None


def _bound(name: str, text: str | None, problems: list[Problem], *, up: bool) -> int | None:
    """Milliseconds since the epoch: of a part of one, the next or the last whole one."""
    if text is None:
        return None
    try:
        nanoseconds = parse_nanoseconds(text)
    except ValueError as error:
        problems.append(Problem(name, str(error)))
        return None
    return -(-nanoseconds // 1_000_000) if up else nanoseconds // 1_000_000


def _place(cursor: str, problems: list[Problem]) -> tuple[int, int] | None:
    accepted_at, dot, id = cursor.partition(".")
    if dot and all(part.isascii() and part.isdigit() and len(part) < 19 for part in (accepted_at, id)):
        return int(accepted_at), int(id)
    problems.append(Problem("cursor", "must be the nextCursor of an earlier answer"))
    return None


_TEMPLATE: Final = "/clients/{clientId}/proxies/{proxyId}/requests"
_SUCCESS: Final = Success(name="requests", of=DeliveredRequest)

ROUTES = (
    Route(
        method="POST",
        template=f"{_TEMPLATE}/{{requestId}}/cancel",
        handler=cancel,
        success=_SUCCESS,
        statuses=(409, 503),
        tries=True,
        bodiless=True,
        help="Do not send an asynchronous request that waits.",
    ),
    Route(
        method="POST",
        template=f"{_TEMPLATE}/{{requestId}}/replay",
        handler=replay,
        success=_SUCCESS,
        statuses=(409, 503),
        tries=True,
        bodiless=True,
        help="Send an asynchronous request again that was not delivered, or may not have been.",
    ),
    Route(
        method="POST",
        template=f"{_TEMPLATE}/replay",
        handler=replay_range,
        noun=WantedReplay,
        success=Success(of=Replayed),
        statuses=(503,),
        tries=True,
        help="The same for all of a proxy that came in a time.",
    ),
)
