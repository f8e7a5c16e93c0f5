"""The checks of a request that its log record answers for, one bit each (`validationData`, core-api.md 9).

Belongs here: their names, which bits a step sets together, and what nouns alone tell. Does not: the checking of a
request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rrgate.model import Credential, Proxy, Side, Target
from rrgate.model.rule import Scope

NAMES: Final = (
    "proxyExists",
    "proxyActive",
    "proxyAuthenticated",
    "proxyCredentialExists",
    "proxyCredentialActive",
    "proxyCredentialRelationship",
    "proxyCredentialScopeValid",
    "proxyScopeValid",
    "targetExists",
    "targetRelationship",
    "targetScopeValid",
    "targetCredentialExists",
    "targetCredentialActive",
    "targetCredentialRelationship",
    "targetCredentialScopeValid",
    "requestValid",
    "requestSent",
    "responseReceived",
    "systemError",
    "requestConfigError",
)


class Checks:
    """Bits in the order of `NAMES`; plain integers, because an `IntFlag` costs 0.4 µs for each `|`."""

    NONE: Final = 0
    PROXY_EXISTS: Final = 1 << 0
    PROXY_ACTIVE: Final = 1 << 1
    PROXY_AUTHENTICATED: Final = 1 << 2
    PROXY_CREDENTIAL_EXISTS: Final = 1 << 3
    PROXY_CREDENTIAL_ACTIVE: Final = 1 << 4
    PROXY_CREDENTIAL_RELATIONSHIP: Final = 1 << 5
    PROXY_CREDENTIAL_SCOPE_VALID: Final = 1 << 6
    PROXY_SCOPE_VALID: Final = 1 << 7
    TARGET_EXISTS: Final = 1 << 8
    TARGET_RELATIONSHIP: Final = 1 << 9
    TARGET_SCOPE_VALID: Final = 1 << 10
    TARGET_CREDENTIAL_EXISTS: Final = 1 << 11
    TARGET_CREDENTIAL_ACTIVE: Final = 1 << 12
    TARGET_CREDENTIAL_RELATIONSHIP: Final = 1 << 13
    TARGET_CREDENTIAL_SCOPE_VALID: Final = 1 << 14
    REQUEST_VALID: Final = 1 << 15
    REQUEST_SENT: Final = 1 << 16
    RESPONSE_RECEIVED: Final = 1 << 17
    SYSTEM_ERROR: Final = 1 << 18
    REQUEST_CONFIG_ERROR: Final = 1 << 19

    SCOPES: Final = (
        PROXY_CREDENTIAL_SCOPE_VALID | PROXY_SCOPE_VALID | TARGET_SCOPE_VALID | TARGET_CREDENTIAL_SCOPE_VALID
    )
    """All four rule scopes allowed."""


SCOPE_CHECKS: Final[Mapping[Scope, int]] = {
    Scope.PROXY_CREDENTIAL: Checks.PROXY_CREDENTIAL_SCOPE_VALID,
    Scope.TARGET_CREDENTIAL: Checks.TARGET_CREDENTIAL_SCOPE_VALID,
    Scope.PROXY: Checks.PROXY_SCOPE_VALID,
    Scope.TARGET: Checks.TARGET_SCOPE_VALID,
}
"""The bit that says that a scope allowed."""


def as_document(checks: int) -> dict[str, bool]:
    """`validationData`: every check by name; one that was not reached is false."""
    return _as_document(checks).copy()


@lru_cache(maxsize=1024)
def _as_document(checks: int) -> dict[str, bool]:
    return {name: bool(checks >> place & 1) for place, name in enumerate(NAMES)}


def known_checks(proxy: Proxy, target: Target | None, caller: Credential | None, towards: Credential | None) -> int:
    """What holds for the parts of `proxy`, before any request."""
    checks = Checks.PROXY_EXISTS
    if proxy.active:
        checks |= Checks.PROXY_ACTIVE
    if target is not None:
        checks |= Checks.TARGET_EXISTS
        if target.client_id == proxy.client_id:
            checks |= Checks.TARGET_RELATIONSHIP
    if caller is not None:
        checks |= Checks.PROXY_CREDENTIAL_EXISTS
        if caller.client_id == proxy.client_id and caller.side is Side.PROXY:
            checks |= Checks.PROXY_CREDENTIAL_RELATIONSHIP
        if caller.active:
            checks |= Checks.PROXY_CREDENTIAL_ACTIVE
    if towards is not None:
        checks |= Checks.TARGET_CREDENTIAL_EXISTS
        if towards.client_id == proxy.client_id and towards.side is Side.TARGET:
            checks |= Checks.TARGET_CREDENTIAL_RELATIONSHIP
        if towards.active:
            checks |= Checks.TARGET_CREDENTIAL_ACTIVE
    return checks
