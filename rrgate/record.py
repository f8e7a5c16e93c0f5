"""A finished Exchange as the facts that the request log keeps of it, with everything secret left out.

Belongs here: which facts are kept. Does not: what is left out of header fields and URLs (redaction.py), the documents
made of the facts when they are read (record_view.py), queueing (journal.py), rows and pages (store/request_log.py).

Two steps, because the reactor's thread should not pay for the log: `snapshot` there, `encode` on the journal's thread.
The whole of a row costs 12 µs there; when both published documents were written, it cost 50.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from rrgate.answers import GRANTED, GRANTED_MESSAGE
from rrgate.countries import UNKNOWN
from rrgate.exchange import Exchange, Story
from rrgate.json_text import json_text
from rrgate.kept_bodies import KeptBodies
from rrgate.messages import Fields, Identity, first
from rrgate.model.path_template import masked
from rrgate.redaction import Kept, answer_headers_kept, location_shown, parameters_kept, request_headers_kept
from rrgate.route import Route
from rrgate.store.log_rows import LogRow

CALLER_LEFT: Final = 499
"""The status of a request whose caller went away before an answer began."""

_CLAIM_BYTES: Final = 256
_GRANTED_MESSAGES: Final = frozenset(("", GRANTED_MESSAGE))


Timeline = list[tuple[str, float]]

Snapshot = tuple[
    str,
    bytes,
    bytes,
    bytes,
    bytes,
    Fields,
    Route | None,
    Identity | None,
    Fields | None,
    int,
    int,
    str,
    str,
    str,
    int,
    int,
    list[tuple[bytes, bytes]],
    float,
    float,
    float,
    float,
    float,
    Timeline,
    str,
    Story,
    KeptBodies | None,
]
"""What `encode` needs of an Exchange: references, nothing copied; of bodies, what was kept of them.

A plain tuple: it is made on the reactor's thread, where a NamedTuple costs 0.4 µs more.
"""
STORY: Final = -2
"""The place in it of what the record tells."""


def snapshot(ex: Exchange) -> Snapshot:
    """What the log will tell of `ex`, which must be finished: lists are shared. On the reactor's thread; 0.3 µs."""
    response = ex.response
    return (
        ex.id,
        ex.method,
        ex.full_path,
        ex.origin_path,
        ex.query,
        ex.fields,
        ex.route,
        ex.identity,
        None if response is None else response.fields,
        ex.checks,
        ex.attempt,
        ex.code,
        ex.message,
        ex.deciding_rule,
        ex.final_status,
        ex.target_status,
        ex.answer_fields,
        ex.started,
        ex.wall_started,
        ex.sent_at,
        ex.response_at,
        ex.answered_at,
        ex.timeline,
        ex.caller_address,
        ex.story,
        ex.kept,
    )


class Facts(NamedTuple):
    """What a row keeps beside its columns, as a JSON array in this order. New facts come last, with a default.

    Nothing that follows from the columns or from other facts: that is made when somebody reads. Moments are as the
    Exchange has them: `wall_started` in seconds since the epoch, the others of the monotonic clock, 0 for never.
    """

    wall_started: float
    started: float
    sent_at: float
    response_at: float
    answered_at: float
    timeline: Timeline
    path: str
    user_id: str
    checks: int
    attempt: int
    message: str | None
    """None for that of every granted request."""
    rule_id: str | None
    credential_id: str | None
    claims: Mapping[str, str] | None
    target_status: int
    location: str | None
    request_headers: Kept
    parameters: Kept
    answer_headers: Kept
    country: str = UNKNOWN
    processed: bool = True
    """False while a request that was taken is under way."""


def encode(seen: Snapshot, country: str = UNKNOWN) -> LogRow:
    """The row of a finished request, whose caller was in `country`. On any thread.

    No value of a header or query parameter is in it that core-api.md 9 does not allow, nor any that the caller's
    credential could be read from.
    """
    (
        id,
        method,
        full_path,
        origin_path,
        query,
        fields,
        route,
        identity,
        response_fields,
        checks,
        attempt,
        code,
        message,
        deciding_rule,
        final_status,
        target_status,
        answer_fields,
        started,
        wall_started,
        sent_at,
        response_at,
        answered_at,
        timeline,
        _,
        story,
        _,
    ) = seen
    if route is None:
        proxy_id = client_id = user_id = ""
        path = full_path
    else:
        proxy = route.proxy
        proxy_id, client_id, user_id = proxy.id, proxy.client_id, proxy.user_id
        path = origin_path or b"/"
    location = first(response_fields, b"location") if response_fields is not None and sent_at else None
    if route is not None and route.log_path is not None:
        path = masked(path, route.log_path)
        location = None if location is None else masked(location, route.log_path)
    # In the order of Facts; a plain tuple, because orjson writes no others, and making one would cost 0.6 µs.
    facts = (
        wall_started,
        started,
        sent_at,
        response_at,
        answered_at,
        timeline,
        path.decode("latin-1"),
        user_id,
        checks,
        attempt,
        # A granted request has a message of its own only if its answer broke off.
        None if code == GRANTED and message in _GRANTED_MESSAGES else message,
        deciding_rule or None,
        None if identity is None else identity.credential_id or None,
        _claims(identity) if identity is not None and identity.claims else None,
        target_status,
        None if location is None else location_shown(location),
        request_headers_kept(fields, route),
        parameters_kept(query, route) if query else {},
        answer_headers_kept(answer_fields, route),
        country,
        story != "beginning" and story != "again",
    )
    return LogRow(
        proxy_id,
        id,
        client_id,
        int(wall_started * 1000),
        method.decode("latin-1"),
        final_status or CALLER_LEFT,
        orjson.dumps(facts).decode(),
    )


def _claims(identity: Identity) -> dict[str, str]:
    """Those that are to be logged and are there: strings as they are, all else as JSON."""
    shown = {}
    for name in identity.log_claims:
        value = identity.claims.get(name)
        if value is None:
            continue
        try:
            text = value if isinstance(value, str) else json_text(value)
        except (TypeError, ValueError, RecursionError):
            continue  # a plugin's, and no JSON
        shown[_cut(name)] = _cut(text)
    return shown


def _cut(text: str) -> str:
    """At most 256 bytes of it, in whole characters."""
    return text.encode("utf-8", "replace")[:_CLAIM_BYTES].decode("utf-8", "ignore")
