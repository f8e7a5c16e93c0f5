"""The opening of a WebSocket (RFC 6455 4), on both sides: what is refused, what crosses, what is made anew.

Belongs here: rows with their section. Does not: frames (test_frames.py), rules and credentials with a real target
(tests/gateway/test_websockets.py).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest
from attrs import evolve, frozen

from rrgate.api import Exchange, Kind, NoConfig, Parts, Plugin, Reply
from rrgate.model import Proxy
from rrgate.websocket.handshake import accept_of
from tests.websocket.memory import ACCEPT, HANDSHAKE, KEY, TEXT, Frame, SocketGateway, close, closing, frame, head_of


@pytest.fixture(scope="module")
def gateway() -> SocketGateway:
    return SocketGateway()


def without(*names: str, **other: str) -> Mapping[str, str]:
    changed = {name.replace("_", "-"): value for name, value in other.items()}
    return {name: value for name, value in HANDSHAKE.items() if name not in (*names, *changed)} | changed


@frozen
class Refused:
    """`fields`: in place of those of a good handshake."""

    section: str
    status: int
    fields: Mapping[str, str]


REFUSED = {
    "no key": Refused("4.2.1", 400, without("Sec-WebSocket-Key")),
    "a key that is no base64": Refused("4.2.1", 400, without(Sec_WebSocket_Key="not base64 at all!!!!!!=")),
    "a key of 15 bytes": Refused("4.2.1", 400, without(Sec_WebSocket_Key=base64.b64encode(bytes(15)).decode())),
    "a key of 17 bytes": Refused("4.2.1", 400, without(Sec_WebSocket_Key=base64.b64encode(bytes(17)).decode())),
    "two keys": Refused("11.3.1", 400, {**HANDSHAKE, "sec-websocket-key": KEY.decode()}),
    "two keys in two spellings": Refused("11.3.1", 400, {**HANDSHAKE, "Sec_WebSocket_Key": KEY.decode()}),
    "no version": Refused("4.2.2", 426, without("Sec-WebSocket-Version")),
    "version 8": Refused("4.4", 426, without(Sec_WebSocket_Version="8")),
    "versions 13 and 8": Refused("11.3.5", 426, without(Sec_WebSocket_Version="13, 8")),
    "two versions": Refused("11.3.5", 426, {**HANDSHAKE, "sec-websocket-version": "13"}),
    "a subprotocol that is no token": Refused("4.1", 400, {**HANDSHAKE, "Sec-WebSocket-Protocol": "a b"}),
    "a subprotocol twice": Refused("4.1", 400, {**HANDSHAKE, "Sec-WebSocket-Protocol": "a, b, a"}),
    "a body": Refused("4.1", 400, {**HANDSHAKE, "Content-Length": "5"}),
    "a body in chunks": Refused("4.1", 400, {**HANDSHAKE, "Transfer-Encoding": "chunked"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_handshake_is_refused_and_not_sent(gateway: SocketGateway, what: str) -> None:
    refused = REFUSED[what]
    socket = gateway.ask(handshake=refused.fields)
    status, fields, _ = socket.answer()
    assert status == refused.status, refused.section
    assert not socket.asked
    if status == 426:  # RFC 6455 4.4, RFC 9110 15.5.22
        assert (b"sec-websocket-version", b"13") in fields
        assert (b"upgrade", b"websocket") in fields
        assert (b"connection", b"Upgrade") in fields


IGNORED = {
    "another protocol": without(Upgrade="h2c"),
    "no Upgrade": without("Upgrade"),
    "Connection without upgrade": without(Connection="keep-alive"),
    "no Connection": without("Connection"),
}


@pytest.mark.parametrize("what", IGNORED)
def test_who_asks_for_no_websocket_asks_as_anybody(gateway: SocketGateway, what: str) -> None:
    socket = gateway.ask(handshake=IGNORED[what])
    _, asked, _ = head_of(socket.end.received())
    assert {b"upgrade", b"connection"}.isdisjoint(dict(asked))


def test_http_1_0_knows_no_upgrade(gateway: SocketGateway) -> None:
    """RFC 9110 7.8: a server must ignore it there."""
    socket = gateway.ask(version="1.0")
    _, asked, _ = head_of(socket.end.received())
    assert {b"upgrade", b"connection"}.isdisjoint(dict(asked))


def test_a_post_is_no_handshake(gateway: SocketGateway) -> None:
    socket = gateway.ask(method="POST", handshake={**HANDSHAKE, "Content-Length": "0"})
    _, asked, _ = head_of(socket.end.received())
    assert {b"upgrade", b"connection"}.isdisjoint(dict(asked))


@pytest.mark.parametrize(
    "fields",
    [
        {**HANDSHAKE, "Upgrade": "WebSocket"},
        {**HANDSHAKE, "Upgrade": "h2c, websocket"},
        {**HANDSHAKE, "Connection": "keep-alive, UPGRADE"},
        {name.lower(): value for name, value in HANDSHAKE.items()},
    ],
    ids=["another case", "one of several", "beside keep-alive", "names in lower case"],
)
def test_4_2_1_other_spellings_are_handshakes(gateway: SocketGateway, fields: Mapping[str, str]) -> None:
    socket = gateway.ask(handshake=fields)
    socket.agree()
    assert socket.answer()[0] == 101


def test_4_2_2_the_caller_is_answered_for_its_own_key(gateway: SocketGateway) -> None:
    socket = gateway.ask()
    socket.agree()
    status, fields, rest = socket.answer()
    assert (status, rest) == (101, b"")
    assert [value for name, value in fields if name == b"sec-websocket-accept"] == [ACCEPT]
    assert [value for name, value in fields if name == b"upgrade"] == [b"websocket"]
    assert [value for name, value in fields if name == b"connection"] == [b"Upgrade"]
    assert {b"content-length", b"transfer-encoding"}.isdisjoint(dict(fields))
    assert (b"requestrocket-proxy-code", b"proxy-access-granted") in fields


def test_4_1_the_target_is_asked_with_a_key_of_ours_each_time_another(gateway: SocketGateway) -> None:
    keys = set()
    proxy = gateway.gateway.proxy()
    for _ in range(2):
        socket = gateway.ask(proxy, {**HANDSHAKE, "Origin": "https://page.test"}, path="/chat?room=1")
        line, asked = socket.agree()
        assert line == b"GET /chat?room=1 HTTP/1.1"
        found = dict(asked)
        assert len(found) == len(asked)
        assert (found[b"host"], found[b"upgrade"], found[b"connection"]) == (b"target.test", b"websocket", b"Upgrade")
        assert (found[b"sec-websocket-version"], found[b"origin"]) == (b"13", b"https://page.test")
        assert len(base64.b64decode(found[b"sec-websocket-key"])) == 16
        keys.add(found[b"sec-websocket-key"])
    assert len(keys) == 2
    assert KEY not in keys


def test_extensions_do_not_cross(gateway: SocketGateway) -> None:
    socket = gateway.ask(handshake={**HANDSHAKE, "Sec-WebSocket-Extensions": "permessage-deflate"})
    _, asked = socket.agree()
    assert b"sec-websocket-extensions" not in dict(asked)
    assert b"sec-websocket-extensions" not in dict(socket.answer()[1])


def test_the_targets_choice_of_a_subprotocol_is_answered(gateway: SocketGateway) -> None:
    socket = gateway.ask(handshake={**HANDSHAKE, "Sec-WebSocket-Protocol": "chat.v2, chat.v1"})
    _, asked = socket.agree("Sec-WebSocket-Protocol: chat.v1")
    assert dict(asked)[b"sec-websocket-protocol"] == b"chat.v2, chat.v1"
    assert dict(socket.answer()[1])[b"sec-websocket-protocol"] == b"chat.v1"


def test_a_subprotocol_that_only_the_proxy_offers_is_not_answered(gateway: SocketGateway) -> None:
    proxy = gateway.gateway.proxy(proxyAdditionalHeaders={"Sec-WebSocket-Protocol": "internal"})
    socket = gateway.ask(proxy)
    _, asked = socket.agree("Sec-WebSocket-Protocol: internal")
    assert dict(asked)[b"sec-websocket-protocol"] == b"internal"
    status, fields, _ = socket.answer()
    assert status == 101
    assert b"sec-websocket-protocol" not in dict(fields)


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions"])
def test_nobody_injects_what_is_of_the_handshake_itself(gateway: SocketGateway, name: str) -> None:
    socket = gateway.ask(gateway.gateway.proxy(proxyAdditionalHeaders={name: "injected"}))
    _, asked = socket.agree()
    assert b"injected" not in [value for _, value in asked]
    assert socket.answer()[0] == 101


AGREES = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
WRONG = {
    "no Sec-WebSocket-Accept": AGREES,
    "that of another key": (*AGREES, f"Sec-WebSocket-Accept: {ACCEPT.decode()}"),
    "no Upgrade": (AGREES[0], AGREES[2], "Sec-WebSocket-Accept: ACCEPT"),
    "another protocol": (AGREES[0], "Upgrade: h2c", AGREES[2], "Sec-WebSocket-Accept: ACCEPT"),
    "two protocols": (AGREES[0], "Upgrade: websocket, h2c", AGREES[2], "Sec-WebSocket-Accept: ACCEPT"),
    "no Connection": (*AGREES[:2], "Sec-WebSocket-Accept: ACCEPT"),
    "Connection without upgrade": (*AGREES[:2], "Connection: keep-alive", "Sec-WebSocket-Accept: ACCEPT"),
    "two Sec-WebSocket-Accept": (*AGREES, "Sec-WebSocket-Accept: ACCEPT", "Sec-WebSocket-Accept: ACCEPT"),
    "an extension nobody offered": (
        *AGREES,
        "Sec-WebSocket-Accept: ACCEPT",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ),
    "a subprotocol nobody offered": (*AGREES, "Sec-WebSocket-Accept: ACCEPT", "Sec-WebSocket-Protocol: chat.v3"),
    "two subprotocols": (
        *AGREES,
        "Sec-WebSocket-Accept: ACCEPT",
        "Sec-WebSocket-Protocol: chat.v1",
        "Sec-WebSocket-Protocol: chat.v2",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_4_1_a_target_that_does_not_agree_as_it_must_answers_502(gateway: SocketGateway, what: str) -> None:
    socket = gateway.ask(handshake={**HANDSHAKE, "Sec-WebSocket-Protocol": "chat.v1, chat.v2"})
    _, asked, _ = head_of(socket.end.received())
    accept = accept_of(dict(asked)[b"sec-websocket-key"]).decode()
    socket.end.say("\r\n".join([*WRONG[what], "", ""]).replace("ACCEPT", accept).encode())
    assert socket.answer()[0] == 502
    assert socket.target.aborted


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
def test_a_target_that_does_not_want_a_websocket_answers_as_it_does(gateway: SocketGateway, status: int) -> None:
    socket = gateway.ask()
    socket.end.say(b"HTTP/1.1 %d Reason\r\nContent-Length: 2\r\nLocation: /there\r\n\r\nno" % status)
    answered, fields, rest = socket.answer()
    assert (answered, rest, dict(fields)[b"location"]) == (status, b"no", b"/there")
    assert not socket.target.closing, "the connection is one like any other, and kept"
    assert not socket.caller.closing


def test_a_switched_connection_serves_nobody_else(gateway: SocketGateway) -> None:
    proxy = gateway.gateway.proxy()
    kept = gateway.gateway._pool.idle
    socket = gateway.open(proxy)
    assert gateway.gateway._pool.idle == kept
    other = gateway.ask(proxy)
    assert other.asked
    assert other.end is not socket.end
    socket.caller_says(close(1000))
    socket.target_says(close(1000, mask=False))
    assert socket.over
    assert gateway.gateway._pool.idle == kept


def test_101_for_a_request_that_did_not_ask_is_502_also_on_a_connection_that_once_asked(gateway: SocketGateway) -> None:
    proxy = gateway.gateway.proxy()
    first = gateway.ask(proxy)
    _, asked, _ = head_of(first.end.received())
    first.end.say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    second = gateway.ask(proxy, {})
    assert not second.asked, "the connection was kept"
    second.asked.append(first.end)
    second.agree(accept=accept_of(dict(asked)[b"sec-websocket-key"]))
    assert second.answer()[0] == 502


def test_the_async_api_takes_none(gateway: SocketGateway) -> None:
    proxy = gateway.gateway.proxy()
    call = gateway.gateway.call("GET", proxy, "/", dict(HANDSHAKE), api="async")
    assert call.answer.status == 400
    assert b"/api/" in call.answer.body


def test_there_is_a_bound_on_how_many_are_open() -> None:
    gateway = SocketGateway(max_websockets=1)
    listener = gateway.gateway.listener
    socket = gateway.open()
    assert (listener.in_flight, listener.websockets.open) == (0, 1), "it is no request in flight any more"
    status, fields, _ = gateway.ask().answer()
    assert (status, dict(fields)[b"retry-after"]) == (503, b"1")
    socket.caller_leaves()
    socket.target_says(close(1001, mask=False))
    assert (listener.in_flight, listener.websockets.open) == (0, 0)
    assert gateway.open()


def test_it_counts_for_limits_as_one_request() -> None:
    gateway = SocketGateway()
    proxy = gateway.gateway.proxy(proxyMaxRequestsPerMinute=1)
    socket = gateway.open(proxy)
    for _ in range(3):
        socket.caller_says(frame(TEXT, b"counts for nothing"))
    assert len(socket.target_heard()) == 3
    second = gateway.ask(proxy)
    assert (second.answer()[0], second.asked) == (429, [])


def test_no_proxy_takes_all_of_them() -> None:
    gateway = SocketGateway(max_websockets=9)
    one, other, third = (gateway.gateway.proxy() for _ in range(3))

    def opened(proxy: Proxy) -> int:
        """How many more it can open."""
        count = 0
        while True:
            socket = gateway.ask(proxy)
            if not socket.asked:
                assert socket.answer()[0] == 503
                return count
            socket.agree()
            count += 1

    assert (opened(one), opened(other), opened(third)) == (5, 2, 1)
    assert (opened(one), opened(other), opened(third)) == (0, 0, 0)


class Refuses(Plugin):
    """Refuses in `on_response` what the target has agreed to."""

    name = "refuses-websockets"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "closed" else None

    def on_response(self, ex: Exchange) -> Reply:
        assert ex.handshake is not None
        assert ex.response is not None
        assert (ex.response.status, ex.response.length) == (101, 0)
        return Reply(403, "Not today", "proxy-access-denied")


def test_a_plugin_may_refuse_what_the_target_has_agreed_to() -> None:
    gateway = SocketGateway([Refuses])
    socket = gateway.ask(gateway.gateway.proxy(proxyName="closed"))
    socket.agree()
    assert socket.answer()[0] == 403
    assert socket.target.aborted


class GivesBodies(Plugin):
    """Gives each request a body."""

    name = "gives-bodies"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "bodies" else None

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_body(b"a body")


def test_a_plugin_may_not_give_it_a_body() -> None:
    gateway = SocketGateway([GivesBodies])
    socket = gateway.ask(gateway.gateway.proxy(proxyName="bodies"))
    assert socket.answer()[0] == 500
    assert not socket.asked


def test_what_filters_are_for_takes_none() -> None:
    gateway = SocketGateway()
    proxy = gateway.gateway.proxy()
    gateway.gateway.filter(proxy, {"effect": "destroy", "jsonPaths": ["$..password"]})
    socket = gateway.ask(proxy)
    socket.agree()
    assert socket.answer()[0] == 422
    assert socket.target.aborted


def test_what_it_is_asked_with_and_opened_with_says_what_it_says(gateway: SocketGateway) -> None:
    socket = gateway.open()
    socket.caller_says(frame(TEXT, b"a"))
    assert socket.target_heard() == [Frame(TEXT, b"a", masked=True)]
    socket.caller_says(close(1000, "bye"))
    assert closing(socket.target_heard()) == (1000, "bye")


def test_it_opens_with_all_else_that_a_proxy_can_have() -> None:
    gateway = SocketGateway()
    memory = gateway.gateway
    logging = evolve(memory.client, configuration=evolve(memory.client.configuration, log_bodies=True))
    memory.directory.put(logging)
    proxy = memory.proxy(
        proxyCors={"origins": ["https://page.test"]},
        proxyAdditionalData={"a": 1},
        proxyAdditionalQueryParams={"token": "ours"},
        proxyStreaming="never",
        proxyMaxRequestsPerMinute=10,
    )
    memory.filter(proxy, {"effect": "destroy", "jsonPaths": ["$..password"], "path": "^/other"})
    memory.rule(proxy, {"effect": "deny", "body": [{"jsonPath": "$.secret"}]})
    memory.rule(proxy, {"effect": "deny", "headers": [{"name": "^upgrade$", "matchValue": "^h2c$"}]})
    value = {"location": "body", "path": "$.usage"}
    memory.meter(proxy, {"meterName": "m", "meterType": "response_value", "extraction": value})
    socket = gateway.ask(proxy, {**HANDSHAKE, "Origin": "https://page.test"})
    line, asked = socket.agree()
    assert line == b"GET /?token=ours HTTP/1.1"
    assert b"content-length" not in dict(asked)
    status, fields, _ = socket.answer()
    assert (status, dict(fields)[b"access-control-allow-origin"]) == (101, b"https://page.test")
    socket.caller_says(frame(TEXT, b"hello"))
    assert socket.target_heard() == [Frame(TEXT, b"hello", masked=True)]
    socket.caller_says(close(1000))
    socket.target_says(close(1000, mask=False))
    assert "1 message (5 bytes) from the caller, 0 messages (0 bytes) from the target" in socket.message
    assert not memory.events
