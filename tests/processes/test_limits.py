"""Two gateways on one state, hammered on 32 connections: exactly what the limits allow is let through.

Belongs here: whole processes, one of which is killed. Does not: what the counters do (tests/counters/).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from threading import Event

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.cli.init import FirstUser, create_state
from rrgate.model import Configuration
from rrgate.store import Store
from tests.callers import Address, Caller, in_thread
from tests.processes.twistd import Twistd
from tests.running_gateway import KEY, MadeProxy
from tests.targets import Connection, Target

CONNECTIONS = 32
CLIENTS_LIMIT = 100
NARROW = 30


class Counting(Target):
    """Answers, and counts what it is asked, by path."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        super().__init__(self._serve_counted)

    def _serve_counted(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.asked[request.path] += 1
            connection.answer(b"ok")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "state"


def state(data: Path, **limits: int) -> FirstUser:
    """A new state, whose client has these limits."""
    made = create_state(data)
    with closing(Store.open(data)) as store:
        (client,) = store.load().clients
        store.save(evolve(client, configuration=Configuration(**limits)))
    return made


@pytest.fixture
def target() -> Iterator[Counting]:
    with Counting() as target:
        yield target


def wait_for_the_next(window: int) -> None:
    """Wait until a window of so many seconds begins."""
    time.sleep(window - time.time() % window)


def hammer(addresses: Sequence[Address], proxies: Sequence[MadeProxy], enough: Callable[[Counter[int]], bool]) -> None:
    """Call the proxies by turns, on as many connections, until each has had `enough` or its gateway is gone."""

    def calls(number: int) -> None:
        seen: Counter[int] = Counter()
        try:
            with closing(Caller(addresses[number % len(addresses)])) as caller:
                turn = number
                while not enough(seen):
                    turn += 1
                    path = proxies[turn % len(proxies)].path
                    seen[caller.call("GET", f"{path}/{turn % len(proxies)}", {"X-Api-Key": KEY}).status] += 1
        except (OSError, HTTPException):
            pass

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(calls, range(CONNECTIONS)))


async def two_proxies(gateway: Twistd, first: FirstUser, target: Target) -> list[MadeProxy]:
    """One with the client's limit alone, and one with a smaller one of its own."""
    client = gateway.client(first)
    limits = {"proxyMaxRequestsPerMinute": None, "proxyMaxRequestsPerDay": None}
    wide = await client.proxy(target.url, **limits)
    return [wide, await client.proxy(target.url, **{**limits, "proxyMaxRequestsPerDay": NARROW})]


@pytest_twisted.ensureDeferred
async def test_two_gateways_let_exactly_as_many_through(data: Path, target: Counting) -> None:
    first = state(data, limit_per_minute=CLIENTS_LIMIT)
    with Twistd(data).ready() as one:
        proxies = await two_proxies(one, first, target)
        with Twistd(data).ready() as other:
            addresses = [each.client(first).address for each in (one, other)]
            narrow = 0
            while True:
                minute = time.time() // 60
                target.asked.clear()
                await in_thread(hammer, addresses, proxies, lambda seen: seen[429] >= 20)
                if time.time() // 60 == minute:
                    break
                # What was begun in one minute went on in the next. Of the day's limit it is used up.
                narrow += target.asked["/1"]
                await in_thread(wait_for_the_next, 60)
            assert sum(target.asked.values()) == CLIENTS_LIMIT
            # What this one refused was not counted for the client, and it has let through all that it may.
            assert narrow + target.asked["/1"] == NARROW


@pytest_twisted.ensureDeferred
async def test_neither_does_one_that_is_killed_let_more_through(data: Path, target: Counting) -> None:
    first = state(data, limit_per_day=CLIENTS_LIMIT)
    if time.time() % 86400 > 86100:
        await in_thread(wait_for_the_next, 86400)
    killed = Event()
    with Twistd(data).ready() as one:
        proxies = await two_proxies(one, first, target)
        other = Twistd(data).ready()
        addresses = [each.client(first).address for each in (one, other)]

        def enough(seen: Counter[int]) -> bool:
            if sum(target.asked.values()) > CLIENTS_LIMIT // 3 and not killed.is_set():
                killed.set()
                other.process.kill()
            return seen[429] >= 20

        try:
            await in_thread(hammer, addresses, proxies, enough)
        finally:
            other.process.kill()
            other.process.wait()
        assert killed.is_set()
        # What the dead one had counted, and not yet sent, nobody gets.
        asked = sum(target.asked.values())
        assert CLIENTS_LIMIT - CONNECTIONS // 2 <= asked <= CLIENTS_LIMIT
    # One that is started anew, by itself, knows what was counted.
    with Twistd(data).ready() as again:
        wide = [proxies[0]]
        await in_thread(hammer, [again.client(first).address], wide, lambda seen: seen[429] >= 1)
    assert sum(target.asked.values()) == asked
