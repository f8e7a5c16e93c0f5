"""`registry_with`: the plugins of a gateway in memory: those of this environment, or none, and a test's own.

Belongs here: making its Registry. Does not: the gateway (testing/gateway.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rrgate import hookspecs
from rrgate.api import Plugin, hookimpl
from rrgate.registry import Registry, load_registry
from rrgate.testing.stand_in import Nobody, StandIn


class _Brought:
    """A plugin module with these classes."""

    __name__ = "test"

    def __init__(self, classes: list[type[Plugin]]) -> None:
        self._classes = classes

    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return self._classes


def registry_with(classes: Iterable[type[Plugin]], *, installed: bool) -> Registry:
    """The plugins of this environment, if `installed`, and these, each once. Raises PluginLoadError."""
    return _made(tuple(dict.fromkeys([StandIn, Nobody, *classes])), installed)


@lru_cache(maxsize=16)  # a Registry does not change, and to look through the environment takes 20 ms
def _made(wanted: tuple[type[Plugin], ...], installed: bool) -> Registry:
    if not installed:
        return load_registry([_Brought(list(wanted))], ())
    known = {each for _, call in load_registry().hooks(hookspecs.rrgate_plugins) for each in call()}
    return load_registry([_Brought([each for each in wanted if each not in known])])
