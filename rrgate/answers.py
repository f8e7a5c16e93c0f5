"""The gateway's own answers: statuses, texts, bodies, and the headers on every answer (gateway-api.md 6, 7).

Belongs here: what they say. Does not: when they are given (pipeline.py), their framing (wire/response.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

import orjson

from rrgate.body import BodyBroken, BodyTooLarge, NoRoom
from rrgate.exchange import Exchange
from rrgate.messages import Reply, TargetResponse, first
from rrgate.names import crossing, fold_parameter
from rrgate.upstream import TargetTimeout

GRANTED: Final = "proxy-access-granted"
DENIED: Final = "proxy-access-denied"
BAD_REQUEST: Final = "bad-request"
GRANTED_MESSAGE: Final = "Proxy authentication successful"
INVALID_CREDENTIAL: Final = "Invalid proxy credential"

CLOSING: Final = frozenset({400, 408, 413, 414, 417, 421, 431, 501, 505})
"""After these the connection closes."""

CHALLENGES: Final = (
    (b"WWW-Authenticate", b'Bearer realm="rrgate"'),
    (b"WWW-Authenticate", b'Basic realm="rrgate", charset="UTF-8"'),
)
"""Of every 401, whatever the proxy's credential is: which one it wants would tell a deleted one from a wrong one. Two
fields, since many clients read only one challenge of each (RFC 9110 11.6.1)."""

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus} | {413: "Payload Too Large"}
_LOCATIONS: Final = frozenset({b"location", b"content-location"})
_IN_LINK: Final = re.compile(rb"<[^>]*|(?<=\")[^\"<>]*|(?<==)[^\"<>,;\s]+")
"""Where a URL may stand in `Link`: in angles, or in a parameter such as `anchor`, quoted or not."""
_IN_REFRESH: Final = re.compile(rb"[^\"']+")
_PLACES: Final = {b"link": _IN_LINK, b"refresh": _IN_REFRESH}
_ALLOWED: Final = ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
_SOON: Final = ((b"Retry-After", b"1"),)
_JSON: Final = (b"Content-Type", b"application/json")


def reason_phrase(status: int) -> str:
    """The reason phrase of a status (RFC 9110 15)."""
    return _REASONS.get(status, "Error")


def refusal(status: int, message: str, *, close: bool = False) -> Reply:
    """A request that never became one. 405 says what is served instead, as it must (RFC 9110 15.5.6)."""
    return Reply(status, message, BAD_REQUEST, headers=_ALLOWED if status == 405 else (), close=close)


def denied_401(message: str = INVALID_CREDENTIAL) -> Reply:
    """Whatever is wrong with the caller's credential, it looks like this."""
    return Reply(401, message, DENIED, headers=CHALLENGES)


def unavailable(message: str) -> Reply:
    """503: come back in a second."""
    return Reply(503, message, "unavailable", headers=_SOON)


def overloaded(message: str) -> Reply:
    """503, because there is too much to do: come back in a second."""
    return Reply(503, message, "overloaded", headers=_SOON)


def not_sent(error: Exception) -> Reply:
    """What a caller is told whose request could not be taken whole (BodyTooLarge, BodyBroken) or sent (TargetError)."""
    if isinstance(error, BodyTooLarge):
        message = f"The request's body is over the limit of {error.limit} bytes"
        return Reply(413, message, "request-too-large", close=True)
    if isinstance(error, NoRoom):
        return overloaded(str(error))
    if isinstance(error, BodyBroken):
        return Reply(error.status or 400, f"The request broke off: {error}", BAD_REQUEST, close=True)
    if isinstance(error, TargetTimeout):
        return Reply(504, f"Gateway timeout: {error}", "target-timeout")
    return Reply(502, f"Bad gateway: {error}", "target-unreachable")


