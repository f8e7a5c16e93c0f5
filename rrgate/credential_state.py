"""`CredentialState`: what an auth type keeps of one credential, sealed in rrgate.db, and its lock.

Belongs here: sealing, waiting for the lock, and what errors become. Does not: rows and files (store/states.py), what
plugins see of this (state_values.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rrgate.careful_log import CarefulLogger
from rrgate.model import Credential
from rrgate.state_values import MOST_STATE, Kept, StateBusy, StateChanged, StateError
from rrgate.store import AsyncStore, StoreError
from rrgate.store.secrets import state_row
from rrgate.store.states import free_state_lock, try_state_lock
from rrgate.store.thread import ThreadClosed

TRY_AGAIN: Final = 0.05
"""Seconds between two tries to get a lock that another process holds."""

_log = CarefulLogger("rrgate.state")


@frozen(eq=False)
class CredentialState:
    """See `rrgate.api.KeepsState`. `show`: puts into force whether the credential needs authorization."""

    store: AsyncStore = field(repr=False)
    data: Path
    clock: IReactorTime = field(repr=False)
    show: Callable[[Credential, bool], Awaitable[None]] = field(repr=False)
    credential: Credential

    @property
    def _mark(self) -> bytes:
        """What stands before a value: for which version of the secret it is kept."""
        return b"%d\n" % self.credential.secret_version

    async def read(self) -> Kept | None:
        """See `KeepsState`."""
        credential = self.credential
        try:
            found = await self.store.read_state(credential.id, credential.secret_version)
            if found is None:
                return None
            kept = self.store.secrets.unseal(credential.client_id, state_row(credential.id), found.sealed)
        except (StoreError, ThreadClosed) as error:
            raise StateError(f"the state of credential {credential.id} cannot be read: {error}") from None
        if not kept.startswith(self._mark):
            raise StateError(f"the state of credential {credential.id} was changed: it is of another secret")
        return Kept(kept.removeprefix(self._mark), found.revision)

    async def write(self, value: bytes, revision: int) -> int:
        """See `KeepsState`."""
        credential = self.credential
        if len(value) > MOST_STATE:
            raise StateError(f"the state of a credential may have {MOST_STATE} bytes")
        try:
            sealed = self.store.secrets.seal(credential.client_id, state_row(credential.id), self._mark + value)
            written = await self.store.write_state(credential.id, credential.secret_version, sealed, revision)
        except (StoreError, ThreadClosed) as error:
            raise StateError(f"the state of credential {credential.id} cannot be written: {error}") from None
        if written is None:
            raise StateChanged(f"the state of credential {credential.id} is another by now")
        return written

    def locked(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """See `KeepsState`."""
        return self._locked(seconds)

    @asynccontextmanager
    async def _locked(self, seconds: float) -> AsyncIterator[None]:
        credential_id, until = self.credential.id, self.clock.seconds() + seconds
        handle: int | None = None
        try:
            while handle is None:
                handle = await self._take()
                if handle is None:
                    if self.clock.seconds() >= until:
                        raise StateBusy(f"the state of credential {credential_id} is locked by another process")
                    await deferLater(self.clock, TRY_AGAIN, lambda: None)
        except (OSError, StoreError, ThreadClosed) as error:
            raise StateError(f"the state of credential {credential_id} cannot be locked: {error}") from None
        try:
            yield
        finally:
            free_state_lock(self.data, credential_id, handle)

    async def authorization_needed(self, needed: bool) -> None:
        """See `KeepsState`."""
        try:
            await self.show(self.credential, needed)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - what is kept decides, this only shows it
            _log.failure("credential {id}: whether it needs authorization cannot be shown", id=self.credential.id)

    def _take(self) -> Deferred[int | None]:
        """The lock, or None. One that comes when nobody waits for it any more is freed."""
        gone = False

        def leave(_: object) -> None:
            nonlocal gone
            gone = True

        def came(handle: int | None) -> None:
            if not gone:
                waiting.callback(handle)
            elif handle is not None:
                free_state_lock(self.data, self.credential.id, handle)

        waiting: Deferred[int | None] = Deferred(leave)
        taking = self.store.run(try_state_lock, self.data, self.credential.id)
        taking.addCallbacks(came, lambda failure: None if gone else waiting.errback(failure))
        return waiting
