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
from pathlib import Path
from typing import Final

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


class Canary:
    """Secrets by name, and the sinks in which they are looked for."""

    def __init__(self) -> None:
        self._spellings: list[tuple[str, str, re.Pattern[bytes]]] = []
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
        self._spellings += [(name, spelling, pattern) for spelling, pattern in _spellings(value.encode())]

    def add(self, sink: str, content: bytes | str | Path) -> None:
        """Look into `content`, or into the file at a Path; a file that is not there is empty."""
        if isinstance(content, Path):
            content = content.read_bytes() if content.exists() else b""
        self._sinks.append((sink, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content))

    def findings(self) -> list[Finding]:
        """Every secret that is in a sink added so far, once for each spelling."""
        found = []
        for sink, content in self._sinks:
            for secret, spelling, pattern in self._spellings:
                match = pattern.search(content)
                if match is not None:
                    before = content[max(0, match.start() - 40) : match.start()].decode("utf-8", "replace")
                    found.append(Finding(secret, spelling, sink, match.start(), before))
        return found


def _spellings(value: bytes) -> list[tuple[str, re.Pattern[bytes]]]:
    """Patterns for `value` as it is, in parts, and in every encoding that a gateway meets."""
    half = max(LEAST, len(value) // 2)
    hexadecimal = [b"%02x" % byte for byte in value]
    return [
        # Whole or cut off: messages are shortened.
        ("plain", _any_of([value[:half], value[-half:]])),
        ("escaped", _any_of([value.replace(b"/", rb"\/")])),
        ("percent-encoded", _percent_encoded(value)),
        ("hexadecimal", re.compile(rb"[\s:,-]?".join(hexadecimal), re.IGNORECASE)),
        ("base64", _any_of([core for coded in _in_base64(value) for core in (coded, _url_safe(coded))])),
        ("UTF-16", _any_of([value.decode().encode("utf-16-le"), value.decode().encode("utf-16-be")])),
    ]


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
