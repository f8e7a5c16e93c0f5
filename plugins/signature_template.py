"""What `hmac` signs, as a template: text with placeholders such as `{timestamp}.{body}`.

Belongs here: reading a template, and what stands for each placeholder in a request. Does not: the signature
(hmac_signature.py). `{{` and `}}` stand for braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from attrs import frozen

from rrgate.api import NOT_INJECTABLE, Exchange, fold, is_token

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_HEADER = "header:"

LONGEST = 4096
"""Characters of a template."""
MOST_PLACEHOLDERS = 32
FORM_LIMIT = 1024 * 1024
"""Bytes of a body whose fields are signed."""
MOST_FIELDS = 20_000
"""Of such a body: each costs all callers a microsecond."""


class BadTemplate(ValueError):
    """A template that cannot be read; the text says where and why."""


class CannotSign(Exception):
    """The request lacks what is signed, or has too much of it; the text says what, and nothing of the request."""

    holds_no_values = True


@frozen
class Moment:
    """What is not of the request: the time as it is told, and the body, if it is signed."""

    stamp: bytes
    body: bytes = b""


Value = Callable[[Exchange, Moment], bytes]


def _path_and_query(ex: Exchange, _: Moment) -> bytes:
    request = ex.to_target
    return request.path + request.query_mark + request.query


def _url(ex: Exchange, at: Moment) -> bytes:
    scheme = b"https://" if ex.target_is_tls else b"http://"
    return scheme + ex.target_authority + _path_and_query(ex, at)


def _form(ex: Exchange, at: Moment) -> bytes:
    """Names and values of an urlencoded body, decoded, in the order of their names, with nothing between."""
    kind = (ex.to_target.header(b"Content-Type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/x-www-form-urlencoded":
        return b""
    if len(at.body) > FORM_LIMIT or at.body.count(b"&") >= MOST_FIELDS:
        raise CannotSign(f"a form of at most {FORM_LIMIT} bytes and {MOST_FIELDS} fields")
    fields = [part.partition(b"=")[::2] for part in at.body.replace(b"+", b" ").split(b"&") if part]
    decoded = ((unquote_to_bytes(name), unquote_to_bytes(value)) for name, value in fields)
    return b"".join(name + value for name, value in sorted(decoded))


PLACEHOLDERS: dict[str, Value] = {
    "method": lambda ex, at: ex.to_target.method,
    "url": _url,
    "host": lambda ex, at: ex.target_authority,
    "path": lambda ex, at: ex.to_target.path,
    "query": lambda ex, at: ex.to_target.query,
    "pathAndQuery": _path_and_query,
    "body": lambda ex, at: at.body,
    "bodySha256": lambda ex, at: sha256(at.body).hexdigest().encode(),
    "form": _form,
    "timestamp": lambda ex, at: at.stamp,
    "id": lambda ex, at: ex.id.encode(),
}
OF_THE_BODY = frozenset(("body", "bodySha256", "form"))


class Template:
    """A template, read once."""

    def __init__(self, text: str, allowed: frozenset[str] | None = None) -> None:
        """`allowed`: the placeholders that it may have; all if None. Raises BadTemplate."""
        if len(text) > LONGEST:
            raise BadTemplate(f"must have at most {LONGEST} characters")
        self.names: frozenset[str] = frozenset()
        self._pieces: list[bytes | Value] = []
        literal, found = "", 0
        for match in _PIECE.finditer(text):
            piece = match[0]
            if piece in ("{{", "}}"):
                literal += piece[0]
            elif match[1] is not None:
                self._pieces += [literal.encode(), _value(match[1], match.start(), allowed)]
                if match[1] in OF_THE_BODY & self.names:
                    raise BadTemplate(f"has {match[0]} once more at character {match.start() + 1}")
                self.names |= {match[1]}
                literal, found = "", found + 1
            elif piece in "{}":
                raise BadTemplate(f"has a {piece} at character {match.start() + 1}; one that is meant is doubled")
            else:
                literal += piece
        if found > MOST_PLACEHOLDERS:
            raise BadTemplate(f"must have at most {MOST_PLACEHOLDERS} placeholders")
        self._pieces.append(literal.encode())

    @property
    def headers(self) -> frozenset[bytes]:
        """Folded names of the fields in it."""
        named = (name.removeprefix(_HEADER) for name in self.names if name.startswith(_HEADER))
        return frozenset(fold(name.encode()) for name in named)

    def of(self, ex: Exchange, at: Moment) -> bytes:
        """The text for this request. Raises CannotSign."""
        return b"".join(piece if isinstance(piece, bytes) else piece(ex, at) for piece in self._pieces)


def _value(name: str, place: int, allowed: frozenset[str] | None) -> Value:
    if name in PLACEHOLDERS and (allowed is None or name in allowed):
        return PLACEHOLDERS[name]
    where = f"has an unknown placeholder at character {place + 1}"
    if allowed is not None:
        raise BadTemplate(f"{where}; known here are {', '.join(f'{{{each}}}' for each in sorted(allowed))}")
    if not name.startswith(_HEADER):
        known = ", ".join(f"{{{each}}}" for each in (*PLACEHOLDERS, "header:Name"))
        raise BadTemplate(f"{where}; known are {known}")
    header = name.removeprefix(_HEADER).encode("utf-8", "replace")
    if not is_token(header):
        raise BadTemplate(f"has no header's name in the placeholder at character {place + 1}")
    if fold(header) in NOT_INJECTABLE:
        raise BadTemplate(f"names at character {place + 1} a header that is written later; the host is {{host}}")
    return lambda ex, at: _header(ex, header)


def _header(ex: Exchange, name: bytes) -> bytes:
    folded = fold(name)
    values = [value for known, _, value in ex.to_target.sent_fields() if known == folded]
    if not values:
        raise CannotSign(f"the header {name.decode()}, which this request does not have")
    return b", ".join(values)
