"""What is done between batches: in small steps, at its time, whatever came between, and again after a failure.

Belongs here: tidying.py. Does not: what folding does to the sums (test_telemetry.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrgate.store import LogRow, segments
from rrgate.store import tidying as module
from rrgate.store.counts import INTERVALS
from rrgate.store.database import open_migrated, transaction
from rrgate.store.log_migrations import migrations
from rrgate.store.segments import begin_next, by_segment
from rrgate.store.telemetry import PARTS, add_fresh, part_of
from rrgate.store.tidying import FOLD_SECONDS, REMOVE_SECONDS, ROUND_SECONDS, STEP_ROWS, Tidying

DAY = 86_400_000
NOW = 1_000 * DAY


class House:
    """A log, and a clock that runs a millisecond a look."""

    def __init__(self, data: Path) -> None:
        self.now = 0.0
        self.database = open_migrated(data / "log.db", migrations, synchronous="NORMAL")
        self.connection = self.database.conn
        self.days: dict[str, int] = {}
        self.tidying = Tidying(self.database, lambda client_id: self.days.get(client_id, 90), self.monotonic)

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    def add(self, number: int, *, days: float, proxy: str = "p", client: str = "c") -> None:
        """So many requests that came so many days ago."""
        start = self.connection.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0]
        rows = [
            LogRow(proxy, f"r{start + each}", client, int(NOW - days * DAY), "GET", 200, "") for each in range(number)
        ]
        with transaction(self.database) as connection:
            for segment, those in by_segment(connection, rows).items():
                connection.executemany(
                    "INSERT INTO requests (proxy_id, request_id, client_id, processed_at, method, status, facts, "
                    "segment) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [(*row, segment) for row in those],
                )
            begin_next(connection, number)

    def tally(self, *scopes: str, days: float = 0.0) -> None:
        minute = int(NOW - days * DAY) // 60_000
        with transaction(self.database) as connection:
            parts = add_fresh(connection, [[[scope, minute, 1, 1.0, 1.0, 200, 0, "ZZ", 1, 1, 0]] for scope in scopes])
        self.tidying.fresh(parts)

    def rows(self) -> dict[str, int]:
        """How many requests there are, by proxy."""
        found = self.connection.execute("SELECT proxy_id, count(*) FROM requests GROUP BY proxy_id").fetchall()
        return dict(found)

    def spans(self) -> dict[str, int]:
        """How many spans there are, by interval."""
        found = self.connection.execute("SELECT interval, count(*) FROM telemetry GROUP BY interval").fetchall()
        return {INTERVALS[interval]: number for interval, number in found}

    def fresh(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM telemetry_fresh").fetchone()[0])

    def run(self, seconds: float) -> int:
        """Do what is due for so long; answers in how many steps."""
        until, steps = self.now + seconds, 0
        while self.now < until:
            wait = self.tidying.step(NOW)
            steps += 1
            assert steps < 100_000
            self.now += min(wait, max(0.0, until - self.now))
        return steps


@pytest.fixture
def house(data: Path) -> Iterator[House]:
    made = House(data)
    yield made
    made.database.close()


def test_old_requests_are_removed_in_small_steps_and_no_others(house: House) -> None:
    house.add(3 * STEP_ROWS + 7, days=91)
    house.add(5, days=89)
    house.tidying.step(NOW)
    assert house.rows() == {"p": 2 * STEP_ROWS + 12}
    house.run(5)
    assert house.rows() == {"p": 5}
    house.add(5, days=89)
    house.add(STEP_ROWS, days=91)  # told of late, behind young ones
    house.run(3 * REMOVE_SECONDS)
    assert house.rows() == {"p": 10}


def test_some_that_stay_hold_up_none_of_those_behind_them(house: House) -> None:
    for _ in range(10):
        house.add(STEP_ROWS - 1, days=91)
        house.add(1, days=89, proxy="young")
    house.run(REMOVE_SECONDS)
    assert house.rows() == {"young": 10}


def test_those_of_a_clock_that_was_ahead_hold_up_none_behind_them(house: House) -> None:
    house.add(2 * STEP_ROWS, days=-400, proxy="ahead")
    house.add(3 * STEP_ROWS, days=91)
    house.add(5, days=0)
    house.run(REMOVE_SECONDS)
    assert house.rows() == {"ahead": 2 * STEP_ROWS, "p": 5}


def test_nobody_looks_through_a_whole_log_of_times_to_come(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AHEAD_STEPS", 2)
    house.add(3 * STEP_ROWS, days=-400, proxy="ahead")
    house.add(5, days=91)
    house.run(REMOVE_SECONDS)
    assert house.rows() == {"ahead": 3 * STEP_ROWS, "p": 5}


def test_after_each_step_there_is_time_for_others(house: House) -> None:
    house.add(4 * STEP_ROWS, days=91)
    waited = [house.tidying.step(NOW) for _ in range(3)]
    assert waited[0] == 0  # other jobs are due, and do nothing
    house.run(0.1)
    assert house.rows() == {}


def test_a_client_may_keep_its_requests_for_a_shorter_time(house: House) -> None:
    house.add(2 * STEP_ROWS, days=20, proxy="p1", client="short")
    house.add(3, days=9, proxy="p1", client="short")
    house.add(4, days=20, proxy="p2", client="long")
    house.add(5, days=20, proxy="p3", client="other")
    house.add(6, days=20, proxy="p4", client="short")
    house.run(60)
    assert house.rows() == {"p1": 2 * STEP_ROWS + 3, "p2": 4, "p3": 5, "p4": 6}
    house.days = {"short": 10, "long": 90}
    house.run(60)
    assert house.rows() == {"p1": 2 * STEP_ROWS + 3, "p2": 4, "p3": 5, "p4": 6}
    house.run(ROUND_SECONDS)
    assert house.rows() == {"p1": 3, "p2": 4, "p3": 5}


def test_a_client_is_looked_for_in_no_segment_that_it_has_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 4)
    monkeypatch.setattr(segments, "MOST_SEGMENT_ROWS", 8)
    house.days = {"short": 10}
    for days in (30, 20, 5):
        house.add(3, days=days, client="short")
        house.add(5, days=days, proxy="q")
    house.run(2 * ROUND_SECONDS)
    assert house.rows() == {"p": 3, "q": 15}
    left = house.connection.execute("SELECT * FROM segment_clients").fetchall()
    assert left == [("c", 0), ("c", 1), ("c", 2), ("short", 2)]


def test_many_proxies_are_looked_at_in_steps(house: House) -> None:
    for number in range(120):
        house.add(1, days=20, proxy=f"p{number}", client="short" if number % 2 else "other")
    house.days = {"short": 10}
    house.run(60)
    assert set(house.rows()) == {f"p{number}" for number in range(0, 120, 2)}


def test_telemetry_ends_by_interval(house: House) -> None:
    for days in (100, 89, 8, 6):
        house.tally("p", "c", days=days)
    house.run(60)
    assert house.fresh() == 0
    assert house.spans() == {"minute": 8, "hour": 8, "day": 8, "month": 4}
    house.run(ROUND_SECONDS)
    assert house.spans() == {"minute": 2, "hour": 6, "day": 8, "month": 4}


def test_much_telemetry_is_removed_in_steps(house: House) -> None:
    with transaction(house.database) as connection:
        connection.executemany(
            "INSERT INTO telemetry VALUES (?, 0, ?, '')",
            [(f"p{scope}", minute) for scope in range(120) for minute in range(10 if scope else 1000)],
        )
    assert house.run(60) > 1000 / STEP_ROWS + 120 / 50
    assert house.spans() == {}


def test_parts_are_folded_in_turn_and_not_at_once(house: House) -> None:
    scopes = ["p0", "p1", "p2"]
    assert len({part_of(scope) for scope in scopes}) == 3
    house.run(1)
    house.tally(*scopes)
    assert house.tidying.step(NOW) == pytest.approx(FOLD_SECONDS, abs=0.1)
    seen = []
    for _ in scopes:
        house.now += FOLD_SECONDS
        house.tidying.step(NOW)
        seen.append(house.fresh())
    assert seen == [2, 1, 0]
    assert house.tidying.step(NOW) > 10


def test_a_part_that_cannot_be_folded_keeps_nobody_from_the_others(house: House) -> None:
    broken, *others = scopes = ["p1", "p2", "p3"]
    assert len({part_of(scope) for scope in scopes}) == len(scopes)
    house.tally(broken)
    house.tally(*others)
    with transaction(house.database) as connection:
        connection.execute("UPDATE telemetry_fresh SET counts = '{' WHERE id % ? = ?", (PARTS, part_of(broken)))
    failed = 0
    for _ in range(60):
        try:
            wait = house.tidying.step(NOW)
        except ValueError:
            failed += 1
            wait = 1.0
        house.now += wait
    assert failed > 1, "it is tried again"
    assert house.fresh() == 1
    assert house.spans() == dict.fromkeys(INTERVALS, len(others))


def test_a_dear_fold_is_followed_by_a_long_rest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(connection: object, part: int) -> int:
        house.now += 1.0
        return 1

    monkeypatch.setattr(module, "fold", slow)
    house.run(1)
    house.tally("p0", "p1")
    house.now += FOLD_SECONDS
    house.tidying.step(NOW)
    assert house.tidying._fold_due - house.now == pytest.approx(50, abs=1)


def test_what_was_left_fresh_is_folded_by_the_next_gateway(data: Path) -> None:
    first = House(data)
    first.tally("p")
    first.database.close()
    second = House(data)
    second.run(5)
    assert (second.fresh(), second.spans()["month"]) == (0, 1)
    second.database.close()


@pytest.mark.parametrize("what", ["fold", "remove_before"])
def test_what_fails_is_tried_again_later(house: House, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    house.tally("p", days=8)
    house.run(60)
    house.tally("p", days=8)
    house.now += ROUND_SECONDS + 60
    real, calls = getattr(module, what), 0

    def failing(*arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise sqlite3.OperationalError("disk I/O error")
        return int(real(*arguments))

    monkeypatch.setattr(module, what, failing)
    failed = 0
    for _ in range(50):
        try:
            wait = house.tidying.step(NOW)
        except sqlite3.OperationalError:
            failed += 1
            wait = 1.0
        house.now += wait
    house.run(ROUND_SECONDS)
    assert failed == 2
    assert house.fresh() == 0
    assert "minute" not in house.spans()
    assert not house.connection.in_transaction
