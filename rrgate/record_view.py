"""A row of the request log as the documents of core-api.md 9: what the Core API shows, and plugins are told.

Belongs here: the published form of a record. Does not: what is kept of a request (record.py), redaction (redaction.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from rrgate.checks import as_document
from rrgate.countries import UNKNOWN
from rrgate.exchange import Exchange
from rrgate.record import Facts, encode, snapshot
from rrgate.redaction import REDACTED
from rrgate.store.request_log import LogRow

Document = dict[str, Any]


def published(row: LogRow, keeps: Callable[[str], int] = lambda client_id: 90) -> tuple[Document, Document]:
    """The record that lists show, and the flat view that the single view adds. On any thread; about 11 µs.

    `keeps`: for how many days a client's requests are kept.
    """
    facts = Facts(*orjson.loads(row.facts))
    ended = max(facts.answered_at, facts.response_at, facts.sent_at, facts.started)
    request_headers = _shown(facts.request_headers)
    record = {
        "pKey": row.proxy_id,
        "sKey": row.request_id,
        "userId": facts.user_id,
        "clientId": row.client_id,
        "parentId": row.proxy_id,
        "processed": facts.processed,
        "processedAt": row.processed_at,
        "TTL": row.processed_at // 1000 + keeps(row.client_id) * 86400,
        "proxyData": {
            "stage": "prod",
            "method": row.method,
            "apiPath": facts.path,
            "receivedAt": row.processed_at,
            "sentAt": _stamp(facts, facts.answered_at),
            "duration": round(ended - facts.started, 6),
            "status": row.status,
            "message": "Request logged" if facts.message is None else facts.message,
            "arnBase": "",
            "apiHeaders": request_headers,
            "apiParams": _shown(facts.parameters),
        },
        "targetData": _target_data(facts),
        "validationData": as_document(facts.checks),
        "credentialId": facts.credential_id,
        "ruleId": facts.rule_id,
        "country": facts.country,
        "tokenClaims": facts.claims or {},
        "attempts": facts.attempt if facts.sent_at else 0,
        "timeline": [{"step": step, "at": round(at - facts.started, 6)} for step, at in facts.timeline],
    }
    detail = {
        "method": row.method,
        "path": facts.path,
        "statusCode": row.status,
        "duration": round((ended - facts.started) * 1000),
        "requestHeaders": request_headers,
        "responseHeaders": _shown(facts.answer_headers),
    }
    return record, detail


class RecordOf(Mapping[str, object]):
    """The record of a finished Exchange as lists show it, for plugins; made when it is first read.

    Most that see a request's end never look, and it costs the reactor's thread 40 µs. Reading raises whatever an odd
    request makes it raise.
    """

    __slots__ = ("_country", "_ex", "_made")

    def __init__(self, ex: Exchange, country: Callable[[str], str] = lambda address: UNKNOWN) -> None:
        """`country`: where an address is."""
        self._ex = ex
        self._country = country
        self._made: Document | None = None

    def __getitem__(self, name: str) -> object:
        return self._document[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    @property
    def _document(self) -> Document:
        if self._made is None:
            self._made = published(encode(snapshot(self._ex), self._country(self._ex.caller_address)))[0]
        return self._made


def _shown(kept: Mapping[str, str | None]) -> dict[str, str]:
    return {name: REDACTED if value is None else value for name, value in kept.items()}


def _stamp(facts: Facts, at: float) -> int | None:
    """Milliseconds since the epoch for a moment of the monotonic clock, None for one that never came."""
    return int((facts.wall_started + at - facts.started) * 1000) if at else None


def _target_data(facts: Facts) -> Document | None:
    if not facts.sent_at:
        return None
    return {
        "sentAt": _stamp(facts, facts.sent_at),
        "receivedAt": _stamp(facts, facts.response_at),
        "duration": round(facts.response_at - facts.sent_at, 6) if facts.response_at else None,
        "status": facts.target_status or None,
        "location": facts.location,
    }
