"""`Invite`: somebody may become a member of a client by a code that is shown once.

Belongs here: its data, and the code's form. Does not: who may invite and accept (core/invites.py).
"""

from __future__ import annotations

import secrets
from typing import Final

from attrs import frozen

from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.user import roles
from rrgate.model.values import text

DAYS: Final = 7
"""How long an invite can be accepted."""
MOST_TRIES: Final = 10
"""Wrong codes that an invite bears."""


def new_code() -> str:
    """`i-`, 72 random bits by which the invite is found, a dot, and 128 that prove that one was invited."""
    return f"i-{secrets.token_urlsafe(9)}.{secrets.token_urlsafe(16)}"


def selector_of(code: str) -> str:
    """The part of a code by which its invite is found; it proves nothing."""
    return code.partition(".")[0]


@frozen(kw_only=True)
class Invite:
    """Times are milliseconds since the epoch. `code_hash`, of the whole code, is keyed with the instance key."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who invites.")
    selector: str
    code_hash: bytes
    email: str | None = published(
        "inviteEmail", default=None, check=text(320), help="A label: nothing is sent to it, and anybody may accept."
    )
    roles: tuple[str, ...] = published(
        "inviteRoles", check=roles, help="What he is to be: one or more of `owner`, `admin` and `user`."
    )
    tries: int = published(
        "inviteTries", default=0, writable=Writable.NEVER, help="Wrong codes that were tried; the tenth ends it."
    )
    expires_at: Milliseconds = published(
        "inviteExpiresAt", writable=Writable.NEVER, help="When it can no more be accepted: after 7 days."
    )
    created_at: Milliseconds = published("inviteCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("inviteUpdatedAt", writable=Writable.NEVER)
