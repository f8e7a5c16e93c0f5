"""What is kept of requests that are over: counted right whatever happens, and the oldest makes room beyond the bounds.

Belongs here: bounds by number and bytes, what is told of what was removed. Does not: what is under way
(test_bounds.py), any order of events (test_queue.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlite_utils import Database
from twisted.logger import capturedLogs

from rrgate.api import OutsideAnswer
from rrgate.deliveries import NotNow
from rrgate.delivery import making_room, new_rows
from rrgate.delivery.bounds import Bound, KeptBounds
from rrgate.delivery.making_room import make_room
from rrgate.delivery.schema import migrations
from rrgate.delivery.states import accepted
from rrgate.testing import MemoryGateway, Says
from tests.delivery.older_queue import without_counted
from tests.delivery.test_callbacks import BACK, proxy_of
from tests.delivery.test_delivering import CALLER, answers, send, status
from tests.delivery.test_managing import now

DEAD = ("failed", "exhausted", "unknown")
ANY = 10**9


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def small() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(async_kept_per_client=2)
    yield gateway
    gateway.stop()


def counted(gateway: MemoryGateway) -> tuple[int, int]:
    """What the triggers have counted of all, which is what is there, of each client too."""
    found = {scope: (requests, held) for scope, requests, held in gateway.delivery.rows("SELECT * FROM kept_totals")}
    expected: dict[str, tuple[int, int]] = {}
    for client_id, answer, sent in gateway.delivery.rows(
        "SELECT client_id, length(sealed), length(head) + length(body) FROM requests LEFT JOIN answers "
        "ON answers.request = id LEFT JOIN payloads ON payloads.request = id WHERE ended_at IS NOT NULL"
    ):
        if answer or sent:
            for scope in ("", client_id):
                requests, held = expected.get(scope, (0, 0))
                expected[scope] = (requests + 1, held + (answer or 0) + (sent or 0))
    assert {scope: totals for scope, totals in found.items() if totals != (0, 0)} == expected
    return expected.get("", (0, 0))


def ended(gateway: MemoryGateway, proxy: Any, *says: int, body: bytes = b"load") -> list[str]:
    """Requests that were answered so, one after the other."""
    ids = []
    for each in says:
        gateway.target.says = Says(each, body=body)
        ids.append(send(gateway, proxy, body=body))
        gateway.clock.advance(0.01)
    return ids


def test_they_are_counted_through_all_that_happens(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(410, (), b"")
    succeeded, failed = ended(gateway, proxy, 200, 404)
    assert counted(gateway)[0] == 2
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(5)
    assert counted(gateway)[0] == 4, "the callback that nobody wanted, too"
    now(gateway.delivery.managing.cancel(proxy.id, send(gateway, proxy, headers={"requestrocket-delay": "9"})))
    assert counted(gateway)[0] == 4, "of one that was cancelled there is nothing"
    gateway.target.says = Says(after=1)
    now(gateway.delivery.managing.replay(proxy.id, failed))
    gateway.clock.settle()
    assert counted(gateway)[0] == 3
    gateway.delivery.worker.break_off()
    gateway.delivery.worker = gateway.delivery.new_worker()
    assert status(gateway, proxy, failed)["status"] == "unknown"
    assert counted(gateway)[0] == 4
    with gateway.delivery.database.conn as connection:
        connection.execute("UPDATE requests SET keep_until = 1")
    gateway.clock.advance(120)
    assert gateway.delivery.rows("SELECT * FROM requests") == gateway.delivery.rows("SELECT * FROM kept") == []
    assert counted(gateway) == (0, 0)
    assert gateway.delivery.rows("SELECT * FROM kept_totals") == [], "what is nothing takes no room"
    assert succeeded


def test_what_was_there_before_is_counted_at_the_start(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    ended(gateway, proxy, 200, 404)
    before = counted(gateway)
    assert before[0] == 2
    connection = gateway.delivery.database.conn
    without_counted(connection)
    connection.execute("DROP TRIGGER kept_removed")
    connection.execute("DROP TABLE kept")
    connection.execute("DROP TABLE kept_totals")
    connection.execute("ALTER TABLE requests DROP COLUMN removed_early")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'step_0007_kept'")
    migrations.apply(gateway.delivery.database)
    assert counted(gateway) == before


def test_what_an_older_version_keeps_meanwhile_is_counted_too(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(after=1)
    send(gateway, proxy)
    gateway.clock.settle()
    connection = gateway.delivery.database.conn
    connection.execute("INSERT INTO answers SELECT id, X'01' FROM requests")
    columns = "attempts, replayed_after, due_at, deadline, moved, repeatable"
    connection.execute(
        f"INSERT INTO changed (id, state, {columns}, ended_at, keep_until) SELECT id, 'failed', {columns}, 8, 9 "
        "FROM requests"
    )
    assert counted(gateway)[0] == 1


def test_the_oldest_makes_room_and_the_others_stay(small: MemoryGateway) -> None:
    proxy = small.proxy(caller=CALLER)
    oldest, *others = ended(small, proxy, 200, 404, 200)
    assert counted(small)[0] == 2
    told = status(small, proxy, oldest)
    assert (told["status"], told["answer"], told["removedEarly"]) == ("succeeded", None, True)
    assert [attempt["status"] for attempt in told["attempts"]] == [200], "how it came stays"
    for request_id in others:
        told = status(small, proxy, request_id)
        assert (told["removedEarly"], told["answer"]["body"]) == (False, "load")


@pytest.mark.parametrize("setting", ["async_kept_bytes", "async_kept_bytes_per_client"])
def test_one_that_is_large_makes_the_oldest_go_until_there_is_room(setting: str) -> None:
    gateway = MemoryGateway(**{setting: 5_300})
    proxy = gateway.proxy(caller=CALLER)
    small = ended(gateway, proxy, 200, 200, 200)
    large = ended(gateway, proxy, 200, body=b"x" * 4_800)
    assert 4_800 < counted(gateway)[1] <= 5_300
    gone = [status(gateway, proxy, request_id)["removedEarly"] for request_id in (*small, *large)]
    assert gone[0], "the oldest"
    assert gone == sorted(gone, reverse=True), "no older one than what stays"
    assert not gone[-1]
    gateway.stop()


def test_one_that_is_larger_than_all_that_may_be_is_not_kept(gateway: MemoryGateway) -> None:
    gateway = MemoryGateway(async_kept_bytes_per_client=1_000)
    proxy = gateway.proxy(caller=CALLER)
    (request_id,) = ended(gateway, proxy, 200, body=b"x" * 2_000)
    assert status(gateway, proxy, request_id)["removedEarly"]
    assert counted(gateway) == (0, 0)
    gateway.stop()


def test_what_was_removed_is_not_replayed_alone_nor_with_others(small: MemoryGateway) -> None:
    proxy = small.proxy(caller=CALLER)
    gone, *others = ended(small, proxy, 404, 404, 404)
    managing = small.delivery.managing
    assert now(managing.told(proxy.id, gone))["removedEarly"]
    with pytest.raises(NotNow, match="no longer kept"):
        now(managing.replay(proxy.id, gone))
    received = len(small.target.received)
    small.target.says = Says(200)
    assert now(managing.replay_all(proxy.id, DEAD, None, None, None)).count == 2
    small.clock.settle()
    assert len(small.target.received) == received + 2
    assert [status(small, proxy, each)["status"] for each in (gone, *others)] == ["failed", "succeeded", "succeeded"]


def test_nothing_that_is_under_way_is_removed(small: MemoryGateway) -> None:
    proxy = small.proxy(caller=CALLER)
    later = send(small, proxy, headers={"requestrocket-delay": "60"})
    small.target.says = answers(Says(503, headers={"Retry-After": "50"}))
    waiting = send(small, proxy)
    small.clock.settle()
    other = small.proxy(caller=CALLER, url="https://other.test")
    ended(small, other, *[404] * 5)
    small.target_at("other.test")
    small.target.says = Says(201)
    small.clock.advance(120)
    assert {status(small, proxy, each)["status"] for each in (later, waiting)} == {"succeeded"}


def end_as_exhausted(gateway: MemoryGateway, proxy: Any) -> None:
    for _ in range(3):
        send(gateway, proxy, headers={"requestrocket-delay": "1"})
    with gateway.delivery.database.conn as connection:
        connection.execute("UPDATE requests SET deadline = 0 WHERE ended_at IS NULL")
    gateway.clock.advance(2)


def end_as_undeliverable(gateway: MemoryGateway, proxy: Any) -> None:
    for _ in range(3):
        send(gateway, proxy, headers={"requestrocket-delay": "1"})
    gateway.directory.drop(proxy)
    gateway.clock.advance(2)


def end_as_unknown(gateway: MemoryGateway, proxy: Any) -> None:
    gateway.target.says = Says(after=None)
    for _ in range(3):
        send(gateway, proxy)
    gateway.clock.settle()
    gateway.delivery.worker.break_off()
    gateway.delivery.worker = gateway.delivery.new_worker()


def end_as_callbacks(gateway: MemoryGateway, proxy: Any) -> None:
    gateway.outside.says = OutsideAnswer(503, (), b"")
    for _ in range(3):
        send(gateway, proxy, headers=BACK)
        gateway.clock.settle()
    with gateway.delivery.database.conn as connection:
        connection.execute("UPDATE requests SET deadline = 0 WHERE ended_at IS NULL")
    gateway.clock.advance(5)


@pytest.mark.parametrize("end", [end_as_exhausted, end_as_undeliverable, end_as_unknown, end_as_callbacks])
def test_ends_of_every_kind_make_room(small: MemoryGateway, end: Callable[[MemoryGateway, Any], None]) -> None:
    end(small, proxy_of(small))
    assert small.delivery.rows("SELECT count(*) >= 3 FROM requests WHERE ended_at IS NOT NULL") == [(1,)]
    assert small.delivery.rows("SELECT count(*) FROM requests WHERE ended_at IS NULL") == [(0,)]
    assert counted(small)[0] == 2


def test_room_that_could_not_be_made_is_made_later(small: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = small.proxy(caller=CALLER)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(making_room, "make_room", refuse)
        ended(small, proxy, 200, 200, 200)
        assert counted(small)[0] == 3
    small.clock.advance(61)
    assert counted(small)[0] == 2


def test_what_is_much_too_much_goes_some_at_a_time_at_once(
    small: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, makes_room = small.proxy(caller=CALLER), small.delivery.queue.makes_room
    monkeypatch.setattr(making_room, "MOST", 2)
    with monkeypatch.context() as patch:
        patch.setattr(makes_room, "bounds", KeptBounds(Bound(ANY, ANY), Bound(ANY, ANY)))
        ended(small, proxy, *[200] * 9)
        assert counted(small)[0] == 9
    ended(small, proxy, 200)
    assert counted(small)[0] == 2


def test_it_is_said_but_not_of_each(small: MemoryGateway) -> None:
    proxy = small.proxy(caller=CALLER)
    with capturedLogs() as events:
        ended(small, proxy, *[200] * 10)
    assert sum("may be kept" in event.get("log_format", "") for event in events) == 1
    assert small.delivery.queue.makes_room.removed == 8


# On the tables.


def kept(**sizes: list[int]) -> Any:
    """A queue in which so many bytes are kept of each of these clients' requests, in this order."""
    database = Database(memory=True, execute_plugins=False, strict=True)
    migrations.apply(database)
    connection = database.conn
    for client, each in sizes.items():
        for number, size in enumerate(each):
            progress = accepted(0, delay=0, window=9, repeatable=True)
            row = new_rows.NewRow(f"{client}-{number}", "proxy", client, b"", 0, progress, b"", b"")
            id = new_rows.insert(connection, row)
            connection.execute("INSERT INTO answers VALUES (?, zeroblob(?))", (id, size))
            connection.execute(
                "UPDATE requests SET state = 'succeeded', due_at = NULL, ended_at = ? WHERE id = ?", (number, id)
            )
    return connection


