"""`Figures`: finished requests of this process, counted by status, by time taken on each leg, and by proxy.

Belongs here: counting. Does not: what is kept of requests (tally.py), the text that a scrape gets (exposition.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Final

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds; upper bounds of the histograms' buckets. What took longer is in a last one."""

BUSIEST: Final = 100
"""Proxies with a figure of their own: a label for each of ten thousand would drown whoever collects them."""


class Spread:
    """How long things took: how many in each bucket, and seconds in all."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add_all(self, other: Spread) -> None:
        """Count all that `other` has counted."""
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class Figures:
    """Counted on one thread, read on any: what is read may be a request behind, and is never torn."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.target_statuses: Counter[int] = Counter()
        self.proxy_times = Spread()
        self.target_times = Spread()
        self._by_proxy: Counter[str] = Counter()

    def had(self, numbers: Iterable[tuple[str, int]]) -> None:
        """These proxies had so many requests each. Called once a batch."""
        by_proxy = self._by_proxy
        for proxy_id, number in numbers:
            by_proxy[proxy_id] = by_proxy.get(proxy_id, 0) + number

    def ended(self, status: int, target_status: int, number: int) -> None:
        """So many requests ended like this, or, with `status` 0, attempts at asynchronous ones. `target_status`: 0 if
        none was sent. Called once a batch."""
        if status:
            self.statuses[status] += number
        if target_status:
            self.target_statuses[target_status] += number

    @classmethod
    def together(cls, counted: Iterable[Figures]) -> Figures:
        """What was counted on several threads."""
        all_of_it = cls()
        for each in counted:
            all_of_it.statuses.update(each.statuses.copy())
            all_of_it.target_statuses.update(each.target_statuses.copy())
            all_of_it.proxy_times.add_all(each.proxy_times)
            all_of_it.target_times.add_all(each.target_times)
            all_of_it._by_proxy.update(each._by_proxy.copy())
        return all_of_it

    def busiest(self) -> list[tuple[str, int]]:
        """The proxies with most requests since the start, and how many each had."""
        return self._by_proxy.most_common(BUSIEST)
