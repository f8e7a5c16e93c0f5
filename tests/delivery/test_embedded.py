"""The Async API for a host that has the gateway in it: below a resource of its site, and for code by an agent.

Belongs here: taking, delivering and telling through both. Does not: their contracts (tests/embedding/).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rrgate.api import Identity
from rrgate.testing import MemoryGateway
from tests.delivery.test_delivering import CALLER, KEY
from tests.embedding.parts import Producing, Taking, headers, taken
from tests.embedding.test_resource import Host


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    gateway = MemoryGateway()
    yield gateway
    gateway.stop()


def test_through_a_resource_of_a_hosts_site(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, towards=("bearer", {"token": "for-the-target"}))
    host = Host(gateway)
    where = f"/gate/async/{proxy.id}"
    made = host.ask("POST", f"{where}/work?a=1", f"X-Api-Key: {KEY}", "requestrocket-delay: 5", body=b"load")
    assert made.status == 202
    request_id = made.document["requestId"]
    assert made["Location"].endswith(f"/async/{proxy.id}/.requests/{request_id}")
    assert host.ask("GET", f"{where}/.requests/{request_id}").status == 401
    shown = host.ask("GET", f"{where}/.requests/{request_id}", f"X-Api-Key: {KEY}")
    assert shown.document["status"] == "queued"
    gateway.clock.advance(6)
    received = gateway.target.last
    assert (received.method, received.path, received.query, received.body) == ("POST", "/work", "a=1", b"load")
    assert (received["Authorization"], received["X-Api-Key"]) == ("Bearer for-the-target", "")
    shown = host.ask("GET", f"{where}/.requests/{request_id}", f"X-Api-Key: {KEY}")
    assert shown.document["status"] == "succeeded"


def told(gateway: MemoryGateway, request: Any) -> tuple[int, Any]:
    """The status and the document of what a call is answered."""
    (response,) = taken(gateway, request)
    protocol = Taking()
    response.deliverBody(protocol)
    gateway.clock.settle()
    return response.code, json.loads(protocol.data)


def test_by_code_of_the_same_process(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(caller=CALLER, towards=("bearer", {"token": "for-the-target"}))
    shop = gateway.agent(proxy, identity=Identity("shop"), api="async")
    body = Producing(7)
    request = shop.request(b"POST", b"/orders?a=1", None, body)
    gateway.clock.settle()
    body.consumer.write(b"order 7")
    body.done.callback(None)
    status, document = told(gateway, request)
    assert status == 202
    gateway.clock.settle()
    received = gateway.target.last
    assert (received.path, received.query, received.body) == ("/orders", "a=1", b"order 7")
    where = f"/.requests/{document['requestId']}".encode()
    assert told(gateway, shop.request(b"GET", where))[1]["status"] == "succeeded"
    other = gateway.agent(proxy, identity=Identity("another shop"), api="async")
    assert told(gateway, other.request(b"GET", where))[0] == 404
    caller = gateway.agent(proxy, api="async")
    assert told(gateway, caller.request(b"GET", where, headers(X_Api_Key=KEY)))[0] == 404
    ((record, _), (ended, _)) = gateway.records[:2]
    assert (record["processed"], ended["processed"]) == (False, True)


def test_there_is_no_third_api(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    with pytest.raises(ValueError, match="one of api, async"):
        gateway.agent(proxy, api="core")  # type: ignore[arg-type]  # that it is wrong is the point
