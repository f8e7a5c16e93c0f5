"""`Plan`: what a request of the torture is, and what the target says to it: all of it follows from a seed and a number.

Belongs here: choosing. Does not: sending it (load.py), answering it (target.py), judging what came of it (judging.py).
"""

from __future__ import annotations

import random
from typing import Final

from attrs import frozen

BREAKS_OFF: Final = 0
"""In the place of a status: the target closes the connection instead."""
TRANSIENT: Final = frozenset({BREAKS_OFF, 503})
"""After these there is another attempt."""
GOOD: Final = 200

_SAFE_TO_REPEAT: Final = frozenset({"GET", "PUT", "DELETE", "OPTIONS"})
_METHODS: Final = ("POST",) * 5 + ("PATCH",) + tuple(sorted(_SAFE_TO_REPEAT))
_ANSWERS: Final = (
    ((GOOD,),) * 13
    + ((503, GOOD),) * 3
    + ((503, BREAKS_OFF, GOOD),)
    + ((BREAKS_OFF, GOOD),)
    + ((404,), (503, 404))
)
_MOMENTS: Final = (0.0,) * 5 + (0.01, 0.05, 0.05, 0.1, 0.4)


@frozen
class Plan:
    """One request."""

    number: int
    """Of which its path and its body are made."""
    method: str
    key: str
    """The caller's `Idempotency-Key`, or nothing."""
    answers: tuple[int, ...]
    """Of the target, to each attempt that arrives; the last is for ever."""
    seconds: float
    """How long the target takes for each."""

    @classmethod
    def of(cls, seed: int, number: int) -> Plan:
        """The plan of that number."""
        chance = random.Random(f"{seed} {number}")
        method = chance.choice(_METHODS)
        keyed = method in ("POST", "PATCH") and chance.random() < 0.4
        key = f"key-{seed}-{number}" if keyed else ""
        return cls(number, method, key, chance.choice(_ANSWERS), chance.choice(_MOMENTS))

    @property
    def idempotent(self) -> bool:
        """By its method."""
        return self.method in _SAFE_TO_REPEAT

    @property
    def repeatable(self) -> bool:
        """It may be sent once more although it may have arrived."""
        return bool(self.key) or self.idempotent

    @property
    def body(self) -> bytes:
        """What must arrive; of different lengths."""
        if self.method not in ("POST", "PATCH", "PUT"):
            return b""
        return f"body of {self.number} ".encode() * (1 + self.number % 300)

    def answer(self, place: int) -> int:
        """To the attempt that arrives in that place, counted from 0."""
        return self.answers[min(place, len(self.answers) - 1)]
