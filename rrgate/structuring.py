"""Strict cattrs: JSON values into typed Python ones, with no guessing.

Belongs here: the converter. Does not: what is said of values that it refuses (complaints.py), or what a plugin
(configuring.py) or a noun (model/documents.py) asks of its fields.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from enum import Enum
from math import isfinite
from typing import Any, Final, Literal, Union, get_args, get_origin

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
from cattrs.gen import make_dict_structure_fn, override

from rrgate.api import ConfigError
from rrgate.complaints import WrongValue, expected, problems_of, published_name

Hook = Callable[[Any, Any], Any]


def structure(value: object, type_: Any, path: str) -> Any:
    """`value`, as read from JSON, as a `type_`. Raises ConfigError with every problem found, `path` in front."""
    begun = _TRIED.set({})
    try:
        return CONVERTER.structure(value, type_)
    except Exception as error:  # noqa: BLE001 - a Config's own code may raise anything: it is refused all the same
        problems = problems_of(error, path, type_)
    finally:
        _TRIED.reset(begun)
    # Raised out here, so that no context with a validator's text, and the value in it, hangs on the error.
    raise ConfigError(*problems)


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


_Tried = dict[tuple[int, int], tuple[Any, Any, Any]]
_TRIED: ContextVar[_Tried | None] = ContextVar("what came of values that a union was asked of", default=None)
"""By the ids of a value and a union: both, so that these stay their ids, and what it came to, or _NONE_TAKES_IT."""
_NONE_TAKES_IT: Final = object()


def _either(value: Any, type_: Any) -> Any:
    """A member of a union: the first that takes the value; an only candidate's own complaint is passed on."""
    members = get_args(type_)
    if value is None and type(None) in members:
        return None
    candidates = [member for member in members if member is not type(None)]
    if len(candidates) == 1:
        return CONVERTER.structure(value, candidates[0])
    # What is in a value is asked again for each member that reads it; where unions hold themselves, and nobody
    # remembered the answers, that would take twice as long with each depth.
    tried = _TRIED.get()
    if tried is None or not isinstance(value, dict | list):
        taken = _first_that_takes(value, candidates)
    elif (known := tried.get((id(value), id(type_)))) is not None:
        taken = known[2]
    else:
        taken = _first_that_takes(value, candidates)
        tried[id(value), id(type_)] = value, type_, taken
    if taken is _NONE_TAKES_IT:
        raise WrongValue(f"must be {expected(type_)}")
    return taken


def _first_that_takes(value: Any, members: Sequence[Any]) -> Any:
    for member in members:
        try:
            return CONVERTER.structure(value, member)
        except Exception:  # noqa: BLE001 - whatever one member refuses, the next may take
            continue
    return _NONE_TAKES_IT


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
