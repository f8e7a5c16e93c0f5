"""AWS Signature Version 4: the canonical form of a request, and the signature over it.

Belongs here: the arithmetic, as AWS's page "Create a signed AWS API request" has it. Does not: which requests are
signed (aws_sigv4.py).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote_from_bytes, unquote_to_bytes

_PLAIN = re.compile(rb"[A-Za-z0-9\-._~/]*\Z")
_SLASHES = re.compile(rb"/{2,}")

NOT_SIGNED = frozenset(
    (
        b"baggage",
        b"expect",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-amzn-trace-id",
    )
)
"""Lower-case names of fields that what stands between may change; AWS's own clients leave the same out. Those of a
connection never come here."""


def strict_path(path: bytes) -> bytes:
    """`path` in the one spelling in which AWS reads it: everything but letters, digits and `-._~/` percent-encoded.

    A service signs what it has decoded and encoded again, so that another spelling would not fit its signature.
    `%2F` stays what it is.
    """
    if _PLAIN.match(path):
        return path
    return b"/".join(_strict(segment) for segment in path.split(b"/"))


def strict_query(query: bytes) -> bytes:
    """The same for a query, each parameter in its place; `+` is `%20` then, and empty parameters are left out."""
    if not query:
        return query
    parts = []
    for part in query.split(b"&"):
        name, mark, value = part.partition(b"=")
        if part:
            parts.append(_strict(name.replace(b"+", b" ")) + mark + _strict(value.replace(b"+", b" ")))
    return b"&".join(parts)


def _strict(part: bytes) -> bytes:
    return part if _PLAIN.match(part) and b"/" not in part else quote_from_bytes(unquote_to_bytes(part), "").encode()


class Signer:
    """Signs requests for one key, region and service."""

    def __init__(
        self,
        key_id: str,
        secret: str,
        region: str,
        service: str,
        *,
        encode_path_twice: bool,
        not_signed: frozenset[bytes] = frozenset(),
    ) -> None:
        """`encode_path_twice`: as all services but S3 want it. `not_signed`: further lower-case names of fields."""
        self._secret = b"AWS4" + secret.encode()
        self._region = region.encode()
        self._service = service.encode()
        self._scope = b"%b/%b/aws4_request" % (self._region, self._service)
        self._credential = b"AWS4-HMAC-SHA256 Credential=" + key_id.encode()
        self._twice = encode_path_twice
        self._not_signed = NOT_SIGNED | not_signed
        self._key = (b"", b"")

    def sign(
        self,
        stamp: bytes,
        method: bytes,
        path: bytes,
        query: bytes,
        fields: Iterable[tuple[bytes, bytes]],
        payload: bytes,
    ) -> bytes:
        """The value of `Authorization`.

        `stamp`: the time as in `X-Amz-Date`. `path`, `query`: strict, as they are sent. `fields`: (lower-case name,
        value) of all that are sent, `host` among them. `payload`: the SHA-256 of the body in hex, or what stands for
        it.
        """
        values: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            if name not in self._not_signed:
                values.setdefault(name, []).append(b" ".join(value.split()))
        names = sorted(values)
        signed = b";".join(names)
        lines = [method, self._path(path), _sorted(query)]
        lines += [name + b":" + b",".join(values[name]) for name in names]
        lines += [b"", signed, payload]
        day = stamp[:8]
        to_sign = b"AWS4-HMAC-SHA256\n%b\n%b/%b\n%b" % (
            stamp,
            day,
            self._scope,
            sha256(b"\n".join(lines)).hexdigest().encode(),
        )
        signature = _hmac(self._key_of(day), to_sign).hex().encode()
        return b"%b/%b/%b, SignedHeaders=%b, Signature=%b" % (self._credential, day, self._scope, signed, signature)

    def _path(self, path: bytes) -> bytes:
        if not self._twice:
            return path
        # Of a strict path only the `%` are left to encode.
        return _SLASHES.sub(b"/", path).replace(b"%", b"%25")

    def _key_of(self, day: bytes) -> bytes:
        """It holds for a day, so it is made once a day."""
        if self._key[0] != day:
            key = self._secret
            for part in (day, self._region, self._service, b"aws4_request"):
                key = _hmac(key, part)
            self._key = (day, key)
        return self._key[1]


def _sorted(query: bytes) -> bytes:
    if not query:
        return query
    pairs = sorted(part.partition(b"=")[::2] for part in query.split(b"&"))
    return b"&".join(name + b"=" + value for name, value in pairs)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
