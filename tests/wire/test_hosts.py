"""Which values of Host a listener serves: its names, in any case, with any port or the one that was configured."""

from __future__ import annotations

import pytest

from rrgate.wire.hosts import HostNames

NAMES = HostNames(["Gateway.test", "localhost", "127.0.0.1", "::1", "[fd00::1]", "exact.test:8443", "dotted.test.", ""])

SERVED = [
    "gateway.test",
    "GATEWAY.TEST",
    "gateway.test:80",
    "gateway.test:8080",
    "gateway.test.",
    "gateway.test.:8080",
    "localhost:1",
    "127.0.0.1",
    "127.0.0.1:8080",
    "[::1]",
    "[::1]:8080",
    "[fd00::1]",
    "[FD00::1]:443",
    "exact.test:8443",
    "Exact.Test:8443",
    "dotted.test",
    "dotted.test.",
]
NOT_SERVED = [
    "",
    ".",
    ":80",
    "other.test",
    "agateway.test",
    "gateway.test.other.test",
    "gateway.tes",
    "sub.gateway.test",
    "127.0.0.2",
    "127.1",
    "::1",
    "[::2]",
    "[::1",
    "[0:0:0:0:0:0:0:1]",
    "exact.test",
    "exact.test:443",
    "exact.test:84430",
    "localhost:80:80",
]


@pytest.mark.parametrize("host", SERVED)
def test_it_is_served(host: str) -> None:
    assert NAMES.served(host.encode())
    assert NAMES.served(host.encode())  # also when it is remembered


@pytest.mark.parametrize("host", NOT_SERVED)
def test_it_is_not_served(host: str) -> None:
    assert not NAMES.served(host.encode())
    assert not NAMES.served(host.encode())


def test_what_callers_make_up_does_not_fill_the_memory() -> None:
    names = HostNames(["gateway.test"])
    for number in range(5000):
        assert not names.served(b"%d.test" % number)
    assert len(names._seen) <= 1024
    assert names.served(b"gateway.test")
    assert not names.served(b"4999.test")
