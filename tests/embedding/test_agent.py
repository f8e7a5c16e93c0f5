"""`GatewayAgent` over a gateway in memory: what a call sends, what it is answered, who it is, and every way it ends.

Belongs here: the agent's contract. Does not: real sockets and reactors (test_embedded.py), treq (test_embedded.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.web.client import RequestGenerationFailed, ResponseDone, ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse
from zope.interface.verify import verifyObject

from rrgate.agent import BASE, GatewayAgent, WrongAddress
from rrgate.agent_response import NotTaken
from rrgate.api import Identity
from rrgate.body import HIGH_WATER
from rrgate.produced_body import WrongLength
from rrgate.testing import MemoryGateway, Says
from rrgate.wire.request_head import HeadRefused
from tests.embedding.parts import Producing, Taking, agent_of, entrance_of, headers, taken
from tests.websocket.memory import HANDSHAKE

KEY = ("apiKey", {"key": "X-Api-Key", "value": "s3cret"})
TOKEN = ("bearer", {"token": "for-the-target"})


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


def called(gateway: MemoryGateway, agent: GatewayAgent, method: bytes = b"GET", uri: str = "/", *args: Any) -> Any:
    """The response to a call that is answered without time going by."""
    (response,) = taken(gateway, agent.request(method, uri.encode(), *args))
    return response


def arrived(gateway: MemoryGateway) -> str:
    """The request target of the last request, byte for byte."""
    heads = [line for line in bytes(gateway.target.bytes).decode().split("\r\n") if line.endswith(" HTTP/1.1")]
    return heads[-1].split(" ")[1]


def body_of(gateway: MemoryGateway, response: Any) -> Taking:
    protocol = Taking()
    response.deliverBody(protocol)
    gateway.clock.settle()
    return protocol


def failed(gateway: MemoryGateway, deferred: Any) -> Any:
    """What a call has failed with."""
    (failure,) = taken(gateway, deferred)
    return failure.value


# What is sent.


def test_it_calls_the_target_with_the_targets_credential(gateway: MemoryGateway) -> None:
    gateway.target.says = Says(201, b"made", {"X-Target": "yes"})
    agent = agent_of(gateway, gateway.proxy(caller=KEY, towards=TOKEN, url="https://target.test/base"))
    assert verifyObject(IAgent, agent)
    response = called(gateway, agent, b"GET", f"{BASE}/a%2Fb/c?q=%20&q", headers(X_Api_Key="s3cret", X_Mine="1"))
    assert verifyObject(IResponse, response)
    assert (response.code, response.version, response.length) == (201, (b"HTTP", 1, 1), 4)
    assert response.headers.getRawHeaders("X-Target") == ["yes"]
    assert response.headers.getRawHeaders("requestrocket-proxy-code") == ["proxy-access-granted"]
    protocol = body_of(gateway, response)
    assert protocol.data == b"made"
    assert isinstance(protocol.reason, ResponseDone)
    received = gateway.target.last
    assert (received.method, arrived(gateway)) == ("GET", "/base/a%2Fb/c?q=%20&q")
    assert received.every("Authorization") == ["Bearer for-the-target"]
    assert received.every("X-Mine") == ["1"]
    assert not received.every("X-Api-Key")
    assert received.every("Host") == ["target.test"]
    assert response.request.absoluteURI == b"http://proxy.invalid/a%2Fb/c?q=%20&q"


@pytest.mark.parametrize(
    ("uri", "arrives"),
    [
        (BASE, "/"),
        (f"{BASE}/", "/"),
        (f"{BASE}/a", "/a"),
        (f"{BASE}?a=1", "/?a=1"),
        (f"{BASE}/a?", "/a?"),
        (f"{BASE}/a#part", "/a"),
        ("HTTP://Proxy.Invalid/a", "/a"),
        ("/a/b?c", "/a/b?c"),
    ],
)
def test_the_uri_is_the_rest_behind_the_proxy(gateway: MemoryGateway, uri: str, arrives: str) -> None:
    called(gateway, agent_of(gateway, gateway.proxy()), b"GET", uri)
    assert arrived(gateway) == arrives


@pytest.mark.parametrize(
    "uri",
    [
        "http://proxy.invalid.example/a",
        "http://proxy.invalid:80/a",
        "https://proxy.invalid/a",
        "http://api.example/a",
        "http://user@proxy.invalid/a",
        "proxy.invalid/a",
        "",
    ],
)
def test_another_address_is_not_called(gateway: MemoryGateway, uri: str) -> None:
    # A redirect to elsewhere, followed by a client around the agent, would carry the target's credential there.
    agent = agent_of(gateway, gateway.proxy())
    assert isinstance(failed(gateway, agent.request(b"GET", uri.encode())), WrongAddress)
    assert not gateway.target.received


@pytest.mark.parametrize("location", ["https://target.test/b", "//elsewhere/b", "http://proxy.invalid.elsewhere/b"])
def test_a_client_that_follows_redirects_stays_at_the_proxy(gateway: MemoryGateway, location: str) -> None:
    gateway.target.says = lambda received: Says(302 if received.path == "/a" else 200, headers={"Location": location})
    client = HTTPClient(agent_of(gateway, gateway.proxy(), Identity("us")))
    assert isinstance(failed(gateway, client.get(f"{BASE}/a")), WrongAddress)
    location = "/b"
    (response,) = taken(gateway, client.get(f"{BASE}/a"))
    assert (response.code, arrived(gateway)) == (200, "/b")


@pytest.mark.parametrize(
    ("method", "uri", "fields", "status"),
    [
        (b"get", b"/", {}, 501),
        (b"CONNECT", b"/", {}, 405),
        (b"GET / HTTP/1.1\r\nX-Api-Key: s3cret\r\nX:", b"/", {}, 400),
        (b"GET", b"/a b", {}, 400),
        (b"GET", b"/a\r\nX-Api-Key: s3cret", {}, 400),
        (b"GET", b"/\xc3\xa9", {}, 400),
        (b"GET", b"/" + b"a" * 20_000, {}, 414),
        (b"GET", b"/../a", {}, 400),
        (b"GET", b"//a", {}, 400),
        (b"GET", b"/", {"Expect": "something"}, 417),
        (b"GET", b"/", {"Content_Length": "5"}, 400),
        (b"GET", b"/", {"X": "a\0b"}, 400),
        (b"GET", b"/", {f"X-{number}": "a" for number in range(101)}, 431),
        (b"GET", b"/", {"X": "a" * 70_000}, 431),
    ],
)
def test_what_a_listener_refuses_is_refused_here(
    gateway: MemoryGateway, method: bytes, uri: bytes, fields: dict[str, str], status: int
) -> None:
    sent = Headers({name: [value] for name, value in fields.items()})
    agent = agent_of(gateway, gateway.proxy(caller=KEY), Identity("us"))
    (response,) = taken(gateway, agent.request(method, uri, sent))
    assert response.code == status
    assert b"requestId" in body_of(gateway, response).data
    assert not gateway.target.received


@pytest.mark.parametrize("value", ["a\r\nX-Api-Key: s3cret", "a\nb", "a\rb", "a\r\n\r\nGET / HTTP/1.1"])
def test_a_value_cannot_become_another_field(gateway: MemoryGateway, value: str) -> None:
    sent = headers(X=value)  # Twisted makes spaces of it
    agent = agent_of(gateway, gateway.proxy())
    assert called(gateway, agent, b"GET", "/", sent).code == 200
    assert gateway.target.last.every("X") == [" ".join(value.splitlines())]
    assert not gateway.target.last.every("X-Api-Key")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X", b"a\r\nY: b"),
        (b"X", b"a\nb"),
        (b"X", b"a\0b"),
        (b"X: a\r\nY", b"b"),
        (b"X Y", b"a"),
        (b"X:", b"a"),
        (b"", b"a"),
    ],
)
def test_what_a_header_of_twisteds_would_not_hold_is_refused_here_too(
    gateway: MemoryGateway, name: bytes, value: bytes
) -> None:
    fields = [(b"Host", [b"proxy.invalid"]), (name, [value])]
    with pytest.raises(HeadRefused):
        entrance_of(gateway).judge(b"GET", b"/", b"HTTP/1.1", fields)


def test_what_tells_of_a_call_shows_no_header_and_no_query(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy(caller=KEY))
    response = called(gateway, agent, b"GET", "/?authorization=s3cret", headers(X_Api_Key="s3cret"))
    assert response.request.headers.getRawHeaders("X-Api-Key") == ["s3cret"]
    assert "s3cret" not in repr(response.request) + repr(response) + repr(agent)


def test_framing_is_ours_whatever_the_call_says(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy())
    sent = headers(Content_Length="99", Transfer_Encoding="gzip", Host="elsewhere", Connection="X-Hop", X_Hop="1")
    assert called(gateway, agent, b"POST", "/", sent).code == 200
    received = gateway.target.last
    assert received.every("Content-Length") == ["0"]
    assert not received.every("Transfer-Encoding") + received.every("X-Hop")
    assert sent.getRawHeaders("Content-Length") == ["99"], "the caller's own object is left alone"


# Who calls.


def test_without_an_identity_a_call_shows_a_credential_like_anybody(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy(caller=KEY))
    for sent in (None, headers(X_Api_Key="wrong")):
        response = called(gateway, agent, b"GET", "/", sent)
        assert response.code == 401
        assert response.headers.getRawHeaders("requestrocket-proxy-code") == ["proxy-access-denied"]
    assert not gateway.target.received
    assert called(gateway, agent, b"GET", "/", headers(X_Api_Key="s3cret")).code == 200
    assert called(gateway, agent, b"GET", "/?Authorization=s3cret").code == 200
    assert arrived(gateway) == "/"


def test_an_identity_stands_in_for_the_credential_and_the_log_says_so(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=KEY, towards=TOKEN)
    agent = agent_of(gateway, proxy, Identity("billing", claims={"sub": "billing"}))
    assert called(gateway, agent, b"GET", "/a", headers(X_Api_Key="s3cret")).code == 200
    assert not gateway.target.last.every("X-Api-Key"), "what a credential could be read from never crosses"
    assert called(gateway, agent_of(gateway, proxy), b"GET", "/b", headers(X_Api_Key="s3cret")).code == 200
    (record, _), (others, _) = gateway.records
    checks = record["validationData"]
    assert (checks["proxyAuthenticated"], checks["requestSent"]) == (False, True)
    assert record["proxyData"]["message"] == "Called by code of this process as 'billing'"
    assert record["proxyData"]["status"] == 200
    assert "Called by" not in others["proxyData"]["message"]


def test_what_is_judged_after_authentication_is_judged_of_an_identity_too(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy(caller=KEY, proxyActive=False), Identity("us"))
    assert called(gateway, agent).code == 503


def test_rules_and_limits_hold_for_an_identity(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=KEY, proxyMaxRequestBytes=3)
    gateway.rule(proxy, {"effect": "deny", "path": "^/admin"})
    agent = agent_of(gateway, proxy, Identity("us"))
    for path in ("/admin", "/%61dmin", "/ADMIN/../admin", "/admin%2Fx"):
        assert called(gateway, agent, b"GET", path).code in (400, 403), path
    assert called(gateway, agent, b"POST", "/", None, Producing(4)).code == 413
    assert not gateway.target.received
    assert called(gateway, agent).code == 200


def test_networks_are_asked_of_whoever_shows_a_credential(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyAllowedNetworks=["192.0.2.0/24"])
    assert called(gateway, agent_of(gateway, proxy)).code == 403, "it calls from 127.0.0.1"
    assert called(gateway, agent_of(gateway, proxy, Identity("us"))).code == 200


@pytest.mark.parametrize("identity", ["billing", b"billing", 1, object()])
def test_what_is_no_identity(gateway: MemoryGateway, identity: Any) -> None:
    with pytest.raises(TypeError, match="Identity"):
        GatewayAgent(entrance_of(gateway), "pay", identity)


def test_it_calls_its_proxy_and_no_other_of_its_client(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyAlias="pay")
    entrance = entrance_of(gateway)
    for names in (gateway.client.id, (proxy.id, "pay"), (gateway.client.id, gateway.client.id)):
        agent = GatewayAgent(entrance, names, Identity("us"))
        for path in ("/pay/x", "/pay", "/", f"/{proxy.id}"):
            assert called(gateway, agent, b"GET", path).code == 404, (names, path)
    assert not gateway.target.received


@pytest.mark.parametrize("proxy", ["", "a/b", "a?b", ("a", "b", "c"), (), ("a", ""), "é", ("a", 1), None, 7])
def test_what_cannot_be_a_proxy(gateway: MemoryGateway, proxy: Any) -> None:
    with pytest.raises(ValueError, match="a proxy is named by its id or alias"):
        GatewayAgent(entrance_of(gateway), proxy)


def test_by_id_or_alias(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyAlias="pay")
    entrance = entrance_of(gateway)
    for name in (proxy.id, (gateway.client.id, "pay")):
        assert called(gateway, GatewayAgent(entrance, name), b"GET", "/x").code == 200
        assert arrived(gateway) == "/x"
    assert called(gateway, GatewayAgent(entrance, "pay")).code == 404, "there is no default client"


# Bodies of requests.


@pytest.mark.parametrize("length", [6, None])
def test_a_body_streams_as_it_is_produced(gateway: MemoryGateway, length: int | None) -> None:
    producer = Producing(length)
    answered = agent_of(gateway, gateway.proxy()).request(b"PUT", b"/", None, producer)
    gateway.clock.settle()
    assert producer.asked == ["start"]
    producer.consumer.write(b"abc")
    gateway.clock.settle()
    assert b"abc" in gateway.target.bytes
    assert not taken(gateway, answered)
    producer.consumer.write(b"def")
    producer.done.callback(None)
    gateway.clock.settle()
    assert answered.called
    assert gateway.target.last.body == b"abcdef"
    assert producer.asked == ["start"]


def test_a_producer_is_held_back_by_a_slow_target(gateway: MemoryGateway) -> None:
    producer = Producing()
    answered = agent_of(gateway, gateway.proxy()).request(b"PUT", b"/", None, producer)
    answered.addErrback(lambda _: None)
    gateway.clock.settle()
    body = producer.consumer.body
    reader, body._reader = body._reader, None  # the target takes nothing more
    for _ in range(HIGH_WATER // 1024):
        producer.consumer.write(b"x" * 1024)
    assert producer.asked == ["start", "pause"]
    reader.fire(None)
    assert producer.asked == ["start", "pause", "resume"]
    answered.cancel()


def test_a_producer_that_nobody_reads_is_not_started(gateway: MemoryGateway) -> None:
    producer = Producing(3)
    assert called(gateway, agent_of(gateway, gateway.proxy(caller=KEY)), b"PUT", "/", None, producer).code == 401
    assert producer.asked == []


@pytest.mark.parametrize(
    ("length", "pieces", "says"),
    [(3, [b"abcd"], "more bytes"), (3, [b"ab", b"cd"], "more bytes"), (3, [b"ab"], "made 2 bytes"), (3, [], "made 0")],
)
def test_a_producer_that_says_a_wrong_length_fails_the_call(
    gateway: MemoryGateway, length: int, pieces: list[bytes], says: str
) -> None:
    producer = Producing(length)
    answered = agent_of(gateway, gateway.proxy()).request(b"PUT", b"/", None, producer)
    gateway.clock.settle()
    for piece in pieces:
        producer.consumer.write(piece)
    if "more" not in says:
        producer.done.callback(None)
    error = failed(gateway, answered)
    assert isinstance(error, RequestGenerationFailed)
    (reason,) = error.reasons
    assert isinstance(reason.value, WrongLength)
    assert says in str(reason.value)
    assert not gateway.target.received, "no whole request reaches the target"
    assert producer.asked == (["start", "stop"] if "more" in says else ["start"])
    assert gateway.records[0][0]["proxyData"]["status"] == 400


@pytest.mark.parametrize("at_once", [True, False])
def test_a_producer_that_fails_fails_the_call(gateway: MemoryGateway, at_once: bool) -> None:
    producer = Producing(3)
    if at_once:
        producer.startProducing = _raise  # type: ignore[method-assign]
    answered = agent_of(gateway, gateway.proxy()).request(b"PUT", b"/", None, producer)
    gateway.clock.settle()
    if not at_once:
        producer.done.errback(ZeroDivisionError("no bytes"))
    error = failed(gateway, answered)
    assert isinstance(error, RequestGenerationFailed)
    assert error.reasons[0].check(ZeroDivisionError)
    assert not gateway.target.received


def _raise(_: object) -> Any:
    raise ZeroDivisionError("no bytes")


# Answers.


@pytest.mark.parametrize(
    ("method", "says", "length", "announced", "body"),
    [
        (b"GET", Says(200, b"four"), 4, None, b"four"),
        (b"GET", Says(200, [b"fo", b"ur"]), UNKNOWN_LENGTH, None, b"four"),
        (b"HEAD", Says(200, b"four"), 0, ["4"], b""),
        (b"GET", Says(204), 0, None, b""),
        (b"GET", Says(304, b"four"), 0, ["4"], b""),
        (b"GET", Says(500, b""), 0, None, b""),
    ],
)
def test_what_a_response_says_of_its_body(
    gateway: MemoryGateway, method: bytes, says: Says, length: Any, announced: Any, body: bytes
) -> None:
    gateway.target.says = says
    answered = agent_of(gateway, gateway.proxy(proxyStreaming="always")).request(method, b"/")
    gateway.clock.settle()
    (response,) = taken(gateway, answered)
    assert (response.code, response.length) == (says.status, length)
    assert response.headers.getRawHeaders("Content-Length") == announced
    protocol = body_of(gateway, response)
    assert protocol.data == body
    assert isinstance(protocol.reason, ResponseDone)


def streaming(gateway: MemoryGateway, says: Says) -> tuple[GatewayAgent, Any]:
    """(agent, response) of a call whose answer streams."""
    gateway.target.says = says
    agent = agent_of(gateway, gateway.proxy(proxyStreaming="always"))
    (response,) = taken(gateway, agent.request(b"GET", b"/"))
    return agent, response


LONG = Says(200, [b"x" * 60_000] * 50)


def test_a_body_that_nobody_takes_yet_is_not_gathered(gateway: MemoryGateway) -> None:
    agent, response = streaming(gateway, LONG)
    exchange_body = response._delivery
    gateway.clock.advance(1)
    assert len(exchange_body._piece) <= 2 * HIGH_WATER
    assert agent._entrance.in_flight == 1
    protocol = body_of(gateway, response)
    gateway.clock.advance(1)
    assert len(protocol.data) == 3_000_000
    assert isinstance(protocol.reason, ResponseDone)
    assert agent._entrance.in_flight == 0


def test_a_protocol_that_pauses_is_given_nothing(gateway: MemoryGateway) -> None:
    _, response = streaming(gateway, LONG)
    protocol = Taking()
    response.deliverBody(protocol)
    protocol.transport.pauseProducing()
    gateway.clock.advance(1)
    had = len(protocol.data)
    gateway.clock.advance(1)
    assert len(protocol.data) == had < 500_000
    protocol.transport.resumeProducing()
    gateway.clock.advance(1)
    assert len(protocol.data) == 3_000_000


@pytest.mark.parametrize("how", ["abortConnection", "loseConnection", "stopProducing"])
def test_a_protocol_that_stops_ends_the_targets_request(gateway: MemoryGateway, how: str) -> None:
    agent, response = streaming(gateway, Says(200, [b"x" * 1000] * 50, between=1.0))
    protocol = body_of(gateway, response)
    gateway.clock.advance(3)
    assert protocol.reason is None
    had = len(protocol.data)
    getattr(protocol.transport, how)()
    gateway.clock.advance(3)
    assert isinstance(protocol.reason, ResponseFailed)
    assert len(protocol.data) == had
    assert agent._entrance.in_flight == 0
    assert gateway.records[0][0]["proxyData"]["status"] == 499


def test_a_protocol_that_takes_nothing_is_given_up_after_send_timeout(gateway: MemoryGateway) -> None:
    agent, response = streaming(gateway, LONG)
    gateway.clock.advance(gateway.settings.send_timeout - 1)
    assert agent._entrance.in_flight == 1
    gateway.clock.advance(2)
    assert agent._entrance.in_flight == 0
    protocol = body_of(gateway, response)
    assert isinstance(protocol.reason, ResponseFailed)
    assert protocol.reason.reasons[0].check(NotTaken)


def test_a_protocol_that_raises_ends_its_answer_and_nothing_else(gateway: MemoryGateway, capfd: Any) -> None:
    class Raising(Taking):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError

    agent, response = streaming(gateway, Says(200, [b"x" * 1000] * 5, between=1.0))
    protocol = Raising()
    response.deliverBody(protocol)
    gateway.clock.advance(10)
    assert protocol.reason.reasons[0].check(ZeroDivisionError)
    assert agent._entrance.in_flight == 0
    assert called(gateway, agent).code == 200


def test_an_answer_that_breaks_off_fails_its_body(gateway: MemoryGateway) -> None:
    _, response = streaming(gateway, Says(200, [b"x" * 1000] * 3, between=1.0, breaks_off=True))
    protocol = body_of(gateway, response)
    gateway.clock.advance(5)
    assert isinstance(protocol.reason, ResponseFailed)
    assert len(protocol.data) == 3000


def test_a_body_is_delivered_once(gateway: MemoryGateway) -> None:
    _, response = streaming(gateway, Says(200, b"x"))
    body_of(gateway, response)
    with pytest.raises(RuntimeError):
        response.deliverBody(Taking())


# Ends.


def test_cancelling_a_call_ends_the_targets_request(gateway: MemoryGateway) -> None:
    gateway.target.says = Says(after=None)
    agent = agent_of(gateway, gateway.proxy())
    answered = agent.request(b"GET", b"/")
    gateway.clock.advance(1)
    assert len(gateway.target.received) == 1
    answered.cancel()
    gateway.clock.advance(1)
    error = failed(gateway, answered)
    assert isinstance(error, ResponseNeverReceived)
    assert error.reasons[0].check(CancelledError)
    assert agent._entrance.in_flight == 0
    assert gateway.records[0][0]["proxyData"]["status"] == 499


def test_cancelling_stops_the_producer(gateway: MemoryGateway) -> None:
    producer = Producing()
    answered = agent_of(gateway, gateway.proxy()).request(b"PUT", b"/", None, producer)
    answered.addErrback(lambda _: None)
    gateway.clock.settle()
    producer.consumer.write(b"abc")
    answered.cancel()
    assert producer.asked == ["start", "stop"]
    producer.consumer.write(b"late")


def test_an_answer_before_the_bodys_end_stops_the_producer(gateway: MemoryGateway) -> None:
    gateway.target.says = Says(raw=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    producer = Producing()
    answered = agent_of(gateway, gateway.proxy(proxyMaxRequestBytes=5)).request(b"PUT", b"/", None, producer)
    gateway.clock.settle()
    producer.consumer.write(b"abcdef")
    (response,) = taken(gateway, answered)
    assert response.code == 413
    assert producer.asked == ["start", "stop"]


def test_a_closed_entrance_answers_503(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy())
    agent._entrance.close()
    response = called(gateway, agent)
    assert response.code == 503
    assert response.headers.getRawHeaders("Retry-After") == ["1"]
    assert not gateway.records


def test_draining_waits_for_calls_and_then_breaks_them_off(gateway: MemoryGateway) -> None:
    from rrgate.waiting import run_deferred

    gateway.target.says = Says(after=5.0)
    agent = agent_of(gateway, gateway.proxy(target={"targetTimeout": 100}))
    first = agent.request(b"GET", b"/")
    gateway.clock.advance(1)
    drained = run_deferred(agent._entrance.idle(30))
    gateway.clock.advance(3)
    assert not drained.called
    gateway.clock.advance(3)
    assert drained.called
    assert taken(gateway, first)[0].code == 200
    gateway.target.says = Says(after=None)
    second = agent.request(b"GET", b"/")
    gateway.clock.advance(1)
    drained = run_deferred(agent._entrance.idle(30))
    gateway.clock.advance(31)
    assert drained.called
    assert isinstance(failed(gateway, second), ResponseNeverReceived)
    assert agent._entrance.in_flight == 0


def test_a_websocket_needs_a_connection_of_its_own(gateway: MemoryGateway) -> None:
    agent = agent_of(gateway, gateway.proxy())
    fields = Headers({name: [value] for name, value in HANDSHAKE.items()})
    response = called(gateway, agent, b"GET", "/", fields)
    assert response.code == 501
    assert not gateway.target.received
