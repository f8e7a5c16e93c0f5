"""What the request log says of each outcome, read over the Core API: what happened, and no secret.

Belongs here: records of real requests. Does not: the form of a record by itself (tests/test_record.py).
"""

from __future__ import annotations

import http.client
import time
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Event
from typing import Any

import pytest
import pytest_twisted

from rrgate.api import Exchange, Kind, NoConfig, Plugin, hookimpl
from rrgate.checks import NAMES
from tests.callers import Answer, Caller, in_thread
from tests.plugins.jwt.signing import CLAIMS, SECRET, hs, token
from tests.running_gateway import KEY, TOKEN, MadeProxy, RunningGateway
from tests.targets import Connection, Target, closed_port

FACTS = {
    "proxyExists",
    "proxyActive",
    "proxyCredentialExists",
    "proxyCredentialActive",
    "proxyCredentialRelationship",
    "targetExists",
    "targetRelationship",
    "targetCredentialExists",
    "targetCredentialActive",
    "targetCredentialRelationship",
}
"""What holds of a proxy in order before any request."""
KNOWN = FACTS | {"proxyAuthenticated"}
SCOPES = {"proxyScopeValid", "targetScopeValid", "proxyCredentialScopeValid", "targetCredentialScopeValid"}
ALLOWED = KNOWN | SCOPES
SENT = ALLOWED | {"requestValid", "requestSent"}
ANSWERED = SENT | {"responseReceived"}


class Raises(Plugin):
    """Raises where a header of the caller's says so."""

    name = "raises"
    kind = Kind.OWN
    Config = NoConfig

    @classmethod
    def for_proxy(cls, parts: Any) -> NoConfig:
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        if ex.header(b"X-Raise") == b"prepare":
            raise RuntimeError("a bug")

    def on_response(self, ex: Exchange) -> None:
        if ex.header(b"X-Raise") == b"on_response":
            raise RuntimeError("a bug")


class Plugins:
    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Raises]


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path_factory.mktemp("gateway") / "state", plugins=[Plugins()])
    yield running
    await running.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(by_path) as running:
        yield running


def by_path(connection: Connection) -> None:
    """Does what the first segment of the path says."""
    while (seen := connection.request()) is not None:
        what = seen.path.split("?")[0].strip("/")
        if what == "large":
            connection.answer(b"x" * 3000)
        elif what == "moved":
            connection.answer(b"", "302 Found", "Location: https://u:p@x.test/there?code=abc&page=2#frag")
        elif what == "slow":
            time.sleep(1.5)
        elif what == "reset":
            connection.reset()
            return
        elif what == "cut":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            return
        elif what.isdigit():
            connection.answer(b"told", f"{what} Told", "X-RateLimit-Limit: 5", "X-Secret: s3cret", "Content-Type: a/b")
        else:
            connection.answer(b"ok")


def checked(record: Any) -> set[str]:
    """The checks that a record says were passed."""
    assert list(record["validationData"]) == list(NAMES)
    return {name for name, passed in record["validationData"].items() if passed}


OUTCOMES: list[tuple[str, dict[str, Any], int, set[str], int | None]] = [
    # (what is asked for, how, status, checks passed, the target's status or None where nothing was sent)
    ("/200", {}, 200, ANSWERED, 200),
    ("/404", {}, 404, ANSWERED, 404),
    ("/500", {}, 500, ANSWERED, 500),
    ("/moved", {}, 302, ANSWERED, 302),
    ("/200", {"key": None}, 401, FACTS, None),
    ("/200", {"key": "wrong"}, 401, FACTS, None),
    ("/%2e%2e/x", {}, 400, FACTS, None),
    ("/200", {"headers": {"requestrocket-hops": "7"}}, 508, FACTS, None),
    ("/200", {"method": "POST", "body": b"x" * 2000}, 413, ALLOWED, None),
    ("/large", {}, 413, ANSWERED, 200),
    ("/slow", {}, 504, SENT, 0),
    ("/reset", {"method": "POST", "body": b"x"}, 502, SENT, 0),
    ("/200", {"headers": {"X-Raise": "prepare"}}, 500, ALLOWED | {"systemError"}, None),
    ("/200", {"headers": {"X-Raise": "on_response"}}, 502, ANSWERED | {"systemError"}, 200),
]


