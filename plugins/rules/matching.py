"""One rule, compiled: whether it matches a request, where doubt makes a deny rule match and an allow rule not.

Belongs here: what each check means for each effect. Does not: what follows when a rule matches (judging.py).

A check that something must not be there is the check that it must, turned round; so is where doubt leads. A deny rule
that asks for a header's absence holds unless the header is there beyond doubt, and an allow rule that does so holds
only if it is not there in any way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from rrgate.api import NamedCheck, PathCheck, Rule, Scope
from rrgate_plugins.rules.leaf_checks import leaf_check
from rrgate_plugins.rules.leaves import Leaves
from rrgate_plugins.rules.message import TOO_MANY, Message, Named
from rrgate_plugins.rules.patterns import Search, TooMuchWork, search_of

Check = Callable[[Message], bool]

MUST_EXIST = "must_exist"


@define(eq=False)
class CompiledRule:
    """A rule as requests meet it. `rank`: its place in the report, the least first. `methods`: None for all.

    Its patterns are compiled when they are first needed: most rules are not, and each pattern takes 5 KB and 50 µs.
    """

    rank: int
    id: str
    scope: Scope
    denies: bool
    report: bool
    methods: frozenset[bytes] | None
    _rule: Rule = field(repr=False)
    _checks: tuple[Check, ...] | None = field(default=None, init=False, repr=False)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Those of the body last. Raises ValueError for a pattern that RE2 does not take."""
        if self._checks is None:
            self._checks = _checks_of(self._rule, self.denies)
        return self._checks

    def wants_body(self, message: Message) -> bool:
        """Whether it depends on the body that it matches."""
        of_body = len(self._rule.body)
        return of_body > 0 and self._all_hold(self.checks[:-of_body], message)

    def matches(self, message: Message) -> bool:
        """Whether all its checks do; that it is for the method was seen before."""
        return self._all_hold(self.checks, message)

    def _all_hold(self, checks: Sequence[Check], message: Message) -> bool:
        """What takes too long is in doubt: it holds for a rule that denies, and for no other."""
        for check in checks:
            if message.is_late():
                return self.denies
            try:
                if not check(message):
                    return False
            except TooMuchWork:
                if not self.denies:
                    return False
        return True


def compile_rule(rule: Rule, scope: Scope, rank: int, *, later: bool = False) -> CompiledRule:
    """`rule` as a CompiledRule. Raises ValueError for a pattern that RE2 does not take; with `later`, only when a
    request needs it."""
    methods = None if rule.methods is None else frozenset(method.encode() for method in rule.methods)
    made = CompiledRule(rank, rule.id, scope, rule.effect == "deny", rule.report, methods, rule)
    if not later:
        _ = made.checks
    return made


def _checks_of(rule: Rule, denies: bool) -> tuple[Check, ...]:
    flags = rule.regex_flags
    checks: list[Check] = []
    if rule.path is not None:
        checks.append(_path_check(rule.path, flags, denies))
    checks += [_named_check(check, flags, denies, _headers_of, is_header=True) for check in rule.headers]
    checks += [_named_check(check, flags, denies, _query_of, is_header=False) for check in rule.query]
    checks += [
        leaf_check(check.claim, check.match_value, check.presence, flags, denies, _claims_of) for check in rule.token
    ]
    checks += [
        leaf_check(check.json_path, check.match_value, check.presence, flags, denies, _body_of) for check in rule.body
    ]
    return tuple(checks)


def _path_check(check: PathCheck, flags: str | None, denies: bool) -> Check:
    search = search_of(check.path, flags)

    def any_reading(message: Message) -> bool:
        return any(search(reading) for reading in message.readings)

    def not_any_reading(message: Message) -> bool:
        return not any(search(reading) for reading in message.readings)

    def not_every_reading(message: Message) -> bool:
        return not all(search(reading) for reading in message.readings)

    def raw_and_decoded(message: Message) -> bool:
        return bool(search(message.raw) and search(message.decoded))

    if check.presence == MUST_EXIST:
        return any_reading if denies else raw_and_decoded
    return not_every_reading if denies else not_any_reading


def _headers_of(message: Message) -> Named:
    return message.headers


def _query_of(message: Message) -> Named:
    return message.query


def _claims_of(message: Message) -> Leaves | None:
    return message.claims


def _body_of(message: Message) -> Leaves | None:
    return message.body


def _named_check(
    check: NamedCheck, flags: str | None, denies: bool, named_of: Callable[[Message], Named], *, is_header: bool
) -> Check:
    name = search_of(check.name, flags, ignoring_case=is_header)
    like = _any_spelling(name, "_" in check.name.pattern) if is_header else name
    value: Search = _anything if check.match_value is None else search_of(check.match_value, flags)

    def perhaps(message: Message) -> bool:
        """Any value of any name that may match, or what a target may make of several values of one name."""
        named = named_of(message)
        if named is TOO_MANY:
            return True
        found: dict[bytes, list[bytes]] = {}
        for pairs in named:
            for known, each in pairs:
                if like(known):
                    if value(each):
                        return True
                    found.setdefault(known.replace(b"_", b"-"), []).append(each)
        return any(
            value(between.join(several)) for several in found.values() if len(several) > 1 for between in _BETWEEN
        )

    def surely(message: Message) -> bool:
        """There is one, and every value of every name that may match does."""
        there = False
        pairs, begun, _ = named_of(message)
        for known, found in pairs:
            if like(known):
                if not value(found):
                    return False
                there = there or bool(name(known))
        return there and all(value(found) for known, found in begun if like(known))

    if check.presence == MUST_EXIST:
        return perhaps if denies else surely
    if denies:
        return lambda message: not surely(message)
    return lambda message: not perhaps(message)


_BETWEEN = (b",", b", ", b"; ")
"""What is put between the values of several fields of a name (RFC 9110 5.3; the last for cookies), and by some targets
between those of several parameters."""


def _anything(text: bytes) -> bool:
    return True


def _any_spelling(name: Search, asks_for_underscores: bool) -> Search:
    """Whether a header's name matches, as it came or with `-` for `_`: many targets cannot tell those two apart."""

    def matches(known: bytes) -> Any:
        if name(known):
            return True
        if b"_" in known and name(known.replace(b"_", b"-")):
            return True
        return asks_for_underscores and b"-" in known and name(known.replace(b"-", b"_"))

    return matches
