"""What the Core API needs of the rest of the gateway: one interface for each part that it is given.

Belongs here: these interfaces. Does not: the parts together (core/house.py), any route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from rrgate.api import AuthorizationRequest, Plugin
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
from rrgate.model.belonging import Belonging, Census
from rrgate.model.notification import Notice, Notification, Receiver
from rrgate.proxy_plugins import Configured
from rrgate.store import AuditEntry, AuditPage
from rrgate.store.ended import Ended
from rrgate.store.inventory import Noun as StoredNoun
from rrgate.store.log_rows import RequestPage
from rrgate.store.notifications import NotificationPage
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
    census: Census

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
    def is_full(self, error: Exception) -> bool: ...
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
        to_write: bool,
    ) -> Deferred[T]: ...
    def detail(
        self, proxy_id: str, request_id: str, *, bodies: bool = False
    ) -> Deferred[dict[str, Any] | None]: ...
    def telemetry(
        self, scope: str, interval: int, first: int, last: int, limit: int, shown: Callable[[Sequence[Span]], T]
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


class Listing(Protocol):
    """What core/ needs of rrgate.proxy_plugins.ProxyPlugins."""

    @property
    def all(self) -> Collection[type[Plugin]]: ...
    @property
    def installed(self) -> Mapping[str, type[Plugin]]: ...
    def configured(self, name: str, configuration: Mapping[str, Any], path: str) -> Configured: ...


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
