"""What is said of JSON values that cannot be taken: where, and what would be right, never the value itself.

Belongs here: how cattrs' and attrs' errors become `Problem`s. Does not: finding the errors (structuring.py).
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from cattrs.cols import is_frozenset, is_mapping, is_sequence, is_set
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from rrgate.api import ConfigError, Problem

LONGEST_NAME_SHOWN = 64
MOST_HINTS = 20
"""Unknown fields of which it is said what was perhaps meant: to find that takes 0.3 ms, for which everybody waits."""
_HEAD_OF_BOUND = re.compile(r"^'[^']*' (must be (?:[<>]=?) [^:]{1,40}): ")
_HEAD_OF_LENGTH = re.compile(r"^Length of '[^']*' (must be (?:[<>]=?) \d+): ")


class WrongValue(ValueError):
    """A value that cannot be taken; the text is safe to answer: it says what would be right and holds no value."""


def published_name(attribute: attrs.Attribute[Any]) -> str:
    """How JSON spells an attribute: its metadata's `name` if it has one, else its Python name in camelCase."""
    given = attribute.metadata.get("name")
    if isinstance(given, str):
        return given
    first, *rest = attribute.name.strip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def shown_name(name: str) -> str:
    """A name that a caller made up, short and harmless wherever it is shown."""
    ascii_name = name[:LONGEST_NAME_SHOWN].encode("ascii", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in ascii_name)


def unknown_field(name: str, known: Iterable[str], path: str = "") -> Problem:
    """The problem of a field that nothing knows, with the one that was perhaps meant."""
    shown = shown_name(name)
    names = sorted(known)
    near = difflib.get_close_matches(name[:LONGEST_NAME_SHOWN], names, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif names:
        hint = "known are " + ", ".join(names)
    else:
        hint = "there are no fields here"
    return Problem(f"{path}.{shown}" if path else shown, f"is not a known field; {hint}")


def unknown_fields(names: Iterable[str], known: Iterable[str], path: str = "") -> list[Problem]:
    """The same of several, in their order; those behind the first `MOST_HINTS` without what was perhaps meant."""
    known, unknown = tuple(known), tuple(names)
    problems = [unknown_field(name, known, path) for name in unknown[:MOST_HINTS]]
    return problems + [Problem(_join(path, shown_name(name)), "is not a known field") for name in unknown[MOST_HINTS:]]


def problems_of(error: BaseException, path: str, type_: Any = None) -> list[Problem]:
    """Every problem in what the converter raised, with `path` in front of its field."""
    if isinstance(error, ConfigError):
        return [Problem(_join(path, problem.field), problem.problem) for problem in error.problems]
    if isinstance(error, BaseValidationError):
        known = _published(error.cl) if isinstance(error, ClassValidationError) else {}
        found: list[Problem] = []
        for inner in error.exceptions:
            step, inner_type = _note(inner)
            if step is None:
                found += problems_of(inner, path, error.cl)
            elif isinstance(inner, KeyError) and isinstance(error, ClassValidationError):
                found.append(Problem(_join(path, known.get(str(step), str(step))), "is required"))
            else:
                found += problems_of(inner, _join(path, known.get(str(step), str(step))), inner_type)
        return found
    if isinstance(error, ForbiddenExtraKeysError):
        known_names = list(_published(error.cl).values())
        return unknown_fields(sorted(error.extra_fields, key=str), known_names, path)
    if isinstance(error, WrongValue):
        return [Problem(path, str(error))]
    return [_validator_problem(error, path, type_)]


def _validator_problem(error: BaseException, path: str, type_: Any) -> Problem:
    """What an attrs validator raised: its text ends in the value, so only the part before is used."""
    text = str(error.args[0]) if error.args else ""
    attribute = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], attrs.Attribute) else None
    named = re.search(r"'(\w+)'", text)
    if attribute is None and named is not None and isinstance(type_, type) and attrs.has(type_):
        attribute = attrs.fields_dict(type_).get(named[1])
    where = _join(path, published_name(attribute)) if attribute is not None else path
    head = _HEAD_OF_BOUND.match(text)
    if head is not None:
        return Problem(where, head[1])
    head = _HEAD_OF_LENGTH.match(text)
    if head is not None:
        return Problem(where, f"its length {head[1]}")
    if attribute is not None and len(error.args) == 4 and isinstance(error.args[2], list | tuple | set | frozenset):
        return Problem(where, "must be one of " + ", ".join(str(option) for option in error.args[2]))
    if attribute is not None:
        return Problem(where, f"is not valid; it must be {expected(attribute.type)}")
    return Problem(where, f"must be {expected(type_)}" if not attrs.has(type_ or object) else "is not valid")


def expected(type_: Any) -> str:
    """What a value for `type_` looks like, e.g. `a string`."""
    if get_origin(type_) is Annotated:
        return expected(get_args(type_)[0])
    if type_ in _PLAIN:
        return _PLAIN[type_]
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (Union, types.UnionType):
        return " or ".join(expected(member) for member in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(argument) for argument in arguments)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return "one of " + ", ".join(str(member.value) for member in type_)
    if is_mapping(type_) or (isinstance(type_, type) and attrs.has(type_)):
        return "an object"
    if is_sequence(type_) or is_set(type_) or is_frozenset(type_) or origin is tuple:
        one = expected(arguments[0]) if arguments else ""
        if one.startswith("one of "):
            return f"an array of some of {one.removeprefix('one of ')}"
        return f"an array of {one.removeprefix('a ').removeprefix('an ')}s" if one else "an array"
    return "of another kind"


_PLAIN: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    None: "null",
    Any: "anything",
    dict: "an object",
    list: "an array",
    tuple: "an array",
}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _published(class_: Any) -> dict[str, str]:
    return {attribute.name: published_name(attribute) for attribute in attrs.fields(class_) if attribute.init}


def _note(error: BaseException) -> tuple[str | int | None, Any]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name, note.type
        if isinstance(note, IterableValidationNote):
            step = note.index
            return (shown_name(step) if isinstance(step, str) else step), note.type
    return None, None
