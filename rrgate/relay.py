"""Passing the target's answer on to the caller: its size bound, holding back, body transformation, back-pressure.

Belongs here: gateway-api.md 8 for streams, as the `ResponseBound` that a plugin set says. Does not: which bound
(plugins), framing (wire/response.py).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from rrgate.answers import GRANTED, AnswerHeaders
from rrgate.body import Body, BodyBroken
from rrgate.exchange import Exchange
from rrgate.messages import Reply, ResponseBound, TargetResponse
from rrgate.route import Route
from rrgate.steps import PluginFault, body_steps
from rrgate.streams import OpenStreams
from rrgate.websocket.opening import WebSockets
from rrgate.websocket.stream import SwitchedResponse

PAUSE = 0.2
"""Seconds without a byte after which a held answer of unknown size streams."""
MAX_HELD = 8 * 1024 * 1024
"""Bytes held for one answer before it streams."""


class HeldBytes:
    """What is held back for all answers together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0


class Relay:
    """Passes answers on. One object a gateway."""

    def __init__(
        self,
        clock: IReactorTime,
        headers: AnswerHeaders,
        held: HeldBytes,
        streams: OpenStreams,
        report: Callable[[Exchange, PluginFault], None],
    ) -> None:
        """`report` is told of a plugin that fails once an answer has begun."""
        self._clock = clock
        self._headers = headers
        self._held = held
        self._streams = streams
        self._report = report
        self._websockets = WebSockets(clock, headers, streams)

    def pass_whole(self, ex: Exchange, route: Route, response: TargetResponse) -> Reply | None:
        """As `pass_on`, for an answer that came in one piece and is not transformed: one write, no further turn."""
        body, bound = response.body, response.bound
        if bound is not None:
            size = response.size_of_head
            if size > bound.limit:
                return bound.reply(size, ex.method == b"HEAD" or response.status in (204, 304))
            if size + body.buffered > bound.limit:
                return bound.reply(size + body.buffered, True)
        self._begin(ex, route, response, response.length, body.take(), last=True)
        return None

    async def pass_on(self, ex: Exchange, route: Route, response: TargetResponse) -> Reply | None:
        """Answer with `response`. A Reply if it cannot be, as long as nothing of it has gone out; else breaks off.

        Raises PluginFault while nothing has gone out, and CancelledError when the caller leaves.
        """
        if isinstance(response, SwitchedResponse):
            return await self._websockets.relay(ex, route, response)
        body, bound = response.body, response.bound
        transforms = route.chain.on_body
        no_body = ex.method == b"HEAD" or response.status in (204, 304)
        if bound is not None and response.size_of_head > bound.limit:
            return bound.reply(response.size_of_head, no_body)
        if body.complete and not transforms:
            return self.pass_whole(ex, route, response)
        if no_body:
            # HEAD and 304 tell of a body that is not there, and that a transformation would have changed.
            self._begin(ex, route, response, None if transforms else response.length, b"", last=True)
            return None
        limit = None if bound is None else bound.limit - response.size_of_head
        parts: list[bytes] = []
        try:
            if bound is not None and limit is not None and _holds(bound, response, bool(transforms)):
                ended = await self._hold(body, bound, limit, parts)
            else:
                parts.append(body.take())
                ended = body.complete
        except BodyBroken as error:
            return Reply(502, f"Bad gateway: {error}", "target-unreachable")
        size = sum(map(len, parts))
        if bound is not None and response.size_of_head + size > bound.limit:
            return bound.reply(response.size_of_head + size, ended)
        length = size if ended else response.length
        if transforms:
            changed = await body_steps(ex, transforms, b"".join(parts), last=ended)
            length = len(changed) if ended else None
            if limit is not None and len(changed) > limit:
                self._begin(ex, route, response, length, changed[:limit], last=False)
                self._cut_off(ex)
                return None
            parts = [changed]
        # Each piece is let go once it is sent: joined and framed in one, 8 MiB held would be 25 for a while.
        parts.reverse()
        first = parts.pop() if parts else b""
        last = ended and not parts
        self._begin(ex, route, response, length, first, last)
        if not last:
            if response.length is not None:
                await self._stream(ex, parts, body, limit, route)
                return None
            self._streams.begin(ex)
            try:
                await self._stream(ex, parts, body, limit, route)
            finally:
                self._streams.end(ex)
        return None

    async def _hold(self, body: Body, bound: ResponseBound, limit: int, parts: list[bytes]) -> bool:
        """Gather in `parts` what comes until it is decided; whether that is all. Raises BodyBroken."""
        size = 0
        most = limit if bound.hold == "always" else min(limit, MAX_HELD)
        try:
            while size <= most:
                data = await self._read(body, None if bound.hold == "always" else PAUSE)
                if not data:
                    return data is not None
                parts.append(data)
                size += len(data)
                self._held.now += len(data)
                if self._held.now > self._held.most and bound.hold != "always":
                    break
        finally:
            self._held.now -= size
        return False

    async def _read(self, body: Body, pause: float | None) -> bytes | None:
        """The next bytes, `b""` at the end, None if none came for `pause` seconds."""
        if pause is None or body.buffered or body.ended:
            return await body.read()
        timer = self._clock.callLater(pause, body.nudge)
        try:
            return await body.read_or_nudged()
        finally:
            if timer.active():
                timer.cancel()

    def _begin(
        self, ex: Exchange, route: Route, response: TargetResponse, length: int | None, first: bytes, last: bool
    ) -> None:
        fields = self._headers.of_response(ex, response, route.cut_answer_headers, route.own_prefix)
        ex.door.begin(response.status, response.reason, fields, length, first, last, False)
        # After it: what cannot be begun is answered otherwise.
        ex.answer_fields = fields
        ex.final_status = response.status
        ex.code = GRANTED
        ex.bytes_sent = len(first)

    async def _stream(
        self, ex: Exchange, held: list[bytes], body: Body, limit: int | None, route: Route
    ) -> None:
        """What is `held` (the last first), then the rest of the body as it comes.

        What breaks now can only be told by breaking the answer off.
        """
        transforms = route.chain.on_body
        door = ex.door
        last = False
        try:
            # Before the next is read: a caller who takes nothing is to have as little as possible waiting here.
            await door.write(b"")
            while held:
                data = held.pop()
                ex.bytes_sent += len(data)
                await door.write(data)
            while not last:
                data = await body.read()
                last = not data
                if transforms:
                    data = await body_steps(ex, transforms, data, last=last)
                if limit is not None and ex.bytes_sent + len(data) > limit:
                    data = data[: limit - ex.bytes_sent]
                    ex.bytes_sent = limit
                    await door.write(data)
                    self._cut_off(ex)
                    return
                ex.bytes_sent += len(data)
                if data:
                    await door.write(data)
        except CancelledError:
            raise
        except PluginFault as fault:
            self._report(ex, fault)
            ex.message = f"The answer broke off: {fault}"
            door.abort()
        except BodyBroken as error:
            ex.message = f"The answer broke off: {error}"
            door.abort()
        else:
            door.end()

    def _cut_off(self, ex: Exchange) -> None:
        ex.message = "The answer was cut off at its size limit"
        ex.door.abort()


def _holds(bound: ResponseBound, response: TargetResponse, transforms: bool) -> bool:
    if bound.hold == "never":
        return False
    return bound.hold == "always" or response.length is None or transforms
