"""Where a body ends: by length, by chunks, or by the end of the connection (RFC 9112 6, 7).

Belongs here: cutting one message's body out of a stream, the same for both sides. Does not: heads (…_head.py).
The end is found by these counts alone; tests hold the chunked one against llhttp on the same bytes.
"""

from __future__ import annotations

import re
from typing import Final, Protocol


class FramingError(Exception):
    """The bytes are no body of the announced framing; the text says why, with the RFC's section."""


class Framer(Protocol):
    """Cuts one body. `done` is true from the call on that saw its end."""

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take `data` off the stream: (body bytes in it, bytes behind the end of the message). Raises FramingError."""


class LengthFramer:
    """A body of `length` bytes, at least one."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        size = len(data)
        if size < self._left:
            self._left -= size
            return data, b""
        self.done = True
        if size == self._left:
            return data, b""
        return data[: self._left], data[self._left :]


class CloseFramer:
    """A body that ends with the connection; never `done` by its bytes."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class DropFramer:
    """What comes behind a message that broke: dropped, and never `done`."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return b"", b""


MAX_SIZE_LINE: Final = 1024
"""Bytes of one chunk's size line, extensions included."""
MAX_IDLE_BYTES: Final = 16 * 1024
"""Bytes of extensions in one body: more is a sender who makes no progress."""
MAX_TRAILERS: Final = 8 * 1024

# Size in at most 15 digits, then extensions: token [= token or quoted-string], no spaces or control characters outside
# of the quotes. Parsers disagree on such spaces, which is what smuggling lives on.
_SIZE_LINE = re.compile(
    rb"0*([0-9A-Fa-f]{1,15})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"|\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*\"))?)*\Z"
)
_TRAILER = re.compile(
    rb"(?!(?i:content[-_]length|transfer[-_]encoding):)[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t \x21-\x7e\x80-\xff]*\Z"
)
_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


class ChunkedFramer:
    """A chunked body (RFC 9112 7.1). Extensions are ignored and trailers dropped, both within bounds.

    A CR anywhere but before its LF fits neither of the patterns above, nor what may stand behind a chunk's data.
    """

    __slots__ = ("_held", "_idle", "_left", "_state", "_trailers", "done")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0
        self._held = b""
        self._idle = 0
        self._trailers = 0
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if self._state == _DATA and len(data) < self._left:
            self._left -= len(data)
            return data, b""
        if self._held:
            data = self._held + data
            self._held = b""
        parts: list[bytes] = []
        place = 0
        size = len(data)
        while not self.done and place < size:
            if self._state == _DATA:
                end = min(size, place + self._left)
                parts.append(data[place:end])
                self._left -= end - place
                place = end
                if self._left == 0:
                    self._state = _DATA_END
                continue
            end = data.find(b"\n", place)
            line = data[place:end] if end >= 0 else data[place:]
            self._bound(line)
            if end < 0:
                self._held = line
                place = size
                break
            if not line.endswith(b"\r"):
                raise FramingError("a line of a chunked body must end with CRLF (RFC 9112 7.1, 2.2)")
            place = end + 1
            self._line(line[:-1])
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return body, data[place:] if self.done else b""

    def _bound(self, line: bytes) -> None:
        if self._state == _SIZE and len(line) > MAX_SIZE_LINE:
            raise FramingError(f"a chunk's size line is over {MAX_SIZE_LINE} bytes (RFC 9112 7.1.1)")
        if self._state == _DATA_END and line not in (b"", b"\r"):
            raise FramingError("a chunk's data must be followed by CRLF (RFC 9112 7.1)")
        if self._state == _TRAILERS and self._trailers + len(line) > MAX_TRAILERS:
            raise FramingError(f"trailers are over {MAX_TRAILERS} bytes (RFC 9112 7.1.2)")

    def _line(self, line: bytes) -> None:
        if self._state == _SIZE:
            matched = _SIZE_LINE.match(line)
            if matched is None:
                raise FramingError("a chunk's size line is malformed (RFC 9112 7.1)")
            self._idle += len(line) - len(matched[1])
            if self._idle > MAX_IDLE_BYTES:
                raise FramingError(f"chunk extensions are over {MAX_IDLE_BYTES} bytes in all (RFC 9112 7.1.1)")
            self._left = int(matched[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif self._state == _DATA_END:
            self._state = _SIZE
        elif line:
            if not _TRAILER.match(line):
                raise FramingError("a trailer field is malformed, or would frame the message (RFC 9112 7.1.2)")
            self._trailers += len(line)
        else:
            self.done = True
