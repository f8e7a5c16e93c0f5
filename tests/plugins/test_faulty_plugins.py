"""Plugins that fail in every way they can, in a whole gateway: closed, named in the log, and nobody else's harm.

Belongs here: what a caller is answered, what the operator is told, and the proxies beside it. Does not: every spelling
of each fault (tests/chain/), plugins that do not load (tests/processes/test_broken_plugin.py).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import eventAsText, globalLogPublisher

from rrgate.api import Event, Exchange, Identity, Kind, NoConfig, Parts, Plugin, Side, hookimpl
from tests.callers import Answer
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Target, echo

FAULTY = "faulty"
"""The name of the proxies that the plugin below works on."""
SECRET = "s3cr3t-that-a-plugin-quotes"
HELD_UP = threading.Event()
"""Set when the operator was told of a blocked reactor: by then it has been blocked for long enough."""


class Faulty(Plugin):
    """Fails in the phase and way that the caller's X-Fault names, on proxies called `FAULTY`."""

    name = "faulty-one"
    kind = Kind.OWN

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == FAULTY else None

    def authorize(self, ex: Exchange) -> Any:
        return self._perhaps(ex, "authorize", None)

    def body_needed(self, ex: Exchange) -> Any:
        return self._perhaps(ex, "body_needed", None)

    def prepare(self, ex: Exchange) -> Any:
        return self._perhaps(ex, "prepare", None)

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> Any:
        return self._perhaps(ex, "on_request_body", chunk)

    def on_response(self, ex: Exchange) -> Any:
        return self._perhaps(ex, "on_response", None)

    def on_body(self, ex: Exchange, chunk: bytes, last: bool) -> Any:
        return self._perhaps(ex, "on_body", chunk)

    def on_log(self, ex: Exchange, record: Any) -> None:
        self._perhaps(ex, "on_log", None)

    def _perhaps(self, ex: Exchange, phase: str, good: Any) -> Any:
        return fault(ex, phase, good)


class FaultyAuth(Plugin):
    """The same for `authenticate`, which a proxy's credential decides on."""

    name = "faulty-auth"
    sides = frozenset({Side.PROXY})

    def authenticate(self, ex: Exchange) -> Any:
        return fault(ex, "authenticate", Identity("somebody"))


def fault(ex: Exchange, phase: str, good: Any) -> Any:
    asked, _, how = (ex.header(b"X-Fault") or b"").decode().partition(" ")
    if asked != phase:
        return good
    if how == "raises":
        raise KeyError(SECRET)
    if how == "exits":
        sys.exit(SECRET)
    if how == "hangs":
        return Deferred()
    if how in ("splits", "cuts"):
        assert ex.response is not None
        # At a NUL, many a reader takes a text for ended.
        between = "\r\nX-Smuggled: " if how == "splits" else "\0"
        ex.response.fields.append((b"x-told", b"X-Told", f"1{between}{SECRET}".encode()))
        return good
    if how == "blocks":
        assert HELD_UP.wait(20), "nobody noticed"
        return good
    assert how == "answers wrong"
    return object()


class Plugins:
    def __init__(self) -> None:
        self.events: list[Event] = []

    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Faulty, FaultyAuth]

    @hookimpl
    def rrgate_event(self, event: Event) -> None:
        self.events.append(event)


@frozen
class Place:
    """A gateway with one proxy whose plugins fail, and one without."""

    gateway: RunningGateway
    faulty: MadeProxy
    sound: MadeProxy
    told: list[Event]
    logged: list[str] = field(factory=list)

    def events(self, kind: str) -> list[str]:
        """Subjects of those that were told."""
        return [event.subject for event in self.told if event.kind == kind]

    def during(self) -> list[str]:
        """What the log said while the plugin above blocked. A busy machine can look blocked too, elsewhere."""
        return [text for text in self.logged if "has been keeping" in text and "threading.py" in text]

    async def call(self, fault: str) -> Answer:
        return await self.gateway.call(self.faulty, "POST", "/", {"X-Fault": fault}, b"body", key=None)


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    plugins = Plugins()
    gateway = RunningGateway.start(
        tmp_path_factory.mktemp("gateway") / "state", plugins=[plugins], plugin_timeout=0.3, block_warning=0.05
    )
    with Target(echo) as target:
        faulty = await gateway.proxy(target.url, caller=("faulty-auth", {}), proxyName=FAULTY)
        sound = await gateway.proxy(target.url)
        made = Place(gateway, faulty, sound, plugins.events)

        def observe(event: Any) -> None:
            text = eventAsText(event)
            made.logged.append(text)
            if "has been keeping the reactor" in text and "threading.py" in text:
                HELD_UP.set()

        globalLogPublisher.addObserver(observe)
        yield made
        globalLogPublisher.removeObserver(observe)
    await gateway.stop()


@pytest.fixture(autouse=True)
def nothing_yet(place: Place) -> None:
    HELD_UP.clear()
    place.logged.clear()
    place.told.clear()
    # Events of one subject come once in a minute.
    place.gateway.gateway.boot._told.clear()


