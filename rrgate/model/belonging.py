"""`Belonging`: nouns that belong to another one, by their ids and by its id.

Belongs here: keeping both in step. Does not: any meaning of the nouns.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

N = TypeVar("N", bound=Any)


class Belonging(Generic[N]):
    """Nouns with an `id` and a `parent_id`."""

    def __init__(self) -> None:
        self.by_id: dict[str, N] = {}
        self._of: dict[str, dict[str, N]] = {}

    def put(self, noun: N) -> None:
        """`noun` is there, as it is now; it does not change whose it is."""
        self.by_id[noun.id] = noun
        self._of.setdefault(noun.parent_id, {})[noun.id] = noun

    def drop(self, noun: N) -> None:
        """`noun` is no more."""
        self.by_id.pop(noun.id, None)
        self._of.get(noun.parent_id, {}).pop(noun.id, None)

    def of(self, parent_id: str) -> list[N]:
        """Those that belong to it, in no particular order."""
        return list(self._of.get(parent_id, {}).values())

    def drop_all_of(self, parent_id: str) -> None:
        """They go with it."""
        for id in self._of.pop(parent_id, {}):
            self.by_id.pop(id, None)
