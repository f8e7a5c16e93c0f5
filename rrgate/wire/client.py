"""One connection to a target: a request out, its answer in, one at a time, and whether it may serve again.

Belongs here: the life of a target's connection. Does not: which connection is used (pool.py), how one is made
(dialer.py), judging answer heads (answer_head.py).
"""

from __future__ import annotations

import fcntl
import socket
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rrgate.body import NO_BODY, Body, BodyBroken
from rrgate.messages import TargetResponse
from rrgate.upstream import TargetBroken, TargetTimeout
from rrgate.waiting import Task, Waiter
from rrgate.websocket.handshake import SWITCHING
from rrgate.websocket.stream import Stream, SwitchedResponse
from rrgate.wire.answer_head import CLOSE, MAX_FIELDS, MAX_HEAD, AnswerBroken, AnswerHead, judge_answer_head
from rrgate.wire.deadline import Deadline
from rrgate.wire.dialer import CannotConnect, Dialled
from rrgate.wire.framing import ChunkedFramer, CloseFramer, Framer, FramingError, LengthFramer
from rrgate.wire.switching import Opening
from rrgate.wire.tls import reason_of
from rrgate.wire.write_gate import WriteGate

MAX_INTERIM = 16
"""Answers with a 1xx status before the one that counts."""
CLOSING = 5.0
"""Seconds that a target has to take what is written and to agree to the end of a TLS connection."""

_NOTHING = bytes(4)
"""A C `int` of 0, as `FIONREAD` answers it."""

_STREAMS = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/jsonl",
    b"application/vnd.amazon.eventstream",
    b"multipart/x-mixed-replace",
)


class ConnectionWentAway(Exception):
    """The connection closed before the first byte of an answer."""


@implementer(IHandshakeListener)
class TargetConnection(Dialled):
    """A connection to one target. `idle` between answers, when a pool may hold it."""

    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        tls: bool,
        keep: Callable[[TargetConnection, float | None], None],
        gone: Callable[[TargetConnection], None],
        *,
        max_head: int = MAX_HEAD,
        max_fields: int = MAX_FIELDS,
    ) -> None:
        """`keep` is called after a clean answer, with the seconds the target will keep the connection, if it says.

        `gone` is called, perhaps more than once, as soon as the connection must not be used any more.
        """
        self._tls = tls
        self._keep = keep
        self._gone = gone
        self._max_head = max_head
        self._max_fields = max_fields
        self._deadline = Deadline(clock, self._too_slow)
        self.established: Deferred[None] = Deferred()
        self.lost = False
        self.first_byte = False
        self._closing = False
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

    # The transport's side.

    def connectionMade(self) -> None:
        self._gate = WriteGate(self.transport)
        if not self._tls and not self.established.called:
            self.established.callback(None)

    def handshakeCompleted(self) -> None:
        if not self.established.called:
            self.established.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if not self._busy:
            # Bytes that nobody asked for would be taken for the next request's answer.
            self.abort()
            return
        self.first_byte = True
        try:
            if self._body is None:
                self._buffer = self._buffer + data if self._buffer else data
                self._take_head()
            else:
                self._take_body(data)
        except (AnswerBroken, FramingError) as error:
            self._fail(TargetBroken(str(error)))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        self._deadline.stop()
        self._gate.release()
        if not self.established.called:
            self.established.errback(CannotConnect(f"the target's TLS handshake failed: {reason_of(reason.value)}"))
        if self._pump is not None:
            self._pump.cancel()
        self._gone(self)
        if not self._busy:
            return
        self._busy = False
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if self.first_byte:
                waiter.fail(TargetBroken("the target closed the connection inside its answer's head"))
            else:
                waiter.fail(ConnectionWentAway())
        elif self._body is not None:
            if isinstance(self._framer, CloseFramer) and reason.check(ConnectionDone):
                self._body.end()
            else:
                self._body.fail(BodyBroken("the target closed the connection before its answer's end"))

    # One request.

    def exchange(
        self,
        head: bytes,
        body: bytes | Body | None,
        chunked: bool,
        *,
        to_head_request: bool,
        timeout: float,
        idle_timeout: float,
        opening: Opening | None = None,
    ) -> Waiter[TargetResponse]:
        """Send a request; what is answered waits for the head of its answer, or all of it if it comes in one piece.

        `body`: whole, or streamed as it comes; `chunked` says how a streamed one is framed. `timeout`: seconds that the
        target has for the head of its answer, or for taking more of the body; waiting for the body itself is not its
        fault. `idle_timeout`: seconds between bytes of its body. `opening`: the head asks for a WebSocket; if the
        target agrees, a SwitchedResponse is answered. Raises ConnectionWentAway, TargetBroken, TargetTimeout, and what
        reading `body` raises. Cancelling closes the connection.
        """
        self._busy = True
        self.first_byte = False
        self._interim = 0
        self._head_request = to_head_request
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._opening = opening
        waiter = self._waiter = Waiter(self.abort)
        if isinstance(body, Body):
            self._deadline.clear()
            self.transport.write(head)
            # A body that is here already is sent before `start` returns.
            pump = self._pump = Task(self._send_body(body, chunked), self._body_sent)
            pump.start()
        else:
            self._deadline.set(timeout)
            self.transport.write(head + body if body else head)
        return waiter

    def looks_closed(self, repeatable: bool) -> bool:
        """Whether the target has closed or written while idle, though the reactor has not seen it yet.

        One look at the socket spares a caller's POST the 502 that a lost race would be, and every caller the rest of
        an answer that was another's. `repeatable`: a request that may be sent again need not know of a mere end, so
        that the cheaper question will do (0.4 µs in place of 1.8: a peek at nothing raises).
        """
        looked_at: Any = getattr(self.transport, "socket", None)
        if not isinstance(looked_at, socket.socket):
            return self.lost
        try:
            if repeatable:
                return fcntl.ioctl(looked_at, termios.FIONREAD, _NOTHING) != _NOTHING or self.lost
            looked_at.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self.lost
        except (OSError, ValueError):
            return True
        return True

    async def _send_body(self, body: Body, chunked: bool) -> None:
        gate = self._gate
        while data := await body.read():
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if gate.blocked:
                if self._waiter is not None:
                    self._deadline.set(self._timeout)
                await gate.opened()
                if self.lost:
                    return
                if self._waiter is not None:
                    self._deadline.clear()
        if chunked:
            self.transport.write(b"0\r\n\r\n")
        if self._waiter is not None:
            self._deadline.set(self._timeout)

    def _body_sent(self, error: BaseException | None) -> None:
        self._pump = None
        if isinstance(error, Exception) and not self.lost:
            # What the body raised is for whoever sent it: a limit, a caller who broke off, a plugin's fault.
            self._fail(error)

    # Its answer.

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
            head = judge_answer_head(self._buffer[: end + 4], self._head_request, self._max_fields)
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
            waiter.fire(TargetResponse(head.status, head.reason, head.fields, announced, body, size))

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

    def rest(self, seconds: float) -> None:
        """Wait idle for at most so long."""
        self._deadline.set(seconds)

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

    def close(self) -> None:
        """Flush and close. Nobody is told."""
        if not self.lost and not self._closing:
            self._closing = True
            self._gone(self)
            self._deadline.set(CLOSING)
            self._gate.close()

    def abort(self) -> None:
        """Close at once, so that the target stops working for a caller who has gone."""
        if not self.lost:
            self._closing = True
            self._gone(self)
            self.transport.abortConnection()


def _streams(head: AnswerHead) -> bool:
    for folded, _, value in head.fields:
        if folded == b"content-type":
            return value.lower().startswith(_STREAMS)
    return False
