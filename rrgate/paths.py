"""The path that a caller sends behind `/api/{proxy}`: the forms that rules see, and what is refused.

Belongs here: gateway-api.md 2, "What rules see, and what is refused". Does not: rules, or addressing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes


class PathForms(NamedTuple):
    """One path several ways. `raw`: as received. `decoded`: every escape but `%2F`, `%5C`, `%25` and controls decoded.

    `segments`: as decoded with `%2F` decoded, `;parameters` cut and runs of `/` merged; what a lenient target sees.
    `readings`: these and whatever else a target may take the path for, each once; the one where all are the same.
    """

    raw: bytes
    decoded: bytes
    segments: bytes
    readings: tuple[bytes, ...]


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
        return PathForms(raw, raw, raw, (raw,))
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
    readings = dict.fromkeys((raw, decoded, segments, *_further_readings(raw)))
    if raw_paths and b"%5c" in lowered:
        # To some targets `\` separates too.
        separated = (_SLASHES.sub(b"/", reading.replace(b"\\", b"/")) for reading in tuple(readings))
        readings.update(dict.fromkeys(separated))
    return PathForms(raw, decoded, segments, tuple(readings))


def _further_readings(raw: bytes) -> Iterator[bytes]:
    """What targets make of `raw` that differ in what they do, and in which order.

    Every escape decoded, as WSGI servers do, and with runs of `/` merged, as nginx does; `;parameters` cut before
    escapes are decoded, as servlet containers do, so that an escaped `/` goes with them, and an escaped `;` stays;
    there with `%2F` left as it is too, which is one of their settings.
    """
    whole = unquote_to_bytes(raw)
    yield whole
    yield _SLASHES.sub(b"/", whole)
    yield _SLASHES.sub(b"/", _PARAMETERS.sub(b"", whole))
    cut = _PARAMETERS.sub(b"", raw)
    for decoded in (unquote_to_bytes(cut), re.sub(rb"%(?!2[fF])[0-9A-Fa-f]{2}", _decode_whole, cut)):
        yield decoded
        yield _SLASHES.sub(b"/", decoded)


def _decode_whole(escape: re.Match[bytes]) -> bytes:
    return unquote_to_bytes(escape[0])


def _decode_one(escape: re.Match[bytes]) -> bytes:
    return escape[0] if int(escape[1], 16) in _KEPT else unquote_to_bytes(escape[0])
