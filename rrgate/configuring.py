"""`configure`: a plugin's `Config` from a JSON object, or every reason why not.

Belongs here: what holds for the configuration of every plugin. Does not: how single values are read (structuring.py).
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import attrs

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
    if not isinstance(type_, type) or not attrs.has(type_):
        return any(_secret_in(each, seen) for each in get_args(type_))
    if type_ in seen:
        return False
    seen.add(type_)
    try:
        fields = attrs.fields(attrs.resolve_types(type_))
    except NameError:  # nobody can tell what is in it: then it is not shown
        return True
    return any(each.metadata.get("secret") or _secret_in(each.type, seen) for each in fields)
