"""`Meter`: what is counted of a proxy's requests, and how much of it there may be.

Belongs here: what a meter is, and the form of its values. Does not: counting (counters/), telling which requests it is
for and reading values of answers (plugins/).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from attrs import frozen

from rrgate.config_values import ConfigError, Problem
from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.rule import BodyCheck, NamedCheck, PathCheck, Rule, TokenCheck, few, flags, known_methods
from rrgate.model.values import name, one_of

METER_TYPES: Final = frozenset({"request_count", "response_value"})
"""What a meter may count: requests, or a value in the answers to them."""
MOST_METERS: Final = 20
"""Meters of a proxy."""
LARGEST_LIMIT: Final = 1_000_000_000_000
LONGEST_PATH: Final = 512
"""Characters of a JSONPath."""


@frozen(kw_only=True)
class Predicates:
    """Which requests a meter is for: those that all these checks match. Their forms are those of a rule's."""

    methods: tuple[str, ...] | None = None
    path: PathCheck | None = None
    headers: tuple[NamedCheck, ...] = ()
    query: tuple[NamedCheck, ...] = ()
    body: tuple[BodyCheck, ...] = ()
    token: tuple[TokenCheck, ...] = ()
    regex_flags: str | None = None


@frozen(kw_only=True)
class Extraction:
    """Where in an answer the value stands: at a `path` in its JSON body, or in the header `name`."""

    location: Literal["body", "header"]
    path: str | None = None
    name: str | None = None


@frozen(kw_only=True)
class MeterLimits:
    """How much may be counted in a minute, hour, day and month of the calendar, in UTC; any amount if null."""

    minute: float | None = None
    hour: float | None = None
    day: float | None = None
    month: float | None = None


def _predicates(value: Predicates) -> Predicates:
    problems = []
    for field, check in (("methods", known_methods), ("headers", few), ("query", few), ("body", few), ("token", few)):
        try:
            check(getattr(value, field))
        except ValueError as error:
            problems.append(Problem(f"predicates.{field}", str(error)))
    try:
        flags(value.regex_flags or "")
    except ValueError as error:
        problems.append(Problem("predicates.regexFlags", str(error)))
    if problems:
        raise ConfigError(*problems)
    return value


def _limits(value: MeterLimits) -> MeterLimits:
    problems = [
        Problem(f"limits.{window}", f"must be greater than 0, and at most {LARGEST_LIMIT}; null is no limit")
        for window in ("minute", "hour", "day", "month")
        if (most := getattr(value, window)) is not None and not 0 < most <= LARGEST_LIMIT
    ]
    if problems:
        raise ConfigError(*problems)
    return value


@frozen(kw_only=True)
class Meter:
    """A meter of a proxy (`parent_id`)."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    parent_id: str = published("parentId", writable=Writable.NEVER, help="The proxy that it belongs to.")
    name: str = published(
        "meterName", check=name, help="A name for people, 1 to 200 characters.", example="Tokens of large models"
    )
    type: str = published(
        "meterType",
        check=one_of(*sorted(METER_TYPES)),
        help="`request_count`: how many requests; `response_value`: the sum of a value in their answers.",
    )
    mode: str = published(
        "meterMode",
        default="all",
        check=one_of("all", "conditional"),
        help="`all` requests, or, if `conditional`, those that `predicates` match.",
    )
    predicates: Predicates | None = published(
        "predicates", default=None, check=_predicates, help="Checks as rules have them: which requests it is for."
    )
    active: bool = published("meterActive", default=True, help="Whether it counts.")
    extraction: Extraction | None = published(
        "extraction",
        default=None,
        help="Of a `response_value`: a `location`, `body` with a `path` or `header` with a `name`.",
    )
    limits: MeterLimits = published(
        "limits",
        default=MeterLimits(),
        check=_limits,
        help="How much there may be in a `minute`, `hour`, `day` and `month`; 429 beyond.",
    )
    created_at: Milliseconds = published("meterCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("meterUpdatedAt", writable=Writable.NEVER)

    @property
    def partition(self) -> str:
        """What is published as `pKey`: of meters it is not the client."""
        return self.parent_id

    @property
    def as_rule(self) -> Rule | None:
        """A rule that denies and has its checks: it matches the requests that are counted, and so where it is in doubt
        whether it does, they are. None where all are."""
        found = self.predicates
        if self.mode == "all" or found is None:
            return None
        return Rule(
            id=self.id,
            client_id=self.client_id,
            user_id=self.user_id,
            parent_id=self.parent_id,
            effect="deny",
            methods=None if found.methods is None else known_methods(found.methods),
            path=found.path,
            headers=found.headers,
            query=found.query,
            body=found.body,
            token=found.token,
            regex_flags=found.regex_flags,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


def metering(meters: Iterable[Meter]) -> tuple[Meter, ...]:
    """The active ones of `meters`, as they were created."""
    active = (each for each in meters if each.active)
    return tuple(sorted(active, key=lambda each: (each.created_at, each.id)))
