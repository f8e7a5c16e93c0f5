"""`MemoryGateway` behaves as a gateway with sockets does, and its target, clock and outside as they are told.

Belongs here: rrgate.testing itself. Does not: what the gateway does with requests (tests of each room), canary
(tests/test_canary.py), contract tests (test_check_plugin.py).
"""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rrgate.api import (
    ConfigError,
    Denied,
    Exchange,
    Identity,
    NoConfig,
    OutsideAnswer,
    OutsideError,
    Parts,
    Plugin,
    Side,
)
from rrgate.registry import PluginLoadError
from rrgate.testing import Clock, MemoryGateway, Says, StillWaiting, operator_log

KEY = ("apiKey", {"key": "X-Api-Key", "value": "a-key"})
TOKEN = ("bearer", {"token": "a-token"})


class Asks(Plugin):
    """Lets in whom another server knows."""

    name = "asks"
    sides = frozenset({Side.PROXY})
    Config = NoConfig

    async def authenticate(self, ex: Exchange) -> Identity | Denied:
        try:
            answer = await self.context.http.request("GET", "https://who.test/", timeout=5)
        except OutsideError:
            return Denied("nobody tells")
        return Identity("somebody") if answer.status == 200 else Denied("not known")


class Raises(Plugin):
    name = "raises"

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def authorize(self, ex: Exchange) -> None:
        raise KeyError("something")


def test_a_request_goes_all_the_way() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(
        caller=KEY, towards=TOKEN, url="https://target.test/v1", proxyAdditionalHeaders={"X-Added": "yes"}
    )
    gateway.target.says = Says(201, b"made", {"X-Of": "target"})
    answer = gateway.call("POST", proxy, "/things%2Fa?page=2", {"X-Api-Key": "a-key", "X-Own": "1"}, b"body").answer
    assert (answer.status, answer.body, answer["x-of"]) == (201, b"made", "target")
    assert answer["requestrocket-proxy-code"] == "proxy-access-granted"
    seen = gateway.target.last
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/v1/things%2Fa", "page=2", b"body")
    assert seen.every("Authorization") == ["Bearer a-token"]
    assert (seen["X-Added"], seen["X-Own"], seen["X-Api-Key"], seen["Host"]) == ("yes", "1", "", "target.test")
    ((record, detail),) = gateway.records
    assert (record["proxyData"]["status"], detail["path"]) == (201, "/things%2Fa")
    assert gateway.in_flight == 0


def test_without_more_ado_everybody_is_let_in_and_nothing_is_shown() -> None:
    gateway = MemoryGateway(installed=False)
    assert gateway.call("GET", gateway.proxy()).answer.status == 200
    assert gateway.target.last["Authorization"] == ""


def test_a_refusal_reaches_no_target() -> None:
    gateway = MemoryGateway()
    answer = gateway.call("GET", gateway.proxy(caller=KEY), headers={"X-Api-Key": "wrong"}).answer
    assert (answer.status, answer.document["message"]) == (401, "Invalid proxy credential")
    assert (gateway.target.received, gateway.target.connections, bytes(gateway.target.bytes)) == ([], 0, b"")
    with pytest.raises(LookupError, match="no request"):
        _ = gateway.target.last


def test_what_cannot_be_saved_cannot_be_made() -> None:
    gateway = MemoryGateway()
    with pytest.raises(ConfigError, match=r"credentialSecret\.tokn"):
        gateway.proxy(towards=("bearer", {"tokn": "x"}))
    with pytest.raises(ConfigError, match="no installed plugin"):
        gateway.proxy(towards=("bearrer", {}))
    with pytest.raises(ConfigError, match="proxyAdditionalHeaders"):
        gateway.proxy(proxyAdditionalHeaders={"Host": "x"})


def test_plugins_that_are_given_are_there_once() -> None:
    (bearer,) = {MemoryGateway().registry.auth_type("bearer", side) for side in Side}
    assert bearer is not None
    assert MemoryGateway([bearer]).registry.auth_type("bearer", Side.PROXY) is bearer
    impostor = type("Impostor", (bearer,), {})
    with pytest.raises(PluginLoadError, match="'bearer'"):
        MemoryGateway([impostor])
    assert MemoryGateway([impostor], installed=False).registry.auth_type("bearer", Side.PROXY) is impostor


def test_a_target_that_takes_its_time() -> None:
    gateway = MemoryGateway()
    gateway.target.says = Says(body=[b"one", b"two", b"three"], after=3, between=2)
    call = gateway.call("GET", gateway.proxy())
    with pytest.raises(StillWaiting, match="advance"):
        _ = call.answer
    bodies = []
    for _ in range(4):
        gateway.clock.advance(2)
        bodies.append(call.answers[-1].body if call.answers else None)
    assert bodies == [None, b"one", b"onetwo", b"onetwothree"]
    assert call.answer.whole


@pytest.mark.parametrize(
    ("says", "status", "whole"),
    [
        (Says(after=None), 504, True),
        (Says(after=31), 504, True),
        (Says(body=b"abc", breaks_off=True), 200, False),
        (Says(body=[b"a", b"b"], breaks_off=True), 502, True),
        (Says(raw=b"nonsense\r\n\r\n"), 502, True),
        (Says(raw=b""), 502, True),
        (Says(204), 204, True),
        (Says(body=[]), 200, True),
    ],
)
def test_targets_good_and_bad(says: Says, status: int, whole: bool) -> None:
    gateway = MemoryGateway()
    gateway.target.says = says
    call = gateway.call("GET", gateway.proxy())
    gateway.clock.advance(40)
    assert (call.answer.status, call.answer.whole) == (status, whole)


