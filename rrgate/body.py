"""`Body`: the bytes of one message on their way from the connection that receives them to whoever reads them.

Belongs here: buffering, back-pressure, the end, and a broken end. Does not: framing (wire/), limits (relay.py).
Everything happens on the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from rrgate.waiting import Waiter


class BodySource(Protocol):
    """The connection that a body comes from."""

    def body_wanted(self) -> None:
        """Somebody reads for the first time (a caller who expects it is told `100 Continue` now)."""

    def pause_body(self) -> None:
        """Enough is buffered: stop reading from the peer."""

    def resume_body(self) -> None:
        """The buffer is empty: read on."""

    def abandon_body(self) -> None:
        """Nobody will read the rest: break off."""


class BodyBroken(Exception):
    """The message ended before its body did; the text says how, without any of its content.

    `status`: what its sender is answered, 0 if nobody is there to be answered.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NoRoom(BodyBroken):
    """The body would have to be held, and as much is held as may be."""


class BodyTooLarge(Exception):
    """The body passed the bound set on it."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"body over {limit} bytes")
        self.limit = limit


HIGH_WATER = 32 * 1024
"""Bytes buffered at which the sender is paused; one socket read (64 KiB) may come on top."""

KEPT_BYTES = 64 * 1024
"""Of a body whose beginning is kept for the request log."""


SMALL = 4 * 1024
"""Bytes up to which pieces are joined that wait: one of 2 bytes alone takes 56, and that is how some will send."""


def add_piece(pieces: list[bytes], data: bytes) -> None:
    """`data` behind what waits in `pieces`, which take little more than what is in them."""
    if pieces and len(pieces[-1]) + len(data) <= SMALL:
        pieces[-1] += data
    else:
        pieces.append(data)


class Body:
    """One reader takes chunks in order; at most `HIGH_WATER` bytes and one socket read wait here."""

    __slots__ = (
        "_chunks",
        "_error",
        "_paused",
        "_reader",
        "_source",
        "_wanted",
        "buffered",
        "ended",
        "kept",
        "limit",
        "received",
    )

    def __init__(self, source: BodySource | None) -> None:
        self._source = source
        self._chunks: list[bytes] = []
        self._error: Exception | None = None
        self._reader: Waiter[None] | None = None
        self._paused = False
        self._wanted = False
        self.buffered = 0
        self.received = 0
        self.ended = False
        self.limit: int | None = None
        self.kept: bytearray | None = None

    @classmethod
    def of(cls, content: bytes) -> Body:
        """A body that is whole already."""
        body = cls(None)
        body.ended = True
        if content:
            body._chunks.append(content)
            body.received = body.buffered = len(content)
        return body

    @property
    def complete(self) -> bool:
        """All of it has arrived, without error, whether read or not."""
        return self.ended and self._error is None

    # The connection's side.

    def feed(self, data: bytes) -> None:
        """More of the body; pauses the source when enough waits."""
        if self.ended or not data:
            return
        self.received += len(data)
        if self.limit is not None and self.received > self.limit:
            self.fail(BodyTooLarge(self.limit))
            self._cut_off()
            return
        if self.kept is not None:
            self._keep(data)
        if self._chunks:
            add_piece(self._chunks, data)
        else:
            self._chunks.append(data)
        self.buffered += len(data)
        if self._reader is not None:
            self._wake()
        elif self.buffered >= HIGH_WATER and not self._paused and self._source is not None:
            self._paused = True
            self._source.pause_body()

    def end(self) -> None:
        """The body is whole."""
        if not self.ended:
            self.ended = True
            self._wake()

    def fail(self, error: Exception) -> None:
        """The body will never be whole; `read` raises `error` once what came before it is taken."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._wake()

    def let_go(self) -> None:
        """It has ended, and no longer holds its source, which may hold it."""
        self._source = None

    def _cut_off(self) -> None:
        # Now, as long as its connection is at it: later that may be at another message.
        if self._source is not None:
            self._source.abandon_body()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.fire(None)

    # The reader's side.

    def keep(self) -> None:
        """Remember the first `KEPT_BYTES` in `kept`, whoever reads them; what was read before is not among them."""
        if self.kept is None and not (self.ended and not self._chunks):
            self.kept = bytearray()
            for data in self._chunks:
                self._keep(data)

    def _keep(self, data: bytes) -> None:
        assert self.kept is not None
        room = KEPT_BYTES - len(self.kept)
        if room > 0:
            self.kept += data[:room]

    def bound(self, limit: int) -> None:
        """Fail with `BodyTooLarge` when more than `limit` bytes have come in all; the lowest bound set holds.

        A body that is over it already, whole or not, fails now, and nothing of it is read. Its rest is abandoned.
        """
        if self.limit is None or limit < self.limit:
            self.limit = limit
            if self.received > limit and self._error is None:
                self._chunks.clear()
                self.buffered = 0
                was_coming = not self.ended
                self.ended = True
                self._error = BodyTooLarge(limit)
                self._wake()
                if was_coming:
                    self._cut_off()

    def take(self) -> bytes:
        """What is here now, possibly nothing; the source runs on. Raises what `fail` was given, if nothing is left."""
        chunks = self._chunks
        if not chunks:
            if self._error is not None:
                raise self._error
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        if self._paused:
            self._paused = False
            if self._source is not None and not self.ended:
                self._source.resume_body()
        return data

    async def read(self) -> bytes:
        """The next bytes, at least one; `b""` at the end. Raises `BodyBroken` or `BodyTooLarge`.

        Cancelling the coroutine leaves the body as it is: what comes later waits for the next read.
        """
        while not self._chunks and not self.ended:
            await self._more()
        return self.take()

    def is_read_by(self, waiter: object) -> bool:
        """Whether whoever waits for `waiter` waits for more of this body."""
        return self._reader is not None and self._reader is waiter

    async def read_or_nudged(self) -> bytes | None:
        """As `read`, but None when `nudge` was called while nothing came."""
        if not self._chunks and not self.ended:
            await self._more()
            if not self._chunks and not self.ended:
                return None
        return self.take()

    def nudge(self) -> None:
        """Wake a `read_or_nudged` that waits."""
        self._wake()

    async def _more(self) -> None:
        """Wait until something has changed."""
        if not self._wanted:
            self._wanted = True
            if self._source is not None:
                self._source.body_wanted()
            if self._chunks or self.ended:
                return
        self._reader = Waiter()
        try:
            await self._reader
        finally:
            self._reader = None

    def abandon(self) -> None:
        """Nobody will read the rest; the sender is cut off if it is not done. Does nothing on an ended body."""
        if not self.ended and self._source is not None:
            self._source.abandon_body()

    async def whole(self, limit: int, count: Callable[[int], object] | None = None) -> bytes:
        """All of it, if that is at most `limit` bytes; else raises `BodyTooLarge`. Raises `BodyBroken`.

        `count` is told of the bytes of each piece, and raises what this is to raise.
        """
        self.bound(limit)
        parts: list[bytes] = []
        while data := await self.read():
            if count is not None:
                count(len(data))
            add_piece(parts, data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def whole_within(self, limit: int, count: Callable[[int], object] | None = None) -> bytes | None:
        """All of it, if that is at most `limit` bytes; else None, and it can be read as if nobody had: no more than
        `limit` bytes and one read are held for it. Raises `BodyBroken`, `BodyTooLarge`. `count`: as in `whole`.
        """
        parts: list[bytes] = []
        size = 0
        while size <= limit:
            data = await self.read()
            if not data:
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if count is not None:
                count(len(data))
            add_piece(parts, data)
            size += len(data)
        self._chunks[:0] = parts
        self.buffered += size
        return None


NO_BODY: Final = Body.of(b"")
"""The body of a message that has none, shared by all."""
