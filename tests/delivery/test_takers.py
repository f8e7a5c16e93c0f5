"""What is written down of the processes that take requests: up to which one the log has what each took.

Belongs here: when that goes on, and what is left when a process ends. Does not: what is told of those that died
(test_left_behind.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from rrgate.delivery.bounds import NO_BOUNDS
from rrgate.delivery.schema import migrations
from rrgate.delivery.takers import LAST, MOMENT, Locks, Takers, enter
from rrgate.delivery.taking import Takes
from rrgate.store import StoreError
from rrgate.waiting import run_deferred
from tests.delivery.test_taking import Seals, new


class Queue:
    taker = 7

    def __init__(self) -> None:
        self.last: int | Exception = 3
        self.told: list[int] = []
        self.left: list[int] = []

    def newest(self) -> Deferred[int]:
        return fail(self.last) if isinstance(self.last, Exception) else succeed(self.last)

    def told_until(self, number: int) -> None:
        self.told.append(number)

    def leave(self, id: int) -> Deferred[None]:
        self.left.append(id)
        return succeed(None)


class Parts:
    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = Queue()
        self.flushes: list[Deferred[None]] = []
        self.takers = Takers(self.queue, self.clock, self._flushed)

    def _flushed(self) -> Deferred[None]:
        self.flushes.append(Deferred())
        return self.flushes[-1]


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_it_goes_on_once_the_log_has_what_was_taken(parts: Parts) -> None:
    parts.takers.begun("a")
    parts.takers.begun("b")
    parts.takers.recorded("a")
    parts.clock.advance(MOMENT)
    parts.takers.begun("c")  # behind that number
    for _ in range(3):
        parts.clock.advance(MOMENT)
        assert parts.flushes == [], "what became of one is not known to the log"
    parts.takers.recorded("b")
    parts.clock.advance(MOMENT)
    assert parts.queue.told == []
    parts.flushes.pop().callback(None)
    assert parts.queue.told == [3]
    assert parts.clock.getDelayedCalls() == [], "where nothing is taken nothing is looked for"
    parts.takers.begun("d")
    assert len(parts.clock.getDelayedCalls()) == 1


def test_a_queue_that_cannot_be_read_is_asked_again(parts: Parts) -> None:
    parts.queue.last = sqlite3.OperationalError("not now")
    parts.takers.begun("a")
    parts.takers.recorded("a")
    parts.clock.advance(MOMENT)
    assert (parts.queue.told, parts.flushes) == ([], [])
    parts.queue.last = 9
    parts.takers.begun("b")
    parts.takers.recorded("b")
    parts.clock.advance(MOMENT)
    parts.flushes.pop().callback(None)
    assert parts.queue.told == [9]


@pytest.mark.parametrize("how", ["in order", "the log is stuck", "one is not in the log's hands", "the log has ended"])
def test_who_ends_leaves_only_what_the_log_does_not_have(parts: Parts, how: str) -> None:
    parts.takers.begun("a")
    if how != "one is not in the log's hands":
        parts.takers.recorded("a")
    ended = run_deferred(parts.takers.close())
    for flush in parts.flushes:
        if how == "in order":
            flush.callback(None)
        elif how == "the log has ended":
            flush.errback(sqlite3.OperationalError("closed"))
    parts.clock.advance(LAST)
    assert ended.called
    assert parts.queue.left == ([7] if how == "in order" else [])
    assert parts.clock.getDelayedCalls() == []


def test_it_is_on_disk_with_what_is_taken_next() -> None:
    database = Database(memory=True, execute_plugins=False, strict=True)
    migrations.apply(database)
    asked: list[str] = []
    with database.conn:
        own, other = enter(database.conn), enter(database.conn)
    takes = Takes(Seals(), lambda: 1_000, NO_BOUNDS, lambda: None, other)

    def told() -> Any:
        return database.conn.execute("SELECT id, told FROM takers").fetchall()

    with database.conn:
        takes.all(database.conn, [new("r1")])
        takes.all(database.conn, [new("r2")])
    takes.told = 1
    assert told() == [(own, 0), (other, 0)]
    database.conn.set_trace_callback(asked.append)
    with database.conn:
        takes.all(database.conn, [new("r3")])
        takes.all(database.conn, [new("r4")])
    assert told() == [(own, 0), (other, 1)]
    assert sum("UPDATE takers" in sql for sql in asked) == 1
    assert database.conn.execute("SELECT DISTINCT taker FROM requests").fetchall() == [(other,)]
    with database.conn:
        assert enter(database.conn) > other
    assert told()[-1][1] == 4, "what was taken before is no concern of its"
    database.close()


def test_a_number_is_of_one_process_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "takers.lock"
    one, two = Locks(path), Locks(path)
    one.hold(1)
    assert (one.is_dead(1), two.is_dead(1), two.is_dead(2)) == (False, False, True)
    with pytest.raises(StoreError, match="another process has taken number 1"):
        two.hold(1)
    two.hold(2)
    two.free()
    assert (two.is_dead(1), one.is_dead(2)) == (False, True)
    one.free()
    assert two.is_dead(1)
    assert path.stat().st_mode & 0o777 == 0o600
