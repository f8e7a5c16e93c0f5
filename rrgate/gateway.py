"""`Gateway`: the composition root, which builds every part from settings, a reactor and plugins, and starts it.

Belongs here: what is made of what, and in which order it starts and stops. Does not: any behaviour of the parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.python.threadpool import ThreadPool

from rrgate.careful_log import CarefulLogger
from rrgate.compiling import Compiler
from rrgate.core.house import CoreHouse
from rrgate.core.site import core_site
from rrgate.directory import Directory, Noun
from rrgate.exchange import Exchange, Reply
from rrgate.journal import Journal
from rrgate.model import Credential
from rrgate.pages import gateway_pages, overload
from rrgate.pipeline import Pipeline
from rrgate.record_view import published
from rrgate.registry import Registry, load_registry
from rrgate.settings import Settings
from rrgate.store import AsyncStore, RequestLog, Store
from rrgate.store.secrets import Secrets, credential_row
from rrgate.waiting import run_deferred
from rrgate.wire.dialer import Dialer, Resolver
from rrgate.wire.guard import AddressGuard
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener
from rrgate.wire.listening import bound_host, host_of, listen_now, url_of
from rrgate.wire.pool import Pool

TOKEN_CHECK = 1.0
"""Seconds between two looks whether `rrgate token` has changed the tokens on disk."""


@frozen
class _Unsealer:
    """Opens the sealed secrets of credentials."""

    secrets: Secrets

    def unseal_credential(self, credential: Credential) -> bytes:
        return self.secrets.unseal(credential.client_id, credential_row(credential.id), credential.sealed_secret)


class Gateway(Service):
    """A whole gateway as a service of the host's application. Several may live in one process; nothing is global.

    `startService` opens the state and both listeners, and raises what keeps it from that: StoreError, PluginLoadError,
    CannotListenError. `stopService` drains: no new connections, requests in flight end within `drain_timeout`, the
    journal is flushed; its Deferred fires when all is closed.
    """

    name = "rrgate"

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        *,
        wall: Callable[[], float] = time.time,
        registry: Registry | None = None,
    ) -> None:
        """`reactor`: gives connections, threads and the clock. `wall`: seconds since the epoch, for stamps only.

        `registry`: the plugins, instead of those installed in this environment. Raises PluginLoadError.
        """
        self.settings = settings
        self.reactor = reactor
        self.wall = wall
        self.registry = load_registry() if registry is None else registry
        self.ports: list[IListeningPort] = []
        self.public_url = settings.public_url
        self.core_public_url = settings.core_public_url
        self._log = CarefulLogger("rrgate.gateway")
        self._ready = False

    def startService(self) -> None:
        """See the class."""
        settings, reactor = self.settings, self.reactor
        store = Store.open(settings.data)
        inventory = store.load()
        self.store = AsyncStore(store, reactor)
        self.request_log = RequestLog.open(
            settings.data, reactor, partial(published, retention_days=settings.log_retention_days)
        )
        self.journal = Journal(
            self.request_log,
            batch=settings.journal_batch,
            interval=settings.journal_interval,
            queue_limit=settings.journal_queue,
            retention_days=settings.log_retention_days,
            reactor=reactor,
        )
        compiler = Compiler(
            self.registry,
            _Unsealer(store.secrets),
            reactor,
            self.wall,
            prefix=settings.header_prefix,
            query_credentials=settings.query_credentials,
        )
        self.directory = Directory(compiler.build, settings.default_client)
        nouns: tuple[Noun, ...] = (
            *inventory.users,
            *inventory.tokens,
            *inventory.clients,
            *inventory.credentials,
            *inventory.targets,
            *inventory.proxies,
        )
        for noun in nouns:
            self.directory.put(noun)
        for member in inventory.members:
            self.directory.put_member(member.user_id, member.client_id, member.roles)
        self._resolver_threads = ThreadPool(0, settings.dns_threads, "rrgate-names")
        self._resolver_threads.start()
        resolver = Resolver(
            reactor,
            self._resolver_threads,
            timeout=settings.dns_timeout,
            keep=settings.dns_cache,
            keep_failure=settings.dns_failure_cache,
        )
        self.guard = AddressGuard((entry.network, entry.port) for entry in settings.allow_networks)
        dialer = Dialer(reactor, resolver, self.guard, timeout=settings.connect_timeout)
        self.pool = Pool(
            dialer, reactor, idle_timeout=settings.pool_idle_timeout, own_prefix=settings.header_prefix.encode()
        )
        self.pipeline = Pipeline(
            self.directory,
            self.pool,
            self.journal,
            reactor,
            self.wall,
            prefix=settings.header_prefix,
            regions=frozenset(settings.regions),
            held_bytes=settings.held_answers_bytes,
            pages=gateway_pages(lambda: self._ready),
            admit=self._admit,
        )
        hosts = HostNames(self._names(settings.listen))
        self.listener = CallerListener(self.pipeline.serve, settings, hosts, reactor, self.wall)
        try:
            self._listen()
        except BaseException:
            run_deferred(self._close_all())
            raise
        self._watch_tokens = LoopingCall(self._read_changed_tokens)
        self._watch_tokens.clock = reactor
        self._watch_tokens.start(TOKEN_CHECK, now=False)
        self._ready = True
        super().startService()  # type: ignore[no-untyped-call]
        self.registry.manager.hook.rrgate_started(gateway=self)

    def _listen(self) -> None:
        settings = self.settings
        port = listen_now(self.reactor, settings.listen, self.listener)
        self.ports.append(port)
        self.public_url = settings.public_url or url_of(port, settings.listen)
        house = CoreHouse(
            directory=self.directory,
            store=self.store,
            request_log=self.request_log,
            registry=self.registry,
            wall=self.wall,
            hosts=frozenset(self._names(settings.core_listen)),
            public_url=self.public_url,
            is_ready=lambda: self._ready,
        )
        core_port = listen_now(self.reactor, settings.core_listen, core_site(house, self.reactor))
        self.ports.append(core_port)
        self.core_public_url = settings.core_public_url or url_of(core_port, settings.core_listen)
        for each in self.ports:
            address: Any = each.getHost()
            if hasattr(address, "host"):
                self.guard.never_dial(address.host, address.port)

    def _names(self, endpoint: str) -> set[str]:
        """The names that the listener at `endpoint` serves: those configured, or else where it can be reached."""
        settings = self.settings
        if settings.hosts:
            return set(settings.hosts)
        urls = (settings.public_url, settings.core_public_url)
        return {"localhost", bound_host(endpoint), *(host_of(url) for url in urls)} - {""}

    def _admit(self, ex: Exchange) -> Reply | None:
        if not self._ready:
            return overload("The gateway is draining; it takes no new requests")
        if self.listener.in_flight > self.settings.max_in_flight:
            return overload("The gateway has as many requests under way as it takes")
        return None

    def _read_changed_tokens(self) -> Deferred[None]:
        return run_deferred(self._refresh_tokens())

    async def _refresh_tokens(self) -> None:
        try:
            if await self.store.tokens_changed():
                tokens = await self.store.load_tokens()
                self.directory.replace_tokens({token.token_hash: token for token in tokens})
        except Exception:  # noqa: BLE001 - whatever it is, the gateway runs on with what it knows
            self._log.failure("the tokens on disk could not be read; those in memory stay in force")

    def stopService(self) -> Deferred[None]:
        """See the class."""
        super().stopService()  # type: ignore[no-untyped-call]
        return run_deferred(self._drain())

    async def _drain(self) -> None:
        self._ready = False
        self._watch_tokens.stop()
        await defer.DeferredList([defer.maybeDeferred(port.stopListening) for port in self.ports], consumeErrors=True)
        self.registry.manager.hook.rrgate_stopping(gateway=self)
        self.listener.drain()
        await self.listener.idle(self.settings.drain_timeout)
        self.pool.close()
        await self._close_all()

    async def _close_all(self) -> None:
        await self.journal.close()
        await self.request_log.close()
        await self.store.close()
        self._resolver_threads.stop()
