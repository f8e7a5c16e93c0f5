"""Messages relayed over WebSockets, and what an idle one takes: `python -m bench.websockets`.

Belongs here: CPU a message of rrgate beside nginx, memory of open WebSockets, and of one whose reader has stopped. Does
not: requests (sections.py).

Each caller says something, and waits until the target's echo is back; both of them, in one process, deal with frames as
bytes, so that little is measured but the gateway. nginx passes bytes; rrgate reads frames, judges and masks them.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from rich.console import Console

from bench.load import cpu_of, rss_of
from bench.nginx import start_nginx
from bench.parts import CALLER_KEY, PIN, Part, free_port, start_rrgate, wait_for
from bench.tables import Table, machine, spread
from rrgate.websocket.handshake import accept_of

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_CLOSE = 0x88
_MASK = b"\0\0\0\0"
"""A mask that changes nothing: what comes back is what was sent."""

_NGINX = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      if ($http_x_api_key != "{key}") {{ return 401; }}
      proxy_pass http://127.0.0.1:{target}; proxy_http_version 1.1; proxy_read_timeout 600;
      proxy_set_header Connection "Upgrade"; proxy_set_header Upgrade $http_upgrade; proxy_set_header X-API-Key "";
    }}
  }}
"""


class Echo:
    """A target on a port of its own: what comes in masked frames goes back without masks. Run it as a process."""

    def __init__(self, port: int) -> None:
        self._waiting = DefaultSelector()
        server = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._waiting.register(server, EVENT_READ, None)
        self._server = server

    def run(self) -> None:
        """For ever."""
        heads: dict[socket.socket, bytes | None] = {}
        rests: dict[socket.socket, bytes] = {}
        while True:
            for key, _ in self._waiting.select():
                if key.fileobj is self._server:
                    connection, _ = self._server.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._waiting.register(connection, EVENT_READ)
                    heads[connection] = rests[connection] = b""
                    continue
                connection = key.fileobj  # type: ignore[assignment]
                head = heads[connection]
                try:
                    data = connection.recv(1 << 18)
                    if head is None and data:
                        heard = rests[connection] + data
                        rests[connection] = rest_of(heard)
                        connection.sendall(b"".join(map(_echoed, frames_of(heard))))
                except OSError:
                    data = b""
                if not data or (head is None and data[0] == _CLOSE):
                    self._waiting.unregister(connection)
                    connection.close()
                elif head is not None:
                    heads[connection] = _answered(connection, head + data)


def _answered(connection: socket.socket, head: bytes) -> bytes | None:
    """None once `head` is whole, and 101 was answered; else what there is of it."""
    if not head.endswith(b"\r\n\r\n"):
        return head
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    connection.sendall(
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
        % accept_of(key)
    )
    return None


