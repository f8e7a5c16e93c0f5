"""JSON that keeps numbers as they were written: `1.10` stays `1.10`, and a number of 40 digits keeps them all.

Belongs here: reading, what can be counted before that, the way back to text, plain numbers, comparing two values. Does
not: what is strict (core/bodies.py), or what a field may hold (structuring.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final


def plain_number(value: float) -> float:
    """`value` as people write it: whole numbers without a point. A program that reads 100 may not take 100.0."""
    return int(value) if value.is_integer() else value


class WrittenNumber(float):
    """A number whose text Python would write in another way. Works as a float; `text` is as it came."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)  # for copies


def _fraction(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else WrittenNumber(text)


def _whole(text: str) -> int | float:
    return WrittenNumber(text) if text == "-0" else int(text)


def read_json(
    text: str | bytes,
    *,
    members: Callable[[list[tuple[str, Any]]], Any] | None = None,
    constant: Callable[[str], Any] | None = None,
) -> Any:
    """As `json.loads`. `members` makes an object of its members, `constant` a value of NaN and infinities."""
    if members is None and constant is None and isinstance(text, str):
        return _DECODER.decode(text)
    return json.loads(text, parse_float=_fraction, parse_int=_whole, object_pairs_hook=members, parse_constant=constant)


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_whole)
"""Kept for rows of the store: to make it takes longer than a row (5.8 µs in place of 3.2)."""


def without_strings(text: bytes) -> bytes:
    """JSON without its strings, so that its commas and brackets can be counted before anybody reads it.

    In linear time whatever `text` is: one that is no JSON may have a string that does not end, which is left out, too.
    """
    return _STRING.sub(b"", text)


# It matches wherever a string begins. Did it not where the end is missing, each `\"` would begin one that is looked
# through to the end of the text, which takes hours for a megabyte of them.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def json_text(value: Any, *, ascii: bool = False, sort: bool = False) -> str:
    """`value`, as read by `read_json` or made by hand, as compact JSON with its numbers as they were written.

    `ascii`: everything beyond ASCII is escaped, halves of surrogate pairs too. `sort`: members by name. Raises
    ValueError for NaN and infinity, TypeError for what is no JSON.
    """
    if not _holds_written(value):
        return json.dumps(value, ensure_ascii=ascii, sort_keys=sort, allow_nan=False, separators=(",", ":"))
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, Mapping):
        members = sorted(value.items()) if sort else value.items()
        inner = [
            f"{json.dumps(name, ensure_ascii=ascii)}:{json_text(each, ascii=ascii, sort=sort)}"
            for name, each in members
        ]
        return "{" + ",".join(inner) + "}"
    return "[" + ",".join(json_text(each, ascii=ascii, sort=sort) for each in value) + "]"


def _holds_written(value: Any) -> bool:
    # The encoder in C, which has no way to write these, is 20 times as fast as what is done here.
    waiting = [value]
    for current in waiting:
        kind = type(current)
        if kind is dict:
            waiting.extend(current.values())
        elif kind is list or kind is tuple:
            waiting.extend(current)
        elif kind is WrittenNumber:
            return True
    return False


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: types and spellings of numbers count, the order of members does not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, WrittenNumber):
        return bool(one.text == other.text)
    return bool(one == other)
