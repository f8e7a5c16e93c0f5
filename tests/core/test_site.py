"""The Core API's connections, byte for byte: bounds on sizes and times, hosts, and callers who leave.

Belongs here: what a well-behaved client never sees. Does not: what is answered to one (the nouns' files).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock, deferLater

from rrgate.core.attempts import MOST as MOST_WRONG
from rrgate.core.site import MOST_BODY, MOST_OF_STRANGERS, REQUEST_SECONDS, core_site
from tests.core.doubles import TARGET, Core


class Wire(Protocol):
    """A client that sends what it is told and keeps what comes."""

    def __init__(self) -> None:
        self.received = b""
        self.closed = False
        self._wanted: tuple[bytes, Deferred[None]] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._look()

    def connectionLost(self, reason: Any = None) -> None:
        self.closed = True
        self._look()

    def _look(self) -> None:
        if self._wanted is not None and (self.closed or self._wanted[0] in self.received):
            _, deferred = self._wanted
            self._wanted = None
            deferred.callback(None)

    def send(self, *parts: bytes) -> None:
        assert self.transport is not None
        for part in parts:
            self.transport.write(part)

    async def until(self, wanted: bytes) -> bytes:
        """Everything received, once `wanted` is in it or the connection has closed."""
        if wanted not in self.received and not self.closed:
            deferred: Deferred[None] = Deferred()
            self._wanted = wanted, deferred
            await deferred.addTimeout(5, _reactor())
        return self.received

    async def until_closed(self) -> bytes:
        return await self.until(b"no answer has this in it")


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


async def connect(core: Core, port: int | None = None) -> Wire:
    return await connectProtocol(TCP4ClientEndpoint(_reactor(), "127.0.0.1", port or core.port), Wire())


async def a_moment() -> None:
    await deferLater(_reactor(), 0.05, lambda: None)


def head(line: bytes = b"POST /clients HTTP/1.1", *fields: bytes) -> bytes:
    return b"\r\n".join(
        [line, b"Host: 127.0.0.1", b"Authorization: u-alice", b"Content-Type: application/json", *fields, b"", b""]
    )


def body_of(received: bytes) -> Any:
    return json.loads(received.partition(b"\r\n\r\n")[2])


@pytest_twisted.ensureDeferred
async def test_too_large_a_body_is_refused_before_it_comes(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"POST /clients HTTP/1.1", b"Content-Length: %d" % (MOST_BODY + 1)))
    received = await wire.until(b"}")
    assert received.startswith(b"HTTP/1.1 413 ")
    assert body_of(received) == {
        "error": "Payload Too Large",
        "message": "The body must not have more than 1000000 bytes.",
    }
    assert b"Connection: close" in received
    # Its sender goes on for a while, and no second answer comes.
    wire.send(b"x" * (MOST_BODY + 1), head(b"GET /healthz HTTP/1.1"))
    assert (await wire.until_closed()).count(b"HTTP/1.1") == 1


@pytest_twisted.ensureDeferred
async def test_too_large_a_body_in_chunks_is_refused_while_it_comes(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"POST /clients HTTP/1.1", b"Transfer-Encoding: chunked"))
    for _ in range(11):
        wire.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
    received = await wire.until(b"}")
    assert received.startswith(b"HTTP/1.1 413 ")
    wire.send(b"0\r\n\r\n")
    assert (await wire.until_closed()).count(b"HTTP/1.1") == 1


@pytest_twisted.ensureDeferred
async def test_a_refused_sender_who_never_ends_is_cut_off(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"POST /clients HTTP/1.1", b"Content-Length: 99999999999"))
    for _ in range(100):
        if wire.closed:
            break
        wire.send(b"x" * 100_000)
        await deferLater(_reactor(), 0.002, lambda: None)
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 413 ")
    assert wire.closed


@pytest.mark.parametrize("token", [None, "u-nobody", "u-late", "Basic u-alice"])
@pytest.mark.parametrize("path", ["/users", "/invites/decline", "/clients"])
@pytest_twisted.ensureDeferred
async def test_strangers_may_send_less(core: Core, path: str, token: str | None) -> None:
    core.add_user("late", expires_at=int(core.seconds * 1000))
    begin, end, JSON = b'{"inviteCode": "', b'"}', {"Content-Type": "application/json"}
    for size, less in ((MOST_OF_STRANGERS, True), (MOST_OF_STRANGERS + 1, False)):
        text = begin.ljust(size - len(end), b"x") + end
        told = await core.ask("POST", path, body=text, headers=JSON, token=token)
        assert told.status == ((401 if path == "/clients" else 400) if less else 413)
        assert (await core.ask("POST", path, body=text, headers=JSON, token="Bearer u-alice")).status == 400


@pytest_twisted.ensureDeferred
async def test_wrong_tokens_are_counted_there_too(core: Core) -> None:
    text, JSON = b"x" * (MOST_OF_STRANGERS + 1), {"Content-Type": "application/json"}
    assert (await core.ask("GET", "/users/me", token="u-uma")).status == 200
    for _ in range(MOST_WRONG):
        assert (await core.ask("POST", "/users", body=text, headers=JSON, token="u-wrong")).status == 413
    assert (await core.ask("GET", "/users/me", token="u-adam")).status == 429
    assert (await core.ask("POST", "/clients", body=text, headers=JSON, token="u-adam")).status == 413
    assert (await core.ask("POST", "/clients", body=text, headers=JSON, token="u-uma")).status == 403


@pytest_twisted.ensureDeferred
async def test_strangers_may_send_less_in_chunks(core: Core) -> None:
    wire = await connect(core)
    wire.send(b"POST /users HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.send(b"10000\r\n" + b"x" * MOST_OF_STRANGERS + b"\r\n")
    await a_moment()
    assert wire.received == b""
    wire.send(b"1\r\nx\r\n")
    received = await wire.until(b"}")
    assert received.startswith(b"HTTP/1.1 413 ")
    assert body_of(received)["message"] == "Without a valid user token the body must not have more than 65536 bytes."


@pytest_twisted.ensureDeferred
async def test_a_body_of_just_the_bound_is_read(core: Core) -> None:
    document = json.dumps({"clientName": ""})
    told = await core.ask(
        "POST",
        "/clients",
        body=document.encode() + b" " * (MOST_BODY - len(document)),
        headers={"Content-Type": "application/json"},
    )
    assert told.status == 400
    assert list(told.problems) == ["clientName"]


@pytest_twisted.ensureDeferred
async def test_expect_100_continue(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"POST /clients HTTP/1.1", b"Content-Length: 2", b"Expect: 100-continue"))
    assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 Continue")
    wire.send(b"{}")
    assert b"HTTP/1.1 400 " in await wire.until(b"}")
    wire = await connect(core)
    wire.send(head(b"POST /clients HTTP/1.1", b"Content-Length: 1000001", b"Expect: 100-continue"))
    received = await wire.until(b"}")
    await a_moment()
    assert wire.received == received
    assert b"100 Continue" not in received


@pytest.mark.parametrize("where", ["nothing", "head", "body", "refused body"])
@pytest_twisted.ensureDeferred
async def test_a_request_must_be_whole_in_time(core: Core, where: str) -> None:
    clock = Clock()
    port: Any = _reactor().listenTCP(0, core_site(core.house, clock), interface="127.0.0.1")
    try:
        wire = await connect(core, port.getHost().port)
        if where != "nothing":
            wire.send(b"POST /clients HTTP/1.1\r\n")
        if where == "body":
            wire.send(b"Host: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
        if where == "refused body":
            wire.send(b"Host: 127.0.0.1\r\nContent-Length: 1000001\r\n\r\n")
        for _ in range(REQUEST_SECONDS // 5):
            await a_moment()
            clock.advance(4.9)
            if where != "nothing" and not wire.closed:
                # However steadily it trickles in.
                wire.send(b"x")
        if where != "refused body":
            assert not wire.closed
        await a_moment()
        clock.advance(2)
        await a_moment()
        assert wire.closed
    finally:
        await port.stopListening()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([b"Host: 127.0.0.1"], 200),
        ([b"Host: 127.0.0.1:9999"], 200),
        ([b"Host: GATEWAY.test."], 200),
        ([b"Host: evil.test"], 421),
        ([b"Host: 127.0.0.1.evil.test"], 421),
        ([b"Host: evil.test:127.0.0.1"], 421),
        ([b"Host: [::1]"], 421),
        ([b"Host: "], 421),
        ([], 400),
        ([b"Host: 127.0.0.1", b"Host: 127.0.0.1"], 400),
        ([b"Host: 127.0.0.1", b"Host: evil.test"], 400),
    ],
)
@pytest_twisted.ensureDeferred
async def test_hosts(core: Core, fields: list[bytes], status: int) -> None:
    for line in (b"GET /clients HTTP/1.1", b"GET /healthz HTTP/1.1", b"GET /clients HTTP/1.0"):
        wire = await connect(core)
        wire.send(b"\r\n".join([line, b"Authorization: u-alice", *fields, b"", b""]))
        received = await wire.until(b"}")
        assert received.split(b" ")[1] == b"%d" % status
        if status != 200:
            assert set(body_of(received)) == {"error", "message"}


@pytest_twisted.ensureDeferred
async def test_head_and_pipelining(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"HEAD /clients HTTP/1.1"), head(b"GET /nowhere HTTP/1.1"), head(b"GET /healthz HTTP/1.1"))
    received = await wire.until(b'"ok"')
    first, second, third = received.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 ")
    assert first.endswith(b"\r\n\r\n")
    assert second.startswith(b"404 ")
    assert third.startswith(b"200 ")
    assert b"Server:" not in received


@pytest_twisted.ensureDeferred
async def test_methods_are_case_sensitive_and_two_tokens_are_none(core: Core) -> None:
    wire = await connect(core)
    wire.send(head(b"get /clients HTTP/1.1"))
    assert b" 405 " in await wire.until(b"}")
    wire = await connect(core)
    wire.send(head(b"GET /clients HTTP/1.1", b"Authorization: u-alice"))
    assert b" 401 " in await wire.until(b"}")


@pytest_twisted.ensureDeferred
async def test_health(core: Core) -> None:
    assert (await core.ask("GET", "/healthz", token=None)).document == {"status": "ok"}
    assert (await core.ask("GET", "/readyz", token=None)).document == {"status": "ready"}
    core.ready = False
    told = await core.ask("GET", "/readyz", token=None)
    assert (told.status, told.document["error"]) == (503, "Service Unavailable")
    assert told.headers["retry-after"] == "1"
    assert (await core.ask("GET", "/healthz", token=None)).status == 200


@pytest_twisted.ensureDeferred
async def test_a_change_is_in_force_before_its_answer_and_not_before_it_is_kept(core: Core) -> None:
    core.store.waiting = []
    asked = Deferred.fromCoroutine(core.make("targets", TARGET))
    await a_moment()
    assert not asked.called
    assert not core.directory.targets
    core.store.waiting.pop().callback(None)
    made = await asked
    assert list(core.directory.targets) == [made["sKey"]]


@pytest_twisted.ensureDeferred
async def test_nothing_is_in_force_that_could_not_be_kept(core: Core) -> None:
    core.store.error = OSError("disk full")
    told = await core.ask("POST", "/clients/acme/targets", TARGET)
    assert told.status == 500
    assert not core.directory.targets
    # And the way is free again.
    await core.make("targets", TARGET)


@pytest_twisted.ensureDeferred
async def test_changes_run_one_after_the_other(core: Core) -> None:
    proxy = {**await core.make_parts(), "proxyAlias": "same"}
    core.store.waiting = []
    first = Deferred.fromCoroutine(core.ask("POST", "/clients/acme/proxies", proxy))
    second = Deferred.fromCoroutine(core.ask("POST", "/clients/acme/proxies", proxy))
    await a_moment()
    assert len(core.store.waiting) == 1
    core.store.waiting.pop().callback(None)
    assert {(await first).status, (await second).status} == {200, 409}
    assert len(core.directory.proxies) == 1


@pytest_twisted.ensureDeferred
async def test_rights_are_judged_again_after_waiting(core: Core) -> None:
    core.store.waiting = []
    first = Deferred.fromCoroutine(core.ask("POST", "/clients/acme/targets", TARGET))
    await a_moment()
    adam = Deferred.fromCoroutine(core.ask("POST", "/clients/acme/targets", TARGET, token="u-adam"))
    uma = Deferred.fromCoroutine(core.ask("DELETE", "/clients/acme", token="u-alice"))
    await a_moment()
    core.directory.put_member("adam", "acme", ("user",))
    core.directory.token_by_hash.clear()
    core.store.waiting.pop().callback(None)
    assert (await first).status == 200
    assert (await adam).status == 401
    assert (await uma).status == 401


@pytest_twisted.ensureDeferred
async def test_a_caller_who_leaves_stops_no_change(core: Core) -> None:
    core.store.waiting = []
    document = json.dumps(TARGET).encode()
    wire = await connect(core)
    wire.send(head(b"POST /clients/acme/targets HTTP/1.1", b"Content-Length: %d" % len(document)), document)
    while not core.store.waiting:
        await a_moment()
    assert wire.transport is not None
    wire.transport.abortConnection()  # type: ignore[attr-defined]
    await a_moment()
    core.store.waiting.pop().callback(None)
    assert len(core.directory.targets) == 1
    core.store.waiting = None
    await core.make("targets", TARGET)
