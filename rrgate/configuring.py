"""`configure`: a plugin's `Config` from a JSON object, or every reason why not.

Belongs here: what holds for the configuration of every plugin. Does not: how single values are read (structuring.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from rrgate.complaints import published_name
from rrgate.structuring import structure

C = TypeVar("C")


def configure(config_class: type[C], document: object, path: str) -> C:
    """`document`, a JSON object, as a `config_class`, a plugin's attrs class.

    A field is spelled in camelCase (`add_to_header` is `addToHeader`) unless its metadata has a `name`. `path`: where
    the object stands in the request, such as `credentialSecret`; it goes in front of the fields named in problems.

    Raises ConfigError with every problem found: unknown fields, missing ones, values of another type, and what the
    class's own validators or `__attrs_post_init__` say. No problem holds a value of the document.
    """
    config: C = structure(document, config_class, path)
    return config


def holds_secrets(config_class: type[Any]) -> bool:
    """Whether anything in a `config_class` is secret: one of its fields, or one of a class within it, at any depth."""
    return _secret_in([config_class], [])


def _secret_in(types: Iterable[Any], seen: list[Any]) -> bool:
    for type_ in _told(types):
        if type_ in seen:
            continue
        seen.append(type_)
        try:
            fields, within = _taken_apart(type_)
        except _Untold:
            return True
        if any(each.metadata.get("secret") for each in fields.values()):
            return True
        if _secret_in([*within, *(each.type for each in fields.values())], seen):
            return True
    return False


def without_secrets(config_class: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """`document`, which `configure` takes for a `config_class`, without the fields that are secret, at any depth.

    Where a value may be of several classes, what is secret in any of them is left out. Of a class whose annotations
    nobody can tell nothing is shown.
    """
    left: dict[str, Any] = _without([config_class], dict(document))
    return left


def _without(types: Iterable[Any], value: Any) -> Any:
    # Of all types in one pass: one after the other, at each depth, would take twice as long with every depth.
    if not isinstance(value, Mapping | list | tuple):
        return value
    hidden: set[str] = set()
    known: dict[str, list[Any]] = {}
    anywhere: list[Any] = []
    for type_ in _told(types):
        try:
            fields, within = _taken_apart(type_)
        except _Untold:
            return {} if isinstance(value, Mapping) else []
        anywhere += (each for each in within if each not in anywhere)
        for name, each in fields.items():
            if each.metadata.get("secret"):
                hidden.add(name)
            known.setdefault(name, []).append(each.type)
    if not isinstance(value, Mapping):
        return [_without(anywhere, each) for each in value]
    return {
        name: _without([*known.get(name, ()), *anywhere], each) for name, each in value.items() if name not in hidden
    }


def _told(types: Iterable[Any]) -> list[Any]:
    """`types`, each once, with the members of a union in its place, and what a type is another name of in its."""
    found: list[Any] = []
    for type_ in types:
        while hasattr(type_, "__supertype__"):  # a NewType
            type_ = type_.__supertype__
        origin = get_origin(type_)
        same_value = origin in (Union, UnionType, Annotated) or not isinstance(origin, type | None)
        found += (each for each in (_told(get_args(type_)) if same_value else [type_]) if each not in found)
    return found


class _Untold(Exception):
    """A class has annotations that name nothing: nobody can tell what is in it, and so it is not shown."""


def _taken_apart(type_: Any) -> tuple[Mapping[str, attrs.Attribute[Any]], tuple[Any, ...]]:
    """(the fields of an attrs class by their names in JSON, the types of what else a value of this type holds).

    Raises _Untold.
    """
    class_, within = get_origin(type_) or type_, get_args(type_)
    if not isinstance(class_, type):
        return {}, within
    # What a generic class is made of, or one that it derives from, may be in any of its fields.
    for base in class_.__mro__:
        for each in vars(base).get("__orig_bases__", ()):
            within += get_args(each)
    try:
        if attrs.has(class_):
            return {published_name(each): each for each in attrs.fields(attrs.resolve_types(class_))}, within
        # A dataclass, TypedDict or NamedTuple; of any other class this is nothing.
        return {}, (*within, *get_type_hints(class_).values())
    except Exception as error:  # annotations are code, which may raise anything
        raise _Untold(class_.__name__) from error
