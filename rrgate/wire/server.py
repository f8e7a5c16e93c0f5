"""One caller's connection: HTTP/1.1 in, an Exchange a request, its answer out, in order.

Belongs here: the life of a connection, request by request. Does not: judging heads (request_head.py), framing
(framing.py), what is answered (pipeline.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rrgate.answers import BAD_REQUEST, reason_phrase
from rrgate.body import HIGH_WATER, NO_BODY, Body, BodyBroken
from rrgate.exchange import Exchange
from rrgate.messages import Reply
from rrgate.waiting import Task
from rrgate.websocket.stream import Stream
from rrgate.wire.callers import peer_host
from rrgate.wire.deadline import Deadline
from rrgate.wire.framing import ChunkedFramer, DropFramer, Framer, FramingError, LengthFramer
from rrgate.wire.request_head import HeadRefused, RequestHead, judge_beginning, judge_head
from rrgate.wire.response import AnswerWriter
from rrgate.wire.write_gate import WriteGate

if TYPE_CHECKING:
    from rrgate.wire.listener import CallerListener

LINGER = 2.0
"""Seconds that a refused request's rest is read and dropped, so that the answer is not lost to a reset."""
LINGER_BYTES = 1024 * 1024
AT_A_TURN = 16
"""Pipelined requests answered before other connections have theirs: 64 KiB may hold 2,500 of them."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# What the deadline of a connection stands for.
_IDLE, _HEAD, _BODY, _SENDING, _LINGER, _CLOSING = "idle", "head", "body", "sending", "linger", "closing"


class CallerConnection(Protocol):
    """A caller's connection. One request at a time is under way; what comes behind it waits here, bounded."""

    transport: Any

    def __init__(self, listener: CallerListener) -> None:
        self.listener = listener
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._head: RequestHead | None = None
        self._task: Task | None = None
        self._framer: Framer | None = None
        self._body: Body | None = None
        self._answer: AnswerWriter | None = None
        self._stream: Stream | None = None
        self._expecting = False
        self._reading_paused = False
        self._taking = False
        self._turn: IDelayedCall | None = None
        self._closing = False
        self._gone = False
        self._lingered = 0
        self._waits_for = _HEAD

    # The transport's side.

    def connectionMade(self) -> None:
        listener = self.listener
        listener.connections.add(self)
        self._deadline = Deadline(listener.clock, self._too_slow)
        self._gate = WriteGate(self.transport, self._stalled)
        self._tls = ISSLTransport.providedBy(self.transport)
        self._peer = peer_host(self.transport)
        self._peer_trusted = listener.trusted(self._peer)
        self._wait_for(_HEAD, listener.settings.head_timeout)
        if listener.draining:
            self._close()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES and self._waits_for is _LINGER:
                self._flush_and_close()
            return
        if self._framer is not None:
            data = self._take_body(data)
            if not data or self._closing:
                return
        self._buffer = self._buffer + data if self._buffer else data
        if self._exchange is None and not self._gate.blocked and self._turn is None:
            self._take_requests()
        elif len(self._buffer) > HIGH_WATER:
            self._pause_reading()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone = self._closing = True
        self._deadline.stop()
        if self._turn is not None:
            self._turn.cancel()
        # First of all nobody waits for an answer any more; that the body broke is then told to nobody but its pump.
        if self._stream is not None:
            self._stream.lost()  # its relay tells the target
        elif self._task is not None:
            self._task.cancel()
        if self._body is not None:
            self._body.fail(BodyBroken("the caller's connection ended before its request did"))
        self._gate.release()
        self.listener.connection_ended(self)

    # One request after the other.

    def _take_requests(self) -> None:
        """Begin as many of the buffered requests as end at once; stop at one that is under way or not whole.

        And stop as long as the caller does not take its answers, which would pile up here, or when others must have
        their turn.
        """
        if self._taking:
            return
        gate = self._gate
        left = AT_A_TURN
        self._taking = True
        try:
            while self._exchange is None and not self._closing and not gate.blocked:
                if not self._buffer:
                    self._rest()
                    return
                if left == 0:
                    self._turn = self.listener.clock.callLater(0, self._next_turn)
                    return
                left -= 1
                if not self._take_head():
                    return
        finally:
            self._taking = False

    def _next_turn(self) -> None:
        self._turn = None
        self._resume_reading()
        self._take_requests()

    def _take_head(self) -> bool:
        """Begin one request if its head is whole; else judge what is there, and wait."""
        listener = self.listener
        settings = listener.settings
        end = self._buffer.find(b"\r\n\r\n")
        try:
            if end < 0:
                judge_beginning(self._buffer, settings.max_target_bytes)
                if len(self._buffer) > settings.max_head_bytes:
                    raise HeadRefused(431, f"the head is over {settings.max_head_bytes} bytes (RFC 6585 5)")
                if self._waits_for is not _HEAD:
                    self._wait_for(_HEAD, settings.head_timeout)
                return False
            if end > settings.max_head_bytes:
                raise HeadRefused(431, f"the head is over {settings.max_head_bytes} bytes (RFC 6585 5)")
            head = judge_head(self._buffer[: end + 4], settings.max_target_bytes, settings.max_head_fields)
            if head.host and not listener.hosts.served(head.host):
                raise HeadRefused(421, "this gateway does not serve that host; see the setting `hosts`")
        except HeadRefused as refused:
            self._refuse(refused.status, str(refused), self._buffer.startswith(b"HEAD "))
            return False
        self._buffer = self._buffer[end + 4 :]
        self._begin(head)
        return True

    def _begin(self, head: RequestHead) -> None:
        listener = self.listener
        self._head = head
        self._deadline.clear()
        self._waits_for = ""
        self._expecting = head.expects_continue
        if head.length == 0:
            body = NO_BODY
        else:
            body = Body(self)
            self._framer = ChunkedFramer() if head.length is None else LengthFramer(head.length)
            self._body = body
        exchange = Exchange(
            listener.new_id(),
            head.method,
            head.target,
            head.fields,
            body,
            head.length,
            head.http10,
            listener.trusted.caller(self._peer, head.fields) if self._peer_trusted else self._peer,
            listener.clock.seconds(),
            listener.wall(),
            self,
        )
        if head.handshake is not None:
            head.handshake.connection = self
            exchange.handshake = head.handshake
            exchange.request_body = Body.of(b"")  # one of its own: its bound is that of messages
        self._exchange = exchange
        self._answer = AnswerWriter(head.method, head.http10)
        listener.in_flight += 1
        if self._framer is not None and self._buffer:
            data, self._buffer = self._buffer, b""
            self._buffer = self._take_body(data)
            if self._closing:
                self._exchange = self._answer = None
                listener.request_ended()
                return
        self._task = Task(listener.serve(exchange), self._served)
        self._task.start()

    def _served(self, error: BaseException | None) -> None:
        """The pipeline is done with this request, answered or not."""
        answer = self._answer
        self._exchange = self._task = self._answer = None
        self._go_on(answer, error)
        # Last, because whoever waits for the end of all requests closes what still stands.
        if self._stream is None:
            self.listener.request_ended()
        else:
            self.listener.websocket_ended()

    def _go_on(self, answer: AnswerWriter | None, error: BaseException | None) -> None:
        if self._gone:
            return
        if answer is None or not answer.ended:
            self.listener.log.error("a request ended without an answer: {error}", error=type(error).__name__)
            self._abort()
            return
        if answer.close or self._framer is not None:
            self._close(linger=self._framer is not None)
            return
        if self._reading_paused:
            self._resume_reading()
        if not self._taking:
            self._take_requests()

    def _rest(self) -> None:
        """Nothing is under way."""
        if self.listener.draining and not self.listener.lingering:
            self._close()
        else:
            self._wait_for(_IDLE, self.listener.settings.keep_alive_timeout)

    # The request's body (`BodySource`).

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
            if self._waits_for is _BODY:
                self._wait_for(_BODY, self.listener.settings.body_timeout)
            return rest
        # Whoever reads the body runs on inside `feed` and `end`, perhaps to the end of the answer: first our own state.
        self._framer = self._body = None
        if self._waits_for is _BODY:
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
        if self._waits_for is _BODY:
            self._wait_for_nothing()
        if self._task is None:
            assert self._head is not None
            self._refuse(status, message, self._head.method == b"HEAD")
        elif body is not None:
            body.fail(BodyBroken(message, status))

    def body_wanted(self) -> None:
        if self._framer is None:
            return
        if self._expecting and not (self._answer is not None and self._answer.begun):
            self.transport.write(_CONTINUE)
        self._expecting = False
        self._wait_for(_BODY, self.listener.settings.body_timeout)

    def pause_body(self) -> None:
        self._pause_reading()
        if self._waits_for is _BODY:
            self._wait_for_nothing()

    def resume_body(self) -> None:
        self._resume_reading()
        if self._framer is not None and not self._waits_for:
            self._wait_for(_BODY, self.listener.settings.body_timeout)

    def abandon_body(self) -> None:
        """The connection is closed after the answer anyway: its request has not been read to the end."""

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self._gone:
            self._reading_paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._gone:
            self._reading_paused = False
            self.transport.resumeProducing()

    # The answer (`Door`).

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        answer, head = self._answer, self._head
        assert answer is not None
        assert head is not None
        keep = head.keep_alive and not close and self._framer is None and not self.listener.draining
        self._expecting = False
        if not self._gone:
            self.transport.write(answer.head(status, reason, fields, length, first, last, keep))

    async def write(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or self._gone:
            return
        framed = answer.chunk(data)
        if framed:
            self.transport.write(framed)
        if self._gate.blocked:
            await self._gate.opened()

    def end(self) -> None:
        answer = self._answer
        if answer is not None and not self._gone:
            closing = answer.last_chunk()
            if closing:
                self.transport.write(closing)

    def abort(self) -> None:
        if self._answer is not None:
            self._answer.ended = True
        self._abort()

    # A WebSocket (`Switches`).

    @property
    def full(self) -> str:
        listener = self.listener
        if listener.draining:
            return "The gateway is draining; it opens no new WebSockets"
        if listener.websockets >= listener.settings.max_websockets:
            return "The gateway has as many WebSockets open as it takes"
        return ""

    @property
    def ping_interval(self) -> float:
        return self.listener.settings.websocket_ping_interval

    def switch(self, fields: Sequence[tuple[bytes, bytes]]) -> Stream:
        answer = self._answer
        assert answer is not None
        self.transport.write(answer.switching(fields))
        stream = self._framer = self._stream = Stream(
            self.transport,
            self._gate,
            pause=self._pause_reading,
            resume=self._resume_reading,
            end=self._end_stream,
            abort=self._abort,
        )
        self.listener.switched()
        data, self._buffer = self._buffer, b""
        stream.feed(data)
        if not stream.held:
            self._resume_reading()
        return stream

    def _end_stream(self, clean: bool) -> None:
        """The server closes first (RFC 6455 7.1.1), and where more may come reads on, so that what it said arrives."""
        self._close(linger=not clean)

    # Time and ends.

    def _wait_for(self, what: str, seconds: float) -> None:
        self._waits_for = what
        self._deadline.set(seconds)

    def _wait_for_nothing(self) -> None:
        self._waits_for = ""
        self._deadline.clear()

    def _stalled(self, blocked: bool) -> None:
        if blocked:
            self._wait_for(_SENDING, self.listener.settings.send_timeout)
        elif self._waits_for is _SENDING:
            if self._body is not None and not self._reading_paused:
                self._wait_for(_BODY, self.listener.settings.body_timeout)
            else:
                self._wait_for_nothing()
            if self._exchange is None and self._turn is None:
                self._resume_reading()
                self._take_requests()

    def _too_slow(self) -> None:
        if self._waits_for is _HEAD and self._buffer:
            self._refuse(408, "the head of the request did not come in time", self._buffer.startswith(b"HEAD "))
        elif self._waits_for is _BODY:
            self._break_body(408, "the body of the request did not come in time")
        elif self._waits_for in (_IDLE, _HEAD):
            self._close()
        elif self._waits_for is _LINGER:
            self._flush_and_close()
        else:
            self._abort()

    def _refuse(self, status: int, message: str, to_head_request: bool) -> None:
        """Answer a request that never became one, and close."""
        reply = Reply(status, message, BAD_REQUEST)
        fields, body = self.listener.headers.of_reply(self.listener.new_id(), reply, ())
        answer = AnswerWriter(b"HEAD" if to_head_request else b"GET", http10=False)
        reason = reason_phrase(status).encode()
        self.transport.write(answer.head(status, reason, fields, len(body), body, last=True, keep=False))
        self._close(linger=True)

    @property
    def unflushed(self) -> bool:
        """Whether a part of an answer may still be on its way. A plain connection that closes is gone when it is not.

        One over TLS also waits for the peer's farewell, which idle peers never send: there only what is known counts.
        """
        return not self._gone and (self._gate.blocked if self._tls else self._closing)

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, so that what comes is read at once."""
        return self._exchange is None and not self._closing

    def close_if_idle(self) -> None:
        """Close now if nothing is under way; else after the answer. A WebSocket is closed as both sides do it."""
        if self._exchange is None and not self._closing:
            self._close()
        elif self._stream is not None and self._stream.relay is not None:
            self._stream.relay.going_away()

    def close_for_good(self) -> None:
        """The process ends: break off what is under way or was not taken in time."""
        if self._stream is not None and self._stream.relay is not None:
            self._stream.relay.break_off()
        if self._exchange is not None or self.unflushed:
            self._abort()
        elif not self._closing and not self._gone:
            self._close()

    def _close(self, *, linger: bool = False) -> None:
        """Close after what is written. `linger`: first read and drop what the caller still sends (RFC 9112 9.6)."""
        if self._closing:
            return
        self._closing = True
        self._buffer = b""
        self._resume_reading()
        if not linger:
            self._flush_and_close()
            return
        self._wait_for(_LINGER, LINGER)
        # Half a TLS connection cannot be closed: there the lingering alone must do.
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is not None and not self._tls:
            half_close()

    def _flush_and_close(self) -> None:
        """Close as soon as the caller has taken what is written, and anyway when it takes nothing."""
        self._wait_for(_CLOSING, self.listener.settings.send_timeout)
        self._gate.close()

    def _abort(self) -> None:
        self._closing = True
        if not self._gone:
            self.transport.abortConnection()
