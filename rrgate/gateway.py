"""`Gateway`: the composition root, which builds every part from settings, a reactor and plugins, and starts it.

Belongs here: what is made of what, and in which order it starts and stops. Does not: any behaviour of the parts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from attrs import evolve
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.iweb import IAgent

from rrgate.agent import Api, GatewayAgent
from rrgate.api import Identity
from rrgate.boot import BootHooks
from rrgate.core.authorization import show_authorization
from rrgate.core.pages import is_ours, page_routes
from rrgate.core.site import core_site
from rrgate.core.upkeep import Upkeep
from rrgate.directory import Directory
from rrgate.entrance import Entrance
from rrgate.gateway_metrics import gateway_metrics
from rrgate.metrics.listener import metrics_site
from rrgate.metrics.outside_calls import Outcomes
from rrgate.model import Client, Credential
from rrgate.node import Alone, Node
from rrgate.notifier import Notifier
from rrgate.open_files import room_for_callers
from rrgate.opened_core import open_house
from rrgate.opened_delivery import open_delivery
from rrgate.opened_plugins import open_compiler
from rrgate.opened_state import open_state
from rrgate.pages import gateway_pages
from rrgate.pipeline import Pipeline
from rrgate.places import Places
from rrgate.registry import Registry, load_registry
from rrgate.settings import Settings
from rrgate.token_watch import TokenWatch
from rrgate.trial import Trials
from rrgate.waiting import run_deferred
from rrgate.watchdog import Watchdog
from rrgate.way_out import open_way_out
from rrgate.wire.guard import Opened
from rrgate.wire.hosts import HostNames
from rrgate.wire.listener import CallerListener
from rrgate.wire.listening import listen_now, names_served, url_of


class Gateway(Service):
    """A whole gateway as a service of the host's application. Several may live in one process; nothing is global.

    `startService` opens the state and the listeners, and raises what keeps it from that: StoreError, SettingsError,
    PluginLoadError, CannotListenError. `stopService` drains: no new requests, those in flight end within
    `drain_timeout`, the journal is flushed; its Deferred fires when all is closed. Then it may be started again,
    before that RuntimeError is raised. Cancelling that Deferred breaks off what is in flight; closing goes on, and
    `stopService` once more waits for it.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        *,
        wall: Callable[[], float] = time.time,
        registry: Registry | None = None,
        node: Node | None = None,
    ) -> None:
        """`reactor`: gives connections, threads and the clock. `wall`: seconds since the epoch, for stamps only.
        `registry`: the plugins, instead of those that are installed, which may raise PluginLoadError. `node`: what it
        is one process of; None: of nothing."""
        self.settings = settings
        self.reactor = reactor
        self.wall = wall
        self.registry = load_registry() if registry is None else registry
        self.node: Node = Alone(reactor) if node is None else node
        self.ports: list[IListeningPort] = []
        self.public_url = settings.public_url
        self.core_public_url = settings.core_public_url
        self.entrance = Entrance(settings, HostNames(names_served(settings, settings.listen)), reactor, wall)
        """Where requests come in without a connection of ours: through a GatewayResource, or an agent."""
        self.boot = BootHooks(self.registry, self, reactor)
        self._outcomes: Outcomes = Counter()
        self._ready = False
        self._clients: dict[str, Client] = {}
        self._opened: list[Callable[[], Any]] = []
        self._closing: Deferred[None] = defer.succeed(None)

    def agent(self, proxy: str | tuple[str, str], *, identity: Identity | None = None, api: Api = "api") -> IAgent:
        """What code of this process calls `proxy` with: through the chain, without a socket. See rrgate.agent."""
        return GatewayAgent(self.entrance, proxy, identity, api)

    def startService(self) -> None:
        """See the class."""
        if self.entrance.running:  # what is opened now would be closed by the end of what was opened before
            raise RuntimeError(f"this gateway {'runs already' if self.running else 'has not stopped yet'}")
        self.ports.clear()
        try:
            self._open()
            self._listen()
        except BaseException:
            self._closing = run_deferred(self._close_all())
            raise
        self.entrance.open(self.pipeline.serve, self.directory.clients)
        self.delivery.worker.start()
        self._watch_tokens = TokenWatch(self.store, self.directory, self.reactor, self.boot.tell)
        self._watch_tokens.start()
        self._upkeep = Upkeep(self._house, self.reactor, self.node.leads)
        self._upkeep.start()
        if self.settings.block_warning:
            watchdog = Watchdog(self.reactor, self.settings.block_warning, self.boot.tell)
            watchdog.start()
            self._opened.append(watchdog.stop)
        self._ready = True
        super().startService()  # type: ignore[no-untyped-call]
        self.boot.started()

    def _open(self) -> None:
        settings, reactor = self.settings, self.reactor
        state = self._state = open_state(settings, reactor, self.wall, self.boot, self._opened.append, self._client)
        self.store, self.request_log, self.journal = state.store, state.request_log, state.journal
        out = open_way_out(settings, reactor, self._opened_for, self._opened.append, self.boot.tell)
        self.guard, self.pool = out.guard, out.pool
        compiler = self._compiler = open_compiler(
            settings,
            self.registry,
            reactor,
            self.wall,
            self.boot,
            state=state,
            outside=out.outside,
            outcomes=self._outcomes,
            show_authorization=self.show_authorization,
            closed_by=self._opened.append,
        )
        self.directory = Directory(
            compiler.build, settings.default_client, forget=compiler.forget, anonymous=self.registry.is_anonymous
        )
        self._clients = self.directory.clients
        self.directory.put_unread(state.inventory.credentials, state.inventory.rules)
        for noun in state.inventory.read.everything():
            self.directory.put(noun)
        self._notifier = Notifier(self.store, self.directory, self.wall, reactor)
        self._opened.append(self._notifier.close)
        self.boot.notify = self._notifier.event
        regions = frozenset(settings.regions)
        self._trials = Trials(compiler, out.trial_pool, reactor, self.wall, self.boot.tell, regions)
        self._opened.append(self._trials.close)
        self._pages = self.boot.pages(is_ours)
        self.delivery = open_delivery(
            settings,
            reactor,
            self.wall,
            self.boot,
            state=state,
            directory=self.directory,
            node=self.node,
            upstream=self.pool,
            outside=out.outside.for_tenant,
            public_url=lambda: self.public_url,
            closed_by=self._opened.append,
        )
        places = Places(
            settings, lambda: self.listener.in_flight + self.entrance.in_flight, lambda: self._ready, self.boot.tell
        )
        self.pipeline = Pipeline(
            self.directory,
            self.pool,
            self.journal,
            reactor,
            self.wall,
            prefix=settings.header_prefix,
            regions=regions,
            held_bytes=settings.held_answers_bytes,
            pages=gateway_pages(lambda: self._ready, self._pages, self.boot.answer),
            places=places,
            tell=self.boot.tell,
            delivery=self.delivery.acceptance,
        )
        hosts, refused = self.entrance.hosts, places.connection_refused
        room = partial(room_for_callers, settings)
        self.listener = CallerListener(self.pipeline.serve, settings, hosts, reactor, self.wall, room, refused)
        self.metrics = gateway_metrics(
            self._outcomes,
            self.boot.events,
            is_ready=lambda: self._ready,
            listener=self.listener,
            entrance=self.entrance,
            pool=self.pool,
            journal=self.journal,
            delivery=self.delivery,
            refused=places.refused,
        )

    def _client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def _listen(self) -> None:
        settings = self.settings
        if settings.listen:
            port = self._opened_port(settings.listen, self.listener)
            self.public_url = settings.public_url or url_of(port, settings.listen)
            # Nobody is served yet; where something else has bound the socket, its address is known only now.
            self.listener.hosts = self.entrance.hosts = HostNames(names_served(settings, settings.listen, port))
        self._house = open_house(
            settings,
            self.registry,
            self.reactor,
            self.wall,
            self.boot,
            state=self._state,
            directory=self.directory,
            compiler=self._compiler,
            trials=self._trials,
            notifier=self._notifier,
            deliveries=self.delivery.managing,
            metrics=self._figures,
            public_url=self.public_url,
            hosts=names_served(settings, settings.core_listen),
            is_ready=lambda: self._ready,
        )
        if core := settings.core_listen:
            site = core_site(self._house, self.reactor, page_routes(self._pages, self.boot.answer))
            core_port = self._opened_port(core, site)
            self.core_public_url = settings.core_public_url or url_of(core_port, core)
            self._house = site.house = evolve(self._house, hosts=names_served(settings, core, core_port))
        if settings.metrics_listen:
            self._opened_port(settings.metrics_listen, metrics_site(self._figures, self.reactor))

    def _opened_port(self, endpoint: str, factory: Any) -> IListeningPort:
        port = self.node.listen(endpoint, factory, listen_now)
        self.ports.append(port)
        self._opened.append(port.stopListening)
        address: Any = port.getHost()
        if hasattr(address, "host"):
            self.guard.never_dial(address.host, address.port)
        return port

    def _opened_for(self, client_id: str) -> tuple[Opened, ...]:
        return self.directory.opened_for(client_id)

    def _figures(self) -> Awaitable[bytes]:
        return self.node.figures(self.metrics.text)

    async def show_authorization(self, credential: Credential, needed: bool) -> None:
        """Have it shown whether `credential` needs somebody's authorization. Raises what the store raises."""
        if self.node.leads():
            await show_authorization(self._house, credential, needed)
        else:
            self.node.ask_leader(credential.id, credential.secret_version, needed)

    def stopService(self) -> Deferred[None]:
        """See the class."""
        if not self.running:
            # It did not start, or is stopping, and closes what it had opened: a host stops all its children.
            closing, self._closing = self._closing, defer.succeed(None)
            return closing
        super().stopService()  # type: ignore[no-untyped-call]
        # Not the draining itself is cancelled, which would leave open what is not closed yet.
        stopped: Deferred[None] = Deferred(lambda _: self._break_off())
        closing = self._closing = Deferred()

        def ended(result: Any) -> Any:
            closing.callback(None)
            return result if stopped.called else stopped.callback(result)  # called: whoever cancelled it was told

        run_deferred(self._drain()).addBoth(ended)
        return stopped

    def _break_off(self) -> None:
        for connection in tuple(self.listener.connections):
            connection.close_for_good()
        self.entrance.break_off()
        self.delivery.worker.break_off()

    async def _drain(self) -> None:
        self._ready = False
        self._watch_tokens.stop()
        self._upkeep.stop()
        await defer.DeferredList([defer.maybeDeferred(port.stopListening) for port in self.ports], consumeErrors=True)
        self.boot.stopping()
        self.listener.drain()
        parts = (self.listener.idle, self.entrance.idle, self.delivery.worker.stop)
        await defer.gatherResults([run_deferred(end(self.settings.drain_timeout)) for end in parts])
        self.entrance.close()
        self.pool.close()
        await self._close_all()

    async def _close_all(self) -> None:
        """What was opened last is closed first."""
        opened, self._opened = self._opened, []
        while opened:
            await defer.maybeDeferred(opened.pop())
