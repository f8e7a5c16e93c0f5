"""`WebSockets`: opens a WebSocket to the caller once the target has agreed to one, relays it, and tells how it ended.

Belongs here: what is between an answer of 101 and the relay, and between that and the log. Does not: frames (side.py),
their way (relay.py).
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from rrgate.answer_headers import AnswerHeaders
from rrgate.answers import GRANTED
from rrgate.exchange import Exchange
from rrgate.messages import Reply
from rrgate.pipeline_parts import leave_place
from rrgate.route import Route
from rrgate.streams import OpenStreams
from rrgate.websocket.handshake import UPGRADE, accept_of
from rrgate.websocket.relay import WebSocketRelay
from rrgate.websocket.side import Side
from rrgate.websocket.stream import SwitchedResponse

_PROTOCOL = b"sec-websocket-protocol"


class WebSockets:
    """One object a gateway."""

    def __init__(self, clock: IReactorTime, headers: AnswerHeaders, streams: OpenStreams) -> None:
        self._clock = clock
        self._headers = headers
        self._streams = streams

    async def relay(self, ex: Exchange, route: Route, response: SwitchedResponse) -> Reply | None:
        """Answer 101, and relay until the WebSocket is closed. A Reply if it cannot be opened any more.

        A message of the caller has the bound that was set on its body, one of the target that of its answer.
        """
        handshake = ex.handshake
        assert handshake is not None
        refusal = handshake.refusal(route.proxy.id, ex.is_async)
        connection = handshake.connection
        if refusal is not None or connection is None:
            return refusal
        fields = self._headers.of_response(ex, response, route.cut_answer_headers, route.own_prefix)
        chosen = response.header(_PROTOCOL)
        if chosen is not None and chosen not in handshake.protocols:
            # It was offered by a plugin and not by the caller, who would take it for a mistake (RFC 6455 4.1).
            fields = [known for known in fields if known[0].lower() != _PROTOCOL]
        fields += (*UPGRADE, (b"Sec-WebSocket-Accept", accept_of(handshake.key)))
        stream = connection.switch(fields, route.proxy.id)
        leave_place(ex)
        ex.answer_fields = fields
        ex.final_status = response.status
        ex.code = GRANTED
        bound = response.bound
        caller = Side("caller", stream, is_server=False, most=ex.request_body.limit)
        target = Side("target", response.stream, is_server=True, most=None if bound is None else bound.limit)
        relay = WebSocketRelay(caller, target, self._clock, connection.ping_interval)
        self._streams.begin(ex, relay)
        try:
            await relay.run()
        finally:
            self._streams.end(ex)
            ex.bytes_sent = target.bytes
            ex.message = (
                f"WebSocket closed by {relay.ended_by or 'nobody'}; "
                f"{_amount(caller)} from the caller, {_amount(target)} from the target"
            )
        return None


def _amount(side: Side) -> str:
    return f"{side.messages} message{'' if side.messages == 1 else 's'} ({side.bytes} bytes)"
