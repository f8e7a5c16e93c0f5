"""`Space`: room on the queue's disk: a floor under which nothing is taken, and a ballast for what must be written down.

Belongs here: looking at the disk, the ballast file. Does not: what is written (table.py), bounds by number (bounds.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from rrgate.delivery.bounds import Full
from rrgate.store.folder import open_private
from rrgate.store.full_disk import is_full

BALLAST: Final = 16 * 1024 * 1024
"""Bytes: enough for the ends of some hundred attempts that are under way, answers included."""
PART: Final = 16
"""Of the floor, if that is less."""
LOOK: Final = 1.0
"""Seconds for which what was seen of the disk is believed."""
_FULL: Final = Full("The gateway's disk is nearly full; this request was not taken")


def free_bytes(directory: Path) -> int:
    """What a process may still write on the disk of `directory`. Raises OSError."""
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize


def floor_of(ballast: Path, floor: int, size: int | None = None) -> int:
    """Bytes that must be free for a new request to be taken. `floor`, `size`: as of Space.

    Where there is no ballast, there is to be room for it twice over, or what is taken would take it away again.
    """
    if size is None:
        size = min(BALLAST, floor // PART)
    return floor + (0 if not size or ballast.exists() else 2 * size)


class Space:
    """Used on the thread that writes the queue. Several processes of a node share the ballast."""

    def __init__(
        self, ballast: Path, floor: int, *, size: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`ballast`: a file on the queue's disk; none is kept where there is no floor. `floor`: bytes that must be free
        besides. `clock`: seconds."""
        self._ballast = ballast
        self._floor = floor
        self._size = min(BALLAST, floor // PART) if size is None else size
        self._clock = clock
        self._looked_at = float("-inf")
        self._refuses = False
        self._log = Logger("rrgate.delivery")

    def full(self) -> Full | None:
        """Whether the disk has no room for a request that is new."""
        now = self._clock()
        if now - self._looked_at >= LOOK:
            self._looked_at = now
            self._refuses = self._look()
        return _FULL if self._refuses else None

    def failed(self, error: BaseException) -> None:
        """Something could not be written. If the disk is full, the ballast makes room: for what is under way alone."""
        if not is_full(error) or not self._ballast.exists():
            return
        self._log.error("the queue's disk is full: {file} is removed to make room", file=self._ballast.name)
        try:
            self._ballast.unlink(missing_ok=True)
        except OSError as problem:
            self._log.error("{file} cannot be removed: {problem}", file=self._ballast.name, problem=problem)
        self._refuses, self._looked_at = True, self._clock()

    def _look(self) -> bool:
        try:
            if free_bytes(self._ballast.parent) < floor_of(self._ballast, self._floor, self._size):
                return True
            return bool(self._size) and not self._ballast.exists() and not self._made()
        except OSError as problem:
            self._log.error("the queue's disk cannot be looked at: {problem}", problem=problem)
            return True

    def _made(self) -> bool:
        handle = open_private(self._ballast)
        try:
            os.posix_fallocate(handle, 0, self._size)
        except OSError as problem:
            self._ballast.unlink(missing_ok=True)
            self._log.error("{file} cannot be made: {problem}", file=self._ballast.name, problem=problem)
            return False
        finally:
            os.close(handle)
        return True
