"""How docs/core-api.md writes routes and fields down as rows of tables.

Belongs here: one row for a route or a field, made from the code. Does not: comparing (test_core_page.py), prose.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, get_args

from rrgate.complaints import expected
from rrgate.core.access import OPERATORS, described
from rrgate.core.routes import Route
from rrgate.core.table import PublishedNoun
from rrgate.json_text import plain_number
from rrgate.model import Configuration
from rrgate.model.published import Milliseconds, PublishedField, Writable, published_fields
from rrgate.schemas import as_json

Row = tuple[str, ...]

ROUTE_HEAD: Row = ("route", "who", "query", "what it does")
CONFIGURATION_HEAD: Row = ("field", "type", "set by", "default", "meaning")
FIELD_HEAD: Row = ("field", "type", "written", "default", "meaning")

OF_EVERY_OBJECT = ("sKey", "userId", "clientId")

WRITTEN = {Writable.ALWAYS: "yes", Writable.ON_CREATION: "on creation", Writable.NEVER: "no"}


def route_row(route: Route) -> Row:
    """A route: method and template, least role, query parameters, its sentence."""
    who = described(route.needs)
    parameters = ", ".join(f"`{name}`" for name in route.parameters)
    return f"`{route.method} {route.template}`", who, parameters, route.help


def field_rows(noun: PublishedNoun) -> list[Row]:
    """The fields of a noun that are not those of every object, in the order they are answered in."""
    rows = [_field_row(known) for known in published_fields(noun.noun) if known.name not in OF_EVERY_OBJECT]
    for extra in noun.extras:
        default = "required" if extra.required else ""
        rows.append((f"`{extra.name}`", extra.type, "yes" if extra.written else "no", default, extra.help))
    return rows


def configuration_rows() -> list[Row]:
    """The fields of a client's configuration, and who sets each."""
    rows = []
    for known in published_fields(Configuration):
        who = "operators" if known.name in OPERATORS else "owners"
        rows.append((f"`{known.name}`", _type(known.type), who, f"`{_json(known.default)}`", known.help))
    return rows


def _field_row(known: PublishedField) -> Row:
    if known.writable is Writable.NEVER:
        default = ""
    elif known.required:
        default = "required"
    else:
        default = f"`{_json(known.default)}`"
    return f"`{known.name}`", _type(known.type), WRITTEN[known.writable], default, known.help


def _type(type_: Any) -> str:
    if type_ == Milliseconds:
        return "a time"
    if any(member == Milliseconds for member in get_args(type_)):
        return "a time or null"
    return expected(type_)


def _json(value: Any) -> str:
    if value in ({}, ()):
        return "{}" if value == {} else "[]"
    if isinstance(value, float):
        value = plain_number(value)
    return value if isinstance(value, str) else json.dumps(as_json(value))


def table(head: Row, rows: Iterable[Row]) -> list[str]:
    """The lines of a table."""
    return [_line(head), _line(("---",) * len(head)), *map(_line, rows)]


def _line(row: Row) -> str:
    return "| " + " | ".join(row) + " |"
