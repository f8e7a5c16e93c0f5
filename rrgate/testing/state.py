"""`MemoryState`: what auth types keep of credentials, without a disk; it can be seen, changed, and made to fail.

Belongs here: the interface of `rrgate.api.KeepsState`, kept. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from twisted.internet.task import deferLater

from rrgate.api import Kept, StateBusy, StateChanged, StateError
from rrgate.testing.clock import Clock


class MemoryState:
    """Of one credential and version of its secret. `kept`: what was written last.

    `fails`: set it, and nothing can be read or written. `busy`: set it, and somebody else has the lock.
    `needs_authorization`: what the Core API would show.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.kept: Kept | None = None
        self.fails = False
        self.busy = False
        self.needs_authorization = False

    async def read(self) -> Kept | None:
        """See `rrgate.api.KeepsState`."""
        self._check()
        return self.kept

    async def write(self, value: bytes, revision: int) -> int:
        """See `rrgate.api.KeepsState`."""
        self._check()
        if revision != (0 if self.kept is None else self.kept.revision):
            raise StateChanged("it is another by now")
        self.kept = Kept(value, revision + 1)
        return revision + 1

    def locked(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """See `rrgate.api.KeepsState`."""
        return self._locked(self._clock.seconds() + seconds)

    @asynccontextmanager
    async def _locked(self, until: float) -> AsyncIterator[None]:
        while self.busy:
            if self._clock.seconds() >= until:
                raise StateBusy("somebody else has the lock")
            await deferLater(self._clock, 0.05, lambda: None)
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    async def authorization_needed(self, needed: bool) -> None:
        """See `rrgate.api.KeepsState`."""
        self.needs_authorization = needed

    def _check(self) -> None:
        if self.fails:
            raise StateError("the disk does not work")
