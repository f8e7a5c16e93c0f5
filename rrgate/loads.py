"""`Load`: what one proxy, or one target, has under way, and whoever counts it.

Belongs here: these counts. Does not: how many may be (places.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol
from weakref import WeakValueDictionary


class Load:
    """What one proxy, or one target, has under way. `held`: bytes of a proxy's requests; `answers`: of its answers."""

    __slots__ = ("__weakref__", "answers", "held", "now")

    def __init__(self) -> None:
        self.now = 0
        self.held = 0
        self.answers = 0


class Gathers(Protocol):
    """`Body.whole` or `Body.whole_within`."""

    def __call__(self, limit: int, count: Callable[[int], object] | None = None) -> Awaitable[bytes | None]: ...


class Loads:
    """Loads by the id of a proxy or target. Routes and requests keep theirs; a Route made anew has the same."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Load] = WeakValueDictionary()

    def of(self, noun_id: str) -> Load:
        """Its Load."""
        load = self._known.get(noun_id)
        if load is None:
            load = self._known[noun_id] = Load()
        return load
