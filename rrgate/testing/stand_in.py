"""Plugins in the places of others: whoever tries out one side of a proxy needs something on the other.

Belongs here: plugins that do as little as can be. Does not: anything that a gateway would be run with.
"""

from __future__ import annotations

from rrgate.api import Exchange, Identity, NoConfig, Plugin, Side

STAND_IN = "stand-in"
"""Its name as an auth type."""
NOBODY = "stand-in-nobody"
"""The name of one that says of itself that callers show nothing."""


class StandIn(Plugin):
    """On the caller's side everybody is let in; on the target's side nothing is shown."""

    name = STAND_IN
    sides = frozenset({Side.PROXY, Side.TARGET})
    Config = NoConfig

    def authenticate(self, ex: Exchange) -> Identity:
        return Identity(STAND_IN, self.context.credential.id if self.context.credential else "")

    def prepare(self, ex: Exchange) -> None:
        """Nothing to write."""


class Nobody(StandIn):
    """The same where callers are known to show nothing (`Plugin.anonymous`)."""

    name = NOBODY
    sides = frozenset({Side.PROXY})
    anonymous = True
