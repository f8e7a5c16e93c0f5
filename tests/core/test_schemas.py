"""JSON Schemas of configurations: what they say, and that they take what `configure` takes and refuse what it refuses.

Belongs here: `rrgate.schemas`, for made-up classes and for every built-in auth type. Does not: the route that shows
them (test_auth_types.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rrgate.api import ConfigError, Problem, documented, secret
from rrgate.complaints import published_name
from rrgate.configuring import configure
from rrgate.registry import load_registry
from rrgate.schemas import document_schema


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen
class Inner:
    url: str
    tries: int = documented("How often.", default=1)


@frozen
class Tree:
    name: str
    under: tuple[Tree, ...] = ()


@frozen
class Everything:
    token: str = secret("What is shown.")
    add_to_header: bool = documented("In a header.", default=True)
    prefix: str | None = None
    ttl: float = 1.5
    tries: int | None = 3
    mode: Literal["a", "b"] = "a"
    level: Literal[1, 2] | None = None
    colour: Colour = Colour.RED
    audience: str | tuple[str, ...] | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    by_colour: dict[Literal["red", "blue"], int] = attrs.field(factory=lambda: {"red": 1})
    statuses: tuple[int, ...] = (500,)
    tags: frozenset[str] = frozenset()
    words: list[str] = attrs.field(factory=list)
    inner: Inner | None = None
    inners: tuple[Inner, ...] = (Inner("https://x.test"),)
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    anything: Any = None
    noted: Annotated[str, "a note"] = ""
    tree: Tree | None = None
    odd: str = attrs.field(default="", metadata={"name": "oddName"})
    drawn: str = secret("Drawn by lot.", default=attrs.Factory(lambda: "s3cr3t"))
    of_itself: str = attrs.field(default=attrs.Factory(lambda self: self.token, takes_self=True))
    worked_out: str = attrs.field(init=False, default="x")


SCHEMA = document_schema(Everything)
PROPERTIES = SCHEMA["properties"]


def test_it_is_a_schema() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_which_fields_there_are() -> None:
    known = {published_name(each) for each in attrs.fields(Everything) if each.init}
    assert set(PROPERTIES) == known
    assert {"addToHeader", "oddName"} < known
    assert "workedOut" not in known
    assert SCHEMA["required"] == ["token"]
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("token", {"type": "string", "description": "What is shown.", "writeOnly": True}),
        ("addToHeader", {"type": "boolean", "description": "In a header.", "default": True}),
        ("prefix", {"type": ["string", "null"], "default": None}),
        ("ttl", {"type": "number", "default": 1.5}),
        ("tries", {"type": ["integer", "null"], "default": 3}),
        ("mode", {"enum": ["a", "b"], "default": "a"}),
        ("level", {"anyOf": [{"enum": [1, 2]}, {"type": "null"}], "default": None}),
        ("colour", {"enum": ["red", "blue"], "default": "red"}),
        (
            "audience",
            {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
            },
        ),
        ("headers", {"type": "object", "additionalProperties": {"type": "string"}, "default": {}}),
        (
            "byColour",
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "propertyNames": {"enum": ["red", "blue"]},
                "default": {"red": 1},
            },
        ),
        ("statuses", {"type": "array", "items": {"type": "integer"}, "default": [500]}),
        ("tags", {"type": "array", "items": {"type": "string"}, "default": []}),
        ("words", {"type": "array", "items": {"type": "string"}, "default": []}),
        ("extra", {"type": "object", "default": {}}),
        ("anything", {"default": None}),
        ("noted", {"type": "string", "default": ""}),
        ("tree", {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}], "default": None}),
        ("oddName", {"type": "string", "default": ""}),
        ("drawn", {"type": "string", "description": "Drawn by lot.", "writeOnly": True}),
        ("ofItself", {"type": "string"}),
    ],
)
def test_what_is_said_of_a_field(name: str, schema: object) -> None:
    assert PROPERTIES[name] == schema


def test_classes_inside() -> None:
    inner = {
        "type": "object",
        "properties": {
            "url": {"type": "string"},
            "tries": {"type": "integer", "description": "How often.", "default": 1},
        },
        "additionalProperties": False,
        "required": ["url"],
    }
    assert PROPERTIES["inner"]["anyOf"][0] == inner
    assert PROPERTIES["inners"]["items"] == inner
    assert PROPERTIES["inners"]["default"] == [{"url": "https://x.test", "tries": 1}]
    assert SCHEMA["$defs"]["Tree"]["properties"]["under"]["items"] == {"$ref": "#/$defs/Tree"}
    tree = document_schema(Tree)
    validator = Draft202012Validator(tree)
    assert validator.is_valid({"name": "a", "under": [{"name": "b", "under": [{"name": "c"}]}]})
    assert not validator.is_valid({"name": "a", "under": [{"name": "b", "under": [{"nam": "c"}]}]})


def test_a_type_that_names_nothing() -> None:
    @frozen
    class Wrong:
        token: NotThere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(TypeError, match=r"Wrong has a field whose type names nothing.*NotThere"):
        document_schema(Wrong)


# Does the schema take what `configure` takes?


def bare(class_: type[Any]) -> type[Any]:
    """`class_` with the same fields, without what it checks itself: its structure alone."""
    attrs.resolve_types(class_, include_extras=True)
    fields = {
        each.name: attrs.field(type=each.type, default=each.default, metadata=dict(each.metadata), init=each.init)
        for each in attrs.fields(class_)
    }
    return attrs.make_class(class_.__name__, fields, frozen=True)


def takes(class_: type[Any], document: object) -> bool:
    try:
        configure(class_, document, "credentialSecret")
    except ConfigError:
        return False
    return True


def has_whole_fraction(value: object) -> bool:
    """`1.0` is a whole number to JSON Schema, and none to us."""
    if isinstance(value, dict):
        return any(map(has_whole_fraction, value.values()))
    if isinstance(value, list):
        return any(map(has_whole_fraction, value))
    return isinstance(value, float) and value.is_integer()


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "red", "value", "https://x.test"])
)
NAMES = st.sampled_from(["red", "X-A", "url", "tries", "name", "under", ""])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def documents(class_: type[Any]) -> st.SearchStrategy[Any]:
    """Objects with fields of `class_`, those that are required often among them, and a few others."""
    fields = [each for each in attrs.fields(class_) if each.init]
    needed = {published_name(each): LEAVES for each in fields if each.default is attrs.NOTHING}
    optional = {published_name(each): VALUES for each in fields if each.default is not attrs.NOTHING}
    right = st.fixed_dictionaries({name: st.just("a") for name in needed}, optional=optional)
    wrong = st.dictionaries(st.sampled_from([*needed, *optional, "unknown", "Token"]), VALUES, max_size=4)
    # Most fields left out: a document with twenty fields at random is always wrong in one.
    few = st.tuples(right, st.sets(st.sampled_from([*optional, "none"]), max_size=2)).map(
        lambda pair: {name: value for name, value in pair[0].items() if name in needed or name in pair[1]}
    )
    return few | wrong | VALUES


AUTH_TYPES = [pytest.param(plugin.Config, id=plugin.name) for plugin in load_registry().auth_types]
CONFIGS = [*AUTH_TYPES, pytest.param(Everything, id="everything"), pytest.param(Tree, id="tree")]


@pytest.mark.parametrize("config", CONFIGS)
def test_it_takes_and_refuses_the_same(config: type[Any]) -> None:
    validator = Draft202012Validator(document_schema(config))
    structure = bare(config)

    @given(documents(config).filter(lambda each: not has_whole_fraction(each)))
    def agree(document: object) -> None:
        assert validator.is_valid(document) == takes(structure, document)
        assert validator.is_valid(document) or not takes(config, document)

    agree()


SECRETS: list[tuple[str, object, bool, bool]] = [
    # auth type, secret, the schema takes it, `configure` does
    ("apiKey", {"key": "X-API-Key", "value": "s", "addToHeader": True}, True, True),
    ("apiKey", {"key": "s"}, True, True),
    ("apiKey", {"key": "X-API-Key", "value": None}, True, True),
    ("apiKey", {"key": "X-API-Key", "addToHeader": True}, True, False),  # its own check
    ("apiKey", {"key": "no header", "value": "s"}, True, False),
    ("apiKey", {}, False, False),
    ("apiKey", {"key": 5}, False, False),
    ("apiKey", {"key": "s", "addToBody": 1}, False, False),
    ("apiKey", {"key": "s", "add_to_header": True}, False, False),
    ("bearer", {"token": "s", "prefix": "Token "}, True, True),
    ("bearer", {"token": "s", "addToHeader": False}, True, False),
    ("bearer", {"token": ""}, True, False),
    ("bearer", {"token": None}, False, False),
    ("bearer", {"token": "s", "addToHeader": "yes"}, False, False),
    ("none", {}, True, True),
    ("none", {"token": "s"}, False, False),
    ("none", [], False, False),
    ("none", None, False, False),
]


@pytest.mark.parametrize(("name", "document", "by_schema", "by_us"), SECRETS)
def test_secrets_of_built_in_auth_types(name: str, document: object, by_schema: bool, by_us: bool) -> None:
    (config,) = (each.Config for each in load_registry().auth_types if each.name == name)
    assert Draft202012Validator(document_schema(config)).is_valid(document) == by_schema
    assert takes(config, document) == by_us


def test_what_a_class_checks_itself_may_pass() -> None:
    @frozen
    class Checked:
        ttl: float = attrs.field(validator=attrs.validators.ge(1))

        def __attrs_post_init__(self) -> None:
            if self.ttl == 5:
                raise ConfigError(Problem("ttl", "must not be 5"))

    validator = Draft202012Validator(document_schema(Checked))
    for number in (0, 5):
        assert validator.is_valid({"ttl": number})
        assert not takes(Checked, {"ttl": number})
