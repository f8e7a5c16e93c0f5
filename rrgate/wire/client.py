"""One connection to a target: a request out, its answer in, one at a time, and whether it may serve again.

Belongs here: the life of a target's connection. Does not: the answer (target_answer.py), what lies under the requests
(target_transport.py), which connection is used (pool.py).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rrgate.body import Body, BodyBroken
from rrgate.messages import TargetResponse
from rrgate.upstream import TargetBroken
from rrgate.waiting import Task, Waiter
from rrgate.wire.answer_head import MAX_HEAD, AnswerBroken
from rrgate.wire.framing import CloseFramer, FramingError
from rrgate.wire.repeated_heads import KnownAnswers
from rrgate.wire.resolver import CannotConnect
from rrgate.wire.switching import Opening
from rrgate.wire.target_answer import TargetAnswer
from rrgate.wire.tls import reason_of


class ConnectionWentAway(Exception):
    """The connection closed before the first byte of an answer."""


class TargetConnection(TargetAnswer):
    """A connection to one target. `idle` between answers, when a pool may hold it."""

    def __init__(
        self,
        clock: IReactorTime,
        tls: bool,
        keep: Callable[[TargetConnection, float | None], None],
        gone: Callable[[TargetConnection], None],
        *,
        max_head: int = MAX_HEAD,
        known: KnownAnswers | None = None,
    ) -> None:
        """`keep` is called after a clean answer, with the seconds the target will keep the connection, if it says.

        `gone` is called, perhaps more than once, as soon as the connection must not be used any more.
        """
        super().__init__(clock, tls, keep, gone, max_head, KnownAnswers() if known is None else known)
        self.first_byte = False

    # The transport's side.

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
        self._gate.lost()
        if not self.established.called:
            self.established.errback(CannotConnect(f"the target's TLS handshake failed: {reason_of(reason.value)}"))
        if self._pump is not None:
            self._pump.cancel()
        self._gone(self)
        if self._stream is not None:
            self._stream.lost()
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
