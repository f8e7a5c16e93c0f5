"""The field lines of a head, split by llhttp, and the framing that they announce.

Belongs here: what request heads and answer heads share. Does not: their first lines (request_head.py, answer_head.py).
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final, Literal

import httptools

from rrgate.messages import Fields
from rrgate.names import fold

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

MOST_KNOWN: Final = 4096
"""Lines that are remembered; then all are forgotten, so that names that never come again do not stay for ever."""
MOST_OF_NAME: Final = 64
"""Of them lines of one name. Where each request has an id of its own, a few go round in memory that is at hand, and
not thousands (2 µs a head)."""
LONGEST_KNOWN: Final = 256
"""Bytes of a line that is remembered."""


class _Callbacks:
    """What llhttp calls: the fields of one head as it splits them."""

    __slots__ = ("ended", "fields")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if value[-1:] in _SPACES:
            value = value.rstrip(b" \t")
        self.fields.append((fold(name), name, value))

    def on_headers_complete(self) -> None:
        self.ended = True


Split = tuple[Fields, dict[bytes, list[bytes]], bool]
"""The fields of a head in order; the values of those among `SPECIAL`, by folded name; and whether one of these names
has a `_`, so that only some servers read it as such (RFC 9112 11.2)."""


class FieldLines:
    """Splits field lines as llhttp does, and remembers how: nearly all lines of a head have come before.

    A line that is known costs a look-up or two (0.1 µs); llhttp costs 1 µs a head and 0.4 a line, mostly for calling
    back. What is remembered is how a line is split that stands alone. Where lines mean something together, that is
    judged by whoever asks (several `Content-Length`), or they are not remembered (`Transfer-Encoding`).
    """

    def __init__(self, parser: Any, first_line: bytes) -> None:
        """`parser`: a class of httptools. `first_line`: a good one of the heads that it parses."""
        self._parser = parser
        self._first_line = first_line
        self._known: dict[bytes, tuple[bytes, bytes, bytes]] = {}
        self._special: set[bytes] = set()
        self._of_name: dict[bytes, deque[bytes]] = {}

    def split(self, lines: list[bytes]) -> Split | None:
        """The fields of `lines`, in order; None if llhttp refuses them.

        It refuses bare CR, LF and NUL, folded lines, and space in or after names.
        """
        known = self._known
        specials = self._special
        fields: list[Any] = list(map(known.get, lines))
        if all(fields):
            marked = [known[line] for line in lines if line in specials]
        else:
            unknown = [place for place, field in enumerate(fields) if field is None]
            learned = self._learn([lines[place] for place in unknown])
            if learned is None:
                return None
            for place, field in zip(unknown, learned, strict=True):
                fields[place] = field
            marked = [field for field in fields if field[0] in SPECIAL]
        special: dict[bytes, list[bytes]] = {}
        oddly = False
        for folded, name, value in marked:
            if name.find(b"_") >= 0:
                oddly = True
            if folded in special:
                special[folded].append(value)
            else:
                special[folded] = [value]
        return fields, special, oddly

    def _learn(self, lines: list[bytes]) -> Fields | None:
        """How `lines` are split, each; None if llhttp refuses them."""
        split = _Callbacks()
        try:
            self._parser(split).feed_data(b"\r\n".join((self._first_line, *lines, b"", b"")))
        except httptools.HttpParserUpgrade:
            # Its head is good. It would end the message here; we frame by our own count and ignore `Upgrade`.
            pass
        except httptools.HttpParserError:
            return None
        fields = split.fields
        if not split.ended or len(fields) != len(lines):
            return None
        for line, field in zip(lines, fields, strict=True):
            if len(line) <= LONGEST_KNOWN and field[0] != b"transfer-encoding" and line not in self._known:
                self._remember(line, field)
        return fields

    def _remember(self, line: bytes, field: tuple[bytes, bytes, bytes]) -> None:
        if len(self._known) >= MOST_KNOWN:
            # Others in their place: who called has some of them in hand.
            self._known, self._special, self._of_name = {}, set(), {}
        recent = self._of_name.get(field[0])
        if recent is None:
            recent = self._of_name[field[0]] = deque()
        elif len(recent) >= MOST_OF_NAME:
            oldest = recent.popleft()
            del self._known[oldest]
            self._special.discard(oldest)
        recent.append(line)
        self._known[line] = field
        if field[0] in SPECIAL:
            self._special.add(line)


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
