"""`configure`: what it takes, what it says of what it does not, and that it never says a value.

Belongs here: configurations of made-up plugins. Does not: those of real ones (tests/plugins).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, TypedDict, TypeVar

import attrs
import pytest
from attrs import frozen

from rrgate.api import ConfigError, Problem, documented, secret
from rrgate.configuring import configure, holds_secrets, without_secrets

SECRET = "s3cr3t-value"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen
class Inner:
    url: str
    tries: int = 1


@frozen
class Config:
    token: str = secret("What is shown.")
    add_to_header: bool = True
    prefix: str | None = None
    ttl: float = documented("Seconds.", default=1.0, validator=attrs.validators.ge(1))
    mode: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    audience: str | tuple[str, ...] | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    statuses: tuple[int, ...] = ()
    inner: Inner | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    kind: str = attrs.field(default="x", validator=attrs.validators.in_(["x", "y"]))

    def __attrs_post_init__(self) -> None:
        if self.token == "bad":
            raise ConfigError(Problem("token", "is not a token"), Problem("", "cannot work"))


def problems(document: object, class_: type = Config) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        configure(class_, document, "credentialSecret")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)
    return {problem.field: problem.problem for problem in caught.value.problems}


def test_everything_right() -> None:
    document = {
        "token": SECRET,
        "addToHeader": False,
        "prefix": None,
        "ttl": 5,
        "mode": "b",
        "colour": "blue",
        "audience": ["a", "b"],
        "headers": {"X-A": "1"},
        "statuses": [500, 502],
        "inner": {"url": "https://x.test", "tries": 3},
        "extra": {"deep": [1, {"x": None}]},
        "kind": "y",
    }
    config = configure(Config, document, "credentialSecret")
    assert config.token == SECRET
    assert config.add_to_header is False
    assert config.ttl == 5.0
    assert config.colour is Colour.BLUE
    assert config.audience == ("a", "b")
    assert config.statuses == (500, 502)
    assert config.inner == Inner("https://x.test", 3)
    assert config.extra == {"deep": [1, {"x": None}]}
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("document", "field", "problem"),
    [
        ({}, "token", "is required"),
        ({"token": 5}, "token", "must be a string"),
        ({"token": "t", "addToHeader": 1}, "addToHeader", "must be true or false"),
        ({"token": "t", "addToHeader": None}, "addToHeader", "must be true or false"),
        ({"token": "t", "add_to_header": True}, "add_to_header", "is not a known field; did you mean addToHeader?"),
        ({"token": "t", "ttl": "5"}, "ttl", "must be a number"),
        ({"token": "t", "ttl": True}, "ttl", "must be a number"),
        ({"token": "t", "ttl": 0}, "ttl", "must be >= 1"),
        ({"token": "t", "mode": SECRET}, "mode", "must be one of a, b"),
        ({"token": "t", "colour": SECRET}, "colour", "must be one of red, blue"),
        ({"token": "t", "kind": SECRET}, "kind", "must be one of x, y"),
        ({"token": "t", "audience": 5}, "audience", "must be a string or an array of strings or null"),
        ({"token": "t", "headers": SECRET}, "headers", "must be an object"),
        ({"token": "t", "headers": {"X-A": 1}}, "headers.X-A", "must be a string"),
        ({"token": "t", "statuses": SECRET}, "statuses", "must be an array"),
        ({"token": "t", "statuses": [500, SECRET]}, "statuses.1", "must be a whole number"),
        ({"token": "t", "inner": {}}, "inner.url", "is required"),
        ({"token": "t", "inner": {"url": "u", "tryes": 1}}, "inner.tryes", "is not a known field; did you mean tries?"),
        ({"token": "t", "inner": []}, "inner", "must be an object"),
        ({"token": "bad"}, "token", "is not a token"),
    ],
)
def test_one_thing_wrong(document: object, field: str, problem: str) -> None:
    assert problems(document)[f"credentialSecret.{field}"] == problem


@pytest.mark.parametrize("document", [None, [], SECRET, 5, True])
def test_no_object_at_all(document: object) -> None:
    assert problems(document) == {"credentialSecret": "must be an object"}


def test_everything_wrong_is_said_at_once() -> None:
    document = {"tokenn": SECRET, "addToHeader": SECRET, "ttl": SECRET, "headers": {"a": 1, "b": 2}}
    assert set(problems(document)) == {
        "credentialSecret.token",
        "credentialSecret.tokenn",
        "credentialSecret.addToHeader",
        "credentialSecret.ttl",
        "credentialSecret.headers.a",
        "credentialSecret.headers.b",
    }


def test_what_the_class_says_itself_gets_the_path() -> None:
    assert problems({"token": "bad"}) == {
        "credentialSecret.token": "is not a token",
        "credentialSecret": "cannot work",
    }


def test_no_value_of_a_validator_shows() -> None:
    @frozen
    class Checked:
        token: str = attrs.field(validator=attrs.validators.matches_re("[0-9]+"))
        short: str = attrs.field(default="", validator=attrs.validators.max_len(3))

        def __attrs_post_init__(self) -> None:
            if self.token == "5":
                raise ValueError(SECRET)

    assert problems({"token": SECRET}, Checked) == {"credentialSecret.token": "is not valid; it must be a string"}
    assert problems({"token": "1", "short": SECRET}, Checked) == {
        "credentialSecret.short": "its length must be <= 3"
    }
    assert problems({"token": "5"}, Checked) == {"credentialSecret": "is not valid"}


def test_what_a_class_works_out_for_itself_is_no_field() -> None:
    @frozen
    class Derived:
        key: str
        name: str = attrs.field(init=False, default="")

    assert problems({"key": "k", "name": "x"}, Derived) == {
        "credentialSecret.name": "is not a known field; known are key"
    }


def test_a_long_or_odd_name_is_shown_harmless() -> None:
    (name,) = problems({"token": "t", "x" * 500 + "\n": 1})
    assert len(name) < 100
    (name,) = problems({"token": "t", "a\r\nb": 1})
    assert name == "credentialSecret.a??b"


def test_of_many_unknown_fields_few_are_guessed_at() -> None:
    told = problems({"token": "t", **{f"toke{number:03}": 1 for number in range(50)}})
    assert [name.removeprefix("credentialSecret.toke") for name in told] == [f"{number:03}" for number in range(50)]
    guess = "is not a known field; did you mean token?"
    assert list(told.values()) == [guess] * 20 + ["is not a known field"] * 30


@frozen
class Endpoint:
    url: str
    key: str = secret("What is shown there.")


@frozen
class Branch:
    below: tuple[Branch, ...] = ()


@frozen
class Unknown:
    what: NobodyKnowsThis  # type: ignore[name-defined]  # noqa: F821


class OfUnknown(TypedDict):
    what: NobodyKnowsThis  # type: ignore[name-defined]  # noqa: F821


T = TypeVar("T")
Named = NewType("Named", Endpoint)


@frozen
class Pair(Generic[T]):
    one: T
    other: str = secret("What is shown.", default="")


@frozen
class Login:
    url: str
    pass_word: str = secret("What is shown.", default="")


@frozen
class OfLogins(Pair[Login]):
    """`one` is a Login: only what the class is made of says so."""


@dataclass(frozen=True)
class Data:
    login: Login


class Typed(TypedDict):
    login: Login


@frozen
class Not:
    of: tuple[Either | str, ...]
    op: Literal["not"]
    key: str = secret("What is shown.", default="")


@frozen
class Never:
    of: tuple[Either | str, ...]
    op: Literal["never"]


@frozen
class Again(Never):
    """Nothing in JSON tells it from the one before."""


Either = Not | Never | Again


@frozen
class Outermost:
    of: Either


@pytest.mark.parametrize(
    ("type_", "holds"),
    [
        (str, False),
        (Endpoint, True),
        (Endpoint | None, True),
        (tuple[Endpoint, ...], True),
        (Mapping[str, list[Endpoint]], True),
        (Mapping[str, Any], False),
        (Inner, False),
        (Branch, False),
        (Unknown, True),
        (OfUnknown, True),
        (OfLogins, True),
        (Data, True),
        (Typed, True),
        (Either, True),
    ],
)
def test_what_is_secret_at_any_depth_makes_all_of_it_so(type_: Any, holds: bool) -> None:
    assert holds_secrets(attrs.make_class("Outer", {"inner": attrs.field(type=type_)})) == holds


SHOWN, GIVEN = {"url": "u"}, {"url": "u", "key": "k3y"}
LOGIN = {"url": "u", "passWord": "k3y"}


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        (str, "u", "u"),
        (Endpoint, GIVEN, SHOWN),
        (Endpoint | None, GIVEN, SHOWN),
        (Endpoint | None, None, None),
        (Named, GIVEN, SHOWN),
        (Annotated[Endpoint, "of ours"], GIVEN, SHOWN),
        (tuple[Endpoint, ...], [GIVEN, GIVEN], [SHOWN, SHOWN]),
        (tuple[Endpoint, Login], [GIVEN, LOGIN], [SHOWN, SHOWN]),
        (list[Endpoint] | None, [GIVEN], [SHOWN]),
        (list[Endpoint | Login], [GIVEN, LOGIN], [SHOWN, SHOWN]),
        (Endpoint | list[Login], [LOGIN], [SHOWN]),
        (Mapping[str, Endpoint], {"key": GIVEN}, {"key": SHOWN}),
        (Mapping[str, list[Endpoint]], {"a": [GIVEN]}, {"a": [SHOWN]}),
        (Pair[Login], {"one": LOGIN, "other": "k3y"}, {"one": SHOWN}),
        (OfLogins, {"one": LOGIN, "other": "k3y"}, {"one": SHOWN}),
        (Data, {"login": LOGIN}, {"login": SHOWN}),
        (Typed, {"login": LOGIN}, {"login": SHOWN}),
        (list[Typed] | None, [{"login": LOGIN}], [{"login": SHOWN}]),
        (
            Either,
            {"of": [{"of": ["u"], "op": "not", "key": "k3y"}], "op": "never"},
            {"of": [{"of": ["u"], "op": "not"}], "op": "never"},
        ),
        (Mapping[str, Any], {"key": "k"}, {"key": "k"}),
        (Any, GIVEN, GIVEN),
        (Branch, {"below": [{"below": []}]}, {"below": [{"below": []}]}),
    ],
    ids=str,
)
def test_what_is_secret_is_left_out_at_any_depth_and_nothing_else(type_: Any, value: Any, shown: Any) -> None:
    outer = attrs.make_class("Outer", {"inner": attrs.field(type=type_)})
    document = {"inner": value}
    configure(outer, document, "")
    assert without_secrets(outer, document) == {"inner": shown}
    assert document == {"inner": value}


@pytest.mark.parametrize("class_", [Unknown, OfUnknown])
def test_of_what_nobody_can_tell_nothing_is_shown(class_: type) -> None:
    outer = attrs.make_class("Outer", {"inner": attrs.field(type=class_)})
    assert without_secrets(outer, {"inner": {"what": "k3y"}}) == {"inner": {}}


def calls(depth: int, innermost: Any, read: Any) -> int:
    """How many functions are called to read what may be of three classes at each depth."""
    value = innermost
    for _ in range(depth):
        value = {"of": [value], "op": "never"}
    events: list[str] = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: events.append(event))
    try:
        with suppress(ConfigError):
            read(Outermost, {"of": value}, "")
    finally:
        sys.setprofile(before)
    return events.count("call")


@pytest.mark.parametrize("innermost", ["u", 5], ids=["right", "wrong"])
@pytest.mark.parametrize("read", [configure, lambda class_, document, _: without_secrets(class_, document)])
def test_what_may_be_of_several_classes_takes_no_longer_with_each_depth(read: Any, innermost: Any) -> None:
    calls(1, innermost, read)  # what is made once
    two, four, six = (calls(depth, innermost, read) for depth in (2, 4, 6))
    assert six - four <= 1.1 * (four - two)
