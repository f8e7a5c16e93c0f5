"""Group commit: whoever waits shares a commit, and nobody's work fails for another's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs

from rrgate.delivery import new_rows, states, table, times
from rrgate.delivery.commits import MOST_AT_ONCE, Commits
from rrgate.delivery.queue import Queue
from rrgate.delivery.schema import migrations
from rrgate.delivery.table import Keep
from rrgate.delivery.times import DeliveryTime
from rrgate.store.database import open_migrated, transaction
from rrgate.waiting import Task
from tests.delivery.in_a_task import waits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def opened(file: Path) -> Commits:
    from twisted.internet import reactor

    return Commits(open_migrated(file, migrations, synchronous="FULL"), reactor)  # type: ignore[arg-type]  # a module to mypy


async def has_begun(begun: Event) -> None:
    """Waits in another thread, since what is asked of Commits is handed over when the reactor's round is over."""
    assert await deferToThread(begun.wait, 10)


def writes(number: int) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO times VALUES (?, 'boot', 0)", (number,))
        return number

    return work


def numbers(file: Path) -> list[int]:
    connection = sqlite3.connect(file)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM times ORDER BY id")]
    finally:
        connection.close()


@pytest_twisted.ensureDeferred
async def test_who_waits_while_a_commit_runs_shares_the_next(file: Path) -> None:
    commits = opened(file)
    begun, go_on = Event(), Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    first = commits.do(slow)
    await has_begun(begun)
    others = [commits.do(writes(number)) for number in range(1, 51)]
    go_on.set()
    await first
    assert [await other for other in others] == list(range(1, 51))
    assert commits.commits == 2
    await commits.close(lambda: None)
    assert numbers(file) == list(range(1, 51))


@pytest_twisted.ensureDeferred
async def test_what_is_asked_in_one_round_shares_a_commit_up_to_a_bound(file: Path) -> None:
    commits = opened(file)
    assert [await each for each in [commits.do(writes(number)) for number in range(1, 51)]] == list(range(1, 51))
    assert commits.commits == 1
    sizes: list[int] = []

    def together(_: sqlite3.Connection, given: Any) -> list[int]:
        sizes.append(len(given))
        return [*given]

    asked = range(2 * MOST_AT_ONCE + 88)
    assert [await waits(each) for each in [commits.do_together(together, number) for number in asked]] == [*asked]
    assert sizes == [MOST_AT_ONCE, MOST_AT_ONCE, 88]
    await commits.close(lambda: None)


@pytest_twisted.ensureDeferred
async def test_who_fails_when_told_keeps_it_from_none_of_the_others(file: Path) -> None:
    commits = opened(file)

    def together(_: sqlite3.Connection, given: Any) -> list[int]:
        return [*given]

    async def first() -> None:
        await commits.do_together(together, 1)

    def fails(error: BaseException | None) -> None:
        raise RuntimeError("a bug of its own")

    Task(first(), fails).start()
    second = waits(commits.do_together(together, 2))
    with capturedLogs() as events:
        assert await second == 2
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [RuntimeError]
    await commits.close(lambda: None)


@pytest_twisted.ensureDeferred
async def test_what_is_asked_right_before_the_end_is_done(file: Path) -> None:
    commits = opened(file)
    last = commits.do(writes(1))
    await commits.close(lambda: None)
    assert await last == 1
    assert numbers(file) == [1]


@pytest_twisted.ensureDeferred
async def test_work_that_fails_takes_nobody_elses_with_it(file: Path) -> None:
    commits = opened(file)
    begun, go_on = Event(), Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO times VALUES (100, 'boot', 0)")
        raise LookupError("not there")

    first = commits.do(slow)
    await has_begun(begun)
    waiting: list[Any] = [commits.do(writes(1)), commits.do(fails), commits.do(writes(2))]
    go_on.set()
    await first
    results = await DeferredList(waiting, consumeErrors=True)
    assert [good for good, _ in results] == [True, False, True]
    assert results[1][1].check(LookupError)
    await commits.close(lambda: None)
    assert numbers(file) == [1, 2]


