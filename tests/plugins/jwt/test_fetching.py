"""Servers of key sets that fail, and sets that are none; what is let go of in the end.

Belongs here: `jwksUri` where something is wrong. Does not: when sets are fetched (test_remote_keys.py), the call itself
(tests/plugins/test_outside.py).
"""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rrgate.api import OutsideAnswer, PluginContext
from rrgate.testing import Clock, StubOutside, operator_log
from rrgate_plugins.jwt_verify.remote_keys import NoKeys, RemoteKeys, RemoteKeySets
from tests.plugins.jwt.remote_house import DOWN, OF_BOTH, OF_OLD, OLD, URL, House, answering
from tests.plugins.jwt.signing import CLAIMS, hs, key_set, token


def test_without_any_set_it_is_closed() -> None:
    house = House(DOWN)
    answer = house.begun().answer
    assert (answer.status, answer["requestrocket-proxy-code"], answer["Retry-After"]) == (503, "unavailable", "5")
    assert house.told() == [("keys-unreachable", "issuer.test")]
    assert not house.gateway.target.bytes
    # Not every request tries anew: one every five seconds.
    assert [house.status(), house.status()] == [503, 503]
    assert house.fetches == 1
    house.after(5)
    house.outside.says = OF_OLD
    assert house.status() == 200
    assert house.fetches == 2


def test_a_server_that_hangs_is_waited_for_ten_seconds() -> None:
    house = House()
    house.outside.after = None
    call = house.begun()
    house.after(6)
    other = house.begun()
    house.after(3.9)
    assert not call.ended
    assert not other.ended
    house.after(0.2)
    assert [call.answer.status, other.answer.status] == [503, 503]
    assert house.fetches == 1


WRONG_ANSWERS: dict[str, Any] = {
    "500": answering(key_set(OLD), 500),
    "a redirect": answering(key_set(OLD), 302),
    "404": answering({"error": "none"}, 404),
    "204": OutsideAnswer(204, (), b""),
    "HTML": OutsideAnswer(200, (), b"<!doctype html><title>Sign in</title>"),
    "nothing": OutsideAnswer(200, (), b""),
    "a list": answering([OLD]),
    "no keys": answering({"error": "none"}),
    "keys that are none": answering({"keys": "old"}),
    "a key twice, RFC 7517 4": OutsideAnswer(200, (), b'{"keys":[],"keys":[' + json.dumps(OLD).encode() + b"]}"),
    "101 keys": answering(key_set(*[OLD] * 101)),
    "too large": OutsideAnswer(200, (), b'{"keys":[]' + b" " * 256 * 1024 + b"}"),
    "deep": OutsideAnswer(200, (), b"[" * 100_000),
    "no UTF-8": OutsideAnswer(200, (), json.dumps(key_set({**OLD, "x5u": "é"}), ensure_ascii=False).encode("latin-1")),
}


