"""What stays is kept from the garbage collector, and looked through again when the process has grown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rrgate.settled import FULL, YOUNG, Settled


class Collector:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[str, dict[str, int]], Any]] = []
        self.asked: list[str] = []
        self.thresholds = (700, 10, 10)

    def get_threshold(self) -> tuple[int, int, int]:
        return self.thresholds

    def set_threshold(self, *thresholds: int) -> None:
        young, older, oldest = thresholds
        self.thresholds = young, older, oldest

    def freeze(self) -> None:
        self.asked.append("freeze")

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")

    def collects(self, generation: int) -> list[str]:
        """What it is asked for by a collection."""
        self.asked.clear()
        for phase in ("start", "stop"):
            for each in self.callbacks:
                each(phase, {"generation": generation})
            if phase == "start":
                assert not self.asked, "nothing may move while it looks"
        return list(self.asked)


def test_what_is_there_stays() -> None:
    collector = Collector()
    Settled(collector, lambda: 100_000).begin()
    assert collector.asked == ["freeze"]


def test_the_young_are_looked_through_less_often_and_the_others_in_proportion() -> None:
    collector = Collector()
    Settled(collector, lambda: 100_000).begin()
    assert collector.thresholds == (YOUNG, 10, 10)


def test_what_a_full_collection_leaves_stays_and_no_other_does() -> None:
    collector = Collector()
    Settled(collector, lambda: 100_000).begin()
    assert [collector.collects(generation) for generation in (0, 1)] == [[], []]
    assert collector.collects(FULL) == ["freeze"]
    assert collector.collects(FULL) == ["freeze"]


def test_all_is_looked_through_once_when_the_process_has_grown_by_half() -> None:
    peak = 400_000
    collector = Collector()
    Settled(collector, lambda: peak).begin()
    peak = 599_999
    assert collector.collects(FULL) == ["freeze"]
    peak = 600_000
    assert collector.collects(FULL) == ["unfreeze"]
    assert collector.collects(FULL) == ["freeze"]
    peak = 899_999
    assert collector.collects(FULL) == ["freeze"]
    peak = 900_000
    assert collector.collects(FULL) == ["unfreeze"]


PROGRAM = """
import gc
from rrgate.settled import Settled

class Cycle:
    def __init__(self):
        self.itself = self

def looked_through():
    return sum(isinstance(each, Cycle) for each in gc.get_objects())

gc.disable()
known = 1
settled = Settled(peak=lambda: known)
before = [Cycle() for _ in range(100)]
settled.begin()
assert looked_through() == 0
later = [Cycle() for _ in range(100)]
assert looked_through() == 100
gc.collect()
assert looked_through() == 0, "they stay"
del before, later  # garbage, that nobody looks at
assert gc.collect() == 0
known = 1 << 40
gc.collect()
assert looked_through() == 200
assert gc.collect() >= 200
assert looked_through() == 0
"""


def test_the_real_collector_is_kept_from_it() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
