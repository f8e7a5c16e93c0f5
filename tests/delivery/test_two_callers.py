"""Two callers of one proxy, told apart by whom their tokens name: neither sees, ends or collides with the other's.

Belongs here: what one of them can learn or do of what is the other's. Does not: callers of other proxies
(test_delivering.py), people who use the Core API (tests/gateway/test_async.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rrgate.api import Exchange, Identity, NoConfig, Plugin, Side
from rrgate.model import Proxy
from rrgate.testing import MemoryGateway, Says


class Named(Plugin):
    """Lets everybody in, as whom the header names, at times at an issuer; all by the same credential."""

    name = "named-by-header"
    sides = frozenset({Side.PROXY})
    Config = NoConfig

    def authenticate(self, ex: Exchange) -> Identity:
        subject, _, issuer = ex.header(b"X-Subject").decode().partition(" at ")
        return Identity(subject, "the one credential", {"sub": subject, "iss": issuer} if issuer else {})


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway([Named])
    yield gateway
    gateway.stop()


@pytest.fixture
def proxy(gateway: MemoryGateway) -> Proxy:
    return gateway.proxy(caller=("named-by-header", {}))


def call(
    gateway: MemoryGateway, proxy: Proxy, who: str, method: str, path: str, body: bytes = b"", key: str = ""
) -> Any:
    headers = {"X-Subject": who, **({"Idempotency-Key": key} if key else {})}
    return gateway.call(method, proxy, path, headers, body, api="async").answer


def taken(gateway: MemoryGateway, proxy: Proxy, who: str, body: bytes = b"load", key: str = "") -> str:
    told = call(gateway, proxy, who, "POST", "/work", body, key)
    assert told.status == 202, told.body
    return str(told.document["requestId"])


@pytest.mark.parametrize("seconds", [0, 5], ids=["under way", "ended"])
def test_each_sees_its_own_and_not_the_others(gateway: MemoryGateway, proxy: Proxy, seconds: int) -> None:
    gateway.target.says = Says(body=b"of one alone", after=1)
    ids = {who: taken(gateway, proxy, who) for who in ("one", "other")}
    gateway.clock.advance(seconds)
    nothing = call(gateway, proxy, "one", "GET", "/.requests/0190f5c5-8a3e-7c1d-9c5e-0f6a3b2d1e4f")
    for who, whose in (("one", "other"), ("other", "one")):
        assert call(gateway, proxy, who, "GET", f"/.requests/{ids[who]}").document["requestId"] == ids[who]
        others = call(gateway, proxy, who, "GET", f"/.requests/{ids[whose]}")
        assert (others.status, others.document["message"]) == (404, nothing.document["message"]), "as if not there"


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "PATCH"])
def test_nobody_ends_or_changes_the_others(gateway: MemoryGateway, proxy: Proxy, method: str) -> None:
    gateway.target.says = Says(after=1)
    request_id = taken(gateway, proxy, "one")
    for path in ("", "/cancel", "/replay"):
        told = call(gateway, proxy, "other", method, f"/.requests/{request_id}{path}", b"{}")
        assert told.status in (404, 405), path
    gateway.clock.advance(5)
    assert call(gateway, proxy, "one", "GET", f"/.requests/{request_id}").document["status"] == "succeeded"
    assert len(gateway.target.received) == 1


def test_the_same_key_of_both_is_two_keys(gateway: MemoryGateway, proxy: Proxy) -> None:
    first = taken(gateway, proxy, "one", b"7", "order-7")
    second = taken(gateway, proxy, "other", b"8", "order-7")
    assert first != second
    assert taken(gateway, proxy, "one", b"7", "order-7") == first
    assert taken(gateway, proxy, "other", b"8", "order-7") == second
    assert call(gateway, proxy, "other", "POST", "/work", b"7", "order-7").status == 422
    gateway.clock.advance(5)
    assert sorted(seen.body for seen in gateway.target.received) == [b"7", b"8"]


def test_what_one_tried_with_a_key_tells_the_other_nothing(gateway: MemoryGateway, proxy: Proxy) -> None:
    """An answer that differs would tell that there is such a key."""
    taken(gateway, proxy, "one", b"7", "order-7")
    known = call(gateway, proxy, "other", "POST", "/work", b"7", "order-7")
    unknown = call(gateway, proxy, "other", "POST", "/work", b"7", "order-8")
    assert known.status == unknown.status == 202
    assert set(known.document) == set(unknown.document)
    gateway.clock.advance(5)
    assert len(gateway.target.received) == 3


def test_the_same_name_of_two_issuers_is_two_callers(gateway: MemoryGateway, proxy: Proxy) -> None:
    """`sub` is unique within an issuer alone (RFC 7519 4.1.2), and `jwtVerify` may take tokens of several."""
    ids = {who: taken(gateway, proxy, who, b"7", "order-7") for who in ("one at a", "one at b", "one")}
    assert len(set(ids.values())) == 3
    for who in ids:
        for whose, request_id in ids.items():
            told = call(gateway, proxy, who, "GET", f"/.requests/{request_id}")
            assert told.status == (200 if who == whose else 404)