@pytest.mark.parametrize(("path", "how", "status", "checks", "target_status"), OUTCOMES)
@pytest_twisted.ensureDeferred
async def test_a_record_tells_what_happened(
    gateway: RunningGateway,
    target: Target,
    path: str,
    how: dict[str, Any],
    status: int,
    checks: set[str],
    target_status: int | None,
) -> None:
    proxy = await gateway.proxy(
        target.url, target={"targetTimeout": 1}, proxyMaxRequestBytes=1000, proxyMaxResponseBytes=2000
    )
    begun = time.time()
    answer = await gateway.call(proxy, how.pop("method", "GET"), path, **how)
    ended = time.time()
    assert answer.status == status, answer.body
    (record,) = await gateway.records(proxy)
    assert record["sKey"] == answer["requestrocket-request-id"]
    assert record["pKey"] == record["parentId"] == proxy.id
    assert record["clientId"] == proxy.client
    assert record["userId"] == gateway.first.user_id
    assert record["processed"] is True
    assert record["TTL"] == record["processedAt"] // 1000 + 90 * 86400
    told = record["proxyData"]
    assert told["status"] == status
    assert told["apiPath"] == path
    assert checked(record) == checks
    assert begun - 0.01 <= told["receivedAt"] / 1000 <= told["sentAt"] / 1000 <= ended + 0.01
    assert 0 < told["duration"] <= ended - begun
    if status not in (404, 500) or "systemError" in checks:
        assert (told["message"] == "Request logged") is (checks == ANSWERED and target_status == status)
    seen = record["targetData"]
    if target_status is None:
        assert seen is None
        return
    assert seen["status"] == (target_status or None)
    assert told["receivedAt"] <= seen["sentAt"]
    if target_status:
        assert seen["sentAt"] <= seen["receivedAt"] <= told["sentAt"]
        assert 0 < seen["duration"] <= told["duration"]
    else:
        assert (seen["receivedAt"], seen["duration"]) == (None, None)
    if path == "/moved":
        assert seen["location"] == "https://x.test/there?code=&page="


@pytest_twisted.ensureDeferred
async def test_the_timeline_tells_how_long_each_step_took(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url)
    for _ in range(2):
        assert (await gateway.call(proxy, "GET", "/200")).status == 200
    again, first = await gateway.records(proxy)
    assert [each["step"] for each in first["timeline"]] == ["connect", "first byte"]
    assert [each["step"] for each in again["timeline"]] == ["first byte"]
    connected, began = (each["at"] for each in first["timeline"])
    assert 0 < connected <= began <= first["proxyData"]["duration"]


@pytest_twisted.ensureDeferred
async def test_a_dead_target_was_sent_nothing(gateway: RunningGateway) -> None:
    proxy = await gateway.proxy(f"http://127.0.0.1:{closed_port()}")
    assert (await gateway.call(proxy)).status == 502
    (record,) = await gateway.records(proxy)
    assert record["targetData"] is None
    assert checked(record) == ALLOWED | {"requestValid"}


