"""`GatewayResource` in a host's site, in memory: what is passed on, what is refused, and how an answer ends.

Belongs here: the resource's contract, by bytes. Does not: real sockets (test_embedded.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import EncodingResourceWrapper, IResource, Resource
from twisted.web.server import GzipEncoderFactory, Site
from twisted.web.util import DeferredResource
from zope.interface.verify import verifyObject

from rrgate.entrance import Entrance
from rrgate.model import Proxy
from rrgate.testing import Answer, MemoryGateway, Says
from rrgate.testing.messages import read_answers
from tests.embedding.parts import Folder, Mounted, Plain, entrance_of
from tests.websocket.memory import HANDSHAKE

KEY = ("apiKey", {"key": "X-Api-Key", "value": "s3cret"})


class Transport(StringTransport):
    """A string transport whose buffer can be full."""

    aborted = False

    def fill(self) -> None:
        assert self.producer is not None
        self.producer.pauseProducing()

    def empty(self) -> None:
        self.producer.resumeProducing()

    def abortConnection(self) -> None:
        self.aborted = True


class Host:
    """A host's site: `/gate` is the gateway's, `/own` its own; or the gateway is all of it."""

    def __init__(self, gateway: MemoryGateway, *, whole: bool = False) -> None:
        self.gateway = gateway
        self.entrance: Entrance = entrance_of(gateway)
        mounted = Mounted(self.entrance)
        assert verifyObject(IResource, mounted)
        root: Resource = mounted
        if not whole:
            root = Folder()
            root.putChild(b"own", Plain())
            root.putChild(b"gate", mounted)
            deeper = Folder()
            root.putChild(b"a b", deeper)
            deeper.putChild(b"deep", Mounted(self.entrance))
        self.site: Any = Site(root, reactor=gateway.clock)
        self.site.startFactory()
        self.transport = Transport()
        self.connect()

    def connect(self) -> None:
        self.transport = Transport()
        self.connection = self.site.buildProtocol(None)
        self.connection.makeConnection(self.transport)

    def send(self, *data: bytes) -> None:
        for piece in data:
            self.connection.dataReceived(piece)
        self.gateway.clock.settle()

    def ask(self, method: str, target: str, *fields: str, body: bytes = b"", host: str = "localhost") -> Answer:
        """One request on a connection of its own, and its answer."""
        self.connect()
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        (answer,) = self.answers(method)
        return answer

    def answers(self, *methods: str) -> list[Answer]:
        return read_answers(self.transport.value(), [method.encode() for method in methods])

    def leave(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.gateway.clock.settle()


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


@pytest.fixture
def proxy(gateway: MemoryGateway) -> Proxy:
    return gateway.proxy(caller=KEY, towards=("bearer", {"token": "for-the-target"}))


@pytest.fixture
def host(gateway: MemoryGateway) -> Host:
    return Host(gateway)


def arrived(gateway: MemoryGateway) -> str:
    """The request target of the last request, byte for byte."""
    heads = [line for line in bytes(gateway.target.bytes).decode("latin-1").split("\r\n") if line.endswith(" HTTP/1.1")]
    return heads[-1].split(" ")[1]


# What is passed on.


def test_it_serves_below_its_place_and_nothing_else(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    gateway.target.says = Says(201, b"made", [("X-Target", "yes"), ("Date", "then"), ("Etag", '"1"'), ("etag", '"2"')])
    answer = host.ask("PUT", f"/gate/api/{proxy.id}/a?b", "X-Api-Key: s3cret", "X-Mine: 1", body=b"hello")
    assert (answer.status, answer.body) == (201, b"made")
    assert (answer["X-Target"], answer["Date"], answer["Content-Length"]) == ("yes", "then", "4")
    assert answer["requestrocket-proxy-code"] == "proxy-access-granted"
    assert [value for name, value in answer.fields if name.lower() == "etag"] == ['"1"', '"2"']
    assert not answer["Server"] + answer["Content-Type"], "the site's own server and type are not the target's"
    received = gateway.target.last
    assert (received.method, arrived(gateway), received.body) == ("PUT", "/a?b", b"hello")
    assert (received["Authorization"], received["X-Mine"]) == ("Bearer for-the-target", "1")
    assert not received["X-Api-Key"]
    assert host.ask("GET", "/own").body == b"the host's own"
    assert host.ask("GET", f"/api/{proxy.id}/a").status == 404
    assert len(gateway.target.received) == 1


REST = [
    ("", "/"),
    ("/", "/"),
    ("?a=1", "/?a=1"),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%2fb%20c/%C3%A9", "/a%2fb%20c/%C3%A9"),
    ("/a//b/", "/a//b/"),
    ("/a;x=1/b", "/a;x=1/b"),
    ("/a%25b?x=%26&x=+", "/a%25b?x=%26&x=+"),
    ("/a?", "/a?"),
    ("/a?b?c", "/a?b?c"),
    ("/gate/api/x", "/gate/api/x"),
]


@pytest.mark.parametrize(("rest", "expected"), REST)
@pytest.mark.parametrize("place", ["/gate", "/g%61te", "/a%20b/deep"])
def test_the_path_behind_it_goes_on_byte_for_byte(
    host: Host, proxy: Proxy, gateway: MemoryGateway, place: str, rest: str, expected: str
) -> None:
    assert host.ask("GET", f"{place}/api/{proxy.id}{rest}", "X-Api-Key: s3cret").status == 200
    assert arrived(gateway) == expected


@pytest.mark.parametrize(("rest", "expected"), REST)
def test_as_the_whole_site(gateway: MemoryGateway, proxy: Proxy, rest: str, expected: str) -> None:
    host = Host(gateway, whole=True)
    for before in ("", "http://localhost"):
        assert host.ask("GET", f"{before}/api/{proxy.id}{rest}", "X-Api-Key: s3cret").status == 200
        assert arrived(gateway) == expected


def test_what_is_not_the_gateways_is_404(host: Host) -> None:
    for path in ("/gate", "/gate/", "/gate/x", "/gate/api", "/gate/api/", "/gate//api/x"):
        answer = host.ask("GET", path)
        assert (answer.status, answer["requestrocket-proxy-code"]) == (404, "proxy-access-denied"), path


def test_a_site_that_rewrites_paths_is_told_so(gateway: MemoryGateway, proxy: Proxy) -> None:
    class Rewriting(Resource):
        def getChild(self, path: bytes, request: Any) -> Any:
            request.postpath[:] = [b"api", proxy.id.encode(), b"admin"]
            return Mounted(entrance_of(gateway))

    host = Host(gateway)
    host.site.resource = Rewriting()
    answer = host.ask("GET", f"/x/api/{proxy.id}/public", "X-Api-Key: s3cret")
    assert answer.status == 500
    assert b"rewritten" in answer.body
    assert not gateway.target.received


def test_rewriting_is_seen_in_absolute_targets_too(gateway: MemoryGateway, proxy: Proxy) -> None:
    class Rewriting(Mounted):
        def render(self, request: Any) -> Any:
            request.postpath[-1] = b"public"
            return super().render(request)

    host = Host(gateway, whole=True)
    host.site.resource = Rewriting(host.entrance)
    for before in ("", "http://localhost"):
        assert host.ask("GET", f"{before}/api/{proxy.id}/private", "X-Api-Key: s3cret").status == 500
    assert not gateway.target.received


def test_rules_see_the_path_that_the_target_gets(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    gateway.rule(proxy, {"effect": "deny", "path": "^/admin"})
    for path in ("/admin", "/%61dmin", "/%2561dmin/../admin", "/x/../admin", "/admin/", "/admin%2Fx", "//admin"):
        assert host.ask("GET", f"/gate/api/{proxy.id}{path}", "X-Api-Key: s3cret").status in (400, 403), path
    assert not gateway.target.received


def test_a_credential_in_the_query_is_not_in_the_sites_access_log(host: Host, proxy: Proxy) -> None:
    written: list[str] = []

    class Log:
        def write(self, line: Any) -> None:
            written.append(str(line))

    host.site.logFile = Log()
    for target in (f"/gate/api/{proxy.id}/a?authorization=s3cret", "/gate/..?authorization=s3cret", "/own?a=1"):
        host.ask("GET", target)
    assert [line.split('"')[3] for line in written] == [
        f"GET /gate/api/{proxy.id}/a? HTTP/1.1",
        "GET /gate/..? HTTP/1.1",
        "GET /own?a=1 HTTP/1.1",
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_site_would_encode_goes_out_as_it_is(gateway: MemoryGateway, method: str) -> None:
    host = Host(gateway)
    proxy = gateway.proxy()
    host.site.resource.putChild(b"gate", EncodingResourceWrapper(Mounted(host.entrance), [GzipEncoderFactory()]))
    gateway.target.says = Says(200, b"four")
    answer = host.ask(method, f"/gate/api/{proxy.id}", "Accept-Encoding: gzip")
    assert (answer["Content-Length"], answer["Content-Encoding"]) == ("4", "")
    assert host.transport.value().partition(b"\r\n\r\n")[2] == (b"four" if method == "GET" else b"")


def test_one_that_left_before_the_site_came_here(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    found: Deferred[Any] = Deferred()
    host.site.resource.putChild(b"late", DeferredResource(found))
    host.send(f"POST /late/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab".encode())
    host.leave()
    failures: list[Any] = []
    found.addErrback(failures.append)
    found.callback(Mounted(host.entrance))
    gateway.clock.settle()
    assert not failures
    assert host.entrance.in_flight == 0
    assert not gateway.requests


def test_refusals_of_the_pipeline_come_as_they_are(host: Host, proxy: Proxy) -> None:
    answer = host.ask("GET", f"/gate/api/{proxy.id}")
    assert (answer.status, answer["Content-Type"]) == (401, "application/json")
    assert answer["WWW-Authenticate"]
    answer = host.ask("GET", f"/gate/api/{proxy.id}/%2e%2e/x", "X-Api-Key: s3cret")
    assert (answer.status, answer["Connection"]) == (400, "close")
    assert host.transport.disconnecting


# What twisted.web lets through.

GOOD = "GET /gate/api/{id}/a HTTP/1.1", "Host: localhost", "X-Api-Key: s3cret"
HEADS: list[tuple[str, int, tuple[str, ...]]] = [
    ("no Host", 400, (GOOD[0], GOOD[2])),
    ("two Hosts", 400, (*GOOD, "Host: localhost")),
    ("two different Hosts", 400, (*GOOD, "host: elsewhere")),
    ("an empty Host", 400, (GOOD[0], "Host:", GOOD[2])),
    ("a Host with a path", 400, (GOOD[0], "Host: localhost/x", GOOD[2])),
    ("a Host with a query", 400, (GOOD[0], "Host: a/y?z=", GOOD[2])),
    ("a Host with a user", 400, (GOOD[0], "Host: me@localhost", GOOD[2])),
    ("another Host", 421, (GOOD[0], "Host: elsewhere", GOOD[2])),
    ("another Host with our name behind", 421, (GOOD[0], "Host: localhost.elsewhere", GOOD[2])),
    ("identity beside a length", 400, (*GOOD, "Transfer-Encoding: identity", "Content-Length: 0")),
    ("identity", 400, (*GOOD, "Transfer-Encoding: identity")),
    ("chunked on HTTP/1.0", 400, (GOOD[0][:-1] + "0", *GOOD[1:], "Transfer-Encoding: chunked")),
    ("a length under another spelling", 400, (*GOOD, "Content_Length: 5")),
    ("chunked under another spelling", 400, (*GOOD, "Transfer_Encoding: chunked")),
    ("a fragment", 400, ("GET /gate/api/{id}/a#b HTTP/1.1", *GOOD[1:])),
    ("dot segments", 400, ("GET /gate/api/{id}/../a HTTP/1.1", *GOOD[1:])),
    ("encoded dot segments", 400, ("GET /gate/api/{id}/a%2F%2E%2E/ HTTP/1.1", *GOOD[1:])),
    ("a NUL", 400, ("GET /gate/api/{id}/%00 HTTP/1.1", *GOOD[1:])),
    ("a backslash", 400, ("GET /gate/api/{id}/a\\b HTTP/1.1", *GOOD[1:])),
    ("bytes over ASCII in the path", 400, ("GET /gate/api/{id}/\x80 HTTP/1.1", *GOOD[1:])),
    ("DEL in the path", 400, ("GET /gate/api/{id}/\x7f HTTP/1.1", *GOOD[1:])),
    ("bytes over ASCII in the query", 400, ("GET /gate/api/{id}/a?\xa0 HTTP/1.1", *GOOD[1:])),
    ("a method in lower case", 501, ("get" + GOOD[0][3:], *GOOD[1:])),
    ("a method that is not known", 501, ("FETCH" + GOOD[0][3:], *GOOD[1:])),
    ("TRACE", 405, ("TRACE" + GOOD[0][3:], *GOOD[1:])),
    ("CONNECT", 405, ("CONNECT" + GOOD[0][3:], *GOOD[1:])),
    ("another expectation", 417, (*GOOD, "Expect: more")),
    ("two expectations", 417, (*GOOD, "Expect: 100-continue", "Expect: 100-continue")),
    ("a control in a value", 400, (*GOOD, "X: a\x01b")),
    ("too many fields", 431, (*GOOD, *(f"X-{number}: a" for number in range(100)))),
    ("a hop counter at its end", 508, (*GOOD, "requestrocket-hops: 3")),
    ("two credentials that differ", 401, (*GOOD, "X_Api_Key: other")),
]


@pytest.mark.parametrize(("status", "lines"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_what_the_site_lets_through_is_refused(
    host: Host, proxy: Proxy, gateway: MemoryGateway, status: int, lines: tuple[str, ...]
) -> None:
    text = "\r\n".join([*lines, "", ""]).replace("{id}", proxy.id)
    body = b"0\r\n\r\n" if "Transfer-Encoding: chunked" in text else b""
    behind = f"GET /gate/api/{proxy.id}/behind HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n\r\n".encode()
    host.send(text.encode("latin-1") + body + behind)
    said = host.transport.value().replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").replace(b"HTTP/1.0", b"HTTP/1.1")
    answer = read_answers(said, [b"GET", b"GET"])[0]
    assert answer.status == status
    assert answer["requestrocket-request-id"]
    seen = [request.path for request in gateway.target.received]
    if status in (401, 508):
        # The head is sound: what comes behind it is another request.
        assert seen == ["/behind"]
    else:
        assert seen == []
        assert answer["Connection"] == "close"
        assert host.transport.disconnecting


SMUGGLED = "GET /gate/api/{id}/smuggled HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n\r\n"
FRAMINGS = [
    ("both, chunked first", "Transfer-Encoding: chunked\r\nContent-Length: {n}", "0\r\n\r\n{s}"),
    ("both, length first", "Content-Length: {n}\r\nTransfer-Encoding: chunked", "0\r\n\r\n{s}"),
    ("two lengths", "Content-Length: 0\r\nContent-Length: {n}", "{s}"),
    ("the same length twice", "Content-Length: {n}\r\nContent-Length: {n}", "{s}"),
    ("a list of lengths", "Content-Length: {n}, {n}", "{s}"),
    ("a length with a sign", "Content-Length: +{n}", "{s}"),
    ("a length in hex", "Content-Length: 0x10", "{s}"),
    ("no length", "Content-Length:", "{s}"),
    ("a length in another spelling", "Content_Length: {n}", "{s}"),
    ("a length behind a space", "Content-Length : {n}", "{s}"),
    ("identity", "Transfer-Encoding: identity", "{s}"),
    ("identity and chunked", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "0\r\n\r\n{s}"),
    ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n{s}"),
    ("chunked in a list", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n{s}"),
    ("chunked with a tab", "Transfer-Encoding:\tchunked\r\nContent-Length: 3", "0\r\n\r\n{s}"),
    ("chunked and more", "Transfer-Encoding: chunked;a=b", "0\r\n\r\n{s}"),
    ("chunked behind a bare LF", "X: a\nTransfer-Encoding: chunked", "0\r\n\r\n{s}"),
    ("chunked behind a bare CR", "X: a\rTransfer-Encoding: chunked", "0\r\n\r\n{s}"),
    ("chunked with a NUL", "Transfer-Encoding: chunked\0", "0\r\n\r\n{s}"),
    ("a chunk with a sign", "Transfer-Encoding: chunked", "+0\r\n\r\n{s}"),
    ("a chunk in 0x", "Transfer-Encoding: chunked", "0x0\r\n\r\n{s}"),
    ("a chunk behind a bare LF", "Transfer-Encoding: chunked", "0\n\n{s}"),
    ("a chunk that is too long", "Transfer-Encoding: chunked", "1\r\nab\r\n0\r\n\r\n{s}"),
]


@pytest.mark.parametrize(("fields", "body"), [row[1:] for row in FRAMINGS], ids=[row[0] for row in FRAMINGS])
def test_no_framing_smuggles_a_request(
    host: Host, proxy: Proxy, gateway: MemoryGateway, fields: str, body: str
) -> None:
    smuggled = SMUGGLED.replace("{id}", proxy.id)
    head = f"POST /gate/api/{proxy.id}/a HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n"
    fields = fields.replace("{n}", str(len(smuggled)))
    host.send(f"{head}{fields}\r\n\r\n{body.replace('{s}', smuggled)}".encode("latin-1"))
    gateway.clock.advance(1)
    assert host.transport.disconnecting
    assert "/smuggled" not in [request.path for request in gateway.target.received]


def test_a_folded_line_is_unfolded_by_the_site(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    # A listener of the gateway's refuses it (RFC 9112 5.2). Here the site reads it, and one line is sent on.
    host.send(
        f"GET /gate/api/{proxy.id} HTTP/1.1\r\nHost:\r\n localhost\r\nX-Api-Key: s3cret\r\n"
        "X: a\r\n\tContent-Length: 5\r\n\r\n".encode()
    )
    gateway.clock.advance(1)
    assert host.answer().status == 200
    assert gateway.target.last["X"] == "a Content-Length: 5"
    assert gateway.target.last["Content-Length"] == ""


ABSOLUTE = [
    ("http://localhost/api/{id}/a", "localhost", 200),
    ("HTTP://LocalHost/api/{id}/a", "localhost", 200),
    ("http://elsewhere/api/{id}/a", "localhost", 400),
    ("http://localhost:81/api/{id}/a", "localhost", 400),
    ("http://elsewhere/api/{id}/a", "elsewhere", 421),
    ("http://me@localhost/api/{id}/a", "localhost", 400),
    ("ftp://localhost/api/{id}/a", "localhost", 400),
]


@pytest.mark.parametrize(("target", "name", "status"), ABSOLUTE)
def test_an_absolute_target_is_judged_as_a_listener_does(
    gateway: MemoryGateway, proxy: Proxy, target: str, name: str, status: int
) -> None:
    host = Host(gateway, whole=True)
    answer = host.ask("GET", target.replace("{id}", proxy.id), "X-Api-Key: s3cret", host=name)
    assert answer.status == status
    assert len(gateway.target.received) == (status == 200)


def test_http_2_is_refused(gateway: MemoryGateway, proxy: Proxy) -> None:
    host = Host(gateway)

    class Two(host.site.requestFactory):  # type: ignore[name-defined, misc]
        def process(self) -> None:
            self.clientproto = b"HTTP/2"
            super().process()

    host.site.requestFactory = Two
    host.connect()
    host.send(f"GET /gate/api/{proxy.id}/a HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n\r\n".encode())
    assert host.transport.value().startswith(b"HTTP/2 505 ")
    assert not gateway.target.received


def test_http_1_0(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    gateway.target.says = Says(200, [b"a", b"b"])
    host.send(f"GET /gate/api/{proxy.id} HTTP/1.0\r\nX-Api-Key: s3cret\r\n\r\n".encode())
    gateway.clock.advance(1)
    head, _, body = host.transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert b"chunked" not in head
    assert body == b"ab"
    assert host.transport.disconnecting


@pytest.mark.parametrize(
    ("trusted", "sent", "address"),
    [
        ([], ["X-Forwarded-For: 198.51.100.7"], "192.168.1.1"),
        (["192.168.0.0/16"], ["X-Forwarded-For: 198.51.100.7"], "198.51.100.7"),
        (["192.168.0.0/16"], ["X-Forwarded-For: 198.51.100.7, 198.51.100.8"], "198.51.100.8"),
        (["192.168.0.0/16"], ["X-Forwarded-For: 198.51.100.7", "x-forwarded-for: 198.51.100.8"], "198.51.100.8"),
        (["192.168.0.0/16"], ["X-Forwarded-For: 198.51.100.7", "X_Forwarded_For: 198.51.100.8"], "198.51.100.7"),
        (["192.168.0.0/16"], ["Forwarded: for=198.51.100.7", "X-Real-IP: 198.51.100.7"], "192.168.1.1"),
    ],
)
def test_the_callers_address(trusted: list[str], sent: list[str], address: str) -> None:
    gateway = MemoryGateway(trusted_proxies=trusted)
    proxy = gateway.proxy()
    host = Host(gateway)
    assert host.ask("GET", f"/gate/api/{proxy.id}", *sent).status == 200
    assert gateway.requests[0].caller_address == address


# Bodies and ends.


@pytest.mark.parametrize("size", [1, 100_000, 300_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_reach_the_target_with_their_length(
    host: Host, proxy: Proxy, gateway: MemoryGateway, size: int, chunked: bool
) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    head = f"POST /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n"
    if chunked:
        host.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), b"%x\r\n%b\r\n0\r\n\r\n" % (size, body))
    else:
        host.send(f"{head}Content-Length: {size}\r\n\r\n".encode(), body)
    gateway.clock.advance(1)
    assert host.answer().status == 200
    assert gateway.target.last.body == body
    assert gateway.target.last["Content-Length"] == str(size)


def test_a_body_over_its_limit_is_413(gateway: MemoryGateway) -> None:
    host = Host(gateway)
    proxy = gateway.proxy(proxyMaxRequestBytes=200_000)
    head = f"POST /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    host.send(head.encode(), b"%x\r\n%b\r\n0\r\n\r\n" % (200_001, b"x" * 200_001))
    assert host.answer().status == 413
    assert not gateway.target.received


@pytest.mark.parametrize(
    ("method", "says", "length", "body"),
    [
        ("GET", Says(200, b"four"), "4", b"four"),
        ("GET", Says(200, [b"fo", b"ur"]), "", b"four"),
        ("HEAD", Says(200, b"four"), "4", b""),
        ("GET", Says(204), "", b""),
        ("GET", Says(304, b"four"), "4", b""),
        ("GET", Says(200, b""), "0", b""),
    ],
)
def test_how_answers_are_framed(gateway: MemoryGateway, method: str, says: Says, length: str, body: bytes) -> None:
    host = Host(gateway)
    proxy = gateway.proxy(proxyStreaming="always")
    gateway.target.says = says
    host.send(f"{method} /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    gateway.clock.advance(1)
    answer = host.answer(method)
    assert (answer.status, answer["Content-Length"], answer.body, answer.whole) == (says.status, length, body, True)
    host.send(b"GET /own HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert host.answers(method, "GET")[1].body == b"the host's own", "the connection lives on"


def long_answer(gateway: MemoryGateway) -> Host:
    """A host with an answer of 3 MB under way, whose caller has taken the first of it."""
    host = Host(gateway)
    proxy = gateway.proxy(proxyStreaming="always")
    gateway.target.says = Says(200, [b"x" * 60_000] * 50, between=1.0)
    host.send(f"GET /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    gateway.clock.advance(3)
    return host


def test_a_caller_that_does_not_read_stops_the_target(gateway: MemoryGateway) -> None:
    host = long_answer(gateway)
    host.transport.fill()
    for _ in range(20):
        gateway.clock.advance(1)
    had = len(host.transport.value())
    assert had < 500_000
    host.transport.empty()
    for _ in range(60):
        gateway.clock.advance(1)
    assert len(host.answer().body) == 3_000_000
    assert host.answer().whole


def test_one_that_never_reads_on_is_dropped(gateway: MemoryGateway) -> None:
    host = long_answer(gateway)
    host.transport.fill()
    for _ in range(int(gateway.settings.send_timeout) + 5):
        gateway.clock.advance(1)
    assert host.transport.aborted
    host.leave()
    assert host.entrance.in_flight == 0


def test_one_that_leaves_ends_the_targets_request(gateway: MemoryGateway) -> None:
    host = long_answer(gateway)
    host.leave()
    gateway.clock.advance(2)
    assert host.entrance.in_flight == 0
    (record, _) = gateway.records[0]
    assert record["proxyData"]["status"] == 499


def test_one_that_leaves_before_the_answer(gateway: MemoryGateway) -> None:
    host = Host(gateway)
    proxy = gateway.proxy()
    gateway.target.says = Says(after=None)
    host.send(f"GET /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    gateway.clock.advance(1)
    assert host.entrance.in_flight == 1
    host.leave()
    gateway.clock.advance(1)
    assert host.entrance.in_flight == 0
    assert host.transport.value() == b""


def test_an_answer_that_breaks_off_breaks_the_connection(gateway: MemoryGateway) -> None:
    host = Host(gateway)
    proxy = gateway.proxy(proxyStreaming="always")
    gateway.target.says = Says(200, [b"a", b"b"], between=1.0, breaks_off=True)
    host.send(f"GET /gate/api/{proxy.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    gateway.clock.advance(5)
    assert host.transport.aborted
    assert not host.answer().whole


def test_requests_behind_each_other_are_answered_in_order(host: Host, proxy: Proxy, gateway: MemoryGateway) -> None:
    gateway.target.says = lambda received: Says(200, received.path.encode(), after=5.0 if received.path == "/0" else 0)
    heads = [
        f"GET /gate/api/{proxy.id}/{number} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: s3cret\r\n\r\n".encode()
        for number in range(30)
    ]
    host.send(b"".join(heads))
    for _ in range(40):
        gateway.clock.advance(1)
    assert [answer.body for answer in host.answers(*["GET"] * 30)] == [b"/%d" % number for number in range(30)]


def test_while_the_gateway_is_not_running_it_is_503(host: Host, proxy: Proxy) -> None:
    host.entrance.close()
    answer = host.ask("GET", f"/gate/api/{proxy.id}", "X-Api-Key: s3cret")
    assert (answer.status, answer["Retry-After"]) == (503, "1")


def test_a_websocket_needs_a_connection_of_its_own(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    fields = [f"{name}: {value}" for name, value in HANDSHAKE.items()]
    answer = Host(gateway).ask("GET", f"/gate/api/{proxy.id}/", *fields)
    assert answer.status == 501
    assert b"WebSocket" in answer.body
    assert not gateway.target.received
