"""Query parameters of the Core API: reading them strictly, and paging through lists.

Belongs here: `Query`, pages. Does not: what a parameter means to a noun.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from attrs import field, frozen

from rrgate.api import Problem
from rrgate.complaints import unknown_field
from rrgate.core.answers import Answer, not_right, ready
from rrgate.json_text import json_text
from rrgate.model.belonging import Belonging
from rrgate.model.times import parse_nanoseconds

N = TypeVar("N", bound=Any)

MOST: Final = 1000
"""Objects of one answer; also how many are answered where no `limit` is asked for."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Characters of the objects of one answer; an object that has more comes alone."""

PAGING: Final = ("limit", "cursor")


@frozen
class Query:
    """The parameters of one request, each at most once and known to the route. All raise Refused with 400."""

    values: dict[str, str] = field(repr=False)

    @classmethod
    def read(cls, raw: str, known: Iterable[str]) -> Query:
        """Split and decode `raw`, the query as it stands in the URL."""
        try:
            pairs = parse_qsl(raw, keep_blank_values=True, strict_parsing=bool(raw), errors="strict", max_num_fields=50)
        except ValueError:
            raise not_right([Problem("query", "must be name=value pairs, percent-encoded UTF-8")]) from None
        names = tuple(known)
        problems: list[Problem] = []
        values: dict[str, str] = {}
        for name, value in pairs:
            if name not in names:
                problem = unknown_field(name, names)
                problems.append(Problem(problem.field, problem.problem.replace("field", "query parameter")))
            elif name in values:
                problems.append(Problem(name, "must be given once"))
            values[name] = value
        if problems:
            raise not_right(problems)
        return cls(values)

    def text(self, name: str) -> str | None:
        """The value, or None if it is not there."""
        return self.values.get(name)

    def flag(self, name: str) -> bool:
        """`true` or `false`; false if it is not there."""
        value = self.values.get(name, "false")
        if value not in ("true", "false"):
            raise not_right([Problem(name, "must be true or false")])
        return value == "true"

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, or None if it is not there."""
        value = self.values.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most):
            raise not_right([Problem(name, f"must be a whole number from {least} to {most}")])
        return int(value)

    def limit(self) -> int:
        """How many objects are wanted."""
        return self.number("limit", 1, MOST) or MOST

    def after(self, name: str) -> int | None:
        """The milliseconds since the epoch behind which, exclusively, a time lies that is after `name`."""
        moment = self._nanoseconds(name)
        return None if moment is None else moment // 1_000_000

    def before(self, name: str) -> int | None:
        """The milliseconds since the epoch before which, exclusively, a time lies that is before `name`."""
        moment = self._nanoseconds(name)
        return None if moment is None else -(-moment // 1_000_000)

    def minute(self, name: str) -> int | None:
        """The minute since the epoch that the time `name` lies in."""
        moment = self._nanoseconds(name)
        return None if moment is None else moment // 60_000_000_000

    def _nanoseconds(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        try:
            return parse_nanoseconds(value)
        except ValueError as error:
            raise not_right([Problem(name, str(error))]) from None


def page(nouns: Iterable[N], query: Query) -> tuple[Sequence[N], str | None]:
    """One page of `nouns`, in the order of their creation, and the cursor of the next one if there is one.

    What is created or deleted between two pages shifts nothing: the cursor is a place, not a count.
    """
    ordered = sorted(nouns, key=_place)
    cursor = query.text("cursor")
    if cursor is not None:
        behind = _read_cursor(cursor)
        ordered = [noun for noun in ordered if _place(noun) > behind]
    limit = query.limit()
    following = _write_cursor(ordered[limit - 1]) if len(ordered) > limit else None
    return ordered[:limit], following


def page_of(
    nouns: Belonging[N], owner_id: str, query: Query, wanted: Callable[[N], bool] = lambda noun: True
) -> tuple[Sequence[N], str | None]:
    """The same of those that belong to one, which lie in this order already: no more than a page of them is looked at,
    but for those that are not `wanted`."""
    cursor, limit = query.text("cursor"), query.limit()
    behind = nouns.behind(owner_id, None if cursor is None else _read_cursor(cursor))
    found = list(islice(filter(wanted, behind), limit + 1))
    return found[:limit], _write_cursor(found[limit - 1]) if len(found) > limit else None


def listed_by_size(
    plural: str, nouns: Iterable[N], documents: Iterable[Mapping[str, Any]], following: str | None
) -> Answer:
    """A page of a list, as `listed` answers it, of objects that may be large: with `MOST_BYTES` it ends sooner.

    `documents`: of `nouns`, one by one. `following`: the cursor behind all of them.
    """
    texts: list[str] = []
    size = 0
    last: Any = None
    for noun, document in zip(nouns, documents, strict=True):
        text = json_text(document)
        size += len(text)
        if texts and size > MOST_BYTES:
            following = _write_cursor(last)
            break
        texts.append(text)
        last = noun
    rest = {"message": "Success"} if following is None else {"message": "Success", "nextCursor": following}
    return ready(f'{{"{plural}":[{",".join(texts)}],{json_text(rest)[1:]}'.encode())


def page_by_id(nouns: Iterable[N], query: Query) -> tuple[Sequence[N], str | None]:
    """The same of what has no time of creation, in the order of ids."""
    placed = [_ById(each) for each in nouns]
    found, cursor = page(placed, query)
    return [each.noun for each in found], cursor


class _ById:
    def __init__(self, noun: Any) -> None:
        self.noun, self.id, self.created_at = noun, noun.id, 0


def _place(noun: Any) -> tuple[int, str]:
    return noun.created_at, noun.id


def _write_cursor(noun: Any) -> str:
    created_at, id = _place(noun)
    return base64.urlsafe_b64encode(f"{created_at}.{id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        created_at, dot, id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        if dot and len(created_at) < 20:
            return int(created_at), id
    except (ValueError, binascii.Error):
        pass
    raise not_right([Problem("cursor", "must be the nextCursor of an earlier answer")])
