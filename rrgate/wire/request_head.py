"""The head of a caller's request, judged before anything else sees it.

Belongs here: RFC 9110 and 9112 as gateway-api.md 1, 2, 5 and 6 narrow them, for heads. Does not: bodies, paths, Host
against the listener's names.
"""

from __future__ import annotations

import re
from typing import Final

import httptools
from attrs import define

from rrgate.messages import Fields
from rrgate.names import is_host
from rrgate.websocket.handshake import Handshake, handshake_of
from rrgate.wire.fieldlines import CONTENT_LENGTH, FieldLines, cut_connection_named, transfer_coding

METHODS: Final = frozenset(
    b"DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL "
    b"REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK "
    b"SOURCE QUERY".split()
)
"""The methods of llhttp, without `CONNECT` and `TRACE`."""

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])\Z",
)
_FIRST_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
MAX_HOST: Final = 262
"""Bytes of a Host field: a name of 255, a colon and five digits. What is longer is not even remembered."""
_LINES = FieldLines(httptools.HttpRequestParser, b"GET / HTTP/1.1")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)([^#]*)\Z")


class HeadRefused(Exception):
    """The head is answered with `status`, and the connection closed; the text repeats nothing of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@define(slots=True, eq=False)
class RequestHead:
    """A head that may go on. `length`: bytes of the body, 0 if there is none, None if it is chunked.

    It may be that of several requests of a connection (repeated_heads.py): who changes `fields` takes a copy.
    """

    method: bytes
    target: bytes
    """Origin-form, as received."""
    host: bytes
    fields: Fields
    """Without those that `Connection` names."""
    length: int | None
    http10: bool
    keep_alive: bool
    expects_continue: bool
    handshake: Handshake | None = None
    """What it asks for if it is to open a WebSocket."""


def judge_beginning(begun: bytes, max_target: int) -> None:
    """Judge what is there of a head whose end is not: refuses as early as can be. Raises HeadRefused."""
    if begun[0] not in _FIRST_BYTES:
        raise HeadRefused(400, "a request begins with its method, without an empty line before (RFC 9112 2.2)")
    end = begun.find(b"\n")
    if end < 0:
        if len(begun) > max_target + 64:
            raise HeadRefused(414, f"the request target is over {max_target} bytes (RFC 9110 15.5.15)")
        return
    if begun[end - 1] != 0x0D:
        raise HeadRefused(400, "a line ends with CRLF (RFC 9112 2.2)")
    judge_request_line(begun[: end - 1], max_target)


def judge_request_line(line: bytes, max_target: int) -> tuple[bytes, bytes, bool]:
    """(method, request target, is HTTP/1.0) of `line` (RFC 9112 3). Raises HeadRefused."""
    if len(line) > max_target + 64:
        raise HeadRefused(414, f"the request target is over {max_target} bytes (RFC 9110 15.5.15)")
    matched = _REQUEST_LINE.match(line)
    if matched is None:
        raise HeadRefused(400, "the first line is not `METHOD target HTTP/1.1` (RFC 9112 3)")
    method, target, major, minor = matched.groups()
    if len(target) > max_target:
        raise HeadRefused(414, f"the request target is over {max_target} bytes (RFC 9110 15.5.15)")
    if major != b"1" or minor > b"1":
        raise HeadRefused(505, "this gateway speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 15.6.6)")
    if method not in METHODS:
        if method in (b"CONNECT", b"TRACE"):
            raise HeadRefused(405, f"{method.decode()} is not served here")
        raise HeadRefused(501, "this method is not known here; methods are case-sensitive (RFC 9110 9.1)")
    return method, target, minor == b"0"


def judge_head(head: bytes, max_target: int, max_fields: int) -> RequestHead:
    """The request that `head` (whole, with its empty line) announces. Raises HeadRefused."""
    lines = head.split(b"\r\n")
    method, target, http10 = judge_request_line(lines[0], max_target)
    split = _LINES.split(lines[1:-2])
    if split is None:
        raise HeadRefused(400, "a header field line is malformed (RFC 9112 5)")
    fields, special, oddly = split
    if len(fields) > max_fields:
        raise HeadRefused(431, f"more than {max_fields} header fields (RFC 6585 5)")
    if oddly:
        raise HeadRefused(400, "a field name that some servers read as a framing field (RFC 9112 11.2)")
    host = _judge_host(special.get(b"host"), http10)
    target = origin_form(target, host)
    length = _judge_framing(special, http10)
    options: frozenset[bytes] = frozenset()
    handshake = None
    if b"connection" in special:
        fields, options = cut_connection_named(fields, special[b"connection"])
        if b"upgrade" in options and method == b"GET" and not http10:
            fields, handshake = handshake_of(fields, length)
    expects_continue = False
    if b"expect" in special and not http10:
        if [value.lower() for value in special[b"expect"]] != [b"100-continue"]:
            raise HeadRefused(417, "the only expectation that can be met is 100-continue (RFC 9110 10.1.1)")
        expects_continue = length != 0
    keep_alive = b"close" not in options and (not http10 or b"keep-alive" in options)
    return RequestHead(method, target, host, fields, length, http10, keep_alive, expects_continue, handshake)


def _judge_host(values: list[bytes] | None, http10: bool) -> bytes:
    if values is None:
        if http10:
            return b""
        raise HeadRefused(400, "an HTTP/1.1 request has a Host field (RFC 9112 3.2)")
    if len(values) > 1:
        raise HeadRefused(400, "a request has one Host field (RFC 9112 3.2)")
    if len(values[0]) > MAX_HOST or not is_host(values[0]):
        raise HeadRefused(400, "Host is a name or address, with a port if need be (RFC 9110 7.2)")
    return values[0]


def origin_form(target: bytes, host: bytes) -> bytes:
    """The request target in origin-form (RFC 9112 3.2); `host`: what `Host` says. Raises HeadRefused."""
    if target[0] != 0x2F:
        target = _judge_absolute(target, host)
    if target.find(b"#") >= 0:
        raise HeadRefused(400, "a request target has no fragment (RFC 9112 3.2)")
    return target


def _judge_absolute(target: bytes, host: bytes) -> bytes:
    """Origin-form of an absolute-form target whose authority is `host` (RFC 9112 3.2.2)."""
    matched = _ABSOLUTE.match(target)
    if matched is None:
        raise HeadRefused(400, "the request target begins with / or is an http URL (RFC 9112 3.2)")
    if not host or matched[1].lower() != host.lower():
        raise HeadRefused(400, "the authority of the request target is not that of Host (RFC 9112 3.2.2)")
    rest: bytes = matched[2]
    return rest if rest.startswith(b"/") else b"/" + rest


def _judge_framing(special: dict[bytes, list[bytes]], http10: bool) -> int | None:
    """Bytes of the body, or None if it is chunked (RFC 9112 6.1–6.3)."""
    lengths = special.get(b"content-length")
    codings = special.get(b"transfer-encoding")
    if codings is None:
        if lengths is None:
            return 0
        if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):
            raise HeadRefused(400, "Content-Length is one decimal number (RFC 9112 6.3)")
        return int(lengths[0])
    if lengths is not None:
        raise HeadRefused(400, "a request has Content-Length or Transfer-Encoding, not both (RFC 9112 6.1)")
    if http10:
        raise HeadRefused(400, "HTTP/1.0 has no Transfer-Encoding (RFC 9112 6.1)")
    coding = transfer_coding(codings)
    if coding == "bad":
        raise HeadRefused(400, "chunked is the last transfer coding, once (RFC 9112 6.1)")
    if coding == "unknown":
        raise HeadRefused(501, "the only transfer coding served is chunked (RFC 9112 6.1)")
    return None
