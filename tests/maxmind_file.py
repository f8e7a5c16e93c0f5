"""Writes a small MaxMind database (format 2.0), for tests of countries.

Belongs here: the file's form. Does not: reading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any


def maxmind_file(networks: Mapping[str, Mapping[str, Any]], version: int = 6) -> bytes:
    """The bytes of a database that knows `networks`, which must not overlap."""
    data, places = b"", []
    nodes: list[list[int | None]] = [[None, None]]
    for network, record in networks.items():
        known = ip_network(network)
        bits = f"{int(known.network_address):0{known.max_prefixlen}b}"[: known.prefixlen]
        if version == 6 and known.version == 4:
            bits = "0" * 96 + bits  # where readers look for IPv4 in a tree of IPv6
        node = 0
        for bit in bits[:-1]:
            following = nodes[node][int(bit)]
            if following is None:
                nodes.append([None, None])
                following = nodes[node][int(bit)] = len(nodes) - 1
            node = following
        places.append((node, int(bits[-1]), len(data)))
        data += _encoded(record)
    for node, bit, offset in places:
        nodes[node][bit] = len(nodes) + 16 + offset
    tree = b"".join(
        (len(nodes) if side is None else side).to_bytes(4, "big") for node in nodes for side in node
    )
    metadata = {
        "node_count": (6, len(nodes)),
        "record_size": (5, 32),
        "ip_version": (5, version),
        "database_type": "Test-Country",
        "languages": [],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1),
        "description": {},
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(metadata)


def _encoded(value: Any) -> bytes:
    if isinstance(value, Mapping):
        return _head(7, len(value)) + b"".join(_encoded(name) + _encoded(each) for name, each in value.items())
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encoded, value))
    if isinstance(value, tuple):  # a number of one of the types for unsigned ones
        kind, number = value
        digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _head(kind, len(digits)) + digits
    return _head(2, len(value.encode())) + value.encode()


def _head(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
