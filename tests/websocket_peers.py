"""Callers and targets of WebSockets that share no code with the gateway: the library `websockets`, in threads.

Belongs here: starting them. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, Thread
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
class Ended:
    """A WebSocket that is over, as its target saw it."""

    fields: Any
    code: int | None
    reason: str | None


@frozen
class SocketTarget:
    """A target that takes WebSockets, each at a path of its own."""

    url: str
    _ended: dict[str, Ended] = field(factory=dict)
    _more: Condition = field(factory=Condition)

    def over(self, path: str, ended: Ended) -> None:
        """The one at `path` is over."""
        with self._more:
            self._ended[path] = ended
            self._more.notify_all()

    def end_of(self, path: str) -> Ended:
        """How the one at `path` has ended, once it has; blocks."""
        with self._more:
            assert self._more.wait_for(lambda: path in self._ended, SECONDS), f"{path} has not ended"
            return self._ended[path]

    def paths(self) -> set[str]:
        """Of those that are over."""
        return set(self._ended)


@contextmanager
def socket_target(conversation: Conversation = echo, **options: Any) -> Iterator[SocketTarget]:
    """A target on loopback. `options`: of `websockets.sync.server.serve`."""
    made: list[SocketTarget] = []

    def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        try:
            conversation(connection)
        finally:
            connection.close()
            ended = Ended(connection.request.headers, connection.close_code, connection.close_reason)
            made[0].over(connection.request.path, ended)

    where = "http://127.0.0.1" if options.get("ssl") is None else "https://localhost"
    with serve(talk, "127.0.0.1", 0, compression=None, max_size=None, **options) as server:
        made.append(SocketTarget(f"{where}:{server.socket.getsockname()[1]}"))
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
    where = f"ws://{host}" if options.get("ssl") is None else "wss://localhost"
    return connect(
        f"{where}:{port}{proxy.path}{path}",
        additional_headers=more,
        open_timeout=SECONDS,
        close_timeout=SECONDS,
        **{"max_size": None, "ping_interval": None, "proxy": None, **options},
    )
