"""`Credential`: a secret and how it is used, on the caller's side (`proxy`) or towards a target (`target`).

Belongs here: its fields. Does not: the secret in clear, which only store/secrets.py ever makes.
"""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.values import effect, name, region


class Side(Enum):
    """Where a credential works."""

    PROXY = "proxy"
    TARGET = "target"


@frozen(kw_only=True)
class Credential:
    """A credential. Times are milliseconds since the epoch; `sealed_secret` is encrypted."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published("credentialName", check=name, help="A name for people, 1 to 200 characters.")
    side: Side = published(
        "credentialType", writable=Writable.ON_CREATION, help="`proxy`: callers show it; `target`: we show it."
    )
    auth_type: str = published(
        "credentialAuthType", writable=Writable.ON_CREATION, help="The auth type, as an installed plugin spells it."
    )
    region: str = published("credentialRegion", writable=Writable.ON_CREATION, check=region, help="Its region.")
    active: bool = published("credentialActive", default=True, help="Whether it works.")
    default_rule_effect: str = published(
        "credentialDefaultRuleEffect",
        default="allow",
        check=effect,
        by_plugin=True,
        help="`allow` or `deny` where no rule matches.",
    )
    expires_at: Milliseconds | None = published("credentialExpiresAt", default=None, help="When it stops working.")
    fingerprint: str = published(
        "credentialFingerprint", default="", writable=Writable.NEVER, help="Tells two secrets apart; 8 hex digits."
    )
    created_at: Milliseconds = published("credentialCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("credentialUpdatedAt", writable=Writable.NEVER)
    sealed_secret: bytes = field(repr=False)
    secret_version: int = 1
