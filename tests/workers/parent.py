"""`Parent`: a Supervisor on a clock that is turned, whose workers are told what happened to them by the test.

Belongs here: workers that are no processes. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from rrgate.workers.crew import Hand, Plan, Stage
from rrgate.workers.supervisor import Supervisor


class Process:
    """What a worker was told."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.told: list[dict[str, Any]] = []
        self.killed = False

    def send(self, say: str, **values: Any) -> None:
        self.told.append({"say": say, **values})

    def kill(self) -> None:
        self.killed = True


class Parent:
    """A supervisor with `workers`."""

    def __init__(self, workers: int = 2) -> None:
        self.clock = Clock()
        self.launched: list[Hand] = []
        self.failures: list[str] = []
        self.settled: list[Plan] = []
        self.freed: list[int] = []
        self.supervisor = Supervisor(
            self.clock,
            self._launch,
            freed=self.freed.append,
            failed=self.failures.append,
            settled=self.settled.append,
        )
        self.plan = Plan(workers, ("tcp:1",), 30.0)

    def _launch(self, hand: Hand) -> Process:
        self.launched.append(hand)
        return Process(100 + len(self.launched))

    def start(self) -> Parent:
        """Its first workers serve."""
        self.supervisor.start(self.plan)
        self.come_up()
        return self

    def come_up(self) -> None:
        """Those that were told to open are ready, and serve when they are told to."""
        for hand in self.at(Stage.OPENING):
            self.say(hand, "ready")
        for hand in self.at(Stage.SERVING):
            if "serving" not in self.told(hand):
                self.say(hand, "serving")

    def told(self, hand: Hand) -> list[str]:
        """What has been asked of `hand`, in order."""
        return [message["say"] for message in self.process(hand).told]

    def process(self, hand: Hand) -> Process:
        process: Any = hand.process
        made: Process = process
        return made

    def say(self, hand: Hand, say: str, **values: Any) -> None:
        """`hand` says it."""
        self.supervisor.heard(hand, {"say": say, **values})

    def end(self, hand: Hand, how: str = "signal SIGKILL") -> None:
        """`hand` dies."""
        self.supervisor.ended(hand, how)

    def at(self, *stages: Stage) -> list[Hand]:
        """The workers that are this far."""
        return [hand for hand in self.supervisor.hands if hand.stage in stages]

    def those(self, true: Callable[[Hand], bool]) -> list[Hand]:
        return [hand for hand in self.supervisor.hands if true(hand)]

    @property
    def leads(self) -> Hand:
        """The one that was asked to last, of those that live."""
        return max(self.those(lambda hand: "lead" in self.told(hand)), key=lambda hand: hand.number)
