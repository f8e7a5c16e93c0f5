"""The kinds of value a setting can have: what its text means, what is in range, what would be right instead.

One `Kind` a sort of value. Which settings exist is in the files beside this; where values come from is in sources.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from shlex import split
from typing import Any, Final
from urllib.parse import urlsplit

import idna
from attrs import field, frozen

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+-\Z")
_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_ENDPOINT: Final = re.compile(r"([A-Za-z][A-Za-z0-9_+-]*):(.+)\Z", re.DOTALL)
_HOST_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


class WrongValue(ValueError):
    """A value that a setting cannot have.

    `problems` holds, for each thing that is wrong, its place within the value (`""` or `[2]`) and a sentence that says
    what is wrong and what would be right.
    """

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


@frozen
class Kind:
    """A sort of value: `check` answers the value as settings hold it, or raises WrongValue; its own answer passes it.

    `from_text` reads an environment variable or an option, where everything is text.
    """

    check: Callable[[Any], Any]
    from_text: Callable[[str], Any] = field(default=str)


def wrong(value: object, what: str) -> WrongValue:
    """That `value` is not `what`; long values are cut."""
    shown = repr(str(value) if isinstance(value, Path) else value)
    return WrongValue(("", f"{shown if len(shown) <= 80 else shown[:77] + '...'} is not {what}"))


def text_of(what: str, read: Callable[[str], Any], *, optional: bool = False) -> Kind:
    """Text that `read` accepts; it raises ValueError otherwise. `what` names it; `optional`: may be empty."""

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise wrong(value, what)
        if optional and not value:
            return value
        try:
            return read(value)
        except ValueError as problem:
            raise wrong(value, what + (f" ({problem})" if str(problem) else "")) from None

    return Kind(check)


def list_of(what: str, read: Callable[[str], Any], *, made: type | tuple[type, ...] = ()) -> Kind:
    """A list of `what`, each read by `read`; in text they are separated by commas. `made`: what `read` answers."""
    accepted = (str, *(made if isinstance(made, tuple) else (made,)))

    def check(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise wrong(value, f'a list: write ["...", "..."], each one {what}')
        items, problems = [], []
        for place, item in enumerate(value):
            try:
                if not isinstance(item, accepted):
                    raise ValueError
                items.append(read(item) if isinstance(item, str) else item)
            except ValueError as problem:
                reason = f" ({problem})" if str(problem) else ""
                problems.append((f"[{place}]", str(wrong(item, what + reason))))
        if problems:
            raise WrongValue(*problems)
        return tuple(items)

    return Kind(check, lambda text: [item.strip() for item in text.split(",") if item.strip()])


def whole(least: int, most: int) -> Kind:
    """A whole number from `least` to `most`."""
    what = f"a whole number from {least} to {most}"

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(value, what)
        return value

    return Kind(check, _number(int, what))


def seconds(least: float, most: float) -> Kind:
    """A number of seconds from `least` to `most`; fractions are fine."""
    what = f"a number of seconds from {least:g} to {most:g}"

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise wrong(value, what)
        return float(value)

    return Kind(check, _number(float, what))


def _number(read: Callable[[str], Any], what: str) -> Callable[[str], Any]:
    def from_text(text: str) -> Any:
        try:
            if not text.isascii() or "_" in text:
                raise ValueError
            return read(text)
        except ValueError:
            raise wrong(text, what) from None

    return from_text


def switch() -> Kind:
    """True or false."""
    what = "a switch: write true or false"

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong(value, what)
        return value

    def from_text(text: str) -> bool:
        if text.lower() in (*_TRUE, *_FALSE):
            return text.lower() in _TRUE
        raise wrong(text, what)

    return Kind(check, from_text)


def one_of(*names: str) -> Kind:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return text_of("one of " + ", ".join(names), read)


def path_of(what: str, *, optional: bool = False) -> Kind:
    """The path of `what`; answered absolute, whether it exists or not. `optional`: may be empty, which is None."""

    def check(value: Any) -> Path | None:
        if optional and value in ("", None):
            return None
        if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
            raise wrong(value, f"the path of {what}")
        return Path(value).expanduser().absolute()

    return Kind(check)


def command() -> Kind:
    """A program and its arguments, which no shell reads; in text they are split and quoted as in a shell."""
    what = 'a program and its arguments: write ["/usr/bin/program", "argument"]'

    def check(value: Any) -> tuple[str, ...]:
        words = value if isinstance(value, list | tuple) else None
        if words is None or not all(isinstance(word, str) and "\0" not in word for word in words):
            raise WrongValue(("", f"this is not {what}"))
        if words and not words[0]:
            raise WrongValue(("", f"the program has no name; this is to be {what}"))
        return tuple(words)

    def from_text(text: str) -> list[str]:
        try:
            return split(text)
        except ValueError as problem:
            raise WrongValue(("", f"it cannot be split into words ({str(problem).lower()})")) from None

    return Kind(check, from_text)


def endpoint(text: str) -> str:
    """A Twisted server endpoint string, looked at but not opened. Raises ValueError."""
    match = _ENDPOINT.match(text)
    if not match:
        example = f"tcp:{text}:interface=127.0.0.1" if text.isdigit() else "tcp:8080:interface=127.0.0.1"
        raise ValueError(f"write for example {example}")
    name, rest = match.groups()
    if name in ("tcp", "tcp6", "ssl"):
        port = re.search(r"(?:^|:)port=([^:]*)", rest) or re.match(r"([^:=]*)(?::|\Z)", rest)
        if not port or not port[1].isdecimal() or int(port[1]) > 65535:
            raise ValueError(f"its port is a number from 0 to 65535: {name}:8080")
    return text


def base_url(text: str) -> str:
    """An absolute http or https URL without user info, query and fragment; answered without a `/` at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it starts with http:// or https://")
    if not parts.hostname or parts.port == 0:  # .port raises ValueError itself when it is no port
        raise ValueError("a host is missing")
    host_name(f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname)
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("without user name, query and fragment")
    if any(character <= " " or character >= "\x7f" for character in text):
        raise ValueError("without spaces, controls and letters outside ASCII")
    return text.rstrip("/")


def host_name(text: str) -> str:
    """A host as it stands in a Host header, without its port; folded to lower case and ASCII. Raises ValueError."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if ":" in text or "/" in text:
        raise ValueError("a name or an address alone, without scheme, port and path")
    try:
        folded = text.rstrip(".").lower()
        name = folded if folded.isascii() else idna.encode(folded, uts46=True).decode()
    except idna.IDNAError as problem:
        raise ValueError(str(problem)) from None
    if len(name) > 253 or not all(_HOST_LABEL.match(label) for label in name.split(".")):
        raise ValueError("")
    return name


def matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    """Reads text of one form, folded to lower case."""

    def read(text: str) -> str:
        folded = text.lower()
        if not pattern.match(folded):
            raise ValueError
        return folded

    return read


region = matching(_REGION)
header_prefix = matching(_TOKEN)
uuid = matching(_UUID)
