"""JSON Schemas (2020-12) of typed classes: what structuring.py takes, as a document that others check and draw by.

Belongs here: from a type to its schema. Does not: reading values (structuring.py), or what a class's own code checks
besides: a value that the schema takes may still be refused.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs
from attrs import NOTHING
from cattrs.cols import is_frozenset, is_mapping, is_sequence, is_set

from rrgate.complaints import published_name
from rrgate.model.published import Milliseconds

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def document_schema(class_: type[Any]) -> Schema:
    """The schema of JSON objects that are read into the attrs class `class_`, as a document of its own.

    Names, defaults and which fields are required are those of the class; descriptions are the `help` of `documented`
    and `secret`, whose fields are `writeOnly`. Classes that hold themselves are under `$defs`. Raises TypeError for
    annotations that name nothing.
    """
    maker = SchemaMaker()
    schema = maker.of_class(class_)
    if maker.found:
        # One that holds itself is told of once, and pointed at.
        definitions = {each.__name__: found for each, found in maker.found.items()}
        schema = {**maker.found.get(class_, schema), "$defs": definitions}
    return {"$schema": DIALECT, **schema}


_PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
    frozenset: {"type": "array"},
}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


class SchemaMaker:
    """Makes one document. `found`: the classes that hold themselves, which have to be pointed at.

    Whoever points at other classes too overrides `of_class`, and begins a class's own schema with `fields_of`.
    """

    def __init__(self) -> None:
        self.found: dict[type[Any], Schema] = {}
        self._open: list[type[Any]] = []
        self._pointed_at: set[type[Any]] = set()

    def of(self, type_: Any) -> Schema:
        """The schema of a type; `{}`, which takes anything, for what JSON tells nothing of."""
        if type_ == Milliseconds:
            return dict(_TIME)
        origin, arguments = get_origin(type_), get_args(type_)
        if origin is Annotated:
            return self.of(arguments[0])
        if type_ in _PLAIN:
            return dict(_PLAIN[type_])
        if origin in (Union, types.UnionType):
            return self._either([self.of(member) for member in arguments])
        if origin is Literal:
            return {"enum": list(arguments)}
        if isinstance(type_, type) and issubclass(type_, Enum):
            return {"enum": [member.value for member in type_]}
        if isinstance(type_, type) and attrs.has(type_):
            return self.of_class(type_)
        if is_mapping(type_):
            return self._object(arguments)
        if origin is tuple and arguments[-1:] != (...,):
            items = [self.of(member) for member in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if is_sequence(type_) or is_set(type_) or is_frozenset(type_) or origin is tuple:
            return self._with({"type": "array"}, "items", self.of(arguments[0]) if arguments else {})
        return {}

    def of_class(self, class_: type[Any]) -> Schema:
        """The schema of an attrs class: an object with its fields and no others."""
        if class_ in self._open:
            self._pointed_at.add(class_)
        if class_ in self._pointed_at:
            return {"$ref": f"#/$defs/{class_.__name__}"}
        try:
            attrs.resolve_types(class_, include_extras=True)
        except NameError as error:
            raise TypeError(f"{class_.__name__} has a field whose type names nothing: {error}") from None
        self._open.append(class_)
        try:
            schema = self.fields_of(class_)
        finally:
            self._open.pop()
        if class_ in self._pointed_at:
            self.found[class_] = schema
            return {"$ref": f"#/$defs/{class_.__name__}"}
        return schema

    def fields_of(self, class_: type[Any]) -> Schema:
        """The schema of an attrs class whose types are resolved, wherever it is put."""
        fields = [attribute for attribute in attrs.fields(class_) if attribute.init]
        schema: Schema = {
            "type": "object",
            "properties": {published_name(attribute): self.of_attribute(attribute) for attribute in fields},
            "additionalProperties": False,
        }
        required = [published_name(attribute) for attribute in fields if attribute.default is NOTHING]
        return self._with(schema, "required", required)

    def of_attribute(self, attribute: attrs.Attribute[Any]) -> Schema:
        """The schema of one of its fields."""
        schema = self.of(attribute.type) if attribute.type is not None else {}
        if help := attribute.metadata.get("help"):
            schema["description"] = help
        if attribute.metadata.get("secret"):
            schema["writeOnly"] = True
        default: Any = attribute.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            # One that needs the object, or may draw lots for a secret, has nothing to tell beforehand.
            default = NOTHING if default.takes_self or "writeOnly" in schema else default.factory()
        if default is not NOTHING and (shown := as_json(default)) is not NOTHING:
            schema["default"] = shown
        return schema

    def _object(self, arguments: tuple[Any, ...]) -> Schema:
        names, values = (self.of(argument) for argument in arguments) if len(arguments) == 2 else ({}, {})
        schema = self._with({"type": "object"}, "additionalProperties", values)
        return self._with(schema, "propertyNames", {} if names == _PLAIN[str] else names)

    @staticmethod
    def _with(schema: Schema, keyword: str, value: Any) -> Schema:
        """`schema` and `keyword`, unless that would say nothing."""
        return {**schema, keyword: value} if value else schema

    @staticmethod
    def _either(members: list[Schema]) -> Schema:
        if {} in members:
            return {}
        if all(set(member) == {"type"} and isinstance(member["type"], str) for member in members):
            return {"type": list(dict.fromkeys(member["type"] for member in members))}
        return {"anyOf": members}


def as_json(value: Any) -> Any:
    """A default as it would stand in a document; NOTHING for what cannot."""
    if value is None or isinstance(value, str | bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, Mapping):
        return _all({str(name): as_json(each) for name, each in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return _all([as_json(each) for each in value])
    if attrs.has(type(value)):
        fields = [attribute for attribute in attrs.fields(type(value)) if attribute.init]
        return _all({published_name(each): as_json(getattr(value, each.name)) for each in fields})
    return NOTHING


def _all(value: Any) -> Any:
    members = value.values() if isinstance(value, dict) else value
    return NOTHING if any(each is NOTHING for each in members) else value
