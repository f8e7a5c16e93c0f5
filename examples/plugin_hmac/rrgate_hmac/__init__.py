"""The auth type `signed`: requests signed with HMAC-SHA256, from callers and to targets.

Belongs here: what the gateway asks for. Does not: the auth type (plugin.py), signatures (signing.py).
"""

from rrgate.api import Plugin, hookimpl
from rrgate_hmac.plugin import Hmac


@hookimpl
def rrgate_plugins() -> list[type[Plugin]]:
    return [Hmac]
