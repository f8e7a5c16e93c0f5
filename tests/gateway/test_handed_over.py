"""Sockets that systemd has opened: the gateway is where they are.

Belongs here: names and URLs of such listeners. Does not: workers that adopt them (tests/workers/test_sharing.py).
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import endpoints

from tests.callers import in_thread
from tests.running_gateway import RunningGateway

ADDRESS = "127.0.0.77"


class HandedOver:
    """What systemd says of the sockets that it has opened."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._descriptors = [each.detach() for each in sockets]  # whoever takes one closes it

    def inheritedDescriptors(self) -> list[int]:
        return self._descriptors


@pytest.fixture(params=[ADDRESS, "::1", "0.0.0.0"])
def bound(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_twisted.async_yield_fixture
async def gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> AsyncIterator[RunningGateway]:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    domain = "INET6" if ":" in bound else "INET"
    sockets = [socket.create_server((bound, 0), family=family) for _ in range(2)]
    monkeypatch.setattr(endpoints._SystemdParser, "_sddaemon", HandedOver(sockets))
    running = RunningGateway.start(
        tmp_path / "state",
        listen=f"haproxy:systemd:domain={domain}:index=0" if bound == "::1" else "systemd:domain=INET:index=0",
        core_listen=f"systemd:domain={domain}:index=1",
    )
    yield running
    await running.stop()


def in_a_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def ports(gateway: RunningGateway) -> tuple[int, int]:
    """Of its two listeners."""
    listening, core = (cast(Any, port.getHost()).port for port in gateway.gateway.ports)
    return listening, core


def asked(address: tuple[str, int], host: str) -> int:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(12)[9:])


async def status(address: tuple[str, int], host: str) -> int:
    return await in_thread(asked, address, host)


@pytest_twisted.ensureDeferred
async def test_it_answers_to_the_address_that_the_socket_is_bound_to(gateway: RunningGateway, bound: str) -> None:
    everywhere = bound == "0.0.0.0"
    listening, core = ports(gateway)
    for port in (core,) if bound == "::1" else (listening, core):
        address = (ADDRESS if everywhere else bound, port)
        for host in (in_a_url(address[0]), f"{in_a_url(address[0])}:{address[1]}"):
            # Bound everywhere, it knows no name but those that are configured.
            assert await status(address, host) == (421 if everywhere else 200)
        assert await status(address, "localhost") == 200
        assert await status(address, "127.0.0.78") == 421
    assert gateway.gateway.listener.hosts.served(in_a_url(bound).encode()) is not everywhere


@pytest_twisted.ensureDeferred
async def test_its_urls_are_of_that_address(gateway: RunningGateway, bound: str) -> None:
    host = "localhost" if bound == "0.0.0.0" else in_a_url(bound)
    listening, core = ports(gateway)
    assert gateway.gateway.public_url == f"http://{host}:{listening}"
    assert gateway.gateway.core_public_url == f"http://{host}:{core}"
