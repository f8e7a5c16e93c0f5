"""JSON whose numbers stay as they were written.

Belongs here: rrgate/json_text.py. Does not: what the Core API makes of it (tests/core/).
"""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rrgate.json_text import WrittenNumber, json_text, read_json, same_json, without_strings

NUMBERS = (
    "0", "-0", "7", "-7", "1.10", "1.1", "0.0", "-0.0", "1e5", "1E5", "1e+05", "1.0E-400", "1e400", "100000.0",
    "12345678901234567890123456789012345678901234567890", "0.1000000000000000055511151231257827", "-1.50",
)  # fmt: skip

WRITTEN = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "-"]),
        st.integers(0, 10**30).map(str),
        st.sampled_from(["", ".0", ".10", ".5", ".1000000000000000055511151231257827"]),
        st.sampled_from(["", "e5", "E5", "e+05", "E-7", "e400"]),
    ),
)
NAMES = st.sampled_from(["a", "b", "o"]) | st.text(max_size=3)
"""Few, so that two objects often have some in common."""
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.text() | WRITTEN.map(read_json),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=10,
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_stays_as_it_was_written(number: str) -> None:
    text = f'{{"a":[{number},{{"b":{number}}}],"c":{number}}}'
    assert json_text(read_json(text)) == text
    assert json_text(read_json(number)) == number


@settings(deadline=None)
@given(WRITTEN)
def test_every_number_does(number: str) -> None:
    assert json_text(read_json(f"[{number}]")) == f"[{number}]"
    assert float(read_json(number)) == float(number) or math.isinf(float(number))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.booleans())
def test_a_document_read_again_is_the_same(document: Any, ascii: bool) -> None:
    text = json_text(document, ascii=ascii)
    assert same_json(read_json(text), document)
    assert json_text(read_json(text), ascii=ascii) == text
    assert text.isascii() or not ascii


def test_it_works_as_a_float() -> None:
    number = read_json("1.10")
    assert isinstance(number, float)
    assert number + 1 == 2.1
    assert isinstance(read_json("1.1"), float)
    assert not isinstance(read_json("1.1"), WrittenNumber)
    assert json.dumps(number) == "1.1"  # what knows nothing of it still works


def test_copies_keep_the_text() -> None:
    assert json_text(copy.deepcopy(read_json('{"a":[1.10]}'))) == '{"a":[1.10]}'


def test_sorted_and_escaped() -> None:
    document = read_json('{"b":{"d":1.10,"c":"é"},"a":"\\ud800"}')
    assert json_text(document, sort=True, ascii=True) == '{"a":"\\ud800","b":{"c":"\\u00e9","d":1.10}}'
    assert json_text({"b": 1, "a": "é"}, sort=True) == '{"a":"é","b":1}'


@pytest.mark.parametrize("wrong", [math.nan, math.inf, [1.0, {"a": -math.inf}]])
def test_what_json_cannot_say(wrong: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        json_text(wrong)
    with pytest.raises(TypeError):
        json_text({"a": object()})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("1", "1.0"),
        ("1.1", "1.10"),
        ("1.10", "1.100"),
        ("1e5", "100000.0"),
        ("0", "-0"),
        ('{"a":1}', '{"a":true}'),
        ('{"a":{"b":[1.10]}}', '{"a":{"b":[1.1]}}'),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,1]"),
        ('{"a":null}', "{}"),
        ('"1"', "1"),
    ],
)
def test_what_is_not_the_same(one: str, other: str) -> None:
    assert not same_json(read_json(one), read_json(other))
    assert not same_json(read_json(other), read_json(one))


def test_what_is_the_same() -> None:
    assert same_json(read_json('{"a": 1.10, "b": [true, {"c": null}]}'), read_json('{"b":[true,{"c":null}],"a":1.10}'))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b'{"a": "[,", "b": [1, ""]}', b"{: , : [1, ]}"),
        (rb'["\"[", "\\", ["\\\""]]', b"[, , []]"),
        # What does not end goes on to the end, and no escaped quotation mark begins another.
        (b'[1, "a, b', b"[1, "),
        (b'["' + b'\\"' * 5, b"["),
        (b'["' + b'\\"' * 5 + b"\\", b"["),
        (b'["' + b'\\"' * 5 + b"\\\n", b"["),
        (b'["' + b'\\"' * 5 + b"\n\xff", b"["),
    ],
)
def test_without_strings(text: bytes, left: bytes) -> None:
    assert without_strings(text) == left


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.booleans())
def test_what_is_left_without_strings_is_the_structure(document: Any, ascii: bool) -> None:
    def structure(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(":" + structure(each) for each in value.values()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(structure, value)) + "]"
        return "" if isinstance(value, str) else json_text(value)

    text = json_text(document, ascii=ascii)
    assert without_strings(text.encode("utf-8", "surrogatepass")).decode() == structure(document)
