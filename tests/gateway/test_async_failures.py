"""Asynchronous requests to targets that fail, over sockets: what is tried again, what is final, and when.

Belongs here: each way in which a target can fail. Does not: waits and windows in detail (tests/delivery/), a gateway
that is killed (tests/processes/).
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.callers import call, in_thread
from tests.certificates import Authority
from tests.gateway.test_odd_targets import OK, says
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target, closed_port

PUBLISHED = (408, 429, 500, 502, 503, 504, 507, 509, *range(520, 527), 530, 598, 599)
FINAL = (
    *(200, 201, 204, 301, 302, 304, 400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 412, 413, 415, 422, 425, 428),
    *(430, 451, 499, 501, 505, 506, 508, 510, 511, 519, 527, 529, 531, 561, 597),
)
SOON = {"base": 0.01, "cap": 0.02}
Serve = Callable[[Connection], object]


async def send(gateway: RunningGateway, proxy: MadeProxy, path: str = "/work") -> str:
    where = f"/async/{proxy.id}{path}"
    told = await in_thread(call, gateway.address, "POST", where, [("X-Api-Key", KEY)], b"load")
    assert told.status == 202, told.body
    return str(told.json["requestId"])


async def ended(gateway: RunningGateway, proxy: MadeProxy, request_id: str) -> Any:
    """The request's status, once it has ended."""
    from twisted.internet import reactor

    where = f"/async/{proxy.id}/.requests/{request_id}"
    for _ in range(1000):
        told = await in_thread(call, gateway.address, "GET", where, [("X-Api-Key", KEY)])
        if told.json["endedAt"] is not None:
            return told.json
        await deferLater(reactor, 0.02)  # type: ignore[arg-type]
    raise AssertionError(told.json)


async def delivered(gateway: RunningGateway, proxy: MadeProxy, path: str = "/work") -> Any:
    return await ended(gateway, proxy, await send(gateway, proxy, path))


def statuses(told: Any) -> list[int]:
    return [attempt["status"] for attempt in told["attempts"]]


