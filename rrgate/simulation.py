"""`simulate`: what would happen to asynchronous requests while their target is down, by the real delivery code.

Belongs here: the requests, the outage, and the account of it. Does not: delivery itself: accepting, turns, states, the
retry policy, and sending are those of a gateway in memory (rrgate/testing/), on a clock that is turned.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field, frozen

from rrgate.delivery.states import State
from rrgate.testing import MemoryGateway, Says
from rrgate.testing.messages import Received

STEPS: Final = 30
"""Rows of the account, about."""
_BUSY: Final = 503
_CALLER: Final = ("apiKey", {"key": "X-Api-Key", "value": "of the simulation"})


@frozen
class Scenario:
    """`outage`, `after`: seconds that the target fails, and for which requests go on coming then. `rate`: requests a
    second. `takes`: seconds of the target's for each. `policy`: `proxyRetryPolicy`."""

    seed: int
    rate: float
    outage: float
    after: float = 20.0
    takes: float = 0.05
    in_flight: int = 10
    policy: Mapping[str, Any] = field(factory=dict)
    begins: float = 10.0
    """Seconds until the outage."""

    @property
    def seconds(self) -> float:
        """For how long requests come."""
        return self.begins + self.outage + self.after


@define
class Step:
    """What happened up to a moment, seconds from the start. `taken`, `attempts`, `failed` are of this step alone."""

    until: float
    taken: int = 0
    attempts: int = 0
    failed: int = 0
    under_way: int = 0
    succeeded: int = 0
    exhausted: int = 0


@define
class Account:
    """What came of it. `waits`: seconds from being taken to the end, of those that succeeded, in order."""

    refused: int = 0
    steps: list[Step] = field(factory=list)
    waits: list[float] = field(factory=list)
    attempts: dict[int, int] = field(factory=dict)
    """How many requests took so many."""
    most_attempts: int = 0
    """In one second."""

    def wait(self, part: float) -> float:
        """The wait that this part of those that succeeded do not exceed; 0 where none did."""
        return self.waits[min(len(self.waits) - 1, int(part * len(self.waits)))] if self.waits else 0.0


def simulate(scenario: Scenario) -> Account:
    """The same for the same scenario. Takes the global source of chance, as retry policies do."""
    before = random.getstate()
    random.seed(scenario.seed)
    try:
        return _Simulation(scenario).run()
    finally:
        random.setstate(before)


class _Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = random.Random(scenario.seed)
        self._gateway = MemoryGateway(async_in_flight_per_target=scenario.in_flight)
        self._proxy = self._gateway.proxy(caller=_CALLER, proxyRetryPolicy=dict(scenario.policy))
        self._gateway.target.says = self._says
        self._account = Account()
        self._step = Step(0)
        self._in_second: dict[int, int] = {}

    def run(self) -> Account:
        scenario, clock = self._scenario, self._gateway.clock
        length = max(1.0, scenario.seconds / STEPS)
        length = float(next((each for each in (1, 2, 5, 10, 30, 60, 300, 900) if each >= length), 3600))
        came = self._chance.expovariate(scenario.rate)
        end = length
        while True:
            while came <= min(end, scenario.seconds):
                clock.advance(came - clock.seconds())
                self._take()
                came += self._chance.expovariate(scenario.rate)
            clock.advance(end - clock.seconds())
            self._close(end)
            if end >= scenario.seconds and not self._account.steps[-1].under_way:
                break
            if end >= scenario.seconds:
                length *= 2  # what is left comes to its end more and more slowly
            end += length
        self._gateway.stop()
        return self._told()

    def _is_down(self) -> bool:
        scenario, now = self._scenario, self._gateway.clock.seconds()
        return scenario.begins <= now < scenario.begins + scenario.outage

    def _says(self, _: Received) -> Says:
        down = self._is_down()
        second = int(self._gateway.clock.seconds())
        self._in_second[second] = self._in_second.get(second, 0) + 1
        self._step.attempts += 1
        self._step.failed += down
        return Says(_BUSY if down else 200, after=self._scenario.takes)

    def _take(self) -> None:
        caller = {"X-Api-Key": _CALLER[1]["value"]}
        call = self._gateway.call("POST", self._proxy, "/work", caller, b"load", api="async")
        answer = call.answer
        call.leave()
        if answer.status == 202:
            self._step.taken += 1
        else:
            self._account.refused += 1

    def _close(self, end: float) -> None:
        counts = dict(self._gateway.delivery.rows("SELECT state, count(*) FROM requests GROUP BY state"))
        step = self._step
        step.until = end
        step.succeeded, step.exhausted = counts.get("succeeded", 0), counts.get("exhausted", 0)
        step.under_way = sum(counts.get(state.value, 0) for state in (State.QUEUED, State.SENDING, State.WAITING))
        self._account.steps.append(step)
        self._step = Step(end)

    def _told(self) -> Account:
        account = self._account
        rows = self._gateway.delivery.rows("SELECT state, attempts, ended_at - accepted_at FROM requests")
        account.waits = sorted(wait / 1000 for state, _, wait in rows if state == State.SUCCEEDED.value)
        for _, attempts, _ in rows:
            account.attempts[attempts] = account.attempts.get(attempts, 0) + 1
        account.attempts = dict(sorted(account.attempts.items()))
        account.most_attempts = max(self._in_second.values(), default=0)
        return account
