"""Requests at a fixed rate, and how long each took from the moment at which it was due.

Belongs here: one round, and what its latencies are. Does not: what is going on meanwhile (log.py).

wrk sends as fast as it is answered: then whatever else takes the processor shows as fewer requests, and p99 says how
full the machine is. Here a request that has to wait for one before it counts from when it should have been sent.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque

from attrs import frozen

from bench import load
from bench.parts import Part


@frozen
class Steadily:
    """What one round took. Milliseconds; `cpu`: seconds of the gateway's, all threads."""

    p50: float
    p99: float
    most: float
    requests: int
    cpu: float


def run(part: Part, rate: int, seconds: float, connections: int = 16) -> Steadily:
    """`rate` GETs a second. Raises AssertionError for an answer that is not 200."""
    lines = [f"GET {part.path} HTTP/1.1", "Host: localhost", *(f"{name}: {it}" for name, it in part.headers.items())]
    request = "\r\n".join((*lines, "", "")).encode()
    selector = selectors.DefaultSelector()
    idle: deque[_Connection] = deque()
    for _ in range(connections):
        connection = _Connection(part.port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        idle.append(connection)
    took: list[float] = []
    due: deque[float] = deque()
    before = load.precise_cpu_of(part.process.pid)
    number, count = 0, int(rate * seconds)
    begun = time.perf_counter() + 0.05
    while len(took) < count:
        now = time.perf_counter()
        while number < count and begun + number / rate <= now:
            due.append(begun + number / rate)
            number += 1
        while due and idle:
            idle.popleft().send(request, due.popleft())
        wait = 1.0 if number == count else max(0.0, begun + number / rate - time.perf_counter())
        for key, _ in selector.select(wait):
            connection = key.data
            if connection.receive():
                took.append((time.perf_counter() - connection.since) * 1000)
                idle.append(connection)
    spent = load.precise_cpu_of(part.process.pid) - before
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    took.sort()
    return Steadily(took[count // 2], took[count * 99 // 100], took[-1], count, spent)


class _Connection:
    """One request at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self._content = b""

    def send(self, request: bytes, since: float) -> None:
        self.since = since
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read some; whether the answer is whole."""
        self._content += (read := self.socket.recv(65536))
        assert read, "the gateway closed a connection"
        head, end, body = self._content.partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200"), head
        lengths = [line[15:] for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"]
        if len(body) < int(lengths[0]):
            return False
        self._content = b""
        return True
