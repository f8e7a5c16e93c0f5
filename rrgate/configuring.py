"""`configure`: a plugin's `Config` from a JSON object, or every reason why not.

Belongs here: what holds for the configuration of every plugin. Does not: how single values are read (structuring.py).
"""

from __future__ import annotations

from typing import TypeVar

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
