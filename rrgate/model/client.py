"""`Client`: an organisation; everything else belongs to exactly one.

Belongs here: its own fields. Does not: limits and members, which have nouns of their own.
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model.published import Writable, published


@frozen(kw_only=True)
class Client:
    """An organisation. Times are milliseconds since the epoch."""

    id: str = published("sKey", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published("clientName", help="A name for people.")
    created_at: int = published("clientCreatedAt", writable=Writable.NEVER)
    updated_at: int = published("clientUpdatedAt", writable=Writable.NEVER)
