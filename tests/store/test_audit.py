"""The audit log's rows: written with their change or not at all, never changed, read newest first.

Belongs here: what `Store` promises of them. Does not: who makes and reads them (tests/core/test_audit.py).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from rrgate.store import AuditEntry, Conflict, Store, StoreError, audit


def entry(id: str, **more: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "at": 1,
        "client_id": "c1",
        "user_id": "u1",
        "token_id": "t1",
        "via": "PUT /x",
        "action": "change",
        "kind": "targets",
        "noun_id": "g1",
        "before": None,
        "after": {"deep": ["\ud800", 1.5, None]},
    }
    return AuditEntry(id=id, **{**given, **more})


def ids(store: Store, **wanted: Any) -> list[str]:
    return [each.id for each in store.audit(**wanted).entries]


def test_what_is_written_is_read(data: Path, store: Store, nouns: SimpleNamespace) -> None:
    made = entry("a1", before={"x": 1})
    store.save(*vars(nouns).values(), audit=[made])
    gone = entry("a2", action="delete", after=None, before={})
    store.delete(nouns.target, audit=[gone])
    again = Store.open(data)
    assert again.audit().entries == (gone, made)
    again.close()


@pytest.mark.parametrize(
    ("limit", "pages"), [(1000, ["a5 a4", "a3", "a2 a1", "a0"]), (1, ["a5", "a4", "a3", "a2", "a1", "a0"])]
)
def test_a_page_of_large_entries_ends_sooner(
    store: Store, monkeypatch: pytest.MonkeyPatch, limit: int, pages: list[str]
) -> None:
    monkeypatch.setattr(audit, "MOST_BYTES", 120)
    for number, size in enumerate((90, 40, 40, 500, 40, 40)):
        store.save(audit=[entry(f"a{number}", before={"": "x" * (size // 2)}, after={"": "x" * (size // 2)})])
    found: list[str] = []
    cursor = None
    while not found or cursor is not None:
        page = store.audit(limit=limit, cursor=cursor)
        found.append(" ".join(each.id for each in page.entries))
        cursor = page.next_cursor
    assert found == pages


def test_changes_are_numbered_noun_by_noun(data: Path, store: Store) -> None:
    given = [
        ("create", "targets", "g1", "c1", 1),
        ("test", "targets", "g1", "c1", None),
        ("change", "targets", "g1", "c1", 2),
        ("create", "targets", "g2", "c1", 1),
        ("change", "configuration", "g1", "c1", 1),
        ("change", "targets", "g1", "c2", 1),
        ("authorize", "credentials", "g1", "c1", None),
        ("delete", "targets", "g1", "c1", 3),
    ]
    for number, (action, kind, noun_id, client_id, _) in enumerate(given):
        store.save(audit=[entry(f"a{number}", action=action, kind=kind, noun_id=noun_id, client_id=client_id)])
    wanted = [revision for *_, revision in given]
    assert [each.revision for each in reversed(store.audit().entries)] == wanted
    revisions = {"client_id": "c1", "noun_id": "g1", "kinds": ("targets",), "revisions": True}
    assert ids(store, **revisions) == ["a7", "a2", "a0"]
    assert ids(store, **{**revisions, "kinds": ("targets", "configuration")}) == ["a7", "a4", "a2", "a0"]
    assert ids(store, **revisions, revision=2) == ["a2"]
    # As it was before there were revisions.
    connection = store._connection
    connection.execute("DELETE FROM _sqlite_migrations WHERE name >= 'step_0014'")
    connection.execute("DROP TABLE notification_reads")
    connection.execute("DROP TABLE notifications")
    for index in ("kind_noun_id_revision", "kind_number"):
        connection.execute(f"DROP INDEX idx_audit_client_id_{index}")
    connection.execute("ALTER TABLE audit DROP COLUMN revision")
    store.close()
    again = Store.open(data)
    assert [each.revision for each in reversed(again.audit().entries)] == wanted
    again.save(audit=[entry("a8", action="change", noun_id="g1")])
    assert again.audit(limit=1).entries[0].revision == 4
    again.close()


def test_those_of_one_kind_are_found_without_looking_at_others(store: Store) -> None:
    store.save(audit=[entry(f"a{number}") for number in range(1000)] + [entry("b", kind="meters", noun_id="g2")])
    steps: list[None] = []
    store._connection.set_progress_handler(lambda: steps.append(None), 1)  # type: ignore[arg-type]
    for noun_id in (None, "g2"):
        assert ids(store, client_id="c1", noun_id=noun_id, kinds=("meters",), revisions=True) == ["b"]
    store._connection.set_progress_handler(None, 0)
    assert len(steps) < 1000


def test_a_change_that_fails_writes_none(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values(), audit=[entry("a1")])
    with pytest.raises(Conflict):
        store.save(attrs.evolve(nouns.proxy, id="p2"), audit=[entry("a2")])
    with pytest.raises(Conflict):
        store.delete(nouns.client, audit=[entry("a3")])
    assert ids(store) == ["a1"]


def test_an_entry_that_fails_makes_no_change(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values())
    before = store.load()
    with pytest.raises(ValueError, match="JSON"):
        store.save(attrs.evolve(nouns.target, name="changed"), audit=[entry("a1", after={"x": float("nan")})])
    store.save(nouns.target, audit=[entry("a2")])
    assert store.load() == before
    store._connection.execute("DROP TABLE audit")
    for change in (store.save, store.delete):
        with pytest.raises(StoreError):
            change(attrs.evolve(nouns.target, name="changed"), audit=[entry("a3")])
    assert store.load() == before


def test_it_outlives_what_it_tells_of(store: Store, nouns: SimpleNamespace) -> None:
    store.save(*vars(nouns).values(), audit=[entry("a1")])
    store.delete(nouns.proxy, nouns.target, nouns.client, nouns.user, audit=[entry("a2")])
    assert ids(store, client_id="c1") == ["a2", "a1"]


def test_the_order_is_that_of_writing_whatever_the_clock_did(store: Store, nouns: SimpleNamespace) -> None:
    for number, at in enumerate((50, 10, 30, 10)):
        store.save(nouns.user, audit=[entry(f"a{number}", at=at, noun_id=f"g{number % 2}")])
    store.save(nouns.user, audit=[entry("other", client_id="c2", at=20)])
    assert ids(store) == ["other", "a3", "a2", "a1", "a0"]
    assert ids(store, client_id="c1", noun_id="g1") == ["a3", "a1"]
    assert ids(store, client_id="c1", after=10, before=50) == ["a2"]
    cursor = None
    pages = []
    for _ in range(3):
        page = store.audit(client_id="c1", limit=2, cursor=cursor)
        pages.append([each.id for each in page.entries])
        cursor = page.next_cursor
    assert pages == [["a3", "a2"], ["a1", "a0"], ["a3", "a2"]]
    assert store.audit(client_id="c1", limit=4).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "LTE", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NQ", "é", "MS4y"])
def test_a_cursor_that_is_none(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="nextCursor"):
        store.audit(cursor=cursor)
