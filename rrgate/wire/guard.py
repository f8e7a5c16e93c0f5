"""Which addresses may be dialled (core-api.md 5): what a tenant names must not reach into the operator's network.

Belongs here: the judgement of one resolved address. Does not: resolving and connecting (dialer.py).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Opened = tuple[Network, int | None]
"""A network that is opened, and the one port that is meant, or None for all."""

_FORBIDDEN: Final = tuple(
    ip_network(network)
    for network in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "100::/64",
        "100:0:0:1::/64",
        "64:ff9b:1::/48",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
)
"""IANA's special-purpose registries (RFC 6890) and multicast: nothing a tenant's target should be."""

_EMBEDDING: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""IPv6 networks that carry an IPv4 address, and how many bits stand behind it (mapped, translated, NAT64, 6to4)."""
_TEREDO: Final = IPv6Network("2001::/32")

_METADATA: Final = frozenset(
    ip_address(address)
    for address in [
        "169.254.169.254",
        "169.254.169.253",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.169.123",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::23",
        "fd20:ce::254",
    ]
)
"""Where clouds hand out credentials to whoever asks; never dialled."""


class AddressForbidden(Exception):
    """No address of a name may be dialled; the text does not tell which addresses it has."""


class AddressGuard:
    """Judges addresses. `allow_networks` opens what is forbidden, for everybody, and `opened_for` for one tenant; our
    own listeners and metadata stay shut."""

    def __init__(
        self,
        allow_networks: Iterable[Opened] = (),
        opened_for: Callable[[str], tuple[Opened, ...]] = lambda tenant: (),
    ) -> None:
        """`opened_for`: what is opened besides for a tenant, by a client's id; asked each time."""
        self._allowed = tuple(allow_networks)
        self._opened_for = opened_for
        self._own: set[tuple[Address | None, int]] = set()

    def never_dial(self, host: str, port: int) -> None:
        """`host`:`port` is a listener of ours; an unspecified host means every local address."""
        address = ip_address(host)
        self._own.add((None if address.is_unspecified else address, port))

    def allows(self, host: str, port: int, tenant: str) -> bool:
        """Whether the resolved address `host` may be dialled on `port` for `tenant`. What does not parse may not."""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        reached = _reached(address)
        if any(each in _METADATA or self._is_own(each, port) for each in reached):
            return False
        forbidden = [each for each in reached if _forbidden(each)]
        if not forbidden:
            return True
        opened = self._opened(tenant)
        return all(_is_opened(opened, each, port) for each in forbidden)

    def is_open(self, host: str, port: int, tenant: str) -> bool:
        """Whether the resolved address `host` lies, with `port`, in a network that is opened for `tenant`."""
        address = ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return _is_opened(self._opened(tenant), address, port)

    def is_loopback(self, host: str) -> bool:
        """Whether the resolved address leads to this machine's loopback."""
        address = ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_unspecified

    def _opened(self, tenant: str) -> tuple[Opened, ...]:
        return self._allowed + self._opened_for(tenant)

    def _is_own(self, address: Address, port: int) -> bool:
        if (address, port) in self._own:
            return True
        return any(own is None and own_port == port for own, own_port in self._own) and is_local(address)


def _is_opened(opened: Iterable[Opened], address: Address, port: int) -> bool:
    """Whether `address` with `port` lies in one of these."""
    return any(
        network.version == address.version and address in network and (meant is None or meant == port)
        for network, meant in opened
    )


def _reached(address: Address) -> tuple[Address, ...]:
    """`address`, the IPv4 addresses that it leads to if it is an IPv6 one that carries some, and where those end.

    The unspecified address is no place, but to connect to it is to connect to loopback.
    """
    reached: list[Address] = [address]
    if isinstance(address, IPv6Address):
        if int(address) > 1:
            for network, behind in _EMBEDDING:
                if address in network:
                    reached.append(IPv4Address((int(address) >> behind) & 0xFFFFFFFF))
        if address in _TEREDO:
            reached.append(IPv4Address((int(address) & 0xFFFFFFFF) ^ 0xFFFFFFFF))
            reached.append(IPv4Address((int(address) >> 64) & 0xFFFFFFFF))
    ends = [ip_address("127.0.0.1" if each.version == 4 else "::1") for each in reached if each.is_unspecified]
    return (*reached, *ends)


def _forbidden(address: Address) -> bool:
    return any(address in network for network in _FORBIDDEN if network.version == address.version)


def is_local(address: Address) -> bool:
    """Whether `address` is one of this machine's. Asks the kernel's routing; no packet is sent."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
            return bool(ip_address(probe.getsockname()[0].partition("%")[0]) == address)
        except OSError:
            return False
