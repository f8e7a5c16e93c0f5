"""Data of ours merged into a request's body (gateway-api.md 5): JSON objects and urlencoded forms, ours win.

Belongs here: which bodies can take it, and the merging. Does not: whose data it is, or where it is configured: that is
for the plugins that share this. What is not merged stays byte for byte as the caller wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from rrgate.api import Exchange, Reply, fold_parameter, json_text
from rrgate_plugins.json_bodies import codings, in_utf_8, is_json_type, media_type

LIMIT = 1024 * 1024
"""Bytes of a body that can be merged with; 413 beyond."""

MOST_MEMBERS = 20_000
"""Members of an object, or fields of a form, beside which ours are put: each costs all callers a microsecond."""

_METHODS = frozenset((b"POST", b"PUT", b"PATCH"))
_OF_THE_OLD_BODY = frozenset((b"content-md5", b"digest", b"content-digest", b"repr-digest"))
"""Digests (RFC 9530, RFC 3230, RFC 1864) of a body that is sent no longer."""

_JSON, _FORM, _MULTIPART, _OTHER = "json", "form", "multipart", "other"


class CannotMerge(ValueError):
    """A body that data cannot be merged into. The text says why, without any of its content."""


class AdditionalData:
    """Data to merge, compiled once. Its values are in no `repr` and no error."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """`data`: a JSON object, with its numbers as `rrgate.api.json_text` writes them."""
        self._members = _Members(data)
        self._whole = json_text(data, ascii=True).encode()
        self._form = _form_of(data)
        self._form_names = frozenset(fold_parameter(quote_plus(name).encode()) for name in data)

    def body_needed(self, ex: Exchange) -> int | None:
        """For a plugin's `body_needed`: None for what streams, or is refused for what its head says."""
        if ex.method not in _METHODS or ex.content_length == 0:
            return None
        kind = _kind(ex)
        if kind is _MULTIPART or (kind is _OTHER and ex.content_length is not None):
            return None
        return LIMIT

    def merge(self, ex: Exchange, *, strict: bool = False) -> Reply | None:
        """For a plugin's `prepare`: writes the merged body into `ex.to_target`, or answers why it cannot.

        `strict`: a multipart body is refused, where else it passes as it is with a warning.
        """
        request = ex.to_target
        if request.method not in _METHODS:
            return None
        if request.body is None and request.stream is None:
            request.fields = [field for field in request.fields if field[0] != b"content-encoding"]
            request.set_header(b"Content-Type", b"application/json")
            merged = self._whole
        else:
            kind = _kind(ex)
            if request.body_writer and (kind is not _FORM or b"content-type" in request.injected):
                # What was written here before is JSON, unless it was merged into the caller's form.
                kind = _JSON
            if kind is _MULTIPART and not strict:
                _warn(ex, "Additional data was not added: the body is multipart")
                return None
            try:
                merged = self._merged(kind, request.body)
            except CannotMerge as error:
                message = f"The data that this gateway adds cannot be merged into the request's body: {error}"
                return Reply(415, message, "bad-request")
        request.fields = [field for field in request.fields if field[0] not in _OF_THE_OLD_BODY]
        request.set_body(merged)
        return None

    def _merged(self, kind: str, body: bytes | None) -> bytes:
        if kind is _JSON and body is not None:
            return merged_object(body, self._members)
        if kind is _FORM and body is not None:
            if self._form is None:
                raise CannotMerge("the data has parts that a form cannot carry; send a JSON object")
            _not_too_many(body.count(b"&") + 1)
            names = self._form_names
            kept = [part for part in body.split(b"&") if fold_parameter(part.partition(b"=")[0]) not in names]
            return b"&".join((*kept, *self._form))
        raise CannotMerge("it must be a JSON object or an urlencoded form, in UTF-8, whole and not encoded")


def _kind(ex: Exchange) -> str:
    """What the caller says of the body."""
    types = ex.headers(b"Content-Type")
    if len(types) != 1:
        return _OTHER
    media = media_type(types[0])
    if media.startswith(b"multipart/"):
        return _MULTIPART
    if ex.header(b"Content-Range") is not None:
        # A part of something (RFC 9110 14.5): its length and place are told in the head.
        return _OTHER
    if codings(ex.headers(b"Content-Encoding")) or not in_utf_8(types[0]):
        return _OTHER
    if is_json_type(media):
        return _JSON
    return _FORM if media == b"application/x-www-form-urlencoded" else _OTHER


def _warn(ex: Exchange, warning: str) -> None:
    if warning not in ex.warnings:
        ex.warnings.append(warning)


