"""What is kept of a request until it is delivered, and an Exchange made of it for each attempt.

Belongs here: both forms, and whose a request is. Does not: encryption (queue.py), sending (sending.py).
"""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import Any, Final

import orjson
from attrs import field, frozen

from rrgate.body import NO_BODY
from rrgate.deliveries import REPEATABLE
from rrgate.exchange import Exchange
from rrgate.json_text import json_text, read_json
from rrgate.messages import Fields, Identity
from rrgate.names import fold
from rrgate.own_request import NoDoor
from rrgate.pipeline_parts import ASYNC
from rrgate.store.errors import BrokenSecret

IDEMPOTENCY_KEY: Final = b"Idempotency-Key"


@frozen
class Stored:
    """A request as it was taken: judged, and without the caller's credential. Text is Latin-1, byte for byte."""

    method: str
    path: str
    """Behind the proxy's address, raw."""
    query_mark: str
    query: str
    fields: list[list[str]] = field(repr=False)
    """Names and values of those that reach the target."""
    read_from: list[str]
    """Folded names of the fields that the credential was read from."""
    subject: str
    credential_id: str
    claims: dict[str, Any] = field(repr=False)
    log_claims: list[str]
    address: str
    checks: int
    wall_started: float

    @property
    def has_key(self) -> bool:
        """The caller sent an `Idempotency-Key`."""
        # By its length first: folding all of them would cost 4 µs.
        as_long = [name for name, _ in self.fields if len(name) == _KEY_LENGTH]
        return any(fold(name.encode("latin-1")) == _FOLDED_KEY for name in as_long)

    @property
    def repeatable(self) -> bool:
        """It may be sent again although nobody knows whether it has arrived."""
        return self.method.encode() in REPEATABLE or self.has_key

    def head(self) -> bytes:
        """As bytes, to be sealed."""
        return _dumped(list(_VALUES(self)))

    @classmethod
    def of_head(cls, head: bytes) -> Stored:
        """What `head` made bytes of. Raises BrokenSecret for what it did not, or not in this version."""
        try:
            return cls(*(read_json(head) if head.startswith(_BY_HAND) else orjson.loads(head)))
        except (ValueError, TypeError):
            raise BrokenSecret("what was kept of a request has another form") from None

    @classmethod
    def of(cls, ex: Exchange) -> Stored:
        """Of a request that may pass."""
        identity = ex.identity
        assert identity is not None
        query = ex.crossing_query()
        return cls(
            method=ex.method.decode("latin-1"),
            path=ex.origin_path.decode("latin-1"),
            query_mark="" if ex.query and not query else ex.query_mark.decode("latin-1"),
            query=query.decode("latin-1"),
            fields=[[name.decode("latin-1"), value.decode("latin-1")] for _, name, value in ex.crossing_fields()],
            read_from=[name.decode("latin-1") for name in ex.read_from],
            subject=identity.subject,
            credential_id=identity.credential_id,
            claims={name: _json(value) for name, value in identity.claims.items()},
            log_claims=list(identity.log_claims),
            address=ex.caller_address,
            checks=ex.checks,
            wall_started=ex.wall_started,
        )

    def exchange(self, request_id: str, proxy_id: str, body: bytes, started: float, attempt: int) -> Exchange:
        """The request once more. `started`: seconds of the monotonic clock at which it was taken."""
        raw = f"{self.path}{self.query_mark}{self.query}".encode("latin-1")
        fields: Fields = []
        for name, value in self.fields:
            plain = name.encode("latin-1")
            fields.append((fold(plain), plain, value.encode("latin-1")))
        ex = Exchange(
            request_id,
            self.method.encode("latin-1"),
            ASYNC + proxy_id.encode() + raw,
            fields,
            NO_BODY,
            len(body),
            False,
            self.address,
            started,
            self.wall_started,
            NoDoor(),
        )
        ex.origin_path = self.path.encode("latin-1")
        ex.read_from = tuple(name.encode("latin-1") for name in self.read_from)
        logged = tuple(self.log_claims)
        # The usual ones are what it has anyway: said again they would be looked through again (10 µs).
        ex.identity = (
            Identity(self.subject, self.credential_id, self.claims)
            if logged == _USUAL
            else Identity(self.subject, self.credential_id, self.claims, logged)
        )
        ex.held_body = body or None
        ex.checks = self.checks
        ex.attempt = attempt
        ex.is_async = True
        ex.story = "beginning"
        return ex


_FOLDED_KEY: Final = fold(IDEMPOTENCY_KEY)
_KEY_LENGTH: Final = len(_FOLDED_KEY)
_USUAL: Final = Identity("").log_claims
_VALUES: Final = attrgetter(*Stored.__annotations__)
_BY_HAND: Final = b" "
"""What JSON begins with that orjson does not write, nor read."""


def _json(value: object) -> object:
    """A claim that a plugin made of something that is no JSON is kept as text."""
    try:
        json_text(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    return value


def whose(identity: Identity) -> bytes:
    """What tells one caller of a proxy from any other: the credential, whom that says it is, and who says so.

    `sub` is unique within its issuer alone (RFC 7519 4.1.2), and one credential may take tokens of several.
    """
    parts = [identity.credential_id, identity.subject]
    issuer = identity.claims.get("iss")
    if isinstance(issuer, str):
        parts.append(issuer)
    return hashlib.sha256(_dumped(parts)).digest()


def _dumped(value: list[Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # numbers over 64 bits, halves of surrogate pairs: JSON that tokens may have
        return _BY_HAND + json_text(value, ascii=True).encode()
