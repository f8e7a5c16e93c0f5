"""`proxyAllowedNetworks`: where callers may come from; 403 to others, before any credential is read.

Where callers show no credential and the proxy names no networks, they come directly from loopback: what a reverse
proxy on the same host passes on is everyone's.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from attrs import frozen

from rrgate.api import Denied, Exchange, Kind, Parts, Plugin, PluginContext

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_PASSED_ON = (
    b"Forwarded",
    b"X-Forwarded-For",
    b"X-Forwarded-Host",
    b"X-Forwarded-Proto",
    b"X-Real-IP",
    b"X-Client-IP",
    b"True-Client-IP",
    b"CF-Connecting-IP",
    b"Via",
)


@frozen
class AllowedNetworksConfig:
    """`direct`: nothing that a reverse proxy has passed on counts, whoever it is from."""

    networks: tuple[str, ...] = _LOOPBACK
    direct: bool = False


class AllowedNetworks(Plugin):
    """Judges the caller's address."""

    name = "allowed-networks"
    kind = Kind.GATE
    Config = AllowedNetworksConfig
    serves = frozenset({"proxyAllowedNetworks"})
    pure = True

    def __init__(self, config: AllowedNetworksConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._networks = tuple(ip_network(network) for network in config.networks)

    @classmethod
    def for_proxy(cls, parts: Parts) -> AllowedNetworksConfig | None:
        if parts.proxy.allowed_networks:
            return AllowedNetworksConfig(parts.proxy.allowed_networks)
        return AllowedNetworksConfig(direct=True) if parts.anonymous else None

    def authenticate(self, ex: Exchange) -> Denied | None:
        address = _address(ex.caller_address)
        if address is None or not any(address in network for network in self._networks):
            return _refused("comes from outside")
        if self.config.direct and any(ex.header(name) is not None for name in _PASSED_ON):
            return _refused("was passed on by a reverse proxy")
        return None


def _refused(reason: str) -> Denied:
    message = "This proxy does not take callers from your address (proxyAllowedNetworks)"
    return Denied(f"the caller {reason}", status=403, message=message)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The caller's address; None for a UNIX socket, or one that a proxy does not tell: those lie in no network."""
    try:
        return ip_address(text)
    except ValueError:
        return None
