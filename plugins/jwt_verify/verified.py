"""Tokens that were verified a short while ago, so that a caller who comes again costs a look-up.

Belongs here: how long and how many. Does not: what makes a token good.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from attrs import frozen

from rrgate.api import Identity
from rrgate_plugins.jwt_verify.keys import KeySet

LONGEST: Final = 300.0
"""Seconds."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of tokens, for one credential."""
_ENTRY_BYTES: Final = 500
"""What one costs besides its claims, about."""


@frozen
class _Verified:
    identity: Identity
    until: float
    expires: float
    size: int


class VerifiedTokens:
    """Identities by the hash of their token, for one credential and one key set."""

    def __init__(self) -> None:
        self._keys: KeySet | None = None
        self._known: dict[bytes, _Verified] = {}
        self._size = 0

    def find(self, raw: bytes, keys: KeySet | None, now: float, wall: float) -> Identity | None:
        """Whose token this is, if it was verified with `keys`, and neither 5 minutes nor its own time are over.

        `now`: monotonic seconds. `wall`: seconds since the epoch.
        """
        self._begin_anew_with(keys)
        verified = self._known.get(sha256(raw).digest())
        if verified is None or now >= verified.until or wall >= verified.expires:
            return None
        return verified.identity

    def keep(self, raw: bytes, keys: KeySet, identity: Identity, now: float, expires: float) -> None:
        """Remember a token that was verified with `keys`. `expires`: its `exp`."""
        self._begin_anew_with(keys)
        key, size = sha256(raw).digest(), len(raw) + _ENTRY_BYTES
        self._drop(key)
        while self._size + size > MOST_BYTES:
            self._drop(next(iter(self._known)))
        self._known[key] = _Verified(identity, now + LONGEST, expires, size)
        self._size += size

    def _begin_anew_with(self, keys: KeySet | None) -> None:
        if keys is not self._keys:
            self._known.clear()
            self._keys, self._size = keys, 0

    def _drop(self, key: bytes) -> None:
        gone = self._known.pop(key, None)
        if gone is not None:
            self._size -= gone.size
