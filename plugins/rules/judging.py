"""`Judge`: all rules of a proxy, compiled; what the four scopes say of a request.

Belongs here: gathering the rules that need a look, and what follows from those that match. Does not: finding them
(glance.py, indexes.py), matching (matching.py).

Few rules can match a request. Those that ask for a path, or else for a header or parameter, are found by the texts that
their patterns need, in one pass over all of them (`Shortlist`); the others are kept by method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import field, frozen

from rrgate.api import Exchange, Rule, RuleScope, Scope
from rrgate_plugins.rules.glance import Glance
from rrgate_plugins.rules.indexes import HeaderIndex, Index, by_method, needed_of, parameter_names, paths
from rrgate_plugins.rules.matching import CompiledRule, compile_rule
from rrgate_plugins.rules.message import Message
from rrgate_plugins.rules.patterns import beginning, same

_NO_OTHERS: Final[Mapping[bytes, tuple[CompiledRule, ...]]] = {b"": ()}


@frozen
class Reported:
    """A `report` rule that matched; `effect` is what it would have had, `count` how often it has matched."""

    id: str
    effect: str
    count: int


@frozen(slots=True)
class Verdict:
    """What the scopes say. `deciding`: the id of the rule that denies, or else of one without which a default would
    have denied. `denying`: the first scope that denies, or None: the request may pass."""

    allowing: tuple[Scope, ...]
    denying: Scope | None = None
    deciding: str | None = None
    reported: tuple[Reported, ...] = field(default=())


@frozen
class Said:
    """What one rule says of a request that is explained."""

    rule: str
    scope: Scope
    effect: str
    report: bool
    matches: bool


class Judge:
    """The rules of a proxy. `verdict` is what it is for."""

    __slots__ = (
        "_all",
        "_counts",
        "_default_denies",
        "_glance",
        "_indexes",
        "_others",
        "_scopes",
        "_where_nothing_matches",
        "looks_at_bodies",
    )

    def __init__(self, scopes: Sequence[RuleScope]) -> None:
        """Raises ValueError for a pattern that RE2 does not take: such rules are refused before they are saved. What
        is compiled when a request first needs it raises it then."""
        self._scopes = tuple(scope.scope for scope in scopes)
        self._default_denies = frozenset(scope.scope for scope in scopes if scope.default_effect == "deny")
        self.looks_at_bodies = any(rule.body for scope in scopes for rule in scope.rules)
        self._counts: dict[str, int] = {}
        self._all: list[tuple[Scope, Rule, CompiledRule | None]] = []
        by_path: list[tuple[bytes, CompiledRule]] = []
        by_header: list[tuple[bytes, CompiledRule]] = []
        by_parameter: list[tuple[bytes, CompiledRule]] = []
        others: list[CompiledRule] = []
        rank = 0
        for scope in scopes:
            for rule in scope.rules:
                if rule.effect == "allow" and not rule.report and scope.default_effect == "allow":
                    self._all.append((scope.scope, rule, None))
                    continue  # deny rules win over it, and where none matches, the default says the same
                rank += 1
                needed, index = needed_of(rule, by_path, by_header, by_parameter)
                later = index is by_path and beginning(needed) is not None  # texts that begin otherwise need no look
                made = compile_rule(rule, scope.scope, rank, later=later)
                self._all.append((scope.scope, rule, made))
                if index is None:
                    others.append(made)
                else:
                    index.append((needed, made))
        self._others = by_method(others) if others else _NO_OTHERS
        headers = HeaderIndex(by_header) if by_header else None
        self._indexes = (
            *([Index(paths, by_path)] if by_path else ()),
            *([] if headers is None else [headers]),
            *([Index(parameter_names, by_parameter)] if by_parameter else ()),
        )
        self._glance: Glance | None = None
        if not others:
            of_paths = [(pattern, rule.methods) for pattern, rule in by_path]
            self._glance = Glance.of(of_paths, None if headers is None else headers.known, bool(by_parameter))
        self._where_nothing_matches: Verdict = same(self._conclude({}, {}, ()))

    def verdict(self, ex: Exchange) -> Verdict:
        """What is to become of `ex`, where no rule looks at bodies."""
        glance = self._glance
        if glance is not None and glance.nothing_matches(ex):
            return self._where_nothing_matches
        message = Message(ex)
        return self.judge(message, self.candidates(message))

    def candidates(self, message: Message) -> Sequence[CompiledRule]:
        """Those that may match, in the order of the report."""
        method = message.method
        others = self._others
        rules: Sequence[CompiledRule] = others[method] if method in others else others[b""]
        for index in self._indexes:
            found = index.find(method, message)
            if found:
                rules = [*rules, *found]
        if len(rules) > 1:
            rules = sorted(rules, key=_rank)
        return rules

    def judge(self, message: Message, rules: Sequence[CompiledRule]) -> Verdict:
        """What follows from these. If one of them wants the body, `message` has read it."""
        if not rules:
            return self._where_nothing_matches
        denied: dict[Scope, str] = {}
        allowed: dict[Scope, str] = {}
        reported: list[Reported] = []
        for rule in rules:
            if rule.report:
                if rule.matches(message):
                    count = self._counts[rule.id] = self._counts.get(rule.id, 0) + 1
                    reported.append(Reported(rule.id, "deny" if rule.denies else "allow", count))
                continue
            said = denied if rule.denies else allowed
            if rule.scope not in said and rule.matches(message):
                said[rule.scope] = rule.id
        if not denied and not allowed and not reported:
            return self._where_nothing_matches
        return self._conclude(denied, allowed, tuple(reported))

    def explained(self, message: Message) -> tuple[Verdict, list[Said]]:
        """The same as `judge` of all candidates, and what each rule says. Nothing is counted, and no shortcut taken.

        If a rule looks at bodies, `message` has read it.
        """
        denied: dict[Scope, str] = {}
        allowed: dict[Scope, str] = {}
        told: list[Said] = []
        for scope, rule, made in self._all:
            looked_at = compile_rule(rule, scope, 0) if made is None else made
            named = looked_at.methods is None or message.method in looked_at.methods
            matches = named and looked_at.matches(message)
            told.append(Said(rule.id, scope, rule.effect, rule.report, matches))
            if matches and made is not None and not rule.report:
                (denied if made.denies else allowed).setdefault(made.scope, made.id)
        return self._conclude(denied, allowed, ()), told

    def _conclude(self, denied: dict[Scope, str], allowed: dict[Scope, str], reported: tuple[Reported, ...]) -> Verdict:
        allowing = tuple(
            scope
            for scope in self._scopes
            if scope not in denied and (scope in allowed or scope not in self._default_denies)
        )
        for scope in self._scopes:
            if scope in denied:
                return Verdict(allowing, scope, denied[scope], reported)
            if scope in self._default_denies and scope not in allowed:
                return Verdict(allowing, scope, None, reported)
        deciding = next((allowed[scope] for scope in self._scopes if scope in allowed), None)
        return Verdict(allowing, None, deciding, reported)


def _rank(rule: CompiledRule) -> int:
    return rule.rank
