"""`CallerTransport`: what lies under the requests of a caller's connection: what it waits for, how it is read and ends.

Belongs here: deadlines, pausing, refusing what never became a request, closing. Does not: requests and their answers
(server.py).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol

from rrgate.answers import reason_phrase, refusal
from rrgate.wire.caller_connections import CallerConnections
from rrgate.wire.callers import peer_host
from rrgate.wire.deadline import Deadline
from rrgate.wire.response import AnswerWriter
from rrgate.wire.write_gate import WriteGate

LINGER = 2.0
"""Seconds that a refused request's rest is read and dropped, so that the answer is not lost to a reset."""
LINGER_BYTES = 1024 * 1024

# What the deadline of a connection stands for.
IDLE, HEAD, BODY, SENDING, LINGERING, CLOSING = "idle", "head", "body", "sending", "linger", "closing"


class CallerTransport(Protocol):
    """Whatever is true of a connection before, between and after its requests."""

    transport: Any

    def __init__(self, listener: CallerConnections) -> None:
        self.listener = listener
        self._buffer = b""
        self._reading_paused = False
        self._closing = False
        self._gone = False
        self._lingered = 0
        self._waits_for = HEAD

    def connectionMade(self) -> None:
        listener = self.listener
        self._deadline = Deadline(listener.clock, self._too_slow)
        self._gate = WriteGate(self.transport, self._stalled)
        self._tls = ISSLTransport.providedBy(self.transport)
        self._peer = peer_host(self.transport)
        self._peer_trusted = listener.trusted(self._peer)
        self._wait_for(HEAD, listener.settings.head_timeout)
        if listener.draining:
            self._close()

    def _drop(self, data: bytes) -> None:
        """It comes while the connection closes."""
        self._lingered += len(data)
        if self._lingered > LINGER_BYTES and self._waits_for is LINGERING:
            self._flush_and_close()

    def _too_slow(self) -> None:
        """What is waited for did not come in time."""
        raise NotImplementedError

    def _stalled(self, blocked: bool) -> None:
        """The caller takes nothing, or does again."""
        raise NotImplementedError

    def _wait_for(self, what: str, seconds: float) -> None:
        self._waits_for = what
        self._deadline.set(seconds)

    def _wait_for_nothing(self) -> None:
        self._waits_for = ""
        self._deadline.clear()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self._gone:
            self._reading_paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._gone:
            self._reading_paused = False
            self.transport.resumeProducing()

    # Ends.

    def _refuse(self, status: int, message: str, to_head_request: bool) -> None:
        """Answer a request that never became one, and close."""
        reply = refusal(status, message)
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
        self._wait_for(LINGERING, LINGER)
        # Half a TLS connection cannot be closed: there the lingering alone must do.
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is not None and not self._tls:
            half_close()

    def _flush_and_close(self) -> None:
        """Close as soon as the caller has taken what is written, and anyway when it takes nothing."""
        self._wait_for(CLOSING, self.listener.settings.send_timeout)
        self._gate.close()

    def _abort(self) -> None:
        self._closing = True
        if not self._gone:
            self.transport.abortConnection()
