"""`Belonging`: nouns by their ids, and those that belong to another one in the order of their creation.

Belongs here: keeping both in step, and making a noun of its row when it is first asked for. Does not: any meaning of
the nouns, or how a row is read (store/rows.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen

N = TypeVar("N", bound=Any)

Row = tuple[Any, ...]

Place = tuple[int, str]
"""When a noun was created, in milliseconds since the epoch, and its id: the order of lists."""


@frozen
class Unread(Generic[N]):
    """Nouns that are rows still: a gateway that has 150,000 of them starts in a third of the time.

    `rows`: of each the id, whose it is, when it was created, and what else `read` wants. `read` raises what says that
    a row cannot be read.
    """

    rows: Sequence[Row] = field(repr=False)
    read: Callable[[Row], N]


class Belonging(Mapping[str, N]):
    """Nouns by `id`, in no particular order. Those of one owner are in the order of `Place`, which never changes.

    To ask for a noun that was not read yet raises what `Unread.read` raises.
    """

    def __init__(self, owner: str) -> None:
        """`owner`: the attribute that says whose a noun is."""
        self._owner = owner
        self._held: dict[str, N | Row] = {}
        self._places: dict[str, list[Place]] = {}
        self._read: Callable[[Row], N] | None = None

    def __getitem__(self, id: str) -> N:
        held: Any = self._held[id]
        if type(held) is tuple:
            assert self._read is not None
            held = self._held[id] = self._read(held)
        noun: N = held
        return noun

    def __contains__(self, id: object) -> bool:
        return id in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def put(self, noun: N) -> None:
        """`noun` is there, as it is now."""
        where = self._where(noun)
        known = self._held.get(noun.id)
        if known is None or self._where(known) != where:
            self.drop(noun.id)
            insort(self._places.setdefault(where[0], []), where[1])
        self._held[noun.id] = noun

    def put_unread(self, unread: Unread[N]) -> None:
        """These are there too. Once, before anything else."""
        self._read = unread.read
        for row in unread.rows:
            self._held[row[0]] = row
            self._places.setdefault(row[1], []).append((row[2], row[0]))
        for places in self._places.values():
            places.sort()

    def drop(self, id: str) -> None:
        """It is no more, if it was there."""
        held = self._held.pop(id, None)
        if held is not None:
            owner, place = self._where(held)
            places = self._places[owner]
            del places[bisect_left(places, place)]
            if not places:
                del self._places[owner]

    def drop_all_of(self, owner_id: str) -> None:
        """They go with it."""
        for _, id in self._places.pop(owner_id, ()):
            del self._held[id]

    def ids_of(self, owner_id: str) -> list[str]:
        """The ids of those that belong to it."""
        return [id for _, id in self._places.get(owner_id, ())]

    def of(self, owner_id: str) -> list[N]:
        """Those that belong to it."""
        return list(self.behind(owner_id))

    def behind(self, owner_id: str, place: Place | None = None) -> Iterator[N]:
        """Those that belong to it and come behind `place`. To be used up before anything changes."""
        places = self._places.get(owner_id, [])
        for at in range(0 if place is None else bisect_right(places, place), len(places)):
            yield self[places[at][1]]

    def _where(self, held: Any) -> tuple[str, Place]:
        if type(held) is tuple:
            return held[1], (held[2], held[0])
        return getattr(held, self._owner), (held.created_at, held.id)
