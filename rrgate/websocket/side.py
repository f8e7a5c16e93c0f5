"""`Side`: the frames of one side of a WebSocket, in and out, judged by RFC 6455.

Belongs here: reading frames with wsproto, what is a message too long, Close frames, counting. Does not: what becomes
of a frame (relay.py).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen
from wsproto.frame_protocol import FrameDecoder, FrameProtocol, MessageDecoder, Opcode, ParseFailed

from rrgate.websocket.stream import Stream

NO_CODE: Final = 1005
"""What stands for a Close frame without a code (RFC 6455 7.1.5)."""
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NOT_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
UNEXPECTED: Final = 1011

_LAST_KNOWN: Final = 1014
_NEVER_SENT: Final = frozenset({1004, NO_CODE, 1006})
"""Reserved among those up to the last that is registered (RFC 6455 7.4.1)."""


class Broken(Exception):
    """A side broke the protocol, and is told `code`; the text says how, with nothing of what was sent."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@frozen
class Close:
    """A Close frame; `code` is `NO_CODE` where it has none."""

    code: int
    reason: str = ""


@frozen
class Part:
    """A part of a message, or all of it; `payload` is text where the message is."""

    payload: str | bytes
    last: bool


@frozen
class Control:
    """A Ping or Pong."""

    is_ping: bool
    payload: bytes


class Side:
    """A caller or a target, as seen by the gateway; what it sent and what it was told."""

    __slots__ = (
        "_frames",
        "_messages",
        "_most",
        "_size",
        "_writes",
        "bytes",
        "closed",
        "failed",
        "messages",
        "name",
        "ping",
        "silent",
        "stream",
        "told",
    )

    def __init__(self, name: str, stream: Stream, *, is_server: bool, most: int | None) -> None:
        """`is_server`: the other end is a server, and we are its client. `most`: bytes of a message; None: any."""
        self.name = name
        self.stream = stream
        self._frames: Any = FrameDecoder(client=is_server)
        self._messages: Any = MessageDecoder()
        self._writes: Any = FrameProtocol(client=is_server, extensions=[])
        self._most = most
        self._size = 0
        self.closed: Close | None = None
        """The Close frame that came."""
        self.told: Close | None = None
        """The Close frame that was sent."""
        self.failed = False
        """It broke the protocol: nothing more is read."""
        self.messages = 0
        self.bytes = 0
        self.silent = 0
        """Rounds of the keep-alive in which nothing came."""
        self.ping = b""
        """The payload of our own last Ping, until it is answered."""

    @property
    def done(self) -> bool:
        """Whether nothing more comes from it, and nothing more is to be said to it."""
        return self.stream.gone or ((self.failed or self.closed is not None) and self.told is not None)

    @property
    def reads(self) -> bool:
        """Whether what it sends still counts."""
        return not self.failed and self.closed is None

    # What comes.

    def take(self, data: bytes) -> None:
        """More bytes of it; `next` has what is in them."""
        self._frames.receive_bytes(data)
        self.silent = 0

    def next(self) -> Part | Control | Close | None:
        """The next of what it said, None where more bytes are needed. Raises Broken."""
        try:
            frame = self._frames.process_buffer()
            if frame is None:
                return None
            opcode, payload = frame.opcode, frame.payload
            if opcode is Opcode.CLOSE:
                self.closed = _close(payload)
                return self.closed
            if opcode.iscontrol():
                return Control(opcode is Opcode.PING, payload)
            self._size += len(payload)
            self.bytes += len(payload)
            if self._most is not None and self._size > self._most:
                raise Broken(TOO_BIG, f"a message is over the limit of {self._most} bytes")
            part = self._messages.process_frame(frame)
        except ParseFailed as error:
            code = int(error.code)
            text = "a text is not UTF-8 (RFC 6455 8.1)" if code == NOT_TEXT else str(error)
            raise Broken(code, text) from None
        if part.message_finished:
            self._size = 0
            self.messages += 1
        return Part(part.payload, part.message_finished)

    # What it is sent; bytes, for whoever writes them.

    def part(self, part: Part) -> bytes:
        """The next frame of a message."""
        return bytes(self._writes.send_data(part.payload, part.last))

    def control(self, control: Control) -> bytes:
        """A Ping or Pong."""
        return bytes(self._writes.ping(control.payload) if control.is_ping else self._writes.pong(control.payload))

    def tell(self, close: Close) -> None:
        """Send a Close frame, once; nothing may follow it (RFC 6455 5.5.1)."""
        if self.told is None:
            self.told = close
            code = None if close.code == NO_CODE else close.code
            self.stream.write(bytes(self._writes.close(code, close.reason or None if code else None)))


def _close(payload: bytes) -> Close:
    """The Close frame with `payload`. Raises Broken (RFC 6455 5.5.1, 7.4)."""
    if not payload:
        return Close(NO_CODE)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (1000 <= code <= _LAST_KNOWN or 3000 <= code <= 4999) or code in _NEVER_SENT:
        raise Broken(PROTOCOL_ERROR, "a Close frame has a code that may not be sent (RFC 6455 7.4)")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise Broken(NOT_TEXT, "the reason of a Close frame is not UTF-8 (RFC 6455 5.5.1)") from None
