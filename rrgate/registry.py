"""Which plugins exist: one pluggy PluginManager per gateway, filled from the entry-point group `rrgate`.

Belongs here: finding, loading and checking plugin classes. Does not: making objects of them (compiling.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pluggy import PluginManager, PluginValidationError

from rrgate import hookspecs
from rrgate.api import Credential, Kind, Plugin, Side
from rrgate.declarations import undeclared

ENTRY_POINT_GROUP = "rrgate"

Hook = Callable[..., Any]
"""One of the functions of hookspecs.py."""


class PluginLoadError(Exception):
    """A plugin that cannot load stops the start; the text names its distribution, version and reason."""


class Registry:
    """The plugin classes of one gateway, checked, and the boot hooks of their modules. Nothing is global."""

    def __init__(self, manager: PluginManager, entries: Mapping[str, EntryPoint] | None = None) -> None:
        """`manager`: with every plugin module registered. `entries`: where those of these names come from.

        Raises PluginLoadError for one that breaks the contract.
        """
        self.manager = manager
        self._entries = entries or {}
        self.distributions: Mapping[str, str] = {
            _origin(entry): entry.dist.name for entry in self._entries.values() if entry.dist is not None
        }
        """Names of distributions by what `hooks` calls their plugins."""
        self._auth_types: dict[tuple[str, Side], type[Plugin]] = {}
        self._by_name: dict[str, type[Plugin]] = {}
        self._taken: dict[str, str] = {}
        self._origins: dict[type[Plugin], str] = {}
        for origin, call in self.hooks(hookspecs.rrgate_plugins):
            try:
                classes = tuple(call())
            except (Exception, SystemExit) as error:
                why = f"{hookspecs.rrgate_plugins.__name__} failed: {type(error).__name__}: {error}"
                raise PluginLoadError(f"{origin}: {why}") from error
            for plugin in classes:
                self._add(plugin, origin)
        known = tuple(self._by_name.values())
        self.plugins: tuple[type[Plugin], ...] = tuple(each for each in known if not each.sides and not each.listed)
        """Those that are asked of every proxy."""
        self.listed: tuple[type[Plugin], ...] = tuple(each for each in known if each.listed)
        """Those that work where a proxy lists them."""
        self.auth_types: tuple[type[Plugin], ...] = tuple(each for each in known if each.sides)
        self.served_settings: frozenset[str] = frozenset().union(*(plugin.serves for plugin in self.plugins))

    def hooks(self, hook: Hook) -> list[tuple[str, Callable[..., Any]]]:
        """(whose, the hook) for every plugin that has it, in the order in which they were loaded.

        Each is called with all of the hook's arguments by name; those that it leaves out are not passed on. `tryfirst`
        and `trylast` are heeded. Raises PluginLoadError for a wrapper: it would be run by no one.
        """
        found = []
        for known in getattr(self.manager.hook, hook.__name__).get_hookimpls():
            whose = self._whose(known.plugin_name, known.plugin)
            if known.wrapper or known.hookwrapper:
                raise PluginLoadError(f"{whose}: {hook.__name__} must not be a wrapper")
            place = 0 if known.tryfirst else 2 if known.trylast else 1
            found.append((place, whose, _with_arguments(known.function, known.argnames)))
        return [(whose, call) for _, whose, call in sorted(found, key=lambda entry: entry[0])]

    def _whose(self, name: str, plugin: object) -> str:
        entry = self._entries.get(name)
        if entry is not None:
            return _origin(entry)
        return f"plugin {getattr(plugin, '__name__', type(plugin).__name__)!r}"

    def _add(self, plugin: Any, origin: str) -> None:
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
            raise PluginLoadError(f"{origin}: {_named(plugin)} is not a subclass of rrgate.api.Plugin")
        where = f"{origin}: {getattr(plugin, 'name', plugin.__name__)!r} of {plugin.__module__}"
        if not isinstance(getattr(plugin, "name", None), str) or not isinstance(getattr(plugin, "kind", None), Kind):
            raise PluginLoadError(f"{where} must declare `name` (a str) and `kind` (a rrgate.api.Kind)")
        if problem := undeclared(plugin):
            raise PluginLoadError(f"{where}: {problem}")
        names = (plugin.name, *plugin.aliases)
        for name in names:
            if name in self._taken:
                raise PluginLoadError(f"{where} takes the name {name!r} that {self._taken[name]} has: give it another")
        self._taken.update(dict.fromkeys(names, f"{plugin.__module__} of {origin}"))
        self._by_name[plugin.name] = plugin
        self._origins[plugin] = origin
        for side in plugin.sides:
            needed = "authenticate" if side is Side.PROXY else "prepare"
            if not callable(getattr(plugin, needed, None)):
                raise PluginLoadError(f"{where} serves the {side.value} side, and so needs the method `{needed}`")
            for name in names:
                self._auth_types[name, side] = plugin

    def auth_type(self, name: str, side: Side) -> type[Plugin] | None:
        """The class behind a `credentialAuthType` on one side, or None if none is installed."""
        return self._auth_types.get((name, side))

    def brought_by(self, plugin: type[Plugin]) -> tuple[str | None, str | None]:
        """The distribution that `plugin` came with and its version; None for what was handed over by its host."""
        for entry in self._entries.values():
            if entry.dist is not None and _origin(entry) == self._origins.get(plugin):
                return entry.dist.name, entry.dist.version
        return None, None

    def is_anonymous(self, credential: Credential) -> bool:
        """Whether `credential` lets in who shows nothing."""
        plugin = self.auth_type(credential.auth_type, credential.side)
        return plugin is not None and plugin.anonymous and credential.side is Side.PROXY

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
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP) if found is None else found:
        if entry.name in entries:
            raise PluginLoadError(f"{_origin(entry)} has the name of {_origin(entries[entry.name])}")
        entries[entry.name] = entry
        try:
            _register(manager, entry.load(), entry.name)
        except (Exception, SystemExit) as error:
            raise PluginLoadError(f"{_origin(entry)} cannot load: {type(error).__name__}: {error}") from error
    for module in extra:
        try:
            _register(manager, module)
        except (Exception, SystemExit) as error:
            named = getattr(module, "__name__", type(module).__name__)
            raise PluginLoadError(f"plugin {named!r} cannot load: {type(error).__name__}: {error}") from error
    return Registry(manager, entries)


def _register(manager: PluginManager, module: object, name: str | None = None) -> None:
    """Raises what stops a start: PluginValidationError, or ValueError for one that is there already."""
    manager.register(module, name=name)
    manager.check_pending()
    # Pluggy overlooks a function without the mark, and the plugin would be installed and not be there.
    for hook in (name for name in vars(hookspecs) if name.startswith("rrgate_")):
        if inspect.isroutine(function := getattr(module, hook, None)) and not hasattr(function, "rrgate_impl"):
            raise PluginValidationError(module, f"{hook} has no mark: put @hookimpl of rrgate.api above it")
    if not manager.get_hookcallers(module):
        raise PluginValidationError(module, f"it has no boot hook, such as {hookspecs.rrgate_plugins.__name__}")


def _origin(entry: EntryPoint) -> str:
    distribution = entry.dist
    whose = f"{distribution.name} {distribution.version}" if distribution is not None else "an unknown distribution"
    return f"plugin {entry.name!r} ({entry.value}) of {whose}"


def _named(plugin: object) -> str:
    return plugin.__name__ if isinstance(plugin, type) else f"a {type(plugin).__name__}"


def _with_arguments(function: Callable[..., Any], wanted: Iterable[str]) -> Callable[..., Any]:
    names = tuple(wanted)
    return lambda **given: function(**{name: given[name] for name in names})
