"""A finished Exchange as its record in the request log (core-api.md 9), with everything secret left out.

Belongs here: what a record says, and redaction. Does not: queueing (journal.py), rows and pages (store/request_log.py).

Two steps, because the reactor's thread should not pay for the log: `snapshot` there, `encode` on the journal's thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson

from rrgate.answers import GRANTED, GRANTED_MESSAGE
from rrgate.checks import as_document
from rrgate.exchange import Exchange, Fields, Identity, first
from rrgate.names import fold, fold_parameter
from rrgate.route import Route
from rrgate.store.request_log import LogRow

REDACTED: Final = "[REDACTED]"
CALLER_LEFT: Final = 499
"""The status of a request whose caller went away before an answer began."""

_CLEAR: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"content-length",
        b"user-agent",
        b"cache-control",
        b"retry-after",
    }
)
_CLEAR_PREFIX: Final = b"x-ratelimit-"
_DEFAULT_PREFIX: Final = b"requestrocket-"
# Written anew by the gateway, and so always cut from the request: that tells nothing about what they hold.
_NEVER_A_CREDENTIAL: Final = frozenset({b"content-length"})
_SECRET_NAME: Final = re.compile("key|token|secret|sig|auth|pass|pwd|code|state|jwt|cred|session", re.IGNORECASE)
_LONGEST_VALUE: Final = 64
_CLAIMS: Final = ("sub",)
_CLAIM_BYTES: Final = 256


class Snapshot(NamedTuple):
    """What `encode` needs of an Exchange: references, nothing copied; bodies are not among them."""

    id: str
    method: bytes
    full_path: bytes
    origin_path: bytes
    query: bytes
    fields: Fields
    route: Route | None
    identity: Identity | None
    response_fields: Fields | None
    checks: int
    attempt: int
    code: str
    message: str
    deciding_rule: str
    final_status: int
    target_status: int
    answer_fields: list[tuple[bytes, bytes]]
    started: float
    wall_started: float
    sent_at: float
    response_at: float
    answered_at: float
    timeline: list[tuple[str, float]]


def snapshot(ex: Exchange) -> Snapshot:
    """What the log will tell of `ex`, which must be finished: lists are shared. On the reactor's thread; about 1 µs."""
    response = ex.response
    return Snapshot(
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
    )


def encode(seen: Snapshot, retention_days: int = 90) -> LogRow:
    """The row of a finished request. On any thread.

    `record` is what lists show; `detail` the flat view that the single view adds. No value of a header or query
    parameter is in it that core-api.md 9 does not allow, nor any that the caller's credential could be read from.
    """
    route = seen.route
    proxy = None if route is None else route.proxy
    proxy_id = "" if proxy is None else proxy.id
    client_id = "" if proxy is None else proxy.client_id
    received = int(seen.wall_started * 1000)
    status = seen.final_status or CALLER_LEFT
    ended = max(seen.answered_at, seen.response_at, seen.sent_at, seen.started)
    method = seen.method.decode("latin-1")
    path = (seen.origin_path or b"/" if route is not None else seen.full_path).decode("latin-1")
    request_headers = request_headers_shown(seen.fields, route)
    record = {
        "pKey": proxy_id,
        "sKey": seen.id,
        "userId": "" if proxy is None else proxy.user_id,
        "clientId": client_id,
        "parentId": proxy_id,
        "processed": True,
        "processedAt": received,
        "TTL": received // 1000 + retention_days * 86400,
        "proxyData": {
            "stage": "prod",
            "method": method,
            "apiPath": path,
            "receivedAt": received,
            "sentAt": _stamp(seen, seen.answered_at),
            "duration": round(ended - seen.started, 6),
            "status": status,
            "message": _message(seen),
            "arnBase": "",
            "apiHeaders": request_headers,
            "apiParams": parameters_shown(seen.query, route),
        },
        "targetData": _target_data(seen),
        "validationData": as_document(seen.checks),
        "credentialId": None if seen.identity is None else seen.identity.credential_id or None,
        "ruleId": seen.deciding_rule or None,
        "country": "ZZ",
        "tokenClaims": {} if seen.identity is None else _claims(seen.identity.claims),
        "attempts": seen.attempt if seen.sent_at else 0,
        "timeline": [{"step": step, "at": round(at - seen.started, 6)} for step, at in seen.timeline],
    }
    detail = {
        "method": method,
        "path": path,
        "statusCode": status,
        "duration": round((ended - seen.started) * 1000),
        "requestHeaders": request_headers,
        "responseHeaders": answer_headers_shown(seen.answer_fields, route),
    }
    return LogRow(
        proxy_id=proxy_id,
        request_id=seen.id,
        client_id=client_id,
        processed_at=received,
        method=method,
        status=status,
        record=orjson.dumps(record).decode(),
        detail=orjson.dumps(detail).decode(),
    )


