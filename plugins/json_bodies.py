"""What a message's head says of its body: whether it is JSON, and as it stands.

Belongs here: media types, charsets and codings. Does not: reading bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_UTF_8: Final = frozenset((b"utf-8", b"utf8", b"us-ascii"))


def media_type(content_type: bytes) -> bytes:
    """The type in a `Content-Type`, in small letters and without parameters."""
    return content_type.partition(b";")[0].strip().lower()


def is_json_type(media: bytes) -> bool:
    """Whether a media type is that of JSON (RFC 8259 11, RFC 6839 3.1)."""
    return media in (b"application/json", b"text/json") or media.endswith(b"+json")


def in_utf_8(content_type: bytes) -> bool:
    """Whether a `Content-Type` names no other charset."""
    for parameter in content_type.lower().split(b";")[1:]:
        name, _, value = parameter.strip().partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in _UTF_8:
            return False
    return True


def codings(values: Iterable[bytes]) -> list[bytes]:
    """The codings that all of `Content-Encoding` together names, the innermost first; `identity` is none."""
    named = (coding.strip().lower() for coding in b",".join(values).split(b","))
    return [coding for coding in named if coding not in (b"", b"identity")]


def says_json(types: Sequence[bytes], encodings: Sequence[bytes], *, or_nothing: bool = False) -> bool:
    """Whether the values of `Content-Type` and `Content-Encoding` say JSON in UTF-8, not encoded.

    `or_nothing`: or no type at all.
    """
    if codings(encodings):
        return False
    if not types:
        return or_nothing
    return len(types) == 1 and is_json_type(media_type(types[0])) and in_utf_8(types[0])
