"""`none`: a target that wants no credential.

It writes nothing; what the caller showed the gateway is cut by the core all the same.
"""

from __future__ import annotations

from rrgate.api import Exchange, NoConfig, Plugin, Side


class NoCredential(Plugin):
    """No credential towards the target."""

    name = "none"
    sides = frozenset({Side.TARGET})
    Config = NoConfig

    def prepare(self, ex: Exchange) -> None:
        """Nothing to write."""
