"""Opening the counters' file: the first process of a node makes it anew of what is still worth keeping.

Belongs here: who is first, what of an old file is kept. Does not: where bytes lie (memory.py).

Nothing in the file is ever taken away while a process has it open. So rows that nobody needs any more are left behind
when the next one comes that is alone; nothing is kept of a file that is damaged, and the windows begin anew.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
from pathlib import Path
from typing import Final

from rrgate.counters.calendar import LAST_MINUTE, month_of
from rrgate.counters.memory import COUNTS, FIRST_ROWS, HEADER, KEY, ROW, Memory, begin, being_written, sizes
from rrgate.counting_values import CountersError
from rrgate.store.errors import StoreError
from rrgate.store.folder import locked, open_private

COUNTERS: Final = "counters"
"""The file's name, in the data directory."""
_LOCK: Final = "counters.lock"
_NEW: Final = ".counters.new"


def open_memory(directory: Path, now: float) -> Memory:
    """The counters of the data directory `directory`. `now`: seconds since the epoch.

    Raises StoreError if it cannot be opened or made.
    """
    path = directory / COUNTERS
    try:
        with locked(directory, _LOCK, "opening the counters of"):
            handle = open_private(path)
            try:
                if not _alone(handle):
                    return _joined(handle)
                kept = _worth_keeping(handle, int(now // 60))
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
            return _made(directory, kept)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from None
    except (CountersError, ValueError) as error:
        raise StoreError(f"{path} cannot be opened: {error}") from None


def _alone(handle: int) -> bool:
    """Whether no other process has the file open. If there is one, its being there is shared now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(handle, fcntl.LOCK_SH)
        return False
    return True


def _joined(handle: int) -> Memory:
    found = sizes(os.pread(handle, HEADER, 0))
    if found is None:
        raise CountersError("a process of another version of rrgate has it open; stop that one first")
    memory = Memory(handle, found[0])
    memory.joined = True
    return memory


def _worth_keeping(handle: int, minute: int) -> dict[bytes, tuple[int, bytes]]:
    """By key, the last minute and the whole row of each counter of which a window still runs."""
    header = os.pread(handle, HEADER, 0)
    found = sizes(header) if len(header) == HEADER else None
    if found is None:
        return {}
    rows = bytearray(os.pread(handle, found[1] * ROW, HEADER))
    for place, before in being_written(header):
        if KEY <= place <= len(rows) - COUNTS.size:
            COUNTS.pack_into(rows, place, *before)
    kept: dict[bytes, tuple[int, bytes]] = {}
    for at in range(0, len(rows) - ROW + 1, ROW):
        key = bytes(rows[at : at + KEY])
        last, *counts = COUNTS.unpack_from(rows, at + KEY)
        whole = any(key) and 0 <= last <= LAST_MINUTE and all(math.isfinite(each) and each >= 0 for each in counts)
        if whole and month_of(last) >= month_of(minute) and kept.get(key, (-1,))[0] < last:
            kept[key] = (last, bytes(rows[at : at + ROW]))
    return kept


def _made(directory: Path, kept: dict[bytes, tuple[int, bytes]]) -> Memory:
    """A new file of these rows, in the place of the old one. Nobody else has that open, or can open it now."""
    new = directory / _NEW
    new.unlink(missing_ok=True)
    handle = open_private(new)
    try:
        capacity = FIRST_ROWS
        while capacity < 2 * len(kept):
            capacity *= 2
        os.posix_fallocate(handle, 0, HEADER + capacity * ROW)
        with mmap.mmap(handle, HEADER) as header:
            begin(header, capacity, len(kept))
        os.pwrite(handle, b"".join(row for _, row in kept.values()), HEADER)
        fcntl.flock(handle, fcntl.LOCK_SH)
        new.rename(directory / COUNTERS)
        return Memory(handle, capacity)
    except BaseException:
        os.close(handle)
        raise
