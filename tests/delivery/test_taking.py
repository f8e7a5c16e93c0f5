"""Requests that share a commit are taken as they would be one by one: ids, bounds, keys, callbacks, in order."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
import pytest_twisted
from sqlite_utils import Database
from twisted.internet.threads import deferToThread

from rrgate.delivery.bounds import NO_BOUNDS, Bound, Bounds, Full
from rrgate.delivery.commits import Commits
from rrgate.delivery.keys import AnotherRequest, Key
from rrgate.delivery.refusing import Refused
from rrgate.delivery.schema import migrations
from rrgate.delivery.stored import Stored
from rrgate.delivery.taking import New, Takes
from tests.delivery.in_a_task import waits

STORED = Stored("POST", "/work", "", "", [], [], "", "", {}, [], "127.0.0.1", 0, 0.0)
SIZE = len(STORED.head()) + len(b"load")
ANY = Bound(1000, 1 << 30)


class Seals:
    """Says in clear what was sealed, and for what."""

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes:
        return f"{client_id} {row} ".encode() + plaintext

    def unseal(self, client_id: str, row: str, sealed: bytes) -> bytes:
        raise AssertionError("nothing is opened here")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    database = Database(memory=True, execute_plugins=False, strict=True)
    migrations.apply(database)
    yield database.conn
    database.close()


def take(connection: sqlite3.Connection, *asked: New, bounds: Bounds = NO_BOUNDS) -> list[Any]:
    with connection:
        return Takes(Seals(), lambda: 1_000, bounds, lambda: None).all(connection, asked)


def new(id: str, body: bytes = b"load", *, proxy: str = "p", key: str = "", callback: str | None = None) -> New:
    given = Key.of([key.encode()] if key else [], b"POST", b"/work", b"", body)
    return New(id, proxy, "c", b"caller", STORED, body, delay=0, window=900_000, key=given, callback=callback)


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 100])
def test_each_is_there_with_what_is_its_own(connection: sqlite3.Connection, count: int) -> None:
    take(connection, new("before"))
    asked = [new(f"r{number}", b"%d" % number) for number in range(count)]
    assert take(connection, *asked) == [each.request_id for each in asked]
    found = connection.execute(
        "SELECT request_id, head, body FROM requests JOIN payloads ON request = id WHERE id > 1 ORDER BY id"
    ).fetchall()
    assert [id for id, _, _ in found] == [each.request_id for each in asked]
    for id, head, body in found:
        assert head.startswith(f"c queue/{id}/head ".encode())
        assert body == f"c queue/{id}/body {id[1:]}".encode()
    assert take(connection, new("after")) == ["after"]


def test_only_some_are_sealed_at_a_time(connection: sqlite3.Connection) -> None:
    body = b"x" * (256 * 1024)
    asked = [new(f"r{number}", body) for number in range(64)]
    tracemalloc.start()
    try:
        assert take(connection, *asked) == [each.request_id for each in asked]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 12 * len(body), "requests that share a commit may have 64 MiB each"
    ((count, size),) = connection.execute("SELECT count(*), min(length(body)) FROM payloads").fetchall()
    assert (count, size > len(body)) == (64, True)


def test_a_number_is_never_given_twice(connection: sqlite3.Connection) -> None:
    take(connection, new("a"), new("b"))
    with connection:
        connection.execute("DELETE FROM requests")
    take(connection, new("c"))
    assert connection.execute("SELECT id FROM requests").fetchall() == [(3,)]


@pytest.mark.parametrize(
    ("bounds", "taken"),
    [
        (Bounds(Bound(2, 1 << 30), ANY, ANY), ["a", "b", "", "d", ""]),
        (Bounds(ANY, Bound(3, 1 << 30), ANY), ["a", "b", "c", "", ""]),
        (Bounds(ANY, ANY, Bound(1, 1 << 30)), ["a", "", "", "", ""]),
        (Bounds(Bound(9, 2 * SIZE), ANY, ANY), ["a", "b", "", "d", ""]),
        (Bounds(ANY, ANY, Bound(9, SIZE)), ["a", "", "", "", ""]),
        (Bounds(ANY, ANY, Bound(9, SIZE - 1)), ["", "", "", "", ""]),
    ],
)
def test_bounds_count_those_before_in_the_same_commit(
    connection: sqlite3.Connection, bounds: Bounds, taken: list[str]
) -> None:
    asked = [new("a"), new("b"), new("c"), new("d", proxy="other"), new("e", b"longer than that")]
    answers = take(connection, *asked, bounds=bounds)
    assert ["" if isinstance(answer, Full) else answer for answer in answers] == taken
    ids = [id for (id,) in connection.execute("SELECT request_id FROM requests ORDER BY id")]
    assert ids == [id for id in taken if id]


def test_a_key_that_comes_twice_in_a_commit_is_the_first_ones(connection: sqlite3.Connection) -> None:
    asked = [new("a", key="k"), new("b", key="k"), new("c", b"other", key="k"), new("d", key="k", proxy="other")]
    first, second, third, fourth = take(connection, *asked)
    assert (first, second, fourth) == ("a", "a", "d")
    assert isinstance(third, Refused)
    assert isinstance(third.error, AnotherRequest)
    assert connection.execute("SELECT count(*) FROM requests").fetchone() == (2,)


def test_whom_to_call_back_is_kept_with_its_request(connection: sqlite3.Connection) -> None:
    take(connection, new("a"), new("b", callback="https://b.test"), new("c", callback="https://c.test"))
    found = connection.execute("SELECT request_id, url FROM requests JOIN callbacks ON request = id ORDER BY id")
    assert found.fetchall() == [(id, f"c queue/{id}/callback https://{id}.test".encode()) for id in ("b", "c")]


@pytest_twisted.ensureDeferred
async def test_those_that_wait_for_a_commit_are_taken_at_once_and_told_apart(tmp_path: Any) -> None:
    from twisted.internet import reactor

    database = Database(sqlite3.connect(tmp_path / "queue.db", check_same_thread=False, isolation_level=None))
    commits = Commits(database, reactor)  # type: ignore[arg-type]
    begun, go_on = Event(), Event()
    sizes: list[int] = []

    def slow(_: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    def together(_: sqlite3.Connection, given: Any) -> list[int]:
        sizes.append(len(given))
        if 13 in given:
            raise LookupError("13")
        return [-number for number in given]

    first = commits.do(slow)
    assert await deferToThread(begun.wait, 10)
    waiting = [waits(commits.do_together(together, number)) for number in (1, 2, 3)]
    between = commits.do(lambda _: "between")
    waiting.append(waits(commits.do_together(together, 4)))
    go_on.set()
    await first
    assert [await each for each in waiting] == [-1, -2, -3, -4]
    assert await between == "between"
    assert sizes == [4]
    failing = waits(commits.do_together(together, 13))
    with pytest.raises(LookupError):
        await failing
    await commits.close(lambda: None)
