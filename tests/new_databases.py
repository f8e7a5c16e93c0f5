"""A new database of a test is a copy of one that was migrated in the same process, and need not be migrated itself.

Belongs here: that. Does not: what is migrated (rrgate/store/, rrgate/delivery/).

The steps of a new database take 20 ms and 18 waits for the disk, a gateway has three, and tests make a thousand. Each
process of tests still takes all steps once; so does everything that runs in a process of its own. What has something in
it, is to stop before a step, or has steps of a plugin's or a test's, is migrated step by step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from threading import Lock
from typing import Any

from sqlite_utils import Database, Migrations

from rrgate.delivery.schema import migrations as of_queue
from rrgate.store.log_migrations import migrations as of_log
from rrgate.store.migrations import migrations as of_state

_OURS = (of_state, of_log, of_queue)
_apply = Migrations.apply
_migrated: dict[Hashable, sqlite3.Connection] = {}
"""In memory, by their steps."""
_copying = Lock()


def copy_them() -> None:
    """From now on."""
    Migrations.apply = _applied  # type: ignore[method-assign]


def _applied(self: Migrations, db: Database, *, stop_before: Any = None) -> None:
    if stop_before is not None or self not in _OURS or not _is_new(db):
        _apply(self, db, stop_before=stop_before)
        return
    # A copy of a file's is in WAL mode, which nothing that is only in memory can be.
    (in_file,) = [bool(file) for _, name, file in db.execute("PRAGMA database_list") if name == "main"]
    steps = (in_file, *((step.name, step.fn) for step in self._migrations))
    with _copying:
        if steps in _migrated:
            _migrated[steps].backup(db.conn)
        else:
            _apply(self, db)
            _migrated[steps] = sqlite3.connect(":memory:", check_same_thread=False)
            db.conn.backup(_migrated[steps])


def _is_new(db: Database) -> bool:
    return not db.conn.in_transaction and db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
