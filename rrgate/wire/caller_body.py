"""`CallerBody`: the body of the request that is under way on a caller's connection: cut, bounded in time, handed over.

Belongs here: what a body's reader wants (`BodySource`). Does not: its request (server.py), framing (framing.py).
"""

from __future__ import annotations

from rrgate.body import Body, BodyBroken
from rrgate.wire.caller_connections import CallerConnections
from rrgate.wire.caller_transport import BODY, CallerTransport
from rrgate.wire.framing import DropFramer, Framer, FramingError

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class CallerBody(CallerTransport):
    """`_framer` is there until the body is whole, and `_body` as long as somebody may read it."""

    def __init__(self, listener: CallerConnections) -> None:
        super().__init__(listener)
        self._framer: Framer | None = None
        self._body: Body | None = None
        self._expecting = False

    @property
    def _answers(self) -> bool:
        """Whether the answer has begun."""
        raise NotImplementedError

    def _was_begun(self, status: int, message: str) -> bool:
        """Whether somebody serves the request; else it is refused."""
        raise NotImplementedError

    def _take_body(self, data: bytes) -> bytes:
        """Hand `data` to the body; answers what stands behind its end."""
        framer, body = self._framer, self._body
        assert framer is not None
        try:
            content, rest = framer.feed(data)
        except FramingError as error:
            self._break_body(400, str(error))
            return b""
        if body is None:
            return rest
        if not framer.done:
            body.feed(content)
            if self._waits_for is BODY:
                self._wait_for(BODY, self.listener.settings.body_timeout)
            return rest
        # Whoever reads the body runs on inside `feed` and `end`, perhaps to the end of the answer: first our own state.
        self._framer = self._body = None
        if self._waits_for is BODY:
            self._wait_for_nothing()
        body.feed(content)
        body.end()
        if self._reading_paused and not self._closing:
            # Only a connection that is read shows that its caller has gone.
            self._resume_reading()
        return rest

    def _break_body(self, status: int, message: str) -> None:
        """The request will never be whole. Its reader answers with `status`; what else comes is dropped."""
        body, self._body = self._body, None
        self._framer = DropFramer()
        if self._waits_for is BODY:
            self._wait_for_nothing()
        if not self._was_begun(status, message):
            return
        if body is not None:
            body.fail(BodyBroken(message, status))

    def body_wanted(self) -> None:
        if self._framer is None:
            return
        if self._expecting and not self._answers:
            self.transport.write(_CONTINUE)
        self._expecting = False
        # An answer that is not taken, or one that was the last, has its own time: it would never be missed again.
        if not self._waits_for:
            self._wait_for(BODY, self.listener.settings.body_timeout)

    def pause_body(self) -> None:
        self._pause_reading()
        if self._waits_for is BODY:
            self._wait_for_nothing()

    def resume_body(self) -> None:
        self._resume_reading()
        if self._framer is not None and not self._waits_for:
            self._wait_for(BODY, self.listener.settings.body_timeout)

    def abandon_body(self) -> None:
        """The connection is closed after the answer anyway: its request has not been read to the end."""
