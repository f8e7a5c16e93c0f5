"""How much may wait: counted right whatever happens, refused beyond; and what a pause of the queue is worth.

Belongs here: bounds by number and bytes, the floor and the ballast of the disk, the pause. Does not: faults from under
SQLite (test_disk_faults.py).
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import Proxy
from rrgate.delivery.schema import migrations
from rrgate.delivery.space import Space
from rrgate.ids import new_id
from rrgate.model import Client
from rrgate.testing import MemoryGateway, Says
from tests.delivery.older_queue import without_counted
from tests.delivery.test_delivering import CALLER, KEY, answers, refuse_writes, send, status
from tests.delivery.test_managing import now

LATER = {"requestrocket-delay": "3600"}


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


def ask(gateway: MemoryGateway, proxy: Proxy, body: bytes = b"", **headers: str) -> Any:
    return gateway.call("POST", proxy, "/", {"X-Api-Key": KEY, **LATER, **headers}, body, api="async").answer


def counted(gateway: MemoryGateway) -> dict[str, tuple[int, int]]:
    """What the triggers have counted, which is what is there."""
    rows = gateway.delivery.rows("SELECT scope, requests, bytes FROM totals WHERE requests <> 0 OR bytes <> 0")
    found = {scope: (requests, held) for scope, requests, held in rows}
    expected: dict[str, tuple[int, int]] = {}
    for size, *scopes in gateway.delivery.rows(
        "SELECT length(head) + length(body), '', client_id, proxy_id FROM requests JOIN payloads ON request = id "
        "WHERE ended_at IS NULL"
    ):
        for scope in scopes:
            requests, held = expected.get(scope, (0, 0))
            expected[scope] = (requests + 1, held + size)
    assert found == expected
    return found


def test_they_are_counted_through_all_that_happens(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(404, 200)
    cancelled = send(gateway, proxy, headers=LATER, body=b"12345")
    one = counted(gateway)[proxy.id]
    assert one[0] == 1
    failed = send(gateway, proxy)
    gateway.clock.settle()
    assert counted(gateway)[""] == one
    now(gateway.delivery.managing.cancel(proxy.id, cancelled))
    assert counted(gateway) == {}
    gateway.target.says = Says(after=1)
    now(gateway.delivery.managing.replay(proxy.id, failed))
    gateway.clock.settle()
    assert counted(gateway)[proxy.client_id][0] == 1
    gateway.delivery.worker.break_off()
    gateway.delivery.worker = gateway.delivery.new_worker()
    gateway.clock.advance(5)
    assert status(gateway, proxy, failed)["status"] == "unknown"
    assert counted(gateway) == {}
    with gateway.delivery.database.conn as connection:
        connection.execute("UPDATE requests SET keep_until = 1")
    gateway.clock.advance(120)
    assert gateway.delivery.rows("SELECT * FROM requests") == []
    assert counted(gateway) == {}
    assert gateway.delivery.rows("SELECT * FROM totals") == [], "what nothing waits for takes no room"


def test_what_was_there_before_is_counted_at_the_start(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    for _ in range(3):
        send(gateway, proxy, headers=LATER)
    send(gateway, proxy)
    gateway.clock.advance(1)
    before = counted(gateway)
    connection = gateway.delivery.database.conn
    without_counted(connection)
    connection.execute("DROP TABLE totals")
    for name in ("removed", "forgotten"):
        connection.execute(f"DROP TRIGGER totals_{name}")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name IN ('step_0006_totals', 'step_0009_ended')")
    migrations.apply(gateway.delivery.database)
    assert counted(gateway) == before


def test_what_an_older_version_takes_and_ends_meanwhile_is_counted_too(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    send(gateway, proxy, headers=LATER, body=b"12345")
    (one, size), connection = counted(gateway)[proxy.id], gateway.delivery.database.conn
    columns = (
        "proxy_id, client_id, identity, size, accepted_at, state, attempts, replayed_after, due_at, deadline, moved, "
        "repeatable"
    )
    connection.execute(
        f"INSERT INTO requests (id, request_id, {columns}) SELECT 7, 'another', {columns} FROM requests"
    )
    connection.execute("INSERT INTO payloads SELECT 7, head, body FROM payloads")
    assert counted(gateway)[proxy.id] == counted(gateway)[""] == (2 * one, 2 * size)
    columns = "attempts, replayed_after, due_at, deadline, moved, repeatable, problem, ended_at, keep_until"
    connection.execute(
        f"INSERT INTO changed (id, state, {columns}) SELECT id, 'cancelled', attempts, replayed_after, NULL, deadline, "
        "moved, repeatable, problem, 8, 9 FROM requests"
    )
    assert counted(gateway) == {}
    assert gateway.delivery.rows("SELECT scope, ended FROM totals ORDER BY scope")[0] == ("", 2)


@pytest.mark.parametrize(
    ("setting", "whose"),
    [("async_queued_per_proxy", "This proxy"), ("async_queued_per_client", "This client"), ("async_queued", "gateway")],
)
@pytest.mark.parametrize("what", ["requests", "bytes"])
def test_beyond_a_bound_is_refused_and_below_it_goes_on(setting: str, whose: str, what: str) -> None:
    name = setting if what == "requests" else setting.replace("async_queued", "async_queued_bytes")
    gateway = MemoryGateway(**{name: 2 if what == "requests" else 8_500})
    many, few = b"1234" * 1000, b"1" * 500
    proxy = gateway.proxy(caller=CALLER)
    sibling = gateway.proxy(caller=CALLER)
    gateway.directory.put(Client(id="other", user_id=new_id(), name="other", created_at=1, updated_at=1))
    stranger = evolve(gateway.proxy(caller=CALLER), client_id="other")
    for part in ("proxy_credential_id", "target_id", "target_credential_id"):
        nouns: Any = gateway.directory.targets if part == "target_id" else gateway.directory.credentials
        gateway.directory.put(evolve(nouns[getattr(stranger, part)], client_id="other"))
    gateway.directory.put(stranger)
    first = ask(gateway, proxy, many)
    assert ask(gateway, proxy, many).status == 202
    refused = ask(gateway, proxy, few)
    assert (refused.status, refused["retry-after"], refused["requestrocket-proxy-code"]) == (503, "30", "unavailable")
    assert whose in refused.document["message"]
    assert ask(gateway, sibling, few).status == (202 if whose == "This proxy" else 503)
    assert ask(gateway, stranger, few).status == (503 if whose == "gateway" else 202)
    now(gateway.delivery.managing.cancel(proxy.id, first.document["requestId"]))
    assert ask(gateway, proxy, few).status == 202
    gateway.stop()


def test_heads_have_bytes_too() -> None:
    gateway = MemoryGateway(async_queued_bytes_per_proxy=8_500)
    proxy = gateway.proxy(caller=CALLER)
    told = [ask(gateway, proxy, **{"X-Large": "x" * 4_000}).status for _ in range(3)]
    assert told == [202, 202, 503]
    gateway.stop()


def test_a_key_that_comes_again_is_answered_however_full_it_is_and_a_refused_one_is_not_remembered() -> None:
    gateway = MemoryGateway(async_queued_per_proxy=1)
    proxy = gateway.proxy(caller=CALLER)
    first = ask(gateway, proxy, b"1", **{"Idempotency-Key": "a"})
    assert ask(gateway, proxy, b"2", **{"Idempotency-Key": "b"}).status == 503
    assert ask(gateway, proxy, b"1", **{"Idempotency-Key": "a"}).document == first.document
    now(gateway.delivery.managing.cancel(proxy.id, first.document["requestId"]))
    assert ask(gateway, proxy, b"3", **{"Idempotency-Key": "b"}).status == 202
    gateway.stop()


# The pause.


def test_a_pause_longer_than_the_window_ends_nothing(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(Says(503, headers={"Retry-After": "60"}), 503, 200)
    waiting = send(gateway, proxy)
    gateway.clock.settle()
    queued = send(gateway, proxy, headers={"requestrocket-delay": "90"})
    late = send(gateway, proxy, headers={"requestrocket-delay": "5000"})
    deadline = dict(gateway.delivery.rows("SELECT request_id, deadline FROM requests"))
    refuse_writes(gateway, True)
    gateway.clock.advance(3600)
    assert len(gateway.target.received) == 1
    assert gateway.delivery.worker.paused
    refuse_writes(gateway, False)
    gateway.clock.advance(300)
    assert not gateway.delivery.worker.paused
    assert status(gateway, proxy, waiting)["status"] == "succeeded"
    assert status(gateway, proxy, queued)["status"] == "succeeded"
    after = dict(gateway.delivery.rows("SELECT request_id, deadline FROM requests"))
    assert 3535_000 <= after[waiting] - deadline[waiting] <= 3545_000, "from the first attempt that could not begin"
    assert 3505_000 <= after[queued] - deadline[queued] <= 3515_000, "from when it was due"
    assert after[late] == deadline[late], "its time had not begun"


def test_the_time_goes_on_after_the_pause(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = Says(503, headers={"Retry-After": "100000"})
    request_id = send(gateway, proxy)
    gateway.clock.advance(600)
    other = send(gateway, proxy, headers={"requestrocket-delay": "1"})
    refuse_writes(gateway, True)
    gateway.clock.advance(1000)
    refuse_writes(gateway, False)
    gateway.clock.advance(1000)
    assert {status(gateway, proxy, each)["status"] for each in (request_id, other)} == {"exhausted"}


def test_an_answer_that_came_in_the_pause_has_its_time_too(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.target.says = answers(Says(503, after=1), 200)
    request_id = send(gateway, proxy)
    refuse_writes(gateway, True)
    gateway.clock.advance(2000)
    refuse_writes(gateway, False)
    gateway.clock.advance(10)
    told = status(gateway, proxy, request_id)
    assert (told["status"], len(told["attempts"])) == ("succeeded", 2)


# The disk.


class Disk:
    """As `os.statvfs` tells of it."""

    def __init__(self, patch: pytest.MonkeyPatch, free: int) -> None:
        self.free = free
        self.seconds = 0.0
        patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=self.free, f_frsize=1))


def full_error() -> sqlite3.Error:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_below_the_floor_nothing_new_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, 10_000)
    space = Space(tmp_path / "ballast", 1_000, size=100, clock=lambda: disk.seconds)
    assert space.full() is None
    assert (tmp_path / "ballast").stat().st_size == 100
    assert (tmp_path / "ballast").stat().st_mode & 0o777 == 0o600
    disk.free = 999
    assert space.full() is None, "believed for a second"
    disk.seconds += 1
    told = space.full()
    assert told is not None
    assert "disk" in told.why
    disk.free, disk.seconds = 1_000, 2
    assert space.full() is None


@pytest.mark.parametrize("error", [full_error(), OSError(errno.ENOSPC, "no space"), OSError(errno.EDQUOT, "quota")])
def test_the_ballast_makes_room_once_and_is_made_again_when_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    disk = Disk(monkeypatch, 10_000)
    space = Space(tmp_path / "ballast", 0, size=100, clock=lambda: disk.seconds)
    assert space.full() is None
    space.failed(error)
    assert not (tmp_path / "ballast").exists()
    assert space.full() is not None, "the room is for what is under way"
    disk.free = 150
    disk.seconds += 1
    assert space.full() is not None
    assert not (tmp_path / "ballast").exists()
    disk.free = 10_000
    disk.seconds += 1
    assert space.full() is None
    assert (tmp_path / "ballast").exists()


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), LookupError(), OSError(errno.EIO, "")])
def test_other_errors_leave_the_ballast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    Disk(monkeypatch, 10_000)
    space = Space(tmp_path / "ballast", 0, size=100)
    assert space.full() is None
    space.failed(error)
    assert (tmp_path / "ballast").exists()


def test_a_ballast_that_cannot_be_made_is_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 10_000)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert Space(tmp_path / "ballast", 0, size=100).full() is not None
    assert not (tmp_path / "ballast").exists()


@pytest.mark.parametrize(("floor", "size"), [(2**30, 16 * 2**20), (2**20, 2**16), (0, None)])
def test_a_small_floor_has_a_small_ballast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, floor: int, size: int | None
) -> None:
    Disk(monkeypatch, 2**40)
    assert Space(tmp_path / "ballast", floor).full() is None
    ballast = tmp_path / "ballast"
    assert (ballast.stat().st_size if ballast.exists() else None) == size
