"""What is due is found whole and in order, whether there is little or much of it, and not by what waits besides."""

from __future__ import annotations

from typing import Any

import pytest
from sqlite_utils import Database

from rrgate.delivery import looking, new_rows
from rrgate.delivery.looking import due
from rrgate.delivery.schema import migrations
from rrgate.delivery.states import accepted

NOW = 1_000


def queue(*waiting: tuple[str, int]) -> Any:
    """A queue with a request for each: of which proxy, and when it is due."""
    database = Database(memory=True, execute_plugins=False, strict=True)
    migrations.apply(database)
    new_rows.insert_all(
        database.conn,
        (
            new_rows.NewRow(f"r-{number}", proxy_id, "client", b"", 0, accepted(0, delay=at, window=9, repeatable=True),
                            b"", b"")
            for number, (proxy_id, at) in enumerate(waiting)
        ),
    )
    return database.conn


@pytest.fixture(params=["as few", "as many"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FEW", 100 if request.param == "as few" else 0)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("waiting", "found", "following"),
    [
        ([], {}, None),
        ([("a", NOW + 5), ("b", NOW + 2)], {}, NOW + 2),
        ([("a", NOW)], {"a": [1]}, None),
        ([("b", 3), ("a", NOW + 1), ("c", 2), ("b", 1)], {"b": [4, 1], "c": [3]}, NOW + 1),
        ([("a", 7), ("a", 7), ("a", 6), ("a", 9)], {"a": [3, 1, 2]}, None),
    ],
)
def test_all_that_is_due_and_no_other_the_longest_due_first(
    waiting: list[tuple[str, int]], found: dict[str, list[int]], following: int | None
) -> None:
    lanes, next_at = due(queue(*waiting), NOW, most=3)
    assert {proxy_id: [each.id for each in lane] for proxy_id, lane in lanes.items()} == found
    assert next_at == following


def test_of_very_many_proxies_fewer_are_read_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FEW", 0)
    monkeypatch.setattr(looking, "MOST_READ", 40)
    connection = queue(*((f"p-{number % 4}", number) for number in range(100)))
    lanes, _ = due(connection, NOW, most=20)
    assert [len(lane) for lane in lanes.values()] == [10] * 4
    monkeypatch.setattr(looking, "MOST_READ", 4)
    lanes, _ = due(connection, NOW, most=20)
    assert [len(lane) for lane in lanes.values()] == [looking.LEAST_READ] * 4


@pytest.mark.parametrize("flooded", [False, True])
def test_what_waits_for_later_costs_a_look_into_an_index_at_most(flooded: bool) -> None:
    later = [(f"p-{number}", NOW + 1 + number) for number in range(200) for _ in range(20)]
    connection = queue(*later, *[("flooded", 1)] * (looking.FEW + 1 if flooded else 0))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 10)
    lanes, _ = due(connection, NOW, most=5)
    connection.set_progress_handler(None, 0)
    assert list(lanes) == (["flooded"] if flooded else [])
    # Of SQLite's machine, so that it is the same on any: 4,000 rows would be more than 2,000 tens.
    assert steps * 10 < (40 * 200 + 20_000 if flooded else 200)
