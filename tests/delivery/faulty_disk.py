"""`FaultyDisk`: a disk that refuses what SQLite asks of it, from under SQLite: a VFS of apsw's.

Belongs here: the faults, and connections on that disk that look like those of the standard library. Does not: what is
expected of who meets them (test_disk_faults.py).

apsw brings its own SQLite, so all connections of a process to one file must be made here: two libraries in a process do
not see each other's locks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import apsw

from rrgate.store import database as real

Asked = Literal["write", "sync"]
_NAMES = count()


class FaultyDisk:
    """Takes everything, until it is told what to refuse: of each question, counted from 1, whether it fails."""

    def __init__(self) -> None:
        self.error: type[apsw.Error] = apsw.FullError
        self.asked = 0
        """Questions so far, since `refuse`."""
        self.refused = 0
        self._refuses: Callable[[Asked, int], bool] = lambda what, number: False
        self._lock = Lock()
        self.name = f"faulty-{next(_NAMES)}"
        self._vfs = _Vfs(self)  # it is there as long as this is

    def refuse(self, refuses: Callable[[Asked, int], bool], error: type[apsw.Error]) -> None:
        """From now on, with this error."""
        with self._lock:
            self.asked = self.refused = 0
            self._refuses, self.error = refuses, error

    def heal(self) -> None:
        """Take everything again."""
        self._refuses = lambda what, number: False

    def meet(self, what: Asked) -> None:
        """Raises what the disk has against it."""
        with self._lock:
            self.asked += 1
            bad = self._refuses(what, self.asked)
            self.refused += bad
        if bad:
            raise self.error("the disk is faulty")

    # In the place of rrgate.store.database.

    def open_migrated(self, path: Path, *given: Any, **named: Any) -> Any:
        """A queue.db that is made as ever, and then opened here."""
        real.open_migrated(path, *given, **named).close()
        return self.connect(path, **named)

    def connect(self, path: Path, *, read_only: bool = False, **named: Any) -> Any:
        """A connection, as far as the queue uses one."""
        return _Database(_Connection(path, self.name, read_only))


class _Vfs(apsw.VFS):
    def __init__(self, disk: FaultyDisk) -> None:
        super().__init__(disk.name, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.meet("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.meet("sync")
        super().xSync(flags)


class _Cursor:
    def __init__(self, rows: list[Any], lastrowid: int, rowcount: int) -> None:
        self._rows = iter(rows)
        self.lastrowid, self.rowcount = lastrowid, rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class _Connection:
    def __init__(self, path: Path, vfs: str, read_only: bool) -> None:
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        self._connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        self._connection.set_busy_timeout(10_000)
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Cursor:
        connection = self._connection
        try:
            rows = list(connection.execute(sql, tuple(values)))
        except apsw.ConstraintError as error:
            raise sqlite3.IntegrityError(str(error)) from error
        except apsw.Error as error:
            raised = sqlite3.OperationalError(str(error))
            full = isinstance(error, apsw.FullError)
            raised.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR
            raise raised from error
        return _Cursor(rows, connection.last_insert_rowid(), connection.changes())

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        for each in values:
            self.execute(sql, each)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()


class _Database:
    def __init__(self, connection: _Connection) -> None:
        self.conn = connection

    def close(self) -> None:
        self.conn.close()
