"""`Belonging`: nouns by their ids, and those that belong to another one in the order of their creation; and `Census`,
how many there are of whom.

Belongs here: keeping these in step, and making a noun of its row when it is first asked for. Does not: any meaning of
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
        self._tell: Callable[[str, int], None] = lambda owner_id, more: None

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
            self._tell(where[0], 1)
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
            self._tell(owner, -1)

    def drop_all_of(self, owner_id: str) -> None:
        """They go with it."""
        gone = self._places.pop(owner_id, ())
        for _, id in gone:
            del self._held[id]
        if gone:
            self._tell(owner_id, -len(gone))

    def when_changed(self, tell: Callable[[str, int], None]) -> None:
        """`tell` is called with the id of an owner, and how many more belong to it now, less than 0 for fewer. What is
        not read yet is not told of."""
        self._tell = tell

    def owner_of(self, id: str) -> str | None:
        """To whom it belongs; None if there is no such noun. None is read for that."""
        held: Any = self._held.get(id)
        if type(held) is tuple:
            owner: str | None = held[1]
            return owner
        return None if held is None else getattr(held, self._owner)

    def number_of(self, owner_id: str) -> int:
        """How many belong to it."""
        return len(self._places.get(owner_id, ()))

    def numbers(self) -> Iterator[tuple[str, int]]:
        """Each owner that any belong to, and how many."""
        return ((owner_id, len(places)) for owner_id, places in self._places.items())

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


class Census:
    """How many nouns there are within each of those that the `upper` ones belong to: these, and the `lower` ones, which
    belong to them.

    The lower ones are counted when somebody asks first, which takes 25 ms where 50,000 have any, and kept count of from
    then on. A lower one goes before that to which it belongs.
    """

    def __init__(self, upper: Sequence[Belonging[Any]], lower: Sequence[Belonging[Any]]) -> None:
        self._upper = upper
        self._lower = lower
        self._numbers: dict[str, int] | None = None

    def of(self, owner_id: str) -> int:
        """All within it. Takes no longer the more there are."""
        if self._numbers is None:
            self._numbers = {}
            for belonging in self._lower:
                belonging.when_changed(self._changed)
                for upper_id, number in belonging.numbers():
                    self._changed(upper_id, number)
        return sum(belonging.number_of(owner_id) for belonging in self._upper) + self._numbers.get(owner_id, 0)

    def _changed(self, upper_id: str, more: int) -> None:
        assert self._numbers is not None
        for belonging in self._upper:
            owner_id = belonging.owner_of(upper_id)
            if owner_id is not None:
                self._numbers[owner_id] = self._numbers.get(owner_id, 0) + more
                if not self._numbers[owner_id]:
                    del self._numbers[owner_id]
                return
