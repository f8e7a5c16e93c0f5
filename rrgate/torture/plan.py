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
_CALLS_BACK: Final[tuple[tuple[int, ...], ...]] = ((),) * 13 + ((GOOD,),) * 2 + ((503, GOOD),)


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
    calls_back: tuple[int, ...] = ()
    """What the receiver of its callback answers, as `answers`; nothing where its caller wants none."""

    @classmethod
    def of(cls, seed: int, number: int) -> Plan:
        """The plan of that number."""
        chance = random.Random(f"{seed} {number}")
        method = chance.choice(_METHODS)
        keyed = method in ("POST", "PATCH") and chance.random() < 0.4
        key = f"key-{seed}-{number}" if keyed else ""
        answers, seconds = chance.choice(_ANSWERS), chance.choice(_MOMENTS)
        return cls(number, method, key, answers, seconds, chance.choice(_CALLS_BACK))

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

    def told(self, place: int) -> int:
        """To the callback that arrives in that place."""
        return self.calls_back[min(place, len(self.calls_back) - 1)] if self.calls_back else GOOD
