"""`Judge`: all rules of a proxy, compiled; what the four scopes say of a request.

Belongs here: which rules need a look for which request, and what follows from those that match. Does not: matching
(matching.py).

Few rules can match a request. Those that ask for a path, or else for a header or parameter, are found by the texts that
their patterns need, in one pass over all of them (`Shortlist`); the others are kept by method.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from rrgate.api import Exchange, Rule, RuleScope, Scope
from rrgate_plugins.rules.matching import MUST_EXIST, CompiledRule, compile_rule
from rrgate_plugins.rules.message import TOO_MANY, Message
from rrgate_plugins.rules.patterns import Shortlist, beginning, same, spelled

_NO_OTHERS: Final[Mapping[bytes, tuple[CompiledRule, ...]]] = {b"": ()}
MOST_NAMES: Final = 256
"""Names of headers that a Judge knows; then it begins anew."""
LONGEST_NAME: Final = 64
"""Bytes of one that it remembers."""
MOST_LOOKED_AT: Final = 32
"""Names of one request that are looked at one by one, to be remembered, when some rule may match one of them."""


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
                needed, index = _needed(rule, by_path, by_header, by_parameter)
                later = index is by_path and beginning(needed) is not None  # texts that begin otherwise need no look
                made = compile_rule(rule, scope.scope, rank, later=later)
                self._all.append((scope.scope, rule, made))
                if index is None:
                    others.append(made)
                else:
                    index.append((needed, made))
        self._others = _by_method(others) if others else _NO_OTHERS
        self._indexes = (
            *([_Index(_paths, by_path)] if by_path else ()),
            *([_HeaderIndex(by_header)] if by_header else ()),
            *([_Index(_parameter_names, by_parameter)] if by_parameter else ()),
        )
        self._where_nothing_matches: Verdict = same(self._conclude({}, {}, ()))

    def verdict(self, ex: Exchange) -> Verdict:
        """What is to become of `ex`, where no rule looks at bodies."""
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


class _Index:
    """Rules found by what their patterns need of certain texts of a message."""

    __slots__ = ("_everything", "_methods", "_rules", "_shortlist", "_texts")

    def __init__(
        self, texts: Callable[[Message], Sequence[bytes] | None], rules: Sequence[tuple[bytes, CompiledRule]]
    ) -> None:
        """`texts`: of a message; None where they are not known."""
        self._texts = texts
        self._rules = [rule for _, rule in rules]
        self._everything = range(len(rules))
        self._shortlist = Shortlist([pattern for pattern, _ in rules])
        methods = [rule.methods for rule in self._rules]
        self._methods = None if None in methods else frozenset().union(*(each for each in methods if each is not None))

    def find(self, method: bytes, message: Message) -> list[CompiledRule]:
        """Those that may match."""
        if self._methods is not None and method not in self._methods:
            return []
        places = self._places(message)
        if not places:
            return []
        rules = (self._rules[place] for place in places)
        return [rule for rule in rules if rule.methods is None or method in rule.methods]

    def _places(self, message: Message) -> Collection[int]:
        texts = self._texts(message)
        return self._everything if texts is None else self._shortlist.may_match(texts)


class _HeaderIndex(_Index):
    """The same by names of headers, of which most requests have those that others had: each is looked at once.

    To show 17 names to RE2 costs 13 µs each time; to know of each that no rule asks for it, 1.
    """

    __slots__ = ("_known",)

    def __init__(self, rules: Sequence[tuple[bytes, CompiledRule]]) -> None:
        super().__init__(_no_texts, rules)
        self._known: dict[bytes, tuple[int, ...]] = {}

    def _places(self, message: Message) -> Collection[int]:
        known = self._known
        found: Collection[int] = ()
        unknown: list[bytes] = []
        for name in message.header_names:
            places = known.get(name)
            if places is None:
                unknown.append(name)
            elif places:
                found = {*found, *places}
        return {*found, *self._look_at(unknown)} if unknown else found

    def _look_at(self, names: Sequence[bytes]) -> Collection[int]:
        """Together first: most often nothing is found, and whoever makes names up must not cost a look at each."""
        found = self._shortlist.may_match([spelling for name in names for spelling in _spellings(name)])
        if not found:
            for name in names:
                self._remember(name, ())
        elif len(names) <= MOST_LOOKED_AT:
            for name in names:
                self._remember(name, tuple(self._shortlist.may_match(_spellings(name))))
        return found

    def _remember(self, name: bytes, places: tuple[int, ...]) -> None:
        if len(name) <= LONGEST_NAME:
            if len(self._known) >= MOST_NAMES:
                self._known.clear()
            self._known[name] = places


def _paths(message: Message) -> Sequence[bytes]:
    return message.readings


def _spellings(name: bytes) -> list[bytes]:
    """What targets may take a header's name for, many of which cannot tell `-` from `_`."""
    lower = name.lower()
    return [*{lower, lower.replace(b"_", b"-"), lower.replace(b"-", b"_")}]


def _no_texts(message: Message) -> None:
    return None


def _parameter_names(message: Message) -> Sequence[bytes] | None:
    query = message.query
    return None if query is TOO_MANY else query.names


_ToIndex = list[tuple[bytes, CompiledRule]]


def _needed(
    rule: Rule, by_path: _ToIndex, by_header: _ToIndex, by_parameter: _ToIndex
) -> tuple[bytes, _ToIndex | None]:
    """A pattern that `rule` cannot match without, and the index that it goes into; no index where there is none."""
    if rule.path is not None and rule.path.presence == MUST_EXIST:
        return spelled(rule.path.path, rule.regex_flags), by_path
    for check in rule.headers:
        if check.presence == MUST_EXIST:
            return spelled(check.name, rule.regex_flags, ignoring_case=True), by_header
    for check in rule.query:
        if check.presence == MUST_EXIST:
            return spelled(check.name, rule.regex_flags), by_parameter
    return b"", None


def _by_method(rules: Sequence[CompiledRule]) -> dict[bytes, tuple[CompiledRule, ...]]:
    """By method, in the order given; under no name, those for every other method."""
    named = frozenset[bytes]().union(*(rule.methods for rule in rules if rule.methods is not None))
    found = {name: tuple(rule for rule in rules if rule.methods is None or name in rule.methods) for name in named}
    found[b""] = tuple(rule for rule in rules if rule.methods is None)
    return found
