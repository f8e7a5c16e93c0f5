"""Looking at state without changing it: whole, of a version that is known, and every secret readable.

Belongs here: what backup, restore and doctor ask of the files. Does not: opening them for use (store.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from rrgate.store.damage import unusable, what_to_do
from rrgate.store.database import connect, refuse_newer
from rrgate.store.encrypted import SEALED, WRAPPED
from rrgate.store.errors import SecretError, StoreError
from rrgate.store.key_rotation import KeyUse, key_uses
from rrgate.store.key_source import KeyRing, KeySource
from rrgate.store.keyfile import MasterKeys
from rrgate.store.log_migrations import migrations as log_migrations
from rrgate.store.migrations import migrations
from rrgate.store.secrets import unwrap
from rrgate.store.store import open_secrets


def check_whole(path: Path) -> None:
    """Raises StoreError unless the database `path` is sound, page by page and key by key. Reads all of it."""
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        found = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
        dangling = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path} is damaged ({error}); {what_to_do(path)}") from error
    finally:
        database.close()
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({', '.join(found)}); {what_to_do(path)}")
    if dangling is not None:
        raise StoreError(f"{path} is damaged (a row of {dangling[0]} belongs to nothing); {what_to_do(path)}")


def pending_steps(path: Path, *, log: bool) -> list[str]:
    """Names of the migrations that `path` still needs. `log`: it is log.db. Raises NewerDatabase, StoreError, which is
    also of an rrgate.db in which there is nothing: a start would make tables in it, and no gateway of them."""
    pending, is_new = _pending(path, log_migrations if log else migrations)
    if is_new and not log:
        raise StoreError(f"{path} is empty; restore a backup")
    return pending


def pending_of(path: Path, known: Migrations) -> list[str]:
    """The same of a file that has these. Raises NewerDatabase, StoreError."""
    return _pending(path, known)[0]


def _pending(path: Path, known: Migrations) -> tuple[list[str], bool]:
    """(steps to come, whether none was applied)."""
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        refuse_newer(database, path, known)
        return [step.name for step in known.pending(database)], not list(known.applied(database))
    except sqlite3.Error as error:
        raise unusable(path, "cannot be read", error) from error
    finally:
        database.close()


def check_key(path: Path, source: KeySource) -> int:
    """Unseal every secret in rrgate.db at `path` with the keys of `source`; answers how many there are.

    Raises KeyFileError if there are none, and SecretError naming what does not open and why.
    """
    master = KeyRing(source)
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        return _unseal_all(database, master)
    except sqlite3.Error as error:
        raise unusable(path, "cannot be read", error) from error
    finally:
        database.close()


def keys_in_use(path: Path, keys: MasterKeys) -> list[KeyUse]:
    """See `key_uses`, of rrgate.db at `path`. Raises StoreError."""
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        return key_uses(database, keys)
    except sqlite3.Error as error:
        raise unusable(path, "cannot be read", error) from error
    finally:
        database.close()


def _unseal_all(database: Database, master: KeyRing) -> int:
    # One moment of a database that others may change.
    with database.atomic():
        secrets = open_secrets(database, master)
        problems, count = [], 0
        for column in SEALED:
            # A copy of a database from an older version may not have it.
            if column.table not in database.table_names() or column.name not in database[column.table].columns_dict:
                continue
            for client_id, row, sealed in column.every(database.conn):
                count += 1
                try:
                    secrets.unseal(client_id, row, sealed)
                except SecretError as error:
                    problems.append(str(error))
        for table in WRAPPED:
            # Also those that no secret needs yet: a rotation could not do without them.
            for name, wrapped in table.every(database.conn) if not problems else ():
                unwrap(master, wrapped, table.identity(name))
    if problems:
        shown = ", ".join(problem.replace("; ", ": ") for problem in problems[:5])
        shown += ", …" if len(problems) > 5 else ""
        todo = "give these credentials their secrets anew, or restore a backup"
        raise SecretError(f"{len(problems)} of {count} secrets cannot be read: {shown}; {todo}")
    return count
