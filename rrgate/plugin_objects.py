"""`PluginObjects`: makes plugin objects, each with its context, and keeps those of credentials.

Belongs here: which object works for a credential's secret or for what a proxy lists, and what it is given. Does not:
their places in a chain (compiling.py), what a context is (plugin_context.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

from attrs import evolve

from rrgate.api import CallsOutside, ConfigError, Consumes, KeepsState, Plugin, PluginContext, Problem
from rrgate.blaming import named
from rrgate.configuring import configure
from rrgate.json_text import read_json
from rrgate.model import Credential, Proxy, Target
from rrgate.model.hosts import address_of, allows
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.registry import Registry


class UnsealsConfigurations(Protocol):
    """Whoever can open the sealed secrets of credentials, and those of the plugins that proxies list."""

    def unseal_credential(self, credential: Credential) -> bytes:
        """The secret as JSON bytes. Raises what says that it cannot be opened."""

    def unseal_previous(self, credential: Credential) -> bytes:
        """The same for the secret of a `Credential.before`."""

    def unseal_plugin(self, proxy: Proxy, name: str) -> bytes:
        """The same for the whole configuration of the plugin that `proxy` lists by `name`."""


class PluginObjects:
    """What a credential owns outlives a Route: its plugin object is kept by its id, the version of its secret, and
    whether it may be shown in the query."""

    def __init__(
        self,
        registry: Registry,
        proxy_plugins: ProxyPlugins,
        unsealer: UnsealsConfigurations,
        context: PluginContext,
        *,
        http: Callable[[str, str], CallsOutside],
        state: Callable[[Credential], KeepsState],
        background: Callable[[str, Coroutine[Any, Any, None]], None],
    ) -> None:
        """`context`: what all have in common. `http`: the way outside for a client's plugin of some name. `state`: what
        is kept of a credential. `background`: runs what a plugin, by its name, does ahead of need.
        """
        self._registry = registry
        self._proxy_plugins = proxy_plugins
        self._unsealer = unsealer
        self._context = context
        self._http = http
        self._state = state
        self._background = background
        self._by_config: WeakValueDictionary[tuple[type[Plugin], str, Any], Plugin] = WeakValueDictionary()
        """While a Route has them: by class, client and configuration."""
        self.kept: dict[str, dict[tuple[int, bool], Plugin]] = {}
        """By the credential's id, the version of its secret, and whether that may be shown in the query."""

    def of_proxy(self, plugin_class: type[Plugin], config: Any, proxy: Proxy) -> Plugin:
        """An object that works on `proxy`, and on others if its class says that it may. Raises what the plugin
        raises."""
        if not plugin_class.by_config:
            return self._on(plugin_class, config, proxy, proxy)
        key = (plugin_class, proxy.client_id, config)
        plugin = self._by_config.get(key)
        if plugin is None:
            plugin = self._by_config[key] = self._on(plugin_class, config, proxy, None)
        return plugin

    def listed(self, proxy: Proxy, target: Target) -> list[Plugin]:
        """Those that `proxy`, which leads to `target`, lists, in their order.

        Raises ConfigError, whose text names who and what, and holds no value.
        """
        host = proxy.plugins_host
        has_secrets = any(each.fingerprint is not None for each in proxy.plugins)
        if has_secrets and (host is None or not allows((host,), address_of(target.base_url))):
            raise ConfigError(Problem("proxyPlugins", "have secrets that were given for another host: give them again"))
        plugins = []
        for place, each in enumerate(proxy.plugins):
            configuration = each.configuration
            if each.fingerprint is not None:
                with named("proxyPlugins", f"the configuration of {each.name!r} cannot be unsealed"):
                    configuration = read_json(self._unsealer.unseal_plugin(proxy, each.name))
            with named("proxyPlugins", f"plugin {each.name!r} cannot work on proxy {proxy.id}"):
                known = self._proxy_plugins.configured(each.name, configuration, f"proxyPlugins.{place}")
                plugins.append(self.of_proxy(known.plugin, known.config, proxy))
        return plugins

    def _on(self, plugin_class: type[Plugin], config: Any, proxy: Proxy, told: Proxy | None) -> Plugin:
        context = evolve(
            self._context,
            proxy=told,
            http=self._http(proxy.client_id, plugin_class.name),
            background=partial(self._background, plugin_class.name),
        )
        return _made(plugin_class, config, context)

    def of_credential(self, credential: Credential, before: Credential | None = None) -> Plugin:
        """The object of `credential`, or of what it was `before`, kept for as long as that version is in use.

        Raises ConfigError, whose text names who and what, and holds no value.
        """
        in_force = (credential.secret_version, credential.previous_secret_version)
        known = self.kept.get(credential.id, {})
        in_query = credential.in_query
        known = {key: plugin for key, plugin in known.items() if key[0] in in_force and key[1] is in_query}
        self.kept[credential.id] = known
        unseal = self._unsealer.unseal_credential
        if before is not None:
            credential, unseal = before, self._unsealer.unseal_previous
        key = (credential.secret_version, in_query)
        plugin = known.get(key)
        if plugin is None:
            plugin = known[key] = self._new(credential, unseal)
        return plugin

    def forget(self, credential_id: str) -> None:
        """This credential is no more: neither are its objects, once the requests that have it are done."""
        self.kept.pop(credential_id, None)

    def _new(self, credential: Credential, unseal: Callable[[Credential], bytes]) -> Plugin:
        plugin_class = self._registry.auth_type(credential.auth_type, credential.side)
        if plugin_class is None:
            gone = f"no installed plugin serves {credential.auth_type!r} any more"
            raise ConfigError(Problem("credentialAuthType", gone))
        with named("credentialSecret", f"credential {credential.id} cannot be unsealed"):
            secret = read_json(unseal(credential))
        context = evolve(
            self._context,
            query_credentials=self._context.query_credentials and credential.in_query,
            credential=credential,
            http=self._http(credential.client_id, plugin_class.name),
            state=self._state(credential),
            background=partial(self._background, plugin_class.name),
        )
        with named("credentialSecret", f"plugin {plugin_class.name!r} cannot work with credential {credential.id}"):
            return _made(plugin_class, configure(plugin_class.Config, secret, "credentialSecret"), context)


def _made(plugin_class: type[Plugin], config: Any, context: PluginContext) -> Plugin:
    """Raises ConfigError for what would only fail, or not be cut, once there are requests; and what the plugin does."""
    if not isinstance(config, plugin_class.Config):
        raise ConfigError(Problem("for_proxy", f"answered a {type(config).__name__}, not its Config or None"))
    plugin = plugin_class(config, context)
    if not isinstance(getattr(plugin, "consumes", None), Consumes):
        text = "must be a rrgate.api.Consumes; an __init__ of its own calls super().__init__(config, context) first"
        raise ConfigError(Problem("consumes", text))
    return plugin
