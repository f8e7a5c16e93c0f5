"""`DeliveryLock`: which process of a node delivers: the one that has locked a file.

Belongs here: taking the lock, and being unable to. Does not: what its owner does (worker.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from rrgate.store.folder import create_private_file, try_lock


class DeliveryLock:
    """A locked file, which the kernel frees when the process dies, and not before: one that was stopped and wakes up
    again still has it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file `path` cannot be opened: better at the start than when it is needed."""
        create_private_file(path)
        self._path = path
        self._handle: int | None = None
        self._trouble = ""
        self._log = Logger("rrgate.delivery")

    def take(self) -> bool:
        """Whether this process has it now; also no where that cannot be found out, which is logged.

        That passes (there are too many open files, say), and who does not ask again would never deliver.
        """
        if self._handle is None:
            trouble = ""
            try:
                self._handle = try_lock(self._path)
            except OSError as error:
                trouble = str(error)
                if trouble != self._trouble:
                    self._log.error("it cannot be found out who is to deliver; asked again: {error}", error=error)
            self._trouble = trouble
        return self._handle is not None

    def free(self) -> None:
        """Whoever wants it may have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
