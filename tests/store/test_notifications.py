"""Notifications' rows: a cause once an hour or once, also over restarts; the old, the many and the orphaned go.

Belongs here: what `Store` promises of them. Does not: what is told whom (tests/test_notice_texts.py).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from rrgate.model.notification import Notice, Receiver
from rrgate.store import Store
from rrgate.store.notifications import KEPT, MOST_KEPT, QUIET

NOW = 1_800_000_000_000

IDS = {"system": "", "client": "c1", "user": "u1"}
TYPES: tuple[Receiver, ...] = ("system", "client", "user")


def notice(cause: str = "x", type: Receiver = "client", **more: Any) -> Notice:
    return Notice(type=type, receiver_id=IDS[type], cause=cause, title=f"About {cause}", message="It is.", **more)


def causes(store: Store, type: Receiver = "client", reader: str = "u1", **wanted: Any) -> list[str]:
    page = store.notifications(
        **{"type": type, "receiver_id": IDS[type], "reader": reader, "limit": 1000, **wanted}
    )
    return [each.title.removeprefix("About ") for each in page.notifications]


@pytest.fixture
def peopled(store: Store, nouns: SimpleNamespace) -> Store:
    store.save(*vars(nouns).values())
    return store


@pytest.mark.parametrize("type", TYPES)
def test_each_receiver_has_his_own(peopled: Store, type: Receiver) -> None:
    peopled.notify([notice("a", type), notice("b", type)], NOW)
    assert {each: causes(peopled, each) for each in TYPES} == {
        each: ["b", "a"] if each == type else [] for each in TYPES
    }
    assert causes(peopled, type, receiver_id="c2") == ([] if type != "system" else ["b", "a"])
    (newest, _) = peopled.notifications(type=type, receiver_id=IDS[type], reader="u1", limit=9).notifications
    assert (newest.type, newest.receiver_id, newest.created_at, newest.read) == (type, IDS[type], NOW, False)
    found = {"id": newest.id, "type": type, "receiver_id": IDS[type], "reader": "u1"}
    assert peopled.notification(**found) == newest
    assert peopled.notification(**{**found, "id": "nothing"}) is None
    for other in TYPES:
        if other != type:
            assert peopled.notification(**{**found, "type": other, "receiver_id": IDS[other]}) is None


@pytest.mark.parametrize(
    ("once", "later", "told"),
    [
        (False, 0, 1),
        (False, QUIET - 1, 1),
        (False, QUIET, 2),
        # The clock was set back: what was told in the time to come says nothing.
        (False, -1, 2),
        (True, QUIET, 1),
        (True, 30 * 86_400_000, 1),
        (True, -QUIET, 1),
    ],
)
def test_the_same_cause_is_told_once(
    data: Path, peopled: Store, once: bool, later: int, told: int
) -> None:
    peopled.notify([notice(once=once), notice(once=once)], NOW)
    peopled.notify([notice("another")], NOW)
    # And when it is opened anew, or by another process.
    again = Store.open(data)
    again.notify([notice(once=once)], NOW + later)
    again.notify([notice("x", "user"), notice("x", "system")], NOW + later)
    again.close()
    assert causes(peopled).count("x") == told
    assert causes(peopled, "user") == causes(peopled, "system") == ["x"]


def test_old_ones_and_those_too_many_go(peopled: Store) -> None:
    peopled.notify([notice("old"), notice("of a user", "user")], NOW)
    peopled.notify([], NOW + KEPT - 1)
    assert causes(peopled) == ["old"]
    peopled.notify([notice(f"n{number}") for number in range(MOST_KEPT + 5)], NOW + 1)
    assert causes(peopled) == [f"n{number}" for number in reversed(range(5, MOST_KEPT + 5))]
    assert causes(peopled, "user") == ["of a user"]
    peopled.notify([], NOW + KEPT)
    assert causes(peopled, "user") == []
    assert len(causes(peopled)) == MOST_KEPT
    peopled.notify([], NOW + KEPT + 1)
    assert causes(peopled) == []


def test_those_for_nobody_are_not_kept_and_keep_no_other_away(peopled: Store, nouns: SimpleNamespace) -> None:
    gone = [evolve(notice("gone", type), receiver_id="nobody") for type in ("client", "user")]
    peopled.notify([notice("a"), *gone, notice("b")], NOW)
    assert causes(peopled) == ["b", "a"]
    assert causes(peopled, receiver_id="nobody") == causes(peopled, "user", receiver_id="nobody") == []


def test_they_go_with_their_receiver_and_marks_with_their_reader(peopled: Store, nouns: SimpleNamespace) -> None:
    peopled.notify([notice("a"), notice("b", "user"), notice("c", "system")], NOW)
    for type in TYPES:
        (each,) = peopled.notifications(type=type, receiver_id=IDS[type], reader="u1", limit=9).notifications
        peopled.mark_read(each.id, "u1")
    peopled.delete(nouns.rule, nouns.proxy, nouns.target, nouns.client, nouns.user)
    assert [causes(peopled, type) for type in TYPES] == [["c"], [], []]
    assert peopled._connection.execute("SELECT count(*) FROM notification_reads").fetchone() == (0,)


def test_each_reader_marks_for_himself(peopled: Store, nouns: SimpleNamespace) -> None:
    peopled.save(evolve(nouns.user, id="u2"))
    peopled.notify([notice("a"), notice("b")], NOW)
    wanted = {"type": "client", "receiver_id": "c1", "limit": 9}
    second, first = peopled.notifications(**wanted, reader="u1").notifications
    for _ in range(2):
        peopled.mark_read(first.id, "u1")
    for id, reader in ((first.id, "nobody"), ("nothing", "u1")):
        peopled.mark_read(id, reader)
    assert peopled.notifications(**wanted, reader="u1").notifications == (second, evolve(first, read=True))
    assert peopled.notifications(**wanted, reader="u2").notifications == (second, first)


def test_they_are_read_in_pages(peopled: Store) -> None:
    peopled.notify([notice(f"n{number}") for number in range(5)], NOW)
    wanted: dict[str, Any] = {"type": "client", "receiver_id": "c1", "reader": "u1", "limit": 2}
    found, cursor = [], None
    for more in (True, True, False):
        page = peopled.notifications(**wanted, cursor=cursor)
        found += [each.title for each in page.notifications]
        cursor = page.next_cursor
        assert (cursor is not None) is more
    assert found == [f"About n{number}" for number in (4, 3, 2, 1, 0)]
    with pytest.raises(ValueError, match="cursor"):
        peopled.notifications(**wanted, cursor="x")
