"""`Handshake`: what a caller asks for who wants to open a WebSocket, judged as RFC 6455 4.2.1 says.

Belongs here: reading the request's side of the opening handshake, and what is answered to one that is none. Does not:
the target's side (wire/switching.py), frames (side.py).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha1
from typing import Final, Protocol

from attrs import define

from rrgate.answers import BAD_REQUEST
from rrgate.messages import Fields, Reply, every
from rrgate.names import is_token
from rrgate.websocket.stream import Stream

SWITCHING: Final = 101
"""The status of an answer after which a connection is a WebSocket."""

UPGRADE: Final = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
"""The fields of whoever asks for a WebSocket, and of who agrees."""

OF_ONE_LEG: Final = frozenset({b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"})
"""Folded names of what belongs to a connection of its own on each side of us: they do not cross."""

VERSION: Final = (b"Sec-WebSocket-Version", b"13")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Switches(Protocol):
    """A caller's connection, which can stop being HTTP."""

    def full(self, proxy_id: str) -> str:
        """Why that proxy can open no WebSocket now, or nothing."""

    @property
    def ping_interval(self) -> float:
        """Seconds; see the setting `websocket_ping_interval`."""

    def switch(self, fields: Sequence[tuple[bytes, bytes]], proxy_id: str) -> Stream:
        """Answer 101 with `fields`; what comes and goes from then on, does so by the stream. It is the proxy's.

        Raises ValueError, with nothing sent, if a field would end its line.
        """


@define(eq=False)
class Handshake:
    """A request to open a WebSocket. `wrong`: the answer to one that is none, or None.

    `protocols`: the subprotocols that the caller offers. `connection`: the caller's, once it is known.
    """

    key: bytes
    protocols: tuple[bytes, ...] = ()
    wrong: Reply | None = None
    connection: Switches | None = None

    def refusal(self, proxy_id: str, is_async: bool) -> Reply | None:
        """What the request is answered in place of asking the target, or None if it may be asked.

        `is_async`: it came by the Async API."""
        if self.wrong is not None:
            return self.wrong
        if is_async:
            return Reply(400, "The Async API takes no WebSockets: they are opened under /api/", BAD_REQUEST)
        connection = self.connection
        if connection is None:
            text = "A WebSocket needs a connection of its own: call the gateway's listener, not a site or an agent"
            return Reply(501, text, BAD_REQUEST)
        full = connection.full(proxy_id)
        return Reply(503, full, "unavailable", headers=((b"Retry-After", b"1"),)) if full else None


def handshake_of(fields: Fields, length: int | None) -> tuple[Fields, Handshake | None]:
    """Of a GET in HTTP/1.1 whose `Connection` has `upgrade`: (fields without those of one leg, the handshake).

    (`fields`, None) if it does not ask for a WebSocket; then `Upgrade` is ignored, as a server may (RFC 9110 7.8).
    `length`: of its body, as its head says.
    """
    if b"websocket" not in (name.lower() for name in elements(every(fields, b"upgrade"))):
        return fields, None
    keys = every(fields, b"sec-websocket-key")
    versions = every(fields, b"sec-websocket-version")
    offered = elements(every(fields, b"sec-websocket-protocol"))
    problem = ""
    if len(keys) != 1 or not _is_key(keys[0]):
        problem = "A WebSocket's handshake has one Sec-WebSocket-Key, 16 bytes in base64 (RFC 6455 4.1)"
    elif not all(map(is_token, offered)) or len(set(offered)) != len(offered):
        problem = "Sec-WebSocket-Protocol names subprotocols, each a token and none twice (RFC 6455 4.1)"
    elif length != 0:
        problem = "A WebSocket's handshake has no body (RFC 6455 4.1)"
    wrong = Reply(400, problem, BAD_REQUEST) if problem else None
    if versions != [VERSION[1]]:
        headers = (*UPGRADE, VERSION)
        text = "The only version of the WebSocket protocol here is 13 (RFC 6455 4.4)"
        wrong = Reply(426, text, BAD_REQUEST, headers=headers)
    crossing = [known for known in fields if known[0] not in OF_ONE_LEG]
    return crossing, Handshake(keys[0] if keys else b"", tuple(offered), wrong)


def elements(values: Sequence[bytes]) -> list[bytes]:
    """The elements of a list field that has these values; empty ones are ignored (RFC 9110 5.6.1.2)."""
    return [name for value in values for part in value.split(b",") if (name := part.strip(b" \t"))]


def accept_of(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` that proves that a handshake with `key` was understood (RFC 6455 4.2.2)."""
    return base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def _is_key(value: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(value, strict_mode=True)) == 16
    except ValueError:
        return False
