"""`Shared`: what plugin objects of one gateway have in common, such as caches, and its end.

Belongs here: one object of a class a gateway. Does not: what such objects do. For plugins: from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Closes(Protocol):
    """What `Shared` may hold."""

    def close(self) -> None:
        """The gateway stops: let go of timers and calls. Called once, when no request is under way any more."""


C = TypeVar("C", bound=Closes)


class Shared:
    """One object of each class, made when it is first asked for. A class is a plugin's own, so names cannot clash.

    A gateway has one of these and another gateway another, so that nothing is shared by a whole process.
    """

    def __init__(self) -> None:
        self._made: dict[type[Any], Any] = {}

    def of(self, kind: type[C], make: Callable[[], C]) -> C:
        """The object of class `kind` that every plugin object of this gateway is given; `make` makes the first."""
        found: C | None = self._made.get(kind)
        if found is None:
            found = self._made[kind] = make()
        return found

    def close(self) -> None:
        """Close what was made, the last first."""
        made, self._made = self._made, {}
        for each in reversed(made.values()):
            each.close()
