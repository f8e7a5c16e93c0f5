"""Comparing two JSON values as JSONPath does (RFC 9535 2.3.5.2.2), and `Run`, which bounds what all of it may cost.

Belongs here: what `==` and `<` say of values. Does not: which values are compared (queries.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

NOTHING: Final = object()
"""The value of a query that selects nothing."""


CHARACTERS_A_LOOK: Final = 64
"""Characters of two texts that are compared for what it costs to look at one value."""


class TooMuchWork(ValueError):
    """A document for which the filters would have to look at more than they may."""


class Run:
    """One document on its way through filters. `left`: how many values may still be looked at."""

    __slots__ = ("document", "left")

    def __init__(self, document: Any, most: int) -> None:
        self.document = document
        self.left = most

    def spend(self, values: int) -> None:
        """So many are looked at now. Raises TooMuchWork."""
        self.left -= values
        if self.left < 0:
            raise TooMuchWork


def same(one: Any, other: Any, run: Run) -> bool:
    """Whether two values are equal: numbers by value, texts by their characters, objects whatever their order."""
    waiting = [(one, other)]
    while waiting:
        one, other = waiting.pop()
        if one is other:
            continue
        if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
            return False  # each of them is only equal to itself
        if one is NOTHING or other is NOTHING:
            return False
        if isinstance(one, dict):
            if not isinstance(other, dict) or one.keys() != other.keys():
                return False
            run.spend(len(one))
            waiting += [(each, other[name]) for name, each in one.items()]
        elif isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            run.spend(len(one))
            waiting += zip(one, other, strict=True)
        elif isinstance(other, dict | list) or isinstance(one, str) is not isinstance(other, str):
            return False
        else:
            if isinstance(one, str) and len(one) == len(other):
                run.spend(len(one) // CHARACTERS_A_LOOK)
            if one != other:
                return False
    return True


def less(one: Any, other: Any, run: Run) -> bool:
    """Whether two numbers or two texts are in this order; no others are."""
    if isinstance(one, str) and isinstance(other, str):
        run.spend(min(len(one), len(other)) // CHARACTERS_A_LOOK)
        return one < other
    return _is_number(one) and _is_number(other) and bool(one < other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


COMPARISONS: Final[Mapping[str, Callable[[Any, Any, Run], bool]]] = {
    "==": same,
    "!=": lambda one, other, run: not same(one, other, run),
    "<": less,
    ">": lambda one, other, run: less(other, one, run),
    "<=": lambda one, other, run: less(one, other, run) or same(one, other, run),
    ">=": lambda one, other, run: less(other, one, run) or same(one, other, run),
}
