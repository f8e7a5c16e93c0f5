"""`AsyncStore`: a Store on a thread of its own, for the gateway's process.

Belongs here: the same methods as Store, as Deferreds. Does not: any SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from rrgate.model import Token, User
from rrgate.model.notification import Notice, Notification
from rrgate.store.audit import AuditEntry, AuditPage
from rrgate.store.full_disk import is_full
from rrgate.store.inventory import Inventory, Noun
from rrgate.store.notifications import NotificationPage
from rrgate.store.secrets import Secrets
from rrgate.store.states import Revised
from rrgate.store.store import Store
from rrgate.store.thread import WorkThread

P = ParamSpec("P")
T = TypeVar("T")


Everywhere = Callable[[Sequence[Noun], Callable[[], Deferred[None]]], Deferred[None]]
"""Does a change of these nouns, and fires when it is in force in all processes of the node."""


class AsyncStore:
    """Called on the reactor's thread, where its Deferreds fire; changes are made in the order of the calls.

    Cancelling a Deferred does not undo the write, nor stop one that waits its turn: only nobody is told.
    """

    def __init__(self, store: Store, reactor: IReactorFromThreads) -> None:
        """`store` is used by nobody else from now on; it may have been loaded before, while nothing ran yet."""
        self._store = store
        self._folder = Path(store.file).parent
        self.everywhere: Everywhere | None = None
        self._thread = WorkThread(reactor, "rrgate-store")

    @classmethod
    def open(cls, data: Path, reactor: IReactorFromThreads) -> AsyncStore:
        """Open the state in `data`, blocking; raises what `Store.open` raises."""
        return cls(Store.open(data), reactor)

    @property
    def secrets(self) -> Secrets:
        """Seals and unseals in memory, on any thread."""
        return self._store.secrets

    def is_full(self, error: Exception) -> bool:
        """Whether what was not written failed because the disk is full."""
        return is_full(error, self._folder)

    def load(self) -> Deferred[Inventory]:
        """See `Store.load`."""
        return self._thread.call(self._store.load)

    def load_people(self) -> Deferred[tuple[tuple[User, ...], tuple[Token, ...]]]:
        """See `Store.load_people`."""
        return self._thread.call(self._store.load_people)

    def tokens_changed(self) -> Deferred[bool]:
        """See `Store.tokens_changed`; costs two changes of thread."""
        return self._thread.call(self._store.tokens_changed)

    def save(
        self, *nouns: Noun, gone: Iterable[Noun] = (), audit: Iterable[AuditEntry] = ()
    ) -> Deferred[None]:
        """See `Store.save`; fires when the change is durable, and in force in the node's other processes."""
        gone = tuple(gone)
        return self._change((*nouns, *gone), partial(self._store.save, *nouns, gone=gone, audit=audit))

    def delete(self, *nouns: Noun, audit: Iterable[AuditEntry] = ()) -> Deferred[None]:
        """See `Store.delete`; fires when the change is durable, and in force in the node's other processes."""
        return self._change(nouns, partial(self._store.delete, *nouns, audit=audit))

    def _change(self, nouns: Sequence[Noun], work: Callable[[], None]) -> Deferred[None]:
        if self.everywhere is None or not nouns:
            return self._thread.call(work)
        return self.everywhere(nouns, lambda: self._thread.call(work))

    def audit(self, **wanted: Any) -> Deferred[AuditPage]:
        """See `Store.audit`."""
        return self._thread.call(self._store.audit, **wanted)

    def notify(self, notices: Sequence[Notice], now: int) -> Deferred[None]:
        """See `Store.notify`."""
        return self._thread.call(self._store.notify, notices, now)

    def notifications(self, **wanted: Any) -> Deferred[NotificationPage]:
        """See `Store.notifications`."""
        return self._thread.call(self._store.notifications, **wanted)

    def notification(self, **wanted: Any) -> Deferred[Notification | None]:
        """See `Store.notification`."""
        return self._thread.call(self._store.notification, **wanted)

    def mark_read(self, id: str, reader: str) -> Deferred[None]:
        """See `Store.mark_read`."""
        return self._thread.call(self._store.mark_read, id, reader)

    def read_state(self, credential_id: str, secret_version: int) -> Deferred[Revised | None]:
        """See `Store.read_state`."""
        return self._thread.call(self._store.read_state, credential_id, secret_version)

    def write_state(
        self, credential_id: str, secret_version: int, sealed: bytes, revision: int
    ) -> Deferred[int | None]:
        """See `Store.write_state`; fires when it is durable."""
        return self._thread.call(self._store.write_state, credential_id, secret_version, sealed, revision)

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run other work on the state's files in its turn, such as taking a lock; it must not wait for anybody."""
        return self._thread.call(work, *args, **kwargs)

    def close(self) -> Deferred[None]:
        """Finish what was begun, close the file, end the thread. May be called again."""
        return self._thread.close(self._store.close)
