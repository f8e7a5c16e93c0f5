"""`renew`: what a plugin says after a target's 401, and what the request goes through once more.

Belongs here: any plugin. Does not: tokens (tests/plugins/test_oauth2.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from rrgate.api import BodyNeed, Exchange, Kind, NoConfig, Parts, Plugin, Reply, Side
from rrgate.testing import Call, MemoryGateway, Says

Renew = Callable[["Renewing", Exchange], Any]


class Renewing(Plugin):
    """Shows 1, then 2, …: one more with each `renew`."""

    name = "renewing"
    sides = frozenset({Side.TARGET})
    shows = 1
    renews: Renew = lambda self, ex: True
    prepared = 0
    reply: Reply | None = None

    def prepare(self, ex: Exchange) -> Reply | None:
        type(self).prepared += 1
        ex.to_target.set_header(b"X-Shown", b"%d" % self.shows)
        return self.reply if self.shows > 1 else None

    def renew(self, ex: Exchange) -> Any:
        self.shows += 1
        return type(self).renews(self, ex)


class Holding(Plugin):
    """Has every body held, and adds to it."""

    name = "holding"
    kind = Kind.DATA
    body_need = BodyNeed(200_000)

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_body((ex.to_target.body or b"") + b"+")

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk + b"." if last else chunk


class Scene:
    def __init__(
        self, *beside: type[Plugin], renews: Renew = lambda plugin, ex: True, reply: Reply | None = None
    ) -> None:
        made = type("Made", (Renewing,), {"renews": staticmethod(renews), "prepared": 0, "reply": reply})
        self.plugin: Any = made
        self.gateway = MemoryGateway([made, *beside], installed=False)
        self.gateway.clock.advance(1)
        self.proxy = self.gateway.proxy(towards=("renewing", {}))
        self.gateway.target.says = lambda received: Says(200 if received["X-Shown"] == "2" else 401, b"answer")

    def call(self, method: str = "GET", body: bytes | None = None) -> Call:
        return self.gateway.call(method, self.proxy, "/a?b=c", {"X-Own": "kept"}, body)

    @property
    def received(self) -> list[tuple[str, bytes]]:
        return [(each.every("X-Shown")[0], each.body) for each in self.gateway.target.received]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_it_is_sent_once_more(method: str) -> None:
    scene = Scene()
    assert scene.call(method).answer.status == 200
    assert [shown for shown, _ in scene.received] == ["1", "2"]
    first, second = scene.gateway.target.received
    assert (first.method, first.path, first.query, first.every("X-Own")) == (
        second.method,
        second.path,
        second.query,
        second.every("X-Own"),
    )
    assert scene.gateway.requests[-1].target_status == 200


def test_all_of_prepare_runs_again_on_a_fresh_request() -> None:
    scene = Scene(Holding)
    assert scene.call("POST", b"body").answer.status == 200
    assert scene.received == [("1", b"body+."), ("2", b"body+.")]


@pytest.mark.parametrize(("size", "sent"), [(0, 2), (65536, 2), (65537, 1)])
def test_a_held_body_is_repeated_up_to_64_kib(size: int, sent: int) -> None:
    scene = Scene(Holding)
    assert scene.call("POST", b"x" * size).answer.status == (200 if sent == 2 else 401)
    assert len(scene.received) == sent


def test_an_asynchronous_one_is_repeated_whatever_its_size() -> None:
    """It is at hand anyway, and nobody would send it once more: a 401 is the end of it."""
    scene = Scene()
    call = scene.gateway.call("POST", scene.proxy, "/a", (), b"x" * 200_000, api="async")
    assert call.answer.status == 202
    scene.gateway.clock.settle()
    assert scene.received == [("1", b"x" * 200_000), ("2", b"x" * 200_000)]


def test_one_that_streams_is_not_and_the_plugin_is_told_so() -> None:
    repeatable: list[bool] = []
    scene = Scene(renews=lambda plugin, ex: repeatable.append(ex.repeatable) is None)
    assert (scene.call("POST", b"x").answer.status, repeatable) == (401, [False])
    assert (scene.call("POST", b"x").answer.status, repeatable) == (200, [False])


def test_it_is_asked_once_a_request() -> None:
    scene = Scene()
    scene.gateway.target.says = Says(401, b"never")
    got = scene.call().answer
    assert (got.status, got.body, len(scene.received)) == (401, b"never", 2)


def test_nobody_is_asked_for_other_answers() -> None:
    scene = Scene()
    for status in (200, 400, 403, 407, 500):
        scene.gateway.target.says = Says(status)
        assert scene.call().answer.status == status
    assert {shown for shown, _ in scene.received} == {"1"}


def test_false_hands_the_401_back() -> None:
    scene = Scene(renews=lambda plugin, ex: False)
    got = scene.call().answer
    assert (got.status, got.body, got["requestrocket-proxy-code"]) == (401, b"answer", "proxy-access-granted")


def test_it_may_be_waited_for() -> None:
    waiting: Deferred[bool] = Deferred()
    scene = Scene(renews=lambda plugin, ex: waiting)
    call = scene.call()
    assert not call.ended
    waiting.callback(True)
    assert call.answer.status == 200


def test_a_reply_in_place_of_the_second_request() -> None:
    scene = Scene(reply=Reply(502, "there is nothing to show", "target-credential-failed"))
    got = scene.call().answer
    assert (got.status, got["requestrocket-proxy-code"], len(scene.received)) == (502, "target-credential-failed", 1)


def test_the_first_answer_is_let_go_before_the_second_request() -> None:
    scene = Scene()
    scene.gateway.target.says = lambda received: (
        Says(401, [b"a", b"b"], between=1000) if received["X-Shown"] == "1" else Says(200, b"answer")
    )
    connections: list[Any] = []
    connect = scene.gateway.dialer.connect

    async def kept(endpoint: Any, tenant: str, protocol: Any, *, secret: bool) -> None:
        connections.append(protocol)
        await connect(endpoint, tenant, protocol, secret=secret)

    scene.gateway.dialer.connect = kept  # type: ignore[method-assign]
    assert scene.call().answer.body == b"answer"
    first, second = connections
    assert (first.transport.closing, second.transport.closing) == (True, False)


def test_a_target_that_fails_the_second_time() -> None:
    scene = Scene()
    scene.gateway.target.says = lambda received: (
        Says(401) if received["X-Shown"] == "1" else Says(raw=b"no HTTP\r\n\r\n")
    )
    assert scene.call().answer.status == 502


def raises(plugin: Renewing, ex: Exchange) -> bool:
    raise RuntimeError


@pytest.mark.parametrize("renews", [raises, lambda plugin, ex: None, lambda plugin, ex: 1], ids=["raises", "None", "1"])
def test_a_plugin_that_fails_answers_502(renews: Renew) -> None:
    scene = Scene(renews=renews)
    got = scene.call().answer
    assert (got.status, got["requestrocket-proxy-code"]) == (502, "internal-error")
    assert [event.subject for event in scene.gateway.events] == ["renewing renew"]
    assert len(scene.received) == 1
