"""`User`, who manages resources through the Core API, and `Token`, by which one is known.

Belongs here: their data. Does not: the token itself, which is shown once and kept only as a keyed hash.
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class User:
    """A person or program that uses the Core API. Times are milliseconds since the epoch."""

    id: str
    operator: bool = False
    created_at: int
    updated_at: int


@frozen(kw_only=True)
class Token:
    """A user token's record. `token_hash` is keyed with the instance key."""

    id: str
    user_id: str
    name: str
    token_hash: bytes
    created_at: int
    expires_at: int | None = None
    client_id: str | None = None
    """The client that it is confined to."""
    role: str | None = None
    """The role beyond which it does nothing, whatever its user may do."""

    @property
    def narrowed(self) -> bool:
        """Whether it does less than its user may."""
        return self.client_id is not None or self.role is not None
