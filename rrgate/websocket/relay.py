"""`WebSocketRelay`: what one side of a WebSocket sends goes to the other, until both have closed it.

Belongs here: the way of a frame, closing, finding dead peers, and what is told of it all. Does not: frames (side.py),
opening (opening.py).

Frames are read, judged and written anew, so that a side that breaks the protocol is told so and harms nobody behind us.
Messages pass in the pieces in which they come; no message is gathered. Pings and Pongs pass, too.
"""

from __future__ import annotations

import os
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rrgate.body import BodyBroken
from rrgate.careful_log import CarefulLogger
from rrgate.waiting import Task, Waiter
from rrgate.websocket.side import (
    GOING_AWAY,
    NO_CODE,
    POLICY,
    UNEXPECTED,
    Broken,
    Close,
    Control,
    Part,
    Side,
)

CLOSING: Final = 5.0
"""Seconds that a side has to answer a Close frame, or to end the message that it is at; then it is closed without."""
AT_A_TURN: Final = 64
"""Frames of one side relayed before other connections have their turn: the least have 2 bytes, and cost 12 µs each."""
ROUNDS_UNTIL_PING: Final = 2
ROUNDS_UNTIL_DEAD: Final = 3

_log = CarefulLogger("rrgate.websocket")


class WebSocketRelay:
    """One open WebSocket; on the reactor's thread."""

    def __init__(self, caller: Side, target: Side, clock: IReactorTime, ping_interval: float) -> None:
        """`ping_interval`: see the setting `websocket_ping_interval`; 0: never."""
        self.caller = caller
        self.target = target
        self.ended_by = ""
        """Who ended it, and how: for the log."""
        self._clock = clock
        self._ping_interval = ping_interval
        self._over: Waiter[None] = Waiter()
        self._tasks: list[Task] = []
        self._timer: IDelayedCall | None = None
        self._round: IDelayedCall | None = None
        self._finished = False

    async def run(self) -> None:
        """Relay until both sides have closed, or are gone."""
        caller, target = self.caller, self.target
        caller.stream.relay = target.stream.relay = self
        if self._ping_interval:
            self._round = self._clock.callLater(self._ping_interval, self._keep_alive)
        try:
            for source, sink in ((caller, target), (target, caller)):
                self._tasks.append(Task(self._pump(source, sink), self._pumped))
            for task in tuple(self._tasks):
                task.start()
            await self._over
        finally:
            self._finished = True
            for timer in (self._timer, self._round):
                if timer is not None and timer.active():
                    timer.cancel()
            for task in self._tasks:
                task.cancel()
            self._tasks.clear()
            caller.stream.relay = target.stream.relay = None

    # One direction.

    async def _pump(self, source: Side, sink: Side) -> None:
        body = source.stream.body
        while source.reads and not self._over.done:  # what came before it went away counts, too
            try:
                data = await body.read()
            except BodyBroken:
                self._lost(source, sink)
                return
            source.take(data)
            await self._pass_on(source, sink)

    async def _pass_on(self, source: Side, sink: Side) -> None:
        """Relay the frames that have come whole, and parts of one that has not."""
        written: list[bytes] = []
        try:
            while (said := source.next()) is not None:
                if type(said) is Close:
                    self._send(sink, written)
                    self._closed(source, sink, said)
                    return
                if type(said) is Part:
                    # Pieces without content between two others, and halves of a character, are nothing yet.
                    written.append(sink.part(said) if said.payload or said.last else b"")
                else:
                    assert type(said) is Control
                    written.append(self._control(source, sink, said))
                if len(written) == AT_A_TURN:
                    self._send(sink, written)
                    written = []
                    await self._others()
                    await sink.stream.room()
        except Broken as error:
            self._send(sink, written)
            self._broke(source, sink, error)
            return
        self._send(sink, written)
        await sink.stream.room()

    def _control(self, source: Side, sink: Side, said: Control) -> bytes:
        if not said.is_ping and source.ping and said.payload == source.ping:
            source.ping = b""
            return b""
        return sink.control(said)

    def _send(self, sink: Side, written: list[bytes]) -> None:
        # Nothing behind a Close frame (RFC 6455 5.5.1).
        if written and sink.told is None:
            sink.stream.write(b"".join(written))

    async def _others(self) -> None:
        """Let others have their turn."""
        turn: Waiter[None] = Waiter()
        timer = self._clock.callLater(0, turn.fire, None)
        try:
            await turn
        finally:
            if timer.active():
                timer.cancel()

    def _pumped(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, CancelledError) and not self._finished:
            _log.failure("a WebSocket failed inside the gateway", failure=Failure(error))
            self._ended("the gateway, which failed")
            self._tell_both(Close(UNEXPECTED), Close(GOING_AWAY))

    # Ends.

    def _closed(self, source: Side, sink: Side, close: Close) -> None:
        """`source` has sent a Close frame: `sink` is sent the same; or it is the answer to one."""
        self._ended(f"the {source.name} with {_named(close)}")
        sink.tell(close)
        self._look(source, sink)

    def _broke(self, source: Side, sink: Side, error: Broken) -> None:
        """`source` broke the protocol, and reads why (RFC 6455 7.1.7)."""
        source.failed = True
        self._ended(f"the gateway with {error.code}, because of the {source.name}: {error}")
        source.tell(Close(error.code, str(error)))
        sink.tell(self._instead(source, f"the {source.name} broke the protocol: {error}"))
        self._look(source, sink)

    def _lost(self, source: Side, sink: Side) -> None:
        """`source` is gone. If it said nothing before, that is 1006 to us, which is never sent (RFC 6455 7.4.1)."""
        self._ended(f"the {source.name}, which went away without a Close frame")
        sink.tell(sink.closed or self._instead(source, f"the {source.name} went away without a Close frame"))
        self._look(source, sink)

    def _instead(self, source: Side, why: str) -> Close:
        """What the other side is told when `source` ends it as it should not."""
        return Close(GOING_AWAY) if source is self.caller else Close(UNEXPECTED, why)

    def end(self, why: str) -> None:
        """May not go on: both sides are told so, and have `CLOSING` seconds."""
        self._ended(f"the gateway with {POLICY}: {why}")
        self._tell_both(Close(POLICY, why), Close(GOING_AWAY))

    def going_away(self) -> None:
        """See `Relayed`."""
        self._ended(f"the gateway with {GOING_AWAY}: it stops")
        self._tell_both(Close(GOING_AWAY, "the gateway stops"), Close(GOING_AWAY))

    def break_off(self) -> None:
        """End now."""
        self._ended("the gateway, which broke it off")
        for side in (self.caller, self.target):
            if not side.stream.gone and not side.stream.ending:
                side.stream.abort()
        self._over.fire(None)

    def _tell_both(self, caller: Close, target: Close) -> None:
        self.caller.tell(caller)
        self.target.tell(target)
        self._look(self.caller, self.target)

    def _ended(self, how: str) -> None:
        """What counts is what came first."""
        self.ended_by = self.ended_by or how

    def _look(self, *sides: Side) -> None:
        """Close what is done; it is over when both sides are."""
        for side in sides:
            if side.done:
                side.stream.end(side.closed is not None)
        if self.caller.done and self.target.done:
            self._over.fire(None)
        elif self._timer is None:
            self._timer = self._clock.callLater(CLOSING, self._too_late)

    def _too_late(self) -> None:
        """One of them has not answered a Close frame."""
        for side, other in ((self.caller, self.target), (self.target, self.caller)):
            side.tell(side.closed or other.closed or Close(GOING_AWAY))
            side.stream.end(side.closed is not None)
        self._over.fire(None)

    # Dead peers.

    def _keep_alive(self) -> None:
        """A round: who was silent in the last one is asked, and who was asked before is dead."""
        self._round = self._clock.callLater(self._ping_interval, self._keep_alive)
        for side, other in ((self.caller, self.target), (self.target, self.caller)):
            unread = side.stream.held or side.stream.body.buffered
            if unread or side.stream.gone or not side.reads or side.told is not None:
                side.silent = 0  # it is we who do not read, or it is closing
                continue
            side.silent += 1
            if side.silent >= ROUNDS_UNTIL_DEAD:
                side.stream.abort()
                self._dead(side, other)
            elif side.silent == ROUNDS_UNTIL_PING:
                side.ping = os.urandom(8)
                side.stream.write(side.control(Control(True, side.ping)))

    def _dead(self, side: Side, other: Side) -> None:
        self._ended(f"the gateway, because the {side.name} did not answer a Ping")
        side.failed = True
        side.told = Close(NO_CODE)
        other.tell(self._instead(side, f"the {side.name} did not answer a Ping"))
        self._look(side, other)


def _named(close: Close) -> str:
    return "no code" if close.code == NO_CODE else str(close.code)
