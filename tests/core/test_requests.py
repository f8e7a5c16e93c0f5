"""The request log over HTTP.

Belongs here: /clients/{clientId}/proxies/{proxyId}/requests. Does not: what is in a record (the journal's tests).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted

from rrgate.core.answers import written
from rrgate.model.rule import METHODS
from tests.core.doubles import Core


async def at(core: Core) -> str:
    proxy = await core.make("proxies", await core.make_parts())
    core.log.records = [
        {"pKey": proxy["sKey"], "sKey": f"r{number}", "processedAt": number, "requestBody": "b", "tokenClaims": {}}
        for number in (3, 2, 1)
    ]
    return f"/clients/acme/proxies/{proxy['sKey']}/requests"


@pytest_twisted.ensureDeferred
async def test_list(core: Core) -> None:
    where = await at(core)
    told = await core.ask("GET", where)
    assert told.document == {
        "message": "Success",
        "totalRequests": 3,
        "limitReached": False,
        "requests": core.log.records,
    }
    assert core.log.asked == {
        "after": None,
        "before": None,
        "limit": 1000,
        "cursor": None,
        "status": None,
        "method": None,
        "ended": None,
        "to_write": True,
    }
    assert told.raw == json.dumps(told.document, separators=(",", ":")).encode()
    told = await core.ask("GET", f"{where}?limit=2&cursor=more&status=429&method=get")
    assert (told.document["totalRequests"], told.document["limitReached"]) == (2, True)
    assert told.document["nextCursor"] == "more"
    assert (core.log.asked["cursor"], core.log.asked["status"], core.log.asked["method"]) == ("more", 429, "GET")


@pytest_twisted.ensureDeferred
async def test_by_state(core: Core) -> None:
    where = await at(core)
    for state, ended in (("succeeded", "well"), ("failed", "badly"), ("pending", "not yet")):
        assert (await core.ask("GET", f"{where}?state={state}")).status == 200
        assert core.log.asked["ended"] == ended


@pytest.mark.parametrize(("limit", "asked"), [(1000, 1000), (1001, 1000), (999_999_999, 1000), (1, 1)])
@pytest_twisted.ensureDeferred
async def test_who_asks_for_more_than_fit_gets_what_fits(core: Core, limit: int, asked: int) -> None:
    """The published page tells of no greatest `limit`, but of `limitReached`."""
    assert (await core.ask("GET", f"{await at(core)}?limit={limit}")).status == 200
    assert core.log.asked["limit"] == asked


@pytest_twisted.ensureDeferred
async def test_by_every_method_that_is_forwarded(core: Core) -> None:
    where = await at(core)
    for method in METHODS:
        assert (await core.ask("GET", f"{where}?method={method}")).status == 200
        assert core.log.asked["method"] == method


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        ("2024-01-01T00:00:00Z", 1704067200000, 1704067200000),
        ("2024-01-01T00:00:00", 1704067200000, 1704067200000),
        ("2024-01-01", 1704067200000, 1704067200000),
        ("2024-01-01T02:00:00+02:00", 1704067200000, 1704067200000),
        ("2024-01-01T02:00:00%2B02:00", 1704067200000, 1704067200000),
        ("2023-12-31T19:00:00-0500", 1704067200000, 1704067200000),
        ("2024-01-01T00:00:00.000000001Z", 1704067200000, 1704067200001),
        ("2024-01-01T00:00:00.123456", 1704067200123, 1704067200124),
        ("2024-01-01T00:00:00.Z", 1704067200000, 1704067200000),
    ],
)
@pytest_twisted.ensureDeferred
async def test_times(core: Core, text: str, after: int, before: int) -> None:
    where = await at(core)
    assert (await core.ask("GET", f"{where}?processedAfter={text}&processedBefore={text}")).status == 200
    # Both bounds are exclusive, and kept times are whole milliseconds.
    assert (core.log.asked["after"], core.log.asked["before"]) == (after, before)


@pytest.mark.parametrize(
    "query",
    [
        "processedAfter=yesterday",
        "processedAfter=",
        "processedBefore=1704067200",
        "processedBefore=2024-01-01T00:00:00.0000000001Z",
        "processedBefore=2024-13-01",
        "processedBefore=2024-01-01T25:00:00Z",
        "processedBefore=2024-01-01T00:00:00+25:00",
        "processedBefore=0001-01-01T00:00:00%2B01:00",
        "processedBefore=%D9%A2024-01-01",
        "limit=0",
        "limit=1000000000",
        "cursor=bad",
        "status=99",
        "status=abc",
        "method=",
        "method=G%20T",
        "method=-",
        "state=queued",
        "state=",
    ],
)
@pytest_twisted.ensureDeferred
async def test_bad_queries(core: Core, query: str) -> None:
    told = await core.ask("GET", f"{await at(core)}?{query}")
    assert told.status == 400
    assert list(told.problems) == [query.partition("=")[0]]


@pytest_twisted.ensureDeferred
async def test_one(core: Core) -> None:
    where = await at(core)
    told = await core.ask("GET", f"{where}/r2")
    assert told.document == {"requests": [core.log.records[1]], "message": "Success"}
    assert (await core.ask("GET", f"{where}/r9")).status == 404


@pytest_twisted.ensureDeferred
async def test_bodies_and_claims_are_for_admins(core: Core) -> None:
    where = await at(core)

    def names(document: Any) -> list[str]:
        return list(document["requests"][0])

    for token, extra in (("u-uma", []), ("u-adam", ["requestBody", "tokenClaims"])):
        expected = ["pKey", "sKey", "processedAt", *extra]
        assert names((await core.ask("GET", where, token=token)).document) == expected
        # Of a text that is there already nothing could be left out.
        assert core.log.asked["to_write"] == bool(extra)
        assert names((await core.ask("GET", f"{where}/r1", token=token)).document) == expected


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest_twisted.ensureDeferred
async def test_read_only(core: Core, method: str) -> None:
    told = await core.ask(method, f"{await at(core)}/r1")
    assert told.status == 405
    assert told.headers["allow"] == "GET, HEAD"


def test_what_json_has_no_form_for_does_not_show_another_object_in_its_place() -> None:
    objects = iter([{"id": 1, "odd": {1}}, {"id": 2}, {"id": 3}])
    with pytest.raises(TypeError):
        written({}, "requests", 2, objects)
