"""Who finds a place: proxies and targets have a share that grows smaller as others have more."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field, frozen

from rrgate.boot_values import Event
from rrgate.exchange import Exchange
from rrgate.loads import Load, Loads
from rrgate.messages import Reply
from rrgate.pipeline_parts import leave_place
from rrgate.places import Places
from rrgate.settings import Settings


@frozen
class Named:
    id: str
    target_id: str


@frozen
class Way:
    proxy: Named
    loads: tuple[Load, Load]


@define
class Request:
    route: Way
    place: Any = None


@define
class Gateway:
    """Places, and the requests that have one. Proxies that begin with the same letter have one target."""

    places: Places = field(init=False)
    told: list[Event] = field(factory=list)
    loads: Loads = field(factory=Loads)
    under_way: list[Request] = field(factory=list)
    ready: bool = True
    asking: int = 0

    def with_room(self, most: int, share: int = 50) -> Gateway:
        settings = Settings(data=Path("unused"), max_in_flight=most, proxy_share=share)
        self.places = Places(settings, lambda: len(self.under_way) + self.asking, lambda: self.ready, self.told.append)
        return self

    def ask(self, proxy: str) -> Reply | None:
        """One request: it stays if it has found a place."""
        request = Request(Way(Named(proxy, proxy[0]), (self.loads.of(proxy), self.loads.of("target " + proxy[0]))))
        self.asking = 1
        reply = self.places.refusal() or self.places.take(cast(Exchange, request))
        self.asking = 0
        if reply is None:
            self.under_way.append(request)
        else:
            leave_place(cast(Exchange, request))
        return reply

    def fill(self, *proxies: str) -> dict[str, int]:
        """Requests of all of them in turns, until none finds a place; how many each has."""
        while [reply for proxy in proxies if (reply := self.ask(proxy)) is None]:
            pass
        return {proxy: self.loads.of(proxy).now for proxy in proxies}

    def end(self, proxy: str) -> None:
        request = next(each for each in self.under_way if each.route.proxy.id == proxy)
        self.under_way.remove(request)
        leave_place(cast(Exchange, request))


@pytest.mark.parametrize(
    ("share", "proxies", "each"),
    [
        (50, ["a"], 50),
        (50, ["a", "b"], 33),
        (50, ["a", "b", "c"], 25),
        (80, ["a"], 80),
        (80, ["a", "b"], 44),
        (10, ["a"], 10),
        (100, ["a"], 100),
        (100, ["a", "b"], 50),
    ],
)
def test_a_share_is_smaller_the_more_others_have(share: int, proxies: list[str], each: int) -> None:
    assert Gateway().with_room(100, share).fill(*proxies) == dict.fromkeys(proxies, each)


def test_whoever_has_none_finds_one_while_there_is_any() -> None:
    gateway = Gateway().with_room(20)
    gateway.fill(*"abcdef")
    others = [proxy for proxy in "ghijklmnopqrstuvwxyz" if gateway.ask(proxy) is None]
    assert len(gateway.under_way) == 20
    assert others == list("ghijklmnopqrstuvwxyz"[: len(others)])
    assert others


def test_the_proxies_of_one_target_together_leave_some_to_others() -> None:
    gateway = Gateway().with_room(100)
    slow = gateway.fill(*(f"s{n}" for n in range(200)))
    assert sum(slow.values()) == 75
    assert gateway.fill("b") == {"b": 12}


def test_a_proxy_leaves_the_others_of_its_target_a_share() -> None:
    gateway = Gateway().with_room(100)
    assert gateway.fill("s1") == {"s1": 50}
    assert gateway.fill("s2")["s2"] == 25


def test_what_ends_makes_room_again() -> None:
    gateway = Gateway().with_room(10)
    gateway.fill("a")
    assert gateway.ask("a") is not None
    gateway.end("a")
    assert gateway.ask("a") is None
    for _ in range(5):
        gateway.end("a")
    assert gateway.loads.of("a").now == 0
    assert gateway.fill("a") == {"a": 5}


@pytest.mark.parametrize("share", [1, 50, 100])
def test_one_place_is_everybodys(share: int) -> None:
    gateway = Gateway().with_room(1, share)
    for proxy in ("a", "b"):
        assert gateway.ask(proxy) is None
        assert gateway.ask("c") is not None
        gateway.end(proxy)


@pytest.mark.parametrize(
    ("fill", "ask", "bound", "subject", "says"),
    [
        (["a"], "a", "proxy", "a", "This proxy has"),
        ([f"s{n}" for n in range(9)], "s1", "target", "s", "This proxy's target has"),
        (list("abcdefghijklmnopqrst"), "a", "gateway", "gateway", "The gateway has"),
    ],
)
def test_who_finds_none_is_told_to_come_back_and_the_operator_why(
    fill: list[str], ask: str, bound: str, subject: str, says: str
) -> None:
    gateway = Gateway().with_room(20)
    if bound == "gateway":
        for proxy in fill:
            assert gateway.ask(proxy) is None
    else:
        gateway.fill(*fill)
    before = gateway.places.refused[bound]
    reply = gateway.ask(ask)
    assert reply is not None
    assert (reply.status, reply.code, reply.headers) == (503, "overloaded", ((b"Retry-After", b"1"),))
    assert reply.message.startswith(says)
    assert gateway.places.refused[bound] == before + 1
    assert (gateway.told[-1].kind, gateway.told[-1].subject) == ("overloaded", subject)


def test_a_gateway_that_drains_takes_none_and_is_not_overloaded() -> None:
    gateway = Gateway(ready=False).with_room(10)
    reply = gateway.ask("a")
    assert reply is not None
    assert (reply.status, reply.code) == (503, "unavailable")
    assert sum(gateway.places.refused.values()) == 0


def test_loads_are_known_as_long_as_anybody_has_them() -> None:
    loads = Loads()
    load = loads.of("a")
    load.now = 3
    assert loads.of("a") is load
    del load
    assert loads.of("a").now == 0
