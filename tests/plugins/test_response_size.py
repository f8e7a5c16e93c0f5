"""Which bound on a response holds where a proxy and its client set one.

Belongs here: that. Does not: what becomes of a response over it (tests/gateway/test_httpbin.py).
"""

from __future__ import annotations

import pytest
from attrs import evolve

from rrgate.model import Proxy
from rrgate.testing import MemoryGateway, Says

HEAD = len(b"HTTP/1.1 200 OK\r\nContent-Length: 000\r\n\r\n")
MEGABYTE = 1 << 20


def status(gateway: MemoryGateway, proxy: Proxy, size: int) -> int:
    gateway.target.says = Says(body=bytes(size))
    return gateway.call("GET", proxy).answer.status


def bound(gateway: MemoryGateway, most: int | None) -> None:
    """The client's."""
    configuration = evolve(gateway.client.configuration, max_response_bytes=most)
    gateway.directory.put(evolve(gateway.client, configuration=configuration))


@pytest.mark.parametrize(
    ("proxys", "clients", "holds"),
    [(None, 500, 500), (300, 500, 300), (700, 500, 500), (500, None, 500)],
)
def test_the_smaller_bound_holds(proxys: int | None, clients: int | None, holds: int) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(proxyMaxResponseBytes=proxys)
    bound(gateway, clients)
    assert [status(gateway, proxy, holds - HEAD + more) for more in (0, 1)] == [200, 413]


def test_a_client_may_have_more_than_the_default_and_a_change_is_in_force_at_once() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy()
    assert status(gateway, proxy, 7 * MEGABYTE) == 413
    bound(gateway, 8 * MEGABYTE)
    assert status(gateway, proxy, 7 * MEGABYTE) == 200
    assert status(gateway, proxy, 8 * MEGABYTE) == 413
    bound(gateway, None)
    assert status(gateway, proxy, 7 * MEGABYTE) == 413


def test_what_is_held_to_its_end_has_at_most_64_mib_whatever_the_client_has() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(proxyStreaming="never")
    bound(gateway, 100 * MEGABYTE)
    route, _ = gateway.directory.find(f"/{proxy.id}".encode()) or (None, b"")
    assert route is not None
    (step,) = (step for step in route.chain.on_response if step.plugin == "response-size")
    assert step.call.__self__.config.limit == 64 * MEGABYTE  # type: ignore[attr-defined]
