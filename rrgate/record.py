"""A finished Exchange as the facts that the request log keeps of it, with everything secret left out.

Belongs here: which facts are kept, and redaction. Does not: the documents made of them when they are read
(record_view.py), queueing (journal.py), rows and pages (store/request_log.py).

Two steps, because the reactor's thread should not pay for the log: `snapshot` there, `encode` on the journal's thread.
The whole of a row costs 12 µs there; when both published documents were written, it cost 50.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson

from rrgate.answers import GRANTED, GRANTED_MESSAGE
from rrgate.exchange import Exchange
from rrgate.messages import Fields, Identity, first
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
_GRANTED_MESSAGES: Final = frozenset(("", GRANTED_MESSAGE))


Kept = dict[str, str | None]
"""Header fields or query parameters by name; None for a value that is not shown."""

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
]
"""What `encode` needs of an Exchange: references, nothing copied; bodies are not among them.

A plain tuple: it is made on the reactor's thread, where a NamedTuple costs 0.4 µs more.
"""


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


def encode(seen: Snapshot) -> LogRow:
    """The row of a finished request. On any thread.

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
    ) = seen
    if route is None:
        proxy_id = client_id = user_id = ""
        path = full_path
    else:
        proxy = route.proxy
        proxy_id, client_id, user_id = proxy.id, proxy.client_id, proxy.user_id
        path = origin_path or b"/"
    location = first(response_fields, b"location") if response_fields is not None and sent_at else None
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
        _claims(identity.claims) if identity is not None and identity.claims else None,
        target_status,
        None if location is None else location_shown(location),
        request_headers_kept(fields, route),
        parameters_kept(query, route) if query else {},
        answer_headers_kept(answer_fields, route),
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


def _claims(claims: Mapping[str, Any]) -> dict[str, str]:
    shown = {}
    for name in _CLAIMS:
        value = claims.get(name)
        if isinstance(value, str | int):
            shown[name] = str(value).encode("utf-8", "replace")[:_CLAIM_BYTES].decode("utf-8", "ignore")
    return shown


# Redaction. What is not known to be harmless is not kept.
# What was decided of names is remembered, because the same ones come with every request; values never are.

_Shape = tuple[Kept, tuple[tuple[str, int], ...], tuple[tuple[str, tuple[int, ...]], ...]]
"""Every name, none with a value; for the names whose values are kept, the place of the field; or of several."""

_SHAPES: Final[dict[tuple[tuple[bytes, ...], frozenset[bytes], bytes], _Shape]] = {}
_SHAPES_MOST: Final = 1024
_LONGEST_SHAPE: Final = 2048
_LONGEST_NAME: Final = 64
_NOTHING: Final[frozenset[bytes]] = frozenset()


def request_headers_kept(fields: Fields, route: Route | None) -> Kept:
    """The caller's fields as they may be logged: names as they came, values in clear for few of them."""
    names = tuple([name for _, name, _ in fields])
    # A field that the caller's credential could be read from is never in clear, whatever its name.
    template, once, repeated = _shape(names, _NOTHING if route is None else route.cut_headers, route)
    kept = template.copy()
    for name, place in once:
        kept[name] = fields[place][2].decode("latin-1")
    for name, places in repeated:
        kept[name] = _joined([fields[place][2].decode("latin-1") for place in places])
    return kept


def answer_headers_kept(fields: list[tuple[bytes, bytes]], route: Route | None) -> Kept:
    """The fields of the answer as they may be logged."""
    names = tuple([name for name, _ in fields])
    template, once, repeated = _shape(names, _NOTHING, route)
    kept = template.copy()
    for name, place in once:
        kept[name] = fields[place][1].decode("latin-1")
    for name, places in repeated:
        kept[name] = _joined([fields[place][1].decode("latin-1") for place in places])
    return kept


def _shape(names: tuple[bytes, ...], cut: frozenset[bytes], route: Route | None) -> _Shape:
    """What is kept of fields with these names. Remembered for all together: 1 µs in place of 4 for thirteen fields."""
    prefix = _DEFAULT_PREFIX if route is None else route.own_prefix
    shape = _SHAPES.get((names, cut, prefix))
    if shape is None:
        shape = _decided(names, cut - _NEVER_A_CREDENTIAL, prefix)
        if sum(map(len, names)) <= _LONGEST_SHAPE:
            # Begun anew when full, so that somebody's nonsense names cannot take the memory away for good.
            if len(_SHAPES) >= _SHAPES_MOST:
                _SHAPES.clear()
            _SHAPES[names, cut, prefix] = shape
    return shape


def _decided(names: tuple[bytes, ...], cut: frozenset[bytes], prefix: bytes) -> _Shape:
    spelt: dict[bytes, str] = {}
    template: Kept = {}
    clear: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        shown = spelt.setdefault(name.lower(), name.decode("latin-1"))
        template[shown] = None
        folded = fold(name)
        if folded not in cut and (folded in _CLEAR or folded.startswith((_CLEAR_PREFIX, prefix))):
            clear.setdefault(shown, []).append(place)
    once = tuple((name, places[0]) for name, places in clear.items() if len(places) == 1)
    repeated = tuple((name, tuple(places)) for name, places in clear.items() if len(places) > 1)
    return template, once, repeated


def parameters_kept(query: bytes, route: Route | None) -> Kept:
    """The query as it may be logged: names decoded, short values of harmless names in clear.

    Without a route nobody knows which parameter is the credential: then no value is in clear.
    """
    cut = None if route is None else route.cut_parameters
    kept: Kept = {}
    for part in query.split(b"&"):
        if not part:
            continue
        raw_name, equals, raw_value = part.partition(b"=")
        decide = _parameter if len(raw_name) <= _LONGEST_NAME else _parameter.__wrapped__
        name, clear = decide(raw_name, cut)
        text: str | None
        if not equals:
            text = ""
        elif not clear or not _harmless(text := _text(raw_value)):
            text = None
        kept[name] = _joined([kept[name], text]) if name in kept else text
    return kept


@lru_cache(maxsize=1024)
def _parameter(raw_name: bytes, cut: frozenset[bytes] | None) -> tuple[str, bool]:
    """The name as it is shown, and whether its value may be in clear."""
    name = _text(raw_name)
    # A `%` left in the name may spell another name to whoever decodes twice.
    known = cut is not None and fold_parameter(raw_name) not in cut
    return name, known and "%" not in name and not _SECRET_NAME.search(name)


def _harmless(value: str) -> bool:
    # `=` in the value may be a parameter of its own to whoever splits at `;`, or of a URL.
    return len(value) <= _LONGEST_VALUE and not ("=" in value and _SECRET_NAME.search(value))


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
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    return raw.decode("utf-8", "replace")


def _joined(texts: Sequence[str | None]) -> str | None:
    """Values under one name; one that is not shown hides the others, also one that only says so itself."""
    shown = [text for text in texts if text is not None and text != REDACTED]
    return ", ".join(shown) if len(shown) == len(texts) else None
