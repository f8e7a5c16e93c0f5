"""Target credentials that stand in bodies: `custom` with `data`, `apiKey` with `addToBody`.

Belongs here: that a body goes with its credential or not at all. Does not: merging (tests/plugins/test_merging.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted

from tests.running_gateway import RunningGateway
from tests.targets import Target, echo

CUSTOM: tuple[str, dict[str, Any]] = ("custom", {"headers": {"X-App": "T-app"}, "data": {"api_key": "T-key"}})
KEY: tuple[str, dict[str, Any]] = ("apiKey", {"key": "api_key", "value": "T-key", "addToBody": True})
BOTH = pytest.mark.parametrize("towards", [CUSTOM, KEY], ids=lambda towards: towards[0])

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(echo) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "headers", "body", "arrives"),
    [
        ("POST", JSON, b'{"a": 1.10}', '{"a": 1.10,"api_key":"T-key"}'),
        ("PUT", JSON, b'{"api_key":"theirs","a":{}}', '{"a":{},"api_key":"T-key"}'),
        ("PATCH", FORM, b"a=1&api_key=theirs&API_KEY=theirs", "a=1&api_key=T-key"),
        ("POST", {}, b"", '{"api_key":"T-key"}'),
        ("POST", {}, None, '{"api_key":"T-key"}'),
        ("GET", {}, None, ""),
        ("DELETE", JSON, b'{"a":1}', '{"a":1}'),
    ],
)
@BOTH
@pytest_twisted.ensureDeferred
async def test_what_arrives(
    gateway: RunningGateway,
    target: Target,
    towards: Any,
    method: str,
    headers: dict[str, str],
    body: bytes | None,
    arrives: str,
) -> None:
    proxy = await gateway.proxy(target.url, towards=towards)
    answer = await gateway.call(proxy, method, "/", headers, body)
    assert (answer.status, answer.json["body"]) == (200, arrives)
    assert (["X-App", "T-app"] in answer.json["headers"]) is (towards is CUSTOM)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b"[1]"),
        (JSON, b'{"a":'),
        (JSON | {"Content-Encoding": "gzip"}, b"{}"),
        ({"Content-Type": "text/plain"}, b"x"),
        ({}, b"{}"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n"),
    ],
)
@BOTH
@pytest_twisted.ensureDeferred
async def test_no_body_goes_without_it(
    gateway: RunningGateway, target: Target, towards: Any, headers: dict[str, str], body: bytes
) -> None:
    proxy = await gateway.proxy(target.url, towards=towards)
    before = target.connections
    answer = await gateway.call(proxy, "POST", "/", headers, body)
    assert (answer.status, answer.code) == (415, "bad-request")
    assert b"T-key" not in answer.body
    assert target.connections == before


@pytest.mark.parametrize(
    ("headers", "body", "arrives"),
    [
        (JSON, b'{"a":1}', '{"a":1,"b":"ours","api_key":"T-key"}'),
        (FORM, b"a=1", "a=1&b=ours&api_key=T-key"),
        (FORM, b"", '{"b":"ours","api_key":"T-key"}'),
        ({}, None, '{"b":"ours","api_key":"T-key"}'),
    ],
)
@BOTH
@pytest_twisted.ensureDeferred
async def test_it_comes_after_the_proxys_own_data_and_wins(
    gateway: RunningGateway, target: Target, towards: Any, headers: dict[str, str], body: bytes | None, arrives: str
) -> None:
    proxy = await gateway.proxy(target.url, towards=towards, proxyAdditionalData={"api_key": "proxy", "b": "ours"})
    answer = await gateway.call(proxy, "POST", "/", headers, body)
    assert (answer.status, answer.json["body"]) == (200, arrives)