def frames_of(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(first byte, mask, payload) of each of the whole frames that `data` begins with."""
    place = 0
    while (found := _place(data, place)) is not None:
        start, end, masked = found
        yield data[place], data[start - 4 : start] if masked else b"", data[start:end]
        place = end


def rest_of(data: bytes) -> bytes:
    """What is behind the last whole frame of `data`."""
    place = 0
    while (found := _place(data, place)) is not None:
        place = found[1]
    return data[place:]


def _place(data: bytes, place: int) -> tuple[int, int, bool] | None:
    """(where its payload begins, where it ends, whether it is masked) of the frame at `place`, if it is whole."""
    if len(data) < place + 2:
        return None
    size, start, masked = data[place + 1] & 127, place + 2, data[place + 1] > 127
    if size > 125:
        width = 2 if size == 126 else 8
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    start += 4 * masked
    return (start, start + size, masked) if len(data) >= start + size else None


def _echoed(said: tuple[int, bytes, bytes]) -> bytes:
    """A frame without its mask; nothing for one that is no message's."""
    first, key, payload = said
    size = len(payload)
    if first & 8:
        return b""
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    unmasked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    return bytes([first]) + frame(size, False)[1 : -size or None] + unmasked


def frame(size: int, masked: bool) -> bytes:
    """A frame of so many bytes."""
    bit = 128 if masked else 0
    if size < 126:
        head = bytes([0x82, bit | size])
    elif size < 1 << 16:
        head = bytes([0x82, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x82, bit | 127]) + size.to_bytes(8, "big")
    return head + (_MASK if masked else b"") + bytes(size)


def opened(part: Part) -> socket.socket:
    """A WebSocket through `part`."""
    connection = socket.create_connection(("127.0.0.1", part.port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n\r\n"
        % (part.path.encode(), CALLER_KEY.encode(), _KEY)
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        assert more, head
        head += more
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection


def talk(part: Part, callers: int, size: int, seconds: float) -> tuple[float, float]:
    """(µs of the gateway's CPU for each message that it relayed, messages relayed a second)."""
    said = frame(size, True)
    with ExitStack() as open, DefaultSelector() as waiting:
        left: dict[socket.socket, int] = {}
        rests: dict[socket.socket, bytes] = {}
        for _ in range(callers):
            connection = open.enter_context(opened(part))
            waiting.register(connection, EVENT_READ)
            left[connection], rests[connection] = size, b""
        before, begun, relayed = cpu_of(part.process.pid), time.monotonic(), 0
        for connection in left:
            connection.sendall(said)
        until = begun + seconds
        while time.monotonic() < until:
            for key, _ in waiting.select(1):
                each: socket.socket = key.fileobj  # type: ignore[assignment]
                heard = rests[each] + each.recv(1 << 18)
                rests[each] = rest_of(heard)
                left[each] -= sum(len(payload) for _, _, payload in frames_of(heard))
                if left[each] == 0:
                    left[each] = size
                    relayed += 2
                    each.sendall(said)
        spent = cpu_of(part.process.pid) - before
        return spent / relayed * 1e6, relayed / (time.monotonic() - begun)


def idle(part: Part, count: int) -> float:
    """KB of memory for each of `count` WebSockets that are open."""
    with ExitStack() as open:
        for _ in range(50):
            open.enter_context(opened(part))
        before = rss_of(part.process.pid)
        for _ in range(count):
            open.enter_context(opened(part))
        return (rss_of(part.process.pid) - before) / count * 1024


def stopped(part: Part, megabytes: int) -> tuple[float, float]:
    """(MB that could be sent to echo, MB that memory grew by), of a caller that reads nothing of it."""
    before = rss_of(part.process.pid)
    said, sent = frame(1 << 16, True), 0
    with opened(part) as connection:
        connection.settimeout(2)
        try:
            while sent < megabytes << 20:
                sent += connection.send(said[sent % len(said) :])
        except TimeoutError:
            pass
        return sent / (1 << 20), rss_of(part.process.pid) - before


def measured(folder: Path, rounds: int, seconds: float) -> Sequence[Table]:
    """All of it."""
    with ExitStack() as running:
        port = free_port()
        process = subprocess.Popen([*PIN[:-1], "1", sys.executable, "-m", "bench.websockets", "--echo", str(port)])
        target = Part("target", process, port, "/", {})
        running.callback(target.stop)
        wait_for(port)
        rrgate = start_rrgate(folder, target)
        running.callback(rrgate.stop)
        bare_port = free_port()
        bare = Part(
            "nginx",
            start_nginx("sockets", folder, _NGINX.format(port=bare_port, key=CALLER_KEY, target=port), bare_port),
            bare_port,
            "/",
            {},
        )
        running.callback(bare.stop)
        headings = ["callers", "bytes", "rrgate, µs", "nginx, µs", "÷ nginx", "a second"]
        table = Table("Messages over WebSockets", headings)
        for callers, size in ((1, 32), (32, 32), (32, 1024), (32, 65536), (8, 1 << 20)):
            figures = [
                (talk(rrgate, callers, size, seconds), talk(bare, callers, size, seconds)) for _ in range(rounds)
            ]
            table.add(
                f"{callers}",
                f"{size:,}",
                spread([ours for (ours, _), _ in figures], 1),
                spread([its for _, (its, _) in figures], 1),
                spread([ours / its for (ours, _), (its, _) in figures], 1),
                f"{max(rate for (_, rate), _ in figures):,.0f}",
            )
        memory = Table("Memory of WebSockets", ["what", "rrgate"])
        memory.add("1,000 open and idle, each", f"{idle(rrgate, 1000):.1f} KB")
        sent, grown = stopped(rrgate, 512)
        memory.add(f"a caller that reads nothing: {sent:.1f} MB were taken of it, growth", f"{grown:.1f} MB")
        return table, memory


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.websockets", description=__doc__)
    parser.add_argument("--echo", type=int, metavar="PORT", help="be the target")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round")
    given = parser.parse_args()
    if given.echo:
        Echo(given.echo).run()
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="rrgate-bench") as folder:
        begun = machine()
        for table in measured(Path(folder), given.rounds, given.seconds):
            table.show(console)
            print(table.markdown())
        print(begun)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
