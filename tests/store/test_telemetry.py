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
from itertools import chain, islice, product
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import pytest_twisted

from rrgate.store import LogRow, RequestLog, telemetry
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
    return [[scope, minute, number, seconds, seconds, status, status, "NZ", number, number * time, time]]


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


@pytest.mark.parametrize("step", ["step_0008_fresh_by_batch", "step_0009_flat_entries"])
@pytest_twisted.ensureDeferred
async def test_what_was_fresh_before_an_upgrade(data: Path, step: str) -> None:
    create_private_file(data / "log.db")
    old = connect(data / "log.db", synchronous="NORMAL")
    migrations.apply(old, stop_before=step)
    for id, (scope, number) in enumerate([("p", 1), ("other", 2), ("p", 3)], 7):
        entry = [0, number, number, number, [[200, 200, "NZ", number, 4, 3], [200, 404, "AU", 0, 2, 1]]]
        part, counts = part_of(scope), orjson.dumps({scope: [entry]}).decode()
        if step == "step_0008_fresh_by_batch":
            old.execute("INSERT INTO telemetry_fresh VALUES (?, ?, ?)", (id, part, counts))
        else:
            old.execute("INSERT INTO telemetry_fresh VALUES (?, ?)", (id * PARTS + part, counts))
    old.close()
    log = opened(data)
    log.append([], [tallied(number=5)])
    assert (await read(log, "minute"), await read(log, "minute", "other")) == ([(0, 9)], [(0, 2)])
    fold_all(log)
    assert (await read(log, "minute"), await read(log, "minute", "other")) == ([(0, 9)], [(0, 2)])
    (counts,) = log._writer.conn.execute("SELECT counts FROM telemetry WHERE scope_id = 'p'").fetchone()
    counted = counts_of(orjson.loads(counts))
    assert counted.first == 1, "they are in the order in which they were written"
    assert (counted.codes["200:proxy"], counted.countries["AU:target"]) == ([9, 2 * 6 + 2_500_000], [0, 2])
    await log.close()


def some_scopes(number: int) -> list[str]:
    """Each of another part, in their order."""
    return [{part_of(name): name for name in (f"p{each}" for each in range(1000))}[part] for part in range(number)]


def fresh_rows(log: RequestLog) -> int:
    return int(log._writer.conn.execute("SELECT count(*) FROM telemetry_fresh").fetchone()[0])


@pytest_twisted.ensureDeferred
async def test_rows_of_many_batches_are_removed_with_those_of_parts_beside_them(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MANY", 3)
    monkeypatch.setattr(telemetry, "TOGETHER", 2)
    log = opened(data)
    scopes = some_scopes(3)
    left = []
    for _ in range(3):
        log.append([], [tallied(scope) for scope in scopes])
    for part in (0, 1, 2):
        with transaction(log._writer) as connection:
            fold(connection, part)
        left.append(fresh_rows(log))
        assert parts_with_fresh(log._writer.conn) == {0, 1, 2} - {*range(part + 1)}
        for scope in scopes:
            assert await read(log, "minute", scope) == [(0, 3)]
    assert left == [9, 3, 3]
    log.append([], [tallied(scopes[0])])
    fold_all(log)
    await log.close()


@pytest.mark.parametrize("seed", range(6))
@pytest_twisted.ensureDeferred
async def test_each_request_is_counted_once_in_whatever_order_parts_are_folded(
    data: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MANY", 3)
    monkeypatch.setattr(telemetry, "TOGETHER", 3)
    chance, scopes = Random(seed), some_scopes(6)
    expected = dict.fromkeys(scopes, 0)
    logs = [opened(data), opened(data)]  # as several processes have it
    seen = set()
    for _ in range(120):
        log = chance.choice(logs)
        if chance.random() < 0.6:
            chosen = chance.sample(scopes, chance.randrange(1, 7))
            log.append([], [tallied(scope) for scope in chosen])
            for scope in chosen:
                expected[scope] += 1
        else:
            with transaction(log._writer) as connection:
                fold(connection, chance.randrange(6))
                seen.add(connection.execute("SELECT count(*) FROM telemetry_folded").fetchone()[0])
        for scope in scopes:
            assert sum(number for _, number in await read(log, "month", scope)) == expected[scope]
    assert seen == {0, 1, 2}
    await logs.pop().close()
    for part in parts_with_fresh(logs[0]._writer.conn):
        with transaction(logs[0]._writer) as connection:
            fold(connection, part)
    for scope in scopes:
        assert sum(number for _, number in await read(logs[0], "day", scope)) == expected[scope]
    await logs[0].close()


@pytest_twisted.ensureDeferred
async def test_what_is_noted_as_folded_hides_nothing_that_comes_later(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MANY", 1)
    log = opened(data)
    log.append([], [tallied()])
    with transaction(log._writer) as connection:
        assert fold(connection, part_of("p")) == len(INTERVALS)
        assert fold(connection, part_of("p")) == 0
        connection.execute("DELETE FROM telemetry_fresh")  # by a version that does not know of notes
    log.append([], [tallied()])
    assert await read(log, "minute") == [(0, 2)]
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
        log.append([row(1)], [[["p", 0, 1, object(), 0.0]]])
    assert (await log.list("p")).requests == ()
    await log.close()


KILLED = """
import sys
from pathlib import Path
from twisted.internet.testing import MemoryReactorClock
from rrgate.store import LogRow, RequestLog, telemetry
from rrgate.store.database import transaction
from rrgate.store.telemetry import fold, part_of

telemetry.MANY, telemetry.TOGETHER = 5, 2
log = RequestLog.open(Path(sys.argv[1]), MemoryReactorClock(), lambda row: ({}, {}))
for number in range(1_000_000):
    rows = [LogRow("p", f"{number} {place}", "c", 60000 * number, "GET", 200, "{}") for place in range(3)]
    log.append(rows, [[[scope, number // 10, 3, 1.0, 1.0, 200, 0, "ZZ", 3, 30, 0]] for scope in ("p", "c")])
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
    groups = [
        (status, status, first + second, chance.randrange(1, 50), chance.randrange(10**7), chance.randrange(10**7))
        for status in (101, 200, 404, 503)
        for first, second in islice(product("ABCDEFGHIJ", "KLMNOPQRST"), number)
    ]
    return [["p", 0, sum(group[3] for group in groups), 0.25, chance.random(), *chain.from_iterable(groups)]]


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
    expected = Counts()
    for (entry,) in batches:
        expected.add(Counts.of(entry))
    for interval in range(4):
        ((span, text),) = await log.telemetry("p", interval, *ALL, list)
        assert span == 0
        assert counts_of(orjson.loads(text)).as_list() == expected.as_list()
        assert text.startswith(b"[{") == (number > 1 and folds != "plain before")
        shown = [b"".join(telemetry_shown("p", "hour", [(0, each)], None)) for each in (text, expected)]
        assert shown[0] == shown[1]
    log.append([], [many_groups(number, chance)])
    ((_, counted),) = await log.telemetry("p", 0, *ALL, list)
    assert counted.requests > expected.requests
    await log.close()
