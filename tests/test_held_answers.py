"""How much of answers is held that must be held to their end: a bound on all, and a share for each proxy.

Belongs here: `proxyStreaming: never` and that bound. Does not: those that may stream (tests/wire/test_held_answers.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.api import Event, Proxy
from rrgate.places import Places
from rrgate.testing import Call, MemoryGateway, Says


class Scene:
    def __init__(self, most: int) -> None:
        self.gateway = MemoryGateway(held_answers_bytes=most)
        self.told: list[Event] = []
        self.places = Places(
            self.gateway.settings, lambda: self.gateway.listener.in_flight, lambda: True, self.told.append
        )
        pipeline: Any = self.gateway._pipeline
        pipeline._places = self.places
        self._held = pipeline._relay._held

    @property
    def held(self) -> int:
        return int(self._held.now)

    def proxy(self, streaming: str = "never") -> Proxy:
        return self.gateway.proxy(proxyStreaming=streaming)

    def ask(self, proxy: Proxy, size: int, *, whole: bool = False) -> Call:
        """A request whose target has answered `size` bytes, and not the end unless it is `whole`."""
        self.gateway.target.says = Says(body=[bytes(size)] if whole else [bytes(size), b"end"], between=10)
        return self.gateway.call("GET", proxy)


def refused(call: Call) -> bool:
    if not call.ended:
        return False
    answer = call.answer
    assert (answer.status, answer["requestrocket-proxy-code"]) == (503, "overloaded")
    assert "Retry-After" not in dict(answer.fields)
    assert "The target has answered" in answer["requestrocket-proxy-message"]
    return True


def test_no_more_is_held_than_may_be() -> None:
    scene = Scene(1500)
    one, other = scene.proxy(), scene.proxy()
    first = scene.ask(one, 900)
    assert not refused(scene.ask(other, 500))
    assert refused(scene.ask(other, 101))
    assert not first.ended
    assert (scene.told[-1].kind, scene.told[-1].subject) == ("overloaded", other.id)
    assert scene.places.refused["answers"] == 1
    assert scene.held == 1400


def test_a_proxy_may_hold_as_much_as_is_left() -> None:
    scene = Scene(1000)
    greedy, other = scene.proxy(), scene.proxy()
    held = [scene.ask(greedy, 100) for _ in range(6)]
    assert [refused(call) for call in held] == [False] * 5 + [True]
    assert [refused(scene.ask(other, 100)) for _ in range(3)] == [False, False, True]


def test_one_alone_may_be_of_any_size() -> None:
    scene = Scene(0)
    proxy = scene.proxy()
    first = scene.ask(proxy, 900)
    assert refused(scene.ask(proxy, 1))
    first.leave()
    assert scene.held == 0
    call = scene.ask(proxy, 900, whole=True)
    assert (call.answer.status, call.answer["Content-Length"]) == (200, "900")
    assert scene.held == 0


@pytest.mark.parametrize("streaming", ["auto", "always"])
def test_what_may_stream_is_never_refused(streaming: str) -> None:
    scene = Scene(1000)
    scene.ask(scene.proxy(), 990)
    call = scene.ask(scene.proxy(streaming), 500, whole=True)
    assert (call.answer.status, len(call.answer.body)) == (200, 500)
    assert scene.places.refused["answers"] == 0
