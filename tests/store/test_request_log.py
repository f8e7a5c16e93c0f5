"""The request log: appended in batches, read newest first in pages.

Belongs here: rows and pages. Does not: what a record says (tests/test_record.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_twisted
from twisted.internet import defer

from rrgate.record import Facts
from rrgate.store import LogRow, RequestLog
from rrgate.store import request_log as module
from rrgate.store.ended import ATTEMPT, PROCESSED
from rrgate.store.log_rows import BodyRow, ListedRow


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
async def test_it_tells_which_ends_it_has(log: RequestLog) -> None:
    def of(request_id: str, attempts: int, processed: bool) -> LogRow:
        facts: list[object] = [None] * len(Facts._fields)
        facts[ATTEMPT], facts[PROCESSED] = attempts, processed
        return LogRow("p", request_id, "c", 1, "GET", 200 if processed else 202, orjson.dumps(facts).decode())

    log.append([of("begun", 0, False), of("over", 2, True), of("again", 3, False)])
    wanted = [("begun", 0), ("over", 2), ("again", 3), ("nobody's", 1)]
    assert await log.ended(wanted) == {"over"}
    assert await log.ended([("over", 1)]) == {"over"}
    assert await log.ended([("over", 3)]) == set(), "it was replayed since"
    assert await log.ended([]) == set()


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
async def test_by_status_and_how_it_ended(log: RequestLog) -> None:
    statuses = [200, 404, 200, 502, 404, 302, 399, 400]
    log.append([row(number)._replace(status=status) for number, status in enumerate(statuses)])
    assert await listed(log, status=404) == ["r4", "r1"]
    assert await listed(log, status=404, limit=1) == ["r4"]
    assert await listed(log, status=404, before=4) == ["r1"]
    assert await listed(log, status=200) == ["r2", "r0"]
    assert await listed(log, status=503) == []
    assert await listed(log, ended="well") == ["r6", "r5", "r2", "r0"]
    assert await listed(log, ended="badly") == ["r7", "r4", "r3", "r1"]
    assert await listed(log, ended="well", status=404) == []
    assert await listed(log, ended="badly", status=404, method="GET") == ["r4", "r1"]


@pytest_twisted.ensureDeferred
async def test_what_was_taken_and_is_not_over_has_ended_neither_way(log: RequestLog) -> None:
    assert Facts._fields.index("processed") == PROCESSED
    facts = {over: orjson.dumps([0] * PROCESSED + ([] if over is None else [over])) for over in (True, False)}
    log.append(
        [
            row(number)._replace(status=status, facts=(facts[over] if over is not None else b"[]").decode())
            for number, (status, over) in enumerate([(202, True), (202, False), (200, True), (404, True), (202, None)])
        ]
    )

    async def count(**query: object) -> int:
        return len((await log.list("p", **query)).requests)  # type: ignore[arg-type]

    assert await count(ended="well") == 3, "a target's 202, an old row, and a 200"
    assert await count(ended="not yet") == 1
    assert await count(ended="badly") == 1
    assert await count(ended="not yet", status=202, method="GET") == 1
    assert await count(ended="not yet", status=200) == 0


@pytest.mark.parametrize(
    ("query", "looks"),
    [
        ({}, "requests_newest (segment=? AND proxy_id=?)"),
        ({"cursor": "OS45"}, "requests_newest (segment=? AND proxy_id=? AND processed_at<?)"),
        ({"after": 3, "before": 9}, "requests_newest (segment=? AND proxy_id=? AND processed_at>? AND processed_at<?)"),
        ({"status": 404}, "requests_unusual_status (segment=? AND proxy_id=? AND status=?)"),
        ({"status": 404, "before": 9}, "requests_unusual_status (segment=? AND proxy_id=? AND status=? AND"),
        ({"status": 200}, "COVERING INDEX requests_newest (segment=? AND proxy_id=?)"),
        ({"method": "PUT", "ended": "badly"}, "COVERING INDEX requests_newest (segment=? AND proxy_id=?)"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_rows_are_found_by_an_index_in_their_order(log: RequestLog, query: dict[str, Any], looks: str) -> None:
    asked: list[str] = []
    log._reader.conn.set_trace_callback(asked.append)
    await log.list("p", **query)
    log._reader.conn.set_trace_callback(None)
    begin, first, *_ = asked
    assert begin == "BEGIN"
    plan = [row[3] for row in log._writer.conn.execute(f"EXPLAIN QUERY PLAN {first}").fetchall()]
    assert looks in "; ".join(plan)
    assert "SCAN segments" in plan or "SEARCH segments" in plan
    # Only what is found by a search is put in order once more.
    assert ("USE TEMP B-TREE FOR ORDER BY" in plan) == ("SCALAR" in "".join(plan) or "LIST SUBQUERY" in "".join(plan))


@pytest.mark.parametrize("found_first", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_search_looks_at_so_many_rows_and_goes_on_with_the_next_page(
    log: RequestLog, monkeypatch: pytest.MonkeyPatch, found_first: bool
) -> None:
    monkeypatch.setattr(module, "MOST_LOOKED_AT", 10)
    rare = {95, 94, 93} if found_first else {4, 3, 50}
    log.append([row(number)._replace(method="PUT" if number in rare else "GET") for number in range(100)])
    seen: list[str] = []
    pages, cursor = 0, None
    while True:
        page = await log.list("p", method="PUT", limit=2, cursor=cursor)
        seen += [record["sKey"] for record in page.requests]
        pages += 1
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"r{number}" for number in sorted(rare, reverse=True)]
    assert 10 <= pages <= 12


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
async def test_bodies_are_shown_where_they_are_asked_for_and_go_with_their_request(log: RequestLog) -> None:
    log._opened = lambda bodies: {"sealed": bodies.sealed.decode()}
    log.append([row(1), row(2)], [], [BodyRow("r1", "c", b"one")])
    assert await log.detail("p", "r1", bodies=True) == {"sKey": "r1", "path": "/", "sealed": "one"}
    assert await log.detail("p", "r1") == {"sKey": "r1", "path": "/"}
    assert await log.detail("p", "r2", bodies=True) == {"sKey": "r2", "path": "/"}
    with pytest.raises(sqlite3.IntegrityError):
        log.append([row(3)], [], [BodyRow("r4", "c", b"of nothing")])
    assert await log.detail("p", "r3") is None
    log.append([row(1, again=True)])
    assert await log.detail("p", "r1", bodies=True) == {"sKey": "r1", "again": True, "path": "/", "sealed": "one"}
    for _ in range(5):
        log.tidy(1_700_000_000_000)
    assert await listed(log) == []
    assert log._writer.conn.execute("SELECT count(*) FROM bodies").fetchone() == (0,)


@pytest_twisted.ensureDeferred
async def test_records_of_which_only_json_becomes_may_be_anything_that_makes_it(data: Path) -> None:
    from twisted.internet import reactor

    def writing(proxy_id: str, client_id: str, rows: Sequence[ListedRow]) -> list[object]:
        return [(proxy_id, client_id, row) for row in rows]

    log = RequestLog.open(data, reactor, published, writing=writing)  # type: ignore[arg-type]
    log.append([row(1), row(2)])
    page = await log.list("p", to_write=True)
    assert page.requests == (
        ("p", "c", (2, "r2", 2, "GET", 200, b'{"sKey":"r2"}')),
        ("p", "c", (1, "r1", 1, "GET", 201, b'{"sKey":"r1"}')),
    )
    assert await listed(log) == ["r2", "r1"]
    assert (await log.list("nobody", to_write=True)).requests == ()
    await log.close()


@pytest_twisted.ensureDeferred
async def test_a_request_told_of_again_keeps_its_place(log: RequestLog) -> None:
    log.append([row(1, processed=False), row(2)])
    log.append([row(1, processed=True)])
    page = await log.list("p")
    assert [(record["sKey"], record.get("processed")) for record in page.requests] == [("r2", None), ("r1", True)]


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        ((0, False), (1, True), (1, True)),
        ((1, True), (0, False), (1, True)),  # another process was slower to tell of its beginning
        ((0, True), (0, False), (0, True)),  # cancelled before
        ((2, True), (2, False), (2, False)),  # replayed
        ((3, True), (2, False), (3, True)),  # and over again before that was told
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_beginning_of_a_request_does_not_hide_its_end(
    log: RequestLog, first: tuple[int, bool], then: tuple[int, bool], kept: tuple[int, bool]
) -> None:
    assert Facts._fields.index("attempt") == ATTEMPT
    for attempt, over in (first, then):
        facts = [0] * ATTEMPT + [attempt] + [0] * (PROCESSED - ATTEMPT - 1) + [over]
        log.append([row(1)._replace(status=202, facts=orjson.dumps(facts).decode())])
    (found,) = log._writer.conn.execute("SELECT facts FROM requests").fetchall()
    facts = orjson.loads(found[0])
    assert (facts[ATTEMPT], facts[PROCESSED]) == kept


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250, 701])
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


def written_by_this_thread() -> int:
    told = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(told["wchar"])


@pytest.mark.skipif(not Path("/proc/thread-self/io").exists(), reason="the kernel does not say what was written")
@pytest_twisted.ensureDeferred
async def test_a_batch_of_many_proxies_writes_nothing_but_what_its_file_keeps(log: RequestLog, data: Path) -> None:
    log.append([row(number, f"{number:099}") for number in range(500)])
    kept, written = (data / "log.db-wal").stat().st_size, written_by_this_thread()
    log.append([row(500 + number, f"{number:099}") for number in range(500)])
    assert written_by_this_thread() - written == (data / "log.db-wal").stat().st_size - kept


@pytest_twisted.ensureDeferred
async def test_the_log_survives_closing(data: Path) -> None:
    first = opened(data)
    first.append([row(1)])
    await defer.gatherResults([first.close(), first.close()])
    assert not (data / "log.db-wal").exists()
    second = opened(data)
    assert await listed(second) == ["r1"]
    await second.close()
