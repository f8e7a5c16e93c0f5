"""`open_compiler`: what makes plugin objects of nouns, with all that plugins are given: state, calls, work, counters.

Belongs here: making it from the settings, and what must be closed after it. Does not: compiling (compiling.py), who
uses it (gateway.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from rrgate.background import BACKGROUND_SECONDS, Background
from rrgate.boot import BootHooks
from rrgate.compiling import Compiler
from rrgate.credential_state import CredentialState
from rrgate.metrics.outside_calls import CountedCalls, Outcomes
from rrgate.model import Credential
from rrgate.opened_state import OpenedState
from rrgate.outside import Outside
from rrgate.patience import Patience
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.registry import Registry
from rrgate.settings import Settings
from rrgate.shared import Shared
from rrgate.store.unsealing import Unsealer
from rrgate.waiting import run_deferred


def open_compiler(
    settings: Settings,
    registry: Registry,
    reactor: Any,
    wall: Callable[[], float],
    boot: BootHooks,
    *,
    state: OpenedState,
    outside: Outside,
    outcomes: Outcomes,
    show_authorization: Callable[[Credential, bool], Awaitable[None]],
    closed_by: Callable[[Callable[[], Any]], None],
) -> Compiler:
    """`outcomes`: where plugins' calls are counted. `show_authorization`: shows whether a credential needs one.

    `closed_by` is given what ends plugins' background work, and then closes what they share. Raises SettingsError for
    `tenant_plugins` that are not installed.
    """
    proxy_plugins = ProxyPlugins(registry, settings.tenant_plugins)
    shared = Shared()
    closed_by(shared.close)
    background = Background(boot.tell)
    wait = min(settings.drain_timeout, BACKGROUND_SECONDS)
    closed_by(lambda: run_deferred(background.close(reactor, wait)))
    return Compiler(
        registry,
        Unsealer(state.secrets),
        reactor,
        wall,
        prefix=settings.header_prefix,
        query_credentials=settings.query_credentials,
        allow_anonymous=settings.allow_anonymous_proxies,
        proxy_plugins=proxy_plugins,
        http=lambda client_id, plugin: CountedCalls(outside.for_tenant(client_id), plugin, outcomes),
        state=partial(CredentialState, state.store, settings.data, reactor, show_authorization),
        background=background.start,
        tell=boot.tell,
        patience=Patience(reactor, settings.plugin_timeout),
        shared=shared,
        counters=state.counters,
    )