def test_a_target_answers_by_what_it_is_asked() -> None:
    gateway = MemoryGateway()
    gateway.target.says = lambda received: Says(404 if received.path == "/none" else 200)
    proxy = gateway.proxy()
    assert [gateway.call("GET", proxy, path).answer.status for path in ("/", "/none")] == [200, 404]
    assert gateway.target.connections == 1


def test_hosts_are_targets_of_their_own() -> None:
    gateway = MemoryGateway()
    gateway.call("GET", gateway.proxy(url="https://other.test:8443"))
    assert gateway.target_at("other.test").last["Host"] == "other.test:8443"
    assert gateway.target.received == []


def test_secrets_need_tls_here_too() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(towards=TOKEN, url="http://target.test")
    answer = gateway.call("GET", proxy).answer
    assert (answer.status, gateway.target.connections) == (502, 0)
    allowed = gateway.proxy(towards=TOKEN, url="http://target.test", target={"targetAllowPlaintext": True})
    assert gateway.call("GET", allowed).answer.status == 200


def test_bodies_in_pieces_and_unfinished_ones() -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy()
    gateway.call("POST", proxy, "/", (), [b"one", b"two"])
    assert (gateway.target.last.body, gateway.target.last["Transfer-Encoding"]) == (b"onetwo", "chunked")
    call = gateway.call("POST", proxy, "/", {"Content-Length": "6"})
    assert not call.ended
    assert call.send(b"onetwo").answer.status == 200


def test_a_caller_who_leaves() -> None:
    gateway = MemoryGateway([Asks])
    gateway.outside.after = None
    call = gateway.call("GET", gateway.proxy(caller=("asks", {})))
    assert gateway.in_flight == 1
    call.leave()
    assert (gateway.in_flight, gateway.target.connections, gateway.clock.getDelayedCalls()) == (0, 0, [])


def test_other_servers() -> None:
    gateway = MemoryGateway([Asks])
    proxy = gateway.proxy(caller=("asks", {}))
    assert gateway.call("GET", proxy).answer.status == 401
    gateway.outside.says = lambda call: OutsideAnswer(200 if call.url == "https://who.test/" else 404, (), b"")
    assert gateway.call("GET", proxy).answer.status == 200
    gateway.outside.after = 3
    call = gateway.call("GET", proxy)
    assert not call.ended
    gateway.clock.advance(3)
    assert call.answer.status == 200
    gateway.outside.after = None
    call = gateway.call("GET", proxy)
    gateway.clock.advance(5)
    assert call.answer.status == 401
    assert len(gateway.outside.calls) == 4


def test_a_plugin_that_raises() -> None:
    gateway = MemoryGateway([Raises])
    with operator_log() as log:
        assert gateway.call("GET", gateway.proxy()).answer.status == 500
    assert [event.subject for event in gateway.events] == ["raises authorize"]
    assert "plugin 'raises' failed in authorize" in log.text
    assert gateway.target.connections == 0


@pytest_twisted.ensureDeferred
async def test_a_plugin_that_waits_for_a_thread() -> None:
    class Threaded(Plugin):
        name = "threaded"
        sides = frozenset({Side.PROXY})

        async def authenticate(self, ex: Exchange) -> Identity:
            return Identity(await deferToThread(lambda: "a thread"))

    gateway = MemoryGateway([Threaded])
    answer: Any = await gateway.call("GET", gateway.proxy(caller=("threaded", {})))
    assert answer.status == 200
    assert gateway.requests[0].identity == Identity("a thread")


def test_the_clock_makes_each_call_at_its_time() -> None:
    clock = Clock(1000.0)
    made: list[float] = []
    looping = LoopingCall(lambda: made.append(clock.wall()))
    looping.clock = clock
    looping.start(2, now=False)
    clock.callLater(3, lambda: clock.callLater(2, made.append, -1.0))
    clock.advance(5)
    assert made == [1002.0, 1004.0, -1.0]
    assert (clock.seconds(), clock.wall()) == (5.0, 1005.0)
    clock.turn_wall(-100)
    assert (clock.seconds(), clock.wall()) == (5.0, 905.0)


def test_the_operators_log_has_everything_that_is_written() -> None:
    with operator_log() as log:
        Logger().debug("to twisted: {what}", what="ten", other="hidden")
        logging.getLogger("some").debug("to the library: %s", 11)
        print("printed")
        print("to stderr", file=sys.stderr)
    for text in ("to twisted: ten", "to the library: 11", "printed", "to stderr"):
        assert text in log.text
    assert "hidden" not in log.text
    assert "hidden" in log.raw


def test_what_goes_wrong_on_purpose_is_not_printed() -> None:
    # In a process in which nobody has begun to log.
    script = """
from rrgate.testing import operator_log
from twisted.logger import Logger
with operator_log() as log:
    Logger().critical("inside")
Logger().critical("outside")
assert "inside" in log.text
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert "inside" not in done.stdout + done.stderr
    assert "outside" in done.stderr
