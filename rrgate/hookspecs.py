"""The boot hooks, called through pluggy: what exists, and when the gateway starts and stops.

Belongs here: hook signatures. Does not: calling them (boot.py), the request methods of plugins, which are plain
methods (api.py). All are called on the reactor's thread, plugin by plugin in the order in which they were loaded,
`rrgate_stopping` in the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pluggy import HookspecMarker

if TYPE_CHECKING:
    from sqlite_utils import Migrations

    from rrgate.api import Plugin
    from rrgate.boot_values import Event, Page

hookspec = HookspecMarker("rrgate")


@hookspec
def rrgate_plugins() -> Sequence[type[Plugin]]:  # type: ignore[empty-body]
    """The plugin classes that this distribution brings. Called once, before anything starts."""


@hookspec
def rrgate_migrations() -> Sequence[Migrations]:  # type: ignore[empty-body]
    """The plugin's tables in rrgate.db, as steps that are applied at start, after the gateway's own. Called once.

    A set is named after the distribution, `-` as `_` (and may go on behind a `_`), its tables like the set (and may go
    on behind a `_`); a step that touches another table, or begins or ends a transaction, stops the start, as one that
    raises does. So does a database with steps of the set that the plugin does not have. Before the first step that is
    new the database is copied. Steps of plugins that are not installed any more are left alone.
    """


@hookspec
def rrgate_resources(gateway: Any) -> Sequence[Page]:  # type: ignore[empty-body]
    """Pages to mount on either listener. Called once, when the state is open and the listeners are not.

    A path that is taken, or lies where the gateway's own pages do, stops the start.
    """


@hookspec
def rrgate_started(gateway: Any) -> None:
    """The listeners are open. Called once; raising is logged and stops nothing."""


@hookspec
def rrgate_stopping(gateway: Any) -> None:
    """The listeners are closed, requests in flight still run. Called once; raising is logged and stops nothing."""


@hookspec
def rrgate_event(gateway: Any, event: Event) -> None:
    """Something that an operator would want to know happened. Raising is logged and stops nothing.

    Events of one kind and subject come at most once in 60 s. They are in the gateway's log as well.
    """