PHASES = ("authenticate", "authorize", "body_needed", "prepare", "on_request_body", "on_response", "on_body")
WAYS = ("raises", "exits", "hangs", "answers wrong")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("phase", PHASES)
@pytest_twisted.ensureDeferred
async def test_it_fails_closed_and_is_named(place: Place, phase: str, how: str) -> None:
    answer = await place.call(f"{phase} {how}")
    sent = phase in ("on_response", "on_body")
    assert (answer.status, answer["requestrocket-proxy-code"]) == (502 if sent else 500, "internal-error")
    name = "faulty-auth" if phase == "authenticate" else "faulty-one"
    assert place.events("plugin-fault") == [f"{name} {phase}"]
    (told,) = [text for text in place.logged if f"plugin {name!r} failed in {phase} for request" in text]
    reason = {
        "raises": "builtins.KeyError (its text is left out)",
        "exits": "builtins.SystemExit (its text is left out)",
        # What does not wait cannot hang: an answer that is to be awaited is a wrong one there.
        "hangs": "answered a Deferred" if phase == "body_needed" else "waited for more than 0.3 seconds",
        "answers wrong": "answered a object",
    }
    assert reason[how] in told
    for shown in (*place.logged, *map(repr, place.told), answer.body.decode(), str(answer.headers)):
        assert SECRET not in shown
    assert name not in answer.body.decode() + str(answer.headers)
    assert (await place.gateway.records(place.faulty))[0]["proxyData"]["status"] == answer.status
    # The same proxy goes on, where its plugin does.
    assert (await place.call("")).status == 200


@pytest.mark.parametrize("how", ["splits", "cuts"])
@pytest_twisted.ensureDeferred
async def test_a_line_that_it_puts_into_an_answer_is_answered_by_nobody(place: Place, how: str) -> None:
    answer = await place.call(f"on_response {how}")
    assert (answer.status, answer["requestrocket-proxy-code"]) == (502, "internal-error")
    assert SECRET not in str(answer.headers) + answer.body.decode() + "".join(place.logged)
    assert [text for text in place.logged if "a request failed inside the gateway" in text]
    assert (await place.gateway.records(place.faulty))[0]["proxyData"]["status"] == 502
    assert (await place.call("")).status == 200


@pytest.mark.parametrize("how", WAYS)
@pytest_twisted.ensureDeferred
async def test_on_log_changes_nothing_for_the_caller(place: Place, how: str) -> None:
    assert (await place.call(f"on_log {how}")).status == 200
    assert place.events("plugin-fault") == (["faulty-one on_log"] if how in ("raises", "exits") else [])
    assert (await place.gateway.records(place.faulty))[0]["proxyData"]["status"] == 200


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("phase", PHASES)
@pytest_twisted.ensureDeferred
async def test_other_proxies_go_on(place: Place, phase: str, how: str) -> None:
    failing = place.call(f"{phase} {how}")
    pending = Deferred.fromCoroutine(failing)
    for _ in range(3):
        assert (await place.gateway.call(place.sound)).status == 200
    assert (await pending).status in (500, 502)


@pytest.mark.parametrize("phase", [*PHASES, "on_log"])
@pytest_twisted.ensureDeferred
async def test_one_that_blocks_is_named_while_it_does_and_after_it(place: Place, phase: str) -> None:
    answer = await place.call(f"{phase} blocks")
    assert answer.status == 200
    name = "faulty-auth" if phase == "authenticate" else "faulty-one"
    (during,) = place.during()
    assert f"plugin '{name}' in {phase} has been keeping the reactor from turning for " in during
    assert f" in {phase}, in " in during, "the plugin's method, and where it is in the end"
    assert during.index("test_faulty_plugins.py") < during.index("threading.py")
    # One of the next turns tells it to whoever wants to know.
    told: list[Any] = []
    for _ in range(500):
        assert (await place.gateway.call(place.sound)).status == 200
        if told := [event for event in place.told if event.subject == f"{name} {phase}"]:
            break
    (event,) = told
    assert event.kind == "reactor-blocked"
    milliseconds = float(event.message.partition(" for ")[2].partition(" ms")[0])
    assert milliseconds >= 50


@pytest_twisted.ensureDeferred
async def test_what_blocks_outside_of_plugins_is_shown_by_its_place(place: Place) -> None:
    from twisted.internet import reactor

    def hold_up() -> None:
        assert HELD_UP.wait(20)

    reactor.callLater(0, hold_up)  # type: ignore[attr-defined]
    assert (await place.gateway.call(place.sound)).status == 200
    (during,) = place.during()
    assert "something has been keeping the reactor" in during
    assert "plugin" not in during
    told: list[str] = []
    for _ in range(500):
        assert (await place.gateway.call(place.sound)).status == 200
        if told := [subject for subject in place.events("reactor-blocked") if "threading.py" in subject]:
            break
    assert told
