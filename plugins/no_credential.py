"""`none`: a target that wants no credential; and callers who show none, where the operator allows that.

Towards a target it writes nothing; what the caller showed the gateway is cut by the core all the same. On the caller's
side everyone is the same nobody; what guards such a proxy stands in anonymous_callers.py and allowed_networks.py.
"""

from __future__ import annotations

from rrgate.api import Consumes, Exchange, Identity, NoConfig, Plugin, PluginContext, Side


class NoCredential(Plugin):
    """No credential."""

    name = "none"
    sides = frozenset({Side.PROXY, Side.TARGET})
    anonymous = True
    Config = NoConfig
    pure = True

    def __init__(self, config: NoConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._identity = Identity("none", context.credential.id if context.credential else "")
        # Not read: a caller who sends its key out of habit does not send it to the target.
        self.consumes = Consumes(headers={b"Authorization"}, parameters={b"Authorization"})

    def authenticate(self, ex: Exchange) -> Identity:
        return self._identity

    def prepare(self, ex: Exchange) -> None:
        """Nothing to write."""
