"""What an author gives `check_plugin`: his plugin, and samples of what it takes and what it refuses.

Belongs here: the samples, and small changes to them. Does not: any promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen

from rrgate.api import Consumes, OutsideAnswer, Plugin, Side, fold, fold_parameter
from rrgate.configuring import without_secrets
from rrgate.testing.canary import LEAST, Canary
from rrgate.testing.contract.watched import Notes, watch
from rrgate.testing.messages import Received, pairs
from rrgate.testing.outside import OutsideCall


@frozen
class Ask:
    """A caller's request. `path`: behind the proxy's address, with its query, as it stands in the request line."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=pairs, repr=False)
    body: bytes | None = field(default=None, repr=False)

    def shown(self, consumes: Consumes) -> list[tuple[str, int]]:
        """Where a credential stands in it: ("header" or "parameter", place)."""
        found = [("header", place) for place, (name, _) in enumerate(self.headers) if _consumed(name, consumes)]
        for place, part in enumerate(self._parameters()):
            if fold_parameter(part.partition("=")[0].encode()) in consumes.parameters:
                found.append(("parameter", place))
        return found

    def value(self, where: tuple[str, int]) -> str:
        """What stands there, as it is spelled."""
        kind, place = where
        return self.headers[place][1] if kind == "header" else self._parameters()[place].partition("=")[2]

    def name(self, where: tuple[str, int]) -> str:
        """The name that it stands under."""
        kind, place = where
        return self.headers[place][0] if kind == "header" else self._parameters()[place].partition("=")[0]

    def with_value(self, where: tuple[str, int], value: str) -> Ask:
        """The same with another value there."""
        return self._with(where, self.name(where), value)

    def with_name(self, where: tuple[str, int], name: str) -> Ask:
        """The same with another spelling of the name there."""
        return self._with(where, name, self.value(where))

    def _with(self, where: tuple[str, int], name: str, value: str) -> Ask:
        kind, place = where
        if kind == "header":
            return evolve(self, headers=(*self.headers[:place], (name, value), *self.headers[place + 1 :]))
        parameters = self._parameters()
        parameters[place] = f"{name}={value}"
        return self._with_parameters(parameters)

    def and_header(self, name: str, value: str, *, first: bool = False) -> Ask:
        """The same with one field more, before or behind the others."""
        more = ((name, value),)
        return evolve(self, headers=more + self.headers if first else self.headers + more)

    def and_parameter(self, name: str, value: str, *, first: bool = False) -> Ask:
        """The same with one query parameter more."""
        more = [f"{name}={value}"]
        return self._with_parameters(more + self._parameters() if first else self._parameters() + more)

    def without(self, consumes: Consumes) -> Ask:
        """The same without anything that a credential could be read from."""
        headers = [(name, value) for name, value in self.headers if not _consumed(name, consumes)]
        gone = {place for kind, place in self.shown(consumes) if kind == "parameter"}
        left = [part for place, part in enumerate(self._parameters()) if place not in gone]
        return evolve(self._with_parameters(left), headers=headers)

    def _parameters(self) -> list[str]:
        query = self.path.partition("?")[2]
        return query.split("&") if query else []

    def _with_parameters(self, parameters: list[str]) -> Ask:
        path = self.path.partition("?")[0]
        return evolve(self, path=f"{path}?{'&'.join(parameters)}" if parameters else path)


def _consumed(name: str, consumes: Consumes) -> bool:
    return fold(name.encode("latin-1")) in consumes.headers


@frozen
class Occasion:
    """When and where a request is made. `now`: seconds since the epoch. `address`: the proxy's, `/api/{proxyId}`."""

    now: float
    address: str


Asks = Ask | Callable[[Occasion], Ask]
"""A request, or what makes one for an occasion."""


def _named(asks: Asks | Mapping[str, Asks]) -> Mapping[str, Asks]:
    return asks if isinstance(asks, Mapping) else {"the good request": asks}


@frozen(kw_only=True, eq=False)
class Samples:
    """See `check_plugin` for each."""

    plugin: type[Plugin]
    config: Mapping[str, Any] = field(factory=dict, repr=False)
    settings: Mapping[str, Any] = field(factory=dict)
    rules: tuple[Mapping[str, Any], ...] = ()
    filters: tuple[Mapping[str, Any], ...] = ()
    meters: tuple[Mapping[str, Any], ...] = ()
    good: Mapping[str, Asks] = field(factory=Ask, converter=_named)
    bad: Mapping[str, Asks] = field(factory=dict)
    bad_configs: tuple[tuple[str, Mapping[str, Any]], ...] = field(factory=tuple, repr=False)
    accepted: Callable[[Received], bool] | None = None
    outside: OutsideAnswer | Callable[[OutsideCall], OutsideAnswer | Exception] | None = None
    secrets: Iterable[str] = field(factory=tuple, repr=False)
    varies: frozenset[str] = frozenset()
    anonymous: bool = False
    canary: Canary = field(factory=Canary, init=False)
    """Knows every secret, and all that was ever written where none may be."""
    blocked: dict[str, None] = field(factory=dict, init=False)
    """What the plugin did that blocks the reactor, each once."""

    @cached_property
    def watched(self) -> tuple[type[Plugin], Callable[[object], Notes]]:
        """The plugin as it is tried out, and its notes: see `watch`."""
        return watch(self.plugin)

    @property
    def sides(self) -> list[Side | None]:
        """The sides on which it works; None for what is no auth type."""
        return [side for side in Side if side in self.plugin.sides] or [None]

    @property
    def where(self) -> str:
        """Where its configuration stands in a document of the Core API; nothing where it works by published settings.
        """
        if self.plugin.listed:
            return "proxyPlugins.0.configuration"
        return "credentialSecret" if self.plugin.sides else ""

    def good_on(self, side: Side | None) -> Mapping[str, Asks]:
        """The good requests for a side. Towards targets those of an auth type of both sides are not: they show what
        nobody would cut there."""
        if side is Side.TARGET and Side.PROXY in self.plugin.sides:
            return {"a request": Ask()}
        return self.good

    def configured_secrets(self) -> Iterator[tuple[str, str]]:
        """(field, value) of each secret of the sample configuration that is long enough to be looked for."""
        left_out = _left_out("", self.config, without_secrets(self.plugin.Config, self.config))
        return ((where, text) for where, text in left_out if len(text) >= LEAST)


def _left_out(name: str, value: object, shown: object) -> Iterator[tuple[str, str]]:
    """Every string in `value` that is not in `shown`, which has fewer fields, with where it stands."""
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        for key, each in value.items():
            where = f"{name}.{key}" if name else key
            yield from _left_out(where, each, shown[key]) if key in shown else _texts(where, each)
    elif isinstance(value, list | tuple) and isinstance(shown, list):
        for place, (each, left) in enumerate(zip(value, shown, strict=True)):
            yield from _left_out(f"{name}[{place}]", each, left)


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Every string in a value, with where it stands."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(f"{name}.{key}", each)
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _texts(f"{name}[{place}]", each)


def made(ask: Asks, at: Occasion) -> Ask:
    """The request for this occasion."""
    return ask(at) if callable(ask) else ask
