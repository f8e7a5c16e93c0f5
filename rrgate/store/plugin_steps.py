"""`PluginSteps`: the migrations of a plugin, and what keeps them away from every table but their own.

Belongs here: judging names, guarding a step while it runs. Does not: when steps run (database.py).

The guard is against mistakes, such as a `commit()` that ends our transaction or a table that a later version of ours
would want to make; a plugin runs in our process and could do anything if it wished.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen
from sqlite_utils import Database, Migrations

from rrgate.store.errors import StoreError

_SET_NAME: Final = re.compile(r"[a-z][a-z0-9_]{2,60}")
_STEP_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")
_OURS: Final = "rrgate"

_TABLE_FIRST: Final = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_VTABLE,
    }
)
"""Actions that name the table first."""
_TABLE_SECOND: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_ALTER_TABLE,
    }
)
"""Actions that name the table second."""
_HARMLESS: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_REINDEX,
    }
)
# SQLite writes these itself when a table is made; a statement that names them is refused by SQLite.
_SCHEMA: Final = frozenset({"sqlite_master", "sqlite_temp_master", "sqlite_sequence"})
_PRAGMAS: Final = frozenset(
    {
        "defer_foreign_keys",
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "legacy_alter_table",
        "table_info",
        "table_xinfo",
    }
)
_READ_PRAGMAS: Final = frozenset({"foreign_keys", "recursive_triggers", "schema_version", "user_version"})


@frozen
class PluginSteps:
    """One set of a plugin's migrations. `plugin`: who brings it, for messages."""

    plugin: str
    migrations: Migrations

    def problem(self) -> str:
        """What is wrong with the names in it and with its steps, or nothing."""
        name = self.migrations.name
        if not isinstance(name, str) or not _SET_NAME.fullmatch(name) or name == _OURS:
            return f"the migration set {name!r} must be named after its distribution, as a-z, 0-9 and _"
        for step in self.migrations._migrations:
            if not _STEP_NAME.fullmatch(step.name):
                return f"the migration {step.name!r} must be named by letters, digits and _"
            if not step.transactional:
                return f"the migration {step.name!r} must run in a transaction"
        return ""

    def guarded(self) -> Migrations:
        """The same steps; each raises StoreError, and so is rolled back, if it fails or leaves its own tables."""
        guarded = Migrations(self.migrations.name)
        for step in self.migrations._migrations:
            guarded(name=step.name)(self._guarded(step.name, step.fn))
        return guarded

    def _guarded(self, step: str, run: Callable[[Database], None]) -> Callable[[Database], None]:
        own = self.migrations.name

        def guarded(db: Database) -> None:
            # sqlite-utils finds these out by making a table, once a connection.
            _ = db.supports_strict, db.supports_on_conflict
            before = _strange(db, own)
            refused: list[str] = []
            db.conn.set_authorizer(_authorizer(own, refused))
            try:
                run(db)
            except Exception as error:
                # SQLite's texts name tables and columns; others may quote what was in them.
                text = str(error) if isinstance(error, sqlite3.Error) and not refused else type(error).__name__
                why = _only(own, refused[0]) if refused else text
                raise StoreError(f"migration {step} of {self.plugin} failed: {why}") from error
            finally:
                db.conn.set_authorizer(None)
            if refused:
                raise StoreError(f"migration {step} of {self.plugin} failed: {_only(own, refused[0])}")
            if changed := {entry[1] for entry in before ^ _strange(db, own)}:
                raise StoreError(f"migration {step} of {self.plugin} failed: {_only(own, min(changed))}")

        return guarded


def clashing(sets: Iterable[PluginSteps]) -> str:
    """Which two sets could have tables of one name, or nothing."""
    known: dict[str, PluginSteps] = {}
    for each in sets:
        name = each.migrations.name
        for other, brought in known.items():
            if name == other or name.startswith(other + "_") or other.startswith(name + "_"):
                return f"the migration sets {name!r} of {each.plugin} and {other!r} of {brought.plugin} overlap"
        known[name] = each
    return ""


def _only(own: str, touched: str) -> str:
    return (
        f"it touches {touched!r}; a step may touch tables named {own} or {own}_… only, "
        "and neither begin nor end a transaction"
    )


def _is_own(own: str, table: str | None) -> bool:
    folded = (table or "").lower()
    return folded == own or folded.startswith(own + "_")


def _strange(db: Database, own: str) -> set[tuple[str, str, str]]:
    """(type, name, SQL) of everything in the schema that is of other tables."""
    rows = db.conn.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    return {(kind, name, sql) for kind, name, table, sql in rows if not _is_own(own, table) and name not in _SCHEMA}


def _authorizer(own: str, refused: list[str]) -> Callable[..., int]:
    """Asked by SQLite of all that a statement would do, when it is compiled."""

    def judge(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
        if action in _HARMLESS:
            return sqlite3.SQLITE_OK
        touched = ""
        if action in _TABLE_FIRST:
            if _is_own(own, first) or first in _SCHEMA:
                return sqlite3.SQLITE_OK
            touched = first or ""
        elif action in _TABLE_SECOND:
            if _is_own(own, second):
                return sqlite3.SQLITE_OK
            touched = second or ""
        elif action == sqlite3.SQLITE_PRAGMA:
            if first in _PRAGMAS or (first in _READ_PRAGMAS and second is None):
                return sqlite3.SQLITE_OK
            touched = f"PRAGMA {first}"
        else:
            touched = first or "the transaction"
        refused.append(touched)
        return sqlite3.SQLITE_DENY

    return judge
