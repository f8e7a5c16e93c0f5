"""Databases that are damaged: a start says so, and what to do; and a log that is taken away while it is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.store import LogRow, RequestLog, Store, StoreError
from rrgate.store.damage import is_damaged
from rrgate.store.database import open_migrated
from rrgate.store.log_migrations import migrations
from rrgate.store.tidying import LOOK_SECONDS, Tidying


def opened(data: Path) -> RequestLog:
    from twisted.internet import reactor

    return RequestLog.open(data, reactor, lambda row: ({"id": row.request_id}, {}))  # type: ignore[arg-type]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "no database":
        content[:100] = b"\xff" * 100
    elif how == "no tables":
        content[100:4096] = bytes(3996)
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)


ROW = LogRow("p", "r", "c", 1, "GET", 200, "[]")


@pytest.mark.parametrize("how", ["no database", "no tables", "cut"])
@pytest_twisted.ensureDeferred
async def test_a_damaged_log_keeps_a_gateway_from_starting_until_it_is_moved_aside(tmp_path: Path, how: str) -> None:
    log = opened(tmp_path)
    log.append([ROW])
    await log.close()
    path = tmp_path / "log.db"
    damage(path, how)
    with pytest.raises(StoreError) as refused:
        opened(tmp_path)
    what, todo = str(refused.value).split("; ")
    assert what.startswith(f"{path} is damaged (")
    assert todo.startswith(f"end every gateway of this state and move {path} aside, with its -wal and -shm: the next")
    for each in tmp_path.glob("log.db*"):
        each.rename(tmp_path / f"aside-{each.name}")
    log = opened(tmp_path)
    log.append([ROW])
    assert await log.known(["r", "another"]) == {"r"}
    await log.close()


@pytest.mark.parametrize("how", ["no database", "no tables"])
def test_a_damaged_state_is_restored(tmp_path: Path, how: str) -> None:
    data = tmp_path / "state"
    data.mkdir(mode=0o700)
    Store.create(data).close()
    damage(data / "rrgate.db", how)
    with pytest.raises(StoreError, match=r"rrgate\.db is damaged \(.*; restore a backup$"):
        Store.open(data)


@pytest.mark.parametrize("then", ["removed", "another"])
def test_a_log_that_is_taken_away_is_noticed(tmp_path: Path, then: str) -> None:
    path = tmp_path / "log.db"
    database = open_migrated(path, migrations, synchronous="NORMAL")
    clock = [0.0]
    tidying = Tidying(database, lambda client_id: 90, lambda: clock[0])

    def tidy(seconds: float) -> None:
        until = clock[0] + seconds
        while clock[0] < until:
            clock[0] = min(until, clock[0] + max(0.001, tidying.step(0)))

    tidy(2 * LOOK_SECONDS)
    path.rename(tmp_path / "aside")
    if then == "another":
        path.touch()
    with pytest.raises(StoreError, match=r"log\.db was moved or removed while a gateway writes it: start that"):
        tidy(2 * LOOK_SECONDS)
    tidy(1)  # what else is to be done is done
    database.close()


def failed(code: int) -> sqlite3.Error:
    error = sqlite3.DatabaseError("it says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failed(sqlite3.SQLITE_CORRUPT), True),
        (failed(sqlite3.SQLITE_CORRUPT_VTAB), True),
        (failed(sqlite3.SQLITE_NOTADB), True),
        (failed(sqlite3.SQLITE_FULL), False),
        (failed(sqlite3.SQLITE_IOERR_READ), False),
        (sqlite3.DatabaseError("no code"), False),
        (OSError(11, "not now"), False),
        (None, False),
    ],
)
def test_what_says_that_a_file_is_damaged(error: Any, expected: bool) -> None:
    assert is_damaged(error) is expected
