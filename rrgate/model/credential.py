"""`Credential`: a secret and how it is used, on the caller's side (`proxy`) or towards a target (`target`).

Belongs here: its fields. Does not: the secret in clear, which only store/secrets.py ever makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from attrs import evolve, field, frozen

from rrgate.model.hosts import allowed_hosts
from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.values import effect, name, region


class Side(Enum):
    """Where a credential works."""

    PROXY = "proxy"
    TARGET = "target"


@frozen(kw_only=True)
class Credential:
    """A credential. Times are milliseconds since the epoch; the sealed secrets are encrypted.

    While a replaced secret still works, it is kept with the version that it had and the time when that ends; all
    three are None else.
    """

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published(
        "credentialName", check=name, help="A name for people, 1 to 200 characters.", example="Stripe Token"
    )
    side: Side = published(
        "credentialType",
        writable=Writable.ON_CREATION,
        help="`proxy`: callers show it; `target`: we show it.",
        example="target",
    )
    auth_type: str = published(
        "credentialAuthType",
        writable=Writable.ON_CREATION,
        help="The auth type, as an installed plugin spells it.",
        example="key",
    )
    region: str = published(
        "credentialRegion", writable=Writable.ON_CREATION, check=region, help="Its region.", example="us-east-1"
    )
    active: bool = published("credentialActive", default=True, help="Whether it works.")
    default_rule_effect: str = published(
        "credentialDefaultRuleEffect",
        default="allow",
        check=effect,
        by_plugin=True,
        help="`allow` or `deny` where no rule matches.",
    )
    in_query: bool = published(
        "credentialInQuery",
        default=True,
        help="Whether callers may show it in the query, too, where the setting `query_credentials` lets them.",
    )
    expires_at: Milliseconds | None = published("credentialExpiresAt", default=None, help="When it stops working.")
    previous_secret_expires_at: Milliseconds | None = published(
        "credentialPreviousSecretExpiresAt",
        default=None,
        help="Until when callers may still show the secret that was replaced; null: not at all.",
    )
    allowed_hosts: tuple[str, ...] | None = published(
        "credentialAllowedHosts",
        default=None,
        check=allowed_hosts,
        help="Hosts that it may be sent to; null until it is first used with a target.",
        example=["api.stripe.com"],
    )
    needs_authorization: bool = published(
        "credentialNeedsAuthorization",
        default=False,
        writable=Writable.NEVER,
        help="Whether it works again only once somebody has authorized it, or has given it a new secret.",
    )
    temporary: bool = published(
        "credentialTemporary",
        default=False,
        writable=Writable.NEVER,
        help="Whether nobody has authorized it yet; it is removed a day after it was made.",
    )
    fingerprint: str = published(
        "credentialFingerprint",
        default="",
        writable=Writable.NEVER,
        help="Tells two secrets apart; 8 hex digits.",
        example="5f1c0a9e",
    )
    created_at: Milliseconds = published("credentialCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("credentialUpdatedAt", writable=Writable.NEVER)
    sealed_secret: bytes = field(repr=False)
    secret_version: int = 1
    previous_sealed_secret: bytes | None = field(default=None, repr=False)
    previous_secret_version: int | None = None

    @property
    def passing(self) -> bool:
        """Whether something of it ends by itself: it expires, a replaced secret does, or nobody has authorized it."""
        return self.temporary or self.expires_at is not None or self.previous_sealed_secret is not None

    @property
    def before(self) -> Credential | None:
        """The credential as it was with the secret that was replaced, if that is kept; whether it still works is told
        by `previous_secret_expires_at`. Its `sealed_secret` is sealed for a row of its own."""
        if self.previous_sealed_secret is None or self.previous_secret_version is None:
            return None
        return evolve(
            self,
            sealed_secret=self.previous_sealed_secret,
            secret_version=self.previous_secret_version,
            **NO_PREVIOUS_SECRET,
        )


NO_PREVIOUS_SECRET: Final[Mapping[str, Any]] = {
    "previous_sealed_secret": None,
    "previous_secret_version": None,
    "previous_secret_expires_at": None,
}
"""What an overlap's end changes."""
