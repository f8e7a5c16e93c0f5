"""`CoreHouse`: everything that the Core API works with, passed in; nothing in core/ finds anything by itself.

Belongs here: the parts, and writing through them. Does not: their interfaces (core/needs.py), any route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen
from twisted.internet.defer import DeferredLock

from rrgate.api import CountsRequests
from rrgate.core.attempts import Attempts
from rrgate.core.needs import Authorizing, Explaining, Installed, Keeping, Listing, Notifying, Nouns, ReadingLog, Trying
from rrgate.core.under_way import UnderWay
from rrgate.core.user_limit import UserLimit
from rrgate.counting_values import NothingCounted
from rrgate.deliveries import Deliveries
from rrgate.directory import Noun
from rrgate.model.notification import Notice
from rrgate.notice_texts import of_change
from rrgate.store import AuditEntry

T = TypeVar("T")


def _host_names(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(host.lower().strip("[]").rstrip(".") for host in hosts)


def _own_peer(transport: Any) -> str:
    return str(getattr(transport.getPeer(), "host", "unix"))


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@frozen(kw_only=True, eq=False)
class CoreHouse:
    """What the Core API of one gateway works with.

    `wall`: seconds since the epoch. `hosts`: the names that a `Host` header may have, without ports; others answer
    421. `public_url`: where callers reach the gateway, without a trailing `/`. `is_ready`: what /readyz answers.
    `metrics`: the text of /metrics.
    `core_public_url`: where browsers reach this API, as the operator has set it; `""` if he has not.
    `open_clients`: whether every user may create clients, not only operators. `allow_anonymous`: whether credentials
    may let in callers who show nothing. `log_retention_days`: how long the request log is kept, unless a client wants
    less. `resources_per_client`: how many one may have. `peer_of`: whence a connection comes, by its transport.
    `address_of`: whence a request comes, by that and all values of `X-Forwarded-For`. `counters`, `user_limit`: what
    plugins count in, and how much users may ask.
    """

    directory: Nouns
    store: Keeping
    request_log: ReadingLog
    registry: Installed
    proxy_plugins: Listing
    trials: Trying
    authorizing: Authorizing
    explaining: Explaining
    deliveries: Deliveries
    notifier: Notifying
    wall: Callable[[], float]
    hosts: frozenset[str] = field(converter=_host_names)
    public_url: str = field(converter=_without_slash)
    is_ready: Callable[[], bool]
    metrics: Callable[[], Awaitable[bytes]]
    core_public_url: str = field(default="", converter=_without_slash)
    open_clients: bool = False
    allow_anonymous: bool = False
    log_retention_days: int = 90
    resources_per_client: int = 500_000
    peer_of: Callable[[Any], str] = field(default=_own_peer, repr=False)
    address_of: Callable[[str, list[bytes]], str] = field(default=lambda peer, forwarded: peer, repr=False)
    counters: CountsRequests = field(factory=NothingCounted, repr=False)
    user_limit: UserLimit = field(factory=lambda: UserLimit(NothingCounted(), 0), repr=False)
    under_way: UnderWay = field(init=False, repr=False)
    attempts: Attempts = field(init=False, repr=False)
    writing: DeferredLock = field(init=False, factory=DeferredLock)
    """Held from a change's first check to its last effect, so that checks and saves of two changes do not mix."""

    @under_way.default
    def _new_under_way(self) -> UnderWay:
        return UnderWay(self.wall)

    @attempts.default
    def _new_attempts(self) -> Attempts:
        return Attempts(self.wall)

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.wall() * 1000)

    async def save(self, *nouns: Noun, gone: Sequence[Noun] = (), audit: Iterable[AuditEntry]) -> None:
        """Keep `nouns`, remove what is `gone`, and keep the entries that tell of it, then put it into force; handlers
        call `Call.save`.

        Raises what the store raises; then nothing has changed.
        """
        entries = list(audit)
        notices = self._notices(entries)
        await self.store.save(*nouns, gone=gone, audit=entries)
        for noun in nouns:
            self.directory.put(noun)
        for noun in gone:
            self.directory.drop(noun)
        self.notifier.tell(notices)

    async def delete(self, *nouns: Noun, audit: Iterable[AuditEntry]) -> None:
        """The same for removing them, in this order. A client's members go with it."""
        entries = list(audit)
        notices = self._notices(entries)
        await self.store.delete(*nouns, audit=entries)
        for noun in nouns:
            self.directory.drop(noun)
        self.notifier.tell(notices)

    def _notices(self, entries: Iterable[AuditEntry]) -> list[Notice]:
        """Whom to tell of a change, once it is made, as all stands before."""
        return [notice for entry in entries for notice in of_change(entry, self.directory)]


def host_of(url: str) -> str:
    """The host of a URL, as `CoreHouse.hosts` wants it; `""` if there is none."""
    return (urlsplit(url).hostname or "").rstrip(".")