@pytest.mark.parametrize(
    ("kind", "part", "changes", "status", "not_passed"),
    [
        ("proxies", "id", {"proxyActive": False}, 503, {"proxyActive"}),
        ("credentials", "target_credential", {"credentialActive": False}, 503, {"targetCredentialActive"}),
        ("credentials", "target_credential", None, 503, {"targetCredentialExists", "targetCredentialRelationship",
                                                         "targetCredentialActive"}),
        ("targets", "target", None, 503, {"targetExists", "targetRelationship"}),
        ("credentials", "caller_credential", {"credentialActive": False}, 401,
         {"proxyCredentialActive", "proxyAuthenticated"}),
        ("credentials", "caller_credential", None, 401,
         {"proxyCredentialExists", "proxyCredentialRelationship", "proxyCredentialActive", "proxyAuthenticated"}),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_what_was_switched_off_or_deleted_is_the_check_that_failed(
    gateway: RunningGateway,
    target: Target,
    kind: str,
    part: str,
    changes: dict[str, Any] | None,
    status: int,
    not_passed: set[str],
) -> None:
    proxy = await gateway.proxy(target.url)
    if changes is None:
        await gateway.delete(kind, getattr(proxy, part))
    else:
        await gateway.change(kind, getattr(proxy, part), **changes)
    assert (await gateway.call(proxy)).status == status
    (record,) = await gateway.records(proxy)
    assert record["proxyData"]["status"] == status
    assert checked(record) == KNOWN - not_passed
    assert record["targetData"] is None


# Redaction.


@pytest_twisted.ensureDeferred
async def test_values_are_shown_only_where_they_are_known_to_be_harmless(
    gateway: RunningGateway, target: Target
) -> None:
    proxy = await gateway.proxy(target.url)
    clear = {"Accept": "a/b", "User-Agent": "me/1", "Content-Type": "c/d", "X-RateLimit-Mine": "7"}
    hidden = {"X-Custom": "c", "Referer": "r", "Cookie": "k=v", "Authorization": "Basic x", "X_Api_Key": KEY}
    query = f"page=2&token=t0&long={'l' * 65}&Authorization={KEY}&q=hello+you&flag&next=a%3Fsig%3Dx"
    answer = await gateway.call(proxy, "GET", f"/201?{query}", clear | hidden)
    assert answer.status == 201
    detail = await gateway.record(proxy, answer["requestrocket-request-id"])
    shown = detail["proxyData"]["apiHeaders"]
    assert detail["requestHeaders"] == shown
    assert {name: shown[name] for name in clear} == clear
    assert {shown[name] for name in (*hidden, "Host")} == {"[REDACTED]"}
    assert detail["proxyData"]["apiParams"] == {
        "page": "2",
        "token": "[REDACTED]",
        "long": "[REDACTED]",
        "Authorization": "[REDACTED]",
        "q": "hello you",
        "flag": "",
        "next": "[REDACTED]",
    }
    answered = detail["responseHeaders"]
    assert answered["X-RateLimit-Limit"] == "5"
    assert answered["Content-Type"] == "a/b"
    assert answered["X-Secret"] == "[REDACTED]"
    assert answered["requestrocket-request-id"] == detail["sKey"]
    for secret in (KEY, TOKEN, "s3cret"):
        assert secret not in str(detail)


# Reading.


@pytest_twisted.ensureDeferred
async def test_lists_are_newest_first_and_details_add_the_flat_view(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url)
    ids = []
    for status in (200, 404, 200):
        answer = await gateway.call(proxy, "PUT", f"/{status}", body=b"x")
        ids.append(answer["requestrocket-request-id"])
        await in_thread(time.sleep, 0.002)
    records = await gateway.records(proxy)
    assert [record["sKey"] for record in records] == ids[::-1]
    where = f"/clients/{gateway.client}/proxies/{proxy.id}/requests"
    told = (await gateway.ask("GET", f"{where}?limit=2")).json
    assert (told["totalRequests"], told["limitReached"]) == (2, True)
    told = (await gateway.ask("GET", f"{where}?limit=2&cursor={told['nextCursor']}")).json
    assert ([record["sKey"] for record in told["requests"]], told["limitReached"]) == (ids[:1], False)
    told = (await gateway.ask("GET", f"{where}?status=404")).json
    assert [record["sKey"] for record in told["requests"]] == [ids[1]]
    detail = await gateway.record(proxy, ids[1])
    assert {name: detail[name] for name in ("method", "path", "statusCode")} == {
        "method": "PUT",
        "path": "/404",
        "statusCode": 404,
    }
    assert isinstance(detail["duration"], int)
    assert {name: value for name, value in detail.items() if name in records[1]} == records[1]
    assert (await gateway.ask("GET", f"{where}/00000000-0000-4000-8000-000000000000")).status == 404


@pytest_twisted.ensureDeferred
async def test_another_proxys_records_are_not_shown(gateway: RunningGateway, target: Target) -> None:
    ours, theirs = await gateway.proxy(target.url), await gateway.proxy(target.url)
    answer = await gateway.call(ours)
    assert await gateway.records(theirs) == []
    where = f"/clients/{gateway.client}/proxies/{theirs.id}/requests/{answer['requestrocket-request-id']}"
    assert (await gateway.ask("GET", where)).status == 404


# Callers who leave.


def leave_before_the_head(caller: Caller, path: str, reached: Event) -> None:
    caller.send("GET", path, {"X-Api-Key": KEY})
    reached.wait(5)


def leave_in_the_body(caller: Caller, path: str, reached: Event) -> None:
    caller.send("GET", path, {"X-Api-Key": KEY})
    assert caller.begun().read1(4) == b"data"


def leave_in_the_upload(caller: Caller, path: str, reached: Event) -> None:
    head = f"PUT {path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 1000\r\n\r\nbegun"
    caller.socket.sendall(head.encode())
    reached.wait(5)


@pytest.mark.parametrize(
    ("leave", "checks"),
    [(leave_before_the_head, SENT), (leave_in_the_body, ANSWERED), (leave_in_the_upload, SENT)],
)
@pytest_twisted.ensureDeferred
async def test_a_caller_who_left_is_499(
    gateway: RunningGateway, leave: Callable[[Caller, str, Event], None], checks: set[str]
) -> None:
    def serve(connection: Connection) -> None:
        head = connection.head()
        assert head is not None
        if head.method == "GET" and leave is leave_in_the_body:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ndata")
        reached.set()
        connection.closed_by_peer()
        over.set()

    def go(path: str) -> None:
        with Caller(gateway.address) as caller:
            leave(caller, path, reached)

    reached, over = Event(), Event()
    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        await in_thread(go, proxy.path)
        assert await in_thread(over.wait, 5)
    (record,) = await gateway.records(proxy)
    assert record["proxyData"]["status"] == 499
    assert checked(record) == checks


@pytest_twisted.ensureDeferred
async def test_an_answer_that_broke_off_says_so(gateway: RunningGateway, target: Target) -> None:
    def ask(proxy: MadeProxy) -> Answer:
        with Caller(gateway.address) as caller:
            return caller.call("GET", f"{proxy.path}/cut", {"X-Api-Key": KEY})

    proxy = await gateway.proxy(target.url)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        await in_thread(ask, proxy)
    (record,) = await gateway.records(proxy)
    assert record["proxyData"]["status"] == 200
    assert "broke off" in record["proxyData"]["message"]


@pytest_twisted.ensureDeferred
async def test_of_a_tokens_claims_only_those_that_are_to_be_logged_are_anywhere(
    gateway: RunningGateway, target: Target
) -> None:
    hidden = "a-claim-0001/of-ann-that-nobody-may-read"
    gateway.search.know("a claim that is not logged", hidden)
    secret = {"sharedSecret": SECRET, "audience": "us", "logClaims": ["sub", "email"]}
    proxy = await gateway.proxy(target.url, caller=("jwtVerify", secret))
    said = {**CLAIMS, "exp": time.time() + 600, "email": "é" * 200, "address": hidden, "deep": {hidden: hidden}}
    for headers in ({}, {"X-Raise": "prepare"}):
        shown = {"Authorization": f"Bearer {token({'alg': 'HS256'}, said, hs()).decode()}", **headers}
        answer = await gateway.call(proxy, "GET", "/", shown, key=None)
        assert answer.status == (500 if headers else 200)
        told = await gateway.record(proxy, answer["requestrocket-request-id"])
        listed, *_ = await gateway.records(proxy)
        assert told["tokenClaims"] == listed["tokenClaims"] == {"sub": "ann", "email": "é" * 128}
