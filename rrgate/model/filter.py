"""`Filter`: what of a target's JSON answers a credential, target or proxy keeps back, and `FilterScope`, all of one of
them.

Belongs here: what a filter is, and the form of its values. Does not: what JSONPaths mean, or filtering (plugins/).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from rrgate.model.published import Milliseconds, Writable, asks, each_of, published
from rrgate.model.rule import (
    BodyCheck,
    NamedCheck,
    PathCheck,
    Rule,
    Scope,
    TokenCheck,
    few,
    flags,
    known_methods,
    notes,
)
from rrgate.model.values import one_of

MOST_FILTERS: Final = 50
"""Filters of one credential, target or proxy."""
MOST_JSON_PATHS: Final = 50
"""JSONPaths of a filter."""
LONGEST_JSON_PATH: Final = 512
"""Characters."""


@asks(minItems=1, maxItems=MOST_JSON_PATHS)
def _json_paths(value: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(value) <= MOST_JSON_PATHS:
        raise ValueError(f"must be 1 to {MOST_JSON_PATHS} JSONPaths")
    return tuple(dict.fromkeys(each_of(value, _json_path)))


def _json_path(value: str) -> str:
    if not value.startswith("$") or len(value) > LONGEST_JSON_PATH:
        raise ValueError(f"must be a JSONPath such as $.items[*].name, of at most {LONGEST_JSON_PATH} characters")
    return value


@frozen(kw_only=True)
class Filter:
    """A filter of a credential, target or proxy (`parent_id`). It applies to the answers to those requests that all its
    checks match."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    parent_id: str = published(
        "parentId", writable=Writable.NEVER, help="The credential, target or proxy that it belongs to."
    )
    effect: str = published(
        "effect",
        check=one_of("retain", "destroy"),
        help="`retain`: nothing but what the paths name is answered; `destroy`: all but that.",
    )
    json_paths: tuple[str, ...] = published(
        "jsonPaths",
        check=_json_paths,
        help="RFC 9535, without `match` and `search`; 1 to 50.",
        example=["$..password"],
    )
    methods: tuple[str, ...] | None = published(
        "methods", default=None, check=known_methods, help="For which methods; all if null."
    )
    path: PathCheck | None = published("path", default=None, help="What the path must or must not match.")
    headers: tuple[NamedCheck, ...] = published(
        "headers", factory=tuple, check=few, help="Headers of the request; at most 20."
    )
    query: tuple[NamedCheck, ...] = published(
        "query", factory=tuple, check=few, help="Query parameters of the request; at most 20."
    )
    body: tuple[BodyCheck, ...] = published(
        "body", factory=tuple, check=few, help="Values in the request's JSON body; at most 20."
    )
    token: tuple[TokenCheck, ...] = published(
        "token", factory=tuple, check=few, help="Claims of the caller's token; at most 20."
    )
    regex_flags: str | None = published(
        "regexFlags", default=None, check=flags, help="`flags` of the patterns that have none of their own."
    )
    notes: str | None = published("notes", default=None, check=notes, help="For people; at most 2000 characters.")
    active: bool = published("active", default=True, help="Whether it is looked at.")
    created_at: Milliseconds = published("filterCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("filterUpdatedAt", writable=Writable.NEVER)

    @property
    def as_rule(self) -> Rule:
        """A rule with its checks that denies: it matches the requests whose answers are filtered, and so where it is
        in doubt whether it does, they are."""
        return Rule(
            id=self.id,
            client_id=self.client_id,
            user_id=self.user_id,
            parent_id=self.parent_id,
            effect="deny",
            methods=self.methods,
            path=self.path,
            headers=self.headers,
            query=self.query,
            body=self.body,
            token=self.token,
            regex_flags=self.regex_flags,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


@frozen(kw_only=True)
class FilterScope:
    """What one of a proxy's parts keeps back. `filters`: the active ones, as they were created."""

    scope: Scope
    parent_id: str
    filters: tuple[Filter, ...] = ()


def in_force(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """The active ones of `filters` as a FilterScope has them."""
    active = (each for each in filters if each.active)
    return tuple(sorted(active, key=lambda each: (each.created_at, each.id)))
