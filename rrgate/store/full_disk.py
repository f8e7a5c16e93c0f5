"""`is_full`: whether a write failed for want of room.

Belongs here: telling that from other failures. Does not: what is answered then (core/handling.py), keeping room for
what is under way (delivery/space.py).
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from rrgate.store.errors import StoreError

LEAST_ROOM: Final = 64 * 1024
"""Bytes: of a disk that has fewer, any failure to write is one for want of room."""

_PRIMARY: Final = 0xFF
"""The part of SQLite's codes that says what failed; the rest says where."""


def is_full(error: BaseException, folder: Path | None = None) -> bool:
    """Whether `error` says that the disk, or a quota, is full. On any thread.

    `folder`: where it was to be written, if that is known. SQLite says "full" of files that it writes to; of the memory
    that processes share, which is a file too, it says only that it failed: then it is looked how much room there is.
    """
    if isinstance(error, StoreError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code == sqlite3.SQLITE_FULL:
        return True
    return code == sqlite3.SQLITE_IOERR and folder is not None and _room(folder) < LEAST_ROOM


def _room(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return LEAST_ROOM  # what is wrong is something else
    return found.f_bavail * found.f_frsize
