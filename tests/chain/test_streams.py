"""Answers that may never end, when their proxy or a credential of it is switched off or deleted, or its target deleted.

Belongs here: a gateway in memory, on a clock that is turned. Does not: the Core API (tests/gateway/test_streams.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from rrgate.model import Credential, Proxy
from rrgate.streams import GRACE
from rrgate.testing import MemoryGateway, Says

Change = Callable[[MemoryGateway, Proxy], None]
EVENTS = {"Content-Type": "text/event-stream"}
BROKEN = "The answer broke off: its proxy, target or credential was switched off or deleted"


def pieces(count: int) -> list[bytes]:
    return [b"data: %d\n\n" % number for number in range(count)]


def streaming(gateway: MemoryGateway, **says: Any) -> None:
    gateway.target.says = Says(**{"body": pieces(1000), "headers": EVENTS, "between": 0.5, **says})


def credential(gateway: MemoryGateway, proxy: Proxy, side: str) -> Credential:
    return gateway.directory.credentials[getattr(proxy, f"{side}_credential_id")]


def proxy_off(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.directory.put(evolve(proxy, active=False))


def proxy_gone(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.directory.drop(proxy)


def credential_off(side: str) -> Change:
    return lambda gateway, proxy: gateway.directory.put(evolve(credential(gateway, proxy, side), active=False))


def credential_gone(side: str) -> Change:
    return lambda gateway, proxy: gateway.directory.drop(credential(gateway, proxy, side))


def nothing(gateway: MemoryGateway, proxy: Proxy) -> None: ...


def renamed(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.directory.put(evolve(proxy, name="renamed"))
    for side in ("proxy", "target"):
        gateway.directory.put(evolve(credential(gateway, proxy, side), name="renamed", secret_version=2))


def target_renamed(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.directory.put(evolve(gateway.directory.targets[proxy.target_id], name="another name"))


def target_gone(gateway: MemoryGateway, proxy: Proxy) -> None:
    gateway.directory.drop(gateway.directory.targets[proxy.target_id])


def others_off(gateway: MemoryGateway, proxy: Proxy) -> None:
    other = gateway.proxy()
    for change in ENDING:
        if change is not proxy_gone:
            change(gateway, other)


ENDING = [
    proxy_off,
    proxy_gone,
    credential_off("proxy"),
    credential_off("target"),
    credential_gone("proxy"),
    credential_gone("target"),
    target_gone,
]
KEEPING = [nothing, renamed, target_renamed, others_off]


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


def open_streams(gateway: MemoryGateway) -> int:
    return len(gateway._pipeline._relay._streams._open)


@pytest.mark.parametrize("change", ENDING)
def test_they_are_broken_off_within_five_seconds(gateway: MemoryGateway, change: Change) -> None:
    streaming(gateway)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    gateway.clock.advance(1)
    assert not call.ended
    assert open_streams(gateway) == 1
    change(gateway, proxy)
    gateway.clock.advance(GRACE - 0.1)
    assert not call.ended
    gateway.clock.advance(0.1)
    assert GRACE < 5
    assert call.ended
    assert call.answer.status == 200
    assert not call.answer.whole
    assert call.answer.body.startswith(b"data: 0\n\n")
    assert open_streams(gateway) == 0
    assert gateway.in_flight == 0
    (ex,) = gateway.requests
    assert (ex.final_status, ex.message) == (200, BROKEN)
    # The target works for nobody any more.
    sent = call.answer.body
    gateway.clock.advance(5)
    assert call.answer.body == sent


@pytest.mark.parametrize("change", KEEPING)
def test_others_go_on(gateway: MemoryGateway, change: Change) -> None:
    streaming(gateway)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    gateway.clock.advance(1)
    change(gateway, proxy)
    gateway.clock.advance(60)
    assert not call.ended


@pytest.mark.parametrize("change", ENDING)
def test_an_answer_of_a_known_length_keeps_what_it_started_with(gateway: MemoryGateway, change: Change) -> None:
    content = b"x" * 5000
    gateway.target.says = Says(body=content, after=1.0)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    change(gateway, proxy)
    gateway.clock.advance(30)
    assert (call.answer.status, call.answer.body) == (200, content)
    assert open_streams(gateway) == 0


@pytest.mark.parametrize("change", ENDING)
def test_one_of_unknown_length_has_a_little_time_to_end(gateway: MemoryGateway, change: Change) -> None:
    streaming(gateway, body=pieces(4), between=0.6)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    gateway.clock.advance(0.5)
    change(gateway, proxy)
    gateway.clock.advance(60)
    assert call.answer.whole
    assert call.answer.body == b"".join(pieces(4))
    assert gateway.requests[0].message != BROKEN


@pytest.mark.parametrize("change", ENDING)
@pytest.mark.parametrize("headers", [EVENTS, {"Content-Type": "text/plain"}])
def test_one_that_begins_too_late_is_ended_too(
    gateway: MemoryGateway, change: Change, headers: dict[str, str]
) -> None:
    """Its proxy was switched off while the target worked, or while the answer was held back for its size."""
    streaming(gateway, headers=headers, after=3.0)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    change(gateway, proxy)
    gateway.clock.advance(3 + GRACE)
    gateway.clock.advance(1)
    assert call.ended
    assert not call.answer.whole
    assert gateway.requests[0].message == BROKEN


def test_a_caller_that_takes_nothing_is_cut_off(gateway: MemoryGateway) -> None:
    streaming(gateway, body=[b"x" * 60_000] * 100, between=0.01)
    proxy = gateway.proxy()
    call = gateway.call("GET", proxy)
    call.transport.full = True
    gateway.clock.advance(1)
    assert open_streams(gateway) == 1
    proxy_gone(gateway, proxy)
    gateway.clock.advance(GRACE)
    assert call.transport.aborted
    assert call.ended
    assert (gateway.in_flight, open_streams(gateway)) == (0, 0)


def test_nothing_is_kept_of_what_has_ended(gateway: MemoryGateway) -> None:
    streaming(gateway, body=pieces(3), between=0.1)
    proxy = gateway.proxy()
    left = gateway.call("GET", proxy)
    gateway.clock.advance(0.1)
    left.leave()
    whole = gateway.call("GET", proxy)
    gateway.clock.advance(5)
    assert whole.answer.whole
    assert open_streams(gateway) == 0
    proxy_gone(gateway, proxy)
    assert not [each for each in gateway.clock.getDelayedCalls() if "break_off" in repr(each.func)]
