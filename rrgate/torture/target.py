"""`RecordingTarget`: a server on loopback that writes down all that arrives whole, and answers as planned.

Belongs here: what arrived, when, in which attempt. Does not: whether that was right (judging.py).
"""

from __future__ import annotations

import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from attrs import frozen

from rrgate.torture.plan import BREAKS_OFF, Plan


@frozen
class Arrival:
    """A request that arrived whole. `at`: seconds of the monotonic clock. `attempt`, `key`: as its header says."""

    at: float
    attempt: int
    key: str
    status: int
    """What it was answered, or was going to be."""
    as_sent: bool
    """Method and body are those that the caller sent."""


class RecordingTarget:
    """Runs in threads from when it is made until `close`."""

    def __init__(self, plan: Callable[[int], Plan]) -> None:
        self.arrivals: dict[int, list[Arrival]] = defaultdict(list)
        """By the requests' numbers."""
        self._plan = plan
        self._lock = Lock()
        arrived = self._arrived

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self._serve
                raise AttributeError(name)

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                plan, status = arrived(self, body)
                time.sleep(plan.seconds)
                if status == BREAKS_OFF:
                    linger = struct.pack("ii", 1, 0)  # a reset, not an end
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"done")

            def log_message(self, format: str, *args: object) -> None:
                """What arrives is told at the end."""

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    pass  # the gateway was killed in the middle

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()

    def _arrived(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Plan, int]:
        plan = self._plan(int(request.path.rpartition("/")[2]))
        as_sent = request.command == plan.method and body == plan.body
        attempt = int(request.headers.get("requestrocket-attempt", 0))
        with self._lock:
            known = self.arrivals[plan.number]
            status = plan.answer(len(known))
            key = request.headers.get("Idempotency-Key", "")
            known.append(Arrival(time.monotonic(), attempt, key, status, as_sent))
        return plan, status
