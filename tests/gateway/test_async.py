"""The Async API of a whole gateway, through its Core API: what is asked of requests over HTTP happens.

Belongs here: cancelling, replaying, lists and details, notifications, over sockets. Does not: states and waits
(tests/delivery/), processes that are killed (tests/processes/).
"""

from __future__ import annotations

import time
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from tests.callers import call, in_thread
from tests.plugins.jwt.signing import CLAIMS, SECRET, hs, token
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

BODY = b"a-body-nobody-should-find-on-disk-0002"


class Fickle(Target):
    """Answers `status`, whatever it is then; keeps the bodies."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.bodies: list[bytes] = []
        super().__init__(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.bodies.append(received.body)
            connection.answer(b"the answer", self.status)


async def send(gateway: RunningGateway, proxy: MadeProxy, *headers: tuple[str, str], method: str = "POST") -> str:
    gateway.search.know("a body", BODY.decode())
    told = await in_thread(
        call, gateway.address, method, f"/async/{proxy.id}/work", [("X-Api-Key", KEY), *headers], BODY
    )
    assert told.status == 202, told.body
    return str(told.json["requestId"])


def of(proxy: MadeProxy, request_id: str, action: str = "") -> str:
    return f"/clients/{proxy.client}/proxies/{proxy.id}/requests/{request_id}{action}"


async def comes_to(gateway: RunningGateway, proxy: MadeProxy, request_id: str, state: str) -> Any:
    """The request's detail once it has ended so."""
    from twisted.internet import reactor

    for _ in range(500):
        told = await gateway.record(proxy, request_id)
        if told["delivery"]["state"] == state and told["processed"]:
            return told
        await deferLater(reactor, 0.01)  # type: ignore[arg-type]
    raise AssertionError(told["delivery"])


async def listed(gateway: RunningGateway, proxy: MadeProxy, state: str) -> list[str]:
    await gateway.gateway.journal.flush()
    told = await gateway.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}/requests?state={state}")
    return [record["sKey"] for record in told.json["requests"]]


@pytest_twisted.ensureDeferred
async def test_a_request_is_cancelled(gateway: RunningGateway) -> None:
    with Fickle() as target:
        proxy = await gateway.proxy(target.url)
        request_id = await send(gateway, proxy, ("requestrocket-delay", "3600"))
        assert await listed(gateway, proxy, "pending") == [request_id]
        assert await listed(gateway, proxy, "succeeded") == []
        told = await gateway.ask("POST", of(proxy, request_id, "/cancel"))
        assert told.status == 200, told.body
        assert told.json["requests"][0]["delivery"]["state"] == "cancelled"
        assert (await gateway.ask("POST", of(proxy, request_id, "/cancel"))).status == 409
        record = await gateway.record(proxy, request_id)
        assert (record["processed"], record["statusCode"], record["attempts"]) == (True, 499, 0)
        assert await listed(gateway, proxy, "pending") == []
        assert await listed(gateway, proxy, "failed") == [request_id]
        assert target.bodies == []


@pytest.mark.parametrize("how", ["one", "a time"])
@pytest_twisted.ensureDeferred
async def test_a_dead_letter_is_replayed(gateway: RunningGateway, how: str) -> None:
    with Fickle() as target:
        proxy = await gateway.proxy(target.url, proxyName="Pay", proxyRetryPolicy={"maxRetries": 0})
        target.status = "503 Service Unavailable"
        request_id = await send(gateway, proxy)
        record = await comes_to(gateway, proxy, request_id, "exhausted")
        assert (record["processed"], record["statusCode"]) == (True, 503)
        told = await gateway.ask("GET", f"/clients/{proxy.client}/notifications")
        messages = [each["message"] for each in told.json["notifications"]]
        text = f'The proxy "Pay" ({proxy.id}) has an asynchronous request that was not delivered, '
        assert [message.startswith(text) for message in messages].count(True) == 1
        target.status = "201 Created"
        if how == "one":
            told = await gateway.ask("POST", of(proxy, request_id, "/replay"))
        else:
            wanted = {"processedAfter": "2020-01-01", "states": ["exhausted"]}
            told = await gateway.ask("POST", of(proxy, "replay"), wanted)
            assert told.json["replayed"] == 1
        assert told.status == 200, told.body
        record = await comes_to(gateway, proxy, request_id, "succeeded")
        assert target.bodies == [BODY, BODY]
        assert [attempt["status"] for attempt in record["delivery"]["attempts"]] == [503, 201]
        assert record["statusCode"] == 201


@pytest_twisted.ensureDeferred
async def test_through_another_proxy_there_is_nothing(gateway: RunningGateway) -> None:
    with Fickle() as target:
        proxy, other = await gateway.proxy(target.url), await gateway.proxy(target.url)
        request_id = await send(gateway, proxy, ("requestrocket-delay", "3600"))
        for action in ("", "/cancel", "/replay"):
            method = "POST" if action else "GET"
            assert (await gateway.ask(method, of(other, request_id, action))).status == 404
        wanted = {"processedAfter": "2020-01-01"}
        assert (await gateway.ask("POST", of(other, "replay"), wanted)).json["replayed"] == 0
        assert (await gateway.record(proxy, request_id))["delivery"]["state"] == "queued"


