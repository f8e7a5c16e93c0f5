"""Requests that are over are counted right whatever happens, and the oldest are removed whole beyond the bounds.

Belongs here: bounds by number, whose are removed. Does not: what is kept in them (test_making_room.py), what was kept
for long enough (test_delivering.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlite_utils import Database
from twisted.internet.defer import succeed
from twisted.logger import capturedLogs

from rrgate.api import OutsideAnswer
from rrgate.delivery import forgetting, new_rows
from rrgate.delivery.bounds import EndedBounds
from rrgate.delivery.forgetting import LEAST, Forgets, forget
from rrgate.delivery.schema import migrations
from rrgate.delivery.states import accepted
from rrgate.testing import MemoryGateway, Says
from tests.delivery.older_queue import without_counted
from tests.delivery.test_callbacks import BACK, proxy_of
from tests.delivery.test_delivering import CALLER, KEY, send, status
from tests.delivery.test_managing import now

ANY = 10**9
NOW = 10 * LEAST


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def small() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway(async_ended_per_client=2)
    yield gateway
    gateway.stop()


def counted(gateway: MemoryGateway) -> int:
    """What the triggers have counted of all, which is what is there, of each client too."""
    found = dict(gateway.delivery.rows("SELECT scope, ended FROM totals WHERE ended <> 0"))
    expected = dict(gateway.delivery.rows("SELECT client_id, count(*) FROM requests WHERE ended_at > 0 GROUP BY 1"))
    if expected:
        expected[""] = sum(expected.values())
    assert found == expected
    return expected.get("", 0)


def ended(gateway: MemoryGateway, proxy: Any, *says: int) -> list[str]:
    """Requests that were answered so, one after the other."""
    ids = []
    for each in says:
        gateway.target.says = Says(each)
        ids.append(send(gateway, proxy))
        gateway.clock.advance(0.01)
    return ids


def there(gateway: MemoryGateway, proxy: Any, ids: list[str]) -> list[bool]:
    asked = (gateway.call("GET", proxy, f"/.requests/{each}", {"X-Api-Key": KEY}, api="async").answer for each in ids)
    return [each.status == 200 for each in asked]


def test_they_are_counted_through_all_that_happens(gateway: MemoryGateway) -> None:
    proxy = proxy_of(gateway)
    gateway.outside.says = OutsideAnswer(200, (), b"")
    _, failed = ended(gateway, proxy, 200, 404)
    assert counted(gateway) == 2
    send(gateway, proxy, headers=BACK)
    gateway.clock.advance(5)
    assert counted(gateway) == 4, "the callback, too"
    assert now(gateway.delivery.managing.cancel(proxy.id, send(gateway, proxy, headers={"requestrocket-delay": "9"})))
    assert counted(gateway) == 5
    gateway.target.says = Says(after=1)
    now(gateway.delivery.managing.replay(proxy.id, failed))
    assert counted(gateway) == 4
    gateway.clock.advance(2)
    assert counted(gateway) == 5
    with gateway.delivery.database.conn as connection:
        connection.execute("UPDATE requests SET keep_until = 1")
    gateway.clock.advance(120)
    assert counted(gateway) == 0
    assert gateway.delivery.rows("SELECT * FROM totals") == [], "what is nothing takes no room"


def test_what_was_there_before_is_counted_at_the_start(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    ended(gateway, proxy, 200, 404)
    send(gateway, proxy, headers={"requestrocket-delay": "60"})
    before = gateway.delivery.rows("SELECT * FROM totals ORDER BY scope")
    assert counted(gateway) == 2
    connection = gateway.delivery.database.conn
    without_counted(connection)
    for name in ("removed", "forgotten"):
        connection.execute(f"DROP TRIGGER totals_{name}")
    connection.execute("ALTER TABLE totals DROP COLUMN ended")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'step_0009_ended'")
    migrations.apply(gateway.delivery.database)
    assert gateway.delivery.rows("SELECT * FROM totals ORDER BY scope") == before


def test_the_oldest_are_removed_whole_after_a_minute_and_what_is_under_way_stays(small: MemoryGateway) -> None:
    proxy = small.proxy(caller=CALLER)
    later = send(small, proxy, headers={"requestrocket-delay": "200"})
    ids = ended(small, proxy, 200, 404, 200, 200)
    with capturedLogs() as events:
        small.clock.advance(50)
        assert there(small, proxy, ids) == [True] * 4, "their callers ask for them"
        small.clock.advance(80)
    assert there(small, proxy, ids) == [False, True, False, True], "dead letters are kept for longer"
    assert counted(small) == 2
    for table in ("attempts", "answers"):
        assert small.delivery.rows(f"SELECT count(*) FROM {table}") == [(2,)]
    assert sum("async_ended" in event.get("log_format", "") for event in events) == 1
    assert small.delivery.queue.makes_room.forgets.forgotten == 2
    small.clock.advance(80)
    assert status(small, proxy, later)["status"] == "succeeded"


def test_many_are_removed_some_at_a_time_at_once(small: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "MOST_PURGED", 3)
    ended(small, small.proxy(caller=CALLER), *[200] * 20)
    small.clock.advance(122)
    assert counted(small) == 2


# On the tables.


def over(**clients: int) -> Any:
    """A queue in which so many requests of each of these clients are over, one of each in turn."""
    database = Database(memory=True, execute_plugins=False, strict=True)
    migrations.apply(database)
    connection = database.conn
    order = sorted((place, client) for client, count in clients.items() for place in range(count))
    for number, (place, client) in enumerate(order):
        progress = accepted(0, delay=0, window=9, repeatable=True)
        name = f"{client}-{place}"
        id = new_rows.insert(connection, new_rows.NewRow(name, "proxy", client, b"", 0, progress, b"", b""))
        values = ("succeeded", number, ANY + number, id)
        connection.execute(
            "UPDATE requests SET state = ?, due_at = NULL, ended_at = ?, keep_until = ? WHERE id = ?", values
        )
    return connection


def left(connection: Any) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for (name,) in connection.execute("SELECT request_id FROM requests ORDER BY id"):
        client, _, place = name.partition("-")
        found.setdefault(client, []).append(int(place))
    return found


def test_who_has_few_keeps_them_where_others_have_many() -> None:
    connection = over(a=2, b=40, c=5, d=40)
    forget(connection, EndedBounds(ANY, 20), NOW, (0, 0))
    assert {client: len(places) for client, places in left(connection).items()} == {"a": 2, "b": 6, "c": 5, "d": 6}


@pytest.mark.parametrize(
    ("client", "all", "expected"),
    [
        (ANY, ANY, {"a": [0, 1, 2, 3, 4], "b": [0, 1]}),
        (5, 7, {"a": [0, 1, 2, 3, 4], "b": [0, 1]}),
        (3, ANY, {"a": [2, 3, 4], "b": [0, 1]}),
        (1, ANY, {"a": [4], "b": [1]}),
        (ANY, 6, {"a": [1, 2, 3, 4], "b": [0, 1]}),
        (ANY, 5, {"a": [2, 3, 4], "b": [0, 1]}),
        (ANY, 2, {"a": [4], "b": [1]}),
        (4, 5, {"a": [2, 3, 4], "b": [0, 1]}),
    ],
)
def test_of_whom_there_are_too_many_the_oldest_are_removed(
    client: int, all: int, expected: dict[str, list[int]]
) -> None:
    connection = over(a=5, b=2)
    done = forget(connection, EndedBounds(client, all), NOW, (0, 0))
    assert left(connection) == expected
    assert (done.requests, done.behind) == (7 - sum(map(len, expected.values())), None)


def test_none_is_removed_in_its_first_minute() -> None:
    connection = over(a=5)
    assert forget(connection, EndedBounds(1, ANY), LEAST + 2, (0, 0)).requests == 3
    assert left(connection) == {"a": [3, 4]}


def test_those_of_others_are_looked_through_some_at_a_time_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "LOOKED", 4)
    connection = over(a=6, b=6)
    with connection:
        connection.execute("UPDATE requests SET keep_until = keep_until + 1000 WHERE client_id = 'b'")
        connection.execute("DELETE FROM requests WHERE request_id IN ('a-0', 'a-1')")
    behind, removed = (0, 0), []
    for _ in range(3):
        done = forget(connection, EndedBounds(4, ANY), NOW, behind)
        removed.append(done.requests)
        if done.behind is None:
            break
        behind = done.behind
    assert removed == [0, 2]
    assert left(connection) == {"a": [2, 3, 4, 5], "b": [2, 3, 4, 5]}
    steps = forget(connection, EndedBounds(3, ANY), NOW, (2 * ANY, 0))
    assert (steps.requests, steps.behind) == (0, None), "the next time from the beginning"


def test_what_was_not_old_enough_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "LOOKED", 4)
    connection, time = over(a=6), [0]
    forgets = Forgets(lambda work: succeed(work(connection)), EndedBounds(3, ANY), lambda: time[0])
    told: list[bool] = []
    for each in (0, 0, NOW):
        time[0] = each
        forgets.some().addCallback(told.append)
    assert told == [True, False, False]
    assert left(connection) == {"a": [3, 4, 5]}
