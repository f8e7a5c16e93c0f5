"""`User`, who manages resources through the Core API, `Token`, by which one is known, and `Member`, one's place.

Belongs here: their data. Does not: the token itself, which is shown once and kept only as a keyed hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from rrgate.model.published import Milliseconds, Writable, asks, published
from rrgate.model.values import name, one_of, text

ROLES: Final = ("owner", "admin", "user")
"""Names of roles, the greatest first; what they stand for is in core/access.py."""


def new_token() -> str:
    """The text of a user token: `u-` and 256 random bits as 43 URL-safe characters."""
    return f"u-{secrets.token_urlsafe(32)}"


@asks(minItems=1, items={"enum": list(ROLES)})
def roles(value: Sequence[str]) -> tuple[str, ...]:
    """One or more roles, each once, the greatest first."""
    if not value or not set(value) <= set(ROLES):
        raise ValueError("must be one or more of " + ", ".join(ROLES))
    return tuple(each for each in ROLES if each in value)


@frozen(kw_only=True)
class User:
    """A person or program that uses the Core API. Times are milliseconds since the epoch."""

    id: str = published("sKey", writable=Writable.NEVER)
    first_name: str | None = published("userFirstName", default=None, check=text(200), help="For people.")
    last_name: str | None = published("userLastName", default=None, check=text(200), help="For people.")
    email: str | None = published(
        "userEmail", default=None, check=text(320), help="A label: nothing is sent to it, and it decides nothing."
    )
    phone: str | None = published("userPhone", default=None, check=text(50), help="A label too.")
    bio: str | None = published("userBio", default=None, check=text(2000), help="For people.")
    operator: bool = published(
        "userOperator", default=False, writable=Writable.NEVER, help="Whether he is an operator of this gateway."
    )
    created_at: Milliseconds = published("userCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("userUpdatedAt", writable=Writable.NEVER)
    came_to: str = ""
    """The client whose invite has made him; `""` for who was made by hand."""
    departed_at: int | None = None
    """When it was seen that such a one is a member of no client; None while he is."""

    @property
    def user_id(self) -> str:
        """He belongs to himself."""
        return self.id


@frozen(kw_only=True)
class Token:
    """A user token's record. `token_hash` is keyed with the instance key."""

    id: str = published("sKey", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER)
    name: str = published("tokenName", check=name, help="What it is for, 1 to 200 characters.", example="deployment")
    token_hash: bytes
    expires_at: Milliseconds | None = published(
        "tokenExpiresAt", default=None, help="When it stops working, a time ahead; never if null."
    )
    client_id: str | None = published(
        "tokenClientId", default=None, help="The client that it is confined to: others do not exist for it."
    )
    role: str | None = published(
        "tokenRole",
        default=None,
        check=one_of(*ROLES),
        help="`user`, `admin` or `owner`: it does no more than this role may, whatever you may do.",
    )
    created_at: Milliseconds = published("tokenCreatedAt", writable=Writable.NEVER)

    @property
    def narrowed(self) -> bool:
        """Whether it does less than its user may."""
        return self.client_id is not None or self.role is not None


@frozen(kw_only=True)
class Member:
    """A user's place in a client."""

    user_id: str = published("userId", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    roles: tuple[str, ...] = published("roles", check=roles, help="One or more of `owner`, `admin` and `user`.")

    @property
    def id(self) -> str:
        """Within the client."""
        return self.user_id
