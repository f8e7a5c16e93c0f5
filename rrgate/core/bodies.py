"""Reading the JSON body of a request, strictly.

Belongs here: bytes to a JSON object, or a reason why not. Does not: what its fields may be (model/documents.py).
"""

from __future__ import annotations

import json
from typing import Any, Final

from rrgate.api import Problem
from rrgate.complaints import shown_name
from rrgate.core.answers import Refused, not_right
from rrgate.json_text import read_json, without_strings

DEEPEST: Final = 64
"""How far objects and arrays may nest."""
MOST_VALUES: Final = 10_000
"""Members of objects and elements of arrays, in all: what is wrong with one takes 20 µs to tell, and all wait."""

_TOO_MANY: Final = Problem("body", f"must not hold more than {MOST_VALUES} values")


def read_object(content_types: list[bytes], content_encodings: list[bytes], body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises Refused: 415 unless its type is JSON in UTF-8, 400 unless it is one strict JSON object: no member twice,
    no NaN, no lone surrogates, not too deep, not too many values. Numbers keep their spelling (json_text.py).
    """
    if len(content_types) != 1 or not _is_json(content_types[0]):
        raise Refused(415, "The body must be JSON: send Content-Type: application/json.")
    if any(encoding.strip().lower() not in (b"", b"identity") for encoding in content_encodings):
        raise Refused(415, "The body must not be compressed: leave Content-Encoding out.")
    if _surely_too_many(body):
        raise not_right([_TOO_MANY])
    try:
        document = read_json(body.decode("utf-8"), members=_members, constant=_constant)
        # Half a surrogate pair passes the parser and no encoder.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise not_right([Problem("body", "must be UTF-8, without halves of surrogate pairs")]) from None
    except json.JSONDecodeError as error:
        raise not_right(
            [Problem("body", f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")]
        ) from None
    except (ValueError, RecursionError):
        raise not_right([Problem("body", "must be strict JSON: no NaN, no number of thousands of digits")]) from None
    if not isinstance(document, dict):
        raise not_right([Problem("body", "must be a JSON object")])
    deepest, values = _extent(document)
    if deepest > DEEPEST:
        raise not_right([Problem("body", f"must not nest deeper than {DEEPEST} levels")])
    if values > MOST_VALUES:
        raise not_right([_TOO_MANY])
    return document


def _surely_too_many(body: bytes) -> bool:
    """Whether there are more than `MOST_VALUES` in `body`, if it is JSON. A value stands before each comma, and each
    bracket but the first begins one: to count these takes a twentieth of the time in which all are read."""
    if body.count(b",") <= MOST_VALUES and body.count(b"[") + body.count(b"{") <= MOST_VALUES + 1:
        return False
    bare = without_strings(body)
    return bare.count(b",") > MOST_VALUES or bare.count(b"[") + bare.count(b"{") > MOST_VALUES + 1


def _is_json(content_type: bytes) -> bool:
    media_type, *parameters = content_type.lower().split(b";")
    media_type = media_type.strip()
    if media_type != b"application/json" and not (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    ):
        return False
    for parameter in parameters:
        name, _, value = parameter.strip().partition(b"=")
        if name == b"charset" and value.strip(b'"') not in (b"utf-8", b"utf8", b"us-ascii"):
            return False
    return True


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise not_right([Problem(shown_name(name), "is there more than once")])
            seen.add(name)
    return members


def _constant(_: str) -> Any:
    raise ValueError


def _extent(value: Any) -> tuple[int, int]:
    """(how far objects and arrays nest in `value`, how many values are in them)."""
    deepest = values = 0
    waiting = [(value, 1)]
    while waiting:
        current, level = waiting.pop()
        if isinstance(current, dict | list):
            deepest = max(deepest, level)
            values += len(current)
            inner = current.values() if isinstance(current, dict) else current
            waiting.extend((each, level + 1) for each in inner)
    return deepest, values
