"""`KeepsState`: the small state that an auth type keeps of one credential: sealed on disk, changed by one at a time.

Belongs here: the interface, for plugins and their tests. Does not: tables and locks (credential_state.py, store/).
Plugins import these names from `rrgate.api`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from attrs import field, frozen

MOST_STATE: Final = 64 * 1024
"""Bytes of one credential's state."""


class StateError(Exception):
    """The state cannot be read or written now: the disk does not take it, or what is there does not open.

    Its text holds nothing of what is kept.
    """


class StateChanged(StateError):
    """Somebody else has written since it was read, or the credential has another secret by now, or is no more."""


class StateBusy(StateError):
    """Somebody else held the lock for all the time that was given."""


@frozen
class Kept:
    """What is kept. `revision`: grows with every write."""

    value: bytes = field(repr=False)
    revision: int


class KeepsState(Protocol):
    """Of one credential and version of its secret: a new secret begins with nothing. On the reactor's thread."""

    async def read(self) -> Kept | None:
        """What was written last, by whichever process of this node; None if nothing was. Raises StateError."""

    async def write(self, value: bytes, revision: int) -> int:
        """Keep `value`, at most `MOST_STATE` bytes; what it answers is its revision, and it is durable then.

        `revision`: of what it takes the place of, 0 for nothing. Raises StateChanged, with nothing written, if that is
        not what is kept; StateError if the disk does not take it.
        """

    def locked(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Hold the credential's lock inside the block: nobody else has it meanwhile, in no process of this node.

        It is waited for up to `seconds`; raises StateBusy. It is free when the block ends, or the process does.
        """

    async def authorization_needed(self, needed: bool) -> None:
        """Show in the Core API whether a user must authorize this credential, or give it a new secret, before it works.

        Never raises: what cannot be shown is logged.
        """


class NothingKept:
    """Where nothing can be kept: nothing is there, and every write raises StateError."""

    async def read(self) -> Kept | None:
        """See `KeepsState`."""
        return None

    async def write(self, value: bytes, revision: int) -> int:
        """See `KeepsState`."""
        raise StateError("no state is kept here")

    def locked(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """See `KeepsState`."""
        return _unlocked()

    async def authorization_needed(self, needed: bool) -> None:
        """See `KeepsState`."""


@asynccontextmanager
async def _unlocked() -> AsyncIterator[None]:
    yield
