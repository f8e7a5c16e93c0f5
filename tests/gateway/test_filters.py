"""Filters through a whole gateway: set over its Core API, in force with the answer, and in the request log.

Belongs here: the two planes together, and the gateway's own threads. Does not: what filters leave (tests/filters/).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from rrgate.cli.init import create_state
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Connection, Target

SECRET = "a-value-that-nobody-may-see-3c81"
DOCUMENT = {"user": {"name": "ann", "password": SECRET}, "items": [{"id": n, "password": SECRET} for n in range(3)]}
LEFT = {"user": {"name": "ann"}, "items": [{"id": n} for n in range(3)]}


def answering(body: bytes, *fields: str) -> Any:
    """A target that says this, whatever it is asked."""

    def run(connection: Connection) -> None:
        while connection.request() is not None:
            connection.answer(body, "200 OK", "Content-Type: application/json", *fields)

    return run


def places(proxy: MadeProxy) -> dict[str, str]:
    """Where the filters of each scope are."""
    base = f"/clients/{proxy.client}"
    return {
        "proxy credential": f"{base}/credentials/{proxy.caller_credential}/filters",
        "target credential": f"{base}/credentials/{proxy.target_credential}/filters",
        "proxy": f"{base}/proxies/{proxy.id}/filters",
        "target": f"{base}/targets/{proxy.target}/filters",
    }


@pytest.mark.parametrize("scope", ["proxy credential", "target credential", "proxy", "target"])
@pytest_twisted.ensureDeferred
async def test_each_change_is_in_force_with_its_answer(gateway: RunningGateway, scope: str) -> None:
    with Target(answering(json.dumps(DOCUMENT).encode())) as target:
        proxy = await gateway.proxy(target.url)
        place = places(proxy)[scope]

        async def left() -> Any:
            answer = await gateway.call(proxy, path="/users")
            assert answer.status == 200
            return answer.json

        assert await left() == DOCUMENT
        told = await gateway.ask("POST", place, {"effect": "destroy", "jsonPaths": ["$..password"]})
        one = f"{place}/{told.json['filters'][0]['sKey']}"
        assert await left() == LEFT
        for change, expected in (
            ({"path": "^/others"}, DOCUMENT),
            ({"path": None}, LEFT),
            ({"active": False}, DOCUMENT),
            ({"active": True, "effect": "retain"}, {"user": {"password": SECRET}, "items": [{"password": SECRET}] * 3}),
            ({"jsonPaths": ["$.user.name"]}, {"user": {"name": "ann"}}),
        ):
            assert (await gateway.ask("PUT", one, change)).status == 200
            assert await left() == expected, change
        assert (await gateway.ask("DELETE", one)).status == 200
        assert await left() == DOCUMENT


@pytest_twisted.ensureDeferred
async def test_large_and_compressed_answers(gateway: RunningGateway) -> None:
    large = json.dumps({**DOCUMENT, "more": ["x" * 100] * 5000}).encode()
    for body, fields in ((large, ()), (gzip.compress(large), ("Content-Encoding: gzip",))):
        with Target(answering(body, *fields)) as target:
            proxy = await gateway.proxy(target.url)
            filters = {"effect": "destroy", "jsonPaths": ["$..password", "$.more[1:]"]}
            assert (await gateway.ask("POST", places(proxy)["target"], filters)).status == 200
            for _ in range(3):
                answer = await gateway.call(proxy)
                assert (answer.status, answer.json) == (200, {**LEFT, "more": ["x" * 100]})


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_filtered_is_in_the_log_as_that_and_nowhere_else(
    gateway: RunningGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    with Target(answering(json.dumps(SECRET).encode() + b"{")) as target:
        proxy = await gateway.proxy(target.url)
        filters = {"effect": "destroy", "jsonPaths": ["$..password"]}
        assert (await gateway.ask("POST", places(proxy)["proxy"], filters)).status == 200
        answer = await gateway.call(proxy)
    assert (answer.status, answer["requestrocket-proxy-code"]) == (422, "response-not-filterable")
    assert SECRET.encode() not in answer.body
    record = await gateway.record(proxy, answer["requestrocket-request-id"])
    assert (record["proxyData"]["status"], record["targetData"]["status"]) == (422, 200)
    assert SECRET not in json.dumps(record)
    told = capfd.readouterr()
    assert SECRET not in told.out + told.err


@pytest_twisted.ensureDeferred
async def test_filters_are_there_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = create_state(data)
    with Target(answering(json.dumps(DOCUMENT).encode())) as target:
        gateway = RunningGateway(RunningGateway.open(data), first)
        proxy = await gateway.proxy(target.url)
        filters = {"effect": "destroy", "jsonPaths": ["$..password"], "token": [{"claim": "^x$", "presence": "absent"}]}
        assert (await gateway.ask("POST", places(proxy)["target"], filters)).status == 200
        before = (await gateway.ask("GET", places(proxy)["target"])).json
        await gateway.stop()
        gateway = RunningGateway(RunningGateway.open(data), first)
        assert (await gateway.ask("GET", places(proxy)["target"])).json == before
        assert (await gateway.call(proxy)).json == LEFT
        await gateway.stop()


@pytest_twisted.ensureDeferred
async def test_a_request_with_filters_can_be_explained(gateway: RunningGateway) -> None:
    with Target(answering(b"{}")) as target:
        proxy = await gateway.proxy(target.url)
        checked = {"methods": ["POST"], "body": [{"jsonPath": "^a$"}]}
        filters = {"effect": "destroy", "jsonPaths": ["$..password"], **checked}
        made = (await gateway.ask("POST", places(proxy)["proxy"], filters)).json["filters"][0]["sKey"]
        where = f"/clients/{proxy.client}/proxies/{proxy.id}/explain"
        for body, asked_for in (('{"a": 1}', ["gzip"]), ('{"b": 1}', [])):
            request = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body}
            told = (await gateway.ask("POST", where, request)).json["explain"]
            assert (told["outcome"], told["complete"]) == ("sent", True)
            (step,) = (each for each in told["steps"] if each["notes"])
            assert (step["plugin"], step["phase"]) == ("answer-filters", "authorize")
            assert step["notes"] == [
                {"filterId": made, "scope": "proxy", "effect": "destroy", "applies": bool(asked_for)}
            ]
            sent = [each["value"] for each in told["request"]["headers"] if each["name"] == "Accept-Encoding"]
            assert sent == asked_for
