"""`is_damaged`: whether a database of the state is none any more, or not whole, and what an operator does then.

Belongs here: telling that from other failures, and the texts. Does not: looking for damage (inspection.py), a disk that
is full (full_disk.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from rrgate.store.errors import StoreError
from rrgate.store.folder import LOG_DATABASE

_PRIMARY: Final = 0xFF
"""The part of SQLite's codes that says what failed; the rest says where."""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damaged(error: BaseException | None) -> bool:
    """Whether `error` says that what is in the file is not right, which no other try changes. On any thread."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _DAMAGED


def what_to_do(path: Path) -> str:
    """With the damaged database `path`: half a sentence."""
    if path.name != LOG_DATABASE:
        return "restore a backup"
    return (
        f"end every gateway of this state and move {path} aside, with its -wal and -shm: the next start makes a new "
        "one, and only what that held of requests and telemetry is missing from then on"
    )


def of_the_log(error: Exception) -> str:
    """What is done, or is to be done, where log.db cannot be worked with for `error`: half a sentence."""
    if isinstance(error, StoreError):
        return str(error)
    return what_to_do(Path(LOG_DATABASE)) if is_damaged(error) else "it is tried again"


def unusable(path: Path, what: str, error: sqlite3.Error) -> StoreError:
    """`error`, met with the database `path`, as what an operator reads. `what`: such as `cannot be opened`."""
    if is_damaged(error):
        return StoreError(f"{path} is damaged ({error}); {what_to_do(path)}")
    return StoreError(f"{path} {what}: {error}")