@pytest_twisted.ensureDeferred
async def test_a_file_that_another_process_keeps_locked_is_waited_for_once_for_all(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[None] = []

    @contextmanager
    def locked(_: Any) -> Iterator[sqlite3.Connection]:
        tries.append(None)
        raise sqlite3.OperationalError("database is locked")
        yield

    commits = opened(file)
    begun, go_on = Event(), Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    first = commits.do(slow)
    await has_begun(begun)
    waiting = [commits.do(writes(number)) for number in range(1, 51)]
    monkeypatch.setattr("rrgate.delivery.commits.transaction", locked)
    go_on.set()
    await first
    results: list[Any] = await DeferredList(waiting, consumeErrors=True)
    assert all(not good and failure.check(sqlite3.OperationalError) for good, failure in results)
    assert len(tries) == 1, "each try takes as long as a lock is waited for"
    monkeypatch.undo()
    assert await commits.do(writes(51)) == 51
    await commits.close(lambda: None)


@pytest_twisted.ensureDeferred
async def test_a_refusal_does_not_take_a_commit_apart(file: Path) -> None:
    commits = opened(file)
    unused: Any = None
    queue = Queue(commits, unused, unused, unused, lambda: 0, Keep())
    begun, go_on = Event(), Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    first = commits.do(slow)
    await has_begun(begun)
    waiting: list[Any] = [commits.do(writes(1)), queue.cancel(7), waits(queue.begin(8)), commits.do(writes(2))]
    go_on.set()
    await first
    results = await DeferredList(waiting, consumeErrors=True)
    assert [good for good, _ in results] == [True, False, False, True]
    assert all(results[place][1].check(LookupError) for place in (1, 2))
    assert commits.commits == 2
    await commits.close(lambda: None)
    assert numbers(file) == [1, 2]


@pytest_twisted.ensureDeferred
async def test_what_nobody_waits_for_any_more_is_written_all_the_same(file: Path) -> None:
    commits = opened(file)
    left = commits.do(writes(1))
    left.addErrback(lambda _: None)
    left.cancel()
    assert await commits.do(writes(2)) == 2
    await commits.close(lambda: None)
    assert numbers(file) == [1, 2]


def test_the_time_does_not_go_back_when_the_machine_is_started_again_with_a_clock_that_is_behind(file: Path) -> None:
    database = open_migrated(file, migrations, synchronous="FULL")
    hour = 3_600_000
    with transaction(database) as connection:
        now = DeliveryTime.of(connection, lambda: 1_700_000_000.0)()
        progress = states.accepted(now, delay=0, window=9 * hour, repeatable=True)
        id = new_rows.insert(connection, new_rows.NewRow("r", "p", "c", b"", now, progress, b"", b""))
    for hours in (0, 4):
        with transaction(database) as connection:
            if hours:
                table.begin_attempts(connection, [(id, 1, now + hours * hour)])
            connection.execute("UPDATE times SET boot = 'the boot before'")
            again = DeliveryTime.of(connection, lambda: 1_700_000_000.0 - 86_400)()
        assert now + hours * hour <= again < now + hours * hour + 60_000
    database.close()


def test_the_time_does_not_go_back_where_nothing_tells_that_the_machine_was_started_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, up = open_migrated(file, migrations, synchronous="FULL"), [500_000.0]
    monkeypatch.setattr(times, "boot_id", lambda: "")
    monkeypatch.setattr(times, "boottime", lambda: up[0])

    def now(wall: float) -> float:
        with transaction(database) as connection:
            return DeliveryTime.of(connection, lambda: wall)() / 1000

    assert now(1_700_000_000.0) == 1_700_000_000.0
    assert now(5.0) == 1_700_000_000.0, "a wall clock that is set back changes nothing"
    up[0] = 20.0
    assert now(1_700_000_060.0) == 1_700_000_060.0
    database.close()


def test_the_time_is_the_same_for_every_process_of_a_boot_whatever_the_wall_says(file: Path) -> None:
    database = open_migrated(file, migrations, synchronous="FULL")
    with transaction(database) as connection:
        one = DeliveryTime.of(connection, lambda: 1_700_000_000.0)
    with transaction(database) as connection:
        other = DeliveryTime.of(connection, lambda: 5.0)
    assert abs(one() - 1_700_000_000_000) < 60_000
    assert abs(one() - other()) < 60_000
    database.close()
