"""`TargetAnswer`: the answer to the request that is under way on a target's connection, or the WebSocket in its place.

Belongs here: its head, its body (`BodySource`), and whether the connection serves again. Does not: sending the request
(client.py), judging answer heads (answer_head.py), framing (framing.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from rrgate.body import NO_BODY, Body, BodyBroken
from rrgate.messages import TargetResponse
from rrgate.upstream import TargetTimeout
from rrgate.waiting import Task, Waiter
from rrgate.websocket.handshake import SWITCHING
from rrgate.websocket.stream import Stream, SwitchedResponse
from rrgate.wire.answer_head import CLOSE, AnswerBroken, AnswerHead
from rrgate.wire.framing import ChunkedFramer, CloseFramer, Framer, FramingError, LengthFramer
from rrgate.wire.gone_peers import notice_gone
from rrgate.wire.repeated_heads import KnownAnswers
from rrgate.wire.switching import Opening
from rrgate.wire.target_transport import CLOSING, TargetTransport

MAX_INTERIM = 16
"""Answers with a 1xx status before the one that counts."""

_STREAMS = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/jsonl",
    b"application/vnd.amazon.eventstream",
    b"multipart/x-mixed-replace",
)


class TargetAnswer(TargetTransport):
    """`_waiter` is there until the head has come, and `_body` until the body has."""

    def __init__(
        self,
        clock: IReactorTime,
        tls: bool,
        keep: Callable[[Any, float | None], None],
        gone: Callable[[Any], None],
        max_head: int,
        known: KnownAnswers,
    ) -> None:
        """See TargetConnection."""
        super().__init__(clock, tls, gone)
        self._keep = keep
        self._max_head = max_head
        self._known = known
        self._busy = False
        self._head_request = False
        self._waiter: Waiter[TargetResponse] | None = None
        self._buffer = b""
        self._interim = 0
        self._framer: Framer | None = None
        self._body: Body | None = None
        self._head: AnswerHead | None = None
        self._pump: Task | None = None
        self._paused = False
        self._timeout = 0.0
        self._idle_timeout: float | None = None
        self._opening: Opening | None = None
        self._stream: Stream | None = None

    def _take_head(self) -> None:
        while self._waiter is not None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > self._max_head:
                    raise AnswerBroken(f"the answer's head is over {self._max_head} bytes")
                if self._buffer and not b"HTTP/1.".startswith(self._buffer[:7]):
                    raise AnswerBroken("the answer is not HTTP/1.1 (RFC 9112 4)")
                return
            if end > self._max_head:
                raise AnswerBroken(f"the answer's head is over {self._max_head} bytes")
            head = self._known.judge(self._buffer[: end + 4], self._head_request)
            self._buffer = self._buffer[end + 4 :]
            if head.status < 200:
                if head.status == SWITCHING and self._opening is not None:
                    self._switch(head, self._opening, end + 4)
                    return
                self._skip_interim(head)
                continue
            self._begin_answer(head, end + 4)

    def _skip_interim(self, head: AnswerHead) -> None:
        self._interim += 1
        if head.status == 101:
            raise AnswerBroken("101 without a request to upgrade (RFC 9110 15.2.2)")
        if self._interim > MAX_INTERIM:
            raise AnswerBroken(f"more than {MAX_INTERIM} interim answers")

    def _switch(self, head: AnswerHead, opening: Opening, size: int) -> None:
        """The target has opened a WebSocket, and this connection is nothing else any more."""
        fields = opening.judge(head)
        self._gate.watched_by(self._stalled)
        self._deadline.clear()
        stream = self._framer = self._stream = Stream(
            self.transport,
            self._gate,
            pause=self.pause_body,
            resume=self.resume_body,
            end=self._end_stream,
            abort=self.abort,
        )
        self._body = stream.body
        rest, self._buffer = self._buffer, b""
        stream.feed(rest)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.fire(SwitchedResponse(head.status, head.reason, fields, stream, size))

    def _stalled(self, blocked: bool) -> None:
        """The target of a WebSocket takes nothing, or does again."""
        if self._closing:
            return
        if blocked:
            self._deadline.set(self._timeout)
        else:
            self._deadline.clear()

    def _end_stream(self, clean: bool) -> None:
        """The server closes first (RFC 6455 7.1.1): it has a while for that."""
        if not self.lost and not self._closing:
            self._closing = True
            self._gone(self)
            self._deadline.set(CLOSING)

    def _begin_answer(self, head: AnswerHead, size: int) -> None:
        self._head = head
        rest, self._buffer = self._buffer, b""
        if head.length == len(rest):
            # It came in one piece, or has no body: nothing to cut, nothing to wait for.
            body = Body.of(rest) if rest else NO_BODY
            self._finish(b"")
        elif head.length == 0:
            body = NO_BODY
            self._finish(rest)
        else:
            body = self._body = Body(self)
            if _streams(head):
                self._idle_timeout = None
                notice_gone(self.transport)
            if head.length is None:
                self._framer = ChunkedFramer()
            elif head.length == CLOSE:
                self._framer = CloseFramer()
            else:
                self._framer = LengthFramer(head.length)
            self._wait_for_more()
            if rest:
                try:
                    self._take_body(rest)
                except FramingError as error:
                    self._busy = False
                    self._body = None
                    self.abort()
                    body.fail(BodyBroken(str(error)))
        announced = head.announced if head.length != CLOSE else None
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.fire(TargetResponse(head.status, head.reason, head.fields.copy(), announced, body, size))

    def _take_body(self, data: bytes) -> None:
        framer, body = self._framer, self._body
        assert framer is not None
        assert body is not None
        content, rest = framer.feed(data)
        body.feed(content)
        if self._body is not body:
            # Whoever reads it runs on inside `feed`, and has broken off.
            return
        if framer.done:
            self._finish(rest)
            body.end()
        elif not self._paused:
            self._wait_for_more()

    def _finish(self, rest: bytes) -> None:
        """The answer is whole. The connection serves again only if nothing is left over on either way."""
        head = self._head
        assert head is not None
        self._busy = False
        self._framer = self._body = self._head = None
        self._deadline.clear()
        self.resume_body()
        if self._pump is not None:
            # Answered before the request was whole: its rest has no reader, and no end that the target would believe.
            self.abort()
        elif rest or not head.reusable or self._closing or self.lost:
            self.close()
        else:
            self._keep(self, head.idle)

    def _wait_for_more(self) -> None:
        if self._stream is not None:
            return
        if self._idle_timeout is None:
            self._deadline.clear()
        else:
            self._deadline.set(self._idle_timeout)

    # The answer's body (`BodySource`).

    def body_wanted(self) -> None:
        """Nothing to say to a target."""

    def pause_body(self) -> None:
        if not self._paused and not self.lost:
            self._paused = True
            if self._stream is None:
                self._deadline.clear()
            self.transport.pauseProducing()

    def resume_body(self) -> None:
        if self._paused and not self.lost:
            self._paused = False
            if self._busy:
                self._wait_for_more()
            self.transport.resumeProducing()

    def abandon_body(self) -> None:
        self.abort()

    # Time and ends.

    def _too_slow(self) -> None:
        if self._closing:
            self.abort()
        elif not self._busy:
            self.close()
        elif self._waiter is not None:
            self._fail(TargetTimeout("the target did not answer in time"))
        else:
            self._fail(BodyBroken("the target stopped inside its answer"))

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        body, self._body = self._body, None
        self._busy = False
        self.abort()
        if waiter is not None:
            waiter.fail(error)
        elif body is not None:
            body.fail(BodyBroken(str(error)))


def _streams(head: AnswerHead) -> bool:
    for folded, _, value in head.fields:
        if folded == b"content-type":
            return value.lower().startswith(_STREAMS)
    return False
