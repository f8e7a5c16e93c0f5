"""/…/test through a whole gateway and real sockets: what reaches the target, what keeps it away, what is told of it.

Belongs here: the guarded way. Does not: who may ask (tests/core/test_trials.py).
"""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from tests.callers import Answer, in_thread
from tests.certificates import Authority
from tests.running_gateway import REGION, TOKEN, RunningGateway
from tests.targets import Connection, Received, Target, closed_port, echo

HIDDEN = "what-only-the-target-says"


class Keeping:
    """Serves one answer and keeps the requests. `closed`: the gateway has closed a connection."""

    def __init__(self, status: str = "200 OK") -> None:
        self.seen: list[Received] = []
        self.closed = Event()
        self.status = status

    def __call__(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.seen.append(request)
            connection.answer(HIDDEN.encode(), self.status, f"X-Says: {HIDDEN}", f"Set-Cookie: a={HIDDEN}")
        self.closed.set()


async def tried(
    gateway: RunningGateway,
    target: str,
    secret: tuple[str, dict[str, Any]] | None = ("bearer", {"token": TOKEN}),
    path: str = "/v1/me?deep=1",
    **more: Any,
) -> dict[str, Any]:
    """What is told of a test of `target` (an id), with a credential made for it or with none."""
    if secret is None:
        answer = await gateway.ask("POST", f"/clients/{gateway.client}/targets/{target}/test")
    else:
        credential = await gateway.credential("target", *secret, **more)
        answer = await gateway.ask(
            "POST", f"/clients/{gateway.client}/credentials/{credential}/test", {"targetId": target, "path": path}
        )
    return told(answer)


def told(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    assert set(answer.json) == {"test", "message"}
    assert set(answer.json["test"]) == {"status", "problem", "connectSeconds", "firstByteSeconds", "totalSeconds"}
    for hidden in (HIDDEN, TOKEN):
        assert hidden.encode() not in answer.body
    return dict(answer.json["test"])


@pytest_twisted.ensureDeferred
async def test_a_credential_is_shown_as_its_plugin_shows_it(gateway: RunningGateway) -> None:
    serve = Keeping()
    with Target(serve) as target:
        target_id = await gateway.target(f"{target.url}/base/")
        test = await tried(gateway, target_id)
        await tried(gateway, target_id, ("apiKey", {"key": "X-Key", "value": TOKEN}), path="/")
        await tried(gateway, target_id, ("apiKey", {"key": "k", "value": TOKEN, "addToQueryParam": True}), path="/?a=1")
    assert (test["status"], test["problem"]) == (200, None)
    assert 0 < test["connectSeconds"] <= test["totalSeconds"]
    assert 0 < test["firstByteSeconds"] <= test["totalSeconds"]
    bearer, header, query = serve.seen
    assert (bearer.line, bearer.every("Authorization")) == ("GET /base/v1/me?deep=1 HTTP/1.1", [f"Bearer {TOKEN}"])
    assert bearer.body == b""
    assert bearer.every("User-Agent") == ["rrgate"]
    assert bearer.every("requestrocket-hops") == ["1"]
    assert (header.line, header.every("X-Key")) == ("GET /base/ HTTP/1.1", [TOKEN])
    assert query.line == f"GET /base/?a=1&k={TOKEN} HTTP/1.1"


BASIC = base64.b64encode(b"ann:what-ann-knows").decode()
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("auth_type", "secret", "line", "fields"),
    [
        ("basicAuth", {"username": "ann", "password": "what-ann-knows"}, "/x", {"Authorization": f"Basic {BASIC}"}),
        ("jwt", {"token": JWT}, "/x", {"Authorization": JWT}),
        ("custom", {"headers": {"X-A": TOKEN}, "queryParams": {"b": "1"}, "data": {"c": 1}}, "/x?b=1", {"X-A": TOKEN}),
        ("apiKey", {"key": "k", "value": TOKEN, "addToBody": True}, "/x", {}),
        ("none", {}, "/x", {}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every_other_static_auth_type(
    gateway: RunningGateway, auth_type: str, secret: dict[str, Any], line: str, fields: dict[str, str]
) -> None:
    serve = Keeping()
    with Target(serve) as target:
        test = await tried(gateway, await gateway.target(target.url), (auth_type, secret), path="/x")
    assert (test["status"], test["problem"]) == (200, None)
    (seen,) = serve.seen
    assert (seen.line, seen.body) == (f"GET {line} HTTP/1.1", b"")
    own = {"Host", "Accept", "User-Agent", "requestrocket-hops"}
    assert {name: value for name, value in seen.headers if name not in own} == fields


@pytest_twisted.ensureDeferred
async def test_a_target_is_called_without_a_credential(gateway: RunningGateway) -> None:
    serve = Keeping("401 Unauthorized")
    with Target(serve) as target:
        target_id = await gateway.target(target.url, targetTestPath="/health?full=1")
        test = await tried(gateway, target_id, None)
    assert (test["status"], test["problem"]) == (401, None)
    (seen,) = serve.seen
    assert seen.line == "GET /health?full=1 HTTP/1.1"
    assert seen.every("Authorization") == []


@pytest_twisted.ensureDeferred
async def test_each_has_a_connection_of_its_own_that_is_closed(gateway: RunningGateway) -> None:
    serve = Keeping()
    with Target(serve) as target:
        proxy = await gateway.proxy(target.url, target={"targetTestPath": "/"})
        assert (await gateway.call(proxy)).status == 200
        for _ in range(2):
            await tried(gateway, proxy.target, None)
        assert target.connections == 3
        assert await in_thread(serve.closed.wait, 10)
        # What proxies use is kept, and nothing of the tests is in their log.
        assert (await gateway.call(proxy)).status == 200
        assert target.connections == 3
    assert len(await gateway.records(proxy)) == 2


def says(raw: str, reset: bool = False) -> Any:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(raw.encode())
        if reset:
            connection.reset()

    return serve


@pytest.mark.parametrize(
    ("serve", "status", "problem"),
    [
        (says(""), None, "the target closed the connection without an answer"),
        (says("", reset=True), None, "the target closed the connection without an answer"),
        (says("SSH-2.0-OpenSSH\r\n"), None, "the answer is not HTTP/1.1 (RFC 9112 4)"),
        (says("HTTP/1.1 200 OK\r\nContent-Le"), None, "the target closed the connection inside its answer's head"),
        (
            says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
            200,
            "the target closed the connection before its answer's end",
        ),
        (says("HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"), 302, None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_odd_answers(gateway: RunningGateway, serve: Any, status: int | None, problem: str | None) -> None:
    with Target(serve) as target:
        test = await tried(gateway, await gateway.target(target.url, targetTestPath="/"), None)
    assert (test["status"], test["problem"]) == (status, problem)
    assert (test["firstByteSeconds"] is None) == (status is None)


@pytest_twisted.ensureDeferred
async def test_who_cannot_be_reached(gateway: RunningGateway) -> None:
    test = await tried(gateway, await gateway.target(f"http://127.0.0.1:{closed_port()}"))
    assert test["problem"] == "the target does not take connections"
    assert test["status"] is test["connectSeconds"] is test["firstByteSeconds"] is None
    test = await tried(gateway, await gateway.target("https://nowhere.invalid"))
    assert test["problem"] == "the target's name does not resolve"


@pytest_twisted.ensureDeferred
async def test_certificates_are_verified(gateway: RunningGateway, tmp_path: Path) -> None:
    authority = Authority("ours")
    serve = Keeping()
    with Target(serve, tls=authority.server_context("localhost", tmp_path)) as target:
        test = await tried(gateway, await gateway.target(target.url))
        assert test["status"] is None
        said, _, why = test["problem"].partition(": ")
        assert said == "the target's TLS handshake failed"
        assert why == "certificate verify failed: unable to get local issuer certificate"
        other = await gateway.target(target.url.replace("localhost", "127.0.0.1"), targetCABundle=authority.pem)
        assert "TLS" in (await tried(gateway, other))["problem"]
        assert serve.seen == []
        test = await tried(gateway, await gateway.target(target.url, targetCABundle=authority.pem))
        assert (test["status"], test["problem"]) == (200, None)


@pytest_twisted.ensureDeferred
async def test_a_credential_goes_nowhere_but_where_it_is_bound_to(gateway: RunningGateway) -> None:
    with Target(Keeping()) as target, Target(echo) as other:
        test = await tried(
            gateway, await gateway.target(target.url), credentialAllowedHosts=[f"127.0.0.1:{other.port}"]
        )
        assert test["status"] is None
        assert "credentialAllowedHosts" in test["problem"]
        assert target.connections == 0
        # One that was bound by its first test does not go elsewhere in its second.
        credential = await gateway.credential("target", "bearer", {"token": TOKEN})
        where = f"/clients/{gateway.client}/credentials/{credential}/test"
        for url, status in ((other.url, 200), (target.url, None)):
            answer = await gateway.ask("POST", where, {"targetId": await gateway.target(url), "path": "/"})
            assert told(answer)["status"] == status
        assert target.connections == 0


@pytest_twisted.ensureDeferred
async def test_addresses_that_may_not_be_dialled(tmp_path: Path) -> None:
    with Target(Keeping()) as target:
        running = RunningGateway.start(tmp_path / "state", allow_networks="")
        try:
            test = await tried(running, await running.target(target.url))
            assert test["status"] is None
            assert "may not be dialled" in test["problem"]
            assert target.connections == 0
        finally:
            await running.stop()


@pytest_twisted.ensureDeferred
async def test_our_own_listeners_are_never_dialled(gateway: RunningGateway) -> None:
    for port in (gateway.core_address[1], gateway.address[1]):
        test = await tried(gateway, await gateway.target(f"http://127.0.0.1:{port}"))
        assert "may not be dialled" in test["problem"]


class Silent:
    """Takes requests and never answers. `reached`, `left`: a request came, and its sender went."""

    def __init__(self) -> None:
        self.reached, self.left = Event(), Event()

    def __call__(self, connection: Connection) -> None:
        connection.request()
        self.reached.set()
        if connection.closed_by_peer():
            self.left.set()


@pytest_twisted.ensureDeferred
async def test_whoever_leaves_cuts_the_target_off(gateway: RunningGateway) -> None:
    serve = Silent()
    with Target(serve) as target:
        target_id = await gateway.target(target.url, targetTestPath="/")

        def ask_and_leave() -> None:
            with socket.create_connection(gateway.core_address) as asking:
                head = f"POST /clients/{gateway.client}/targets/{target_id}/test HTTP/1.1\r\nHost: localhost\r\n"
                asking.sendall(f"{head}Authorization: {gateway.first.token}\r\nContent-Length: 0\r\n\r\n".encode())
                assert serve.reached.wait(10)
                assert not serve.left.is_set()

        await in_thread(ask_and_leave)
        assert await in_thread(serve.left.wait, 10)


@pytest_twisted.ensureDeferred
async def test_a_gateway_that_stops_cuts_the_target_off(tmp_path: Path) -> None:
    serve = Silent()
    with Target(serve) as target:
        running = RunningGateway.start(tmp_path / "state")
        target_id = await running.target(target.url, targetTestPath="/")
        asked = running.ask("POST", f"/clients/{running.client}/targets/{target_id}/test")
        stopping = Event()

        def stop_when_reached() -> None:
            assert serve.reached.wait(10)
            stopping.set()

        from twisted.internet.defer import Deferred

        answered = Deferred.fromCoroutine(asked)
        answered.addErrback(lambda failure: None)  # its connection may end before its answer
        await in_thread(stop_when_reached)
        await running.stop()
        assert await in_thread(serve.left.wait, 10)
        await answered


@pytest_twisted.ensureDeferred
async def test_regions_must_match(gateway: RunningGateway) -> None:
    target_id = await gateway.target("https://acme.test", targetRegion="eu-west-1")
    credential = await gateway.credential("target", "bearer", {"token": TOKEN})
    answer = await gateway.ask(
        "POST", f"/clients/{gateway.client}/credentials/{credential}/test", {"targetId": target_id, "path": "/"}
    )
    assert answer.status == 400
    assert REGION not in json.dumps(answer.json)
