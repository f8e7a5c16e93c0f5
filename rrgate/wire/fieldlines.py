"""The field lines of a head, split by llhttp, and the framing that they announce.

Belongs here: what request heads and answer heads share. Does not: their first lines (request_head.py, answer_head.py).
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import httptools

from rrgate.messages import Fields
from rrgate.names import FOLDED, fold

CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,15}\Z")
"""Digits only (RFC 9110 8.6): `+5`, `5, 5`, and what overflows are refused."""

_SPACES = frozenset((b" ", b"\t"))
_ONLY_KEEP_ALIVE = [b"keep-alive"]
_KEEP_ALIVE = frozenset(_ONLY_KEEP_ALIVE)
_NAMED_IN_CONNECTION_ANYWAY = frozenset(
    # The last is no option: whoever could have it cut behind a trusted proxy would pass for the proxy.
    {b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings", b"x-forwarded-for"}
)


SPECIAL: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"keep-alive"})
"""Folded names of the fields that a head is judged by."""


class SplitFields:
    """The fields of one head, split by llhttp, whose callbacks these are; as little as can be, as they run per line."""

    __slots__ = ("ended", "fields", "special", "spelled_oddly")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.special: dict[bytes, list[bytes]] = {}
        """The values of the fields among `SPECIAL`, by folded name."""
        self.spelled_oddly = False
        """A name has a `_` where some servers read one of `SPECIAL` (RFC 9112 11.2)."""
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # The look-up that `fold` begins with, without its call.
        folded = FOLDED.get(name) or fold(name)
        if value[-1:] in _SPACES:
            value = value.rstrip(b" \t")
        self.fields.append((folded, name, value))
        if folded in SPECIAL:
            if name.find(b"_") >= 0:
                self.spelled_oddly = True
            if folded in self.special:
                self.special[folded].append(value)
            else:
                self.special[folded] = [value]

    def on_headers_complete(self) -> None:
        self.ended = True


def split_fields(parser: Any, head: bytes) -> SplitFields | None:
    """The fields of `head` (whole, with its empty line) as the fresh `parser` splits them; None if it refuses.

    `parser` is a class of httptools. llhttp refuses bare CR, LF and NUL, folded lines, and space in or after names.
    """
    split = SplitFields()
    try:
        parser(split).feed_data(head)
    except httptools.HttpParserUpgrade:
        # Its head is good. It would end the message here; we frame by our own count and ignore `Upgrade`.
        pass
    except httptools.HttpParserError:
        return None
    return split if split.ended else None


def cut_connection_named(fields: Fields, values: list[bytes]) -> tuple[Fields, frozenset[bytes]]:
    """`fields` without those that `Connection` names (RFC 9110 7.6.1), and the connection options, lower case."""
    if values == _ONLY_KEEP_ALIVE:
        # What nearly every message says.
        return fields, _KEEP_ALIVE
    options = frozenset(
        option for value in values for part in value.split(b",") if (option := part.strip(b" \t").lower())
    )
    named = {fold(option) for option in options} - _NAMED_IN_CONNECTION_ANYWAY
    if named:
        fields = [field for field in fields if field[0] not in named]
    return fields, options


Coding = Literal["chunked", "unknown", "bad"]


def transfer_coding(values: list[bytes]) -> Coding:
    """What `Transfer-Encoding` announces: exactly one `chunked`, another coding, or what may hide a length."""
    codings = [part.strip(b" \t").lower() for value in values for part in value.split(b",")]
    if codings == [b"chunked"]:
        return "chunked"
    if codings.count(b"chunked") > 1 or b"" in codings or codings[-1] != b"chunked":
        return "bad"
    return "unknown"
