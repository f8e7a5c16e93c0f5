"""The field lines of a head, split by llhttp, and the framing that they announce.

Belongs here: what request heads and answer heads share. Does not: their first lines (request_head.py, answer_head.py).
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import httptools

from rrgate.exchange import Fields
from rrgate.names import fold

CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,15}\Z")
"""Digits only (RFC 9110 8.6): `+5`, `5, 5`, and what overflows are refused."""

_NAMED_IN_CONNECTION_ANYWAY = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})


class Collector:
    """What llhttp calls while it reads one head."""

    __slots__ = ("ended", "raw")

    def __init__(self) -> None:
        self.raw: list[tuple[bytes, bytes]] = []
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.raw.append((name, value))

    def on_headers_complete(self) -> None:
        self.ended = True


def split_fields(parser: Any, head: bytes) -> Fields | None:
    """The fields of `head` (whole, with its empty line) as the fresh `parser` splits them; None if it refuses.

    `parser` is a class of httptools. llhttp refuses bare CR, LF and NUL, folded lines, and space in or after names.
    """
    collector = Collector()
    try:
        parser(collector).feed_data(head)
    except httptools.HttpParserUpgrade:
        # Its head is good. It would end the message here; we frame by our own count and ignore `Upgrade`.
        pass
    except httptools.HttpParserError:
        return None
    if not collector.ended:
        return None
    return [(fold(name), name, value.strip(b" \t")) for name, value in collector.raw]


def cut_connection_named(fields: Fields, values: list[bytes]) -> tuple[Fields, frozenset[bytes]]:
    """`fields` without those that `Connection` names (RFC 9110 7.6.1), and the connection options, lower case."""
    options = frozenset(
        option for value in values for part in value.split(b",") if (option := part.strip(b" \t").lower())
    )
    named = {fold(option) for option in options - _NAMED_IN_CONNECTION_ANYWAY}
    if named:
        fields = [field for field in fields if field[0] not in named]
    return fields, options


Coding = Literal["none", "chunked", "unknown", "bad"]


def transfer_coding(values: list[bytes]) -> Coding:
    """What `Transfer-Encoding` announces: exactly one `chunked`, nothing, another coding, or what may hide a length."""
    if not values:
        return "none"
    codings = [part.strip(b" \t").lower() for value in values for part in value.split(b",")]
    if codings == [b"chunked"]:
        return "chunked"
    if codings.count(b"chunked") > 1 or b"" in codings or codings[-1] != b"chunked":
        return "bad"
    return "unknown"
