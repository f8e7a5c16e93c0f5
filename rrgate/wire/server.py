"""One caller's connection: HTTP/1.1 in, an Exchange a request, its answer out, in order.

Belongs here: the life of a connection, request by request. Does not: a request's body and answer (caller_body.py,
caller_answer.py), what lies under the requests (caller_transport.py), judging heads (request_head.py).
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rrgate.body import HIGH_WATER, NO_BODY, Body, BodyBroken
from rrgate.exchange import Exchange
from rrgate.waiting import Task
from rrgate.wire.caller_answer import CallerAnswer
from rrgate.wire.caller_connections import CallerConnections
from rrgate.wire.caller_transport import BODY, HEAD, IDLE, LINGERING, SENDING
from rrgate.wire.framing import ChunkedFramer, LengthFramer
from rrgate.wire.repeated_heads import LastRequest
from rrgate.wire.request_head import HeadRefused, RequestHead, judge_beginning
from rrgate.wire.response import AnswerWriter

AT_A_TURN = 16
"""Pipelined requests answered before other connections have theirs: 64 KiB may hold 2,500 of them."""


class CallerConnection(CallerAnswer):
    """A caller's connection. One request at a time is under way; what comes behind it waits here, bounded."""

    def __init__(self, listener: CallerConnections) -> None:
        super().__init__(listener)
        self._last = LastRequest()
        self._exchange: Exchange | None = None
        self._task: Task | None = None
        self._taking = False
        self._turn: IDelayedCall | None = None

    # The transport's side.

    def connectionMade(self) -> None:
        self.listener.connections.add(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            self._drop(data)
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
        self._gate.lost()
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
                if self._waits_for is not HEAD:
                    self._wait_for(HEAD, settings.head_timeout)
                return False
            if end > settings.max_head_bytes:
                raise HeadRefused(431, f"the head is over {settings.max_head_bytes} bytes (RFC 6585 5)")
            head = self._last.judge(self._buffer[: end + 4], settings.max_target_bytes, settings.max_head_fields)
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
            head.fields.copy(),
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
            self._head = None  # its handshake has this connection for a door
            self.listener.websocket_ended(self._stream_of)

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
            self._wait_for(IDLE, self.listener.settings.keep_alive_timeout)

    def _was_begun(self, status: int, message: str) -> bool:
        if self._task is None:
            assert self._head is not None
            self._refuse(status, message, self._head.method == b"HEAD")
            return False
        return True

    # Time and ends.

    def _stalled(self, blocked: bool) -> None:
        if blocked:
            self._wait_for(SENDING, self.listener.settings.send_timeout)
        elif self._waits_for is SENDING:
            if self._body is not None and not self._reading_paused:
                self._wait_for(BODY, self.listener.settings.body_timeout)
            else:
                self._wait_for_nothing()
            if self._exchange is None and self._turn is None:
                self._resume_reading()
                self._take_requests()

    def _too_slow(self) -> None:
        if self._waits_for is HEAD and self._buffer:
            self._refuse(408, "the head of the request did not come in time", self._buffer.startswith(b"HEAD "))
        elif self._waits_for is BODY:
            self._break_body(408, "the body of the request did not come in time")
        elif self._waits_for in (IDLE, HEAD):
            self._close()
        elif self._waits_for is LINGERING:
            self._flush_and_close()
        else:
            self._abort()

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, so that what comes is read at once."""
        return self._exchange is None and not self._closing

    @property
    def waits_since(self) -> float:
        """Since when nothing is under way and no whole head has come, by the clock; infinity where something is."""
        settings = self.listener.settings
        if self._waits_for is IDLE:
            return self._deadline.at - settings.keep_alive_timeout
        return self._deadline.at - settings.head_timeout if self._waits_for is HEAD else float("inf")

    def give_up(self) -> None:
        """Close at once what waits, because another needs the room. Over TLS an idle peer would not say farewell."""
        if self._tls:
            self._abort()
        else:
            self._close()

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
