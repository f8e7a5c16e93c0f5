"""Documents of the Core API and nouns: what a POST or PUT says about a noun, and what a noun looks like published.

Belongs here: which fields a document may have, must have and may change, and the form of each value. Does not: what
depends on other nouns or on installed plugins (core/).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs
from attrs import NOTHING, frozen
from cattrs.gen import make_dict_unstructure_fn, override

from rrgate.api import ConfigError, Problem
from rrgate.complaints import WrongValue, published_name, unknown_fields
from rrgate.json_text import plain_number, same_json
from rrgate.model.published import Milliseconds, PublishedField, Writable, WrongParts, published_fields
from rrgate.model.times import format_milliseconds, parse_milliseconds, parse_nanoseconds
from rrgate.model.user import Token, User
from rrgate.structuring import CONVERTER, structure

IGNORED_ON_CREATION: Final = frozenset({"clientId", "userId", "parentId"})
"""Published clients send them back in POST; the path and the token decide."""


@frozen
class Extra:
    """A published field that is no attribute of its noun, such as `credentialSecret` or `proxyURL`.

    `type`: in words. `written`: whether callers write it (and then never read it), or only read it. `shape`: its type,
    where the words say too little for a schema. `once`: answered by POST alone. `example`: for the documentation.
    """

    name: str
    type: str
    help: str
    written: bool = False
    required: bool = False
    shape: Any = None
    once: bool = False
    example: Any = None


def publish(noun: Any, **derived: Any) -> dict[str, Any]:
    """`noun` as the Core API answers it; `derived` are the published fields that are not attributes."""
    document: dict[str, Any]
    if isinstance(noun, User | Token):
        # People belong to no client, and what is theirs to them.
        document = {"pKey": noun.user_id, "sKey": noun.id, "userId": noun.user_id, "parentId": noun.user_id}
    else:
        client_id = getattr(noun, "client_id", noun.id)
        document = {
            "pKey": getattr(noun, "partition", client_id),
            "sKey": noun.id,
            "userId": noun.user_id,
            "clientId": client_id,
            "parentId": client_id,
        }
    for known in published_fields(type(noun)):
        value = getattr(noun, known.attribute)
        shown = _plain(value) if _is_number(known.type) else CONVERTER.unstructure(value, unstructure_as=known.type)
        document[known.name] = shown
    document.update(derived)
    return document


def read_new(noun: type[Any], document: Mapping[str, Any], extras: tuple[Extra, ...] = ()) -> dict[str, Any]:
    """What a POST says, by attribute name (extras by their own): everything writable, with its value checked.

    Left-out optional fields are left out here too. Raises ConfigError with every problem of the document.
    """
    problems: list[Problem] = []
    fields = {known.name: known for known in published_fields(noun)}
    values: dict[str, Any] = {}
    for name in fields:
        known = fields[name]
        if known.writable is not Writable.NEVER and name in document:
            read_field(known, document[name], values, problems)
        elif known.writable is not Writable.NEVER and known.required:
            problems.append(Problem(name, "is required"))
    for extra in extras:
        if extra.name in document:
            values[extra.name] = document[extra.name]
        elif extra.required:
            problems.append(Problem(extra.name, "is required"))
    writable = {name for name, known in fields.items() if known.writable is not Writable.NEVER}
    writable |= {extra.name for extra in extras}
    unknown: list[str] = []
    for name in document:
        if name in writable or name in IGNORED_ON_CREATION:
            continue
        if name in fields or name in ("pKey", "sKey"):
            problems.append(Problem(name, "is set by the gateway: leave it out"))
        else:
            unknown.append(name)
    problems += unknown_fields(unknown, writable)
    if problems:
        raise ConfigError(*problems)
    return values


def read_changes(
    noun: Any, present: Mapping[str, Any], document: Mapping[str, Any], extras: tuple[Extra, ...] = ()
) -> dict[str, Any]:
    """What a PUT changes, by attribute name (extras by their own); what is as it was is left out.

    `present`: the noun as published now. Read-only and fixed fields may stand in the document with their present
    value, times in any spelling of it, `…UpdatedAt` with any. Raises ConfigError with every problem of the document.
    """
    problems: list[Problem] = []
    fields = {known.name: known for known in published_fields(type(noun))}
    extra_names = {extra.name for extra in extras}
    changes: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in document.items():
        if name in extra_names:
            changes[name] = value
        elif name in fields and fields[name].writable is Writable.ALWAYS:
            read_field(fields[name], value, changes, problems)
        elif name in present:
            if not name.endswith("UpdatedAt") and not _is_as_present(fields.get(name), value, present[name]):
                problems.append(Problem(name, _fixed(fields.get(name))))
        else:
            unknown.append(name)
    problems += unknown_fields(unknown, (*present, *extra_names))
    if problems:
        raise ConfigError(*problems)
    return {
        attribute: value
        for attribute, value in changes.items()
        if attribute in extra_names or not same_json(value, getattr(noun, attribute))
    }


def _is_as_present(known: PublishedField | None, value: object, present: object) -> bool:
    """Whether `value` says what is there. Who reads a time as a time writes it back in another spelling: Go without
    zeros at its end, Python with `+00:00`."""
    if same_json(value, present):
        return True
    if known is None or not (_is_time(known.type) or _is_optional_time(known.type)):
        return False
    if not (isinstance(value, str) and isinstance(present, str)):
        return False
    try:
        return parse_nanoseconds(value) == parse_nanoseconds(present)
    except ValueError:
        return False


def _fixed(known: PublishedField | None) -> str:
    if known is not None and known.writable is Writable.ON_CREATION:
        return "cannot be changed after creation"
    return "is read only: leave it out, or send its present value"


def read_field(
    known: PublishedField, value: Any, values: dict[str, Any], problems: list[Problem], prefix: str = ""
) -> None:
    """Put what `value` says into `values`, by attribute name, or what is wrong with it into `problems`, with `prefix`
    in front of its name."""
    name = prefix + known.name
    if known.empty is not NOTHING and same_json(value, known.empty):
        values[known.attribute] = known.default
        return
    try:
        structured = structure(value, known.type, name)
        if known.check is not None and structured is not None:
            structured = known.check(structured)
    except ConfigError as error:
        problems += error.problems
    except WrongParts as error:
        problems += [Problem(f"{name}.{path}", text) for path, text in error.parts.items()]
    except ValueError as error:
        problems.append(Problem(name, str(error)))
    else:
        values[known.attribute] = structured


def _time_from_text(value: Any, _: Any) -> int:
    if not isinstance(value, str):
        raise WrongValue("must be a string, an ISO 8601 time such as 2024-01-31T12:00:00Z")
    try:
        return parse_milliseconds(value)
    except ValueError as error:
        raise WrongValue(str(error)) from None


def _is_time(type_: Any) -> bool:
    return bool(type_ == Milliseconds)


def _is_optional_time(type_: Any) -> bool:
    return any(_is_time(member) for member in get_args(type_)) and not _is_time(type_)


def _is_number(type_: Any) -> bool:
    return type_ in (float, float | None)


def _plain(value: float | None) -> float | None:
    return None if value is None else plain_number(value)


def _publishing(class_: Any) -> Any:
    attrs.resolve_types(class_)
    how: Any = {
        attribute.name: override(
            rename=published_name(attribute), unstruct_hook=_plain if _is_number(attribute.type) else None
        )
        for attribute in attrs.fields(class_)
    }
    return make_dict_unstructure_fn(class_, CONVERTER, **how)


CONVERTER.register_unstructure_hook_factory(attrs.has, _publishing)
CONVERTER.register_structure_hook_func(_is_time, _time_from_text)
CONVERTER.register_unstructure_hook_func(_is_time, format_milliseconds)
CONVERTER.register_unstructure_hook_func(
    _is_optional_time, lambda value: None if value is None else format_milliseconds(value)
)
