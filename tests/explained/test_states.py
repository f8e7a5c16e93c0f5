"""Of a proxy whose parts are gone, off or expired, alone and together, explanation and request say the same.

Belongs here: every state of every part, and which of several is told. Does not: requests that may pass (the other
tests of this folder).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from attrs import evolve

from rrgate.model import Credential, Proxy
from rrgate.testing import MemoryGateway
from tests.explained.both import Asked, both, with_key

KEY = ("apiKey", {"key": "X-Api-Key", "value": "caller-key-0001"})
TOKEN = ("bearer", {"token": "target-token-0001"})
CREDENTIAL = ("there", "gone", "off", "expired")
PART = ("there", "gone")
SWITCH = ("on", "off")
PAGE = (("Origin", "https://page.test"),)
REQUESTS = {
    "plain": with_key(Asked()),
    "a preflight": with_key(Asked("OPTIONS", headers=(*PAGE, ("Access-Control-Request-Method", "PUT")))),
    "a page's": with_key(Asked(headers=PAGE)),
    "one that loops": with_key(Asked(headers=(("requestrocket-hops", "3"),))),
    "a path that is refused": with_key(Asked(path="/a/../b")),
    "one that a rule denies": with_key(Asked("DELETE")),
}


@pytest.fixture(scope="module")
def gateway() -> MemoryGateway:
    return MemoryGateway()


def put(gateway: MemoryGateway, credential_id: str, state: str) -> None:
    credential = gateway.directory.credentials[credential_id]
    if state == "gone":
        gateway.directory.drop(credential)
    elif state == "off":
        gateway.directory.put(evolve(credential, active=False))
    elif state == "expired":
        gateway.directory.put(evolve(credential, expires_at=int(gateway.clock.wall() * 1000)))


def made(gateway: MemoryGateway, caller: str, towards: str, target: str, switch: str, **more: Any) -> Proxy:
    """A proxy whose parts are in these states."""
    proxy = gateway.proxy(caller=KEY, towards=TOKEN, proxyActive=switch == "on", **more)
    gateway.rule(proxy, {"effect": "deny", "methods": ["DELETE"]})
    put(gateway, proxy.proxy_credential_id, caller)
    put(gateway, proxy.target_credential_id, towards)
    if target == "gone":
        gateway.directory.drop(gateway.directory.targets[proxy.target_id])
    return proxy


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("states", list(product(CREDENTIAL, CREDENTIAL, PART, SWITCH)), ids="-".join)
def test_both_say_the_same(gateway: MemoryGateway, states: tuple[str, str, str, str], asked: str) -> None:
    cors = {"origins": ["https://page.test"], "methods": ["PUT"]}
    both(gateway, made(gateway, *states, proxyCors=cors), REQUESTS[asked])


@pytest.mark.parametrize("switch", SWITCH)
@pytest.mark.parametrize("towards", CREDENTIAL)
@pytest.mark.parametrize("caller", CREDENTIAL)
def test_who_comes_from_elsewhere_is_told_so_first(
    gateway: MemoryGateway, caller: str, towards: str, switch: str
) -> None:
    proxy = made(gateway, caller, towards, "there", switch, proxyAllowedNetworks=["198.51.100.0/24"])
    told = both(gateway, proxy, with_key(Asked()))
    assert told.refusal is not None
    assert told.refusal[0] == 403


@pytest.mark.parametrize(
    ("caller", "towards", "switch", "status"),
    [
        ("gone", "gone", "on", 401),
        ("off", "off", "on", 401),
        ("expired", "expired", "off", 401),
        ("there", "gone", "on", 503),
        ("there", "there", "off", 503),
    ],
)
def test_the_callers_credential_is_judged_before_all_else(
    gateway: MemoryGateway, caller: str, towards: str, switch: str, status: int
) -> None:
    told = both(gateway, made(gateway, caller, towards, "there", switch), with_key(Asked()))
    assert told.refusal is not None
    assert told.refusal[0] == told.explained["status"] == status


def test_a_credential_that_expires_in_between(gateway: MemoryGateway) -> None:
    proxy = made(gateway, "there", "there", "there", "on")
    credential: Credential = gateway.directory.credentials[proxy.target_credential_id]
    gateway.directory.put(evolve(credential, expires_at=int(gateway.clock.wall() * 1000) + 5000))
    assert both(gateway, proxy, with_key(Asked())).sent is not None
    gateway.clock.advance(5)
    assert both(gateway, proxy, with_key(Asked())).sent is None