def _form_of(data: Mapping[str, Any]) -> tuple[bytes, ...] | None:
    """`data` as fields of a form, an array as its field again and again; None if it has what a form cannot carry."""
    fields = []
    for name, value in data.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is None or isinstance(each, Mapping | list | tuple):
                return None
            text = each if isinstance(each, str) else json_text(each)
            fields.append(f"{_quoted(name)}={_quoted(text)}".encode())
    return tuple(fields)


def _quoted(text: str) -> str:
    return quote_plus(text, errors="replace")


# JSON. The caller's text is cut where ours is put in, and not written anew: so its numbers, spaces and escapes stay.


class _Members(dict[str, "str | _Members"]):
    """Our members by name: as text, or as members again where a caller's object is merged with."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__()
        self.text = json_text(data, ascii=True)
        self.quoted = {name: json.dumps(name) for name in data}
        for name, value in data.items():
            self[name] = _Members(value) if isinstance(value, Mapping) else json_text(value, ascii=True)


_SPACE = re.compile(r"[ \t\n\r]*+")
_COLON = re.compile(r"[ \t\n\r]*+:[ \t\n\r]*+")
_NEXT = re.compile(r"[ \t\n\r]*+(?:(,)[ \t\n\r]*+|\})")
_PLAIN = r'"[^"\\\x00-\x1f]*+"'
_PLAIN_MEMBER = re.compile(
    rf"(({_PLAIN}){_COLON.pattern}"
    rf"(?:{_PLAIN}|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null)){_NEXT.pattern}"
)
"""A member without escapes and with no object or array, and what follows: most are, and one match is quick."""


def merged_object(body: bytes, ours: _Members) -> bytes:
    """The JSON object in `body` with our members: deep, ours win, ours behind the caller's.

    Behind, because many targets match names without case and take the last of those that they cannot tell apart.
    Raises CannotMerge for what is no strict JSON object (RFC 8259), or names a member twice.
    """
    try:
        text = body.decode("utf-8")
        merged, end = _merged_at(text, _end(_SPACE, text, 0), ours)
        if _end(_SPACE, text, end) != len(text):
            raise CannotMerge("it must be one JSON object, and something follows it")
        return merged.encode("utf-8")
    except CannotMerge:
        raise
    except (ValueError, RecursionError):
        # From None: the parser's error holds the text.
        raise CannotMerge("it must be one JSON object in UTF-8, as RFC 8259 has it") from None


def _merged_at(text: str, at: int, ours: _Members) -> tuple[str, int]:
    """(the object that begins at `at`, with our members; where it ends). Raises ValueError."""
    if text[at : at + 1] != "{":
        raise CannotMerge("it must be a JSON object")
    parts: list[str] = []
    names: list[str] = []
    inner: dict[str, str] = {}
    at = _end(_SPACE, text, at + 1)
    more = text[at : at + 1] != "}"
    if not more:
        at += 1
    while more:
        plain = _PLAIN_MEMBER.match(text, at)
        if plain is not None:
            member, quoted, comma = plain.groups()
            name, at = quoted[1:-1], plain.end()
            if name not in ours:
                parts.append(member)
        else:
            start = at
            name, at = _decode(text, at)
            if not isinstance(name, str):
                raise CannotMerge("the name of a member must be a string")
            at = _end(_COLON, text, at)
            mine = ours.get(name)
            if isinstance(mine, _Members) and text[at : at + 1] == "{":
                inner[name], at = _merged_at(text, at, mine)
            else:
                at = _decode(text, at)[1]
                if mine is None:
                    parts.append(text[start:at])
            following = _NEXT.match(text, at)
            if following is None:
                raise ValueError
            comma, at = following[1], following.end()
        names.append(name)
        _not_too_many(len(names))
        more = comma is not None
    _each_once(names)
    for name, value in ours.items():
        parts.append(f"{ours.quoted[name]}:{inner.get(name) or (value.text if isinstance(value, _Members) else value)}")
    return "{" + ",".join(parts) + "}", at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where what `pattern` finds at `at` ends. Raises ValueError where it finds nothing."""
    found = pattern.match(text, at)
    if found is None:
        raise ValueError
    return found.end()


def _each_once(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise CannotMerge("an object in it has a member twice")


def _not_too_many(members: int) -> None:
    if members > MOST_MEMBERS:
        raise CannotMerge(f"it has more than {MOST_MEMBERS} members beside those that are added")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1:
        _each_once([name for name, _ in pairs])


def _no_constant(_: str) -> None:
    raise ValueError


# Nobody reads the numbers, and one of thousands of digits would be slow to make.
_decode = json.JSONDecoder(
    object_pairs_hook=_no_name_twice, parse_float=len, parse_int=len, parse_constant=_no_constant
).raw_decode
