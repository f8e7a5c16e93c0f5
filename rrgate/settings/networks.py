"""Networks as settings and configurations name them: what a text means, and what would be right instead.

Belongs here: those kinds of value. Does not: all others (values.py), who lies in a network (wire/).
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from attrs import frozen

Network = IPv4Network | IPv6Network

UNIX: Final = "unix:"
"""Whoever connects over a UNIX socket, in a list of networks."""


@frozen
class AllowedNetwork:
    """A network that targets may lie in although it is not public; `port` None means every port."""

    network: Network
    port: int | None = None

    def __str__(self) -> str:
        network = f"[{self.network}]" if self.network.version == 6 else str(self.network)
        return network if self.port is None else f"{network}:{self.port}"


def network(text: str) -> Network:
    """A network or one address. Raises ValueError."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError("write for example 10.1.0.0/16 or fd00::/8") from None
        raise ValueError(f"bits are set behind the mask: did you mean {meant}?") from None


def network_in_front(text: str) -> Network | str:
    """`network`, or `UNIX`. Raises ValueError."""
    if text == UNIX:
        return text
    if text.startswith(UNIX):
        raise ValueError("write unix: alone, for all UNIX sockets")
    return network(text)


def allowed_network(text: str) -> AllowedNetwork:
    """`network`, or `network:port`; an IPv6 network before a port stands in brackets. Raises ValueError."""
    bracketed = re.match(r"\[([^\]]*)\](?::(.*))?\Z", text, re.DOTALL)
    if bracketed:
        base, port = bracketed.groups()
    elif text.count(":") == 1:
        base, port = text.split(":")
    else:
        base, port = text, None
    if port is not None and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError("a port is a number from 1 to 65535; an IPv6 network before it is bracketed: [fd00::/8]:443")
    return AllowedNetwork(network(base), None if port is None else int(port))
