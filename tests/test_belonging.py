"""`Belonging`: nouns by id and by owner, read when they are first asked for.

Belongs here: its order, and when rows are read. Does not: what rows are (tests/store/), who forgets Routes
(tests/plugins/test_compiling.py).
"""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from rrgate.model.belonging import Belonging, Census, Row, Unread


@frozen
class Noun:
    id: str
    owner: str
    created_at: int
    name: str = ""


def nouns(*made: Noun) -> Belonging[Noun]:
    known: Belonging[Noun] = Belonging("owner")
    for noun in made:
        known.put(noun)
    return known


A, B, C, OTHER = Noun("a", "o", 3), Noun("b", "o", 1), Noun("c", "o", 3), Noun("d", "p", 2)


def test_those_of_an_owner_are_in_the_order_of_creation() -> None:
    known = nouns(C, A, OTHER, B)
    assert known.of("o") == [B, A, C]
    assert known.ids_of("o") == ["b", "a", "c"]
    assert (known.of("p"), known.of("nobody")) == ([OTHER], [])
    assert known == {"a": A, "b": B, "c": C, "d": OTHER}


@pytest.mark.parametrize(
    ("place", "behind"),
    [(None, [B, A, C]), ((1, "b"), [A, C]), ((2, ""), [A, C]), ((3, "a"), [C]), ((3, "b"), [C]), ((3, "c"), [])],
)
def test_behind_a_place(place: tuple[int, str] | None, behind: list[Noun]) -> None:
    assert list(nouns(A, B, C, OTHER).behind("o", place)) == behind


def test_what_changes_keeps_its_place_and_what_moves_has_one() -> None:
    known = nouns(A, B)
    changed, moved = evolve(B, name="new"), evolve(A, owner="p")
    known.put(changed)
    assert known.of("o") == [changed, A]
    known.put(moved)
    assert (known.of("o"), known.of("p"), len(known)) == ([changed], [moved], 2)


def test_what_is_gone_is_in_no_list() -> None:
    known = nouns(A, B, C, OTHER)
    known.drop("a")
    known.drop("nothing")
    assert (known.of("o"), "a" in known, known.get("a")) == ([B, C], False, None)
    known.drop_all_of("o")
    known.drop_all_of("o")
    assert (known.of("o"), list(known)) == ([], ["d"])
    known.drop("d")
    assert known == {}


class Rows:
    """Rows, and which of them were read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.known: Belonging[Noun] = Belonging("owner")
        rows = [(each.id, each.owner, each.created_at, each.name) for each in (C, A, OTHER, B)]
        self.known.put_unread(Unread(rows, self._noun))

    def _noun(self, row: Row) -> Noun:
        self.read.append(row[0])
        if row[3] == "no noun":
            raise ValueError(row[0])
        return Noun(*row)


def test_a_row_is_read_when_it_is_asked_for_and_once() -> None:
    rows = Rows()
    assert (len(rows.known), "a" in rows.known, rows.known.ids_of("o")) == (4, True, ["b", "a", "c"])
    assert rows.read == []
    assert next(rows.known.behind("o", (1, "b"))) == A
    assert rows.read == ["a"]
    assert rows.known.of("o") == [B, A, C]
    assert rows.read == ["a", "b", "c"]


def test_rows_change_and_go_without_being_read() -> None:
    rows = Rows()
    changed = evolve(B, name="new")
    rows.known.put(changed)
    rows.known.drop("a")
    rows.known.drop_all_of("p")
    assert rows.read == []
    assert rows.known.of("o") == [changed, C]


def test_a_row_that_cannot_be_read_raises_whenever_it_is_asked_for() -> None:
    rows = Rows()
    bad = Unread([("x", "o", 1, "no noun")], rows._noun)
    known: Belonging[Noun] = Belonging("owner")
    known.put_unread(bad)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            known.of("o")


# Counting.


@frozen
class Part:
    id: str
    owner: str
    created_at: int = 1


def test_a_census_counts_what_belongs_to_an_owner_and_what_belongs_to_that() -> None:
    upper, lower = nouns(A, B, OTHER), Belonging[Part]("owner")
    read: list[Row] = []

    def make(row: Row) -> Part:
        read.append(row)
        return Part(row[0], row[1])

    lower.put_unread(Unread([("1", "a", 1), ("2", "a", 1), ("3", "d", 1)], make))
    census = Census([upper], [lower])
    lower.put(Part("4", "b"))
    assert [census.of(owner) for owner in ("o", "p", "nobody")] == [5, 2, 0]
    lower.put(Part("5", "b"))
    lower.put(Part("5", "b"))
    lower.put(Part("1", "a", 2))  # another time: it is the same one
    assert [census.of(owner) for owner in ("o", "p")] == [6, 2]
    lower.put(Part("5", "d"))  # to another
    assert [census.of(owner) for owner in ("o", "p")] == [5, 3]
    lower.drop("3")
    lower.drop("nothing")
    lower.drop_all_of("a")
    lower.drop_all_of("a")
    upper.drop("a")
    upper.put(C)
    assert [census.of(owner) for owner in ("o", "p")] == [3, 2]
    for id in ("b", "c", "d"):
        lower.drop_all_of(id)
        upper.drop(id)
    assert [census.of(owner) for owner in ("o", "p")] == [0, 0]
    assert not census._numbers
    assert read == []