@pytest_twisted.ensureDeferred
async def test_two_callers_of_one_proxy_are_told_apart_by_their_tokens(gateway: RunningGateway) -> None:
    """As in tests/delivery/test_two_callers.py, with JSON Web Tokens, over sockets, on the disk."""
    with Fickle() as target:
        caller = ("jwtVerify", {"sharedSecret": SECRET, "audience": "us"})
        proxy = await gateway.proxy(target.url, caller=caller)

        async def ask(subject: str, method: str, path: str, body: bytes | None = None, *more: tuple[str, str]) -> Any:
            said = {**CLAIMS, "exp": time.time() + 600, "sub": subject}
            shown = ("Authorization", f"Bearer {token({'alg': 'HS256'}, said, hs()).decode()}")
            return await in_thread(call, gateway.address, method, f"/async/{proxy.id}{path}", [shown, *more], body)

        ids = {}
        for subject in ("ann", "bob"):
            told = await ask(subject, "POST", "/work", subject.encode(), ("Idempotency-Key", "order-7"))
            assert told.status == 202, told.body
            ids[subject] = told.json["requestId"]
            await comes_to(gateway, proxy, ids[subject], "succeeded")
        again = await ask("bob", "POST", "/work", b"bob", ("Idempotency-Key", "order-7"))
        assert again.json["requestId"] == ids["bob"], "a new token of his is still he"
        assert ids["ann"] != ids["bob"]
        assert sorted(target.bodies) == [b"ann", b"bob"]
        for subject in ids:
            for whose, request_id in ids.items():
                told = await ask(subject, "GET", f"/.requests/{request_id}")
                assert told.status == (200 if subject == whose else 404)
                for method in ("DELETE", "POST"):
                    assert (await ask(subject, method, f"/.requests/{request_id}", b"")).status in (404, 405)


@pytest_twisted.ensureDeferred
async def test_the_metrics_tell_of_the_queue(gateway: RunningGateway) -> None:
    async def figures() -> dict[str, float]:
        text = gateway.gateway.metrics.text().decode()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in text.splitlines())
            if name.startswith("rrgate_async")
        }

    before = await figures()
    with Fickle() as target:
        proxy = await gateway.proxy(target.url, proxyRetryPolicy={"maxRetries": 0})
        target.status = "503 Service Unavailable"
        dead = await send(gateway, proxy)
        target_dead = await comes_to(gateway, proxy, dead, "exhausted")
        assert target_dead["statusCode"] == 503
        target.status = "200 OK"
        late = await send(gateway, proxy, ("requestrocket-delay", "3600"))
        await comes_to(gateway, proxy, await send(gateway, proxy), "succeeded")
        after = await figures()
        grown = {name: after[name] - before.get(name, 0) for name in after}
        assert grown['rrgate_async_attempts_total{of="request",state="exhausted"}'] == 1
        assert grown['rrgate_async_attempts_total{of="request",state="succeeded"}'] == 1
        assert grown["rrgate_async_waiting_requests"] >= 1
        assert grown["rrgate_async_waiting_bytes"] >= len(BODY)
        assert (after["rrgate_async_paused"], after["rrgate_async_attempts_in_flight"]) == (0, 0)
        assert 0 <= after["rrgate_async_oldest_seconds"] < 60
        await gateway.ask("POST", of(proxy, late, "/cancel"))


@pytest_twisted.ensureDeferred
async def test_the_retry_plan_is_explained(gateway: RunningGateway) -> None:
    async def plan(proxy: MadeProxy, **described: Any) -> Any:
        told = await gateway.ask("POST", f"/clients/{proxy.client}/proxies/{proxy.id}/explain", described)
        assert told.status == 200, told.body
        return told.json["explain"]["retryPlan"]

    policy = {"base": 2, "factor": 3, "cap": 10, "maxRetries": 3, "window": 60, "statuses": [503, 429]}
    own = await gateway.proxy("http://127.0.0.1:1", proxyRetryPolicy=policy, proxyAutoIdempotencyKey=False)
    assert await plan(own, method="POST") == {
        "plugin": "backoff",
        "mostAttempts": 4,
        "window": 60,
        "longestWaits": [2, 6, 10],
        "statuses": [429, 503],
        "repeatedAfterCrash": False,
        "idempotencyKey": None,
    }
    keyed = await plan(own, method="POST", headers={"Idempotency-Key": "a"})
    assert (keyed["repeatedAfterCrash"], keyed["idempotencyKey"]) == (True, "caller")
    usual = await plan(await gateway.proxy("http://127.0.0.1:1"), method="PUT")
    assert (usual["mostAttempts"], usual["window"], usual["repeatedAfterCrash"]) == (11, 900, True)
    assert usual["longestWaits"] == [1, 2, 4, 8, 16, 32, 64, 128, 180, 180]
    assert usual["idempotencyKey"] == "request"
    await gateway.change("proxies", own.id, proxyActive=False)
    assert await plan(own) is None
