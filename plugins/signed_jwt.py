"""`TokenSigner`: JWTs that the gateway signs itself, each kept until shortly before it expires.

Belongs here: their header and claims, and when the next one is due. Does not: keys (signing_keys.py), where they are
shown (stored_jwt.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from rrgate.api import json_text
from rrgate_plugins.signing_keys import SigningKey

OURS: Final = ("iat", "exp", "jti")
"""Claims that are made for each token."""
_EARLY: Final = 60.0
"""Seconds before its end at which the next one is due; at most a fifth of its life."""


class TokenSigner:
    """Signs tokens for one credential."""

    def __init__(
        self, key: SigningKey, key_id: str | None, claims: Mapping[str, Any], ttl: int, wall: Callable[[], float]
    ) -> None:
        """`ttl`: seconds that a token is good for. `wall`: seconds since the epoch."""
        self._key = key
        header = {"alg": key.algorithm, "typ": "JWT", **({} if key_id is None else {"kid": key_id})}
        self._header = json_text(header).encode()
        self._claims = claims
        self._ttl = ttl
        self._wall = wall
        self._token = b""
        self._since = self._until = 0.0

    def token(self) -> bytes:
        """The present one: the last that was signed, or a new one where that ends soon or time was set back."""
        now = self._wall()
        if not self._since <= now < self._until:
            issued = int(now)
            claims = {**self._claims, "iat": issued, "exp": issued + self._ttl, "jti": str(uuid4())}
            self._token = self._key.compact(self._header, json_text(claims).encode())
            self._since, self._until = issued, issued + self._ttl - min(_EARLY, self._ttl / 5)
        return self._token
