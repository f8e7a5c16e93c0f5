"""Callers and targets of WebSockets that share no code with the gateway: the library `websockets`, in threads.

Belongs here: starting them. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from attrs import field, frozen
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.callers import SECONDS
from tests.running_gateway import KEY, GatewayClient, MadeProxy

Conversation = Callable[[ServerConnection], None]


def echo(connection: ServerConnection) -> None:
    """Says what it hears, in fragments if it comes in fragments, until it is closed; answers `close CODE REASON`."""
    for message in connection:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            connection.close(int(code), reason)
            return
        connection.send(message)


@frozen
class SocketTarget:
    """A target that takes WebSockets. `heads`: the heads of handshakes that came."""

    url: str
    heads: list[Any] = field(factory=list)
    ended: list[tuple[int | None, str | None]] = field(factory=list)
    """How its WebSockets ended, as it saw it: code and reason."""
    over: Event = field(factory=Event)
    """Set whenever one has ended."""


@contextmanager
def socket_target(conversation: Conversation = echo, **options: Any) -> Iterator[SocketTarget]:
    """A target on loopback. `options`: of `websockets.sync.server.serve`."""
    made: list[SocketTarget] = []

    def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        made[0].heads.append(connection.request.headers)
        try:
            conversation(connection)
        finally:
            connection.close()
            made[0].ended.append((connection.close_code, connection.close_reason))
            made[0].over.set()

    with serve(talk, "127.0.0.1", 0, compression=None, max_size=None, **options) as server:
        made.append(SocketTarget(f"http://127.0.0.1:{server.socket.getsockname()[1]}"))
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made[0]
        finally:
            server.shutdown()
            thread.join(SECONDS)


def caller(
    gateway: GatewayClient,
    proxy: MadeProxy,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    key: str | None = KEY,
    **options: Any,
) -> ClientConnection:
    """An open WebSocket through `proxy`; blocks. `options`: of `websockets.sync.client.connect`."""
    host, port = gateway.address
    more = dict(headers or {})
    if key is not None:
        more["X-Api-Key"] = key
    return connect(
        f"ws://{host}:{port}{proxy.path}{path}",
        additional_headers=more,
        open_timeout=SECONDS,
        close_timeout=SECONDS,
        **{"max_size": None, "ping_interval": None, "proxy": None, **options},
    )
