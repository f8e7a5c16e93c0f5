"""Telemetry on disk: written with the log's rows or not at all, folded into spans, read with what is fresh.

Belongs here: the tables, folding, SIGKILL. Does not: what is counted (test_tally.py), when it is folded
(test_tidying.py).
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import pytest_twisted

from rrgate.store import LogRow, RequestLog
from rrgate.store.counts import INTERVALS, Counts, Tallied
from rrgate.store.database import connect, transaction
from rrgate.store.folder import create_private_file
from rrgate.store.log_migrations import migrations
from rrgate.store.span_maps import counts_of
from rrgate.store.telemetry import PARTS, Span, fold, part_of, parts_with_fresh
from rrgate.telemetry_view import telemetry_shown

DAY = 1440
ALL = (-(1 << 40), 1 << 40, 1000)


def opened(data: Path) -> RequestLog:
    from twisted.internet import reactor

    return RequestLog.open(data, reactor, lambda row: ({}, {}))  # type: ignore[arg-type]


def tallied(scope: str = "p", minute: int = 0, number: int = 1, status: int = 200, seconds: float = 0.5) -> Tallied:
    time = int(seconds * 1_000_000)
    return {(scope, minute): [number, seconds, seconds, {(status, status, "NZ"): [number, number * time, time]}]}


def fold_all(log: RequestLog) -> None:
    for part in parts_with_fresh(log._writer.conn):
        with transaction(log._writer) as connection:
            fold(connection, part)
    assert log._writer.conn.execute("SELECT count(*) FROM telemetry_fresh").fetchone() == (0,)


async def read(log: RequestLog, interval: str, scope: str = "p", where: tuple[int, int, int] = ALL) -> Any:
    def shown(spans: Iterable[Span]) -> list[tuple[int, int]]:
        there = [(span, counts_of(orjson.loads(each)) if isinstance(each, bytes) else each) for span, each in spans]
        for _, counts in there:
            assert counts.codes["200:proxy"][0] == counts.requests
        return [(span, counts.requests) for span, counts in there]

    return await log.telemetry(scope, INTERVALS.index(interval), *where, shown)


@pytest.mark.parametrize("folds", ["never", "once", "often"])
@pytest_twisted.ensureDeferred
async def test_all_intervals_whether_folded_or_fresh(data: Path, folds: str) -> None:
    log = opened(data)
    for number, minute in enumerate((0, 1, 1, 59, 60, DAY, 31 * DAY, 0), 1):
        log.append([], [tallied(minute=minute, number=number), tallied("other", minute)])
        if folds == "often":
            fold_all(log)
    if folds == "once":
        fold_all(log)
    minutes = [(31 * DAY, 7), (DAY, 6), (60, 5), (59, 4), (1, 5), (0, 9)]
    assert await read(log, "minute") == minutes
    assert await read(log, "hour") == [(31 * DAY, 7), (DAY, 6), (60, 5), (0, 18)]
    assert await read(log, "day") == [(31 * DAY, 7), (DAY, 6), (0, 23)]
    assert await read(log, "month") == [(31 * DAY, 7), (0, 29)]
    assert await read(log, "minute", where=(1, 60, 1000)) == [(60, 5), (59, 4), (1, 5)]
    assert await read(log, "minute", where=(-(1 << 40), 1 << 40, 2)) == minutes[:2]
    assert await read(log, "hour", "nobody") == []
    await log.close()


@pytest_twisted.ensureDeferred
async def test_the_newest_are_found_among_fresh_and_folded_ones(data: Path) -> None:
    log = opened(data)
    log.append([], [tallied(minute=minute) for minute in range(0, 20, 2)])
    fold_all(log)
    log.append([], [tallied(minute=minute) for minute in range(1, 21, 3)])
    assert [span for span, _ in await read(log, "minute", where=(0, 100, 5))] == [19, 18, 16, 14, 13]
    await log.close()


@pytest_twisted.ensureDeferred
async def test_what_other_parts_have_is_neither_read_nor_folded(data: Path) -> None:
    log = opened(data)
    scopes = list({part_of(name): name for name in (f"p{number}" for number in range(1000))}.values())
    assert len(scopes) == PARTS
    for number, scope in enumerate(scopes):
        log.append([], [tallied(scope, number=number), tallied(scopes[0], 1)])
    for number, scope in enumerate(scopes[1:], 1):
        assert await read(log, "minute", scope) == [(0, number)]
        with transaction(log._writer) as connection:
            assert fold(connection, part_of(scope)) == len(INTERVALS)
            assert fold(connection, part_of(scope)) == 0
        assert await read(log, "minute", scope) == [(0, number)]
    assert await read(log, "hour", scopes[0]) == [(0, PARTS)]
    await log.close()


@pytest_twisted.ensureDeferred
async def test_what_was_fresh_before_its_index_went(data: Path) -> None:
    create_private_file(data / "log.db")
    old = connect(data / "log.db", synchronous="NORMAL")
    migrations.apply(old, stop_before="step_0008_fresh_by_batch")
    for id, (scope, number) in enumerate([("p", 1), ("other", 2), ("p", 3)], 7):
        entry = [0, number, number, number, [[200, 200, "NZ", number, number, number]]]
        counts = orjson.dumps({scope: [entry]}).decode()
        old.execute("INSERT INTO telemetry_fresh VALUES (?, ?, ?)", (id, part_of(scope), counts))
    old.close()
    log = opened(data)
    log.append([], [tallied(number=5)])
    assert (await read(log, "minute"), await read(log, "minute", "other")) == ([(0, 9)], [(0, 2)])
    fold_all(log)
    assert (await read(log, "minute"), await read(log, "minute", "other")) == ([(0, 9)], [(0, 2)])
    (counts,) = log._writer.conn.execute("SELECT counts FROM telemetry WHERE scope_id = 'p'").fetchone()
    assert counts_of(orjson.loads(counts)).first == 1, "they are in the order in which they were written"
    await log.close()


@pytest_twisted.ensureDeferred
async def test_many_scopes_of_one_part(data: Path) -> None:
    log = opened(data)
    scopes = [name for name in (f"p{number}" for number in range(20_000)) if part_of(name) == part_of("p")]
    assert len(scopes) > 100
    for _ in range(2):
        log.append([], [tallied(scope) for scope in scopes])
        fold_all(log)
    assert [await read(log, "month", scope) for scope in (scopes[0], scopes[-1])] == [[(0, 2)], [(0, 2)]]
    await log.close()


def row(number: int) -> LogRow:
    return LogRow("p", f"r{number}", "c", number, "GET", 200, "{}")


@pytest_twisted.ensureDeferred
async def test_rows_and_counts_are_written_together_or_not_at_all(data: Path) -> None:
    log = opened(data)
    with pytest.raises(sqlite3.IntegrityError):
        log.append([row(1)._replace(facts=None)], [tallied()])  # type: ignore[arg-type]
    assert await read(log, "hour") == []
    with pytest.raises(TypeError):
        log.append([row(1)], [{("p", 0): [1, object(), 0.0, {}]}])
    assert (await log.list("p")).requests == ()
    await log.close()


KILLED = """
import sys
from pathlib import Path
from twisted.internet.testing import MemoryReactorClock
from rrgate.store import LogRow, RequestLog
from rrgate.store.database import transaction
from rrgate.store.telemetry import fold, part_of

