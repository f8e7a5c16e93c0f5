"""A WebSocket in memory: a caller's and a target's ends, both played by a test, with the whole gateway between them.

Belongs here: opening one, frames as bytes (without wsproto, which the gateway reads them with). Does not: any
expectation about RFC 6455.
"""

from __future__ import annotations

import struct
from typing import Any

from attrs import frozen
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from rrgate.model import Proxy
from rrgate.testing import MemoryGateway
from rrgate.testing.transports import MemoryTransport
from rrgate.websocket.handshake import accept_of
from tests.wire.memory_target import MemoryDialer, TargetEnd

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""That of RFC 6455 1.3, whose answer is `ACCEPT`."""
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": KEY.decode(),
    "Sec-WebSocket-Version": "13",
}

MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@frozen
class Frame:
    """A frame as it went over the wire."""

    opcode: int
    payload: bytes
    fin: bool = True
    masked: bool = False


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True, rsv: int = 0, length: bytes | None = None
) -> bytes:
    """One frame. `mask`: as a client sends it. `length`: in place of the payload's, from the byte with MASK on."""
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 1 << 16:
            length = b"\x7e" + struct.pack("!H", size)
        else:
            length = b"\x7f" + struct.pack("!Q", size)
    length = bytes([length[0] | mask << 7]) + length[1:]
    key = b"\x01\x80\x03\xff"
    masked = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload)) if mask else payload
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + (key if mask else b"") + masked


def close(code: int | None = None, reason: str | bytes = b"", *, mask: bool = True) -> bytes:
    """A Close frame."""
    said = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + said, mask=mask)


def frames_of(data: bytes) -> list[Frame]:
    """What `data`, whole frames, holds."""
    found = []
    while data:
        first, second, data = data[0], data[1], data[2:]
        size = second & 127
        if size > 125:
            width = 2 if size == 126 else 8
            size, data = int.from_bytes(data[:width], "big"), data[width:]
        key, data = (data[:4], data[4:]) if second & 128 else (b"", data)
        payload, data = data[:size], data[size:]
        assert len(payload) == size, "the last frame is not whole"
        if key:
            payload = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
        assert not first & 0x70, "a reserved bit is set"
        found.append(Frame(first & 15, payload, bool(first & 128), bool(key)))
    return found


def closing(frames: list[Frame]) -> tuple[int | None, str]:
    """Code and reason of the Close frame that is the last of `frames`."""
    last = frames[-1]
    assert last.opcode == CLOSE, frames
    assert all(each.opcode != CLOSE for each in frames[:-1])
    return (struct.unpack("!H", last.payload[:2])[0], last.payload[2:].decode()) if last.payload else (None, "")


def head_of(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """(first line, fields with names in lower case, what is behind it)."""
    head, _, rest = data.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    return line, [(name.lower(), value) for name, _, value in (each.partition(b": ") for each in lines)], rest


class SocketGateway:
    """A gateway whose targets are played by the test."""

    def __init__(self, plugins: Any = (), **settings: Any) -> None:
        self.gateway = MemoryGateway(plugins, **{"websocket_ping_interval": 0, **settings})
        self.targets = MemoryDialer()
        dialer: Any = self.gateway.dialer
        dialer.connect = self.targets.connect

    def ask(
        self,
        proxy: Proxy | None = None,
        handshake: Any = None,
        *,
        method: str = "GET",
        path: str = "/",
        version: str = "1.1",
    ) -> Socket:
        """A caller's request to open a WebSocket, as far as it gets."""
        proxy = proxy or self.gateway.proxy()
        fields = HANDSHAKE if handshake is None else handshake
        lines = [f"{method} /api/{proxy.id}{path} HTTP/{version}", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in dict(fields).items()]
        return Socket(self, proxy, "\r\n".join([*lines, "", ""]).encode())

    def open(self, proxy: Proxy | None = None, **more: Any) -> Socket:
        """One that is open."""
        socket = self.ask(proxy, **more)
        socket.agree()
        socket.caller_heard()
        return socket


class Socket:
    """One WebSocket: `caller` and `target` are the transports of the gateway's ends."""

    def __init__(self, gateway: SocketGateway, proxy: Proxy, request: bytes) -> None:
        self.gateway = gateway
        self.proxy = proxy
        self.clock = gateway.gateway.clock
        before = len(gateway.targets.ends)
        self.connection: Any = gateway.gateway.listener.buildProtocol(None)
        self.caller = MemoryTransport()
        self.connection.makeConnection(self.caller)
        self._caller_seen = 0
        self.connection.dataReceived(request)
        self.asked: list[TargetEnd] = gateway.targets.ends[before:]

    @property
    def end(self) -> TargetEnd:
        return self.asked[0]

    @property
    def target(self) -> MemoryTransport:
        return self.end.transport

    # The handshake.

    def agree(self, *fields: str, behind: bytes = b"", accept: bytes | None = None) -> tuple[bytes, Any]:
        """Let the target answer 101; (the first line, the fields) of what it was asked."""
        line, asked, _ = head_of(self.end.received())
        if accept is None:
            accept = accept_of(dict(asked)[b"sec-websocket-key"])
        head = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept.decode()}",
            *fields,
        ]
        self.end.say("\r\n".join([*head, "", ""]).encode() + behind)
        return line, asked

    def answer(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """(status, fields, rest) of what the caller was answered."""
        line, fields, rest = head_of(self._new_for_caller())
        return int(line.split(b" ")[1]), fields, rest

    def _new_for_caller(self) -> bytes:
        data = bytes(self.caller.written[self._caller_seen :])
        self._caller_seen = len(self.caller.written)
        return data

    # What is said and heard.

    def caller_says(self, *data: bytes) -> Socket:
        for each in data:
            self.connection.dataReceived(each)
        return self

    def target_says(self, *data: bytes) -> Socket:
        self.end.say(*data)
        return self

    def caller_heard(self) -> list[Frame]:
        data = self._new_for_caller()
        return frames_of(data.partition(b"\r\n\r\n")[2] if data.startswith(b"HTTP/") else data)

    def target_heard(self) -> list[Frame]:
        data = self.end.received()
        return frames_of(data.partition(b"\r\n\r\n")[2] if data.startswith(b"GET ") else data)

    def caller_leaves(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))

    def target_leaves(self) -> None:
        self.end.close()

    # What the log says.

    @property
    def over(self) -> bool:
        """Whether the gateway is done with it."""
        return bool(self.gateway.gateway.records)

    @property
    def message(self) -> str:
        record, _ = self.gateway.gateway.records[-1]
        assert record["proxyData"]["status"] == 101
        return str(record["proxyData"]["message"])
