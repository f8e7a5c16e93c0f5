"""Time that goes by while a gateway does not run, or is stopped: nothing is sent by two, and nothing hangs or vanishes.

Belongs here: whole processes. Does not: a wall clock that is set (tests/delivery/), kills (test_crash_points.py).
"""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.cli.init import FirstUser, create_state
from tests.callers import Answer, call, in_thread
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, GatewayClient, MadeProxy
from tests.targets import Connection, Target

TIMEOUT = 1


class Slow(Target):
    """Takes longer than its gateway waits for the first, and no time for others; keeps which attempts came."""

    def __init__(self) -> None:
        self.came: list[str] = []
        super().__init__(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.came += [f"{request.path} {number}" for number in request.every("requestrocket-attempt")]
            if self.came == ["/slow 1"]:
                time.sleep(2 * TIMEOUT)
            connection.answer(b"done", "503 Busy" if request.path == "/busy" else "200 OK")


@pytest.fixture
def target() -> Iterator[Slow]:
    with Slow() as running:
        yield running


@pytest.fixture
def first(tmp_path: Path) -> FirstUser:
    return create_state(tmp_path / "state")


async def ask(client: GatewayClient, proxy: MadeProxy, method: str, path: str, delay: int = 0) -> Answer:
    headers = [("X-Api-Key", KEY), *([("requestrocket-delay", str(delay))] if delay else [])]
    return await in_thread(call, client.address, method, f"/async/{proxy.id}{path}", headers)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await in_thread(time.sleep, 0.02)
    raise AssertionError("it never came")


async def ended(client: GatewayClient, proxy: MadeProxy, request_id: str) -> Any:
    for _ in range(600):
        told = await ask(client, proxy, "GET", f"/.requests/{request_id}")
        if told.json["endedAt"] is not None:
            return told.json
        await in_thread(time.sleep, 0.02)
    raise AssertionError(f"it did not end: {told.json}")


async def new_proxy(client: GatewayClient, target: Slow, **policy: Any) -> MadeProxy:
    limited = {"targetTimeout": TIMEOUT}
    return await client.proxy(target.url, target=limited, proxyAttemptHeader=True, proxyRetryPolicy=policy)


@pytest_twisted.ensureDeferred
async def test_one_that_is_stopped_and_goes_on_is_still_the_only_one_that_delivers(
    tmp_path: Path, target: Slow, first: FirstUser
) -> None:
    with Twistd(tmp_path / "state").ready() as one:
        client = one.client(first)
        proxy = await new_proxy(client, target, base=0.05, cap=0.05)
        with Twistd(tmp_path / "state").ready() as other:
            slow = await ask(client, proxy, "POST", "/slow")
            await until(lambda: target.came == ["/slow 1"])
            # Taken by the other one, which would know when its time is.
            later = await ask(other.client(first), proxy, "POST", "/later", delay=1)
            one.process.send_signal(signal.SIGSTOP)
            await in_thread(time.sleep, 1.5 * TIMEOUT)
            assert target.came == ["/slow 1"], "the other one does not own what is due"
            one.process.send_signal(signal.SIGCONT)
            for taken in (slow, later):
                told = await ended(client, proxy, taken.json["requestId"])
                assert told["status"] == "succeeded"
        assert sorted(target.came) == ["/later 1", "/slow 1", "/slow 2"], "no attempt came twice"


@pytest_twisted.ensureDeferred
async def test_after_a_day_without_a_gateway_what_waited_is_accounted_for(
    tmp_path: Path, target: Slow, first: FirstUser
) -> None:
    with Twistd(tmp_path / "state").ready() as one:
        client = one.client(first)
        proxy = await new_proxy(client, target, base=600, cap=600)
        taken = await ask(client, proxy, "POST", "/busy")
        later = await ask(client, proxy, "POST", "/later", delay=2 * 86_400)
        where = f"/.requests/{taken.json['requestId']}"
        while (await ask(client, proxy, "GET", where)).json["status"] != "waiting":
            await in_thread(time.sleep, 0.02)
        one.process.kill()
        one.process.wait()
    with closing(sqlite3.connect(tmp_path / "state" / "queue.db")) as queue, queue:
        queue.execute("UPDATE times SET offset = offset + 86400000")
    with Twistd(tmp_path / "state").ready() as again:
        client = again.client(first)
        told = await ended(client, proxy, taken.json["requestId"])
        assert told["status"] == "exhausted"
        assert target.came == ["/busy 1"]
        told = await ask(client, proxy, "GET", f"/.requests/{later.json['requestId']}")
        assert told.json["status"] == "queued", "its time has not come"
