"""From classes to the document's components: each attrs class once, under its name, and pointed at.

Belongs here: types as they are answered, and as they are written where that has several spellings. Does not: nouns'
three forms (nouns.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs
from attrs import NOTHING

from rrgate.model.rule import BodyCheck, NamedCheck, PathCheck, Pattern, TokenCheck
from rrgate.schemas import Schema, SchemaMaker

REFERENCE: Final = "#/components/schemas/"

_CHECKS: Final = frozenset({PathCheck, NamedCheck, BodyCheck, TokenCheck})
_SPELLED: Final = _CHECKS | {Pattern}
"""Classes that rule_documents.py takes in other spellings than it answers."""
_PRESENCE: Final[Schema] = {"enum": ["must_exist", "must_not_exist", "present", "absent"]}


class Components(SchemaMaker):
    """Schemas by name. `nouns`: classes that have a schema of their own; for others, one is made when it is needed."""

    def __init__(self, nouns: Mapping[type[Any], str]) -> None:
        super().__init__()
        self.schemas: dict[str, Schema] = {}
        self.nouns = nouns
        self._made: dict[str, type[Any]] = {}

    def add(self, name: str, schema: Schema) -> Schema:
        """Keep `schema` under `name`, and answer what points at it. Raises ValueError if the name is taken."""
        if name in self.schemas:
            raise ValueError(f"two schemas are called {name}")
        self.schemas[name] = schema
        return {"$ref": REFERENCE + name}

    def of_class(self, class_: type[Any]) -> Schema:
        """What points at the schema of `class_`, which is made if it is not there."""
        name = self.nouns.get(class_) or self.name_of(class_)
        if name not in self._made and class_ not in self.nouns:
            self._made[name] = class_
            attrs.resolve_types(class_, include_extras=True)
            self.add(name, {})  # so that a class may hold itself
            self.schemas[name] = self.made(class_)
        elif self._made.get(name, class_) is not class_:
            raise ValueError(f"two classes are called {name}")
        return {"$ref": REFERENCE + name}

    def name_of(self, class_: type[Any]) -> str:
        """Under which name the schema of a class stands."""
        return class_.__name__

    def made(self, class_: type[Any]) -> Schema:
        """The schema of a class."""
        schema = self.fields_of(class_)
        words = (class_.__doc__ or "").strip().partition("\n")[0]
        return {"description": words, **schema} if words else schema

    def of_attribute(self, attribute: attrs.Attribute[Any]) -> Schema:
        schema = super().of_attribute(attribute)
        if "example" not in attribute.metadata:
            return schema
        # Of an answer (core/shapes.py), where a default only says that a field may miss.
        schema.pop("default", None)
        schema |= attribute.metadata.get("form", {})
        example = attribute.metadata["example"]
        return schema if example is NOTHING else {**schema, "examples": [example]}


class Written(Components):
    """The same for bodies: with every spelling of a rule's checks. `answered`: where all else is kept."""

    def __init__(self, answered: Components) -> None:
        super().__init__(answered.nouns)
        self.answered = answered
        self.schemas = answered.schemas

    def of_class(self, class_: type[Any]) -> Schema:
        if class_ is Pattern:
            return {"anyOf": [{"type": "string"}, self.answered.of_class(Pattern)]}
        return super().of_class(class_) if has_spellings(class_) else self.answered.of_class(class_)

    def name_of(self, class_: type[Any]) -> str:
        return f"Written{class_.__name__}"

    def made(self, class_: type[Any]) -> Schema:
        schema = super().made(class_)
        if class_ in _CHECKS:
            schema["properties"]["presence"] = _PRESENCE
            if class_ is PathCheck:
                pattern: Schema = self.answered.fields_of(Pattern)
                second = {**pattern, "properties": {**pattern["properties"], "presence": _PRESENCE}}
                return {"anyOf": [{"type": "string"}, second, schema]}
        else:
            spell(schema["properties"])
        return schema


def spell(properties: dict[str, Schema]) -> None:
    """Add to the fields of a body the other names that some of them have."""
    if properties.get("path", {}) and "Check" in str(properties["path"]):
        properties["pathPattern"] = {
            "anyOf": [{"type": "string"}, {"$ref": REFERENCE + "Pattern"}, {"type": "null"}],
            "description": "`path` in another spelling.",
        }
        properties["pathPresence"] = {**_PRESENCE, "description": "Goes with `pathPattern`."}
    for name, other in (("headers", "headerChecks"), ("query", "queryChecks")):
        if "Check" in str(properties.get(name, "")):
            properties[other] = {**properties[name], "description": f"`{name}` under another name."}


def has_spellings(type_: Any) -> bool:
    """Whether a rule's check is anywhere in `type_`."""
    if type_ in _SPELLED:
        return True
    if isinstance(type_, type) and attrs.has(type_):
        attrs.resolve_types(type_, include_extras=True)
        return any(has_spellings(attribute.type) for attribute in attrs.fields(type_))
    return any(has_spellings(argument) for argument in get_args(type_))


def beside(schema: Schema, **keywords: Any) -> Schema:
    """`schema` and `keywords`, of which those that say nothing are left out."""
    return {**schema, **{name: value for name, value in keywords.items() if value not in (None, "")}}


def with_form(schema: Schema, keywords: Mapping[str, Any]) -> Schema:
    """`schema` with what a check asks for. Null, where it is taken, stays so."""
    if not keywords:
        return schema
    nullable = "null" in schema.get("type", ()) or {"type": "null"} in schema.get("anyOf", ())
    found = {**schema, **keywords}
    if nullable and "enum" in keywords:
        found["enum"] = [*keywords["enum"], None]
    return found


def or_empty(schema: Schema, empty: Any) -> Schema:
    """`schema`, of an object or of a text, with what typed clients write where they say nothing: null or `""`."""
    if empty is None:
        return {**schema, "type": [schema["type"], "null"]}
    if empty == "":
        return {**schema, "pattern": f"^$|{schema['pattern']}"}
    return schema
