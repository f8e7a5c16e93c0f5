"""`NotSealed`: secrets that never were on a disk, and so are not sealed.

Belongs here: what a gateway in memory has in place of the store's ciphers. Does not: what of a secret is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from rrgate.model import Credential, Proxy, Target
from rrgate.model.hosts import address_of
from rrgate.model.proxy_plugin import ProxyPlugin
from rrgate.proxy_plugins import ProxyPlugins
from rrgate.store.sealed_parts import pack, unpack


class NotSealed:
    """See rrgate.compiling.Unsealer."""

    def unseal_credential(self, credential: Credential) -> bytes:
        """See the class."""
        return credential.sealed_secret

    unseal_previous = unseal_credential

    def unseal_client_certificate(self, target: Target) -> bytes:
        """See the class."""
        return target.sealed_client_certificate or b""

    def unseal_plugin(self, proxy: Proxy, name: str) -> bytes:
        """See the class."""
        return unpack(proxy.sealed_plugins)[name]


def listed(known: ProxyPlugins, wanted: Iterable[ProxyPlugin], target: Target) -> dict[str, Any]:
    """The attributes of a proxy to `target` that hold a list as a document has it. Raises ConfigError."""
    plugins, parts = [], {}
    for place, each in enumerate(wanted):
        configured = known.configured(each.name, each.configuration, f"proxyPlugins.{place}")
        fingerprint = None
        if configured.has_secrets:
            parts[each.name] = json.dumps(each.configuration).encode()
            fingerprint = sha256(parts[each.name]).hexdigest()[:8]
        plugins.append(ProxyPlugin(each.name, configured.public, fingerprint))
    host = address_of(target.base_url).entry if parts else None
    return {"plugins": tuple(plugins), "sealed_plugins": pack(parts), "plugins_host": host}
