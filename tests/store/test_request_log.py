"""The request log: appended in batches, read newest first in pages.

Belongs here: rows and pages. Does not: what a record says (tests/test_record.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_twisted
from twisted.internet import defer

from rrgate.store import LogRow, RequestLog


def row(number: int, proxy: str = "p", at: int | None = None, **more: object) -> LogRow:
    facts = orjson.dumps({"sKey": f"r{number}", **more}).decode()
    return LogRow(proxy, f"r{number}", "c", number if at is None else at, "GET", 200 + number % 2, facts)


def published(row: LogRow) -> tuple[dict[str, object], dict[str, object]]:
    return orjson.loads(row.facts), {"path": "/"}


def opened(data: Path) -> RequestLog:
    from twisted.internet import reactor

    return RequestLog.open(data, reactor, published)  # type: ignore[arg-type]


@pytest_twisted.async_yield_fixture
async def log(data: Path) -> AsyncIterator[RequestLog]:
    made = opened(data)
    yield made
    await made.close()


async def listed(log: RequestLog, proxy: str = "p", **query: object) -> list[str]:
    page = await log.list(proxy, **query)  # type: ignore[arg-type]
    return [record["sKey"] for record in page.requests]


@pytest_twisted.ensureDeferred
async def test_newest_first_within_bounds(log: RequestLog) -> None:
    log.append([row(2), row(1), row(3), row(4, "other"), row(5, "")])
    assert await listed(log) == ["r3", "r2", "r1"]
    assert await listed(log, "other") == ["r4"]
    assert await listed(log, "") == ["r5"]
    assert await listed(log, "nobody") == []
    assert await listed(log, after=1, before=3) == ["r2"]
    assert await listed(log, status=201) == ["r3", "r1"]
    assert await listed(log, method="POST") == []
    assert await listed(log, limit=1) == ["r3"]


@pytest_twisted.ensureDeferred
async def test_pages_cover_everything_once_even_at_equal_times(log: RequestLog) -> None:
    log.append([row(number, at=number // 10) for number in range(45)])
    seen: list[str] = []
    cursor = None
    pages = 0
    while True:
        page = await log.list("p", limit=7, cursor=cursor)
        seen += [record["sKey"] for record in page.requests]
        pages += 1
        if pages == 2:
            log.append([row(100, at=1000)])  # what comes meanwhile does not disturb
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"r{number}" for number in reversed(range(45))]
    assert pages == 7


@pytest.mark.parametrize("cursor", ["", "x", "!!", "LTEuLTE", "é", "MS4", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS4x"])
@pytest_twisted.ensureDeferred
async def test_a_cursor_that_is_none(log: RequestLog, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        log.list("p", cursor=cursor)


@pytest_twisted.ensureDeferred
async def test_limits(log: RequestLog) -> None:
    for limit in (0, -1, 1001):
        with pytest.raises(ValueError, match="from 1 to 1000"):
            log.list("p", limit=limit)


@pytest_twisted.ensureDeferred
async def test_detail_adds_the_flat_view(log: RequestLog) -> None:
    log.append([row(1)])
    assert await log.detail("p", "r1") == {"sKey": "r1", "path": "/"}
    assert await log.detail("p", "r2") is None
    assert await log.detail("other", "r1") is None


@pytest_twisted.ensureDeferred
async def test_a_request_told_of_again_keeps_its_place(log: RequestLog) -> None:
    log.append([row(1, processed=False), row(2)])
    log.append([row(1, processed=True)])
    page = await log.list("p")
    assert [(record["sKey"], record.get("processed")) for record in page.requests] == [("r2", None), ("r1", True)]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
@pytest_twisted.ensureDeferred
async def test_batches_of_any_size_are_written_whole_in_order_or_not_at_all(log: RequestLog, count: int) -> None:
    log.append([])
    log.append([row(number, at=0) for number in range(count)])
    assert await listed(log) == [f"r{number}" for number in reversed(range(count))]
    broken = row(0)._replace(facts=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        log.append([*(row(1000 + number) for number in range(count)), broken])
    assert len(await listed(log)) == count
    log.append([row(number, at=0, again=True) for number in range(count)])
    page = await log.list("p")
    assert [record["again"] for record in page.requests] == [True] * count


@pytest_twisted.ensureDeferred
async def test_the_log_survives_closing(data: Path) -> None:
    first = opened(data)
    first.append([row(1)])
    await defer.gatherResults([first.close(), first.close()])
    assert not (data / "log.db-wal").exists()
    second = opened(data)
    assert await listed(second) == ["r1"]
    await second.close()
