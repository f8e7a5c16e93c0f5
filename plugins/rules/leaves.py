"""`Leaves`: what body and token checks see, values of JSON by their dotted paths, such as `messages.0.content`.

Belongs here: reading a body that nobody vouches for, claims that somebody did, and the bounds of both. Does not:
patterns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isinf
from typing import Any, Final, NamedTuple, NoReturn

from rrgate.api import without_strings

LARGEST_BODY: Final = 1024 * 1024
"""Bytes of a body that rules look at."""
MOST_LEAVES: Final = 10_000
"""Values, empty objects and empty arrays that rules look at; where there are more, all is in doubt."""
MOST_PARTS: Final = 2 * MOST_LEAVES
"""Numbers and objects, or arrays, of a body that is read: the time that it takes."""
LONGEST_PATH: Final = 4096
"""Bytes."""
LONGEST_PATHS: Final = 2 * 1024 * 1024
"""Bytes of all paths together: one long name can be in front of many leaves."""
_LONGEST_NUMBER: Final = 40
"""Characters; nobody knows what a target makes of more."""

Spellings = tuple[bytes, ...] | None
"""A value in each form that it may be taken for; None: in any."""


class Leaf(NamedTuple):
    """One value. `texts`: of a list of claims there are several, and each is the value; of others there is one.

    `certain`: the path is not that of another document too, as `a.b` is of `{"a.b": 1}` and of `{"a": {"b": 1}}`.
    """

    path: bytes
    texts: tuple[Spellings, ...]
    certain: bool = True


class Leaves(NamedTuple):
    """All leaves. `paths`: of all of them, a line each."""

    leaves: tuple[Leaf, ...]
    paths: bytes


NONE: Final = Leaves((), b"")
"""There is no body, or no token: no check finds anything."""


class Doubtful(ValueError):
    """What can be read in several ways, in none, or not within the bounds."""


def leaves_of_body(body: bytes) -> Leaves | None:
    """The leaves of a body that is strict JSON (RFC 8259, and RFC 7493 2.1 and 2.3: UTF-8, no half of a surrogate pair,
    no member twice); None where it is not, or has more than is looked at.
    """
    if not body:
        return NONE
    try:
        return _gathered(_every(_read(body), arrays_as_values=False))
    except (ValueError, RecursionError):
        return None


def leaves_of_claims(claims: Mapping[str, Any]) -> Leaves | None:
    """The same for claims. An array is one claim with several values, but for the objects and arrays in it, whose
    values have paths of their own, such as `groups.0.name`."""
    if not claims:
        return NONE
    try:
        return _gathered(_every(claims, arrays_as_values=True))
    except ValueError:
        return None


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _read(body: bytes) -> Any:
    """Raises ValueError and RecursionError."""
    if body.count(b"[") > MOST_PARTS and without_strings(body).count(b"[") > MOST_PARTS:
        raise Doubtful  # the reader tells of numbers and objects on the way, and of arrays only when it has made them
    count = 0

    def number(written: str) -> _Number:
        nonlocal count
        count += 1
        if count > MOST_PARTS:
            raise Doubtful
        return _Number(written)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal count
        count += 1
        if count > MOST_PARTS:
            raise Doubtful
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Doubtful
        return found

    return json.loads(
        body.decode("utf-8"),
        object_pairs_hook=members,
        parse_int=number,
        parse_float=number,
        parse_constant=_no_constant,
    )


def _no_constant(_: str) -> NoReturn:
    raise Doubtful


_Places = Iterator[tuple[bytes, bool, Any]]
"""Paths, whether each is certain, and what is there."""


def _every(document: Any, *, arrays_as_values: bool) -> Iterator[Leaf]:
    """Raises ValueError for what is no JSON, has a half of a surrogate pair, or a path that is too long."""
    # Paths are made one at a time: a long name may be in front of many values.
    open_places: list[_Places] = [iter(((b"", True, document),))]
    while open_places:
        for path, certain, value in open_places[-1]:
            if isinstance(value, Mapping) and value:
                open_places.append(_members(path, certain, value))
                break
            if isinstance(value, list | tuple):
                if arrays_as_values:
                    texts = [_spellings(each) for each in value if not isinstance(each, _CONTAINERS)]
                    if texts or not value:
                        yield Leaf(path, tuple(texts), certain)
                if value:
                    open_places.append(_elements(path, certain, value, only_containers=arrays_as_values))
                    break
                if not arrays_as_values:
                    yield Leaf(path, ((b"[]",),), certain)
            else:
                yield Leaf(path, (_spellings(value),), certain)
        else:
            open_places.pop()


_CONTAINERS: Final = (Mapping, list, tuple)


def _members(path: bytes, certain: bool, members: Mapping[str, Any]) -> _Places:
    begun = bool(path) or not certain
    for name, value in members.items():
        behind = name.encode()
        inner = b"%b.%b" % (path, behind) if begun else behind
        if len(inner) > LONGEST_PATH:
            raise Doubtful
        # A name that is empty, or has a dot in it, makes a path that means several places.
        yield inner, certain and b"." not in behind and bool(behind), value


def _elements(path: bytes, certain: bool, elements: Sequence[Any], *, only_containers: bool) -> _Places:
    begun = bool(path) or not certain
    for place, value in enumerate(elements):
        if not only_containers or isinstance(value, _CONTAINERS):
            yield (b"%b.%d" % (path, place) if begun else b"%d" % place), certain, value


def _gathered(every: Iterator[Leaf]) -> Leaves:
    leaves = []
    left = LONGEST_PATHS
    for leaf in every:
        leaves.append(leaf)
        left -= len(leaf.path)
        if len(leaves) > MOST_LEAVES or left < 0:
            raise Doubtful
    return Leaves(tuple(leaves), b"\n".join(leaf.path for leaf in leaves))


_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")


def _spellings(value: Any) -> Spellings:
    """What a value may be compared as. Raises ValueError."""
    spelled = _AS_TEXT.get(type(value))
    if spelled is None:
        raise Doubtful
    return spelled(value)


def _number(written: str) -> Spellings:
    """As it was written, and as it is written after a target has read it: `1e2` and `100`."""
    if len(written) > _LONGEST_NUMBER:
        return None
    if _PLAIN.match(written) and written != "-0":
        return (written.encode(),)
    number = float(written)
    if isinf(number):
        return None
    read = str(int(number)) if number.is_integer() else repr(number)
    return (written.encode(), read.encode()) if read != written else (read.encode(),)


_AS_TEXT: Final[Mapping[type, Callable[[Any], Spellings]]] = {
    str: lambda value: (value.encode(),),
    bool: lambda value: (b"true" if value else b"false",),
    type(None): lambda value: (b"null",),
    dict: lambda value: (b"{}",),
    _Number: _number,
    int: lambda value: _number(str(value)),
    float: lambda value: _number(repr(value)),
}
