"""The PROXY protocol: where the endpoint speaks it, a trusted proxy in front says whence a connection comes.

Belongs here: what it says, from end to end. Does not: `X-Forwarded-For` (tests/wire/test_callers.py).
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted

from tests.callers import in_thread
from tests.running_gateway import KEY, RunningGateway
from tests.targets import Target, echo

ALLOWED = "198.51.100.0/24"


def line(caller: str) -> bytes:
    """Version 1, of a connection from `caller`."""
    return f"PROXY TCP4 {caller} 192.0.2.1 50000 8080\r\n".encode()


def binary(command: int, caller: str = "") -> bytes:
    """Version 2; it names nobody without `caller`."""
    named = b"" if not caller else ip_address(caller).packed + bytes([192, 0, 2, 1]) + b"\xc3\x50\x1f\x90"
    head = bytes([0x20 | command, 0x11 if caller else 0x00]) + len(named).to_bytes(2, "big")
    return b"\r\n\r\n\0\r\nQUIT\n" + head + named


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """What is in front of it has the address 127.0.0.1; 127.0.0.2 is nobody that it knows."""
    running = RunningGateway.start(
        tmp_path_factory.mktemp("gateway") / "state",
        listen="haproxy:tcp:0:interface=127.0.0.1",
        trusted_proxies="127.0.0.1/32",
        allow_anonymous_proxies=True,
    )
    yield running
    await running.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


def answers(gateway: RunningGateway, path: str, said: bytes, peer: str, fields: str = "") -> list[bytes]:
    """The status of each of two requests on a connection that begins with `said`."""
    host, port = cast(tuple[str, int], gateway.address)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\n{fields}"
    with socket.create_connection((host, port), 20, (peer, 0)) as connection:
        connection.sendall(said)
        connection.sendall(f"{request}\r\n{request}Connection: close\r\n\r\n".encode())
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    return [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    ("said", "peer", "fields", "status"),
    [
        (line("198.51.100.9"), "127.0.0.1", "", b"200"),
        (line("203.0.113.9"), "127.0.0.1", "", b"403"),
        (binary(1, "198.51.100.9"), "127.0.0.1", "", b"200"),
        (binary(1, "203.0.113.9"), "127.0.0.1", "", b"403"),
        # Whom nobody has named is not the proxy that brings him.
        (binary(1), "127.0.0.1", "", b"403"),
        (binary(0), "127.0.0.1", "", b"403"),
        # Nobody has asked this one for its word.
        (line("198.51.100.9"), "127.0.0.2", "", b"403"),
        # A caller's own word counts for nothing.
        (line("203.0.113.9"), "127.0.0.1", "X-Forwarded-For: 198.51.100.9\r\n", b"403"),
        # But that of another proxy that is trusted does: the one in front had it from there.
        (line("127.0.0.1"), "127.0.0.1", "X-Forwarded-For: 198.51.100.9\r\n", b"200"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_caller_has_the_address_that_the_proxy_in_front_says(
    gateway: RunningGateway, target: Target, said: bytes, peer: str, fields: str, status: bytes
) -> None:
    proxy = await gateway.proxy(target.url, proxyAllowedNetworks=[ALLOWED])
    assert await in_thread(answers, gateway, proxy.path, said, peer, fields) == [status] * 2


@pytest.mark.parametrize(
    ("said", "peer"),
    [(line("203.0.113.9"), "127.0.0.1"), (binary(1), "127.0.0.1"), (line("127.0.0.1"), "127.0.0.2")],
)
@pytest_twisted.ensureDeferred
async def test_nobody_comes_from_loopback_because_the_proxy_in_front_does(
    gateway: RunningGateway, target: Target, said: bytes, peer: str
) -> None:
    """A proxy that asks for no credential is for callers directly from loopback."""
    proxy = await gateway.proxy(target.url, caller=("none", {}))
    assert await in_thread(answers, gateway, proxy.path, said, peer) == [b"403"] * 2


def unix_named() -> bytes:
    """Version 2, of a connection on a UNIX socket of the proxy's machine."""
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x31]) + (216).to_bytes(2, "big") + bytes(216)