def _stamp(seen: Snapshot, at: float) -> int | None:
    """Milliseconds since the epoch for a moment of the monotonic clock, None for one that never came."""
    return int((seen.wall_started + at - seen.started) * 1000) if at else None


def _message(seen: Snapshot) -> str:
    # A granted request has a message of its own only if its answer broke off.
    if seen.code == GRANTED and seen.message in ("", GRANTED_MESSAGE):
        return "Request logged"
    return seen.message


def _target_data(seen: Snapshot) -> dict[str, Any] | None:
    if not seen.sent_at:
        return None
    location = None if seen.response_fields is None else first(seen.response_fields, b"location")
    return {
        "sentAt": _stamp(seen, seen.sent_at),
        "receivedAt": _stamp(seen, seen.response_at),
        "duration": round(seen.response_at - seen.sent_at, 6) if seen.response_at else None,
        "status": seen.target_status or None,
        "location": None if location is None else location_shown(location),
    }


def _claims(claims: Mapping[str, Any]) -> dict[str, str]:
    shown = {name: claims[name] for name in _CLAIMS if isinstance(claims.get(name), str | int)}
    return {
        name: str(value).encode("utf-8", "replace")[:_CLAIM_BYTES].decode("utf-8", "ignore")
        for name, value in shown.items()
    }


# Redaction. What is not known to be harmless is not shown.


def request_headers_shown(fields: Fields, route: Route | None) -> dict[str, str]:
    """The caller's fields as they may be logged: names as they came, values in clear for few of them."""
    cut = frozenset() if route is None else route.cut_headers - _NEVER_A_CREDENTIAL
    # A field that the caller's credential could be read from is never in clear, whatever its name.
    return _headers_shown(((known, name, value if known not in cut else None) for known, name, value in fields), route)


def answer_headers_shown(fields: Iterable[tuple[bytes, bytes]], route: Route | None) -> dict[str, str]:
    """The fields of the answer as they may be logged."""
    return _headers_shown(((fold(name), name, value) for name, value in fields), route)


def _headers_shown(fields: Iterable[tuple[bytes, bytes, bytes | None]], route: Route | None) -> dict[str, str]:
    prefix = _DEFAULT_PREFIX if route is None else route.own_prefix
    names: dict[bytes, str] = {}
    shown: dict[str, str] = {}
    for folded, name, value in fields:
        clear = value is not None and (folded in _CLEAR or folded.startswith((_CLEAR_PREFIX, prefix)))
        text = value.decode("latin-1") if clear and value is not None else REDACTED
        key = names.setdefault(name.lower(), name.decode("latin-1"))
        shown[key] = _joined(shown.get(key), text)
    return shown


def parameters_shown(query: bytes, route: Route | None) -> dict[str, str]:
    """The query as it may be logged: names decoded, short values of harmless names in clear.

    Without a route nobody knows which parameter is the credential: then no value is in clear.
    """
    shown: dict[str, str] = {}
    for part in query.split(b"&"):
        if not part:
            continue
        raw_name, equals, raw_value = part.partition(b"=")
        name, value = _text(raw_name), _text(raw_value)
        clear = route is not None and fold_parameter(raw_name) not in route.cut_parameters and _harmless(name, value)
        shown[name] = _joined(shown.get(name), value if clear or not equals else REDACTED)
    return shown


def _harmless(name: str, value: str) -> bool:
    # A `%` left in the name may spell another name to whoever decodes twice; `=` in the value may be a parameter
    # of its own to whoever splits at `;`, or of a URL.
    return (
        len(value) <= _LONGEST_VALUE
        and "%" not in name
        and not _SECRET_NAME.search(name)
        and not ("=" in value and _SECRET_NAME.search(value))
    )


def location_shown(location: bytes) -> str:
    """A `Location` without user information, values of the query, or fragment; each may be a secret."""
    text = location.decode("latin-1").partition("#")[0]
    address, mark, query = text.partition("?")
    scheme, slashes, rest = address.partition("//")
    if slashes:
        authority, slash, path = rest.partition("/")
        address = scheme + slashes + authority.rpartition("@")[2] + slash + path
    return address + mark + "&".join(name + equals for name, equals, _ in (p.partition("=") for p in query.split("&")))


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def _joined(before: str | None, text: str) -> str:
    if before is None or before == REDACTED == text:
        return text
    return REDACTED if REDACTED in (before, text) else f"{before}, {text}"
