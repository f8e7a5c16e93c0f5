"""Where a request comes from: the peer, unless it is a trusted proxy that says who stands behind it."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from rrgate.messages import Fields
from rrgate.names import fold
from rrgate.wire.callers import UNKNOWN, TrustedProxies, peer_host
from tests.wire.memory import MemoryCaller

TRUSTED = TrustedProxies(["10.0.0.0/8", "127.0.0.1", "fd00::/8"])
PEER = "10.0.0.1"


def forwarded(*values: str) -> Fields:
    return [(fold(b"X-Forwarded-For"), b"X-Forwarded-For", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("values", "caller"),
    [
        ([], PEER),
        (["203.0.113.7"], "203.0.113.7"),
        (["1.2.3.4, 203.0.113.7"], "203.0.113.7"),
        (["1.2.3.4,203.0.113.7"], "203.0.113.7"),
        (["1.2.3.4", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        (["203.0.113.7", "10.0.0.9, 10.0.0.8"], "203.0.113.7"),
        (["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        (["1.2.3.4, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        (["203.0.113.7:5678"], "203.0.113.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:db8::7]:5678"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, ::ffff:10.0.0.9"], "203.0.113.7"),
        (["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        (["unknown"], UNKNOWN),
        ([""], PEER),
        ([" , ,", ""], PEER),
        (["203.0.113.7, "], "203.0.113.7"),
        (["203.0.113.7,,", ""], "203.0.113.7"),
        (["203.0.113.7, unknown"], UNKNOWN),
        (["unknown, 203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, unknown, 10.0.0.9"], UNKNOWN),
        (["203.0.113.7.5"], UNKNOWN),
        (["\xff"], UNKNOWN),
        (["0x7f.0.0.1"], UNKNOWN),
        (["127.1"], UNKNOWN),
        (["unix:"], UNKNOWN),
        (["_hidden"], UNKNOWN),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_is_the_caller(values: list[str], caller: str) -> None:
    assert TRUSTED.caller(PEER, forwarded(*values)) == caller


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("10.0.0.1", True),
        ("10.255.255.255", True),
        ("127.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("fd00::5", True),
        ("fd00::5%eth0", True),
        ("11.0.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("unix", False),
        ("", False),
    ],
)
def test_a_peer_is_trusted_by_its_network(host: str, trusted: bool) -> None:
    assert TRUSTED(host) is trusted


@pytest.mark.parametrize("networks", [["unix:"], ["10.0.0.0/8", "unix:"]])
def test_peers_on_a_unix_socket_are_trusted_where_they_are_named(networks: list[str]) -> None:
    trusted = TrustedProxies(networks)
    assert trusted("unix")
    assert trusted("10.0.0.1") is (len(networks) > 1)
    assert not trusted("127.0.0.1")
    assert trusted.told_of("unix", [b"198.51.100.9"]) == "198.51.100.9"
    assert trusted.told_of("unix", []) == "unix"
    # In the field it is nobody's name.
    assert trusted.told_of("unix", [b"198.51.100.9, unix"]) == UNKNOWN


def test_nobody_is_trusted_unless_configured() -> None:
    assert not TrustedProxies([])("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        (IPv4Address("TCP", "203.0.113.7", 1), "203.0.113.7"),
        (IPv6Address("TCP", "2001:db8::7", 1), "2001:db8::7"),
        (IPv6Address("TCP", "::ffff:203.0.113.7", 1), "203.0.113.7"),
        # Translated (RFC 2765 2.1), and not an IPv4 peer's.
        (IPv6Address("TCP", "::ffff:0:cb00:7107", 1), "::ffff:0:cb00:7107"),
        (UNIXAddress(b"/run/rrgate"), "unix"),
    ],
)
def test_a_peer_has_one_spelling(address: object, host: str) -> None:
    class Transport:
        def getPeer(self) -> object:
            return address

    assert peer_host(Transport()) == host


REQUEST = b"GET /api/p HTTP/1.1\r\nHost: gateway.test\r\nX-Forwarded-For: 198.51.100.9\r\n%b\r\n"


@pytest.mark.parametrize(
    ("peer", "extra", "caller"),
    [
        ("203.0.113.9", b"", "203.0.113.9"),
        ("10.0.0.1", b"", "198.51.100.9"),
        ("10.0.0.1", b"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
        ("10.0.0.1", b"x-forwarded-for: 192.0.2.1\r\n", "192.0.2.1"),
        ("10.0.0.1", b"X_Forwarded_For: 192.0.2.1\r\n", "198.51.100.9"),
        # Naming it in Connection would make the caller pass for the proxy.
        ("10.0.0.1", b"Connection: X-Forwarded-For\r\n", "198.51.100.9"),
        ("10.0.0.1", b"Connection: close, x_forwarded_for\r\n", "198.51.100.9"),
    ],
)
def test_the_exchange_knows_its_caller(peer: str, extra: bytes, caller: str) -> None:
    client = MemoryCaller(peer=peer, trusted_proxies=("10.0.0.0/8",))
    client.send(REQUEST % extra)
    assert [exchange.caller_address for exchange in client.echo.begun] == [caller]


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT"])
def test_who_asks_for_what_is_not_served_is_told_what_is(method: bytes) -> None:
    """RFC 9110 15.5.6."""
    client = MemoryCaller()
    client.send(method + b" /api/p HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
    (answer,) = client.answers()
    assert (answer.status, answer["Allow"]) == (405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
