"""`Index`: which of a proxy's rules may match a request, by the texts that their patterns need.

Belongs here: finding those that need a look, each in one pass over all. Does not: matching (matching.py), what follows
from it (judging.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from rrgate.api import Rule
from rrgate_plugins.rules.matching import MUST_EXIST, CompiledRule
from rrgate_plugins.rules.message import TOO_MANY, Message
from rrgate_plugins.rules.patterns import Shortlist, spelled

MOST_NAMES: Final = 256
"""Names of headers that a Judge knows; then it begins anew."""
LONGEST_NAME: Final = 64
"""Bytes of one that it remembers."""
MOST_LOOKED_AT: Final = 32
"""Names of one request that are looked at one by one, to be remembered, when some rule may match one of them."""


class Index:
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


class HeaderIndex(Index):
    """The same by names of headers, of which most requests have those that others had: each is looked at once.

    To show 17 names to RE2 costs 13 µs each time; to know of each that no rule asks for it, 1.
    """

    __slots__ = ("known",)

    def __init__(self, rules: Sequence[tuple[bytes, CompiledRule]]) -> None:
        super().__init__(_no_texts, rules)
        self.known: dict[bytes, tuple[int, ...]] = {}
        """By name, as it came, the rules that ask for it."""

    def _places(self, message: Message) -> Collection[int]:
        known = self.known
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
            if len(self.known) >= MOST_NAMES:
                self.known.clear()
            self.known[name] = places


def paths(message: Message) -> Sequence[bytes]:
    """In every form that a target may take them for."""
    return message.readings


def _spellings(name: bytes) -> list[bytes]:
    """What targets may take a header's name for, many of which cannot tell `-` from `_`."""
    lower = name.lower()
    return [*{lower, lower.replace(b"_", b"-"), lower.replace(b"-", b"_")}]


def _no_texts(message: Message) -> None:
    return None


def parameter_names(message: Message) -> Sequence[bytes] | None:
    """All that may be one; None where there are too many to tell."""
    query = message.query
    return None if query is TOO_MANY else query.names


ToIndex = list[tuple[bytes, CompiledRule]]
"""Patterns as `spelled`, with the rules that need them."""


def needed_of(
    rule: Rule, by_path: ToIndex, by_header: ToIndex, by_parameter: ToIndex
) -> tuple[bytes, ToIndex | None]:
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


def by_method(rules: Sequence[CompiledRule]) -> dict[bytes, tuple[CompiledRule, ...]]:
    """By method, in the order given; under no name, those for every other method."""
    named = frozenset[bytes]().union(*(rule.methods for rule in rules if rule.methods is not None))
    found = {name: tuple(rule for rule in rules if rule.methods is None or name in rule.methods) for name in named}
    found[b""] = tuple(rule for rule in rules if rule.methods is None)
    return found