log = RequestLog.open(Path(sys.argv[1]), MemoryReactorClock(), lambda row: ({}, {}))
for number in range(1_000_000):
    rows = [LogRow("p", f"{number} {place}", "c", 60000 * number, "GET", 200, "{}") for place in range(3)]
    sums = {(200, 0, "ZZ"): [3, 30, 0]}
    log.append(rows, [{(scope, number // 10): [3, 1.0, 1.0, sums]} for scope in ("p", "c")])
    if number % 5 == 4:
        for scope in ("p", "c"):
            with transaction(log._writer) as connection:
                fold(connection, part_of(scope))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0.0, 0.02, 0.07])
@pytest_twisted.ensureDeferred
async def test_after_sigkill_the_sums_are_those_of_the_rows(data: Path, after: float) -> None:
    opened(data).close()
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    log = opened(data)
    (rows,) = log._writer.conn.execute("SELECT count(*) FROM requests").fetchone()
    assert rows
    for scope in ("p", "c"):
        for interval in INTERVALS:
            assert sum(number for _, number in await read(log, interval, scope)) == rows
    fold_all(log)
    assert sum(number for _, number in await read(log, "month")) == rows
    await log.close()


# Of many statuses and countries, the maps are stored too.


def many_groups(number: int, chance: Random) -> Tallied:
    """Of one minute: `number` countries, each with four statuses."""
    groups = {
        (status, status, first + second): [chance.randrange(1, 50), chance.randrange(10**7), chance.randrange(10**7)]
        for status in (101, 200, 404, 503)
        for first, second in islice(product("ABCDEFGHIJ", "KLMNOPQRST"), number)
    }
    return {("p", 0): [sum(many for many, _, _ in groups.values()), 0.25, chance.random(), groups]}


@pytest.mark.parametrize("folds", ["once", "often", "plain before"])
@pytest.mark.parametrize("number", [1, 20, 100])
@pytest_twisted.ensureDeferred
async def test_stored_maps_are_those_of_the_counts(data: Path, number: int, folds: str) -> None:
    log, chance = opened(data), Random(number)
    batches = [many_groups(number, chance) for _ in range(3)]
    for batch in batches:
        log.append([], [batch])
        if folds == "once":
            continue
        fold_all(log)
        if folds == "plain before":  # as versions without maps wrote it
            with transaction(log._writer) as connection:
                ((text,),) = connection.execute("SELECT DISTINCT counts FROM telemetry").fetchall()
                plain = orjson.dumps(counts_of(orjson.loads(text)).as_list()).decode()
                connection.execute("UPDATE telemetry SET counts = ?", (plain,))
    fold_all(log)
    expected = Counts.of(batches[0]["p", 0])
    for batch in batches[1:]:
        expected.add(Counts.of(batch["p", 0]))
    for interval in range(4):
        ((span, text),) = await log.telemetry("p", interval, *ALL, list)
        assert span == 0
        assert counts_of(orjson.loads(text)).as_list() == expected.as_list()
        assert text.startswith(b"[{") == (number > 1 and folds != "plain before")
        shown = [list(telemetry_shown("p", "hour", [(0, each)], None)) for each in (text, expected)]
        assert shown[0] == shown[1]
    log.append([], [many_groups(number, chance)])
    ((_, counted),) = await log.telemetry("p", 0, *ALL, list)
    assert counted.requests > expected.requests
    await log.close()
