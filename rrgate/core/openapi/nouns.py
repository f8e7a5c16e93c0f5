"""A noun's three forms: as it is answered, as a POST takes it, and as a PUT does.

Belongs here: which fields each form has, and what is said of each. Does not: types (types.py), routes (operations.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import NOTHING, frozen

from rrgate.core.openapi.types import Components, Written, beside, or_empty, spell, with_form
from rrgate.model import Client
from rrgate.model.documents import IGNORED_ON_CREATION, Extra
from rrgate.model.published import PublishedField, Writable, asked, published_fields
from rrgate.schemas import Schema, as_json


@frozen
class PublishedNoun:
    """A kind of object: its plural in answers, its class, and its fields that are no attributes."""

    plural: str
    noun: type[Any]
    extras: tuple[Extra, ...] = ()


_COMMON: Final[Mapping[str, str]] = {
    "pKey": "The client's id.",
    "sKey": "Its own id.",
    "userId": "Who created it.",
    "clientId": "The client's id.",
    "parentId": "What it belongs to.",
}
_WORDS: Final[Mapping[str, Any]] = {
    "a string": str,
    "a string or null": str | None,
    "true or false": bool,
    "a whole number": int,
    "an object": dict,
    "an array of strings": tuple[str, ...],
}
_KINDS: Final = ("enum", "items")
_PRESENT: Final = "Read only: leave it out, or send its present value."
_FIXED: Final = "Fixed at creation: leave it out, or send its present value."


@frozen
class Forms:
    """Makes schemas of nouns. `answered`, `written`: of their fields' types."""

    answered: Components
    written: Written

    def shown(self, known: PublishedNoun) -> Schema:
        """As it is answered, with every field in each answer but those that are shown once."""
        properties = self._shown_fields(known)
        once = {extra.name for extra in known.extras if extra.once}
        return _object(properties, [name for name in properties if name not in once])

    def new(self, noun: type[Any], extras: Iterable[Extra]) -> Schema:
        """As a POST takes it."""
        properties: dict[str, Schema] = {}
        required = []
        for known in published_fields(noun):
            if known.writable is not Writable.NEVER:
                schema = self._field(known, self.written)
                default = NOTHING if known.required else as_json(known.default)
                properties[known.name] = schema if default is NOTHING else {**schema, "default": default}
                required += [known.name] if known.required else []
        for extra in _written(extras):
            properties[extra.name] = self._extra(extra, writeOnly=True)
            required += [extra.name] if extra.required else []
        spell(properties)
        for name in sorted(IGNORED_ON_CREATION - set(properties)):
            properties[name] = {"description": "Tolerated and ignored: the path and the token decide."}
        return _object(properties, required)

    def changes(self, known: PublishedNoun, extras: Iterable[Extra]) -> Schema:
        """As a PUT takes it: any subset, and what is not written as it is."""
        properties: dict[str, Schema] = {}
        fields = {field.name: field for field in published_fields(known.noun)}
        for name, schema in self._shown_fields(known).items():
            field = fields.get(name)
            if field is not None and field.writable is Writable.ALWAYS:
                properties[name] = self._field(field, self.written)
            else:
                fixed = field is not None and field.writable is Writable.ON_CREATION
                properties[name] = {**schema, "readOnly": True, "description": _FIXED if fixed else _PRESENT}
        for extra in _written(extras):
            properties[extra.name] = self._extra(extra, writeOnly=True)
        spell(properties)
        return _object(properties, ())

    def nested(self, class_: type[Any], *, answered: bool) -> Schema:
        """A class whose fields' names may have a dot: what is before it is an object that holds the field."""
        properties: dict[str, Schema] = {}
        for known in published_fields(class_):
            group, _, member = known.name.rpartition(".")
            inside = properties
            if group:
                inside = properties.setdefault(group, _object({}, ()))["properties"]
            schema = self._field(known, self.answered if answered else self.written)
            inside[member] = schema
        if answered:
            for schema in properties.values():
                if "properties" in schema:
                    schema["required"] = list(schema["properties"])
        return _object(properties, properties if answered else ())

    def _shown_fields(self, known: PublishedNoun) -> dict[str, Schema]:
        fields = published_fields(known.noun)
        names = {field.name for field in fields}
        properties: dict[str, Schema] = {}
        for name, help in _COMMON.items():
            if name != "clientId" or name in names or known.noun is Client:
                properties[name] = {"type": "string", "description": help}
        for field in fields:
            properties[field.name] = beside(self._field(field, self.answered), description=field.help) or {}
            properties[field.name].setdefault("description", _COMMON.get(field.name, ""))
        for extra in known.extras:
            if not extra.written:
                properties[extra.name] = self._extra(extra)
        return {name: {key: each for key, each in schema.items() if each != ""} for name, schema in properties.items()}

    def _field(self, known: PublishedField, maker: Components) -> Schema:
        schema = with_form(maker.of(known.type), asked(known.check) if maker is self.written else {})
        if maker is self.written:
            schema = or_empty(schema, known.empty)
        example = known.example
        if maker is self.answered:
            # Of what is asked for, an answer is sure to have what it can be, and no more.
            schema = with_form(schema, {key: each for key, each in asked(known.check).items() if key in _KINDS})
            if example is NOTHING and not known.required:
                example = as_json(known.default)
        examples = None if example is NOTHING else [example]
        return beside(schema, description=known.help, examples=examples)

    def _extra(self, extra: Extra, **keywords: Any) -> Schema:
        shape = _WORDS[extra.type] if extra.shape is None else extra.shape
        examples = None if extra.example is None else [extra.example]
        return beside(self.answered.of(shape), description=extra.help, examples=examples, **keywords)


def _written(extras: Iterable[Extra]) -> list[Extra]:
    return [extra for extra in extras if extra.written]


def _object(properties: dict[str, Schema], required: Iterable[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema
