"""What an asynchronous request sends is what is explained, with the key and the number of its attempt besides.

Belongs here: the Async API's path, at its acceptance and at its attempts. Does not: when it is tried again
(tests/delivery/).
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from rrgate.testing import MemoryGateway, Says
from tests.explained.both import Asked, Told, differences, explained, with_key

KEY = ("apiKey", {"key": "X-Api-Key", "value": "caller-key-0001"})
SECRET = "s3cr3t-of-the-target-19aa"
TOWARDS: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "bearer": ("bearer", {"token": SECRET}),
    "apiKey in the query": ("apiKey", {"key": "api_key", "value": SECRET, "addToQueryParam": True}),
    "apiKey in the body": ("apiKey", {"key": "api_key", "value": SECRET, "addToBody": True}),
}
JSON = (("Content-Type", "application/json"), ("X-Mine", "mine"))
REQUESTS = {
    "a GET": with_key(Asked(path="/a?b=1")),
    "a POST": with_key(Asked("POST", "/a%2Fb?", JSON, b'{"mine": 1}')),
    "one with a key": with_key(Asked("PUT", "/a", (*JSON, ("Idempotency-Key", "mine-1")), b"{}")),
}
OF_ATTEMPTS = ("idempotency-key", "requestrocket-attempt")


def without_key(told: Told) -> Told:
    assert told.sent is not None
    fields = tuple(each for each in told.sent.fields if each[0].lower() not in OF_ATTEMPTS)
    headers = [part for part in told.explained["request"]["headers"] if part["name"].lower() not in OF_ATTEMPTS]
    request = told.explained["request"] | {"headers": headers}
    return evolve(told, sent=evolve(told.sent, fields=fields), explained=told.explained | {"request": request})


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("towards", TOWARDS)
def test_every_attempt_sends_what_is_explained(towards: str, asked: str, attempts: int) -> None:
    gateway = MemoryGateway()
    proxy = gateway.proxy(
        caller=KEY,
        towards=TOWARDS[towards],
        proxyAdditionalHeaders={"X-Added": "ours"},
        proxyAdditionalData={"ours": 1.10},
        proxyAttemptHeader=True,
    )
    gateway.filter(proxy, {"effect": "destroy", "jsonPaths": ["$.a"]})
    request = REQUESTS[asked]
    told = explained(gateway, proxy, request)
    gateway.target.says = lambda _: Says(503 if len(gateway.target.received) < attempts else 204)
    headers = (*request.headers, *request.shown)
    accepted = gateway.call(request.method, proxy, request.path, headers, request.body, api="async").answer
    assert accepted.status == 202
    gateway.clock.advance(900)
    assert len(gateway.target.received) == attempts
    for sent in gateway.target.received:
        found = differences(without_key(Told(told, accepted, gateway.records[0][0], sent)))
        assert set(found) <= {"checks"}, found
        assert (sent["Idempotency-Key"] == "mine-1") == (asked == "one with a key")


REFUSED = {
    "a rule": (REQUESTS["a POST"], 403),
    "a path": (with_key(Asked(path="/a/../b")), 400),
    "a loop": (with_key(Asked(headers=(("requestrocket-hops", "3"),))), 508),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_taken_is_refused_alike(why: str) -> None:
    gateway = MemoryGateway()
    asked, status = REFUSED[why]
    proxy = gateway.proxy(caller=KEY)
    gateway.rule(proxy, {"effect": "deny", "methods": ["POST"]})
    told = explained(gateway, proxy, asked)
    headers = (*asked.headers, *asked.shown)
    answer = gateway.call(asked.method, proxy, asked.path, headers, asked.body, api="async").answer
    assert answer.status == status
    assert differences(Told(told, answer, gateway.records[-1][0], None)) == {}
