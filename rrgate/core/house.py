"""`CoreHouse`: everything that the Core API works with, passed in; nothing in core/ finds anything by itself.

Belongs here: the interfaces that core/ needs, and writing through them. Does not: any route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen
from twisted.internet.defer import Deferred, DeferredLock

from rrgate.api import AuthorizationRequest, CountsRequests, Plugin
from rrgate.core.attempts import Attempts
from rrgate.core.under_way import UnderWay
from rrgate.core.user_limit import UserLimit
from rrgate.counting_values import NothingCounted
from rrgate.deliveries import Deliveries
from rrgate.directory import Noun
from rrgate.explanation import Described, Explanation
from rrgate.joining import Joining
from rrgate.model import (
    Client,
    Credential,
    Filter,
    Invite,
    Meter,
    Parts,
    Proxy,
    Rule,
    RuleScope,
    Side,
    Target,
    Token,
    User,
)
from rrgate.model.belonging import Belonging
from rrgate.model.notification import Notice, Notification, Receiver
from rrgate.notice_texts import of_change
from rrgate.store import AuditEntry, AuditPage
from rrgate.store.ended import Ended
from rrgate.store.inventory import Noun as StoredNoun
from rrgate.store.notifications import NotificationPage
from rrgate.store.request_log import RequestPage
from rrgate.store.telemetry import Span
from rrgate.trial import Trial

T = TypeVar("T")


class Nouns(Protocol):
    """What core/ needs of rrgate.directory.Directory."""

    users: dict[str, User]
    members: dict[tuple[str, str], tuple[str, ...]]
    token_by_hash: dict[bytes, Token]
    invites: dict[str, Invite]
    clients: dict[str, Client]
    credentials: Belonging[Credential]
    targets: Belonging[Target]
    proxies: Belonging[Proxy]
    rules: Belonging[Rule]
    filters: Belonging[Filter]
    meters: Belonging[Meter]

    def put(self, noun: Noun) -> None: ...
    def drop(self, noun: Noun) -> None: ...
    def members_of(self, client_id: str) -> Mapping[str, tuple[str, ...]]: ...
    def with_alias(self, client_id: str, alias: str) -> str | None: ...
    def passing(self) -> list[Credential]: ...
    def proxies_using(self, part_id: str) -> list[Proxy]: ...
    def rules_of(self, parent_id: str) -> list[Rule]: ...
    def filters_of(self, parent_id: str) -> list[Filter]: ...
    def meters_of(self, proxy_id: str) -> list[Meter]: ...
    def belonging_to(self, parent_id: str) -> list[Rule | Filter | Meter]: ...
    def rule_scope(self, parent: Credential | Target | Proxy) -> RuleScope: ...
    def parts(self, proxy: Proxy) -> Parts | None: ...
    def joining(self, instead: Target | None = None) -> Joining: ...


class Sealing(Protocol):
    """What core/ needs of rrgate.store.secrets.Secrets. It shows nothing of what is sealed."""

    def seal(self, client_id: str, row: str, plaintext: bytes) -> bytes: ...
    def reseal(self, client_id: str, row: str, sealed: bytes, new_row: str) -> bytes: ...
    def holds(self, client_id: str, row: str, sealed: bytes, plaintext: bytes) -> bool: ...
    def fingerprint(self, row_id: str, plaintext: bytes) -> str: ...
    def token_hash(self, token: str) -> bytes: ...


class Keeping(Protocol):
    """What core/ needs of rrgate.store.AsyncStore."""

    @property
    def secrets(self) -> Sealing: ...
    def save(
        self, *nouns: StoredNoun, gone: Iterable[StoredNoun] = ..., audit: Iterable[AuditEntry]
    ) -> Deferred[None]: ...
    def delete(self, *nouns: StoredNoun, audit: Iterable[AuditEntry]) -> Deferred[None]: ...
    def audit(
        self,
        *,
        client_id: str | None,
        noun_id: str | None = ...,
        kinds: Collection[str] | None = ...,
        revision: int | None = ...,
        revisions: bool = ...,
        after: int | None = ...,
        before: int | None = ...,
        limit: int,
        cursor: str | None = ...,
    ) -> Deferred[AuditPage]: ...


    def notifications(
        self, *, type: Receiver, receiver_id: str, reader: str, limit: int, cursor: str | None
    ) -> Deferred[NotificationPage]: ...
    def notification(
        self, *, id: str, type: Receiver, receiver_id: str, reader: str
    ) -> Deferred[Notification | None]: ...
    def mark_read(self, id: str, reader: str) -> Deferred[None]: ...


class Notifying(Protocol):
    """What core/ needs of rrgate.notifier.Notifier."""

    def tell(self, notices: Iterable[Notice]) -> None: ...
    def tidy(self) -> None: ...


class ReadingLog(Protocol):
    """What core/ needs of rrgate.store.RequestLog."""

    def list(
        self,
        proxy_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 1000,
        cursor: str | None = None,
        status: int | None = None,
        method: str | None = None,
        ended: Ended | None = None,
        shown: Callable[[RequestPage], T],
    ) -> Deferred[T]: ...
    def detail(
        self, proxy_id: str, request_id: str, *, bodies: bool = False
    ) -> Deferred[dict[str, Any] | None]: ...
    def telemetry(
        self, scope: str, interval: int, first: int, last: int, limit: int, shown: Callable[[Iterable[Span]], T]
    ) -> Deferred[T]: ...


class Installed(Protocol):
    """What core/ needs of rrgate.registry.Registry."""

    @property
    def plugins(self) -> Collection[type[Plugin]]: ...
    @property
    def served_settings(self) -> frozenset[str]: ...
    def auth_type(self, name: str, side: Side) -> type[Plugin] | None: ...
    def is_anonymous(self, credential: Credential) -> bool: ...
    def auth_type_names(self, side: Side) -> list[str]: ...
    @property
    def auth_types(self) -> Collection[type[Plugin]]: ...
    def brought_by(self, plugin: type[Plugin]) -> tuple[str | None, str | None]: ...


class Trying(Protocol):
    """What core/ needs of rrgate.trial.Trials."""

    def start(
        self,
        client: Client,
        target: Target,
        credential: Credential | None,
        path: str,
        beforehand: Callable[[], Awaitable[object]],
    ) -> Deferred[Trial]: ...


class Explaining(Protocol):
    """What core/ needs of rrgate.explaining.Explainer."""

    async def explain(self, proxy: Proxy, described: Described) -> Explanation: ...


class Authorizing(Protocol):
    """What core/ needs of rrgate.authorizing.Authorizations."""

    def asks(self, credential: Credential) -> bool: ...
    def begin(self, credential: Credential, redirect_uri: str, state: str) -> AuthorizationRequest: ...
    async def finish(
        self, credential: Credential, redirect_uri: str, parameters: Mapping[str, str], kept: str
    ) -> None: ...


def _host_names(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(host.lower().strip("[]").rstrip(".") for host in hosts)


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
    may let in callers who show nothing. `log_retention_days`: how long the request log is
    kept, unless a client wants less. `address_of`: whence a request comes, by its peer and all values of
    `X-Forwarded-For`. `counters`, `user_limit`: what plugins count in, and how much users may ask.
    """

    directory: Nouns
    store: Keeping
    request_log: ReadingLog
    registry: Installed
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
