"""`Parts`: a proxy and everything that it joins, as one value.

Belongs here: its fields, and which scope each part is. Does not: finding them (directory.py), or what plugins make of
them.
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model.client import Client
from rrgate.model.credential import Credential, Side
from rrgate.model.filter import FilterScope
from rrgate.model.meter import Meter
from rrgate.model.proxy import Proxy
from rrgate.model.rule import RuleScope, Scope
from rrgate.model.target import Target


@frozen(kw_only=True)
class Parts:
    """What a proxy joins. A credential is None where it was deleted, is of the other side, or belongs to another
    client: its requests are refused, and yet a plugin can say whether the proxy's settings would work."""

    client: Client
    proxy: Proxy
    target: Target
    proxy_credential: Credential | None = None
    target_credential: Credential | None = None
    anonymous: bool = False
    """Callers show no credential (`Plugin.anonymous`)."""
    scopes: tuple[RuleScope, ...] = ()
    """The rules of each part that is there: of the proxy credential, target credential, proxy and target."""
    filters: tuple[FilterScope, ...] = ()
    """The filters of each part that has any, in the order in which they are applied: of the target credential, target,
    proxy credential and proxy."""
    meters: tuple[Meter, ...] = ()
    """The active meters of the proxy, as they were created."""


def scope_of(part: Credential | Target | Proxy) -> Scope:
    """On whose behalf the rules and filters of a part are."""
    if isinstance(part, Credential):
        return Scope.PROXY_CREDENTIAL if part.side is Side.PROXY else Scope.TARGET_CREDENTIAL
    return Scope.PROXY if isinstance(part, Proxy) else Scope.TARGET


def own_credential(proxy: Proxy, credential: Credential | None, side: Side) -> Credential | None:
    """`credential`, unless it is of the other side or of another client than `proxy`."""
    if credential is None or credential.client_id != proxy.client_id or credential.side is not side:
        return None
    return credential