def left(connection: Any) -> dict[str, list[int]]:
    rows = connection.execute("SELECT client_id, bytes FROM kept ORDER BY client_id, ended_at").fetchall()
    return {client: [size for name, size in rows if name == client] for client, _ in rows}


@pytest.mark.parametrize(
    ("client", "all", "expected"),
    [
        ((ANY, ANY), (ANY, ANY), {"a": [1, 2, 3], "b": [4, 5]}),
        ((2, ANY), (ANY, ANY), {"a": [2, 3], "b": [4, 5]}),
        ((ANY, 6), (ANY, ANY), {"a": [1, 2, 3], "b": [5]}),
        ((ANY, 3), (ANY, ANY), {"a": [3]}),
        ((ANY, ANY), (4, ANY), {"a": [2, 3], "b": [4, 5]}),
        ((ANY, ANY), (ANY, 14), {"a": [1, 2, 3], "b": [5]}),
        ((ANY, ANY), (ANY, 4), {"a": [3]}),
    ],
)
def test_what_is_too_much_is_removed_of_who_has_most(
    client: tuple[int, int], all: tuple[int, int], expected: dict[str, list[int]]
) -> None:
    connection = kept(a=[1, 2, 3], b=[4, 5])
    removed = make_room(connection, KeptBounds(Bound(*client), Bound(*all)), ["a", "b"])
    assert left(connection) == expected
    assert removed.requests == 5 - sum(map(len, expected.values()))
    assert not removed.more


def test_much_is_removed_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making_room, "MOST", 2)
    connection = kept(a=[1] * 5)
    bounds = KeptBounds(Bound(1, ANY), Bound(ANY, ANY))
    told = [make_room(connection, bounds, ["a"]) for _ in range(3)]
    assert [(each.requests, bool(each.more)) for each in told] == [(2, True), (2, True), (0, False)]
    assert left(connection) == {"a": [1]}
