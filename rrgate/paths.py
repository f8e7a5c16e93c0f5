"""The path that a caller sends behind `/api/{proxy}`: the forms that rules see, and what is refused.

Belongs here: gateway-api.md 2, "What rules see, and what is refused". Does not: rules, or addressing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes


class PathForms:
    """One path several ways. `raw`: as received. `decoded`: every escape but `%2F`, `%5C`, `%25` and controls decoded.

    `segments`: as decoded with `%2F` decoded, `;parameters` cut and runs of `/` merged; what a lenient target sees.
    """

    __slots__ = ("_raw_paths", "_readings", "decoded", "raw", "segments")

    def __init__(
        self, raw: bytes, decoded: bytes, segments: bytes, readings: tuple[bytes, ...], raw_paths: bool
    ) -> None:
        self.raw = raw
        self.decoded = decoded
        self.segments = segments
        self._readings = readings
        self._raw_paths = raw_paths

    @property
    def readings(self) -> tuple[bytes, ...]:
        """These and whatever else a target may take the path for, each once; worked out when it is first asked for."""
        if not self._readings:
            self._readings = tuple(_readings(self.raw, raw_paths=self._raw_paths))
        return self._readings


class PathRefused(Exception):
    """The path may not be forwarded; the text says why without repeating it."""


# Nothing here needs decoding, cutting or merging, and no segment begins with a dot: all three forms are the same.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)*/?\Z")
_RAW_FORBIDDEN = re.compile(rb"[\x00-\x20#\\\x7f-\xff]")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_CONTROLS = (*range(0x20), 0x7F)
_KEPT = frozenset({0x2F, 0x5C, 0x25, *_CONTROLS})
_PARAMETERS = re.compile(rb";[^/]*")
_SLASHES = re.compile(rb"/{2,}")


def judge_path(raw: bytes, *, raw_paths: bool = False, strict: bool = False) -> PathForms:
    """The forms of `raw` (from its `/`, without the query). Raises PathRefused.

    `raw_paths`: the target allows `%5C` and a leading `//`. `strict`: it refuses `%2F`.
    """
    if _PLAIN.match(raw):
        return PathForms(raw, raw, raw, (raw,), raw_paths)
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
    return PathForms(raw, decoded, segments, (), raw_paths)


# Escapes that one target or another leaves as they are: none; `%2F`; those that `decoded` has, without and with `%2F`.
# Controls stay in two of them, so that `.` and `[^/]` find what they find in the path as it came.
_LEFT_BY_TARGETS = (
    frozenset[int](),
    frozenset(_CONTROLS),
    frozenset({0x2F}),
    frozenset({0x2F, *_CONTROLS}),
    _KEPT - {0x2F},
    _KEPT,
)


def _readings(raw: bytes, *, raw_paths: bool) -> Iterable[bytes]:
    """What targets make of `raw`: all that comes of what they do, in whichever order they do it.

    They cut `;parameters` before escapes are decoded (servlet containers: an escaped `/` goes with them, and an escaped
    `;` stays), or after; decode all escapes once (WSGI, nginx), or leave some; take `\\` for `/`; merge runs of `/`
    (nginx), or those that the path begins with (werkzeug), or take what is between two of them for a host's name.
    """
    texts = {raw: None}
    if raw.startswith(b"//"):
        texts[b"/" + raw[2:].partition(b"/")[2]] = None
    texts |= {_PARAMETERS.sub(b"", text): None for text in texts}
    escaped = frozenset(int(digits, 16) for digits in _ESCAPE.findall(raw))
    undecoded = tuple(texts)
    for left in {escaped & left for left in _LEFT_BY_TARGETS} - {escaped}:
        texts |= {_decoded(text, left): None for text in undecoded}
    if raw_paths:
        texts |= {text.replace(b"\\", b"/"): None for text in texts}
    texts |= {_PARAMETERS.sub(b"", text): None for text in texts}
    texts |= {_SLASHES.sub(b"/", text, 1) if text.startswith(b"//") else text: None for text in texts}
    texts |= {_SLASHES.sub(b"/", text): None for text in texts}
    return texts


def _decoded(text: bytes, left: frozenset[int]) -> bytes:
    """`text` with each escape decoded once but those of the bytes in `left`."""
    if not left:
        return unquote_to_bytes(text)
    return _ESCAPE.sub(lambda escape: escape[0] if int(escape[1], 16) in left else unquote_to_bytes(escape[0]), text)


def _decode_one(escape: re.Match[bytes]) -> bytes:
    return escape[0] if int(escape[1], 16) in _KEPT else unquote_to_bytes(escape[0])