@pytest_twisted.ensureDeferred
async def test_a_caller_on_a_unix_socket_of_the_proxy_s_machine_is_none_of_ours(
    tmp_path: Path, target: Target
) -> None:
    running = RunningGateway.start(
        tmp_path / "state",
        listen="haproxy:tcp:0:interface=127.0.0.1",
        trusted_proxies=["127.0.0.1/32", "unix:"],
    )
    proxy = await running.proxy(target.url, proxyAllowedNetworks=[ALLOWED])
    fields = "X-Forwarded-For: 198.51.100.9\r\n"
    assert await in_thread(answers, running, proxy.path, unix_named(), "127.0.0.1", fields) == [b"403"] * 2
    await running.stop()


# Over UNIX sockets.


def over_unix(path: Path, request: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("before", "said", "fields", "trusted", "status"),
    [
        ("", "", "X-Forwarded-For: 198.51.100.9\r\n", ["unix:"], b"200"),
        ("", "", "X-Forwarded-For: 203.0.113.9\r\n", ["unix:"], b"403"),
        ("", "", "", ["unix:"], b"403"),
        ("", "", "X-Forwarded-For: 198.51.100.9\r\n", ["127.0.0.1"], b"403"),
        ("haproxy:", line("198.51.100.9").decode(), "", ["unix:"], b"200"),
        ("haproxy:", line("203.0.113.9").decode(), "", ["unix:"], b"403"),
        ("haproxy:", line("198.51.100.9").decode(), "", ["127.0.0.1"], b"403"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_word_of_who_connects_over_a_unix_socket_is_taken_where_that_is_set(
    tmp_path: Path, target: Target, before: str, said: str, fields: str, trusted: list[str], status: bytes
) -> None:
    path = tmp_path / "gateway.sock"
    running = RunningGateway.start(tmp_path / "state", listen=f"{before}unix:{path}", trusted_proxies=trusted)
    proxy = await running.proxy(target.url, proxyAllowedNetworks=[ALLOWED])
    request = f"GET {proxy.path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\n{fields}Connection: close\r\n\r\n"
    assert (await in_thread(over_unix, path, said + request))[9:12] == status
    await running.stop()


# The Core API's.


@pytest.mark.parametrize(
    ("said", "peer", "fields", "address"),
    [
        (line("198.51.100.9"), "127.0.0.1", "", "198.51.100.9"),
        (line("198.51.100.9"), "127.0.0.2", "", "unknown"),
        (line("127.0.0.1"), "127.0.0.2", "X-Forwarded-For: 198.51.100.9\r\n", "unknown"),
        (binary(0), "127.0.0.1", "", "unknown"),
        (line("127.0.0.1"), "127.0.0.1", "X-Forwarded-For: 198.51.100.9\r\n", "198.51.100.9"),
        (line("198.51.100.9"), "127.0.0.1", "X-Forwarded-For: 127.0.0.1\r\n", "198.51.100.9"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_core_api_believes_only_a_trusted_proxy_in_front(
    tmp_path: Path, said: bytes, peer: str, fields: str, address: str
) -> None:
    """Whence wrong tokens come is how many are counted by."""
    running = RunningGateway.start(
        tmp_path / "state", core_listen="haproxy:tcp:0:interface=127.0.0.1", trusted_proxies="127.0.0.1/32"
    )
    port = cast(Any, running.gateway.ports[1]).getHost().port
    request = f"GET /clients HTTP/1.1\r\nHost: localhost\r\nAuthorization: u-nobody\r\n{fields}\r\n"

    def ask() -> list[bytes]:
        with socket.create_connection(("127.0.0.1", port), 20, (peer, 0)) as connection:
            connection.sendall(said + 2 * request.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n").encode())
            connection.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: connection.recv(65536), b""))
            return [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]

    assert await in_thread(ask) == [b"401"] * 2
    assert list(running.gateway._house.attempts._wrong) == [address]
    await running.stop()


@pytest.mark.parametrize("said", [b"", b"PROXY nonsense\r\n"])
@pytest_twisted.ensureDeferred
async def test_who_does_not_say_whence_he_comes_is_not_served(
    gateway: RunningGateway, target: Target, said: bytes
) -> None:
    proxy = await gateway.proxy(target.url)
    try:
        assert await in_thread(answers, gateway, proxy.path, said, "127.0.0.1") == []
    except ConnectionError:
        pass  # closed with the request unread
