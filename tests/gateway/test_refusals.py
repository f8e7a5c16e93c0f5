"""What the gateway answers itself instead of forwarding, and that nothing reaches the target then.

Belongs here: refusals by credential, state, size and loop. Does not: malformed requests (tests/wire/), what the log
says of them (test_log_records.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.logger import eventAsText, globalLogPublisher

from tests.callers import Answer, Caller, in_thread
from tests.running_gateway import KEY, RunningGateway
from tests.targets import Connection, Target, echo


class Counted(Target):
    """An echoing target that knows how many requests have reached it."""

    def __init__(self) -> None:
        self.requests = 0
        super().__init__(self._serve_counted)

    def _serve_counted(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.requests += 1
            connection.answer(b"reached")


@pytest.fixture
def target() -> Iterator[Counted]:
    with Counted() as running:
        yield running


def without_ids(answer: Answer) -> tuple[Any, ...]:
    """All of an answer but what differs between any two."""
    request_id = answer["requestrocket-request-id"]
    headers = [(name, value.replace(request_id, "ID")) for name, value in answer.headers if name != "Date"]
    return answer.status, answer.reason, headers, answer.body.replace(request_id.encode(), b"ID")


WRONG: list[tuple[str, list[tuple[str, str]], str]] = [
    ("nothing", [], ""),
    ("a wrong value", [("X-Api-Key", "wrong")], ""),
    ("an empty value", [("X-Api-Key", "")], ""),
    ("the beginning", [("X-Api-Key", KEY[:-1])], ""),
    ("more than the value", [("X-Api-Key", KEY + "x")], ""),
    ("another case", [("X-Api-Key", KEY.upper())], ""),
    ("the value under another name", [("X-Key", KEY)], ""),
    ("a wrong parameter", [], "?Authorization=wrong"),
    ("two different headers", [("X-Api-Key", KEY), ("X_Api_Key", "wrong")], ""),
    ("header and parameter that differ", [("X-Api-Key", KEY)], "?Authorization=wrong"),
    ("two different parameters", [], f"?Authorization={KEY}&X-Api-Key=wrong"),
    ("a byte that is no text", [("X-Api-Key", "\xff")], ""),
]


@pytest_twisted.ensureDeferred
async def test_whatever_is_wrong_with_a_credential_looks_the_same(gateway: RunningGateway, target: Counted) -> None:
    proxy = await gateway.proxy(target.url)
    answers = {
        what: await gateway.call(proxy, "GET", "/p" + query, headers, key=None) for what, headers, query in WRONG
    }
    assert (await gateway.call(proxy)).status == 200
    changes: list[tuple[str, dict[str, Any]]] = [
        ("an inactive one", {"credentialActive": False}),
        ("an expired one", {"credentialActive": True, "credentialExpiresAt": _in(seconds=-1)}),
    ]
    for what, change in changes:
        await gateway.change("credentials", proxy.caller_credential, **change)
        answers[what] = await gateway.call(proxy)
        answers[f"{what}, and a wrong value"] = await gateway.call(proxy, key="wrong")
    await gateway.delete("credentials", proxy.caller_credential)
    answers["a deleted one"] = await gateway.call(proxy)
    first = answers["nothing"]
    assert (first.status, first.code) == (401, "proxy-access-denied")
    assert first["requestrocket-proxy-message"] == "Invalid proxy credential"
    assert first.every("WWW-Authenticate") == ['Bearer realm="rrgate"', 'Basic realm="rrgate", charset="UTF-8"']
    assert first.json == {
        "error": "Unauthorized",
        "message": "Invalid proxy credential",
        "requestId": first["requestrocket-request-id"],
    }
    assert {what: without_ids(answer) for what, answer in answers.items()} == dict.fromkeys(
        answers, without_ids(first)
    )
    assert target.requests == 1


def _in(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest_twisted.ensureDeferred
async def test_a_credential_expires_by_itself(gateway: RunningGateway, target: Counted) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.change("credentials", proxy.caller_credential, credentialExpiresAt=_in(seconds=0.5))
    assert (await gateway.call(proxy)).status == 200
    await in_thread(time.sleep, 0.5)
    assert (await gateway.call(proxy)).status == 401


@pytest_twisted.ensureDeferred
async def test_a_credential_of_one_proxy_is_none_of_anothers(gateway: RunningGateway, target: Counted) -> None:
    ours = await gateway.proxy(target.url)
    theirs = await gateway.proxy(target.url, caller=("apiKey", {"key": "X-Api-Key", "value": "another"}))
    assert (await gateway.call(theirs)).status == 401
    assert (await gateway.call(ours, key="another")).status == 401
    assert (await gateway.call(theirs, key="another")).status == 200


@pytest.mark.parametrize(
    ("kind", "part", "changes", "status", "code"),
    [
        ("proxies", "id", {"proxyActive": False}, 503, "unavailable"),
        ("credentials", "target_credential", {"credentialActive": False}, 503, "unavailable"),
        ("credentials", "target_credential", {"credentialExpiresAt": "2001-01-01T00:00:00Z"}, 503, "unavailable"),
        ("proxies", "id", None, 404, "proxy-access-denied"),
        ("credentials", "target_credential", None, 503, "unavailable"),
        ("targets", "target", None, 503, "unavailable"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_switched_off_or_deleted_serves_nobody_at_once(
    gateway: RunningGateway,
    target: Counted,
    kind: str,
    part: str,
    changes: dict[str, Any] | None,
    status: int,
    code: str,
) -> None:
    proxy = await gateway.proxy(target.url)
    assert (await gateway.call(proxy)).status == 200
    if changes is None:
        await gateway.delete(kind, getattr(proxy, part))
    else:
        await gateway.change(kind, getattr(proxy, part), **changes)
    answer = await gateway.call(proxy)
    assert (answer.status, answer.code) == (status, code)
    assert ("Retry-After" in answer) is (status == 503)
    # Who shows nothing is not told what is switched off.
    assert (await gateway.call(proxy, key="wrong")).status == (404 if status == 404 else 401)
    assert target.requests == 1


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_404(gateway: RunningGateway) -> None:
    def ask(path: str) -> Answer:
        with Caller(gateway.address) as caller:
            return caller.call("GET", path)

    for path in ("/", "/api", "/api/", "/api/nothing", "/api//x", "/clients", "/openapi.json", "/oauth2/start/x"):
        answer = await in_thread(ask, path)
        assert (answer.status, answer.code) == (404, "proxy-access-denied"), path
    for path in ("/healthz", "/readyz"):
        assert (await in_thread(ask, path)).status == 200


@pytest_twisted.ensureDeferred
async def test_who_names_no_proxy_is_in_the_operators_log_without_the_path(gateway: RunningGateway) -> None:
    said: list[Any] = []
    globalLogPublisher.addObserver(said.append)
    try:
        with Caller(gateway.address) as caller:
            answer = await in_thread(caller.call, "GET", "/api/nobody/what-may-be-secret")
    finally:
        globalLogPublisher.removeObserver(said.append)
    request_id = answer["requestrocket-request-id"]
    (line,) = (eventAsText(event) for event in said if request_id in eventAsText(event))
    assert "127.0.0.1 names no proxy" in line
    assert not any("what-may-be-secret" in eventAsText(event) for event in said)


@pytest_twisted.ensureDeferred
async def test_a_proxy_of_another_region_is_not_here(tmp_path: Any, target: Counted) -> None:
    elsewhere = RunningGateway.start(tmp_path / "state", regions=["eu-west-1"])
    try:
        proxy = await elsewhere.proxy(target.url)
        nobody = await elsewhere.call(evolve(proxy, id="00000000-0000-4000-8000-000000000000"))
        answer = await elsewhere.call(proxy)
        assert without_ids(answer) == without_ids(nobody)
        assert answer.status == 404
    finally:
        await elsewhere.stop()
    assert target.requests == 0


@pytest_twisted.ensureDeferred
async def test_an_alias_without_client_is_that_of_the_default_client(tmp_path: Any, target: Counted) -> None:
    first = RunningGateway.start(tmp_path / "state")
    proxy = await first.proxy(target.url, proxyAlias="pay")
    await first.stop()
    again = RunningGateway(RunningGateway.open(tmp_path / "state", default_client=first.client), first.first)
    try:
        for address in ("pay", f"{first.client}/pay", proxy.id):
            answer = await again.call(evolve(proxy, id=address), "GET", "/x")
            assert (answer.status, answer.body) == (200, b"reached"), address
    finally:
        await again.stop()


@pytest.mark.parametrize("hops", ["3", "99", "x", "-1", "3000"])
@pytest_twisted.ensureDeferred
async def test_what_has_come_through_here_thrice_is_508(gateway: RunningGateway, target: Counted, hops: str) -> None:
    proxy = await gateway.proxy(target.url)
    answer = await gateway.call(proxy, "GET", "/", {"requestrocket-hops": hops})
    assert (answer.status, answer.code) == (508, "bad-request")
    assert target.requests == 0


@pytest_twisted.ensureDeferred
async def test_each_pass_is_counted(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        for sent, expected in (([], "1"), ([("Requestrocket_Hops", "1")], "2"), ([("requestrocket-hops", "2")], "3")):
            answer = await gateway.call(proxy, "GET", "/", sent)
            headers = [tuple(pair) for pair in answer.json["headers"] if "hops" in pair[0].lower()]
            assert headers == [("requestrocket-hops", expected)]


@pytest_twisted.ensureDeferred
async def test_our_own_listeners_are_never_dialled(gateway: RunningGateway) -> None:
    for address in (gateway.address, gateway.core_address):
        proxy = await gateway.proxy(f"http://127.0.0.1:{address[1]}")
        answer = await gateway.call(proxy, "GET", "/healthz")
        assert (answer.status, answer.code) == (502, "target-unreachable")


@pytest.mark.parametrize("base", ["http://10.255.255.1:81", "http://169.254.169.254", "http://[::1]:9"])
@pytest_twisted.ensureDeferred
async def test_addresses_that_are_not_opened_are_502_at_once(gateway: RunningGateway, base: str) -> None:
    proxy = await gateway.proxy(base, towards=("none", {}))
    begun = time.monotonic()
    answer = await gateway.call(proxy)
    assert (answer.status, answer.code) == (502, "target-unreachable")
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/%2e%2e/x", "/a%2F..%2Fb", "//x", "/%00", "/%5Cx", "/a\\b", "/%4"])
@pytest_twisted.ensureDeferred
async def test_paths_that_mean_something_else_to_others_are_400(
    gateway: RunningGateway, target: Counted, path: str
) -> None:
    answer = await gateway.call(await gateway.proxy(target.url), "GET", path)
    assert (answer.status, answer.code) == (400, "bad-request")
    assert target.requests == 0


# Bodies of callers.

LIMIT = 100_000


@pytest_twisted.ensureDeferred
async def test_a_body_over_the_limit_that_is_announced_is_413_before_it_comes(
    gateway: RunningGateway, target: Counted
) -> None:
    proxy = await gateway.proxy(target.url, proxyMaxRequestBytes=LIMIT)

    def announce() -> tuple[Answer, bytes]:
        with Caller(gateway.address) as caller:
            head = f"POST {proxy.path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\n"
            caller.socket.sendall(f"{head}Content-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n".encode())
            return caller.answer(), caller.rest()

    answer, rest = await in_thread(announce)
    assert (answer.status, answer.code) == (413, "request-too-large")
    assert answer["Connection"] == "close"
    assert rest == b""
    assert (await gateway.call(proxy, "POST", "/", body=b"x" * LIMIT)).status == 200
    assert (await gateway.call(proxy, "POST", "/", body=b"x" * (LIMIT + 1))).status == 413
    assert target.requests == 1


@pytest_twisted.ensureDeferred
async def test_a_chunked_body_over_the_limit_is_413_when_it_passes_it(
    gateway: RunningGateway, target: Counted
) -> None:
    proxy = await gateway.proxy(target.url, proxyMaxRequestBytes=LIMIT)
    for size in (LIMIT, LIMIT + 1, 10 * LIMIT):
        answer = await gateway.call(proxy, "POST", "/", body=[b"x" * 10_000] * (size // 10_000) + [b"x"] * (size % 10))
        if size == LIMIT:
            assert answer.status == 200
        else:
            assert (answer.status, answer.code) == (413, "request-too-large")
            assert answer["Connection"] == "close"
    assert target.requests == 1


@pytest_twisted.ensureDeferred
async def test_who_expects_a_continue_is_told_when_the_body_is_wanted(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)

        def ask(key: str) -> tuple[bytes, Answer]:
            with Caller(gateway.address) as caller:
                head = f"POST {proxy.path} HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {key}\r\n"
                caller.socket.sendall(f"{head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
                told = b""
                if key == KEY:
                    told = caller.socket.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n"))
                    caller.socket.sendall(b"hello")
                return told, caller.answer()

        told, answer = await in_thread(ask, KEY)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (answer.status, answer.json["body"]) == (200, "hello")
        assert not [pair for pair in answer.json["headers"] if pair[0].lower() == "expect"]
        told, answer = await in_thread(ask, "wrong")
        assert answer.status == 401
