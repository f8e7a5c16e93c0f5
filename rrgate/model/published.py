"""How a noun's attributes are published: each `attrs` field says under which name, who may write it, and what it takes.

Belongs here: the one function that marks fields, reading the marks, and how a check says what is wrong. Does not:
turning documents into nouns and back (model/documents.py), or the forms of values (model/values.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

import attrs
from attrs import NOTHING, field, frozen

Milliseconds = Annotated[int, "since the epoch"]
"""A time of day: inside, a whole number of milliseconds since the epoch; published, ISO 8601 with `Z`."""

Check = Callable[[Any], Any]
"""Takes a value of the right type and answers the value to keep. Raises ValueError with a text that tells what would
be right and holds no value; `WrongParts` where that is to be told of parts of it."""

C = TypeVar("C", bound=Check)
T = TypeVar("T")


class WrongParts(ValueError):
    """Several parts of one value are wrong. `parts`: what would be right, by the path within the value."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path} {text}" for path, text in parts.items()))
        self.parts = parts


def each_of(values: Iterable[str], check: Callable[[str], T]) -> list[T]:
    """What `check` answers of each. Raises WrongParts with every one that it refuses, by its place."""
    kept: list[T] = []
    wrong: dict[str, str] = {}
    for place, value in enumerate(values):
        try:
            kept.append(check(value))
        except ValueError as error:
            wrong[str(place)] = str(error)
    if wrong:
        raise WrongParts(wrong)
    return kept


_ASKED: Final[dict[Check, Mapping[str, Any]]] = {}


def asks(**keywords: Any) -> Callable[[C], C]:
    """Tells of a check what it asks for in words of JSON Schema, such as `maxLength=200`, for the documentation.

    It may refuse more than they say, never take what they refuse.
    """

    def told(check: C) -> C:
        _ASKED[check] = keywords
        return check

    return told


def asked(check: Check | None) -> Mapping[str, Any]:
    """What `asks` told of it; nothing of a check that tells nothing."""
    return {} if check is None else _ASKED.get(check, {})


class Writable(Enum):
    """Who sets a field."""

    ALWAYS = "always"
    ON_CREATION = "on creation"
    NEVER = "never"


METADATA = "rrgate.published"
CHECK = "rrgate.check"
BY_PLUGIN = "rrgate.by_plugin"
EXAMPLE = "rrgate.example"
EMPTY = "rrgate.empty"


def published(
    name: str,
    *,
    default: Any = NOTHING,
    factory: Any = None,
    writable: Writable = Writable.ALWAYS,
    help: str = "",
    check: Check | None = None,
    by_plugin: bool = False,
    example: Any = NOTHING,
    empty: Any = NOTHING,
    **settings: Any,
) -> Any:
    """An attrs field that the Core API shows as `name`.

    `help` is a sentence for the documentation. `by_plugin`: the core itself does nothing with it, so another value
    than the default is taken only where an installed plugin serves it (`Plugin.serves`). `example`: a value for the
    documentation, as it is published. `empty`: what typed clients write where they say nothing, null or `""`; it is
    taken for the default.
    """
    metadata = {
        METADATA: (name, writable, help), CHECK: check, BY_PLUGIN: by_plugin, EXAMPLE: example, EMPTY: empty
    }  # fmt: skip
    if factory is not None:
        return field(factory=factory, metadata=metadata, **settings)
    return field(default=default, metadata=metadata, **settings)


@frozen
class PublishedField:
    """One field of a noun as the Core API knows it. `attribute`: the name in Python; `type`: resolved."""

    name: str
    attribute: str
    type: Any
    writable: Writable
    help: str
    check: Check | None
    by_plugin: bool
    required: bool
    default: Any
    """What it is when a new noun's document leaves it out; nothing where `required`."""
    example: Any = NOTHING
    empty: Any = NOTHING


_FIELDS: dict[type[Any], tuple[PublishedField, ...]] = {}


def published_fields(noun: type[Any]) -> tuple[PublishedField, ...]:
    """The published fields of a noun's class, in the order they are answered in."""
    if noun not in _FIELDS:
        _FIELDS[noun] = _read_marks(noun)
    return _FIELDS[noun]


def _read_marks(noun: type[Any]) -> tuple[PublishedField, ...]:
    attrs.resolve_types(noun)
    found = []
    for attribute in attrs.fields(noun):
        if METADATA not in attribute.metadata:
            continue
        name, writable, help = attribute.metadata[METADATA]
        default: Any = attribute.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            default = default.factory()
        found.append(
            PublishedField(
                name=name,
                attribute=attribute.name,
                type=attribute.type,
                writable=writable,
                help=help,
                check=attribute.metadata[CHECK],
                by_plugin=attribute.metadata[BY_PLUGIN],
                required=default is NOTHING,
                default=default,
                example=attribute.metadata[EXAMPLE],
                empty=attribute.metadata[EMPTY],
            )
        )
    return tuple(found)
