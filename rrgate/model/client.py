"""`Client`: an organisation; everything else belongs to exactly one.

Belongs here: its own fields. Does not: those of its configuration (configuration.py), its members.
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model.configuration import Configuration
from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.values import name


@frozen(kw_only=True)
class Client:
    """An organisation. Times are milliseconds since the epoch. `configuration` is published on a route of its own."""

    id: str = published("sKey", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published("clientName", check=name, help="A name for people, 1 to 200 characters.", example="Acme Ltd")
    configuration: Configuration = Configuration()
    created_at: Milliseconds = published("clientCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("clientUpdatedAt", writable=Writable.NEVER)
