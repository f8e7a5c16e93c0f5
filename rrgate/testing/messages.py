"""Requests and answers as the far sides of a gateway in memory write and read them.

Belongs here: HTTP/1.1 messages that are well formed, and saying that one is not whole. Does not: connections.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""Fields by name, or in order where a name stands twice."""


def pairs(headers: Headers) -> tuple[tuple[str, str], ...]:
    """`headers` in order."""
    return tuple(headers.items() if isinstance(headers, Mapping) else headers)


@frozen
class Answer:
    """One answer as a client that knows what it asked for reads it."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool = True

    def __getitem__(self, name: str) -> str:
        """All values of a field, joined by commas; empty where there is none."""
        return ", ".join(value for known, value in self.fields if known.lower() == name.lower())

    @property
    def document(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@frozen
class Received:
    """One request as it came to a target, whole. `path` and `query` are raw; `raw` is its head as it was written."""

    method: str
    path: str
    query: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes = field(default=b"", repr=False)

    def __getitem__(self, name: str) -> str:
        """All values of a field, joined by commas; empty where there is none."""
        return ", ".join(self.every(name))

    def every(self, name: str) -> list[str]:
        """All values of a field, in order."""
        return [value for known, value in self.fields if known.lower() == name.lower()]


def request_bytes(
    method: str, target: str, headers: Headers = (), body: bytes | Iterable[bytes] | None = None
) -> list[bytes]:
    """A request to `localhost` in the segments in which it is sent: head, then the body.

    `target`: path and query as they stand in the request line. `body`: whole, with its length, or pieces, each of
    which becomes one chunk.
    """
    lines = [f"{method} {target} HTTP/1.1"]
    given = pairs(headers)
    if not any(name.lower() == "host" for name, _ in given):
        lines.append("Host: localhost")
    lines += [f"{name}: {value}" for name, value in given]
    pieces: list[bytes] = []
    if isinstance(body, bytes):
        lines.append(f"Content-Length: {len(body)}")
        pieces = [body] if body else []
    elif body is not None:
        lines.append("Transfer-Encoding: chunked")
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body if piece] + [b"0\r\n\r\n"]
    return ["\r\n".join([*lines, "", ""]).encode("latin-1"), *pieces]


def read_request(data: bytes) -> tuple[Received, int] | None:
    """The first request in `data` and how many bytes it takes; None if it is not whole yet."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, fields = _head(head)
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    seen = Received(method, path, query, fields, b"", head + end)
    if seen["Transfer-Encoding"] == "chunked":
        body, left, whole = _read_chunks(rest)
    else:
        size = int(seen["Content-Length"] or 0)
        body, left, whole = rest[:size], rest[size:], len(rest) >= size
    if not whole:
        return None
    return Received(method, path, query, fields, body, head + end), len(data) - len(left)


def read_answers(data: bytes, methods: Sequence[bytes] = ()) -> list[Answer]:
    """The answers in `data`, to requests with these `methods` (GET where the list ends).

    Raises ValueError for bytes that are no whole head.
    """
    answers: list[Answer] = []
    asked = list(methods)
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            raise ValueError(f"no whole head in {head!r}")
        first, fields = _head(head)
        version, status, _ = first.split(" ", 2)
        if version != "HTTP/1.1":
            raise ValueError(f"no HTTP/1.1 in {first!r}")
        answer = Answer(int(status), fields, b"")
        if answer.status < 200:
            answers.append(answer)
            continue
        method = asked.pop(0) if asked else b"GET"
        whole = True
        if method == b"HEAD" or answer.status in (204, 304):
            body = b""
        elif answer["Transfer-Encoding"] == "chunked":
            body, data, whole = _read_chunks(data)
        elif answer["Content-Length"]:
            size = int(answer["Content-Length"])
            body, data, whole = data[:size], data[size:], len(data) >= size
        else:
            body, data = data, b""
        answers.append(Answer(answer.status, fields, body, whole))
    return answers


def _head(head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


def _read_chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        line, end, rest = data.partition(b"\r\n")
        if not end:
            return body, b"", False
        size = int(line, 16)
        if size == 0:
            return body, rest[2:], rest[:2] == b"\r\n"
        if len(rest) < size + 2:
            return body + rest[:size], b"", False
        if rest[size : size + 2] != b"\r\n":
            raise ValueError("a chunk does not end where its size says")
        body, data = body + rest[:size], rest[size + 2 :]
