"""How a noun's attributes are published: each `attrs` field says under which name, and who may write it.

Belongs here: the one helper that marks fields. Does not: turning documents into nouns and back (model/documents.py).
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import NOTHING, field


class Writable(Enum):
    """Who sets a field."""

    ALWAYS = "always"
    ON_CREATION = "on creation"
    NEVER = "never"


METADATA = "rrgate.published"


def published(
    name: str,
    *,
    default: Any = NOTHING,
    factory: Any = None,
    writable: Writable = Writable.ALWAYS,
    help: str = "",
    **settings: Any,
) -> Any:
    """An attrs field that the Core API shows as `name`. `help` is a sentence for the documentation."""
    metadata = {METADATA: (name, writable, help)}
    if factory is not None:
        return field(factory=factory, metadata=metadata, **settings)
    return field(default=default, metadata=metadata, **settings)
