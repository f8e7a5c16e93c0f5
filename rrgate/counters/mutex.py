"""`Mutex`: a lock in shared memory that the kernel frees when its holder dies.

Belongs here: the C library's robust mutexes. Does not: what they guard (memory.py).

To take and give back one costs 0.2 µs, where the two calls of the kernel for a locked file cost 1 to 3.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from rrgate.counting_values import CountersError

SIZE: Final = 64
"""Bytes that it takes up: glibc needs 40 or 48, musl 40."""

_PATIENCE: Final = 0.5
"""Seconds for which another process may hold it, who needs it for some microseconds."""
_SPINS: Final = 40
_SLEEP: Final = 0.0001

_SHARED: Final = 1  # PTHREAD_PROCESS_SHARED
_ROBUST: Final = 1  # PTHREAD_MUTEX_ROBUST


@cache
def _library() -> Any:
    # PyDLL: the calls are short, and to give up Python's own lock for them would let another thread run inside.
    return ctypes.PyDLL(None)


class Mutex:
    """A robust mutex at a fixed place of a shared mapping. Of one thread a process."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        """The one that is at `offset` of `memory`, made by `make`. `close` before the mapping is closed."""
        library = _library()
        at = ctypes.byref((ctypes.c_char * SIZE).from_buffer(memory, offset))
        self.attempt: Callable[[], int] = partial(library.pthread_mutex_trylock, at)
        """Take it if it is free: 0. Else an error number, for `settle`."""
        self.release: Callable[[], object] = partial(library.pthread_mutex_unlock, at)
        """Give it back."""
        self.made_good: Callable[[], object] = partial(library.pthread_mutex_consistent, at)
        """What it guards is whole again. To be called after `settle` has said True, before `release`."""

    @staticmethod
    def make(memory: mmap.mmap, offset: int) -> None:
        """Make one where nobody else looks yet. Raises CountersError where there are no such mutexes."""
        library = _library()
        place = (ctypes.c_char * SIZE).from_buffer(memory, offset)
        attributes = (ctypes.c_char * SIZE)()
        try:
            failed = (
                library.pthread_mutexattr_init(attributes)
                or library.pthread_mutexattr_setpshared(attributes, _SHARED)
                or library.pthread_mutexattr_setrobust(attributes, _ROBUST)
                or library.pthread_mutex_init(place, attributes)
            )
        except AttributeError:
            failed = errno.ENOSYS
        if failed:
            raise CountersError(f"this system has no robust mutexes in shared memory: {errno.errorcode.get(failed)}")

    def settle(self, failed: int) -> bool:
        """Hold it, `attempt` having answered `failed`. True: the last holder died, and what it guards may be half done.

        Raises CountersError if another process, stopped in the middle, does not give it back.
        """
        if failed == errno.EBUSY:
            failed = self._wait()
        if failed == errno.EOWNERDEAD:
            return True
        if failed:
            raise CountersError(f"the lock of the counters cannot be had: {errno.errorcode.get(failed, failed)}")
        return False

    def _wait(self) -> int:
        for _ in range(_SPINS):
            if (failed := self.attempt()) != errno.EBUSY:
                return failed
        until = time.monotonic() + _PATIENCE
        while (failed := self.attempt()) == errno.EBUSY and time.monotonic() < until:
            time.sleep(_SLEEP)
        return failed

    def close(self) -> None:
        """Let go of the mapping."""
        self.attempt = lambda: errno.EINVAL
        self.release = self.made_good = lambda: None
