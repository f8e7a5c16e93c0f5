"""`Target`: an API that requests are forwarded to.

Belongs here: its fields. Does not: how it is reached (wire/).
"""

from __future__ import annotations

from attrs import field, frozen

from rrgate.model.published import Milliseconds, Writable, published
from rrgate.model.values import base_url, between, certificates, effect, name, region, test_path


@frozen(kw_only=True)
class Target:
    """A target. Times of day are milliseconds since the epoch; timeouts are seconds."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published(
        "targetName", check=name, help="A name for people, 1 to 200 characters.", example="Stripe API"
    )
    region: str = published(
        "targetRegion", writable=Writable.ON_CREATION, check=region, help="Its region.", example="us-east-1"
    )
    base_url: str = published(
        "targetBaseURL",
        check=base_url,
        help="http or https; no user info, query or fragment.",
        example="https://api.stripe.com",
    )
    test_path: str | None = published(
        "targetTestPath", default=None, check=test_path, help="A path to try it by.", example="/v1/customers"
    )
    default_rule_effect: str = published(
        "targetDefaultRuleEffect",
        default="allow",
        check=effect,
        by_plugin=True,
        help="`allow` or `deny` where no rule matches.",
    )
    timeout: float = published(
        "targetTimeout", default=30.0, check=between(1, 900), help="Seconds to the response head, 1 to 900."
    )
    idle_timeout: float = published(
        "targetIdleTimeout",
        default=60.0,
        check=between(1, 3600),
        help="Seconds between bytes of a response, 1 to 3600; not for event streams.",
    )
    ca_bundle: str | None = published(
        "targetCABundle",
        default=None,
        check=certificates,
        help="PEM certificates that the target's is verified against.",
    )
    client_certificate_fingerprint: str | None = published(
        "targetClientCertificateFingerprint",
        default=None,
        writable=Writable.NEVER,
        help="The SHA-256 of its client certificate, in hex.",
    )
    client_certificate_subject: str | None = published(
        "targetClientCertificateSubject", default=None, writable=Writable.NEVER, help="Whose certificate it is."
    )
    client_certificate_expires_at: Milliseconds | None = published(
        "targetClientCertificateExpiresAt", default=None, writable=Writable.NEVER, help="When it ends."
    )
    raw_paths: bool = published("targetRawPaths", default=False, help="Allow `%5C` and a leading `//` in paths.")
    strict_path: bool = published("targetStrictPath", default=False, help="Refuse `%2F` in paths.")
    allow_plaintext: bool = published(
        "targetAllowPlaintext", default=False, help="Send secrets over plain http beyond loopback."
    )
    created_at: Milliseconds = published("targetCreatedAt", writable=Writable.NEVER)
    updated_at: Milliseconds = published("targetUpdatedAt", writable=Writable.NEVER)
    sealed_client_certificate: bytes | None = field(default=None, repr=False)
