"""/clients/{clientId}/audit: who changed what of a client, to read.

Belongs here: which entries are asked for. Does not: making them (changes.py), what they say (store/audit.py).
"""

from __future__ import annotations

from rrgate.api import Problem
from rrgate.core.answers import Answer, listed, not_right
from rrgate.core.queries import PAGING
from rrgate.core.routes import Call, Route
from rrgate.core.shapes import AuditEntry, Success
from rrgate.store.audit import place


async def list_entries(call: Call) -> Answer:
    query = call.query
    cursor = query.text("cursor")
    try:
        if cursor is not None:
            place(cursor)
    except ValueError:
        raise not_right([Problem("cursor", "must be the nextCursor of an earlier answer")]) from None
    page = await call.house.store.audit(
        client_id=call.client.id,
        noun_id=query.text("resourceId"),
        after=query.after("createdAfter"),
        before=query.before("createdBefore"),
        limit=query.limit(),
        cursor=cursor,
    )
    return listed("audit", (entry.published() for entry in page.entries), page.next_cursor)


ROUTES = (
    Route(
        method="GET",
        template="/clients/{clientId}/audit",
        handler=list_entries,
        success=Success(name="audit", of=AuditEntry),
        parameters=(*PAGING, "resourceId", "createdAfter", "createdBefore"),
        help="Every change of the client and of what belongs to it, newest first.",
    ),
)
