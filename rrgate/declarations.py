"""What a plugin class must declare, and be called with, before a gateway starts with it.

Belongs here: judging a class. Does not: finding classes, or what two of them must not share (registry.py).
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any, Final

import attrs

from rrgate import api
from rrgate.api import BodyNeed, Plugin, Side
from rrgate.chaining import PHASES
from rrgate.model.meter import METER_TYPES
from rrgate.model.rule import RULE_CHECKS
from rrgate.schemas import Schema, SchemaMaker

_CALLED: Final = (
    api.Authenticates,
    api.Authorizes,
    api.NeedsBody,
    api.Prepares,
    api.TransformsRequestBody,
    api.Renews,
    api.RespondsToTarget,
    api.TransformsResponseBody,
    api.Retries,
    api.LogsRequests,
    api.Explains,
)
_PARAMETERS: Final = {
    phase: tuple(inspect.signature(method).parameters)
    for protocol in _CALLED
    for phase, method in vars(protocol).items()
    if phase in PHASES
}
"""What the method of each phase is called with, by position."""
_NO_PHASES: Final = frozenset({*dir(Plugin), "authorization_request", "authorized"})
"""What else is asked of a class, or of its objects."""
_ALIKE: Final = 0.8
"""From here on a name is taken for a misspelled phase: `authorise`, `on_respond`. A helper's is mostly less alike."""


def undeclared(plugin: type[Plugin]) -> str:
    """What is wrong with a declaration, or nothing."""
    if not (isinstance(plugin.Config, type) and attrs.has(plugin.Config)):
        return "its Config must be an attrs class"
    if untyped := [each.name for each in attrs.fields(plugin.Config) if each.init and each.type is None]:
        return f"its Config is not right: {', '.join(untyped)} has no type, and so would take anything"
    classes = _Classes()
    try:
        classes.of_class(plugin.Config)
    except TypeError as error:
        return f"its Config is not right: {error}"
    if changeable := [each.__name__ for each in classes.seen if not _is_frozen(each)]:
        whose = "its Config" if changeable[0] == plugin.Config.__name__ else f"{changeable[0]}, which its Config holds,"
        return f"{whose} can be changed: make it a frozen attrs class, with @frozen of attrs"
    if not isinstance(plugin.aliases, tuple) or not all(isinstance(alias, str) for alias in plugin.aliases):
        return "its `aliases` must be a tuple of str"
    if not all(name and name.isprintable() and " " not in name for name in (plugin.name, *plugin.aliases)):
        return "its `name` and `aliases` must be visible characters, without spaces"
    if not isinstance(inspect.getattr_static(plugin, "for_proxy"), classmethod):
        return "its `for_proxy` must be a classmethod"
    if not isinstance(plugin.sides, frozenset) or not all(isinstance(side, Side) for side in plugin.sides):
        return "its `sides` must be a frozenset of rrgate.api.Side"
    if not isinstance(plugin.anonymous, bool):
        return "its `anonymous` must be a bool"
    if plugin.anonymous and Side.PROXY not in plugin.sides:
        return "its `anonymous` is for auth types of the caller's side"
    if not isinstance(plugin.serves, frozenset) or not all(isinstance(setting, str) for setting in plugin.serves):
        return "its `serves` must be a frozenset of str"
    if not isinstance(plugin.judges, frozenset) or not plugin.judges <= RULE_CHECKS:
        return "its `judges` must be a frozenset of " + ", ".join(sorted(RULE_CHECKS))
    if not isinstance(plugin.measures, frozenset) or not plugin.measures <= METER_TYPES:
        return "its `measures` must be a frozenset of " + ", ".join(sorted(METER_TYPES))
    if not isinstance(plugin.pure, bool):
        return "its `pure` must be a bool"
    if not isinstance(plugin.by_config, bool):
        return "its `by_config` must be a bool"
    if not isinstance(plugin.listed, bool):
        return "its `listed` must be a bool"
    if plugin.listed and (wrong := _not_for_a_list(plugin)):
        return wrong
    if not isinstance(plugin.body_need, BodyNeed):
        return "its `body_need` must be a rrgate.api.BodyNeed"
    return _wrong_methods(plugin)


class _Classes(SchemaMaker):
    """The attrs classes that a Config is made of, itself first."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[type[Any], None] = {}

    def of_class(self, class_: type[Any]) -> Schema:
        self.seen[class_] = None
        return super().of_class(class_)


def _is_frozen(class_: type[Any]) -> bool:
    try:
        object.__new__(class_).__setattr__("anything", None)
    except attrs.exceptions.FrozenInstanceError:
        return True
    except Exception:  # noqa: BLE001 - an attribute that cannot be set is no frozen class; its code may raise anything
        return False
    return False


def _not_for_a_list(plugin: type[Plugin]) -> str:
    if plugin.sides:
        return "it declares `sides` and is `listed`: credentials choose an auth type, and proxies any other"
    carried_out = [name for name in ("serves", "judges", "filters", "measures") if getattr(plugin, name)]
    if carried_out:
        return f"it is `listed`, and not every proxy lists it: `{carried_out[0]}` is for those that all have"
    if not any(callable(getattr(plugin, phase, None)) for phase in PHASES):
        return "it is `listed` and has no method: nothing would ever be called"
    if not _is_plain(plugin):
        return "it is `listed`, so that its `for_proxy` is never asked: leave that out"
    return ""


def _is_plain(plugin: type[Plugin]) -> bool:
    """Whether it leaves `for_proxy` as it is."""
    return plugin.for_proxy.__func__ is Plugin.for_proxy.__func__  # type: ignore[attr-defined]


def _wrong_methods(plugin: type[Plugin]) -> str:
    for phase in ("body_needed", "on_log", "next_attempt"):
        if inspect.iscoroutinefunction(getattr(plugin, phase, None)):
            return f"its `{phase}` must not be async"
    there = [phase for phase in PHASES if getattr(plugin, phase, None) is not None]
    for phase in there:
        if not callable(getattr(plugin, phase)):
            return f"its `{phase}` must be a method"
    if wrong := _misspelled(plugin, there):
        return wrong
    for phase in there:
        function = inspect.getattr_static(plugin, phase)
        if isinstance(function, FunctionType):
            try:
                inspect.signature(function).bind(*_PARAMETERS[phase])
            except TypeError:
                return f"its `{phase}` must take ({', '.join(_PARAMETERS[phase])})"
    if there and not plugin.sides and not plugin.listed and _is_plain(plugin):
        return "nothing would ever use it: an auth type declares `sides`, any other plugin `listed`, or has `for_proxy`"
    if plugin.judges and "authorize" not in there:
        return "it `judges`, and so needs the method `authorize`"
    return ""


def _misspelled(plugin: type[Plugin], there: Sequence[str]) -> str:
    """A method that nobody would call, and whose author would not notice: what it was to refuse would pass."""
    missing = [phase for phase in PHASES if phase not in there]
    for name in dir(plugin):
        is_helper = name.startswith("_") or name in _NO_PHASES or name in PHASES
        if is_helper or not isinstance(inspect.getattr_static(plugin, name), FunctionType):
            continue
        if near := difflib.get_close_matches(name, missing, n=1, cutoff=_ALIKE):
            return f"its `{name}` would never be called: is it `{near[0]}`? If not, give it a name that is less alike"
    return ""
