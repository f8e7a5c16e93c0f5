"""Signatures of requests: what is signed, how it is written into `Authorization`, and how that is read.

Belongs here: the scheme, for whoever signs or verifies; it needs nothing of rrgate's. Does not: when to accept one.

    Authorization: HMAC-SHA256 key=ID, date=SECONDS, body=SHA256, signature=SIGNATURE

The signature is over five lines joined by LF: `HMAC-SHA256`, the method, the request line's target (the path, and `?`
and the query where there is one) byte for byte, the date in seconds since the epoch, and the body's SHA-256. Both sums
are in lower-case hex. None of these can hold a LF, so that no two requests have the same lines.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from attrs import field, frozen

SCHEME: Final = b"HMAC-SHA256"

_FORM: Final = re.compile(
    rb"HMAC-SHA256 +key=([A-Za-z0-9._-]{1,64}), *date=([0-9]{1,12}), *body=([0-9a-f]{64}), *signature=([0-9a-f]{64})",
    re.IGNORECASE,
)


@frozen
class Signed:
    """What an `Authorization` field says."""

    key: bytes
    date: int
    body: bytes
    signature: bytes = field(repr=False)


def digest_of(body: bytes) -> bytes:
    """The body's SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest().encode()


def signature_of(secret: bytes, method: bytes, target: bytes, date: int, digest: bytes) -> bytes:
    """The signature in hex. `date`: seconds since the epoch. `digest`: as `digest_of` makes it."""
    lines = (SCHEME, method, target, b"%d" % date, digest)
    return hmac.new(secret, b"\n".join(lines), hashlib.sha256).hexdigest().encode()


def authorization(key: bytes, secret: bytes, method: bytes, target: bytes, date: int, body: bytes) -> bytes:
    """The whole value of `Authorization` for a request."""
    digest = digest_of(body)
    signature = signature_of(secret, method, target, date, digest)
    return b"%b key=%b, date=%d, body=%b, signature=%b" % (SCHEME, key, date, digest, signature)


def is_ours(value: bytes) -> bool:
    """Whether it is of this scheme, well formed or not (schemes compare without case, RFC 9110 11.1)."""
    return value.partition(b" ")[0].upper() == SCHEME


def read(value: bytes) -> Signed | None:
    """What `value` says, or None if it is not well formed."""
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    key, date, body, signature = found.groups()
    return Signed(key, int(date), body.lower(), signature.lower())
