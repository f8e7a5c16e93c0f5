"""`customToken` in memory: how its token is asked for and found, and what comes of every way in which that fails.

Belongs here: made-up servers, on a clock that the test turns. Does not: sharing and renewing tokens at length, which is
`oauth2`'s keeper (test_oauth2.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import ConfigError, OutsideAnswer, OutsideError, Side
from rrgate.configuring import configure
from rrgate.registry import load_registry
from rrgate.testing import Answer, MemoryGateway, OutsideCall, Received, Says
from rrgate_plugins.json_path import MISSING, JsonPath

REQUEST = {
    "url": "https://login.test/session?key=s3cret-0",
    "headers": {"X-App": "s3cret-1"},
    "body": {"user": "us", "password": "s3cret-2"},
}
SECRET = {"request": REQUEST, "tokenPath": "$.data['the token'][1].value", "expiresInPath": "$.expires"}


def answered(token: object, expires: object = 600, status: int = 200) -> OutsideAnswer:
    document = {"data": {"the token": [None, {"value": token}]}, "expires": expires}
    return OutsideAnswer(status, (), json.dumps(document).encode())


class Server:
    """Gives out token-1, token-2, … unless `says` says otherwise."""

    def __init__(self) -> None:
        self.calls: list[OutsideCall] = []
        self.says: OutsideAnswer | Exception | None = None
        self.expires: object = 600

    def __call__(self, call: OutsideCall) -> OutsideAnswer | Exception:
        self.calls.append(call)
        return self.says if self.says is not None else answered(f"token-{len(self.calls)}", self.expires)


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.gateway = MemoryGateway()
        self.server = Server()
        self.gateway.outside.says = self.server
        self.proxy = self.gateway.proxy(towards=("customToken", {**SECRET, **changes}))

    def call(self, method: str = "GET", body: bytes | None = None) -> Answer:
        return self.gateway.call(method, self.proxy, "/", (), body).answer

    def shown(self, header: str = "Authorization") -> str:
        assert self.call().status == 200
        return self.gateway.target.last[header]


def test_how_it_is_asked_for() -> None:
    scene = Scene()
    assert scene.shown() == "Bearer token-1"
    (call,) = scene.server.calls
    assert (call.method, call.url) == ("POST", REQUEST["url"])
    assert call.headers == {"Accept": "application/json", "X-App": "s3cret-1", "Content-Type": "application/json"}
    assert json.loads(call.data or b"") == REQUEST["body"]


@pytest.mark.parametrize(
    ("request_", "method", "headers", "data"),
    [
        ({"method": "GET"}, "GET", {}, None),
        ({"method": "PUT", "body": "a=1&b=é"}, "PUT", {}, "a=1&b=é".encode()),
        (
            {"headers": {"content-type": "application/vnd.api+json", "accept": "*/*"}, "body": {"a": 1.5}},
            "POST",
            {"content-type": "application/vnd.api+json", "accept": "*/*"},
            b'{"a":1.5}',
        ),
    ],
)
def test_other_ways_to_ask(
    request_: dict[str, Any], method: str, headers: dict[str, str], data: bytes | None
) -> None:
    scene = Scene(request={"url": "https://login.test/", **request_})
    scene.shown()
    (call,) = scene.server.calls
    assert (call.method, call.data) == (method, data)
    assert {"Accept": "application/json"} | headers == call.headers | {"Accept": "application/json"}


def test_where_it_is_shown() -> None:
    scene = Scene(header="X-Session", prefix="")
    assert scene.shown("X-Session") == "token-1"
    assert scene.gateway.target.last.every("Authorization") == []


def test_one_token_for_all_who_wait() -> None:
    scene = Scene()
    scene.gateway.outside.after = 3.0
    calls = [scene.gateway.call("GET", scene.proxy) for _ in range(200)]
    scene.gateway.clock.advance(4)
    assert {call.answer.status for call in calls} == {200}
    assert len(scene.server.calls) == 1


@pytest.mark.parametrize(
    ("changes", "expires", "life"),
    [
        ({}, 600, 600),
        ({}, "600", 600),
        ({"ttl": 100}, 600, 600),
        ({"ttl": 100}, None, 100),
        ({"ttl": 100}, -5, 100),
        ({"ttl": 100, "expiresInPath": None}, 600, 100),
        ({"expiresInPath": None}, 600, 3600),
        ({}, {"a": 1}, 3600),
    ],
)
def test_how_long_it_serves(changes: dict[str, Any], expires: object, life: int) -> None:
    scene = Scene(**changes)
    scene.server.expires = expires
    assert scene.shown() == "Bearer token-1"
    early = min(60, life / 5)
    scene.gateway.clock.advance(life - early - 1)
    assert scene.shown() == "Bearer token-1"
    # In use shortly before its end: the next one is fetched while it serves.
    scene.gateway.clock.advance(1)
    assert scene.shown() == "Bearer token-1"
    scene.gateway.clock.advance(0)
    assert scene.shown() == "Bearer token-2"
    # Nobody asked for a while.
    scene.gateway.clock.advance(life)
    assert scene.shown() == "Bearer token-3"


def test_after_a_401_of_the_target_there_is_another() -> None:
    scene = Scene()

    def says(received: Received) -> Says:
        return Says(401 if received["Authorization"] == "Bearer token-1" else 200)

    scene.gateway.target.says = says
    assert scene.call("POST", b"body").status == 200
    assert [seen["Authorization"] for seen in scene.gateway.target.received] == ["Bearer token-1", "Bearer token-2"]


HTML = OutsideAnswer(200, (), b"<html>s3cret-3</html>")
FAULTS: list[tuple[OutsideAnswer | Exception, str]] = [
    (OutsideError("nobody takes connections there"), "could not be asked"),
    (OutsideAnswer(200, (), b'"' + bytes(50 * 1024 * 1024) + b'"'), "too large"),
    (OutsideAnswer(302, ((b"Location", b"https://elsewhere.test/"),), b""), "redirect"),
    (HTML, "did not answer with JSON"),
    (OutsideAnswer(200, (), b"[" * 60_000), "did not answer with JSON"),
    (OutsideAnswer(200, (), b""), "did not answer with JSON"),
    (answered("s3cret-4", status=400), "answered 400"),
    (answered("s3cret-4", status=401), "answered 401"),
    (answered("s3cret-4", status=503), "answered 503"),
    (OutsideAnswer(200, (), b'{"data": "s3cret-3"}'), "without anything at tokenPath"),
    (OutsideAnswer(200, (), b'{"data": {"the token": []}}'), "without anything at tokenPath"),
    (OutsideAnswer(200, (), b"5"), "without anything at tokenPath"),
    (answered(5), "no token that could be sent"),
    (answered(""), "no token that could be sent"),
    (answered("a\r\nb"), "no token that could be sent"),
    (answered("é"), "no token that could be sent"),
    (answered("x" * 20_000), "no token that could be sent"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=lambda value: str(value)[:40])
def test_without_a_token_nothing_is_sent(fault: OutsideAnswer | Exception, said: str) -> None:
    scene = Scene()
    scene.server.says = fault
    answer = scene.call()
    assert (answer.status, answer["requestrocket-proxy-code"]) == (502, "target-credential-failed")
    assert said in answer.document["message"]
    assert int(answer["Retry-After"]) >= 1
    assert scene.gateway.target.received == []
    (event,) = scene.gateway.events
    assert event.kind == "credential-failed"
    assert "s3cret" not in f"{event!r} {answer!r} {scene.gateway.records!r}"
    # It recovers by itself.
    scene.server.says = None
    scene.gateway.clock.advance(2)
    assert scene.shown() == f"Bearer token-{len(scene.server.calls)}"


def test_a_server_that_does_not_answer_is_given_up() -> None:
    scene = Scene()
    scene.gateway.outside.after = None
    call = scene.gateway.call("GET", scene.proxy)
    scene.gateway.clock.advance(11)
    assert (call.answer.status, call.answer["requestrocket-proxy-code"]) == (502, "target-credential-failed")
    assert "did not come in time" in call.answer.document["message"]


def test_a_token_that_serves_goes_on_serving_while_the_next_one_fails() -> None:
    scene = Scene()
    assert scene.shown() == "Bearer token-1"
    scene.server.says = HTML
    scene.gateway.clock.advance(550)
    for _ in range(3):
        assert scene.shown() == "Bearer token-1"
    assert [event.kind for event in scene.gateway.events] == ["credential-failed"]


def configured(**changes: Any) -> Any:
    plugin = load_registry().auth_type("customToken", Side.TARGET)
    assert plugin is not None
    return configure(plugin.Config, {**SECRET, **changes}, "")


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"request": {}}, "request.url", "is required"),
        ({"request": {**REQUEST, "url": "ftp://login.test/s3cret"}}, "request.url", "https or http"),
        ({"request": {**REQUEST, "url": "https://ann:s3cret@login.test/"}}, "request.url", "without user"),
        ({"request": {**REQUEST, "url": "https://login.test/#s3cret"}}, "request.url", "fragment"),
        ({"request": {**REQUEST, "url": "https:///s3cret"}}, "request.url", "https or http"),
        ({"request": {**REQUEST, "url": "https://login.test/s3cret\r\nX: y"}}, "request.url", "https or http"),
        ({"request": {**REQUEST, "method": "DELETE"}}, "request.method", "one of GET"),
        ({"request": {**REQUEST, "headers": {"X s3cret": "a"}}}, "request.headers", "at place 0"),
        ({"request": {**REQUEST, "headers": {"Host": "s3cret"}}}, "request.headers.Host", "is written when"),
        ({"request": {**REQUEST, "headers": {"X-A": "s3cret\r\n"}}}, "request.headers.X-A", "visible ASCII"),
        ({"request": {**REQUEST, "method": "GET"}}, "request.body", "for GET"),
        ({"request": {**REQUEST, "body": "\ud800s3cret"}}, "request.body", "surrogate"),
        ({"request": {**REQUEST, "body": "s3cret" * 20_000}}, "request.body", "at most 65536"),
        ({"request": {**REQUEST, "body": ["s3cret"]}}, "request.body", "a string or an object"),
        ({"request": {**REQUEST, "query": "s3cret"}}, "request.query", "is not a known field"),
        ({"tokenPath": "token"}, "tokenPath", "must be a JSONPath"),
        ({"tokenPath": "$"}, "tokenPath", "1 to 32 steps"),
        ({"tokenPath": "$..token"}, "tokenPath", "at character 2"),
        ({"tokenPath": "$.a[*]"}, "tokenPath", "at character 4"),
        ({"tokenPath": "$.a[-1]"}, "tokenPath", "at character 4"),
        ({"tokenPath": "$.a[?@.b]"}, "tokenPath", "at character 4"),
        ({"tokenPath": "$.a b"}, "tokenPath", "at character 4"),
        ({"expiresInPath": "$['a"}, "expiresInPath", "at character 2"),
        ({"ttl": 5}, "ttl", "10 seconds"),
        ({"header": "X Token"}, "header", "name of a header"),
        ({"header": "Host"}, "header", "by the gateway itself"),
        ({"prefix": " Bearer"}, "prefix", "no space at its beginning"),
        ({"prefix": "é"}, "prefix", "visible ASCII"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(**changes)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert said in problem.problem
    assert "s3cret" not in f"{caught.value} {caught.value!r}"


def test_the_request_is_in_no_repr() -> None:
    config = configured()
    assert "s3cret" not in f"{config!r} {evolve(config)!r} {config.request!r}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a", {"b": [1, {"c d": "x"}]}),
        ("$.a.b[0]", 1),
        ("$['a'][\"b\"][1]['c d']", "x"),
        ("$.a.b[2]", MISSING),
        ("$.a[0]", MISSING),
        ("$.a.b.c", MISSING),
        ("$.x", MISSING),
    ],
)
def test_paths(path: str, value: object) -> None:
    assert JsonPath(path).of({"a": {"b": [1, {"c d": "x"}]}}) == value
