"""`ProxyPlugins`: the plugins that proxies may list in `proxyPlugins`, and reading what is configured of one.

Belongs here: which of the installed ones an operator lets proxies have (`tenant_plugins`), and judging a configuration.
Does not: keeping its secrets (core/listing_plugins.py), objects (plugin_objects.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from rrgate.api import ConfigError, Plugin, Problem
from rrgate.configuring import configure, without_secrets
from rrgate.registry import Registry
from rrgate.settings import SettingsError

SETTING = "tenant_plugins"


@frozen
class Configured:
    """A configuration that its plugin can work with. `public`: without what is secret in it."""

    plugin: type[Plugin]
    public: Mapping[str, Any]
    config: Any = field(repr=False)
    has_secrets: bool


class ProxyPlugins:
    """Of one gateway; it does not change while that runs."""

    def __init__(self, registry: Registry, switched_on: Sequence[str]) -> None:
        """`switched_on`: names or aliases of installed plugins that proxies may list. Raises SettingsError for others.
        """
        self.installed = {name: each for each in registry.listed for name in (each.name, *each.aliases)}
        """By name and alias, whether proxies may list them or not."""
        problems = [
            f"{SETTING}[{place}]: {name!r} is no installed plugin that proxies list; " + self._choice(self.installed)
            for place, name in enumerate(switched_on)
            if name not in self.installed
        ]
        if problems:
            raise SettingsError(problems)
        on = {self.installed[name] for name in switched_on}
        self.all: tuple[type[Plugin], ...] = tuple(each for each in registry.listed if each in on)
        """Those that proxies may list."""

    def plugin(self, name: str) -> type[Plugin]:
        """The class that a proxy lists by `name`. Raises ConfigError, with `name` for its field, if none may be."""
        plugin = self.installed.get(name)
        if plugin in self.all and plugin is not None:
            return plugin
        if plugin is not None:
            raise ConfigError(Problem("name", f"is not switched on: the operator would name it in {SETTING}"))
        names = [each.name for each in self.all]
        raise ConfigError(Problem("name", f"is no plugin that proxies may list here; {self._choice(names)}"))

    def configured(self, name: str, configuration: Mapping[str, Any], path: str) -> Configured:
        """What the plugin of that name makes of `configuration`, secrets included. `path`: where the entry stands.

        Raises ConfigError, with no value in it, for what cannot work.
        """
        try:
            plugin = self.plugin(name)
        except ConfigError as error:
            problems = [Problem(f"{path}.{each.field}", each.problem) for each in error.problems]
        else:
            config = configure(plugin.Config, dict(configuration), f"{path}.configuration")
            public = without_secrets(plugin.Config, configuration)
            return Configured(plugin, public, config, public != configuration)
        raise ConfigError(*problems)

    @staticmethod
    def _choice(names: Sequence[str] | Mapping[str, Any]) -> str:
        return f"there are {', '.join(sorted(names))}" if names else "there are none"
