"""The boot hooks, called through pluggy: what exists, and when the gateway starts and stops.

Belongs here: hook signatures. Does not: the request methods of plugins, which are plain methods (api.py).
All are called on the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pluggy import HookspecMarker

if TYPE_CHECKING:
    from rrgate.api import Plugin

hookspec = HookspecMarker("rrgate")


@hookspec
def rrgate_plugins() -> Sequence[type[Plugin]]:  # type: ignore[empty-body]
    """The plugin classes that this distribution brings. Called once, before anything starts."""


@hookspec
def rrgate_started(gateway: Any) -> None:
    """The listeners are open. Called once; raising is logged and stops nothing."""


@hookspec
def rrgate_stopping(gateway: Any) -> None:
    """The listeners are closed, requests in flight still run. Called once; raising is logged and stops nothing."""


@hookspec
def rrgate_event(gateway: Any, event: Any) -> None:
    """Something that an operator would want to know happened, at a low rate. Raising is logged and stops nothing."""
