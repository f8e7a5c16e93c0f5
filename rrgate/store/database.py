"""Opening a SQLite file: private mode, WAL, durability, and its migrations under a lock.

Belongs here: what is true of every database of ours. Does not: any table (migrations.py, log_migrations.py).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from sqlite_utils import Database, Migrations
from twisted.logger import Logger

from rrgate.store.damage import unusable
from rrgate.store.errors import NewerDatabase, StoreError
from rrgate.store.folder import BACKUPS, create_private_file, locked, make_private
from rrgate.store.plugin_steps import PluginSteps

_log = Logger("rrgate.store")

BUSY_SECONDS: Final = 10.0
"""How long a statement waits for another process's transaction."""

STATEMENTS: Final = 512
"""Compiled ones that a connection keeps. Python's 128 are fewer than the queue has, whose statements are about 1 to 32
rows: compiled anew again and again, they cost a third of a delivery."""

Synchronous = Literal["FULL", "NORMAL"]


def connect(path: Path, *, synchronous: Synchronous, read_only: bool = False) -> Database:
    """A connection to the existing file `path`, usable from any one thread at a time.

    Raises StoreError if it cannot be opened or is no database.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            cached_statements=STATEMENTS,
        )
    except sqlite3.Error as error:
        raise unusable(path, "cannot be opened", error) from error
    try:
        # execute_plugins: other distributions' sqlite-utils plugins have no business on this connection.
        database = Database(connection, execute_plugins=False, strict=True)
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, "cannot be opened", error) from error
    return database


def open_migrated(
    path: Path, migrations: Migrations, *, synchronous: Synchronous, plugins: Sequence[PluginSteps] | None = None
) -> Database:
    """Open `path`, made if it is not there, with every migration applied, those of `plugins` after ours.

    Before the first pending migration of a database that has some already, a copy is put into `before-migration/`.
    Processes that open at once migrate one after the other. `plugins`: all that are installed, or None if it is not
    known which are; steps of others are left alone, and told of in the log if it is known that they are others'.

    Raises NewerDatabase, without having changed anything, if the file has migrations of ours or of one of `plugins`
    that are not known here; StoreError if it cannot be opened or migrated. A step that fails leaves nothing; those
    before it stay.
    """
    sets = [migrations, *(each.guarded() for each in plugins or ())]
    with locked(path.parent):
        create_private_file(path)
        database = connect(path, synchronous=synchronous)
        try:
            refuse_newer(database, path, migrations)
            for brought in plugins or ():
                refuse_newer(database, path, brought.migrations, brought.plugin)
            if plugins is not None:
                _tell_left_alone(database, path, {each.name for each in sets})
            pending = [(each.name, step.name) for each in sets for step in each.pending(database)]
            if pending:
                if any(each.applied(database) for each in sets):
                    whose, step = pending[0]
                    _copy_before(database, path, step if whose == migrations.name else f"{whose}-{step}")
                for each in sets:
                    each.apply(database)
        except sqlite3.Error as error:
            database.close()
            raise unusable(path, "cannot be brought up to date", error) from error
        except BaseException:
            database.close()
            raise
    return database


def refuse_newer(database: Database, path: Path, migrations: Migrations, whose: str = "rrgate") -> None:
    """Raises NewerDatabase if migrations were applied that this version, of the plugin `whose`, does not know."""
    # sqlite-utils itself would go on and write into tables that it does not understand.
    known = {migration.name for migration in migrations._migrations}
    unknown = [migration.name for migration in migrations.applied(database) if migration.name not in known]
    if unknown:
        raise NewerDatabase(
            f"{path} was changed by a newer {whose} (migration {unknown[0]}); run that version, "
            f"or restore a backup made by this one (copies made before migrations: {path.parent / BACKUPS})"
        )


def _tell_left_alone(database: Database, path: Path, known: set[str]) -> None:
    if not database.table(Migrations.migrations_table).exists():
        return
    rows = database.conn.execute(f"SELECT DISTINCT migration_set FROM {Migrations.migrations_table}").fetchall()
    for name in sorted({row[0] for row in rows} - known):
        _log.warn("{file} has tables of {set!r}, a plugin that is not installed; left alone", file=path.name, set=name)


def copy(database: Database, to: Path) -> None:
    """An exact copy of `database` as it is now, in the new file `to` of mode 0600; writers go on meanwhile.

    Raises FileExistsError, StoreError.
    """
    os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        target = sqlite3.connect(to)
        try:
            # In one step: copied in many, the copy starts anew at each commit of another connection.
            database.conn.backup(target)
        finally:
            target.close()
        with to.open("rb") as file:
            os.fsync(file.fileno())
    except sqlite3.Error as error:
        to.unlink(missing_ok=True)
        raise StoreError(f"the copy {to} could not be made: {error}") from error


@contextmanager
def transaction(database: Database, *, keys_at_end: bool = False) -> Iterator[sqlite3.Connection]:
    """One transaction: all of the block, or nothing if it raises.

    It takes the write lock at once, so that another process is waited for instead of failing halfway. `keys_at_end`:
    foreign keys are checked then, so that the order of rows does not matter; not for what is done often, since SQLite
    then compiles anew each statement that the connection knows.
    """
    connection = database.conn
    connection.execute("BEGIN IMMEDIATE")
    try:
        if keys_at_end:
            connection.execute("PRAGMA defer_foreign_keys = ON")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _copy_before(database: Database, path: Path, migration: str) -> None:
    backups = path.parent / BACKUPS
    make_private(backups)
    final = backups / f"{path.name}-before-{migration}"
    partial = final.with_name(final.name + ".partial")
    partial.unlink(missing_ok=True)
    copy(database, partial)
    partial.rename(final)
