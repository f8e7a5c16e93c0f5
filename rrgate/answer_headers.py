"""`AnswerHeaders`: the header fields on every answer, ours and targets' (gateway-api.md 6, 7).

Belongs here: which fields an answer has, and what is cut from them. Does not: what our own answers say (answers.py),
their framing (wire/response.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

import orjson

from rrgate.answers import GRANTED, GRANTED_MESSAGE, reason_phrase
from rrgate.exchange import Exchange
from rrgate.messages import Reply, TargetResponse, first
from rrgate.names import crossing, fold_parameter

_LOCATIONS: Final = frozenset({b"location", b"content-location"})
_IN_LINK: Final = re.compile(rb"<[^>]*|(?<=\")[^\"<>]*|(?<==)[^\"<>,;\s]+")
"""Where a URL may stand in `Link`: in angles, or in a parameter such as `anchor`, quoted or not."""
_IN_REFRESH: Final = re.compile(rb"[^\"']+")
_PLACES: Final = {b"link": _IN_LINK, b"refresh": _IN_REFRESH}
_JSON: Final = (b"Content-Type", b"application/json")


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
