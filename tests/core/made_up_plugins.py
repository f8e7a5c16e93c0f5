"""Plugins that exist only to be asked by the Core API.

Belongs here: the least that configurations and settings can be checked with. Does not: plugins that do anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from attrs import frozen

from rrgate.api import (
    ConfigError,
    Exchange,
    Filter,
    Kind,
    Meter,
    Parts,
    Plugin,
    Problem,
    Rule,
    RuleScope,
    Side,
    hookimpl,
    secret,
)
from rrgate.model import Configuration
from rrgate.model.published import published_fields
from rrgate.registry import Registry, new_manager


@frozen
class KeyConfig:
    key: str
    value: str | None = secret("The key.", default=None)
    add_to_header: bool = True


class Key(Plugin):
    name = "apiKey"
    aliases = ("key",)
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = KeyConfig

    def authenticate(self, ex: Exchange) -> None: ...
    def prepare(self, ex: Exchange) -> None: ...


@frozen
class BearerConfig:
    token: str = secret("The token.")
    prefix: str = "Bearer "
    add_to_header: bool = True

    def __attrs_post_init__(self) -> None:
        if "\n" in self.token:
            raise ConfigError(Problem("token", "must have no line break"))


class Bearer(Plugin):
    name = "bearer"
    sides = frozenset({Side.TARGET})
    Config = BearerConfig

    def prepare(self, ex: Exchange) -> None: ...


class Headers(Plugin):
    name = "headers"
    kind = Kind.HEADERS
    serves = frozenset({"proxyAdditionalHeaders"})

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any | None:
        problems = [
            Problem(f"proxyAdditionalHeaders.{name}", "may not be injected")
            for name in parts.proxy.additional_headers
            if name.lower() == "host"
        ]
        if problems:
            raise ConfigError(*problems)
        return None


class Query(Plugin):
    name = "query"
    kind = Kind.QUERY
    serves = frozenset({"proxyAdditionalQueryParams", "proxyStreaming", "proxyMaxResponseBytes"})

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any | None:
        if "slow" in parts.proxy.additional_query_params and parts.target.timeout < 10:
            raise ConfigError(Problem("proxyAdditionalQueryParams.slow", "wants a targetTimeout of 10 seconds or more"))
        if "bad" in parts.proxy.additional_query_params:
            raise ConfigError(Problem("proxyAdditionalQueryParams.bad", "may not be injected"))
        return None


class Judging(Plugin):
    """Judges by rules without query checks; the pattern `bad` is bad, and every allow rule is told of."""

    name = "judging"
    kind = Kind.RULES
    judges = frozenset({"methods", "path", "headers"})

    @classmethod
    def check_rule(cls, rule: Rule) -> None:
        problems = [
            Problem(f"{where}.pattern", "is bad") for where, each in rule.patterns() if each.pattern == "bad"
        ]
        if problems:
            raise ConfigError(*problems)

    @classmethod
    def lint_rules(cls, scope: RuleScope) -> Mapping[str, Sequence[str]]:
        count = len(scope.rules)
        return {rule.id: [f"one of {count}"] for rule in scope.rules if rule.effect == "allow"}

    @classmethod
    def for_proxy(cls, parts: Parts) -> None: ...

    def authorize(self, ex: Exchange) -> None: ...


class Filtering(Plugin):
    """Filters answers by the JSONPaths and all checks but those of the query; `$.bad` is bad."""

    name = "filtering"
    kind = Kind.FILTER
    filters = frozenset({"methods", "path", "headers"})

    @classmethod
    def check_filter(cls, filter: Filter) -> None:
        problems = [
            Problem(f"jsonPaths.{place}", "is bad") for place, path in enumerate(filter.json_paths) if path == "$.bad"
        ]
        if problems:
            raise ConfigError(*problems)


class Measuring(Plugin):
    """Carries out meters of requests; of header values the name `X-Bad` is bad."""

    name = "measuring"
    kind = Kind.METER
    measures = frozenset({"request_count", "response_value"})
    serves = frozenset(known.name for known in published_fields(Configuration) if known.by_plugin)

    @classmethod
    def check_meter(cls, meter: Meter) -> None:
        if meter.extraction is not None and meter.extraction.name == "X-Bad":
            raise ConfigError(Problem("extraction.name", "is bad"))


@frozen
class StampConfig:
    header: str
    secret: str | None = secret("What is stamped.", default=None)
    more: Any = None

    def __attrs_post_init__(self) -> None:
        if not self.header.isascii():
            raise ConfigError(Problem("header", "must be ASCII"))


class Stamp(Plugin):
    """Proxies list it."""

    name = "stamp"
    aliases = ("seal",)
    listed = True
    Config = StampConfig

    def prepare(self, ex: Exchange) -> None: ...


class Mark(Plugin):
    """The same, without a configuration."""

    name = "mark"
    listed = True

    def prepare(self, ex: Exchange) -> None: ...


class NotForTenants(Mark):
    """The operator has not switched it on."""

    name = "not-for-tenants"


class MadeUp:
    @hookimpl
    def rrgate_plugins(self) -> Sequence[type[Plugin]]:
        return (Key, Bearer, Headers, Query, Judging, Measuring, Filtering, Stamp, Mark, NotForTenants)


@cache
def registry() -> Registry:
    """A registry of these plugins; it does not change."""
    manager = new_manager()
    manager.register(MadeUp())
    return Registry(manager)
