"""JSON and base64url as JOSE wants them: one reading, or none.

Belongs here: reading bytes that nobody vouches for. Does not: what they mean.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final, NoReturn

_BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]+\Z")


class NotStrict(ValueError):
    """Bytes that can be read in several ways, or in none. The text is a fixed one and quotes nothing."""

    holds_no_values = True


def from_base64url(text: bytes) -> bytes:
    """The bytes of `text`: no padding, no other alphabet, and no bits left over (RFC 7515 2, RFC 4648 3.5).

    Raises NotStrict.
    """
    if not _BASE64URL.match(text) or len(text) % 4 == 1:
        raise NotStrict("it is no base64url")
    decoded = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != text:
        raise NotStrict("its base64url has bits that stand for nothing")
    return decoded


def object_from(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`: UTF-8, no member twice at any depth, no NaN or infinity, no half of a surrogate pair
    (RFC 7515 4 and 10.12, RFC 7493 2.1 and 2.3). Raises NotStrict.
    """
    try:
        decoded = text.decode("utf-8")
        value = json.loads(decoded, object_pairs_hook=_members, parse_constant=_no_constant)
        if "\\u" in decoded:
            # The only way in which half of a pair can be in there.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NotStrict:
        raise
    except (ValueError, RecursionError):
        raise NotStrict("it is no JSON") from None
    if not isinstance(value, dict):
        raise NotStrict("it is no JSON object")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("it names a member twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotStrict("it has a number that JSON has not")
