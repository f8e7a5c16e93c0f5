"""The contract for plugins: everything a plugin imports comes from here, and nothing else of rrgate does.

Belongs here: what a plugin is and declares. Does not: its request methods (plugin_methods.py), how plugins are found
(registry.py) or run (chaining.py, steps.py).

A plugin is a class. One object of it is made for each proxy it works on (for an auth type: for each credential and
version of its secret), with its validated `Config`. The request methods below are plain or `async`; a plugin has
those it needs, and having one is what puts it into that phase. All run on the reactor's thread and must not block it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pluggy import HookimplMarker
from sqlite_utils import Migrations

from rrgate.authorization_values import AsksUsers, AuthorizationRefused, AuthorizationRequest
from rrgate.body import Body, BodyBroken, BodyTooLarge
from rrgate.boot_values import Event, Page, PageRequest
from rrgate.config_values import ConfigError, NoConfig, Problem, documented, secret
from rrgate.counting_values import Counter, CountersError, Counts, CountsRequests, Limit, Quota, Reached, Taken, Window
from rrgate.exchange import Exchange
from rrgate.json_text import json_text, without_strings
from rrgate.messages import (
    Denied,
    Explained,
    Fields,
    Identity,
    InjectionError,
    Reply,
    ResponseBound,
    TargetRequest,
    TargetResponse,
)
from rrgate.model import (
    Client,
    Credential,
    Filter,
    FilterScope,
    Meter,
    Parts,
    Proxy,
    Rule,
    RuleScope,
    Scope,
    Side,
    Target,
)
from rrgate.model.retry_policy import RetryPolicy
from rrgate.model.rule import NamedCheck, PathCheck, Pattern
from rrgate.names import NEVER_TO_TARGET, NOT_INJECTABLE, fold, fold_parameter, is_token
from rrgate.outside_values import CallsOutside, OutsideAnswer, OutsideError
from rrgate.plugin_context import PluginContext
from rrgate.plugin_methods import (
    Authenticates,
    Authorizes,
    Explains,
    LogsRequests,
    NeedsBody,
    Prepares,
    Renews,
    RespondsToTarget,
    Retries,
    TransformsRequestBody,
    TransformsResponseBody,
)
from rrgate.plugin_values import BodyNeed, Consumes, Kind
from rrgate.private_keys import WrongPrivateKey, private_key_of_pem
from rrgate.retry_after import retry_after
from rrgate.shared import Shared
from rrgate.state_values import KeepsState, Kept, StateBusy, StateChanged, StateError

__all__ = [
    "NEVER_TO_TARGET",
    "NOT_INJECTABLE",
    "AsksUsers",
    "Authenticates",
    "AuthorizationRefused",
    "AuthorizationRequest",
    "Authorizes",
    "Body",
    "BodyBroken",
    "BodyNeed",
    "BodyTooLarge",
    "CallsOutside",
    "Client",
    "ConfigError",
    "Consumes",
    "Counter",
    "CountersError",
    "Counts",
    "CountsRequests",
    "Credential",
    "Denied",
    "Event",
    "Exchange",
    "Explained",
    "Explains",
    "Fields",
    "Filter",
    "FilterScope",
    "Identity",
    "InjectionError",
    "KeepsState",
    "Kept",
    "Kind",
    "Limit",
    "LogsRequests",
    "Meter",
    "Migrations",
    "NamedCheck",
    "NeedsBody",
    "NoConfig",
    "OutsideAnswer",
    "OutsideError",
    "Page",
    "PageRequest",
    "Parts",
    "PathCheck",
    "Pattern",
    "Plugin",
    "PluginContext",
    "Prepares",
    "Problem",
    "Proxy",
    "Quota",
    "Reached",
    "Renews",
    "Reply",
    "RespondsToTarget",
    "ResponseBound",
    "Retries",
    "RetryPolicy",
    "Rule",
    "RuleScope",
    "Scope",
    "Shared",
    "Side",
    "StateBusy",
    "StateChanged",
    "StateError",
    "Taken",
    "Target",
    "TargetRequest",
    "TargetResponse",
    "TransformsRequestBody",
    "TransformsResponseBody",
    "Window",
    "WrongPrivateKey",
    "documented",
    "fold",
    "fold_parameter",
    "hookimpl",
    "is_token",
    "json_text",
    "private_key_of_pem",
    "retry_after",
    "secret",
    "without_strings",
]

hookimpl = HookimplMarker("rrgate")
"""Marks the implementation of a boot hook (hookspecs.py)."""


class Plugin:
    """Base of every plugin: what it declares. See the module's docstring for when objects are made."""

    name: ClassVar[str]
    """Unique among installed plugins; for an auth type its `credentialAuthType`."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Further spellings of `name`."""
    kind: ClassVar[Kind] = Kind.OWN
    """Its place in the chain. For an auth type the side decides, whatever stands here."""
    sides: ClassVar[frozenset[Side]] = frozenset()
    """For auth types: the sides it serves. Others leave it empty."""
    anonymous: ClassVar[bool] = False
    """For auth types: on the caller's side it lets in who shows nothing. It exists there only where the operator sets
    `allow_anonymous_proxies`; a proxy that has one all the same answers 401. It reads nothing, so that what it
    `consumes` is what callers may not send on, unless `proxyPassHeaders` has it."""
    Config: ClassVar[type[Any]] = NoConfig
    """A frozen attrs class; its JSON Schema, validation errors and documentation come from its fields."""
    serves: ClassVar[frozenset[str]] = frozenset()
    """Published proxy settings (`proxyAdditionalHeaders`) that this plugin carries out. One that no installed plugin
    serves is refused by the Core API, never ignored."""
    judges: ClassVar[frozenset[str]] = frozenset()
    """The kinds of checks of rules (`Rule.checks`) that this plugin carries out, for one that judges by rules. The Core
    API refuses a rule whose checks no single installed plugin carries out."""
    filters: ClassVar[frozenset[str]] = frozenset()
    """The same for one that filters answers (`Filter`). It filters all of a proxy's, by all their checks, or raises
    ConfigError in `for_proxy`."""
    measures: ClassVar[frozenset[str]] = frozenset()
    """The types of meters (`Meter.type`) that this plugin carries out, of `request_count` and `response_value`. It
    carries out all of a proxy's, or raises ConfigError in `for_proxy`."""
    listed: ClassVar[bool] = False
    """Whether it is a proxy's own: it works where a proxy lists it in `proxyPlugins`, with the `Config` given there,
    and an operator lets proxies list it (`tenant_plugins`). `for_proxy` is not asked then. What is secret in the
    `Config` is sealed, bound to the target's host, and masked where a request is explained."""
    body_need: ClassVar[BodyNeed] = BodyNeed()
    pure: ClassVar[bool] = False
    """Whether its request methods up to `prepare` change nothing but the Exchange: no counter, cache or state, and
    nobody is called. They may then be called to explain a request. One that is not pure, and has no `explain`, is left
    out of explanations, which say so."""
    by_config: ClassVar[bool] = False
    """Whether an object of it that works on a proxy is what its `Config`, which is hashable then, makes it, and stays
    so: proxies of a client with equal ones share one object, whose context has no `proxy`."""

    def __init__(self, config: Any, context: PluginContext) -> None:
        """Called on the reactor's thread when a Route is compiled; must be quick, and may raise ConfigError."""
        self.config = config
        self.context = context
        self.consumes: Consumes = Consumes()

    @classmethod
    def for_proxy(cls, parts: Parts) -> Any | None:
        """The `Config` with which this plugin works on the proxy that joins `parts`; None: it has nothing to do there.

        Called for every proxy when it is saved and when it is compiled; not for auth types, which are chosen by
        credentials, nor for those that proxies list. Raises ConfigError with published field names if the proxy's
        settings cannot work.
        """
        return None

    @classmethod
    def check_side(cls, config: Any, side: Side) -> None:
        """Raises ConfigError, with fields of its Config, for a `config` that cannot work on `side`.

        For auth types that serve both. Called when a credential is saved.
        """

    @classmethod
    def needs_authorization(cls, config: Any) -> bool:
        """For auth types: whether a credential with this `Config` works only once a person has authorized it at a
        provider. The class has the methods of `AsksUsers` then."""
        return False

    @classmethod
    def check_rule(cls, rule: Rule) -> None:
        """Raises ConfigError, with fields such as `path.path.pattern`, for a rule that this plugin cannot carry out.

        Called when a rule is saved, for each plugin whose `judges` has all the kinds of its checks.
        """

    @classmethod
    def check_filter(cls, filter: Filter) -> None:
        """The same for a filter, with fields such as `jsonPaths.0`, for each plugin whose `filters` has all the kinds
        of its checks."""

    @classmethod
    def check_meter(cls, meter: Meter) -> None:
        """The same for a meter, with fields such as `extraction.path`, for each plugin whose `measures` has its
        type."""

    @classmethod
    def lint_rules(cls, scope: RuleScope) -> Mapping[str, Sequence[str]]:
        """By id, what is to be said of rules that can never decide anything, a sentence each; for people, and cheap.

        Called when rules are saved or read, with all active rules of their scope.
        """
        return {}
