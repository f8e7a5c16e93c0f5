"""Looking at state without changing it: whole, of a version that is known, and every secret readable.

Belongs here: what backup, restore and doctor ask of the files. Does not: opening them for use (store.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from rrgate.store import keyfile
from rrgate.store.database import connect, refuse_newer
from rrgate.store.errors import SecretError, StoreError
from rrgate.store.log_migrations import migrations as log_migrations
from rrgate.store.migrations import migrations
from rrgate.store.secrets import credential_row, previous_row
from rrgate.store.store import open_secrets


def check_whole(path: Path) -> None:
    """Raises StoreError unless the database `path` is sound, page by page and key by key. Reads all of it."""
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        found = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
        dangling = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path} is damaged ({error}); restore a backup") from error
    finally:
        database.close()
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({'; '.join(found)}); restore a backup")
    if dangling is not None:
        raise StoreError(f"{path} is damaged (a row of {dangling[0]} belongs to nothing); restore a backup")


def pending_steps(path: Path, *, log: bool) -> list[str]:
    """Names of the migrations that `path` still needs. `log`: it is log.db. Raises NewerDatabase, StoreError."""
    known: Migrations = log_migrations if log else migrations
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        refuse_newer(database, path, known)
        return [step.name for step in known.pending(database)]
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    finally:
        database.close()


def check_key(path: Path, key_file: Path) -> int:
    """Unseal every secret in rrgate.db at `path` with the keys in `key_file`; answers how many there are.

    Raises KeyFileError if the file is not usable, and SecretError naming what does not open and why.
    """
    master = keyfile.read(key_file)
    database = connect(path, synchronous="NORMAL", read_only=True)
    try:
        return _unseal_all(database, master)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    finally:
        database.close()


def _unseal_all(database: Database, master: keyfile.MasterKeys) -> int:
    secrets = open_secrets(database, master)
    problems, count = [], 0
    for row in database.query("SELECT * FROM credentials ORDER BY rowid"):
        sealed = {
            credential_row(row["id"]): row["sealed_secret"],
            # A copy of a database from before there was an overlap has no such column.
            previous_row(row["id"]): row.get("previous_sealed_secret"),
        }
        for where, secret in sealed.items():
            if secret is None:
                continue
            count += 1
            try:
                secrets.unseal(row["client_id"], where, secret)
            except SecretError as error:
                problems.append(str(error))
    if problems:
        shown = "; ".join(problems[:5])
        raise SecretError(f"{len(problems)} of {count} secrets cannot be read: {shown}")
    return count
