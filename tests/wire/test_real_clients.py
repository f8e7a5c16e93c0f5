"""Real clients post bodies over real sockets: curl, Node's http and fetch, the JDK's HttpClient.

Belongs here: programs that nobody here wrote. Does not: bytes made by hand (the tables). Several of them offer an
upgrade to HTTP/2 with their first request, whose body must not be taken for the next one.
A program that is missing skips its tests, unless RRGATE_REQUIRE_REAL_PARTS is set and it is curl or Node.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import succeed
from twisted.internet.utils import getProcessOutputAndValue

from rrgate.body import BodyBroken
from rrgate.exchange import Exchange
from rrgate.settings import Settings
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener

CLIENTS = Path(__file__).parent / "clients"
SMALL, LARGE = 1000, 3_000_000


def program(name: str, *, required: bool = True) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    message = f"{name} is not installed here"
    if required and os.environ.get("RRGATE_REQUIRE_REAL_PARTS"):
        pytest.fail(message)
    pytest.skip(message)
    raise AssertionError


class Echo:
    """Answers with the size and hash of the body, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes, int | None, str]] = []

    async def __call__(self, ex: Exchange) -> None:
        try:
            body = await ex.request_body.whole(1 << 30)
        except BodyBroken as error:
            self.asked.append((ex.method, ex.full_path, ex.content_length, f"broken: {error}"))
            ex.door.abort()
            return
        self.asked.append((ex.method, ex.full_path, ex.content_length, (ex.header(b"Upgrade") or b"").decode()))
        answer = said(body)
        ex.door.begin(200, b"OK", [(b"Content-Type", b"text/plain")], len(answer), answer, True, False)


def said(body: bytes) -> bytes:
    return b"%d %b" % (len(body), hashlib.sha256(body).hexdigest().encode())


def digits(size: int) -> bytes:
    return b"0123456789" * (size // 10)


class Running:
    """A listener on a port of its own."""

    def __init__(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.echo = Echo()
        self.listener = CallerListener(
            self.echo, Settings(data=Path("unused")), HostNames(["127.0.0.1"]), self.reactor, lambda: 0.0
        )
        self._port = self.reactor.listenTCP(0, self.listener, interface="127.0.0.1")
        self.port: int = self._port.getHost().port

    async def ask(self, *command: str) -> str:
        """What the program prints; it must end well."""
        executable, *arguments = command
        out, err, code = await getProcessOutputAndValue(
            executable, arguments, env=dict(os.environ), reactor=self.reactor
        )
        assert code == 0, (command, err.decode(), out.decode(), self.echo.asked)
        return bytes(out).decode()

    async def stop(self) -> None:
        await (self._port.stopListening() or succeed(None))
        self.listener.drain()
        await self.listener.idle(5)


@pytest_twisted.async_yield_fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    yield made
    await made.stop()


CURL: dict[str, list[str]] = {
    "HTTP/1.1": ["--http1.1"],
    "an upgrade to h2c": ["--http2"],
    "chunks": ["--http1.1", "-H", "Transfer-Encoding: chunked"],
    "an upgrade to h2c, and chunks": ["--http2", "-H", "Transfer-Encoding: chunked"],
    "100-continue": ["--http1.1", "-H", "Expect: 100-continue"],
    "an upgrade to h2c, and 100-continue": ["--http2", "-H", "Expect: 100-continue"],
    "HTTP/1.0": ["--http1.0"],
}


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("how", CURL)
@pytest_twisted.ensureDeferred
async def test_curl_posts_a_body(running: Running, tmp_path: Path, how: str, size: int) -> None:
    curl = program("curl")
    body = tmp_path / "body"
    body.write_bytes(digits(size))
    url = f"http://127.0.0.1:{running.port}/api/p/curl"
    # Twice, over one connection where the version keeps one.
    one = [*CURL[how], "-sS", "--max-time", "20", "--data-binary", f"@{body}", "-w", "\n", url]
    printed = await running.ask(curl, *one, "--next", *one)
    assert printed.split("\n")[:2] == [said(digits(size)).decode()] * 2
    assert len(running.echo.asked) == 2
    assert ("h2c" in running.echo.asked[0][3]) is ("h2c" in how)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest_twisted.ensureDeferred
async def test_node_posts_a_body(running: Running, size: int) -> None:
    node = program("node")
    printed = await running.ask(node, str(CLIENTS / "posts.mjs"), "127.0.0.1", str(running.port), str(size))
    assert json.loads(printed) == [[200, said(digits(size)).decode()]] * 6
    lengths = [length for _, _, length, _ in running.echo.asked]
    assert lengths == [size, None, size, size, size, None]
    assert [upgrade for *_, upgrade in running.echo.asked] == ["", "", "", "h2c", "", ""]


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest_twisted.ensureDeferred
async def test_the_jdk_posts_a_body(running: Running, tmp_path: Path, size: int) -> None:
    javac, java = program("javac", required=False), program("java", required=False)
    quick = "-XX:TieredStopAtLevel=1"  # what runs for a second need not be optimized
    await running.ask(javac, f"-J{quick}", "-d", str(tmp_path), str(CLIENTS / "Posts.java"))
    printed = await running.ask(java, quick, "-cp", str(tmp_path), "Posts", "127.0.0.1", str(running.port), str(size))
    assert json.loads(printed) == [[200, said(digits(size)).decode()]] * 3
    assert [(length, upgrade) for _, _, length, upgrade in running.echo.asked] == [
        (size, "h2c"),
        (None, "h2c"),
        (size, "h2c"),
    ]