class AnswerHeaders:
    """The fields that our own answers and forwarded ones carry, with the configured prefix."""

    def __init__(self, prefix: str, wall: Callable[[], float]) -> None:
        """`wall`: seconds since the epoch, for `Date`."""
        self._code = f"{prefix}proxy-code".encode()
        self._message = f"{prefix}proxy-message".encode()
        self._id = f"{prefix}request-id".encode()
        self._warning = f"{prefix}proxy-warning".encode()
        self._granted = ((self._code, GRANTED.encode()), (self._message, GRANTED_MESSAGE.encode()))
        self._wall = wall

    def of_response(
        self, ex: Exchange, response: TargetResponse, cut: frozenset[bytes], own: bytes
    ) -> list[tuple[bytes, bytes]]:
        """The fields with which the target's answer goes to the caller. `own`: folded prefix of our names."""
        crosses = crossing(cut, (own,))
        fields = [(name, value) for folded, name, value in response.fields if crosses[folded]]
        request = ex.target_request
        if request is not None and request.injected_query:
            fields = cut_from_urls(fields, request.injected_query)
        if first(response.fields, b"date") is None:
            fields.append((b"Date", _date(int(self._wall()))))  # who forwards has to (RFC 9110 6.6.1)
        fields += ex.extra_answer_fields
        fields += self._granted
        fields.append((self._id, ex.id.encode()))
        if ex.warnings:
            fields.append((self._warning, _one_line("; ".join(ex.warnings))))
        return fields

    def of_reply(self, ex_id: str, reply: Reply, warnings: Sequence[str]) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """(fields, body) of an answer of ours."""
        if reply.body is None:
            document = reply.document or {
                "error": reason_phrase(reply.status),
                "message": reply.message,
                "requestId": ex_id,
            }
            body, fields = orjson.dumps(document), [_JSON]
        else:
            body, fields = reply.body, []
        fields += reply.headers
        fields.append((b"Date", _date(int(self._wall()))))
        fields.append((self._code, reply.code.encode()))
        fields.append((self._message, _one_line(reply.message)))
        fields.append((self._id, ex_id.encode()))
        if warnings:
            fields.append((self._warning, _one_line("; ".join(warnings))))
        return fields, body


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    """Remembered: 4 µs."""
    return formatdate(second, usegmt=True).encode()


def _one_line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode("latin-1", "replace")


def cut_from_urls(
    fields: list[tuple[bytes, bytes]], injected: dict[bytes, tuple[bytes, str]]
) -> list[tuple[bytes, bytes]]:
    """`fields` with the parameters that we injected cut from the URLs in `Location`, `Content-Location`, `Refresh` and
    `Link` (RFC 8288).

    A target that redirects to its own URL, or says where its next page is, would otherwise show the caller the
    credential in it.
    """
    cut = []
    for name, value in fields:
        known = name.lower()
        if known in _LOCATIONS:
            value = _cut_parameters(value, injected)
        elif (places := _PLACES.get(known)) is not None:
            value = places.sub(lambda url: _cut_parameters(url[0], injected), value)
        cut.append((name, value))
    return cut


def _cut_parameters(value: bytes, injected: dict[bytes, tuple[bytes, str]], inside: bool = False) -> bytes:
    """`inside`: this URL was the value of another one's parameter, as of `next` where a target asks for a log-in."""
    head, mark, rest = value.partition(b"?")
    if not mark:
        return value
    query, hash_mark, fragment = rest.partition(b"#")
    parts = query.split(b"&")
    kept = []
    for part in parts:
        name, equals, said = part.partition(b"=")
        if fold_parameter(name) in injected:
            continue
        if not inside and (b"?" in said or b"%3F" in said.upper()):
            url = unquote_to_bytes(said)
            shown = _cut_parameters(url, injected, inside=True)
            if shown != url:
                part = name + equals + quote_from_bytes(shown, safe="").encode()
        kept.append(part)
    if kept == parts:
        return value
    query = b"&".join(kept)
    return head + (b"?" + query if query else b"") + hash_mark + fragment
