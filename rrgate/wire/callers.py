"""Where a request comes from: the peer's address, or what a trusted proxy says of it (gateway-api.md 1).

Belongs here: `trusted_proxies`, `X-Forwarded-For` and the PROXY protocol. Does not: what the address is used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from rrgate.messages import Fields
from rrgate.settings.networks import UNIX as UNIX_SOCKETS

UNIX: Final = "unix"
"""Whoever connects over a UNIX socket, and so has no address."""
UNKNOWN: Final = "unknown"
"""Where the word of a trusted proxy is no address: whoever that caller is, it lies in no network."""


def peer_host(transport: Any) -> str:
    """The peer's address as text; `UNIX` for a UNIX socket. An IPv4 one is spelled so on an IPv6 socket too."""
    return _host(transport.getPeer())


def _host(address: Any) -> str:
    return spelled(str(getattr(address, "host", UNIX)))


def spelled(host: str) -> str:
    """An address as text, an IPv4 one spelled so on an IPv6 socket too."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def _address(entry: bytes) -> str:
    """The address in one entry of `X-Forwarded-For`, without the port that some proxies add. Raises ValueError."""
    text = entry.decode("ascii")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


class TrustedProxies:
    """Networks whose word on the caller's address is taken, and UNIX sockets where they are named."""

    def __init__(self, networks: Sequence[str | IPv4Network | IPv6Network]) -> None:
        """`UNIX_SOCKETS` among them stands for whoever connects over one."""
        self._unix = UNIX_SOCKETS in networks
        self._networks = tuple(ip_network(str(net), strict=False) for net in networks if net != UNIX_SOCKETS)

    def __call__(self, host: str) -> bool:
        """Whether `host`, as `peer_host` tells it, is in one of the networks."""
        if host == UNIX:
            return self._unix
        if not self._networks:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks if network.version == mapped.version)

    def told_of(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Whence a request of `peer` comes that has these values of `X-Forwarded-For`."""
        peer = spelled(peer)
        if not self(peer):
            return peer
        return self.caller(peer, [(b"x-forwarded-for", b"X-Forwarded-For", each) for each in forwarded])

    def caller(self, peer: str, fields: Fields) -> str:
        """The last address in `X-Forwarded-For` that is not a trusted proxy, `peer` if it lists nobody, and `UNKNOWN`
        if what stands there is no address: a proxy's own would let everyone in who comes through it.

        `X_Forwarded_For` is another field: proxies that write the one pass on the other as the caller sent it.
        """
        values = [value for folded, name, value in fields if folded == b"x-forwarded-for" and b"_" not in name]
        # Empty elements of a list are none (RFC 9110 5.6.1.2).
        listed = [entry for value in values for part in value.split(b",") if (entry := part.strip())]
        caller = peer
        for entry in reversed(listed):
            try:
                host = _address(entry)
            except ValueError:
                return UNKNOWN
            caller = host
            if not self(host):
                break
        return caller


def announced_host(transport: Any, trusted: TrustedProxies) -> str:
    """Whence the connection comes that a proxy in front has announced by the PROXY protocol; `transport` is Twisted's
    wrapper, which has read that. `UNKNOWN` where the peer is not trusted, or has named nobody: a proxy's own address
    would let everyone in who comes through it.
    """
    peer, said = transport.transport.getPeer(), transport.getPeer()
    # A UNIX socket of the proxy's machine is none of this one's.
    named = said != peer and hasattr(said, "host")
    return _host(said) if named and trusted(_host(peer)) else UNKNOWN
