"""`Counters`: taking from limits, all or none, and reading what was counted.

Belongs here: what is counted when. Does not: bytes and locks (memory.py), windows (calendar.py).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from rrgate.counters.calendar import Row, end_of, number_of, turned
from rrgate.counters.memory import COUNTS, KEY, Memory
from rrgate.counting_values import Counter, CountersError, Counts, Limit, Quota, Reached, Taken

_read = COUNTS.unpack_from


class Counters:
    """The counters of one node, as this process sees them. On the reactor's thread."""

    def __init__(self, memory: Memory, wall: Callable[[], float]) -> None:
        """`memory`: closed with this. `wall`: seconds since the epoch; its calendar is the one that counts."""
        self._memory: Memory | None = memory
        self._wall = wall
        self.joined = memory.joined
        """Whether another process of the node was there before this one."""

    @classmethod
    def alone(cls, wall: Callable[[], float]) -> Counters:
        """Counters that no other process sees, in no file."""
        return cls(Memory(None), wall)

    def counter(self, kind: str, id: str) -> Counter:
        """See `CountsRequests`."""
        memory = self._open()
        key = hashlib.blake2b(f"{kind} {id}".encode(), digest_size=KEY).digest()
        with memory.held():
            return _Counter(self, memory.place_of(key))

    def take(self, quotas: Sequence[Quota], *, only_look: bool = False) -> Taken | None:
        """See `CountsRequests`. About 1 µs, and 0.5 for each quota that counts."""
        memory = self._open()
        now = self._wall()
        minute = int(now // 60)
        refused: list[Reached] | None = None
        near: list[Reached] | None = None
        undo: list[Any] = []
        counted: list[tuple[int, Row]] = []
        memory.enter()
        try:
            rows = memory.rows
            for quota in quotas:
                place = quota.place
                row = _read(rows, place)
                if quota.counts:
                    undo += (place, *row)
                if row[0] != minute:
                    row = turned(row, minute)
                if quota.counts:
                    counted.append((place, row))
                for window, from_here, most, limit in quota.checks:
                    used = row[window]
                    if used >= from_here:
                        if used >= most:
                            refused = refused or []
                            refused.append(_reached(quota, row, used, limit, now))
                        else:
                            near = near or []
                            near.append(_reached(quota, row, used + quota.counts, limit, now))
            if refused is None and not only_look:
                memory.count(undo, counted, 1)
        finally:
            memory.mutex.release()
        if refused is not None:
            refused.sort(key=lambda reached: reached.seconds, reverse=True)
            return Taken(refused=tuple(refused))
        return None if near is None else Taken(near=tuple(near))

    def read(self, place: int) -> Counts:
        """What the counter at `place` has counted. Raises CountersError."""
        memory, minute = self._open(), int(self._wall() // 60)
        with memory.held():
            row: Row = _read(memory.rows, place)
        return Counts(*(row if row[0] == minute else turned(row, minute))[1:])

    def add(self, place: int, amount: float) -> None:
        """Count `amount` at `place`. Raises CountersError, ValueError."""
        if not math.isfinite(amount) or amount < 0:
            raise ValueError("what is counted must be finite, and not negative")
        memory, minute = self._open(), int(self._wall() // 60)
        with memory.held():
            before: Row = _read(memory.rows, place)
            row = before if before[0] == minute else turned(before, minute)
            memory.count([place, *before], [(place, row)], amount)

    def close(self) -> None:
        """Nothing is counted any more. May be called again."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    def _open(self) -> Memory:
        if self._memory is None:
            raise CountersError("the counters are closed")
        return self._memory


def _reached(quota: Quota, row: Row, used: float, limit: Limit, now: float) -> Reached:
    seconds = max(1, math.ceil(end_of(limit.window, row[0]) - now))
    return Reached(quota, limit, used, seconds, number_of(limit.window, row[0]))


@frozen(eq=False)
class _Counter:
    """See `rrgate.api.Counter`."""

    counters: Counters
    place: int

    def read(self) -> Counts:
        return self.counters.read(self.place)

    def add(self, amount: float) -> None:
        self.counters.add(self.place, amount)
