"""What is kept of answers to asynchronous requests: filtered as the Proxy API's are, by the filters there are then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rrgate.testing import MemoryGateway, Says

KEY = "the-caller's-key-of-these-tests"
CALLER = ("apiKey", {"key": "X-Api-Key", "value": KEY})
JSON = {"Content-Type": "application/json"}
ANSWER = Says(body=b'{"name":"a","password":"b"}', headers=JSON)
WHOLE, LEFT = '{"name":"a","password":"b"}', '{"name":"a"}'
DESTROY = {"effect": "destroy", "jsonPaths": ["$.password"]}


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    gateway.target.says = ANSWER
    yield gateway
    gateway.stop()


def sent(gateway: MemoryGateway, proxy: Any, path: str = "/", body: bytes = b"") -> str:
    """A request that was taken; its id."""
    headers = {"X-Api-Key": KEY, "X-Kind": "any", **JSON}
    taken = gateway.call("POST", proxy, path, headers, body, api="async").answer
    assert taken.status == 202, taken.body
    return str(taken.document["requestId"])


def kept(gateway: MemoryGateway, proxy: Any, request_id: str) -> Any:
    """What is told of it."""
    return gateway.call("GET", proxy, f"/.requests/{request_id}", {"X-Api-Key": KEY}, api="async").answer.document


@pytest.mark.parametrize(
    ("check", "path", "body", "left"),
    [
        ({}, "/", b"", LEFT),
        ({"path": "^/all"}, "/all", b"", LEFT),
        ({"path": "^/all"}, "/other", b"", WHOLE),
        ({"methods": ["GET"]}, "/", b"", WHOLE),
        ({"headers": [{"name": "x-kind", "matchValue": "any"}]}, "/", b"", LEFT),
        ({"body": [{"jsonPath": "^kind$", "matchValue": "any"}]}, "/", b'{"kind":"any"}', LEFT),
        ({"body": [{"jsonPath": "^kind$", "matchValue": "any"}]}, "/", b'{"kind":"other"}', WHOLE),
    ],
)
def test_an_answer_is_kept_as_the_filters_leave_it(
    gateway: MemoryGateway, check: Mapping[str, Any], path: str, body: bytes, left: str
) -> None:
    proxy = gateway.proxy(caller=CALLER)
    gateway.filter(proxy, {**DESTROY, **check})
    request_id = sent(gateway, proxy, path, body)
    gateway.clock.advance(2)
    told = kept(gateway, proxy, request_id)
    assert (told["status"], told["answer"]["body"]) == ("succeeded", left)
    assert gateway.target.last["Accept-Encoding"] == ("gzip" if left == LEFT else "")


def test_one_that_cannot_be_filtered_is_not_kept(gateway: MemoryGateway) -> None:
    gateway.target.says = Says(body=b"a password", headers={"Content-Type": "text/plain"})
    proxy = gateway.proxy(caller=CALLER)
    gateway.filter(proxy, DESTROY)
    request_id = sent(gateway, proxy)
    gateway.clock.advance(2)
    told = kept(gateway, proxy, request_id)
    assert (told["answer"]["status"], "password" in str(told["answer"])) == (422, False)


def test_filters_made_while_it_waits_are_for_it_too(gateway: MemoryGateway) -> None:
    later = Says(503, headers={"Retry-After": "60"})
    gateway.target.says = lambda _: later if len(gateway.target.received) == 1 else ANSWER
    proxy = gateway.proxy(caller=CALLER)
    request_id = sent(gateway, proxy)
    gateway.clock.advance(0)
    assert kept(gateway, proxy, request_id)["status"] == "waiting"
    gateway.filter(proxy, DESTROY)
    gateway.clock.advance(600)
    told = kept(gateway, proxy, request_id)
    assert (told["status"], told["answer"]["body"]) == ("succeeded", LEFT)
