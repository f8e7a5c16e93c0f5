"""`Stream`: a connection whose HTTP is over: bytes in, with back-pressure, bytes out, and its end.

Belongs here: what a relay needs of a connection, whichever side it is on. Does not: frames (side.py), sockets (wire/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rrgate.body import Body, BodyBroken
from rrgate.messages import Fields, TargetResponse


class Gate(Protocol):
    """Back-pressure of a transport (`rrgate.wire.write_gate`)."""

    blocked: bool

    async def opened(self) -> None: ...


class Relayed(Protocol):
    """Who reads and writes the streams."""

    def going_away(self) -> None:
        """The gateway stops: say so to both sides, and end soon."""

    def break_off(self) -> None:
        """End now."""


class Stream:
    """What is left of a connection after its handshake; it is read as a `Body`, and is its own `BodySource`.

    It also stands in a framer's place in its connection, so that nothing of HTTP sees what comes.
    """

    __slots__ = (
        "_abort",
        "_end",
        "_gate",
        "_pause",
        "_resume",
        "_transport",
        "body",
        "done",
        "ending",
        "held",
        "relay",
    )

    def __init__(
        self,
        transport: Any,
        gate: Gate,
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        end: Callable[[bool], None],
        abort: Callable[[], None],
    ) -> None:
        """`pause`, `resume`: reading. `end`: see it. `abort`: close at once, whatever was written."""
        self._transport = transport
        self._gate = gate
        self._pause = pause
        self._resume = resume
        self._end = end
        self._abort = abort
        self.body = Body(self)
        self.done = False
        self.ending = False
        self.held = False
        self.relay: Relayed | None = None

    # The connection's side.

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """See `Framer.feed`: all of it is ours, and none of it a message's."""
        if not self.ending:
            self.body.feed(data)
        return b"", b""

    def lost(self) -> None:
        """The connection is gone, and is not held any longer."""
        self.body.fail(BodyBroken("the connection ended"))
        self.body.let_go()
        self._pause = self._resume = self._abort = _nothing
        self._end = _nothing

    # The relay's side.

    @property
    def gone(self) -> bool:
        """Whether nothing will come of it any more, and nothing can be sent."""
        return self.body.ended

    def write(self, data: bytes) -> None:
        """Send `data`; dropped once the connection is gone."""
        if not self.body.ended and not self.ending:
            self._transport.write(data)

    async def room(self) -> None:
        """Return when more may be written."""
        if self._gate.blocked:
            await self._gate.opened()

    def end(self, clean: bool) -> None:
        """All is said: close in the order in which RFC 6455 7.1.1 wants it. What comes is dropped.

        `clean`: the other end has said that nothing comes any more.
        """
        if not self.ending and not self.body.ended:
            self.ending = True
            self._end(clean)

    def abort(self) -> None:
        """Close at once."""
        self.ending = True
        self._abort()

    # The source of its own body.

    def body_wanted(self) -> None:
        """Nothing to say."""

    def pause_body(self) -> None:
        self.held = True
        self._pause()

    def resume_body(self) -> None:
        self.held = False
        self._resume()

    def abandon_body(self) -> None:
        """Nobody relays it, or it was not ended."""
        if not self.ending:
            self.abort()


def _nothing(clean: bool = False) -> None:
    """Of what was, and is gone."""


class SwitchedResponse(TargetResponse):
    """The target's 101: from here on its connection is a WebSocket, and `stream` what comes and goes by it."""

    __slots__ = ("stream",)

    def __init__(self, status: int, reason: bytes, fields: Fields, stream: Stream, size_of_head: int) -> None:
        super().__init__(status, reason, fields, 0, stream.body, size_of_head)
        self.stream = stream
