"""The request that goes to the target, before plugins write into it: what of the caller's crosses, and what is cut.

Belongs here: gateway-api.md 3 and 5 for requests, holding the body, and its way through `on_request_body`. Does not:
injection (plugins), bytes on the wire (wire/target_head.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from rrgate.body import Body
from rrgate.chain import Chain, Step
from rrgate.exchange import Exchange
from rrgate.messages import TargetRequest
from rrgate.route import Route
from rrgate.steps import body_limit, body_steps


async def hold_body(ex: Exchange, chain: Chain) -> None:
    """Wait for the whole body if a plugin needs it; it is `ex.held_body` then.

    Raises BodyTooLarge, BodyBroken, PluginFault.
    """
    limit = body_limit(ex, chain.body_needed, chain.body_limit)
    if limit is not None:
        await ex.whole_body(limit)


def begin_target_request(ex: Exchange, route: Route) -> TargetRequest:
    """The caller's request without what never crosses; anew for every attempt."""
    fields = route.crossing_fields(ex.fields, ex.read_from)
    query = route.crossing_query(ex.query)
    mark = b"" if ex.query and not query else ex.query_mark
    request = TargetRequest(ex.method, route.base_path + ex.origin_path or b"/", mark, query, fields)
    if ex.held_body is not None:
        # An empty one is none: no length is told of it where the method expects no body.
        request.body = ex.held_body or None
    elif ex.content_length != 0:
        request.stream = ex.request_body
        request.stream_length = ex.content_length
    return request


class ChangedBody(Body):
    """A body on its way through `on_request_body`; it is changed as it is read, so nothing more is buffered."""

    __slots__ = ("_exchange", "_over", "_steps", "_unchanged")

    def __init__(self, ex: Exchange, unchanged: Body, steps: Sequence[Step]) -> None:
        super().__init__(None)
        self._exchange = ex
        self._unchanged = unchanged
        self._steps = steps
        self._over = False

    async def read(self) -> bytes:
        """The next changed bytes, `b""` at the end. Raises PluginFault, BodyBroken, BodyTooLarge."""
        while not self._over:
            data = await self._unchanged.read()
            self._over = not data
            changed = await body_steps(self._exchange, self._steps, data, last=self._over)
            if changed:
                return changed
        return b""


async def change_body(ex: Exchange, request: TargetRequest, steps: Sequence[Step]) -> None:
    """Let the body pass through `on_request_body`: at once if all of it is here, else as it streams.

    Raises PluginFault.
    """
    stream = request.stream
    if request.body is None and stream is not None:
        if not stream.complete:
            request.stream, request.stream_length = ChangedBody(ex, stream, steps), None
            return
        request.body = stream.take()
    changed = await body_steps(ex, steps, request.body or b"", last=True)
    if changed or request.body is not None:
        request.body = changed
    request.stream = None
