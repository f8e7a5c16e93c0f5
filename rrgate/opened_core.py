"""`open_house`: what the Core API of a gateway works with, out of the gateway's parts and settings.

Belongs here: which part is what in `CoreHouse`. Does not: the routes (core/), the listener (gateway.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from twisted.internet.interfaces import IReactorTime

from rrgate.authorizing import Authorizations
from rrgate.boot import BootHooks
from rrgate.compiling import Compiler
from rrgate.core.house import CoreHouse
from rrgate.core.user_limit import UserLimit
from rrgate.deliveries import Deliveries
from rrgate.directory import Directory
from rrgate.explaining import Explainer
from rrgate.notifier import Notifier
from rrgate.opened_state import OpenedState
from rrgate.registry import Registry
from rrgate.settings import Settings
from rrgate.trial import Trials
from rrgate.wire.callers import TrustedProxies, announced_host, peer_host
from rrgate.wire.listening import speaks_proxy


def open_house(
    settings: Settings,
    registry: Registry,
    clock: IReactorTime,
    wall: Callable[[], float],
    boot: BootHooks,
    *,
    state: OpenedState,
    directory: Directory,
    compiler: Compiler,
    trials: Trials,
    notifier: Notifier,
    deliveries: Deliveries,
    metrics: Callable[[], Awaitable[bytes]],
    public_url: str,
    hosts: Collection[str],
    is_ready: Callable[[], bool],
) -> CoreHouse:
    """`public_url`: where callers reach the gateway. `hosts`: names under which the Core API is served."""
    trusted = TrustedProxies(settings.trusted_proxies)
    return CoreHouse(
        directory=directory,
        store=state.store,
        request_log=state.request_log,
        registry=registry,
        proxy_plugins=compiler.proxy_plugins,
        trials=trials,
        authorizing=Authorizations(compiler, boot.tell),
        explaining=Explainer(
            directory,
            clock,
            wall,
            prefix=settings.header_prefix,
            regions=frozenset(settings.regions),
            tell=boot.tell,
        ),
        core_public_url=settings.core_public_url,
        wall=wall,
        hosts=frozenset(hosts),
        public_url=public_url,
        is_ready=is_ready,
        metrics=metrics,
        allow_anonymous=settings.allow_anonymous_proxies,
        open_clients=settings.open_clients,
        log_retention_days=settings.log_retention_days,
        resources_per_client=settings.resources_per_client,
        peer_of=partial(announced_host, trusted=trusted) if speaks_proxy(settings.core_listen) else peer_host,
        address_of=trusted.told_of,
        counters=state.counters,
        notifier=notifier,
        deliveries=deliveries,
        user_limit=UserLimit(state.counters, settings.core_requests_per_minute),
    )
