"""A gateway that has too much to do: one proxy's callers wait for a target that hangs, and the others notice nothing.

Belongs here: what callers, the log and metrics see of it. Does not: the rule (tests/test_places.py), the connections
that go for others (tests/wire/test_crowd.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from threading import Event, Semaphore

import pytest
import pytest_twisted

from tests.callers import SECONDS, Answer, Caller, in_thread
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Target

HEADERS = {"X-Api-Key": KEY}


class Hanging(Target):
    """Answers `/slow` once it is told to go on, and all else at once."""

    def __init__(self) -> None:
        self.reached = Semaphore(0)
        self.go_on = Event()
        super().__init__(self._answer)

    def _answer(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if request.path == "/slow":
                self.reached.release()
                self.go_on.wait(SECONDS)
            connection.answer(b"ok")


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """Room for eight requests, and so for four of one proxy; and for as many connections."""
    running = RunningGateway.start(tmp_path_factory.mktemp("full") / "state", max_in_flight=8, max_connections=8)
    yield running
    await running.stop()


@pytest.fixture
def target() -> Iterator[Hanging]:
    with Hanging() as hanging:
        yield hanging
        hanging.go_on.set()


class Waiting:
    """Callers whose requests have reached their target, and wait there. Blocks."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self._stack = ExitStack()
        self._callers: list[Caller] = []

    def add(self, proxy: MadeProxy, target: Hanging, count: int = 1) -> None:
        for _ in range(count):
            caller = self._stack.enter_context(Caller(self._gateway.address))
            caller.send("GET", f"{proxy.path}/slow", HEADERS)
            assert target.reached.acquire(timeout=SECONDS)
            self._callers.append(caller)

    def leave(self) -> None:
        """The first of them closes its connection."""
        self._callers.pop(0).close()

    def answered(self, *targets: Hanging) -> list[int]:
        """Let the targets go on; what all are answered."""
        for target in targets:
            target.go_on.set()
        with self._stack:
            return [caller.answer().status for caller in self._callers]


def is_overload(answer: Answer) -> bool:
    return (answer.status, answer.code, answer["Retry-After"]) == (503, "overloaded", "1")


def shown(gateway: RunningGateway, bound: str) -> float:
    """What the metrics say of those who were refused."""
    text = gateway.gateway.metrics.text().decode()
    mark = f'rrgate_overload_refusals_total{{bound="{bound}"}} '
    return float(next(line for line in text.splitlines() if line.startswith(mark)).removeprefix(mark))


@pytest_twisted.ensureDeferred
async def test_a_target_that_hangs_takes_its_proxys_places_and_no_others(
    gateway: RunningGateway, target: Hanging
) -> None:
    slow, other = await gateway.proxy(target.url), await gateway.proxy(target.url)
    before = shown(gateway, "proxy")
    waiting = Waiting(gateway)
    await in_thread(waiting.add, slow, target, 4)
    answer = await gateway.call(slow)
    assert is_overload(answer)
    assert answer.json["message"] == "This proxy has too many requests under way"
    assert (await gateway.call(other)).status == 200
    assert await in_thread(waiting.answered, target) == [200] * 4
    assert (await gateway.call(slow)).status == 200
    statuses = [record["proxyData"]["status"] for record in await gateway.records(slow)]
    assert sorted(statuses) == [200] * 5 + [503]
    assert shown(gateway, "proxy") == before + 1
    assert gateway.gateway.boot.events["overloaded"]


@pytest_twisted.ensureDeferred
async def test_whoever_connects_to_a_full_gateway_is_told_so_at_once(gateway: RunningGateway) -> None:
    with Hanging() as first, Hanging() as second, Hanging() as third:
        waiting = Waiting(gateway)
        for target, count in ((first, 4), (second, 2), (second, 1), (third, 1)):
            await in_thread(waiting.add, await gateway.proxy(target.url), target, count)
        with Caller(gateway.address) as late:
            answer = await in_thread(late.answer)
        assert is_overload(answer)
        assert answer.json["message"] == "The gateway has as many connections as it takes"
        assert shown(gateway, "connections") == 1
        assert await in_thread(waiting.answered, first, second, third) == [200] * 8


@pytest_twisted.ensureDeferred
async def test_who_leaves_makes_room(gateway: RunningGateway, target: Hanging) -> None:
    proxy = await gateway.proxy(target.url)
    waiting = Waiting(gateway)
    await in_thread(waiting.add, proxy, target, 4)
    await in_thread(waiting.leave)
    for _ in range(1000):  # the gateway sees it a turn later
        if gateway.gateway.listener.in_flight == 3:
            break
        await in_thread(time.sleep, 0.02)
    await in_thread(waiting.add, proxy, target)
    assert await in_thread(waiting.answered, target) == [200] * 4
