"""`AnswerWriter`: the bytes of one answer to a caller, framed by us (RFC 9112 6).

Belongs here: status line, our framing fields, chunks. Does not: which fields an answer has (answer_headers.py).
"""

from __future__ import annotations

from collections.abc import Sequence

_LAST_CHUNK = b"0\r\n\r\n"


class AnswerWriter:
    """One answer. `begun` from its head on, `ended` from its last byte on; `close`: nothing may follow it.

    A body that is longer or shorter than the head says raises ValueError: the next answer would be taken for its rest.
    So does a field that would end its line and begin another; nothing is begun then.
    """

    __slots__ = ("_chunked", "_head_request", "_http10", "_left", "_no_body", "begun", "close", "ended")

    def __init__(self, method: bytes, http10: bool) -> None:
        self._head_request = method == b"HEAD"
        self._http10 = http10
        self._no_body = False
        self._chunked = False
        self._left: int | None = None
        self.begun = False
        self.ended = False
        self.close = False

    def head(
        self,
        status: int,
        reason: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        keep: bool,
    ) -> bytes:
        """The head, and `first` framed behind it; see `Door.begin`. `keep`: the connection may live on."""
        no_body = self._no_body = self._head_request or status == 204 or status == 304
        # `map` is a third cheaper than formatting each.
        begun = b"\r\n".join([b"HTTP/1.1 %d %b" % (status, reason), *map(b": ".join, fields)])
        # One CR and one LF a line: what a plugin has put into the fields has not brought its own (0.2 µs).
        ends = len(fields)
        if begun.count(b"\n") != ends or begun.count(b"\r") != ends or begun.find(b"\0") >= 0:
            raise ValueError("a field of the answer holds CR, LF or NUL")
        if not no_body:
            if last and length is None:
                length = len(first)
            if length is not None:
                left = self._left = length - len(first)
                if left < 0 or (last and left):
                    raise ValueError("an answer's body is not as long as its head says")
        self.begun = True
        framing = b""
        if length is not None:
            if status != 204:
                framing = b"\r\nContent-Length: %d" % length
        elif not no_body:
            if self._http10:
                keep = False
            else:
                self._chunked = True
                framing = b"\r\nTransfer-Encoding: chunked"
        if not keep:
            self.close = True
            framing += b"\r\nConnection: close"
        elif self._http10:
            framing += b"\r\nConnection: keep-alive"
        if last:
            self.ended = True
        if no_body:
            first = b""
        elif first and self._chunked:
            first = b"%x\r\n%b\r\n" % (len(first), first)
        return b"%b%b\r\n\r\n%b" % (begun, framing, first)

    def switching(self, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The head after which the connection is no longer HTTP: as much of an answer as there is. Raises ValueError.
        """
        head = b"\r\n".join([b"HTTP/1.1 101 Switching Protocols", *map(b": ".join, fields), b"\r\n"])
        ends = len(fields) + 2
        if head.count(b"\n") != ends or head.count(b"\r") != ends or head.find(b"\0") >= 0:
            raise ValueError("a field of the answer holds CR, LF or NUL")
        self.begun = self.ended = self.close = True
        return head

    def chunk(self, data: bytes) -> bytes:
        """`data` as it goes out, possibly nothing; an empty chunk would end the answer."""
        if self._no_body or not data:
            return b""
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("an answer's body is longer than its head says")
        return data

    def last_chunk(self) -> bytes:
        """What ends the body."""
        if self._left:
            raise ValueError("an answer's body is shorter than its head says")
        self.ended = True
        return _LAST_CHUNK if self._chunked and not self._no_body else b""
