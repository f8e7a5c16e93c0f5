"""Plugins' calls to servers that are no targets: what is sent, what is refused, and what every failure becomes.

Belongs here: `Outside`, over real sockets on loopback. Does not: the guard's judgement of addresses (tests/wire/).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.threadpool import ThreadPool

from rrgate import outside, outside_way
from rrgate.outside import Outside
from rrgate.outside_values import OutsideAnswer, OutsideError
from rrgate.outside_way import Reach
from rrgate.testing import operator_log
from rrgate.waiting import Task, run_deferred
from rrgate.wire.guard import AddressGuard
from rrgate.wire.resolver import Resolver
from tests.certificates import Authority
from tests.targets import Connection, Target, closed_port, echo

LOOPBACK = ((ip_network("127.0.0.0/8"), None),)
SECRET = "s3cr3t-9d1c"


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPool]:
    pool = ThreadPool(0, 4, "test-names")
    pool.start()
    yield pool
    pool.stop()


Reaching = Callable[..., Outside]


@pytest.fixture
def reaching(threads: ThreadPool) -> Reaching:
    """Makes an Outside to whose guard loopback is open. `names`: addresses by host."""

    def make(
        *, allowed: Any = LOOPBACK, names: dict[str, list[str]] | None = None, trust: Any = None, opened: Any = ()
    ) -> Outside:
        from twisted.internet import reactor

        def look_up(host: str, port: int) -> list[str]:
            if names is None:
                return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            if host not in names:
                raise OSError(host)
            return names[host]

        resolver = Resolver(reactor, threads, timeout=5, keep=0, keep_failure=0, look_up=look_up)
        guard = AddressGuard(allowed, lambda tenant: dict(opened).get(tenant, ()))
        return Outside(Reach(reactor, resolver, guard, 5, trust))

    return make


def answering(*answers: bytes) -> Callable[[Connection], None]:
    """Gives each connection the next of `answers`, whatever is asked, and closes."""
    left = list(answers)

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(left.pop(0))

    return serve


async def refusal(way: Outside, url: str, status: int | None = None, **how: Any) -> str:
    """The text of the error, which holds nothing that was given or received but `status`."""
    with pytest.raises(OutsideError) as caught:
        await way.request(how.pop("method", "GET"), url, **how)
    assert SECRET not in str(caught.value)
    assert caught.value.status == status
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


@pytest_twisted.ensureDeferred
async def test_what_is_sent_and_answered(reaching: Reaching) -> None:
    with Target(echo) as target, operator_log() as log:
        answer = await reaching().request(
            "POST", f"{target.url}/token?a=1&a=%2F#here", headers={"X-A": "ü", "Accept": "text/x"}, data=b"grant=x"
        )
    assert "factory" not in log.text, "a call is no news for operators"
    assert answer.status == 200
    assert answer.header(b"CONTENT-type") == b"application/json"
    seen = json.loads(answer.body)
    assert seen["line"] == "POST /token?a=1&a=%2F HTTP/1.1"
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert headers == {
        "host": target.url.removeprefix("http://"),
        "x-a": "ü",
        "accept": "text/x",
        "accept-encoding": "identity",
        "user-agent": "rrgate",
        "content-length": "7",
        "connection": "close",
    }
    assert seen["body"] == "grant=x"
    assert SECRET not in repr(OutsideAnswer(200, ((b"a", SECRET.encode()),), SECRET.encode()))


@pytest_twisted.ensureDeferred
async def test_it_works_in_a_coroutine_of_the_request_path(reaching: Reaching) -> None:
    with Target(echo) as target:
        answer = await run_deferred(reaching().request("GET", target.url))
    assert answer.status == 200


@pytest_twisted.ensureDeferred
async def test_redirects_are_answers_and_cookies_are_not_kept(reaching: Reaching) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    asked: list[Any] = []

    def serve(connection: Connection) -> None:
        asked.append(connection.request())
        connection.send(redirect)

    way = reaching()
    with Target(serve) as target:
        for _ in range(2):
            answer = await way.request("GET", target.url)
            assert (answer.status, answer.header(b"Location")) == (302, b"/elsewhere")
        assert target.connections == 2
    assert [seen.every("Cookie") for seen in asked] == [[], []]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"33\r\n" + b"x" * 51 + b"\r\n") * 2, 200),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, 200),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(80)) + b"\r\n", None),
    ],
    ids=["announced", "chunked", "until the end", "in its head"],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_over_the_limit(reaching: Reaching, body: bytes, status: int | None) -> None:
    with Target(answering(body)) as target:
        assert await refusal(reaching(), target.url, status, limit=100) == outside.TOO_LARGE


@pytest_twisted.ensureDeferred
async def test_an_answer_at_the_limit(reaching: Reaching) -> None:
    with Target(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)) as target:
        assert (await reaching().request("GET", target.url, limit=100)).body == b"x" * 100


@pytest_twisted.ensureDeferred
async def test_an_encoded_answer(reaching: Reaching) -> None:
    encoded = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"
    with Target(answering(encoded)) as target:
        assert await refusal(reaching(), target.url, 200) == outside.ENCODED


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"", None), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 200), (b"SSH-2.0-x\r\n\r\n", None)],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_or_is_none(reaching: Reaching, answer: bytes, status: int | None) -> None:
    with Target(answering(answer)) as target:
        assert await refusal(reaching(), f"{target.url}/?{SECRET}", status) == outside.BROKEN


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"], ids=["no head", "no end"])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_does_not_come_in_time(reaching: Reaching, begun: bytes) -> None:
    closed: Deferred[bool] = Deferred()

    def serve(connection: Connection) -> None:
        from twisted.internet import reactor

        connection.request()
        connection.send(begun)
        told: Any = reactor
        told.callFromThread(closed.callback, connection.closed_by_peer())

    with Target(serve) as target:
        assert await refusal(reaching(), target.url, timeout=0.2) == outside.TOO_LATE
        assert await closed


@pytest_twisted.ensureDeferred
async def test_cancelling_closes_the_connection(reaching: Reaching) -> None:
    from twisted.internet import reactor

    told: Any = reactor
    asked: Deferred[None] = Deferred()
    closed: Deferred[bool] = Deferred()
    ended: list[BaseException | None] = []

    def serve(connection: Connection) -> None:
        connection.request()
        told.callFromThread(asked.callback, None)
        told.callFromThread(closed.callback, connection.closed_by_peer())

    with Target(serve) as target:
        task = Task(reaching().request("GET", target.url), ended.append).start()
        await asked
        task.cancel()
        assert isinstance(ended[0], CancelledError)
        assert await closed


@pytest.mark.parametrize(
    ("url", "how"),
    [
        ("ftp://acme.test/", {}),
        ("acme.test", {}),
        ("https://", {}),
        ("https://user:pw@acme.test/", {}),
        ("https://acme.test:0/", {}),
        ("https://acme.test:99999/", {}),
        ("https://[acme.test]/", {}),
        ("https://[v1.acme]/", {}),
        ("https://[127.0.0.1]/", {}),
        ("https://[::1%25lo]/", {}),
        ("https://[::1%lo]/", {}),
        ("https://[fe80::1%eth0]/", {}),
        ("https://[::1/", {}),
        ("https://[::1]x/", {}),
        ("https://x[::1]/", {}),
        ("https://::1/", {}),
        ("https://acme.test/a b", {}),
        ("https://acme.test\\@127.0.0.1/", {}),
        ("https://acme.test/\r\nX: y", {}),
        ("https://acme.test/", {"method": "GET /"}),
        ("https://acme.test/", {"headers": {"A:": "b"}}),
        ("https://acme.test/", {"headers": {"A": "b\r\nC: d"}}),
        ("https://acme.test/", {"headers": {"A": "€"}}),
        ("https://acme.test/", {"headers": {"Host": "other"}}),
        ("https://acme.test/", {"headers": {"Transfer_Encoding": "chunked"}}),
        ("https://acme.test/", {"headers": {"Accept-Encoding": "gzip"}}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_sent(reaching: Reaching, url: str, how: dict[str, Any]) -> None:
    assert await refusal(reaching(names={"acme.test": ["127.0.0.1"]}), url, **how) == outside.BAD_REQUEST


@pytest_twisted.ensureDeferred
async def test_addresses(reaching: Reaching) -> None:
    with Target(echo) as target:
        port = target.port
        closed = closed_port()
        names = {
            "both": ["10.1.2.3", "127.0.0.1"],
            "refusing": ["127.0.0.2", "127.0.0.1"],
            "private": ["10.1.2.3"],
            "mapped": ["::ffff:127.0.0.1"],
            "metadata": ["169.254.169.254"],
        }
        way = reaching(names=names)
        assert (await way.request("GET", f"http://both:{port}/")).status == 200
        assert (await way.request("GET", f"http://both.:{port}/")).status == 200
        assert (await way.request("GET", f"http://refusing:{port}/")).status == 200
        assert (await way.request("GET", f"http://mapped:{port}/")).status == 200
        assert await refusal(way, f"http://private:{port}/") == outside_way.FORBIDDEN
        assert await refusal(way, f"http://metadata:{port}/") == outside_way.FORBIDDEN
        assert await refusal(way, f"http://unknown:{port}/") == outside_way.UNKNOWN_NAME
        assert await refusal(way, f"http://both:{closed}/") == outside_way.REFUSED
        assert await refusal(reaching(allowed=(), names=names), f"http://both:{port}/") == outside_way.FORBIDDEN
        way.reach.guard.never_dial("127.0.0.1", port)
        assert await refusal(way, f"http://both:{port}/") == outside_way.FORBIDDEN


@pytest.mark.parametrize("spelled", ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0.0.0.1]"])
@pytest_twisted.ensureDeferred
async def test_ipv6_addresses(reaching: Reaching, spelled: str) -> None:
    opened = ((ip_network("::1/128"), None),)
    way = reaching(allowed=opened)
    with Target(echo, host="::1") as target:
        answer = await way.request("GET", f"http://{spelled}:{target.port}/a%2F?b=%2F&b=c")
        seen = json.loads(answer.body)
        assert seen["line"] == "GET /a%2F?b=%2F&b=c HTTP/1.1"
        assert [value for name, value in seen["headers"] if name.lower() == "host"] == [f"{spelled}:{target.port}"]
        for networks in (LOOPBACK, ((ip_network("::1/128"), target.port + 1),)):
            assert await refusal(reaching(allowed=networks), target.url) == outside_way.FORBIDDEN
        assert target.connections == 1


@pytest_twisted.ensureDeferred
async def test_tls_is_verified_by_ipv6_address(reaching: Reaching, tmp_path: Path) -> None:
    authority = Authority("ours")
    trust = trustRootFromCertificates([Certificate.loadPEM(authority.pem.encode())])
    way = reaching(allowed=((ip_network("::1/128"), None),), trust=trust)
    with Target(echo, tls=authority.server_context("::1", tmp_path), host="::1") as target:
        assert (await way.request("GET", target.url)).status == 200
    for other in ("::2", "localhost"):
        with Target(echo, tls=authority.server_context(other, tmp_path), host="::1") as target:
            assert await refusal(way, target.url) == outside.TLS_FAILED


@pytest_twisted.ensureDeferred
async def test_http_goes_to_opened_networks_only(reaching: Reaching) -> None:
    with Target(echo) as target:
        for allowed in ((), ((ip_network("127.0.0.0/8"), target.port + 1),), ((ip_network("10.0.0.0/8"), None),)):
            # A public address may be dialled, and not asked over http.
            way = reaching(allowed=allowed, names={"public.test": ["8.8.8.8"]})
            assert await refusal(way, "http://public.test/") == outside_way.NOT_HTTPS
            assert await refusal(reaching(allowed=allowed), target.url) == outside_way.FORBIDDEN
        way = reaching(allowed=((ip_network("127.0.0.1/32"), target.port),))
        assert (await way.request("GET", target.url)).status == 200


@pytest_twisted.ensureDeferred
async def test_what_is_opened_for_one_client_is_open_for_its_plugins_alone(reaching: Reaching) -> None:
    with Target(echo) as target:
        way = reaching(allowed=(), opened={"acme": LOOPBACK})
        assert (await way.for_tenant("acme").request("GET", target.url)).status == 200
        assert await refusal(way.for_tenant("other"), target.url) == outside_way.FORBIDDEN
        assert await refusal(way, target.url) == outside_way.FORBIDDEN


@pytest_twisted.ensureDeferred
async def test_tls_is_verified_by_name(reaching: Reaching, tmp_path: Path) -> None:
    authority, other = Authority("ours"), Authority("other")
    trust = trustRootFromCertificates([Certificate.loadPEM(authority.pem.encode())])
    names = {"localhost": ["127.0.0.1"], "acme.test": ["127.0.0.1"]}
    way = reaching(names=names, trust=trust)
    with Target(echo, tls=authority.server_context("localhost", tmp_path)) as target:
        answer = await way.request("POST", target.url, data=b"x")
        assert json.loads(answer.body)["body"] == "x"
        assert await refusal(way, f"https://acme.test:{target.port}/") == outside.TLS_FAILED
        assert await refusal(reaching(names=names), target.url) == outside.TLS_FAILED
    with Target(echo, tls=other.server_context("localhost", tmp_path)) as target:
        assert await refusal(way, target.url) == outside.TLS_FAILED
    with Target(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as target:
        assert await refusal(way, f"https://localhost:{target.port}/") == outside.TLS_FAILED
