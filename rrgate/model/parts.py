"""`Parts`: a proxy and everything that it joins, as one value.

Belongs here: its fields. Does not: finding them (directory.py), or what plugins make of them.
"""

from __future__ import annotations

from attrs import frozen

from rrgate.model.client import Client
from rrgate.model.credential import Credential
from rrgate.model.meter import Meter
from rrgate.model.proxy import Proxy
from rrgate.model.rule import RuleScope
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
    meters: tuple[Meter, ...] = ()
    """The active meters of the proxy, as they were created."""
