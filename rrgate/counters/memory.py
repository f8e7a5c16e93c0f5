"""`Memory`: the counters' bytes, shared by processes: a header with the mutex, and a row for each counter.

Belongs here: where each byte lies, finding and adding rows, undoing what a dead process left half done. Does not:
opening files (opening.py), what counts mean (counters.py).

A row, once there, stays where it is as long as any process has the memory open.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Any, Final

from rrgate.counters.calendar import Row
from rrgate.counters.mutex import Mutex
from rrgate.counting_values import CountersError

HEADER: Final = 65536
"""Bytes before the first row: a whole page, however large pages are."""
ROW: Final = 64
"""Bytes of a row: its key, the minute of its last count, four counts."""
KEY: Final = 16
FIRST_ROWS: Final = 1024

# The header, by offset.
FORMAT: Final = b"rrgate counters1"
_SIZES: Final = Struct("=qq")  # rows that there is room for, rows that are used
_SIZES_AT: Final = 16
_MUTEX_AT: Final = 64
_UNDO: Final = Struct("=qq4d")
_COUNT_AT: Final = HEADER - 8
"""How many rows are being written; before it lies what each of them was: its place, its minute and its counts."""
MOST_AT_ONCE: Final = 64
"""Rows that are written at once."""
_NOTE: Final = [Struct("=" + "qq4d" * rows + "q").pack_into for rows in range(MOST_AT_ONCE + 1)]
"""By the number of rows, writes what they were and then the count: until that is there, there is nothing to undo."""
_NOTED_AT: Final = [_COUNT_AT - rows * _UNDO.size for rows in range(MOST_AT_ONCE + 1)]

COUNTS: Final = Struct("=q4d")
"""What is behind a row's key: the minute of the last count, and the counts of the windows that it lies in."""
_put = COUNTS.pack_into


class Memory:
    """Open memory. All but `close` inside `held`."""

    def __init__(self, handle: int | None, capacity: int = FIRST_ROWS) -> None:
        """`handle`: of a file that has a header and so many rows; it is closed with this. None: of this process alone,
        and not for others. Raises OSError."""
        self.joined = False
        """Whether other processes had it open before."""
        self._handle = handle
        if handle is None:
            self.header = mmap.mmap(-1, HEADER)
            begin(self.header, capacity)
        else:
            self.header = mmap.mmap(handle, HEADER)
        self._mapped = capacity
        self.rows = self._map(capacity)
        self.mutex = Mutex(self.header, _MUTEX_AT)
        self._count = memoryview(self.header)[_COUNT_AT:].cast("q")
        self._places: dict[bytes, int] = {}
        self._seen = 0

    def _map(self, capacity: int) -> mmap.mmap:
        if self._handle is None:
            return mmap.mmap(-1, capacity * ROW)
        return mmap.mmap(self._handle, capacity * ROW, offset=HEADER)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else is inside. Raises CountersError. What a dead process left half done is undone first."""
        self.enter()
        try:
            yield
        finally:
            self.mutex.release()

    def enter(self) -> None:
        """The same without a block, for where each tenth of a microsecond counts; then `mutex.release`."""
        failed = self.mutex.attempt()
        if failed and self.mutex.settle(failed):
            self.undo()
            self.mutex.made_good()

    def place_of(self, key: bytes) -> int:
        """Where the counts of `key` lie in `rows`, which are made if they are not there. Raises CountersError."""
        capacity, used = _SIZES.unpack_from(self.header, _SIZES_AT)
        self._follow(capacity)
        while self._seen < used:
            at = self._seen * ROW
            self._places[self.rows[at : at + KEY]] = at + KEY
            self._seen += 1
        found = self._places.get(key)
        if found is None:
            if used == capacity:
                capacity = self._grow(capacity)
            at = used * ROW
            self.rows[at : at + ROW] = key + bytes(ROW - KEY)
            # Last of all: until then the row is not there.
            _SIZES.pack_into(self.header, _SIZES_AT, capacity, used + 1)
            found = self._places[key] = at + KEY
            self._seen += 1
        return found

    def count(self, undo: list[Any], rows: list[tuple[int, Row]], amount: float) -> None:
        """Write each `(place, row)` of `rows`, with `amount` more in each count: all, or, if this process dies
        meanwhile, none.

        `undo`: place, minute and counts of each as they are, in one list. No place is there twice. Raises CountersError
        for too many.
        """
        many = len(rows)
        if many > MOST_AT_ONCE:
            raise CountersError(f"at most {MOST_AT_ONCE} counters are counted at once")
        if many:
            _NOTE[many](self.header, _NOTED_AT[many], *undo, many)
            memory = self.rows
            for place, (last, minute, hour, day, month) in rows:
                _put(memory, place, last, minute + amount, hour + amount, day + amount, month + amount)
            self._count[0] = 0

    def undo(self) -> None:
        """Put back what was being written when its process died."""
        capacity, _ = _SIZES.unpack_from(self.header, _SIZES_AT)
        self._follow(capacity)
        for place, before in being_written(self.header):
            _put(self.rows, place, *before)
        self._count[0] = 0

    def _follow(self, capacity: int) -> None:
        """Map what another process has added."""
        if capacity > self._mapped:
            before, self.rows = self.rows, self._map(capacity)
            if self._handle is None:
                self.rows[: len(before)] = before[:]
            self._mapped = capacity
            before.close()

    def _grow(self, capacity: int) -> int:
        try:
            if self._handle is not None:
                # Not only made longer: where the disk has no room for what is mapped, writing to it kills the process.
                os.posix_fallocate(self._handle, HEADER, capacity * 2 * ROW)
            _, used = _SIZES.unpack_from(self.header, _SIZES_AT)
            _SIZES.pack_into(self.header, _SIZES_AT, capacity * 2, used)
            self._follow(capacity * 2)
        except OSError as error:
            raise CountersError(f"there is no room for another counter: {error.strerror}") from None
        return capacity * 2

    def close(self) -> None:
        """Let go of it all. Counters must not be used any more."""
        self.mutex.close()
        self._count.release()
        self.rows.close()
        self.header.close()
        if self._handle is not None:
            os.close(self._handle)


def begin(header: mmap.mmap, capacity: int, used: int = 0) -> None:
    """Write the header of so many rows, into zeroes where nobody else looks yet. Raises CountersError."""
    Mutex.make(header, _MUTEX_AT)
    _SIZES.pack_into(header, _SIZES_AT, capacity, used)
    header[: len(FORMAT)] = FORMAT


def sizes(header: mmap.mmap | bytes) -> tuple[int, int] | None:
    """(rows that there is room for, rows that are used) as `header` says; None for a header that is none of ours."""
    if header[: len(FORMAT)] != FORMAT:
        return None
    capacity, used = _SIZES.unpack_from(header, _SIZES_AT)
    return (capacity, used) if 0 <= used <= capacity else None


def being_written(header: mmap.mmap | bytes) -> list[tuple[int, tuple[Any, ...]]]:
    """(place, what it was) of each row that a process was writing when it died."""
    count = int.from_bytes(header[_COUNT_AT:], sys.byteorder)
    if not 0 <= count <= MOST_AT_ONCE:
        return []
    undo = header[_COUNT_AT - count * _UNDO.size : _COUNT_AT]
    return [(place, tuple(row)) for place, *row in _UNDO.iter_unpack(undo)]