class ByPath(Target):
    """Answers what the path says, `/503`, so many `times`, and then 200; keeps when each came."""

    def __init__(self, times: int, retry_after: Callable[[], object] | None = None) -> None:
        self.came: Counter[str] = Counter()
        self.at: list[float] = []
        self._times, self._retry_after = times, retry_after
        super().__init__(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.came[request.path] += 1
            self.at.append(time.monotonic())
            status = int(request.path[1:]) if self.came[request.path] <= self._times else 200
            if status in (204, 304):
                connection.send(f"HTTP/1.1 {status} X\r\n\r\n".encode())
            else:
                waits = self._retry_after is not None and status != 200
                fields = [f"Retry-After: {self._retry_after()}"] if waits else []
                connection.answer(b"told", f"{status} X", *fields)


@pytest_twisted.ensureDeferred
async def test_each_transient_status_is_tried_again_and_no_other(gateway: RunningGateway) -> None:
    with ByPath(3) as target:
        proxy = await gateway.proxy(target.url, proxyRetryPolicy=SOON)
        every = [*PUBLISHED, *FINAL]
        ids = [await send(gateway, proxy, f"/{status}") for status in every]
        told = {status: await ended(gateway, proxy, id) for status, id in zip(every, ids, strict=True)}
    assert {status: statuses(told[status]) for status in PUBLISHED} == {
        status: [status, status, status, 200] for status in PUBLISHED
    }
    assert {status: statuses(told[status]) for status in FINAL} == {status: [status] for status in FINAL}
    states = {status: told[status]["status"] for status in every}
    assert states == {
        status: "succeeded" if status in PUBLISHED or status < 400 else "failed" for status in every
    }
    assert told[503]["answer"]["body"] == "told"


@pytest_twisted.ensureDeferred
async def test_a_target_is_left_alone_for_as_long_as_it_says(gateway: RunningGateway) -> None:
    with (
        ByPath(1, lambda: 1) as seconds,
        ByPath(1, lambda: formatdate(time.time() + 2, usegmt=True)) as date,
        ByPath(99, lambda: 86400) as beyond,
    ):
        proxies = [
            await gateway.proxy(seconds.url, proxyRetryPolicy=SOON),
            await gateway.proxy(date.url, proxyRetryPolicy=SOON),
            await gateway.proxy(beyond.url, proxyRetryPolicy={**SOON, "window": 2}),
        ]
        working = [Deferred.fromCoroutine(delivered(gateway, proxy, "/503")) for proxy in proxies]
        one, two, three = await gatherResults(working)
    assert [told["status"] for told in (one, two, three)] == ["succeeded", "succeeded", "exhausted"]
    assert seconds.at[1] - seconds.at[0] >= 1
    assert two["attempts"][0]["wait"] > 0.02, "a date, whole seconds away"
    assert date.at[1] - date.at[0] > 0.9, "and it is kept to; what is less than a second is not in a date"
    # Once more before the window's end, and never again.
    assert statuses(three) == [503, 503]
    assert beyond.came["/503"] == 2


def first(fault: Serve) -> Serve:
    """So on the first connection, and well on all others."""
    at_fault = [fault]

    def serve(connection: Connection) -> None:
        if at_fault:
            at_fault.pop()(connection)
        else:
            connection.request()
            connection.answer(b"whole")

    return serve


def half_closes(connection: Connection) -> None:
    connection.request()
    connection.socket.shutdown(socket.SHUT_WR)
    connection.closed_by_peer()


FAULTS: dict[str, Serve] = {
    "closes at once": lambda connection: None,
    "closes after the request": says(""),
    "resets at once": lambda connection: connection.reset(),
    "resets after the request": says("", reset=True),
    "resets inside the answer": says(f"{OK}Content-Length: 9\r\n\r\nhal", reset=True),
    "half-closes instead of an answer": half_closes,
    "closes inside the head": says(f"{OK}Content-Le"),
    "closes inside the answer": says(f"{OK}Content-Length: 9\r\n\r\nhalf"),
    "breaks a chunk": says(f"{OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"),
    "closes before the last chunk": says(f"{OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    "says nothing of HTTP": says("SSH-2.0-OpenSSH_9.2p1\r\n"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest_twisted.ensureDeferred
async def test_what_gives_no_whole_answer_is_tried_again(gateway: RunningGateway, fault: str) -> None:
    with Target(first(FAULTS[fault])) as target:
        proxy = await gateway.proxy(target.url, proxyRetryPolicy=SOON)
        told = await delivered(gateway, proxy)
    assert (told["status"], statuses(told)) == ("succeeded", [502, 200])
    assert told["attempts"][0]["error"].startswith("Bad gateway")
    assert told["answer"]["body"] == "whole"


@pytest_twisted.ensureDeferred
async def test_a_target_that_hangs_is_cut_off_and_tried_again(gateway: RunningGateway) -> None:
    with Target(first(lambda connection: connection.closed_by_peer())) as target:
        proxy = await gateway.proxy(target.url, target={"targetTimeout": 1}, proxyRetryPolicy=SOON)
        told = await delivered(gateway, proxy)
    assert (told["status"], statuses(told)) == ("succeeded", [504, 200])


@pytest_twisted.ensureDeferred
async def test_where_nobody_listens_it_is_a_dead_letter(gateway: RunningGateway) -> None:
    proxy = await gateway.proxy(f"http://127.0.0.1:{closed_port()}", proxyRetryPolicy={**SOON, "maxRetries": 2})
    told = await delivered(gateway, proxy)
    assert (told["status"], statuses(told)) == ("exhausted", [502, 502, 502])


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_nobody_trusts_is_never_spoken_to(gateway: RunningGateway, tmp_path: Path) -> None:
    asked = []

    def serve(connection: Connection) -> None:
        asked.append(connection.request())

    with Target(serve, tls=Authority("nobody knows it").server_context("localhost", tmp_path)) as target:
        proxy = await gateway.proxy(target.url, proxyRetryPolicy={**SOON, "maxRetries": 2})
        told = await delivered(gateway, proxy)
    assert (told["status"], statuses(told), asked) == ("exhausted", [502, 502, 502], [])
