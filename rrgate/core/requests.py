"""/clients/{clientId}/proxies/{proxyId}/requests: the request log, to read.

Belongs here: which records are asked for, and what a member's role hides of them. Does not: what a record says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from rrgate.api import Problem
from rrgate.careful_log import CarefulLogger
from rrgate.core.access import Role
from rrgate.core.answers import Answer, missing, not_right, shown, written
from rrgate.core.checking import owned
from rrgate.core.log_shapes import RequestDetail, RequestRecord, Requests
from rrgate.core.queries import MOST, PAGING
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import Success
from rrgate.deliveries import Document
from rrgate.store.ended import Ended
from rrgate.store.log_rows import RequestPage

log = CarefulLogger("rrgate.core")

STATES: Final[Mapping[str, Ended]] = {"succeeded": "well", "failed": "badly", "pending": "not yet"}
"""What `state` may be: how requests ended (gateway-api.md 11), or that asynchronous ones are under way."""

HIDDEN_FROM_USERS = frozenset(
    {"requestBody", "requestBodyCut", "responseBody", "responseBodyCut", "tokenClaims"}
)


def sees_everything(call: Call) -> bool:
    """Whether the caller sees bodies and claims."""
    return call.role is not None and call.role >= Role.ADMIN


def visible(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    """A record as the caller may read it: bodies and claims are for admins and owners."""
    if sees_everything(call):
        return record
    return {name: value for name, value in record.items() if name not in HIDDEN_FROM_USERS}


async def list_requests(call: Call) -> Answer:
    query = call.query
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    method = query.text("method")
    if method is not None and not (len(method) <= 32 and method.isascii() and method.replace("-", "").isalpha()):
        raise not_right([Problem("method", "must be the name of an HTTP method, such as GET")])
    state = query.text("state")
    if state is not None and state not in STATES:
        raise not_right([Problem("state", f"must be one of {', '.join(STATES)}")])
    after, before = query.after("processedAfter"), query.before("processedBefore")
    status, limit = query.number("status", 100, 599), min(query.number("limit", 1, 999_999_999) or MOST, MOST)
    try:
        found = call.house.request_log.list(
            proxy.id,
            after=after,
            before=before,
            limit=limit,
            cursor=query.text("cursor"),
            status=status,
            method=method.upper() if method is not None else None,
            ended=None if state is None else STATES[state],
            shown=partial(_listed, call),
            to_write=sees_everything(call),
        )
    except ValueError:
        raise not_right([Problem("cursor", "must be the nextCursor of an earlier answer")]) from None
    answer: Answer = await found
    return answer


def _listed(call: Call, page: RequestPage) -> Answer:
    """On the reader's thread: a thousand records are 2 MB."""
    records = page.requests if sees_everything(call) else (visible(call, record) for record in page.requests)
    more = page.next_cursor is not None
    document: dict[str, Any] = {"message": "Success", "totalRequests": page.number, "limitReached": more}
    if more:
        document["nextCursor"] = page.next_cursor
    return written(document, "requests", page.number, iter(records))


async def show_request(call: Call) -> Answer:
    proxy = owned(call.house.directory.proxies, call, "proxyId")
    record = await call.house.request_log.detail(proxy.id, call.ids["requestId"], bodies=sees_everything(call))
    if record is None:
        raise missing()
    delivery = await delivery_of(call, proxy.id)
    if delivery is not None:
        record = {**record, "delivery": delivery}
    return shown("requests", visible(call, record))


async def delivery_of(call: Call, proxy_id: str) -> Document | None:
    """How far the asynchronous request that the path names has come; None where there is none, or what is kept of it
    cannot be read now."""
    try:
        return await call.house.deliveries.told(proxy_id, call.ids["requestId"])
    except (sqlite3.Error, OSError) as error:
        log.error("a request's delivery cannot be read: {error}", error=error)
        return None


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/proxies/{proxyId}/requests",
        handler=list_requests,
        success=Success(name="requests", of=RequestRecord, also=Requests),
        parameters=(*PAGING, "processedAfter", "processedBefore", "status", "method", "state"),
        help="The requests that a proxy has had, newest first.",
    ),
    Route(
        method="GET",
        template="/clients/{clientId}/proxies/{proxyId}/requests/{requestId}",
        handler=show_request,
        success=Success(name="requests", of=RequestDetail),
        help="One request, with the flat view besides.",
    ),
)
