"""The head of a target's answer, judged before the connection may be used again.

Belongs here: what of RFC 9112 a target must keep so that the next answer is not mistaken. Does not: request heads.
"""

from __future__ import annotations

import re
from functools import lru_cache

import httptools
from attrs import define

from rrgate.messages import Fields
from rrgate.wire.fieldlines import CONTENT_LENGTH, FieldLines, cut_connection_named, transfer_coding

MAX_HEAD = 64 * 1024
"""Bytes of one answer's head, unless the setting says otherwise."""
MAX_FIELDS = 100
"""Fields of one answer's head, unless the setting says otherwise."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t \x21-\x7e\x80-\xff]*))?\Z")
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?i)(?:^|[,; ])timeout=([0-9]{1,6})")

_LINES = FieldLines(httptools.HttpResponseParser, b"HTTP/1.1 200 OK")

CLOSE = -1
"""`AnswerHead.length` of a body that ends with the connection."""


class AnswerBroken(Exception):
    """The target's answer cannot be trusted to end where it says; the connection is not used again."""


@define(slots=True, eq=False)
class AnswerHead:
    """`length`: bytes of the body on the wire, None if it is chunked, `CLOSE` if it ends with the connection.

    `announced`: what Content-Length says, which a HEAD or 304 answer has without a body. `idle`: seconds the target
    will keep the connection, if it says. It may be that of several answers, as a RequestHead.
    """

    status: int
    reason: bytes
    fields: Fields
    length: int | None
    announced: int | None
    reusable: bool
    idle: float | None


def judge_answer_head(head: bytes, to_head_request: bool, max_fields: int) -> AnswerHead:
    """The answer that `head` (whole, with its empty line) begins. Raises AnswerBroken."""
    lines = head.split(b"\r\n")
    line = lines[0]
    # What is remembered must be small: a target could fill the memory with long reasons.
    status, reason, http10 = _status_line(line) if len(line) <= 256 else _status_line.__wrapped__(line)
    split = _LINES.split(lines[1:-2])
    if split is None:
        raise AnswerBroken("a header field line is malformed (RFC 9112 5)")
    fields, special, oddly = split
    if len(fields) > max_fields:
        raise AnswerBroken(f"more than {max_fields} header fields")
    if oddly:
        raise AnswerBroken("a field name that is read as a framing field by some (RFC 9112 11.2)")
    length, announced = _framing(special, http10)
    options: frozenset[bytes] = frozenset()
    if b"connection" in special:
        fields, options = cut_connection_named(fields, special[b"connection"])
    reusable = not http10 and b"close" not in options and length != CLOSE
    if to_head_request or status < 200 or status in (204, 304):
        # No body whatever the head says (RFC 9112 6.3); one who announces a body on 204 may well send it.
        reusable = not http10 and b"close" not in options
        if not to_head_request and status != 304 and (announced or length is None):
            reusable = False
        length = 0
    idle = None
    if reusable and b"keep-alive" in special and (hint := _KEEP_ALIVE_TIMEOUT.search(special[b"keep-alive"][0])):
        idle = float(hint[1])
    return AnswerHead(status, reason, fields, length, announced, reusable, idle)


@lru_cache(maxsize=1024)
def _status_line(line: bytes) -> tuple[int, bytes, bool]:
    """(status, reason, is HTTP/1.0). Remembered: a target has few status lines (0.1 µs in place of 1.2)."""
    matched = _STATUS_LINE.match(line)
    if matched is None:
        raise AnswerBroken("the status line is malformed (RFC 9112 4)")
    return int(matched[2]), matched[3] or b"", matched[1] == b"0"


def _framing(special: dict[bytes, list[bytes]], http10: bool) -> tuple[int | None, int | None]:
    lengths = special.get(b"content-length")
    announced: int | None = None
    if lengths is not None:
        if len(lengths) > 1 or not CONTENT_LENGTH.match(lengths[0]):
            raise AnswerBroken("Content-Length is not one decimal number (RFC 9112 6.3)")
        announced = int(lengths[0])
    codings = special.get(b"transfer-encoding")
    if codings is None:
        return (CLOSE if announced is None else announced), announced
    if transfer_coding(codings) != "chunked":
        raise AnswerBroken("the transfer coding is not chunked alone (RFC 9112 6.1)")
    if lengths is not None:
        raise AnswerBroken("Content-Length beside Transfer-Encoding (RFC 9112 6.3)")
    if http10:
        raise AnswerBroken("Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)")
    return None, None
