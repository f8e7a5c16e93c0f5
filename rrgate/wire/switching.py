"""`Opening`: the target's side of a WebSocket's handshake: what it is asked, and whether its 101 answers that.

Belongs here: RFC 6455 4.1 as a client keeps it. Does not: the caller's side (websocket/handshake.py), frames
(websocket/side.py).
"""

from __future__ import annotations

import base64
import os

from attrs import field, frozen

from rrgate.messages import Fields, InjectionError, TargetRequest, every
from rrgate.websocket.handshake import OF_ONE_LEG, accept_of, elements
from rrgate.wire.answer_head import AnswerBroken, AnswerHead

_OURS = OF_ONE_LEG | {b"sec-websocket-accept"}


@frozen(eq=False)
class Opening:
    """One request for a WebSocket. `key`: ours, made for it. `protocols`: what subprotocols the target may choose."""

    protocols: tuple[bytes, ...]
    key: bytes = field(factory=lambda: base64.b64encode(os.urandom(16)))

    @classmethod
    def of(cls, request: TargetRequest) -> Opening:
        """For `request`, from which goes what a plugin may have written of the handshake's own.

        Raises InjectionError if it has got a body.
        """
        if request.body or request.stream is not None:
            raise InjectionError("a plugin has given a WebSocket's handshake a body")
        for folded in _OURS:
            request.injected.pop(folded, None)
        return cls(tuple(elements(every(request.sent_fields(), b"sec-websocket-protocol"))))

    def asked_by(self, head: bytes) -> bytes:
        """`head`, a whole one, as it asks for a WebSocket."""
        return (
            b"%bConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
            % (head[:-2], self.key)
        )

    def judge(self, head: AnswerHead) -> Fields:
        """The fields of a 101 that agrees, without those of its leg. Raises AnswerBroken."""
        fields = head.fields
        if [name.lower() for name in elements(every(fields, b"upgrade"))] != [b"websocket"]:
            raise AnswerBroken("101 for something else than a WebSocket (RFC 6455 4.1)")
        if b"upgrade" not in (name.lower() for name in elements(every(fields, b"connection"))):
            raise AnswerBroken("101 without `Connection: Upgrade` (RFC 6455 4.1)")
        if every(fields, b"sec-websocket-accept") != [accept_of(self.key)]:
            raise AnswerBroken("the Sec-WebSocket-Accept of the 101 is not that of our key (RFC 6455 4.1)")
        if elements(every(fields, b"sec-websocket-extensions")):
            raise AnswerBroken("101 with a WebSocket extension that was not offered (RFC 6455 4.1)")
        chosen = every(fields, b"sec-websocket-protocol")
        if len(chosen) > 1 or not set(chosen).issubset(self.protocols):
            raise AnswerBroken("101 with a subprotocol that was not offered (RFC 6455 4.1)")
        return [known for known in fields if known[0] not in _OURS]
