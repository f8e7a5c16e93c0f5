"""Bodies in the request log, where a client has that switched on: whole or cut, sealed, and for whom.

Belongs here: `logBodies`, over sockets. Does not: who may set it (core/), how bodies are shown (test_body_log.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Connection, Target

NAMES = {"requestBody", "requestBodyCut", "responseBody", "responseBodyCut"}
SECRET_TEXT = "what only admins of the client read"


def answers(connection: Connection) -> None:
    """Says what it was sent; `/long`: 200,000 bytes as they come; `/chunks`: of unknown length."""
    while (request := connection.request()) is not None:
        told = json.dumps({"body": request.body.decode("latin-1")[:100], "length": request.every("Content-Length")})
        if request.path == "/long":
            connection.answer(b"l" * 200_000)
        elif request.path == "/chunks":
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        elif request.method == "HEAD":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        else:
            connection.answer(told.encode(), "200 OK", "Content-Type: application/json")


@pytest.fixture(scope="module")
def target() -> Any:
    with Target(answers) as running:
        yield running


@pytest_twisted.async_yield_fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path / "state")
    yield running
    await running.stop()


async def switch(gateway: RunningGateway, on: bool) -> None:
    told = await gateway.ask("PUT", f"/clients/{gateway.client}/configuration", {"logBodies": on})
    assert told.status == 200, told.body


async def last(gateway: RunningGateway, proxy: MadeProxy) -> Any:
    record = (await gateway.records(proxy))[0]
    assert not NAMES & record.keys()  # in the single view alone
    return await gateway.record(proxy, record["sKey"])


@ensureDeferred
async def test_from_when_it_is_switched_on_until_it_is_switched_off(gateway: RunningGateway, target: Target) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.call(proxy, "POST", body=b'{"a": 1.10}')
    assert not NAMES & (await last(gateway, proxy)).keys()
    await switch(gateway, on=True)
    answer = await gateway.call(proxy, "POST", body=b'{"a": 1.10}', headers={"Content-Type": "application/json"})
    record = await last(gateway, proxy)
    assert {name: record[name] for name in NAMES} == {
        "requestBody": {"a": 1.10},
        "requestBodyCut": False,
        "responseBody": {"body": '{"a": 1.10}', "length": ["11"]},
        "responseBodyCut": False,
    }
    assert record["responseBody"] == answer.json
    await switch(gateway, on=False)
    await gateway.call(proxy, "POST", body=b"{}")
    assert not NAMES & (await last(gateway, proxy)).keys()


@ensureDeferred
async def test_what_is_kept_of_each_body(gateway: RunningGateway, target: Target) -> None:
    await switch(gateway, on=True)
    proxy = await gateway.proxy(target.url)
    long = b"q" * 70_000

    async def kept(method: str, path: str, body: Any = None) -> tuple[Any, bool, Any, bool]:
        answer = await gateway.call(proxy, method, path, body=body)
        assert answer.status == 200
        record = await last(gateway, proxy)
        return (
            record["requestBody"],
            record["requestBodyCut"],
            record["responseBody"],
            record["responseBodyCut"],
        )

    assert await kept("GET", "/chunks") == (None, False, "abcdefg", False)
    assert await kept("HEAD", "/") == (None, False, None, False)
    assert await kept("GET", "/long") == (None, False, "l" * 65536, True)
    request, cut, response, _ = await kept("POST", "/", long)
    assert (request, cut) == ("q" * 65536, True)
    assert response["length"] == ["70000"]  # to keep it changes no framing
    request, cut, _, _ = await kept("POST", "/", [long, long])
    assert (request, cut) == ("q" * 65536, True)
    request, _, _, _ = await kept("POST", "/", b"\xff\x00")
    assert request == {"base64": "/wA="}


@ensureDeferred
async def test_of_callers_who_may_not_nothing_is_kept(gateway: RunningGateway, target: Target) -> None:
    await switch(gateway, on=True)
    proxy = await gateway.proxy(target.url)
    assert (await gateway.call(proxy, "POST", body=b"{}", key="wrong")).status == 401
    record = await last(gateway, proxy)
    assert record["statusCode"] == 401
    assert not NAMES & record.keys()
    denied = await gateway.proxy(target.url, proxyDefaultRuleEffect="deny")
    answer = await gateway.call(denied, "POST", body=b"{}")
    assert answer.status == 403
    assert (await last(gateway, denied))["responseBody"] == answer.json


@ensureDeferred
async def test_nothing_of_a_body_is_on_the_disk_in_clear_and_it_outlives_a_restart(tmp_path: Path) -> None:
    first = RunningGateway.start(tmp_path / "state")
    with Target(answers) as target:
        await switch(first, on=True)
        proxy = await first.proxy(target.url)
        await first.call(proxy, "POST", body=SECRET_TEXT.encode())
        told = await last(first, proxy)
        assert told["requestBody"] == SECRET_TEXT
        await first.stop()
    for file in (tmp_path / "state").rglob("*"):
        assert file.is_dir() or SECRET_TEXT.encode() not in file.read_bytes(), file
    again = RunningGateway(RunningGateway.open(tmp_path / "state"), first.first)
    assert (await last(again, proxy))["requestBody"] == SECRET_TEXT
    await again.stop()
