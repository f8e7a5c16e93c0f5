"""`configure`: a plugin's `Config` from a JSON object, or every reason why not.

Belongs here: what holds for the configuration of every plugin. Does not: how single values are read (structuring.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs.cols import is_mapping

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
    return _secret_in(config_class, set())


def _secret_in(type_: Any, seen: set[Any]) -> bool:
    class_, arguments = _taken_apart(type_)
    if any(_secret_in(each, seen) for each in arguments):
        return True
    if class_ is None or class_ in seen:
        return False
    seen.add(class_)
    try:
        fields = attrs.fields(attrs.resolve_types(class_))
    except NameError:  # nobody can tell what is in it: then it is not shown
        return True
    return any(each.metadata.get("secret") or _secret_in(each.type, seen) for each in fields)


def _taken_apart(type_: Any) -> tuple[type[Any] | None, tuple[Any, ...]]:
    """(the attrs class that a type is, what it is made of)."""
    while hasattr(type_, "__supertype__"):  # a NewType
        type_ = type_.__supertype__
    class_ = get_origin(type_) or type_
    return class_ if isinstance(class_, type) and attrs.has(class_) else None, get_args(type_)


def without_secrets(config_class: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """`document`, which `configure` takes for a `config_class`, without the fields that are secret, at any depth.

    Where a value may be of several classes, what is secret in any of them is left out.
    """
    left: dict[str, Any] = _without(config_class, dict(document))
    return left


def _without(type_: Any, value: Any) -> Any:
    class_, arguments = _taken_apart(type_)
    if class_ is not None and isinstance(value, Mapping):
        try:
            known = {published_name(each): each for each in attrs.fields(attrs.resolve_types(class_))}
        except NameError:  # see `_secret_in`
            return {}
        return {
            # What a generic class is made of may be in any of its fields.
            name: _by_all((known[name].type, *arguments), each) if name in known else each
            for name, each in value.items()
            if name not in known or not known[name].metadata.get("secret")
        }
    if isinstance(value, Mapping) and is_mapping(type_):
        return {name: _by_all(arguments[1:], each) for name, each in value.items()}
    if isinstance(value, list | tuple) and not _is_union(type_):
        return [_by_all(arguments, each) for each in value]
    return _by_all(arguments, value)


def _by_all(types: tuple[Any, ...], value: Any) -> Any:
    for type_ in types:
        value = _without(type_, value)
    return value


def _is_union(type_: Any) -> bool:
    return get_origin(type_) in (Union, UnionType, Annotated)
