"""What of header fields and URLs may be kept in the request log: names nearly always, values of few.

Belongs here: redaction. Does not: the other facts of a request (record.py), secrets of configuration, which are never
logged at all. What is not known to be harmless is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from rrgate.messages import Fields
from rrgate.names import fold, fold_parameter
from rrgate.route import Route

REDACTED: Final = "[REDACTED]"
_CLEAR: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"content-length",
        b"user-agent",
        b"cache-control",
        b"retry-after",
    }
)
_CLEAR_PREFIX: Final = b"x-ratelimit-"
_DEFAULT_PREFIX: Final = b"requestrocket-"
_NO_FAMILY: Final = b""
# Written anew by the gateway, and so always cut from the request: that tells nothing about what they hold.
_NEVER_A_CREDENTIAL: Final = frozenset({b"content-length"})
# Of our own: where a caller wants to be called back, which may hold what only he is to know.
_A_URL: Final = b"-callback-url"
_SECRET_NAME: Final = re.compile("key|token|secret|sig|auth|pass|pwd|code|state|jwt|cred|session", re.IGNORECASE)
_LONGEST_VALUE: Final = 64

Kept = dict[str, str | None]
"""Header fields or query parameters by name; None for a value that is not shown."""

# What was decided of names is remembered, because the same ones come with every request; values never are.

_Shape = tuple[Kept, tuple[tuple[str, int], ...], tuple[tuple[str, tuple[int, ...]], ...]]
"""Every name, none with a value; for the names whose values are kept, the place of the field; or of several."""

_SHAPES: Final[dict[tuple[tuple[bytes, ...], frozenset[bytes], bytes], _Shape]] = {}
_SHAPES_MOST: Final = 1024
_LONGEST_SHAPE: Final = 2048
_LONGEST_NAME: Final = 64
_NOTHING: Final[frozenset[bytes]] = frozenset()


def request_headers_kept(fields: Fields, route: Route | None) -> Kept:
    """The caller's fields as they may be logged: names as they came, values in clear for few of them."""
    names = tuple([name for _, name, _ in fields])
    # A field that the caller's credential could be read from is never in clear, whatever its name.
    if route is None:
        template, once, repeated = _shape(names, _NOTHING, _DEFAULT_PREFIX)
    else:
        # Without a credential (it was deleted) it could stand in any of a family of names.
        prefix = route.own_prefix if route.cut_parameters is not None else _NO_FAMILY
        template, once, repeated = _shape(names, route.cut_headers, prefix)
    kept = template.copy()
    for name, place in once:
        kept[name] = fields[place][2].decode("latin-1")
    for name, places in repeated:
        kept[name] = _joined([fields[place][2].decode("latin-1") for place in places])
    return kept


def answer_headers_kept(fields: list[tuple[bytes, bytes]], route: Route | None) -> Kept:
    """The fields of the answer as they may be logged."""
    names = tuple([name for name, _ in fields])
    template, once, repeated = _shape(names, _NOTHING, _DEFAULT_PREFIX if route is None else route.own_prefix)
    kept = template.copy()
    for name, place in once:
        kept[name] = fields[place][1].decode("latin-1")
    for name, places in repeated:
        kept[name] = _joined([fields[place][1].decode("latin-1") for place in places])
    return kept


def _shape(names: tuple[bytes, ...], cut: frozenset[bytes], prefix: bytes) -> _Shape:
    """What is kept of fields with these names. Remembered for all together: 1 µs in place of 4 for thirteen fields."""
    shape = _SHAPES.get((names, cut, prefix))
    if shape is None:
        shape = _decided(names, cut - _NEVER_A_CREDENTIAL, prefix)
        if sum(map(len, names)) <= _LONGEST_SHAPE:
            # Begun anew when full, so that somebody's nonsense names cannot take the memory away for good.
            if len(_SHAPES) >= _SHAPES_MOST:
                _SHAPES.clear()
            _SHAPES[names, cut, prefix] = shape
    return shape


def _decided(names: tuple[bytes, ...], cut: frozenset[bytes], prefix: bytes) -> _Shape:
    spelt: dict[bytes, str] = {}
    template: Kept = {}
    clear: dict[str, list[int]] = {}
    families = (_CLEAR_PREFIX, prefix) if prefix else ()
    for place, name in enumerate(names):
        shown = spelt.setdefault(name.lower(), name.decode("latin-1"))
        template[shown] = None
        folded = fold(name)
        if folded not in cut and (folded in _CLEAR or folded.startswith(families)) and not folded.endswith(_A_URL):
            clear.setdefault(shown, []).append(place)
    once = tuple((name, places[0]) for name, places in clear.items() if len(places) == 1)
    repeated = tuple((name, tuple(places)) for name, places in clear.items() if len(places) > 1)
    return template, once, repeated


def parameters_kept(query: bytes, route: Route | None) -> Kept:
    """The query as it may be logged: names decoded, short values of harmless names in clear.

    Without a route, or a credential, nobody knows which parameter is one: then no value is in clear.
    """
    cut = None if route is None else route.cut_parameters
    kept: Kept = {}
    for part in query.split(b"&"):
        if not part:
            continue
        raw_name, equals, raw_value = part.partition(b"=")
        decide = _parameter if len(raw_name) <= _LONGEST_NAME else _parameter.__wrapped__
        name, clear = decide(raw_name, cut)
        text: str | None
        if not equals:
            text = ""
        elif not clear or not _harmless(text := _text(raw_value)):
            text = None
        kept[name] = _joined([kept[name], text]) if name in kept else text
    return kept


@lru_cache(maxsize=1024)
def _parameter(raw_name: bytes, cut: frozenset[bytes] | None) -> tuple[str, bool]:
    """The name as it is shown, and whether its value may be in clear."""
    name = _text(raw_name)
    # A `%` left in the name may spell another name to whoever decodes twice.
    known = cut is not None and fold_parameter(raw_name) not in cut
    return name, known and "%" not in name and not _SECRET_NAME.search(name)


def _harmless(value: str) -> bool:
    # `=` in the value may be a parameter of its own to whoever splits at `;`, or of a URL.
    return len(value) <= _LONGEST_VALUE and not ("=" in value and _SECRET_NAME.search(value))


def location_shown(location: bytes) -> str:
    """A `Location` without user information, values of the query, or fragment; each may be a secret."""
    text = location.decode("latin-1").partition("#")[0]
    address, mark, query = text.partition("?")
    scheme, slashes, rest = address.partition("//")
    if slashes:
        authority, slash, path = rest.partition("/")
        address = scheme + slashes + authority.rpartition("@")[2] + slash + path
    return address + mark + "&".join(name + equals for name, equals, _ in (p.partition("=") for p in query.split("&")))


def _text(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    return raw.decode("utf-8", "replace")


def _joined(texts: Sequence[str | None]) -> str | None:
    """Values under one name; one that is not shown hides the others, also one that only says so itself."""
    shown = [text for text in texts if text is not None and text != REDACTED]
    return ", ".join(shown) if len(shown) == len(texts) else None
