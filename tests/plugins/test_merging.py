"""Merging into JSON objects and forms: ours win, and the rest stays as the caller wrote it.

Belongs here: plugins/merging.py, as text. Does not: which requests it is done to (tests/gateway/).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rrgate.json_text import read_json, same_json
from rrgate_plugins.merging import MOST_MEMBERS, AdditionalData, CannotMerge
from tests.test_json_text import DOCUMENTS, NAMES

OBJECTS = st.dictionaries(NAMES, DOCUMENTS, max_size=4)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LAYOUT = st.sampled_from(["", " ", "\n", "\t \r\n"])


def merged(body: str | bytes, ours: str, kind: str = "json") -> str:
    data = AdditionalData(read_json(ours))
    return data._merged(kind, body.encode() if isinstance(body, str) else body).decode()


def refused(body: str | bytes, ours: str = '{"a":1}', kind: str = "json") -> str:
    with pytest.raises(CannotMerge) as caught:
        merged(body, ours, kind)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "ours", "becomes"),
    [
        ("{}", '{"a":1}', '{"a":1}'),
        (' \n{ } ', '{"a":1}', '{"a":1}'),
        ('{"b":2}', '{"a":1}', '{"b":2,"a":1}'),
        ('{"a":2}', '{"a":1}', '{"a":1}'),
        ('{"a":2,"b":3}', '{"a":1}', '{"b":3,"a":1}'),
        ('{"b":3,"a":2}', '{"a":1}', '{"b":3,"a":1}'),
        # Deep, where both have an object.
        ('{"o":{"x":1,"y":2}}', '{"o":{"y":3}}', '{"o":{"x":1,"y":3}}'),
        ('{"o":{"p":{"x":1}},"q":1}', '{"o":{"p":{"y":2},"z":3}}', '{"q":1,"o":{"p":{"x":1,"y":2},"z":3}}'),
        ('{"o":{}}', '{"o":{"y":3}}', '{"o":{"y":3}}'),
        ('{"o":{"x":1}}', '{"o":{}}', '{"o":{"x":1}}'),
        # Else ours is there instead.
        ('{"o":[{"x":1}]}', '{"o":{"y":3}}', '{"o":{"y":3}}'),
        ('{"o":null}', '{"o":{"y":3}}', '{"o":{"y":3}}'),
        ('{"o":"x"}', '{"o":{}}', '{"o":{}}'),
        ('{"o":{"x":1}}', '{"o":[1]}', '{"o":[1]}'),
        ('{"o":{"x":1}}', '{"o":null}', '{"o":null}'),
        ('{"o":[1,2,3]}', '{"o":[4]}', '{"o":[4]}'),
        # Numbers, ours and theirs.
        ('{"b":1.10,"c":[1E5,-0,1e400]}', '{"a":2.50}', '{"b":1.10,"c":[1E5,-0,1e400],"a":2.50}'),
        ('{"b":123456789012345678901}', '{"a":-0.0}', '{"b":123456789012345678901,"a":-0.0}'),
        ('{"a":1}', '{"a":100000000000000000000000000000.10}', '{"a":100000000000000000000000000000.10}'),
        # Layout and escapes of what is not ours.
        ('{ "b" :\t[ 1,\n2 ] , "c":"\\u00e9\\/" }', '{"a":1}', '{"b" :\t[ 1,\n2 ],"c":"\\u00e9\\/","a":1}'),
        ('{"é":"ü"}', '{"a":1}', '{"é":"ü","a":1}'),
        ('{"b":"\\ud800"}', '{"a":1}', '{"b":"\\ud800","a":1}'),
        # A name is what it says, however it is spelled.
        ('{"\\u0061":2,"b":3}', '{"a":1}', '{"b":3,"a":1}'),
        ('{"\\u006f":{"x":1}}', '{"o":{"y":2}}', '{"o":{"x":1,"y":2}}'),
        ('{"a\\"b":2}', '{"a\\"b":1}', '{"a\\"b":1}'),
        ('{"":2}', '{"":1}', '{"":1}'),
        # Ours come last, for those who match without case and take the last.
        ('{"a":2,"A":3}', '{"a":1}', '{"A":3,"a":1}'),
        ('{"o":{"x":1},"O":{"y":9}}', '{"o":{"y":3}}', '{"O":{"y":9},"o":{"x":1,"y":3}}'),
        ('{"z":"}{\\"a\\":","b":"\\\\"}', '{"a":1}', '{"z":"}{\\"a\\":","b":"\\\\","a":1}'),
    ],
)
def test_objects(body: str, ours: str, becomes: str) -> None:
    assert merged(body, ours) == becomes
    assert merged(becomes, ours) == becomes


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "[]", "1", '"{}"', "null", "{", "}", "{}}", "{} x", "{}{}", "[{}]", '{"b"}', '{"b":}', '{"b":1,}',
        '{,"b":1}', '{"b":1 "c":2}', '{"b":1,,"c":2}', '{"b" 1}', "{b:1}", "{'b':1}", '{1:2}', '{null:2}', '{{}:2}',
        '{"b":01}', '{"b":1.}', '{"b":.5}', '{"b":+1}', '{"b":-}', '{"b":0x1}', '{"b":1e}', '{"b":NaN}',
        '{"b":Infinity}', '{"b":-Infinity}', '{"b":tru}', '{"b":"x}', '{"b":"\n"}', '{"b\n":1}', '{"b":"\\x"}',
        '{"b":"\\u12"}', '{"b":[1,]}', '{"b":[1', '{"b":{"c":1}', '{"b":1;"c":2}', '{"b":/**/1}', "\ufeff{}",
        '{"b":\u00a01}', '{"b":1\u00a0}', '{"b":٣}', '{"a":{"b":1,}}', '{"a":NaN}', '{"o":{"c" 1}}', '{"o":{"c":1}',
        b"\xff{}", b'{"b":"\xff"}', b'{"b":"\xed\xa0\x80"}', '{"b":1}'.encode("utf-16"), b'{"b":1}\0',
        '{"b":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"o":' * 5_000 + "1" + "}" * 5_000,
    ],
    ids=lambda body: repr(body)[:40],
)  # fmt: skip
def test_what_is_no_strict_object(body: str | bytes) -> None:
    assert "JSON object" in refused(body, '{"a":1,"o":{"x":1}}') or body in ("{1:2}", "{null:2}", "{{}:2}")


@pytest.mark.parametrize(
    "body",
    [
        '{"b":1,"b":1}',
        '{"b":1,"\\u0062":2}',
        '{"a":1,"a":2}',
        '{"b":{"c":1,"c":2}}',
        '{"b":[[{"c":1,"d":1,"c":2}]]}',
        '{"o":{"c":1,"c":2}}',
        '{"o":{"x":1,"x":2}}',
        '{"o":{"x":1},"o":{"x":2}}',
        '{"a":{"c":1,"c":2}}',
    ],
)
def test_a_member_twice(body: str) -> None:
    assert refused(body, '{"a":1,"o":{"x":1}}') == "an object in it has a member twice"


@pytest.mark.parametrize(
    ("kind", "frame", "ours"),
    [
        ("json", "{%s}", '{"a":1}'),
        ("json", '{"o":{%s}}', '{"o":{"x":1}}'),
        ("form", "%s", '{"a":1}'),
    ],
)
def test_too_many_members(kind: str, frame: str, ours: str) -> None:
    member, comma = ('"%d":1', ",") if kind == "json" else ("%d=1", "&")
    members = [member % number for number in range(MOST_MEMBERS + 1)]
    assert merged(frame % comma.join(members[1:]), ours, kind)
    assert f"more than {MOST_MEMBERS} members" in refused(frame % comma.join(members), ours, kind)
    if kind == "json":
        # Where nothing of ours goes, it does not matter.
        assert merged('{"q":' + frame % comma.join(members) + "}", ours)


@pytest.mark.parametrize("body", ['{"b":"s3cr3t",}', '{"s3cr3t":1,"s3cr3t":2}', 's3cr3t', '{"b":s3cr3t}'])
def test_no_content_is_told(body: str) -> None:
    assert "s3cr3t" not in refused(body)
    data = AdditionalData({"a": "s3cr3t", "b": {"c": "s3cr3t"}})
    assert "s3cr3t" not in repr(data)


def expected(theirs: Any, ours: Any) -> Any:
    """The merge as it is defined, on values."""
    if not (isinstance(theirs, dict) and isinstance(ours, dict)):
        return ours
    return {**theirs, **{name: expected(theirs.get(name), value) for name, value in ours.items()}}


def written(value: Any, layout: str, ascii: bool) -> str:
    """`value` with white space wherever some may be."""
    if isinstance(value, dict):
        members = [f"{layout}{json.dumps(name)}{layout}:{written(each, layout, ascii)}" for name, each in value.items()]
        return layout + "{" + ",".join(members) + layout + "}" + layout
    if isinstance(value, list):
        return layout + "[" + ",".join(written(each, layout, ascii) for each in value) + layout + "]" + layout
    return layout + (getattr(value, "text", None) or json.dumps(value, ensure_ascii=ascii)) + layout


@QUICK
@given(OBJECTS, OBJECTS, LAYOUT, st.booleans())
@example({"a": {"b": 1}}, {"a": {"b": {}}}, " ", True)
def test_it_is_the_deep_merge(theirs: dict[str, Any], ours: dict[str, Any], layout: str, ascii: bool) -> None:
    data = AdditionalData(ours)
    once = data._merged("json", written(theirs, layout, ascii).encode())
    assert same_json(read_json(once), expected(theirs, ours))
    assert data._merged("json", once) == once


@QUICK
@given(OBJECTS, OBJECTS, LAYOUT, st.booleans())
def test_what_is_not_ours_stays_byte_for_byte(
    theirs: dict[str, Any], ours: dict[str, Any], layout: str, ascii: bool
) -> None:
    once = AdditionalData(ours)._merged("json", written(theirs, layout, ascii).encode()).decode()
    for name, value in theirs.items():
        if name not in ours:
            assert f"{json.dumps(name)}{layout}:{written(value, layout, ascii).rstrip()}" in once


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]":,\\ 0123456789.eE+-truefalsn\n\u00e9', max_size=30))
@example('{"a":1}')
def test_what_passes_is_what_a_strict_parser_takes(text: str) -> None:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise ValueError
        return dict(found)

    def constant(_: str) -> None:
        raise ValueError

    try:
        theirs = read_json(text, members=pairs, constant=constant)
    except ValueError:
        theirs = None
    if isinstance(theirs, dict):
        assert same_json(read_json(merged(text, '{"zz":1}')), {**theirs, "zz": 1})
    else:
        refused(text, '{"zz":1}')


# Forms.


@pytest.mark.parametrize(
    ("body", "ours", "becomes"),
    [
        ("b=2", '{"a":1}', "b=2&a=1"),
        ("a=2", '{"a":1}', "a=1"),
        ("a=2&b=3&a=4", '{"a":1}', "b=3&a=1"),
        ("b=%7e+%c3%A9&c&=&d=", '{"a":1}', "b=%7e+%c3%A9&c&=&d=&a=1"),
        # Names as they are read: percent-decoded, `+` as space, without case, `_` as `-`.
        ("%61=2&b=3", '{"a":1}', "b=3&a=1"),
        ("a+b=2&a%20b=3&c=4", '{"a b":1}', "c=4&a+b=1"),
        ("User-Id=2&user_id=3", '{"user_id":1}', "user_id=1"),
        ("a", '{"a":1}', "a=1"),
        # Values.
        ("b=2", '{"a":"é &=+%\\n"}', "b=2&a=%C3%A9+%26%3D%2B%25%0A"),
        ("b=2", '{"a":true,"c":false}', "b=2&a=true&c=false"),
        ("b=2", '{"a":1.10,"c":123456789012345678901,"d":1E5,"e":-0}', "b=2&a=1.10&c=123456789012345678901&d=1E5&e=-0"),
        ("b=2", '{"a":["x","y",3]}', "b=2&a=x&a=y&a=3"),
        ("a=1&b=2", '{"a":[]}', "b=2"),
        ("b=2", '{"a":""}', "b=2&a="),
        ("b=2", '{"items[]":"x"}', "b=2&items%5B%5D=x"),
    ],
)
def test_forms(body: str, ours: str, becomes: str) -> None:
    assert merged(body, ours, "form") == becomes
    assert merged(becomes, ours, "form") == becomes


@pytest.mark.parametrize(
    "ours", ['{"a":{"b":1}}', '{"a":null}', '{"a":[[1]]}', '{"a":[{"b":1}]}', '{"a":[null]}', '{"a":{}}']
)
def test_what_a_form_cannot_carry(ours: str) -> None:
    assert "form cannot carry" in refused("b=2", ours, "form")
    assert json.loads(merged("{}", ours)) == json.loads(ours)


@QUICK
@given(
    st.lists(st.tuples(st.text(max_size=3), st.text(max_size=5))),
    st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.lists(st.text(max_size=3)), min_size=1),
)
def test_forms_in_general(theirs: list[tuple[str, str]], ours: dict[str, Any]) -> None:
    data = AdditionalData(ours)
    once = data._merged("form", urlencode(theirs).encode())
    assert data._merged("form", once) == once

    def folded(name: str) -> str:
        return name.encode().lower().replace(b"_", b"-").decode()

    names = {folded(name) for name in ours}
    left = [(name, value) for name, value in theirs if folded(name) not in names]
    added = [(name, each) for name, value in ours.items() for each in ([value] if isinstance(value, str) else value)]
    assert parse_qsl(once.decode(), keep_blank_values=True) == left + added
