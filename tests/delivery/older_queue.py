"""A queue as it was before its last steps: for tests of the steps before them, which are then done again."""

from __future__ import annotations

import sqlite3


def without_counted(connection: sqlite3.Connection) -> None:
    """Undo `step_0010_counted`, but for the triggers that it has replaced."""
    for name in ("taken", "ended", "again", "kept"):
        connection.execute(f"DROP TRIGGER counted_{name}")
    for table in ("requests", "kept"):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN counted")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'step_0010_counted'")
