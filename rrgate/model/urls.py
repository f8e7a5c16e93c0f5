"""What a target's base URL and test path may look like.

Belongs here: their form, judged once when saved, so that the data plane need not. Does not: where the host leads
(the wire checks addresses), or how requests' own paths are judged (rrgate/paths.py).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import idna

from rrgate.model.published import asks

LONGEST_URL: Final = 2000

_URL: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)\Z", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z", re.IGNORECASE)
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL_ESCAPE: Final = re.compile(r"%([01][0-9A-Fa-f]|7[Ff]|5[Cc])")
_PATH: Final = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=:@/]*\Z")
_QUERY: Final = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]*\Z")


@asks(maxLength=LONGEST_URL, pattern="^[Hh][Tt][Tt][Pp][Ss]?://")
def base_url(value: str) -> str:
    """An absolute http or https URL: host, perhaps a port and a path; no user info, query or fragment.

    The path has no dot segment in any spelling, no control character, no backslash.
    """
    if len(value) > LONGEST_URL:
        raise ValueError(f"must have at most {LONGEST_URL} characters")
    if not value.isprintable() or " " in value:
        raise ValueError("must have no spaces and no control characters")
    if "#" in value:
        raise ValueError("must have no fragment (#)")
    if "?" in value:
        raise ValueError("must have no query (?): a proxy's additional query parameters serve for that")
    parts = _URL.match(value)
    if parts is None:
        raise ValueError("must begin with http:// or https://")
    _, authority, path = parts.groups()
    if "@" in authority:
        raise ValueError("must have no user name or password: a credential serves for that")
    check_authority(authority)
    _check_path(path)
    return value


@asks(maxLength=LONGEST_URL, pattern="^/")
def test_path(value: str) -> str:
    """A path that is sent to a target as it stands, perhaps with a query."""
    if not value.startswith("/") or len(value) > LONGEST_URL:
        raise ValueError(f"must begin with / and have at most {LONGEST_URL} characters")
    path, _, query = value.partition("?")
    _check_path(path)
    if not _QUERY.match(query) or _BAD_ESCAPE.search(query):
        raise ValueError("must have a query of characters that may stand in one, others percent-encoded")
    return value


def check_authority(authority: str) -> None:
    """A host, perhaps with a port, as it stands in a URL. Raises ValueError."""
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        try:
            if not bracket or "%" in host:
                raise ValueError
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("must have an IPv6 address in its brackets") from None
        if port and not port.startswith(":"):
            raise ValueError("must have nothing but a port behind its address")
        _check_port(port[1:] if port else None)
        return
    host, colon, port = authority.partition(":")
    _check_port(port if colon else None)
    _check_host(host)


def _check_port(port: str | None) -> None:
    if port is None:
        return
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError("must have a port from 1 to 65535, or none and no colon")


def _check_host(host: str) -> None:
    if not host:
        raise ValueError("must name a host")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise ValueError("must name a host that international domain names (IDNA) allow") from None
    labels = host.removesuffix(".").split(".")
    if len(host) > 254 or not all(_LABEL.match(label) for label in labels):
        raise ValueError("must name a host: labels of letters, digits and -, joined by dots")
    if _NUMERIC.match(labels[-1]):
        # `127.1`, `0x7f000001`, `2130706433`: resolvers read them as addresses, each its own way.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("must spell an IPv4 address as four decimal numbers") from None


def _check_path(path: str) -> None:
    if not _PATH.match(path):
        raise ValueError("must have a path of characters that may stand in one, others percent-encoded")
    if _BAD_ESCAPE.search(path):
        raise ValueError("must have two hex digits behind every % of its path")
    if _CONTROL_ESCAPE.search(path):
        raise ValueError("must have no encoded control character or backslash in its path")
    if path.startswith("//"):
        raise ValueError("must not have a path that begins with //")
    decoded = re.sub("%2[Ff]", "/", re.sub("%2[Ee]", ".", path))
    if any(segment.partition(";")[0] in (".", "..") for segment in decoded.split("/")):
        raise ValueError("must have no . or .. segment in its path")
