"""`Target`: an API that requests are forwarded to.

Belongs here: its fields. Does not: how it is reached (wire/).
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model.published import Writable, published


@frozen(kw_only=True)
class Target:
    """A target. Times of day are milliseconds since the epoch; timeouts are seconds."""

    id: str = published("sKey", writable=Writable.NEVER)
    client_id: str = published("clientId", writable=Writable.NEVER)
    user_id: str = published("userId", writable=Writable.NEVER, help="Who created it.")
    name: str = published("targetName", help="A name for people.")
    region: str = published("targetRegion", writable=Writable.ON_CREATION, help="Its region.")
    base_url: str = published("targetBaseURL", help="http or https; no user info, query or fragment.")
    test_path: str | None = published("targetTestPath", default=None, help="A path to try it by.")
    default_rule_effect: str = published(
        "targetDefaultRuleEffect", default="allow", help="`allow` or `deny` where no rule matches."
    )
    timeout: float = published("targetTimeout", default=30.0, help="Seconds to the response head, 1 to 900.")
    idle_timeout: float = published(
        "targetIdleTimeout", default=60.0, help="Seconds between bytes of a response; not for event streams."
    )
    ca_bundle: str | None = published(
        "targetCABundle", default=None, help="PEM certificates that the target's is verified against."
    )
    raw_paths: bool = published("targetRawPaths", default=False, help="Allow `%5C` and a leading `//` in paths.")
    strict_path: bool = published("targetStrictPath", default=False, help="Refuse `%2F` in paths.")
    allow_plaintext: bool = published(
        "targetAllowPlaintext", default=False, help="Send secrets over plain http beyond loopback."
    )
    created_at: int = published("targetCreatedAt", writable=Writable.NEVER)
    updated_at: int = published("targetUpdatedAt", writable=Writable.NEVER)
