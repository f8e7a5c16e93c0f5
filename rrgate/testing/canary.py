"""`Canary`: made-up secrets, and the search for them in every place where no secret may be.

Belongs here: making secrets that cannot occur by chance, their spellings, finding them. Does not: putting them into a
gateway, or driving one.

    canary = Canary()
    key = canary.secret("the caller's key")
    ...  # use it, well and badly
    canary.add("log.db", Path("state/log.db"))
    canary.add("what the plugin shows of itself", repr(plugin))
    assert canary.findings() == []
"""

from __future__ import annotations

import base64
import re
import secrets
import struct
from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
LEAST: Final = 16
"""Characters of a secret, and of a part of one, that do not occur by chance."""


@frozen
class Finding:
    """A secret where none may be. `spelling`: in which form; `around`: what stands before it, without it."""

    secret: str
    spelling: str
    sink: str
    offset: int
    around: str = field(default="", eq=False)


@frozen
class _Spelling:
    """One way of writing a secret. Looked for first as any of `traces` in the `view` of a sink, which is quick."""

    secret: str
    name: str
    view: _View
    traces: tuple[bytes, ...]
    pattern: Callable[[], re.Pattern[bytes]]
    """What it is in the sink as it is; made when a trace was found, since most never are."""


class _Views:
    """A sink as it is, and with codings undone that spell one byte in many ways; each made when it is needed."""

    def __init__(self, content: bytes) -> None:
        self.plain = content
        self._decoded: bytes | None = None
        self._digits: bytes | None = None

    @property
    def decoded(self) -> bytes:
        """With every percent-encoded byte as itself."""
        if self._decoded is None:
            self._decoded = unquote_to_bytes(self.plain) if b"%" in self.plain else b""
        return self._decoded

    @property
    def digits(self) -> bytes:
        """In small letters, without what hexadecimal digits are set apart with."""
        if self._digits is None:
            self._digits = self.plain.translate(None, b" \t\n\r\v\f:,-").lower()
        return self._digits


_View = Callable[[_Views], bytes]
_PLAIN: Final[_View] = attrgetter("plain")
_DECODED: Final[_View] = attrgetter("decoded")
_DIGITS: Final[_View] = attrgetter("digits")

_SHIFTS: Final = tuple(struct.Struct(f"={shift}xQ") for shift in range(8))


class _Blocks:
    """Which of many spellings may be in a view of a sink: of whatever has 15 bytes, eight stand at a multiple of eight.

    To look for one spelling after the other takes a second for each megabyte where hundreds of secrets are known.
    """

    def __init__(self, spellings: Iterable[_Spelling], view: _View) -> None:
        """Of those that are looked for in this view."""
        self._known: dict[int, set[int]] = {}
        for number, spelling in enumerate(spellings):
            for trace in spelling.traces if spelling.view is view else ():
                for shift in _SHIFTS:
                    (block,) = shift.unpack_from(trace)
                    self._known.setdefault(block, set()).add(number)
        self._all = frozenset(self._known)

    def near(self, view: bytes) -> set[int]:
        """The places of those spellings that may be in it; none is in it that is left out."""
        whole = memoryview(view)[: len(view) // 8 * 8].cast("Q")
        return set().union(*(self._known[block] for block in self._all.intersection(whole)))


class Canary:
    """Secrets by name, and the sinks in which they are looked for."""

    def __init__(self) -> None:
        self._spellings: list[_Spelling] = []
        self._sinks: list[tuple[str, bytes]] = []

    def secret(self, name: str, *, prefix: str = "") -> str:
        """A new secret: `prefix`, then 34 visible ASCII characters, fit for headers, JSON, and Basic credentials.

        A `/` and a `+` in it make its percent-encoded and JSON-escaped forms differ from the plain one.
        """
        made = prefix + "/".join("".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(2)) + "+"
        self.know(name, made)
        return made

    def know(self, name: str, value: str) -> None:
        """Look for `value`, made elsewhere, too. Raises ValueError if it is so short that it may occur by chance."""
        if len(value) < LEAST:
            raise ValueError(f"{name} is shorter than {LEAST} characters: it would be found where it is not")
        self._spellings += _spellings(name, value.encode("utf-8", "surrogatepass"))

    def add(self, sink: str, content: bytes | str | Path) -> None:
        """Look into `content`, or into the file at a Path; a file that is not there is empty."""
        if isinstance(content, Path):
            content = content.read_bytes() if content.exists() else b""
        self._sinks.append((sink, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content))

    def findings(self) -> list[Finding]:
        """Every secret that is in a sink added so far, once for each spelling."""
        found = []
        blocks = {view: _Blocks(self._spellings, view) for view in (_PLAIN, _DECODED, _DIGITS)}
        for sink, content in self._sinks:
            views = _Views(content)
            near = set[int]().union(*(blocks[view].near(view(views)) for view in blocks))
            for spelling in map(self._spellings.__getitem__, sorted(near)):
                view = spelling.view(views)
                if not any(trace in view for trace in spelling.traces):
                    continue
                match = spelling.pattern().search(content)
                if match is not None:
                    before = content[max(0, match.start() - 40) : match.start()].decode("utf-8", "replace")
                    found.append(Finding(spelling.secret, spelling.name, sink, match.start(), before))
        return found


def _spellings(secret: str, value: bytes) -> list[_Spelling]:
    """`value` as it is, in parts, and in every encoding that a gateway meets."""
    half = max(LEAST, len(value) // 2)
    text = value.decode("utf-8", "surrogatepass")
    literal: dict[str, list[bytes]] = {
        # Whole or cut off: messages are shortened.
        "plain": [value[:half], value[-half:]],
        "escaped": [value.replace(b"/", rb"\/")],
        "base64": [core for coded in _in_base64(value) for core in (coded, _url_safe(coded))],
        "UTF-16": [text.encode(order, "surrogatepass") for order in ("utf-16-le", "utf-16-be")],
    }
    return [
        *(
            _Spelling(secret, name, _PLAIN, tuple(choices), partial(_any_of, choices))
            for name, choices in literal.items()
        ),
        _Spelling(secret, "percent-encoded", _DECODED, (value,), partial(_percent_encoded, value)),
        _Spelling(secret, "hexadecimal", _DIGITS, (value.hex().encode(),), partial(_hexadecimal, value)),
    ]


def _hexadecimal(value: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[\s:,-]?".join(b"%02x" % byte for byte in value), re.IGNORECASE)


def _any_of(choices: list[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(choice) for choice in dict.fromkeys(choices)))


def _percent_encoded(value: bytes) -> re.Pattern[bytes]:
    """`value` with one or more of its bytes percent-encoded, whichever."""
    each = [
        b"(?:%s|%%%s)" % (re.escape(byte), b"".join(b"[%c%c]" % (digit, ord(chr(digit).upper())) for digit in code))
        for byte, code in ((bytes([byte]), b"%02x" % byte) for byte in value)
    ]
    return re.compile(b"(?=[^%%]{0,%d}%%)" % (len(value) - 1) + b"".join(each))


def _in_base64(value: bytes) -> list[bytes]:
    """`value` in base64 of something that holds it: what does not depend on its neighbours, for each alignment."""
    coded = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + value)
        # Characters that also hold bits of what stands before or behind are cut.
        first = (before * 8 + 5) // 6
        last = (before + len(value)) * 8 // 6
        coded.append(whole[first:last])
    return coded


def _url_safe(coded: bytes) -> bytes:
    return coded.replace(b"+", b"-").replace(b"/", b"_")
