"""How much of requests' bodies is held, where something needs them whole: a bound on all, and a share for each proxy.

Belongs here: the bound. Does not: requests at one time (test_places.py), who needs bodies (tests/chain).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.api import BodyNeed, Event, Exchange, Kind, NoConfig, Parts, Plugin, Proxy
from rrgate.places import Places
from rrgate.testing import Call, MemoryGateway, Says

LIMIT = 1000


class NeedsIt(Plugin):
    """Has every body held."""

    name = "needs-it"
    kind = Kind.DATA
    body_need = BodyNeed(LIMIT)

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()


class LooksAtIt(NeedsIt):
    """Looks into bodies that are not too long for it."""

    name = "looks-at-it"
    body_need = BodyNeed()

    async def authorize(self, ex: Exchange) -> None:
        await ex.body_within(LIMIT)


class Scene:
    def __init__(self, most: int, plugin: type[Plugin] = NeedsIt) -> None:
        self.gateway = MemoryGateway([plugin], installed=False, held_bodies_bytes=most)
        self.told: list[Event] = []
        self.places = Places(
            self.gateway.settings, lambda: self.gateway.listener.in_flight, lambda: True, self.told.append
        )
        pipeline: Any = self.gateway._pipeline
        pipeline._places = self.places
        self.gateway.target.says = Says(after=None)

    def upload(self, proxy: Proxy, size: int, length: int = LIMIT) -> Call:
        """A request of which `size` bytes have come, of `length`."""
        call = self.gateway.call("POST", proxy, headers={"Content-Length": str(length)})
        return call.send(bytes(size)) if size else call


def refused(call: Call) -> bool:
    if not call.ended:
        return False
    answer = call.answer
    assert (answer.status, answer["requestrocket-proxy-code"], answer["Retry-After"]) == (503, "overloaded", "1")
    return True


def test_no_more_is_held_than_may_be() -> None:
    scene = Scene(1500)
    one, other = scene.gateway.proxy(), scene.gateway.proxy()
    first = scene.upload(one, 900)
    assert not refused(scene.upload(other, 500))
    assert refused(scene.upload(other, 101))
    assert not first.ended
    assert (scene.told[-1].kind, scene.told[-1].subject) == ("overloaded", other.id)
    assert scene.places.refused["bodies"] == 1


def test_a_proxy_may_hold_as_much_as_is_left() -> None:
    scene = Scene(1000)
    greedy, other = scene.gateway.proxy(), scene.gateway.proxy()
    held = [scene.upload(greedy, 100) for _ in range(6)]
    assert [refused(call) for call in held] == [False] * 5 + [True]
    assert [refused(scene.upload(other, 100)) for _ in range(3)] == [False, False, True]


def test_one_alone_may_be_of_any_size() -> None:
    scene = Scene(0)
    proxy = scene.gateway.proxy()
    first = scene.upload(proxy, 900)
    assert not refused(first)
    assert refused(scene.upload(proxy, 1))
    first.leave()
    assert not refused(scene.upload(proxy, 900))


ENDS: dict[str, Any] = {
    "its caller leaves while it comes": lambda scene, call: call.leave(),
    "its caller leaves when it is whole": lambda scene, call: (call.send(bytes(LIMIT - 100)), call.leave()),
    "it is answered": lambda scene, call: (call.send(bytes(LIMIT - 100)), scene.gateway.clock.advance(100)),
    "it does not come in time": lambda scene, call: scene.gateway.clock.advance(100),
}


@pytest.mark.parametrize("plugin", [NeedsIt, LooksAtIt])
@pytest.mark.parametrize("how", ENDS)
def test_nothing_counts_for_ever(how: str, plugin: type[Plugin]) -> None:
    scene = Scene(5000, plugin)
    call = scene.upload(scene.gateway.proxy(), 100)
    assert scene.places._held == 100
    ENDS[how](scene, call)
    assert scene.gateway.listener.in_flight == 0
    assert (scene.places._held, scene.places.holding) == (0, {})


def test_what_is_whole_counts_until_its_request_is_over() -> None:
    scene = Scene(5000)
    proxy = scene.gateway.proxy()
    scene.upload(proxy, LIMIT)
    assert scene.places._held == LIMIT


def test_what_is_too_long_to_be_looked_at_streams_and_counts_no_longer() -> None:
    scene = Scene(5000, LooksAtIt)
    call = scene.gateway.call("POST", scene.gateway.proxy(), headers={"Transfer-Encoding": "chunked"})
    call.send(b"64\r\n%b\r\n" % bytes(100))
    assert scene.places._held == 100
    call.send(b"3e8\r\n%b\r\n" % bytes(1000))
    assert (scene.places._held, scene.places.holding) == (0, {})
    assert not call.ended
