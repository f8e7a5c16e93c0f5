"""The forms of values that nouns take: names, regions, aliases, sizes, header names. URLs: urls.py.

Belongs here: checks for `published(check=…)`. Each answers the value to keep, or raises ValueError with a text that
tells what would be right and never holds the value. Does not: what depends on other nouns (core/).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Final

from cryptography import x509

from rrgate.ids import UUID_FORM
from rrgate.model.published import Check, asks, each_of
from rrgate.model.urls import base_url, test_path
from rrgate.names import NOT_INJECTABLE, fold, is_token

__all__ = [
    "alias",
    "base_url",
    "between",
    "certificates",
    "effect",
    "header_names",
    "name",
    "networks",
    "one_of",
    "region",
    "size",
    "test_path",
    "text",
]

LONGEST_NAME: Final = 200
LARGEST_SIZE: Final = 1 << 40
LARGEST_BUNDLE: Final = 256 * 1024
MOST_HEADER_NAMES: Final = 50
MOST_NETWORKS: Final = 100

_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
RESERVED_ALIASES: Final = frozenset(
    {"api", "async", "clients", "users", "invites", "notifications", "healthz", "readyz", "oauth2"}
)


@asks(minLength=1, maxLength=LONGEST_NAME, pattern=r"\S")
def name(value: str) -> str:
    """1 to 200 characters, not all of them blank, none a control character or half of a surrogate pair."""
    if not 1 <= len(value) <= LONGEST_NAME or not value.strip():
        raise ValueError(f"must have 1 to {LONGEST_NAME} characters, not all of them blank")
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in value):
        raise ValueError("must have no control characters")
    return value


def text(most: int) -> Check:
    """A check for text of 1 to `most` characters for people, in which lines may end; other controls are none."""

    @asks(minLength=1, maxLength=most, pattern=r"\S")
    def check(value: str) -> str:
        if not 1 <= len(value) <= most or not value.strip():
            raise ValueError(f"must have 1 to {most} characters, not all of them blank, or be null")
        if any((character < " " and character not in "\n\t") or "\x7f" <= character <= "\x9f" for character in value):
            raise ValueError("must have no control characters but ends of lines")
        return value

    return check


@asks(pattern="^[a-z0-9][a-z0-9-]{0,62}$")
def region(value: str) -> str:
    """A name such as `us-east-1`: letters a–z, digits and `-`."""
    if not _REGION.match(value):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit, such as us-east-1")
    return value


@asks(pattern="^[a-z0-9][a-z0-9-]{0,62}$")
def alias(value: str) -> str:
    """A name that can stand in a path beside ids and our own first segments (gateway-api.md 2)."""
    if not _ALIAS.match(value):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit")
    if UUID_FORM.match(value):
        raise ValueError("must not have the form of an id")
    if value in RESERVED_ALIASES:
        raise ValueError("must not be one of " + ", ".join(sorted(RESERVED_ALIASES)))
    return value


def one_of(*options: str) -> Check:
    """A check for one of a few words."""

    @asks(enum=list(options))
    def check(value: str) -> str:
        if value not in options:
            raise ValueError("must be one of " + ", ".join(options))
        return value

    return check


effect = one_of("allow", "deny")


def between(least: float, most: float) -> Check:
    """A check for a number within these bounds, both included."""

    @asks(minimum=least, maximum=most)
    def check(value: float) -> float:
        if not least <= value <= most:
            raise ValueError(f"must be from {least} to {most}")
        return value

    return check


@asks(minimum=1, maximum=LARGEST_SIZE)
def size(value: int) -> int:
    """A number of bytes, at least one."""
    if not 1 <= value <= LARGEST_SIZE:
        raise ValueError(f"must be a number of bytes from 1 to {LARGEST_SIZE}, or null")
    return value


@asks(maxItems=MOST_HEADER_NAMES)
def header_names(value: Sequence[str]) -> tuple[str, ...]:
    """Names of header fields that may cross the gateway, each once."""
    if len(value) > MOST_HEADER_NAMES:
        raise ValueError(f"must be at most {MOST_HEADER_NAMES} names")
    return tuple(each_of(value, _header_name))


def _header_name(value: str) -> str:
    raw = value.encode("utf-8", "replace")
    if not is_token(raw) or len(raw) > 100:
        raise ValueError("is not the name of a header field")
    if fold(raw) in NOT_INJECTABLE:
        raise ValueError("belongs to one connection and never passes")
    return value


@asks(maxItems=MOST_NETWORKS)
def networks(value: Sequence[str]) -> tuple[str, ...]:
    """Networks or single addresses, each kept as `address/bits`."""
    if len(value) > MOST_NETWORKS:
        raise ValueError(f"must be at most {MOST_NETWORKS} networks")
    return tuple(each_of(value, _network))


def _network(value: str) -> str:
    try:
        if "%" in value:  # a zone, which no address of a caller's is judged by
            raise ValueError
        return str(ip_network(value))
    except ValueError:
        # From None: the library's text quotes the input.
        raise ValueError(
            "must be a network such as 10.1.0.0/16 or fd00::/8, with no bits set behind its mask and no zone, or an "
            "address"
        ) from None


@asks(maxLength=LARGEST_BUNDLE)
def certificates(value: str) -> str:
    """One or more certificates in PEM."""
    if len(value) > LARGEST_BUNDLE:
        raise ValueError(f"must have at most {LARGEST_BUNDLE} characters")
    if "PRIVATE KEY" in value:
        raise ValueError("must hold certificates only, and this holds a private key: treat that key as known to others")
    try:
        x509.load_pem_x509_certificates(value.encode("ascii"))
    except ValueError:
        # From None: the library's text may quote the input.
        raise ValueError("must be one or more certificates in PEM (-----BEGIN CERTIFICATE-----)") from None
    return value
