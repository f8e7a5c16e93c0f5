"""`Connections` to a Core API that stay: thousands of questions are asked, and most of what each took was its client.

Belongs here: questions and answers as bytes, each with its length. Does not: what they say (doubles.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

Answer = tuple[int, dict[str, str], bytes]
"""Status, the last value of each field by lower-case name, body."""

_AS_IT_IS = "".join(map(chr, range(33, 127)))


class Connection(Protocol):
    """Asks one question at a time."""

    def __init__(self) -> None:
        self._came = b""
        self._waiting: Deferred[Answer] | None = None
        self.open = True

    def ask(self, question: bytes) -> Deferred[Answer]:
        """Whatever is answered. Fails if the connection ends before that does."""
        assert self._waiting is None
        self._waiting = Deferred()
        assert self.transport is not None
        self.transport.write(question)
        return self._waiting

    def dataReceived(self, data: bytes) -> None:
        self._came += data
        head, end, rest = self._came.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        fields = {name.lower(): value.strip(" \t") for name, value in pairs}
        length = int(fields["content-length"])
        if len(rest) < length:
            return
        waiting, self._waiting, self._came = self._waiting, None, rest[length:]
        assert waiting is not None, "an answer that nobody asked for"
        assert not self._came, "more than was asked for"
        self.open = fields.get("connection", "").lower() != "close"
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        waiting.callback((int(status), fields, rest))

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008 - never changed, as Twisted's own default
        self.open = False
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.errback(reason)


class Connections:
    """To one port of this machine; as many as there are questions at once."""

    def __init__(self, reactor: Any, port: int) -> None:
        self._endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        self._host = f"127.0.0.1:{port}"
        self._idle: list[Connection] = []

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """`path`: with its query; what may not stand in a request line is percent-encoded. A `Host` may be given."""
        where = path if path.isascii() and path.isprintable() and " " not in path else quote(path, safe=_AS_IT_IS)
        fields = {"Host": self._host, **headers}
        lines = [f"{method} {where} HTTP/1.1".encode("ascii")]
        lines += [f"{name}: {value}".encode() for name, value in fields.items()]
        if body is not None or method in ("POST", "PUT"):
            lines.append(b"Content-Length: %d" % len(body or b""))
        question = b"\r\n".join([*lines, b"", body or b""])
        self._idle = [each for each in self._idle if each.open]
        connection = self._idle.pop() if self._idle else await connectProtocol(self._endpoint, Connection())
        answer = await connection.ask(question)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """All that no question waits for."""
        for each in self._idle:
            if each.transport is not None:
                each.transport.loseConnection()
