"""Examples of schemas: what each field says is one, put together; and for the rest the plainest value that is right.

Belongs here: from a schema to a value. Does not: the fields' own examples (model/, core/shapes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rrgate.core.openapi.types import REFERENCE
from rrgate.schemas import Schema

_ID: Final = "6f404b9e-669f-4b6f-98af-0c8a9b02c594"
_TIME: Final = "2026-01-31T12:00:00.000Z"
_PLAIN: Final[Mapping[str, Any]] = {"boolean": True, "null": None, "integer": 1, "number": 1.5, "array": []}


def example_of(schema: Schema, schemas: Mapping[str, Schema], name: str = "") -> Any:
    """A value that `schema` takes, for a field of this name. `schemas`: those that it points at."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(REFERENCE)], schemas, name)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else example_of(schema["anyOf"][0], schemas, name)
    types = schema.get("type", "object")
    if isinstance(types, list):
        return None if "null" in types else example_of({**schema, "type": types[0]}, schemas, name)
    if types == "object":
        wanted = schema.get("required", ())
        fields = schema.get("properties", {})
        return {each: example_of(fields[each], schemas, each) for each in fields if each in wanted}
    if types == "array" and "items" in schema:
        return [example_of(schema["items"], schemas, name.removesuffix("s"))]
    if types == "string":
        return _text(schema, name)
    return max(schema.get("minimum", 0), 1) if types in ("integer", "number") else _PLAIN[types]


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") == "date-time":
        return _TIME
    return _ID if name in ("pKey", "sKey") or name.lower().endswith("id") else "text"


def new_example(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """A body for POST: what is required, and what says an example of itself."""
    wanted = schema.get("required", [])
    fields = schema["properties"]
    return {name: example_of(fields[name], schemas, name) for name in fields if name in wanted or _tells(fields[name])}


def changes_example(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """A body for PUT: the first field that can be written."""
    fields = {name: each for name, each in schema["properties"].items() if not each.get("readOnly")}
    told = [name for name in fields if _tells(fields[name])] or list(fields)
    return {name: example_of(fields[name], schemas, name) for name in told[:1]}


def _tells(schema: Schema) -> bool:
    return "examples" in schema