@pytest.mark.parametrize("said", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_what_is_no_key_set(said: OutsideAnswer) -> None:
    house = House(said)
    assert house.status() == 503
    (event,) = house.gateway.events
    assert event.kind == "keys-unreachable"
    assert "issuer.test" in event.message
    assert "Sign in" not in event.message


UNUSABLE: dict[str, Any] = {
    "of a type that is not known, RFC 7517 5": {"kty": "PQC", "kid": "x"},
    "of a curve that is not known": {**OLD, "crv": "P-999"},
    "short": {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "old"},
    "private": {**OLD, "d": "AQAB"},
    "for encryption": {**OLD, "use": "enc"},
    "no object": "old",
}


@pytest.mark.parametrize("key", UNUSABLE.values(), ids=UNUSABLE)
def test_a_key_that_is_of_no_use_is_left_out(key: Any) -> None:
    house = House(answering({"keys": [key, OLD]}))
    assert house.status() == 200
    house = House(answering({"keys": [key]}))
    assert house.status() == 401
    assert house.told() == []


def test_a_symmetric_key_in_a_set_verifies_nothing() -> None:
    house = House(answering({"keys": [UNUSABLE["symmetric"]]}))
    made = token({"alg": "HS256", "kid": "old"}, CLAIMS, hs(secret="secret-secret-secret-secret")).decode()
    assert house.gateway.call("GET", house.first, "/", {"Authorization": f"Bearer {made}"}).answer.status == 401


def test_it_recovers_by_itself() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = answering(key_set(OLD), 500)
    house.after(700)
    assert house.status() == 200
    assert house.told() == [("keys-unreachable", "issuer.test")]
    house.outside.says = OF_BOTH
    house.after(60)
    assert house.status("new") == 200


def test_while_fetching_fails_nobody_waits() -> None:
    house = House()
    assert house.status() == 200
    house.outside.after = None
    house.after(700)
    assert house.status() == 200
    house.after(10_000)
    assert [house.status(), house.status()] == [200, 200]


class Alone:
    """The key sets of a gateway, without the gateway."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.outside = StubOutside(self.clock)
        self.outside.says = OF_OLD
        self.sets = RemoteKeySets()
        self.context = PluginContext(self.clock, self.clock.wall, Logger(), "", http=self.outside)

    def at_url(self) -> RemoteKeys:
        return self.sets.at(URL, self.context)

    def asked(self, keys: RemoteKeys, kid: str = "old") -> list[Any]:
        """What comes of waiting for the set: the set or the failure, once it is there."""
        came: list[Any] = []
        Deferred.fromCoroutine(keys.later(kid, self.outside)).addBoth(came.append)
        return came


def test_fetching_what_has_not_changed_keeps_the_set() -> None:
    alone = Alone()
    keys = alone.at_url()
    (first,) = alone.asked(keys)
    alone.clock.advance(60)
    (second,) = alone.asked(keys, "new")
    assert len(alone.outside.calls) == 2
    assert second is first
    alone.outside.says = OF_BOTH
    alone.clock.advance(60)
    assert alone.asked(keys, "new") != [first]


def test_a_set_that_nobody_needs_any_more_is_let_go_of_and_not_fetched() -> None:
    alone = Alone()
    keys = alone.at_url()
    assert alone.at_url() is keys
    alone.asked(keys, "new")
    assert len(alone.clock.getDelayedCalls()) == 1
    del keys
    gc.collect()
    alone.clock.advance(60)
    assert len(alone.outside.calls) == 1
    alone.asked(alone.at_url())
    assert len(alone.outside.calls) == 2


def test_when_the_gateway_stops_nothing_is_fetched_any_more() -> None:
    alone = Alone()
    keys = alone.at_url()
    alone.asked(keys, "new")
    assert len(alone.clock.getDelayedCalls()) == 1
    alone.sets.close()
    assert not alone.clock.getDelayedCalls()


def test_when_the_gateway_stops_what_is_under_way_ends() -> None:
    alone = Alone()
    alone.outside.after = 3.0
    keys = alone.at_url()
    came = alone.asked(keys)
    assert not came
    alone.sets.close()
    assert came[0].check(NoKeys)
    assert not alone.clock.getDelayedCalls()


def broken(call: object) -> OutsideAnswer:
    raise ZeroDivisionError("a bug")


def test_what_breaks_in_fetching_fails_those_who_wait() -> None:
    house = House(broken)
    house.outside.after = 3.0
    calls = [house.begun(), house.begun()]
    house.after(3)
    assert [call.answer.status for call in calls] == [500, 500]
    assert ("plugin-fault", "jwtVerify authenticate") in house.told()


def test_what_breaks_where_nobody_waits_is_in_the_operators_log() -> None:
    house = House()
    assert house.status() == 200
    house.outside.says = broken
    house.after(600)
    with operator_log() as log:
        assert house.status() == 200
    assert "the key set of issuer.test cannot be read" in log.text
    assert "ZeroDivisionError" in log.text
