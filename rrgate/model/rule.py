"""`Rule`: which requests a credential, target or proxy allows or denies, and `RuleScope`, all that one of them says.

Belongs here: what a rule is, and the form of its values. Does not: how it was spelled (rule_documents.py), or judging
requests by it (plugins/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final, Literal

from attrs import frozen

from rrgate.config_values import Problem
from rrgate.model.published import Milliseconds, Writable, asks, published
from rrgate.model.values import effect

LONGEST_PATTERN: Final = 1024
"""Bytes, in Latin-1."""
MOST_CHECKS: Final = 20
"""Checks of one kind in a rule."""
MOST_RULES: Final = 200
"""Rules of one credential, target or proxy."""
LONGEST_NOTES: Final = 2000
FLAGS: Final = "imsguy"
"""Letters that `flags` may have; `g`, `u` and `y` are taken and mean nothing here."""

_METHOD_NAMES: Final = (
    "DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND "
    "ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK "
    "UNLINK SOURCE QUERY"
)
METHODS: Final = frozenset(_METHOD_NAMES.split())
"""The methods that the gateway forwards (a test compares them with the wire's)."""

RULE_CHECKS: Final = frozenset({"methods", "path", "headers", "query", "body", "token"})
"""The kinds of checks that a rule may have."""

Presence = Literal["must_exist", "must_not_exist"]


class Scope(Enum):
    """On whose behalf rules judge; all four must allow. The value is how it is called in messages."""

    PROXY_CREDENTIAL = "proxy credential"
    TARGET_CREDENTIAL = "target credential"
    PROXY = "proxy"
    TARGET = "target"

    __hash__ = object.__hash__  # Enum's own is written in Python: 0.2 µs, four times a request; members are single


@frozen
class Pattern:
    """A regular expression. `flags`: letters; None where the rule's `regexFlags` hold."""

    pattern: str
    flags: str | None = None


@frozen
class PathCheck:
    """What the path must or must not match."""

    path: Pattern
    presence: Presence = "must_exist"


@frozen
class NamedCheck:
    """A header or query parameter that must or must not be there, with any value where `match_value` is None."""

    name: Pattern
    match_value: Pattern | None = None
    presence: Presence = "must_exist"


@frozen
class BodyCheck:
    """The same for a leaf of a JSON body, by its dotted path."""

    json_path: Pattern
    match_value: Pattern | None = None
    presence: Presence = "must_exist"


@frozen
class TokenCheck:
    """The same for a claim of the caller's token."""

    claim: Pattern
    match_value: Pattern | None = None
    presence: Presence = "must_exist"


@asks(minItems=1)
def known_methods(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Names of methods that the gateway forwards, in capitals, each once."""
    if value is None:
        return None
    methods = tuple(dict.fromkeys(each.upper() for each in value))
    if not methods:
        raise ValueError("must name at least one method; leave it out for all")
    if not METHODS.issuperset(methods):
        raise ValueError("must be names of methods that the gateway forwards, such as GET and POST")
    return methods


@asks(minimum=0, maximum=1000)
def _priority(value: int) -> int:
    if not 0 <= value <= 1000:
        raise ValueError("must be from 0 to 1000")
    return value


@asks(maxLength=LONGEST_NOTES)
def notes(value: str) -> str:
    """At most 2,000 characters."""
    if len(value) > LONGEST_NOTES:
        raise ValueError(f"must have at most {LONGEST_NOTES} characters")
    return value


@asks(pattern=f"^[{FLAGS}]*$")
def flags(value: str) -> str:
    """Letters of `imsguy`, each at most once."""
    if len(set(value)) != len(value) or not set(value) <= set(FLAGS):
        raise ValueError(f"must be letters of {FLAGS}, each at most once")
    return value


@asks(maxItems=MOST_CHECKS)
def few(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """At most 20 checks."""
    if len(value) > MOST_CHECKS:
        raise ValueError(f"must be at most {MOST_CHECKS} checks")
    return value


@frozen(kw_only=True)
class Rule:
    """A rule of a credential, target or proxy (`parent_id`). It matches when all its checks do."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    parent_id: str = published(
        "parentId", writable=Writable.NEVER, help="The credential, target or proxy that it belongs to."
    )
    effect: str = published("effect", check=effect, help="`allow` or `deny`.")
    priority: int = published(
        "priority", default=0, check=_priority, help="0 to 1000; of several that match, the greatest is reported."
    )
    methods: tuple[str, ...] | None = published(
        "methods", default=None, check=known_methods, help="For which methods; all if null.", example=["DELETE"]
    )
    path: PathCheck | None = published(
        "path",
        default=None,
        help="What the path must or must not match.",
        example={"path": {"pattern": "^/admin"}, "presence": "must_exist"},
    )
    headers: tuple[NamedCheck, ...] = published(
        "headers", factory=tuple, check=few, help="Headers that must or must not be there; at most 20."
    )
    query: tuple[NamedCheck, ...] = published(
        "query", factory=tuple, check=few, help="Query parameters that must or must not be there; at most 20."
    )
    body: tuple[BodyCheck, ...] = published(
        "body", factory=tuple, check=few, help="Values in a JSON body that must or must not be there; at most 20."
    )
    token: tuple[TokenCheck, ...] = published(
        "token", factory=tuple, check=few, help="Claims of a token that must or must not be there; at most 20."
    )
    regex_flags: str | None = published(
        "regexFlags", default=None, check=flags, help="`flags` of the patterns that have none of their own."
    )
    notes: str | None = published("notes", default=None, check=notes, help="For people; at most 2000 characters.")
    active: bool = published("active", default=True, help="Whether it is looked at.")
    report: bool = published("report", default=False, help="Tell the operator's log when it matches; decide nothing.")
    created_at: Milliseconds = published("ruleCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("ruleUpdatedAt", writable=Writable.NEVER)

    @property
    def checks(self) -> frozenset[str]:
        """The kinds of checks that it has, by their published names."""
        kinds = {
            "methods": self.methods,
            "path": self.path,
            "headers": self.headers,
            "query": self.query,
            "body": self.body,
            "token": self.token,
        }
        return frozenset(name for name, value in kinds.items() if value)

    def patterns(self) -> Iterator[tuple[str, Pattern]]:
        """Every pattern, with the name of its place, such as `headers.0.matchValue`."""
        if self.path is not None:
            yield "path.path", self.path.path
        named: tuple[tuple[str, str, Iterable[Any], Callable[[Any], Pattern]], ...] = (
            ("headers", "name", self.headers, lambda check: check.name),
            ("query", "name", self.query, lambda check: check.name),
            ("body", "jsonPath", self.body, lambda check: check.json_path),
            ("token", "claim", self.token, lambda check: check.claim),
        )
        for kind, by, checks, pattern in named:
            for place, check in enumerate(checks):
                yield f"{kind}.{place}.{by}", pattern(check)
                if check.match_value is not None:
                    yield f"{kind}.{place}.matchValue", check.match_value

    def misformed(self) -> list[Problem]:
        """What is wrong with its patterns, whoever carries them out."""
        problems = []
        for where, each in self.patterns():
            try:
                if len(each.pattern.encode("latin-1")) > LONGEST_PATTERN:
                    problems.append(Problem(f"{where}.pattern", f"must have at most {LONGEST_PATTERN} characters"))
            except UnicodeEncodeError:
                problems.append(
                    Problem(
                        f"{where}.pattern",
                        "must be Latin-1: what comes over the wire is matched byte by byte, and a character beyond "
                        r"U+00FF is several bytes there, each of which can be written as \xHH",
                    )
                )
            try:
                flags(each.flags or "")
            except ValueError as error:
                problems.append(Problem(f"{where}.flags", str(error)))
        return problems


@frozen(kw_only=True)
class RuleScope:
    """What one of a proxy's parts says of requests. `rules`: the active ones, in the order of the report: by falling
    priority, those of equal priority as they were created."""

    scope: Scope
    parent_id: str
    default_effect: str = "allow"
    rules: tuple[Rule, ...] = ()

    @property
    def open(self) -> bool:
        """Whether nothing here can deny anything."""
        return self.default_effect == "allow" and all(rule.report or rule.effect == "allow" for rule in self.rules)

    @property
    def idle(self) -> bool:
        """Whether there is nothing here to judge or to report."""
        return self.default_effect == "allow" and not self.rules


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The active ones of `rules` as a RuleScope has them."""
    active = (rule for rule in rules if rule.active)
    return tuple(sorted(active, key=lambda rule: (-rule.priority, rule.created_at, rule.id)))
