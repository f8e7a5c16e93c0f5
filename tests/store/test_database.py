"""Opening: modes of files, migrations, newer versions, copies, several processes at once, and filling a directory.

Belongs here: what holds for both databases. Does not: their rows.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations
from twisted.internet.testing import MemoryReactorClock

from rrgate.store import NewerDatabase, NoState, RequestLog, StateExists, Store, StoreError
from rrgate.store.database import connect, copy, open_migrated, transaction
from rrgate.store.folder import filled_at_once, locked
from rrgate.store.log_migrations import migrations as log_migrations
from rrgate.store.migrations import migrations


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_file_is_private(data: Path, store: Store) -> None:
    old = os.umask(0)
    try:
        log = RequestLog.open(data, MemoryReactorClock(), lambda row: ({}, {}))  # type: ignore[arg-type]
        log.append([])
    finally:
        os.umask(old)
    files = {path.name: mode(path) for path in data.iterdir()}
    assert set(files) >= {"rrgate.db", "rrgate.db-wal", "log.db", "log.db-wal", "master.key"}
    assert set(files.values()) == {0o600}


def test_settings_of_connections(data: Path, store: Store) -> None:
    def pragma(database: Database, name: str) -> object:
        return database.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma(store._database, "journal_mode") == "wal"
    assert pragma(store._database, "synchronous") == 2
    assert pragma(store._database, "foreign_keys") == 1
    assert pragma(store._database, "busy_timeout") == 10_000
    log = open_migrated(data / "log.db", log_migrations, synchronous="NORMAL")
    assert pragma(log, "synchronous") == 1
    for database in (store._database, log):
        for table in database.tables:
            assert table.strict, table.name
    log.close()


def test_no_state(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "not-there"):
        with pytest.raises(NoState, match="rrgate init --data"):
            Store.open(directory)
    assert os.listdir(tmp_path) == []


def test_a_directory_where_everybody_writes(data: Path) -> None:
    data.chmod(0o777)
    with pytest.raises(StoreError, match="chmod 700"):
        Store.open(data)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database(data: Path, content: bytes) -> None:
    (data / "rrgate.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"rrgate\.db is damaged \(.*; restore a backup$"):
        Store.open(data)


def test_a_newer_database_is_refused_and_left_alone(data: Path) -> None:
    with sqlite3.connect(data / "rrgate.db") as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('rrgate', 'step_9999_x', '')"
        )
    connection.close()
    before = (data / "rrgate.db").read_bytes()
    with pytest.raises(NewerDatabase, match="step_9999_x"):
        Store.open(data)
    assert (data / "rrgate.db").read_bytes() == before


def steps(count: int) -> Migrations:
    made = Migrations("test")
    for number in range(count):

        def step(database: Database, number: int = number) -> None:
            database.table(f"t{number}").create({"id": int}, pk="id")

        made(name=f"step_{number}")(step)
    return made


def test_a_copy_is_kept_before_the_first_pending_migration(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_migrated(path, steps(1), synchronous="FULL").close()
    assert not (tmp_path / "before-migration").exists()
    open_migrated(path, steps(3), synchronous="FULL").close()
    kept = tmp_path / "before-migration" / "x.db-before-step_1"
    assert mode(kept) == 0o600
    assert mode(kept.parent) == 0o700
    assert os.listdir(kept.parent) == [kept.name]
    old = connect(kept, synchronous="FULL", read_only=True)
    assert "t0" in old.table_names()
    assert "t1" not in old.table_names()
    old.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    broken = steps(1)

    @broken()
    def step_broken(database: Database) -> None:
        database.table("half").create({"id": int}, pk="id")
        database.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match="nowhere"):
        open_migrated(tmp_path / "x.db", broken, synchronous="FULL")
    reopened = open_migrated(tmp_path / "x.db", steps(1), synchronous="FULL")
    assert "half" not in reopened.table_names()
    reopened.close()


def test_every_migration_has_a_docstring_and_a_number() -> None:
    for known in (migrations, log_migrations):
        for number, step in enumerate(known._migrations, 1):
            assert step.name.startswith(f"step_{number:04}_")
            assert step.fn.__doc__


def test_processes_that_open_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rrgate.store.database import open_migrated;"
        "from rrgate.store.migrations import migrations;"
        "open_migrated(Path(sys.argv[1]), migrations, synchronous='FULL').close()"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "rrgate.db")]) for _ in range(4)]
    assert [process.wait(30) for process in running] == [0, 0, 0, 0]


def test_copying_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = open_migrated(path, steps(1), synchronous="NORMAL")
    other = connect(path, synchronous="NORMAL")
    other.execute("INSERT INTO t0 VALUES (1)")
    with transaction(other) as connection:
        connection.execute("INSERT INTO t0 VALUES (2)")
        copy(database, tmp_path / "copy.db")
    copied = connect(tmp_path / "copy.db", synchronous="NORMAL")
    assert [row["id"] for row in copied["t0"].rows] == [1]
    assert copied.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    with pytest.raises(FileExistsError):
        copy(database, tmp_path / "copy.db")
    for opened in (database, other, copied):
        opened.close()


def fail_halfway(staging: Path) -> None:
    (staging / "rrgate.db").write_text("half")
    raise ZeroDivisionError


def test_a_directory_is_filled_at_once_or_not_at_all(tmp_path: Path) -> None:
    new = tmp_path / "a" / "b"
    with pytest.raises(ZeroDivisionError), filled_at_once(new) as staging:
        fail_halfway(staging)
    assert os.listdir(tmp_path) == []

    there = tmp_path / "volume"
    there.mkdir(mode=0o755)
    (there / "lost+found").mkdir()
    with pytest.raises(ZeroDivisionError), filled_at_once(there) as staging:
        fail_halfway(staging)
    assert os.listdir(there) == ["lost+found"]

    with filled_at_once(there) as staging:
        (staging / "rrgate.db").write_text("whole")
    assert sorted(os.listdir(there)) == ["lost+found", "rrgate.db", "state.lock"]
    assert mode(there) == 0o700
    with pytest.raises(StateExists, match="is not empty"), filled_at_once(there):
        raise AssertionError
    assert (there / "rrgate.db").read_text() == "whole"


def test_the_lock_is_exclusive_and_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rrgate.store.folder._LOCK_SECONDS", 0.05)
    with locked(tmp_path), pytest.raises(StoreError, match="another process has held"), locked(tmp_path):
        raise AssertionError
    with locked(tmp_path):
        pass
