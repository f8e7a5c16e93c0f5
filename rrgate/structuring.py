"""Strict cattrs: JSON values into typed Python ones, with no guessing and no value in any complaint.

Belongs here: the converter, and how its errors become `Problem`s. Does not: what a plugin (configuring.py) or a noun
(model/documents.py) asks of its fields.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable
from enum import Enum
from math import isfinite
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from cattrs import BaseConverter, Converter
from cattrs.cols import (
    is_frozenset,
    is_mapping,
    is_sequence,
    is_set,
    list_structure_factory,
    mapping_structure_factory,
)
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from rrgate.api import ConfigError, Problem

Hook = Callable[[Any, Any], Any]

LONGEST_NAME_SHOWN = 64
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


def structure(value: object, type_: Any, path: str) -> Any:
    """`value`, as read from JSON, as a `type_`. Raises ConfigError with every problem found, `path` in front."""
    try:
        return CONVERTER.structure(value, type_)
    except Exception as error:  # noqa: BLE001 - a Config's own code may raise anything: it is refused all the same
        problems = problems_of(error, path, type_)
    # Raised out here, so that no context with a validator's text, and the value in it, hangs on the error.
    raise ConfigError(*problems)


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
        return [unknown_field(name, known_names, path) for name in sorted(error.extra_fields, key=str)]
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
        return f"an array of {expected(arguments[0]).removeprefix('a ')}s" if arguments else "an array"
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
    return {attribute.name: published_name(attribute) for attribute in attrs.fields(class_)}


def _note(error: BaseException) -> tuple[str | int | None, Any]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name, note.type
        if isinstance(note, IterableValidationNote):
            step = note.index
            return (shown_name(step) if isinstance(step, str) else step), note.type
    return None, None


def _string(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise WrongValue("must be a string")
    return value


def _boolean(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValue("must be true or false")
    return value


def _integer(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongValue("must be a whole number")
    return value


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue("must be a number")
    try:
        number = float(value)
    except OverflowError:
        raise WrongValue("is too large a number") from None
    if not isfinite(number):
        raise WrongValue("must be a finite number")
    return number


def _choice(value: Any, type_: Any) -> Any:
    for option in get_args(type_):
        if type(option) is type(value) and option == value:
            return option
    raise WrongValue(f"must be {expected(type_)}")


def _chosen(value: Any, type_: Any) -> Any:
    for member in type_:
        if type(member.value) is type(value) and member.value == value:
            return member
    raise WrongValue(f"must be {expected(type_)}")


def _either(value: Any, type_: Any) -> Any:
    """A member of a union: the first that takes the value; an only candidate's own complaint is passed on."""
    members = get_args(type_)
    if value is None and type(None) in members:
        return None
    candidates = [member for member in members if member is not type(None)]
    if len(candidates) == 1:
        return CONVERTER.structure(value, candidates[0])
    for member in candidates:
        try:
            return CONVERTER.structure(value, member)
        except Exception:  # noqa: BLE001 - whatever one member refuses, the next may take
            continue
    raise WrongValue(f"must be {expected(type_)}")


def _only(json_type: type, text: str, hook: Hook) -> Hook:
    """`hook`, for nothing but this JSON type: cattrs itself would take a string apart into a list."""

    def checked(value: Any, type_: Any) -> Any:
        if not isinstance(value, json_type):
            raise WrongValue(f"must be {text}")
        return hook(value, type_)

    return checked


def _is_literal(type_: Any) -> bool:
    origin: Any = get_origin(type_)
    return origin is Literal


def _is_enum(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Enum)


def _is_union(type_: Any) -> bool:
    return get_origin(type_) in (Union, types.UnionType)


def _is_array(type_: Any) -> bool:
    if get_origin(type_) is tuple:
        return get_args(type_)[-1:] == (...,)
    return bool(is_sequence(type_) or is_set(type_) or is_frozenset(type_))


def _array_hook(type_: Any, converter: BaseConverter) -> Hook:
    element = (get_args(type_) or (Any,))[0]
    elements = list_structure_factory(list[element], converter)  # type: ignore[valid-type]
    make: Callable[[list[Any]], Any] = list if (get_origin(type_) or type_) is list else tuple
    if is_frozenset(type_):
        make = frozenset
    elif is_set(type_):
        make = set
    return _only(list, "an array", lambda value, _: make(elements(value, None)))


def _object_hook(type_: Any, converter: BaseConverter) -> Hook:
    return _only(dict, "an object", mapping_structure_factory(type_, converter, detailed_validation=True))


def _class_hook(type_: Any, converter: BaseConverter) -> Hook:
    names: Any = {attribute.name: override(rename=published_name(attribute)) for attribute in attrs.fields(type_)}
    structure_class = make_dict_structure_fn(
        type_, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **names
    )
    return _only(dict, "an object", structure_class)


def _new_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for type_, hook in ((str, _string), (bool, _boolean), (int, _integer), (float, _number)):
        converter.register_structure_hook(type_, hook)
    converter.register_structure_hook_func(_is_literal, _choice)
    converter.register_structure_hook_func(_is_enum, _chosen)
    converter.register_structure_hook_func(_is_union, _either)
    converter.register_structure_hook_factory(_is_array, _array_hook)
    converter.register_structure_hook_factory(is_mapping, _object_hook)
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    return converter


CONVERTER = _new_converter()
"""Structures what JSON gives; unknown fields, and values of another type, are errors."""
