"""The path that a caller sends behind `/api/{proxy}`: the three forms rules see, and what is refused.

Belongs here: gateway-api.md 2, "What rules see, and what is refused". Does not: rules, or addressing.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes


class PathForms(NamedTuple):
    """One path three ways. `raw`: as received. `decoded`: every escape but `%2F`, `%5C`, `%25` and controls decoded.

    `segments`: as decoded with `%2F` decoded, `;parameters` cut and runs of `/` merged; what a lenient target sees.
    """

    raw: bytes
    decoded: bytes
    segments: bytes


class PathRefused(Exception):
    """The path may not be forwarded; the text says why without repeating it."""


# Nothing here needs decoding, cutting or merging, and no segment begins with a dot: all three forms are the same.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)*/?\Z")
_RAW_FORBIDDEN = re.compile(rb"[\x00-\x20#\\\x7f-\xff]")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_KEPT = frozenset({0x2F, 0x5C, 0x25, *range(0x20), 0x7F})
_PARAMETERS = re.compile(rb";[^/]*")
_SLASHES = re.compile(rb"/{2,}")


def judge_path(raw: bytes, *, raw_paths: bool = False, strict: bool = False) -> PathForms:
    """The forms of `raw` (from its `/`, without the query). Raises PathRefused.

    `raw_paths`: the target allows `%5C` and a leading `//`. `strict`: it refuses `%2F`.
    """
    if _PLAIN.match(raw):
        return PathForms(raw, raw, raw)
    if _RAW_FORBIDDEN.search(raw):
        raise PathRefused("the path holds a byte that must be percent-encoded (RFC 3986 3.3)")
    if _BAD_ESCAPE.search(raw):
        raise PathRefused("the path holds a % that is not followed by two hex digits (RFC 3986 2.1)")
    if raw.startswith(b"//") and not raw_paths:
        raise PathRefused("the path begins with //; the target must allow this with targetRawPaths")
    lowered = raw.lower()
    if b"%00" in lowered:
        raise PathRefused("the path holds %00")
    if b"%5c" in lowered and not raw_paths:
        raise PathRefused("the path holds %5C; the target must allow this with targetRawPaths")
    if strict and b"%2f" in lowered:
        raise PathRefused("the path holds %2F, which this target refuses (targetStrictPath)")
    decoded = _ESCAPE.sub(_decode_one, raw)
    segments = re.sub(rb"%2[fF]", b"/", decoded)
    if raw_paths:
        # A target that takes `\` as `/` must not be walked upwards through it.
        segments_judged = re.sub(rb"%5[cC]", b"/", segments)
    else:
        segments_judged = segments
    segments = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", segments))
    segments_judged = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", segments_judged))
    for segment in segments_judged.split(b"/"):
        if segment in (b".", b".."):
            raise PathRefused("the path holds a . or .. segment, in some spelling")
    return PathForms(raw, decoded, segments)


def _decode_one(escape: re.Match[bytes]) -> bytes:
    return escape[0] if int(escape[1], 16) in _KEPT else unquote_to_bytes(escape[0])
