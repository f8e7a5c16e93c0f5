"""Passing the target's answer on to the caller: its size bound, holding back, body transformation, back-pressure.

Belongs here: gateway-api.md 8 for streams, as the `ResponseBound` that a plugin set says. Does not: which bound
(plugins), framing (wire/response.py).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from rrgate.answer_headers import AnswerHeaders
from rrgate.answers import GRANTED
from rrgate.body import Body, BodyBroken, NoRoom
from rrgate.exchange import Exchange
from rrgate.held_answers import Held, HeldBytes
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
class Relay:
    """Passes answers on. One object a gateway."""

    def __init__(
        self,
        clock: IReactorTime,
        headers: AnswerHeaders,
        held_bytes: int,
        streams: OpenStreams,
        report: Callable[[Exchange, PluginFault], None],
    ) -> None:
        """`held_bytes`: of answers held back in all. `report`: told of a plugin that fails once an answer has begun."""
        self._clock = clock
        self._headers = headers
        self._held = HeldBytes(held_bytes)
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
        held = Held(self._held, ex)
        try:
            try:
                if bound is not None and limit is not None and _holds(bound, response, bool(transforms)):
                    ended = await self._hold(body, bound, limit, held)
                else:
                    held.pieces.append(body.take())
                    ended = body.complete
            except NoRoom as error:
                # Without Retry-After: the target has done what it was asked for.
                return Reply(error.status, str(error), "overloaded")
            except BodyBroken as error:
                return Reply(502, f"Bad gateway: {error}", "target-unreachable")
            size = sum(map(len, held.pieces))
            if bound is not None and response.size_of_head + size > bound.limit:
                return bound.reply(response.size_of_head + size, ended)
            length = size if ended else response.length
            if transforms:
                changed = await body_steps(ex, transforms, b"".join(held.pieces), last=ended)
                length = len(changed) if ended else None
                if limit is not None and len(changed) > limit:
                    self._begin(ex, route, response, length, changed[:limit], last=False)
                    self._cut_off(ex)
                    return None
                held.change(changed)
                del changed
            # Each piece is let go once it is sent: joined and framed in one, 8 MiB held would be 25 for a while.
            held.pieces.reverse()
            first = held.pieces.pop() if held.pieces else b""
            last = ended and not held.pieces
            self._begin(ex, route, response, length, first, last)
            if last:
                return None
            del first
            if response.length is not None:
                await self._stream(ex, held, body, ended, limit, route)
                return None
            self._streams.begin(ex)
            try:
                await self._stream(ex, held, body, ended, limit, route)
            finally:
                self._streams.end(ex)
            return None
        finally:
            held.let_go()

    async def _hold(self, body: Body, bound: ResponseBound, limit: int, held: Held) -> bool:
        """Gather in `held` what comes until it is decided; whether that is all. Raises BodyBroken, NoRoom."""
        size = 0
        most = limit if bound.hold == "always" else min(limit, MAX_HELD)
        while size <= most:
            data = await self._read(body, None if bound.hold == "always" else PAUSE)
            if not data:
                return data is not None
            held.add(data)
            size += len(data)
            if bound.hold == "always":
                held.check_room()
            elif self._held.now > self._held.most:
                break
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
        self, ex: Exchange, held: Held, body: Body, ended: bool, limit: int | None, route: Route
    ) -> None:
        """What is `held` (the last piece first), then the rest of the body as it comes, unless it has `ended`.

        What breaks now can only be told by breaking the answer off.
        """
        transforms = route.chain.on_body
        door = ex.door
        last = ended
        try:
            # Before the next is read: a caller who takes nothing is to have as little as possible waiting here.
            await door.write(b"")
            held.sent(ex.bytes_sent)
            while held.pieces:
                data = held.pieces.pop()
                ex.bytes_sent += len(data)
                await door.write(data)
                held.sent(len(data))
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
