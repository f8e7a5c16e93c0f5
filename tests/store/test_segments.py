"""Segments: whatever the order in which rows come, each is found once and in its place; and a log from before them.

Belongs here: segments.py, through the log. Does not: rows and pages of one segment (test_request_log.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest
import pytest_twisted
from sqlite_utils import Database

from rrgate.store import LogRow, RequestLog, segments
from rrgate.store.database import open_migrated
from rrgate.store.folder import BACKUPS
from rrgate.store.log_migrations import migrations
from tests.store.test_request_log import opened, row

DAY = 86_400_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of four rows, and of eight where there is but one proxy."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 4)
    monkeypatch.setattr(segments, "FEW_PROXIES", 1)
    monkeypatch.setattr(segments, "MOST_SEGMENT_ROWS", 8)


def spans(log: RequestLog) -> list[tuple[int, int]]:
    """Where segments begin and end."""
    return log._writer.conn.execute("SELECT begins_at, ends_at FROM segments ORDER BY number").fetchall()


def rows_of(log: RequestLog) -> list[int]:
    """How many rows there are, by segment."""
    found = log._writer.conn.execute("SELECT count(*) FROM requests GROUP BY segment ORDER BY segment")
    return [many for (many,) in found]


async def pages(log: RequestLog, proxy: str, limit: int, **query: object) -> list[str]:
    """All that there is of a proxy, page by page."""
    seen: list[str] = []
    cursor = None
    while True:
        page = await log.list(proxy, limit=limit, cursor=cursor, **query)  # type: ignore[arg-type]
        seen += [record["sKey"] for record in page.requests]
        cursor = page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(8))
@pytest_twisted.ensureDeferred
async def test_pages_are_in_order_of_time_whatever_comes_when(data: Path, seed: int) -> None:
    chance = Random(seed)
    log = opened(data)
    rows: list[LogRow] = []
    now = 1000
    for _ in range(30):
        # Time may stand still, jump, and go back; requests may have begun long ago.
        now += chance.choice([0, 0, 1, 5, 300, -150])
        batch = [
            row(len(rows) + each, chance.choice("ppqr"), max(0, now - chance.choice([0, 0, 0, 3, 400])))
            for each in range(chance.choice([1, 2, 7]))
        ]
        log.append(batch)
        rows += batch
    assert len(spans(log)) > 2
    began, ended = zip(*spans(log), strict=True)
    assert began[0] == 0
    assert began[1:] == ended[:-1], "they join, and do not overlap"
    for proxy in "pqr":
        newest = sorted(rows, key=lambda each: (each.processed_at, rows.index(each)), reverse=True)
        newest = [each for each in newest if each.proxy_id == proxy]
        expected = [each.request_id for each in newest]
        assert await pages(log, proxy, 3) == await pages(log, proxy, 1000) == expected
        assert await pages(log, proxy, 2, status=201) == [each.request_id for each in newest if each.status == 201]
        assert await pages(log, proxy, 2, ended="well", method="GET") == expected
        for after, before in ((0, now), (900, 1400), (1100, 1101)):
            within = [each.request_id for each in newest if after < each.processed_at < before]
            assert await pages(log, proxy, 3, after=after, before=before) == within
    await log.close()


@pytest.mark.usefixtures("small")
@pytest_twisted.ensureDeferred
async def test_a_segment_with_few_proxies_has_more_rows(data: Path) -> None:
    log = opened(data)
    for number in range(24):
        log.append([row(number)])
    assert rows_of(log) == [8, 8, 8]
    for number in range(24, 40):
        log.append([row(number, f"p{number % 3}")])
    assert rows_of(log) == [8, 8, 8, 4, 4, 4, 4]
    await log.close()


@pytest.mark.usefixtures("small")
@pytest_twisted.ensureDeferred
async def test_a_clock_that_is_set_back_leaves_one_large_segment(data: Path) -> None:
    log = opened(data)
    log.append([row(number, at=10**6 + number) for number in range(8)])
    for number in range(8, 40):
        log.append([row(number)])
    assert rows_of(log) == [40]
    assert spans(log) == [(0, 10**6 + 8), (10**6 + 8, 1 << 62)]
    assert len(await pages(log, "p", 7)) == 40
    await log.close()


@pytest.mark.usefixtures("small")
@pytest_twisted.ensureDeferred
async def test_what_is_told_of_again_keeps_its_segment(data: Path) -> None:
    log = opened(data)
    log.append([row(number) for number in range(8)])
    log.append([row(number) for number in range(8, 16)])
    log.append([row(3, again=True), row(16)])
    assert rows_of(log) == [8, 8, 1]
    page = await log.list("p")
    assert [record["sKey"] for record in page.requests if "again" in record] == ["r3"]
    assert len(page.requests) == 17
    await log.close()


@pytest.mark.usefixtures("small")
@pytest_twisted.ensureDeferred
async def test_a_segment_goes_with_its_last_row_and_what_is_late_for_it_is_found(data: Path) -> None:
    now, kept = 1000 * DAY, 910 * DAY
    log = opened(data)
    for start in (kept - 20, kept - 10, kept + 10):
        log.append([row(start + number) for number in range(8)])
    assert len(spans(log)) == 4
    for _ in range(5):
        log.tidy(now)
    assert spans(log) == [(0, kept + 18), (kept + 18, 1 << 62)]
    log.append([row(kept + 1)])
    assert await pages(log, "p", 100) == [f"r{kept + number}" for number in (17, 16, 15, 14, 13, 12, 11, 10, 1)]
    await log.close()


def before_segments(data: Path) -> sqlite3.Connection:
    """A log as the version before made it, open."""
    database = open_migrated(data / "log.db", migrations, synchronous="NORMAL")
    database.close()
    (data / "log.db").unlink()
    database = Database(data / "log.db")
    migrations.apply(database, stop_before="step_0006_segments")
    assert "segment" not in database["requests"].columns_dict
    return database.conn


@pytest_twisted.ensureDeferred
async def test_a_log_from_before_is_taken_over_whole(data: Path) -> None:
    old = before_segments(data)
    told = [
        row(number, "pq"[number % 2], 5000 - number // 2)._replace(client_id="cd"[number % 2]) for number in range(60)
    ]
    names = ", ".join(LogRow._fields)
    with old:
        old.executemany(f"INSERT INTO requests ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", told)
        old.execute("INSERT INTO bodies VALUES ('r7', 'd', x'00')")
    expected = {
        proxy: [each.request_id for each in sorted(told, key=lambda each: -each.processed_at) if each.proxy_id == proxy]
        for proxy in "pq"
    }
    kept = old.execute(f"SELECT id, {names} FROM requests ORDER BY id").fetchall()
    old.close()
    log = opened(data)
    assert log._writer.conn.execute(f"SELECT id, {names} FROM requests ORDER BY id").fetchall() == kept
    assert log._writer.conn.execute("SELECT * FROM bodies").fetchall() == [("r7", "d", b"\0")]
    assert spans(log) == [(0, 5001), (5001, 1 << 62)]
    assert log._writer.conn.execute("SELECT * FROM segment_clients").fetchall() == [("c", 0), ("d", 0)]
    log.append([row(100, at=6000), row(101, "q", 4990)])
    assert await pages(log, "p", 7) == ["r100", *expected["p"]]
    assert (await pages(log, "q", 7, after=4989, before=4991))[0] == "r101"
    assert rows_of(log) == [61, 1]
    assert list((data / BACKUPS).iterdir()) == [data / BACKUPS / "log.db-before-step_0006_segments"]
    await log.close()


@pytest_twisted.ensureDeferred
async def test_an_empty_log_from_before(data: Path) -> None:
    before_segments(data).close()
    log = opened(data)
    log.append([row(1)])
    assert spans(log) == [(0, 1 << 62)]
    assert await pages(log, "p", 7) == ["r1"]
    await log.close()
