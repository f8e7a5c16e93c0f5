"""Which plugins exist: one pluggy PluginManager per gateway, filled from the entry-point group `rrgate`.

Belongs here: finding, loading and checking plugin classes. Does not: making objects of them (compiling.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
from pluggy import PluginManager

from rrgate import hookspecs
from rrgate.api import Kind, Plugin, Side

ENTRY_POINT_GROUP = "rrgate"


class PluginLoadError(Exception):
    """A plugin that cannot load stops the start; the text names its distribution, version and reason."""


class Registry:
    """The plugin classes of one gateway, checked. Nothing is global."""

    def __init__(self, manager: PluginManager) -> None:
        """`manager`: with every plugin module registered. Raises PluginLoadError for one that breaks the contract."""
        self.manager = manager
        self._auth_types: dict[tuple[str, Side], type[Plugin]] = {}
        self._by_name: dict[str, type[Plugin]] = {}
        for classes in reversed(manager.hook.rrgate_plugins()):
            for plugin in classes:
                self._add(plugin)
        self.plugins: tuple[type[Plugin], ...] = tuple(plugin for plugin in self._by_name.values() if not plugin.sides)
        self.served_settings: frozenset[str] = frozenset().union(*(plugin.serves for plugin in self.plugins))

    def _add(self, plugin: type[Plugin]) -> None:
        where = f"plugin {getattr(plugin, 'name', plugin)!r} of {plugin.__module__}"
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
            raise PluginLoadError(f"{where} is not a subclass of rrgate.api.Plugin")
        if not isinstance(getattr(plugin, "name", None), str) or not isinstance(getattr(plugin, "kind", None), Kind):
            raise PluginLoadError(f"{where} must declare `name` (a str) and `kind` (a rrgate.api.Kind)")
        if not attrs.has(plugin.Config):
            raise PluginLoadError(f"{where}: its Config must be an attrs class")
        names = (plugin.name, *plugin.aliases)
        for name in names:
            known = self._by_name.get(name)
            if known is not None:
                raise PluginLoadError(f"{where} takes a name that {known.__module__} has: give it another")
        self._by_name[plugin.name] = plugin
        for side in plugin.sides:
            needed = "authenticate" if side is Side.PROXY else "prepare"
            if not hasattr(plugin, needed):
                raise PluginLoadError(f"{where} serves the {side.value} side, and so needs the method `{needed}`")
            for name in names:
                self._auth_types[name, side] = plugin

    def auth_type(self, name: str, side: Side) -> type[Plugin] | None:
        """The class behind a `credentialAuthType` on one side, or None if none is installed."""
        return self._auth_types.get((name, side))

    def auth_type_names(self, side: Side) -> list[str]:
        """Every spelling of every auth type of one side, sorted."""
        return sorted(name for name, known in self._auth_types if known is side)


def new_manager() -> PluginManager:
    """A PluginManager that knows the boot hooks, and no plugin yet."""
    manager = PluginManager("rrgate")
    manager.add_hookspecs(hookspecs)
    return manager


def load_registry(extra: Iterable[Any] = (), found: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed plugin, and `extra` modules or objects with hooks besides.

    `found` takes the place of the entry points of this environment (for tests). Raises PluginLoadError.
    """
    manager = new_manager()
    for entry in entry_points(group=ENTRY_POINT_GROUP) if found is None else found:
        if manager.get_plugin(entry.name) is not None:
            raise PluginLoadError(f"two installed distributions bring an rrgate plugin named {entry.name!r}")
        try:
            manager.register(entry.load(), name=entry.name)
        except Exception as error:
            raise PluginLoadError(f"{_origin(entry)} cannot load: {type(error).__name__}: {error}") from error
    for module in extra:
        manager.register(module)
    manager.check_pending()
    return Registry(manager)


def _origin(entry: EntryPoint) -> str:
    distribution = entry.dist
    whose = f"{distribution.name} {distribution.version}" if distribution is not None else "an unknown distribution"
    return f"plugin {entry.name!r} ({entry.value}) of {whose}"
