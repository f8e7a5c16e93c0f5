"""`Joining`: what proxies join, as `Parts`.

Belongs here: finding the parts of a proxy, whose they must be, and what they say of requests. Does not: keeping nouns
(directory.py), what plugins make of Parts (compiling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

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
    Side,
    Target,
)
from rrgate.model.filter import in_force
from rrgate.model.meter import metering
from rrgate.model.parts import own_credential, scope_of
from rrgate.model.rule import in_order

Part = Credential | Target | Proxy


class Nouns(Protocol):
    """What this needs of rrgate.directory.Directory."""

    anonymous: Callable[[Credential], bool]
    clients: dict[str, Client]

    @property
    def credentials(self) -> Mapping[str, Credential]: ...
    @property
    def targets(self) -> Mapping[str, Target]: ...
    def rules_of(self, parent_id: str) -> list[Rule]: ...
    def filters_of(self, parent_id: str) -> list[Filter]: ...
    def meters_of(self, proxy_id: str) -> list[Meter]: ...


class Joining:
    """Joins any number of proxies as everything stands now: of what they share the rules and filters are gone through
    once. Nothing may change while it is used."""

    def __init__(self, nouns: Nouns, instead: Target | None = None) -> None:
        """`instead`: a target in place of the one that has its id."""
        self._nouns = nouns
        self._instead = instead
        self._said: dict[str, tuple[RuleScope, FilterScope | None]] = {}

    def parts(self, proxy: Proxy) -> Parts | None:
        """What `proxy`, which need not be in force, joins; None without a target of its own client."""
        nouns, target = self._nouns, self._instead
        if target is None or target.id != proxy.target_id:
            target = nouns.targets.get(proxy.target_id)
        if target is None or target.client_id != proxy.client_id:
            return None
        caller = own_credential(proxy, nouns.credentials.get(proxy.proxy_credential_id), Side.PROXY)
        towards = own_credential(proxy, nouns.credentials.get(proxy.target_credential_id), Side.TARGET)
        of_caller = None if caller is None else self._of(caller)
        of_towards = None if towards is None else self._of(towards)
        of_proxy, of_target = self._of(proxy), self._of(target)
        judging = (of_caller, of_towards, of_proxy, of_target)
        filtering = (of_towards, of_target, of_caller, of_proxy)
        return Parts(
            client=nouns.clients[proxy.client_id],
            proxy=proxy,
            target=target,
            proxy_credential=caller,
            target_credential=towards,
            anonymous=caller is not None and nouns.anonymous(caller),
            scopes=tuple([said[0] for said in judging if said is not None]),
            filters=tuple([said[1] for said in filtering if said is not None and said[1] is not None]),
            meters=metering(nouns.meters_of(proxy.id)),
        )

    def _of(self, part: Part) -> tuple[RuleScope, FilterScope | None]:
        said = self._said.get(part.id)
        if said is None:
            scope = rule_scope(part, self._nouns.rules_of(part.id))
            filters = in_force(self._nouns.filters_of(part.id))
            filter_scope = FilterScope(scope=scope.scope, parent_id=part.id, filters=filters) if filters else None
            said = self._said[part.id] = (scope, filter_scope)
        return said


def rule_scope(parent: Part, rules: Iterable[Rule]) -> RuleScope:
    """What `parent`, which need not be in force and has these rules, says of requests."""
    return RuleScope(
        scope=scope_of(parent),
        parent_id=parent.id,
        default_effect=parent.default_rule_effect,
        rules=in_order(rules),
    )
