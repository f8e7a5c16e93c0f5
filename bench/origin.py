"""A target of large bodies, event streams and silence, as a process of its own: `python -m bench.origin PORT`.

Belongs here: what it answers to which path. Does not: whoever asks (crowd.py), or what is measured.

- `/down/N`: N bytes. `/up`: reads the body, and answers how many bytes it had.
- `/events`: an event a second, for ever, each with the time at which it was sent; connections take turns.
- `/hang`: nothing, ever. Anything else: `ok`.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from pathlib import Path

from bench.parts import PIN, Part, free_port, wait_for

_PIECE = bytes(256 * 1024)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n"
INTERVAL = 1.0
"""Seconds between two events of one stream."""
_TURNS = itertools.count()


class Origin(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._head = b""
        self._to_come = -1
        self._taken = 0
        self._chunked = False
        self._room = asyncio.Event()
        self._room.set()
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._work is not None:
            self._work.cancel()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        if self._to_come >= 0:
            self._take(data)
            return
        self._head += data
        head, mark, rest = self._head.partition(b"\r\n\r\n")
        if not mark:
            return
        self._head = b""
        path = b"/" + head.split(b" ", 2)[1].partition(b"?")[0].lstrip(b"/")
        if path.startswith(b"/up"):
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            # Without a length nobody waits for what comes: it is one of those who never end.
            self._to_come, self._taken = int(fields.get(b"content-length", 1 << 40)), 0
            self._take(rest)
        elif path.startswith(b"/down/"):
            self._work = asyncio.ensure_future(self._send(int(path.rpartition(b"/")[2])))
        elif path.startswith(b"/events"):
            self._work = asyncio.ensure_future(self._tell())
        elif not path.startswith(b"/hang"):
            self.transport.write(_OK)

    def _take(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken >= self._to_come:
            body = b"%d" % self._taken
            self._to_come = -1
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _send(self, size: int) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size:
            await self._room.wait()
            self.transport.write(_PIECE[:size])
            size -= min(size, len(_PIECE))

    async def _tell(self) -> None:
        self.transport.write(_EVENTS)
        # By the golden ratio, so that however many there are they lie evenly in a second.
        await asyncio.sleep(next(_TURNS) * 0.618034 % INTERVAL)
        due = time.monotonic()
        while True:
            self.transport.write(b"data: %.6f\n\n" % time.monotonic())
            due += INTERVAL
            await asyncio.sleep(due - time.monotonic())


def start_origin(*, pinned: bool = True) -> Part:
    """It, as a process. `pinned`: to the core of the gateways."""
    port = free_port()
    command = [*(PIN if pinned else ()), sys.executable, "-m", "bench.origin", str(port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    wait_for(port)
    return Part("origin", process, port, "/", {})


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import contextlib

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
