"""Which addresses may be dialled: every spelling of a forbidden one is forbidden, and what is opened is opened exactly.

Belongs here: `AddressGuard`. Does not: names (test_dialer.py), settings (tests/test_settings.py).
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network

import pytest

from rrgate.wire.guard import AddressGuard, Network

FORBIDDEN = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%eth0", "fec0::1"],
    "multicast and broadcast": ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarking and reserved": ["198.18.0.1", "198.19.255.255", "240.0.0.1", "2001:2::1", "192.0.0.1", "192.88.99.1"],
    "of name servers that blackhole": ["192.31.196.1", "192.52.193.1", "192.175.48.1", "192.175.48.42"],
    "discard, ORCHID, segment routing": ["100::1", "100:0:0:1::1", "2001:10::1", "2001:20::1", "5f00::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "::FFFF:192.168.0.1"],
    "compatible": ["::127.0.0.1", "::10.0.0.1", "::a00:1"],
    "translated": ["::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1"],
    "NAT64 of a local prefix, whatever it carries": ["64:ff9b:1:a00:0:1::808:808", "64:ff9b:1::8.8.8.8"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:1:ffff::1", "2002:a9fe:a9fe::"],
    "Teredo": ["2001::1", "2001:0:7f00:1::", "2001:0:808:808:0:0:80ff:fffe", "2001:0:808:808:0:0:f5ff:fffe"],
    "no address at all": ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "1.2.3", "::g", "[::1]"],
}
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "2606:4700::1111"]
PUBLIC_CARRIED = ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
EVERYTHING: list[tuple[Network, int | None]] = [(ip_network("0.0.0.0/0"), None), (ip_network("::/0"), None)]


def opening(*networks: str, port: int | None = None) -> AddressGuard:
    return AddressGuard((ip_network(network), port) for network in networks)


@pytest.mark.parametrize(
    "address", [pytest.param(a, id=f"{kind}: {a}") for kind, row in FORBIDDEN.items() for a in row]
)
def test_it_is_not_dialled(address: str) -> None:
    assert not AddressGuard().allows(address, 443, "")


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_CARRIED)
def test_a_public_address_is_dialled(address: str) -> None:
    assert AddressGuard().allows(address, 443, "")


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_not_dialled_even_when_everything_is_open(address: str) -> None:
    assert not AddressGuard(EVERYTHING).allows(address, 80, "")


@pytest.mark.parametrize(
    ("own", "forbidden", "allowed"),
    [
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::ffff:0.0.0.0", "64:ff9b::127.0.0.1"], ["::1"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"], ["10.0.0.1"]),
        ("::", ["127.0.0.1", "::1", "::", "0.0.0.0"], ["8.8.8.8"]),
        ("::1", ["::1", "::"], ["127.0.0.1", "10.0.0.1"]),
        ("10.1.2.3", ["10.1.2.3", "::ffff:10.1.2.3", "2002:a01:203::1"], ["10.1.2.4"]),
    ],
)
def test_our_own_listeners_are_not_dialled_even_when_everything_is_open(
    own: str, forbidden: list[str], allowed: list[str]
) -> None:
    guard = AddressGuard(EVERYTHING)
    guard.never_dial(own, 8081)
    assert [address for address in forbidden if guard.allows(address, 8081, "")] == []
    assert [address for address in allowed if not guard.allows(address, 8081, "")] == []
    # The same machine's other services are not ours to shut.
    assert guard.allows(forbidden[0], 8082, "")


@pytest.mark.parametrize(
    ("networks", "port", "dialled", "not_dialled"),
    [
        (["10.0.0.0/8"], None, [("10.0.0.1", 80), ("10.9.9.9", 8443)], [("127.0.0.1", 80), ("192.168.0.1", 80)]),
        (["10.0.0.0/8"], 8443, [("10.0.0.1", 8443)], [("10.0.0.1", 80), ("10.0.0.1", 8444)]),
        (["10.0.0.0/8"], 8443, [("::ffff:10.0.0.1", 8443), ("2002:a00:1::1", 8443)], [("::ffff:10.0.0.1", 443)]),
        (["127.0.0.1/32"], None, [("127.0.0.1", 80)], [("127.0.0.2", 80), ("::1", 80), ("10.0.0.1", 80)]),
        (["::1/128"], None, [("::1", 80)], [("127.0.0.1", 80), ("fd00::1", 80)]),
        (["fd00::/8"], 443, [("fd12::1", 443)], [("fd12::1", 80), ("fc00::1", 443)]),
        # One that carries a second address is open only with both.
        (
            ["10.0.0.0/8", "2001::/32"],
            None,
            [("2001:0:808:808:0:0:f5ff:fffe", 80)],
            [("2001:0:808:808:0:0:80ff:1", 80)],
        ),
        (["2001::/32", "192.168.0.0/16"], None, [], [("2001:0:c0a8:1:0:0:f5ff:fffe", 80)]),
        (["0.0.0.0/8"], None, [], [("0.0.0.0", 80)]),
    ],
)
def test_what_is_opened_is_opened_and_nothing_else(
    networks: list[str], port: int | None, dialled: list[tuple[str, int]], not_dialled: list[tuple[str, int]]
) -> None:
    guard = opening(*networks, port=port)
    assert [each for each in dialled if not guard.allows(*each, "")] == []
    assert [each for each in not_dialled if guard.allows(*each, "")] == []


def test_loopback_is_what_stays_on_this_machine() -> None:
    guard = AddressGuard()
    loopback = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"]
    # These carry a loopback address through somebody else's network.
    elsewhere = ["2002:7f00:1::", "64:ff9b::127.0.0.1", "2001:0:7f00:1::", "10.0.0.1", "8.8.8.8", "fe80::1"]
    assert [address for address in loopback if not guard.is_loopback(address)] == []
    assert [address for address in elsewhere if guard.is_loopback(address)] == []


def test_every_ipv4_address_that_is_forbidden_is_forbidden_inside_ipv6() -> None:
    guard = AddressGuard()
    plain = [a for row in FORBIDDEN.values() for a in row if a.count(".") == 3 and ":" not in a and a[:2] != "0x"]
    assert len(plain) > 20
    for address in plain:
        if address == "0177.0.0.1":
            continue
        number = int.from_bytes(bytes(int(part) for part in address.split(".")), "big")
        for inside in (
            f"::ffff:{address}",
            f"::ffff:0:{address}",
            f"64:ff9b::{address}",
            str(IPv6Address((0x2002 << 112) | (number << 80))),
            str(IPv6Address((0x2001 << 112) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF))),
            str(IPv6Address((0x2001 << 112) | (number << 64) | (0x08080808 ^ 0xFFFFFFFF))),
        ):
            assert not guard.allows(inside, 443, ""), (address, inside)


def test_what_is_opened_for_one_tenant_is_open_for_nobody_else() -> None:
    opened: dict[str, tuple[tuple[Network, int | None], ...]] = {
        "acme": ((ip_network("10.0.0.0/8"), 443), (ip_network("169.254.0.0/16"), None), (ip_network("fd00::/8"), None))
    }
    guard = AddressGuard([(ip_network("192.168.0.0/16"), None)], lambda tenant: opened.get(tenant, ()))
    guard.never_dial("10.0.0.9", 443)
    for address, port, tenant, expected in (
        ("10.1.2.3", 443, "acme", True),
        ("10.1.2.3", 80, "acme", False),
        ("10.1.2.3", 443, "other", False),
        ("10.1.2.3", 443, "", False),
        ("::ffff:10.1.2.3", 443, "acme", True),
        ("fd00::1", 80, "acme", True),
        ("192.168.1.1", 80, "other", True),
        ("10.0.0.9", 443, "acme", False),
        ("169.254.169.254", 80, "acme", False),
        ("8.8.8.8", 80, "other", True),
    ):
        assert guard.allows(address, port, tenant) is expected, (address, port, tenant)
    assert guard.is_open("10.1.2.3", 443, "acme")
    assert guard.is_open("::ffff:10.1.2.3", 443, "acme")
    assert not guard.is_open("10.1.2.3", 80, "acme")
    assert not guard.is_open("10.1.2.3", 443, "other")
    assert not guard.is_open("8.8.8.8", 443, "acme")
    # It is asked each time: what is taken away is shut at once.
    opened.clear()
    assert not guard.allows("10.1.2.3", 443, "acme")
