"""Meters over HTTP: their parts, what goes together, counts that run, and what they go with.

Belongs here: …/meters. Does not: what all routes share (test_every_route.py), counting (tests/plugins/test_meters.py).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.model.meter import MOST_METERS
from rrgate.registry import load_registry
from tests.core.doubles import Core

COUNTING: dict[str, Any] = {"meterName": "all", "meterType": "request_count"}
BODY = {"location": "body", "path": "$.usage.total"}
HEADER = {"location": "header", "name": "X-Cost"}
MEASURING: dict[str, Any] = {"meterName": "used", "meterType": "response_value", "extraction": BODY}
NOTHING_YET = {"minute": 0, "hour": 0, "day": 0, "month": 0}


async def place(core: Core) -> str:
    """Where the meters of a new proxy are."""
    proxy = await core.make("proxies", await core.make_parts())
    return f"/clients/acme/proxies/{proxy['sKey']}/meters"


async def made(core: Core, where: str, document: dict[str, Any]) -> Any:
    told = await core.ask("POST", where, document)
    assert told.status == 200, told.raw
    (meter,) = told.document["meters"]
    return meter


@pytest_twisted.ensureDeferred
async def test_whole_limits_are_answered_without_a_point(core: Core) -> None:
    """A program whose limits are whole numbers does not take 100.0 for one."""
    where = await place(core)
    told = await core.ask("POST", where, {**COUNTING, "limits": {"minute": 100, "day": 2.0}})
    assert b'"limits":{"minute":100,"hour":null,"day":2,"month":null}' in told.raw
    told = await core.ask("GET", where)
    assert b'"limits":{"minute":100,"hour":null,"day":2,"month":null}' in told.raw


@pytest_twisted.ensureDeferred
async def test_create_read_change_delete(core: Core) -> None:
    where = await place(core)
    proxy = where.split("/")[4]
    meter = await made(core, where, {**COUNTING, "limits": {"minute": 100, "month": 5000}})
    assert meter == {
        "pKey": proxy,
        "sKey": meter["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": proxy,
        "meterName": "all",
        "meterType": "request_count",
        "meterMode": "all",
        "predicates": None,
        "meterActive": True,
        "extraction": None,
        "limits": {"minute": 100, "hour": None, "day": None, "month": 5000},
        "meterCreatedAt": meter["meterCreatedAt"],
        "meterUpdatedAt": meter["meterCreatedAt"],
        "meterCounts": NOTHING_YET,
    }
    one = f"{where}/{meter['sKey']}"
    assert (await core.ask("GET", one)).document["meters"] == [meter]
    assert (await core.ask("GET", where)).document["meters"] == [meter]
    told = await core.ask("PUT", one, {"meterActive": False, "limits": {"day": 7}})
    (changed,) = told.document["meters"]
    assert (changed["meterActive"], changed["limits"]) == (
        False,
        {"minute": None, "hour": None, "day": 7, "month": None},
    )
    assert (await core.ask("DELETE", one)).document == {"message": "Meter deleted successfully"}
    assert (await core.ask("GET", one)).status == 404


@pytest_twisted.ensureDeferred
async def test_counts_run_and_what_was_read_may_be_written_back(core: Core) -> None:
    where = await place(core)
    meter = await made(core, where, MEASURING)
    core.counters.counter("meter", meter["sKey"]).add(2.5)
    (shown,) = (await core.ask("GET", f"{where}/{meter['sKey']}")).document["meters"]
    assert shown["meterCounts"] == {"minute": 2.5, "hour": 2.5, "day": 2.5, "month": 2.5}
    core.counters.counter("meter", meter["sKey"]).add(0.5)
    told = await core.ask("PUT", f"{where}/{meter['sKey']}", {**shown, "meterName": "other"})
    assert told.document["meters"][0]["meterCounts"]["day"] == 3
    core.seconds += 60
    (shown,) = (await core.ask("GET", f"{where}/{meter['sKey']}")).document["meters"]
    assert shown["meterCounts"]["minute"] == 0


@pytest_twisted.ensureDeferred
async def test_predicates_have_the_spellings_of_rules(core: Core) -> None:
    where = await place(core)
    predicates = {"pathPattern": "^/orders", "methods": ["post"], "headerChecks": [{"name": "x-a"}]}
    meter = await made(core, where, {**COUNTING, "meterMode": "conditional", "predicates": predicates})
    spelled = meter["predicates"]
    assert spelled["path"] == {"path": {"pattern": "^/orders"}, "presence": "must_exist"}
    assert spelled["headers"] == [{"name": {"pattern": "x-a"}, "presence": "must_exist"}]
    told = await core.ask("PUT", f"{where}/{meter['sKey']}", {"predicates": spelled})
    assert told.document["meters"][0]["predicates"] == spelled


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, ["meterName", "meterType"]),
        ({**COUNTING, "meterType": "bytes"}, ["meterType"]),
        ({**COUNTING, "meterMode": "some"}, ["meterMode"]),
        ({**COUNTING, "meterName": ""}, ["meterName"]),
        ({**COUNTING, "colour": 1}, ["colour"]),
        ({**COUNTING, "sKey": "x"}, ["sKey"]),
        ({**COUNTING, "limits": {"week": 1}}, ["limits.week"]),
        ({**COUNTING, "limits": {"minute": 0, "day": -1}}, ["limits.day", "limits.minute"]),
        ({**COUNTING, "limits": {"minute": 1.5}}, ["limits.minute"]),
        ({**COUNTING, "limits": {"minute": "1"}}, ["limits.minute"]),
        ({**COUNTING, "limits": {"minute": 1e300}}, ["limits.minute"]),
        ({**COUNTING, "limits": None}, ["limits"]),
        ({**COUNTING, "extraction": BODY}, ["extraction"]),
        ({**COUNTING, "predicates": {"methods": ["GET"]}}, ["predicates"]),
        ({**COUNTING, "meterMode": "conditional"}, ["predicates"]),
        ({**COUNTING, "meterMode": "conditional", "predicates": {}}, ["predicates"]),
        ({**COUNTING, "meterMode": "conditional", "predicates": []}, ["predicates"]),
        ({**COUNTING, "meterMode": "conditional", "predicates": {"methods": []}}, ["predicates.methods"]),
        ({**COUNTING, "meterMode": "conditional", "predicates": {"methods": ["CONNECT"]}}, ["predicates.methods"]),
        (
            {**COUNTING, "meterMode": "conditional", "predicates": {"path": "a", "regexFlags": "x"}},
            ["predicates.regexFlags"],
        ),
        ({**COUNTING, "meterMode": "conditional", "predicates": {"path": "ü€"}}, ["predicates.path.path.pattern"]),
        (
            {**COUNTING, "meterMode": "conditional", "predicates": {"path": "a", "pathPattern": "b"}},
            ["predicates.pathPattern"],
        ),
        (
            {**COUNTING, "meterMode": "conditional", "predicates": {"headers": [{"name": "a"}] * 21}},
            ["predicates.headers"],
        ),
        ({**MEASURING, "extraction": None}, ["extraction"]),
        ({**MEASURING, "extraction": {}}, ["extraction.location"]),
        ({**MEASURING, "extraction": {"location": "trailer"}}, ["extraction.location"]),
        ({**MEASURING, "extraction": {"location": "body"}}, ["extraction.path"]),
        ({**MEASURING, "extraction": {"location": "header"}}, ["extraction.name"]),
        ({**MEASURING, "extraction": {**BODY, "name": "X-A"}}, ["extraction.name"]),
        ({**MEASURING, "extraction": {**HEADER, "path": "$.a"}}, ["extraction.path"]),
        ({**MEASURING, "extraction": {**HEADER, "name": "X A"}}, ["extraction.name"]),
        ({**MEASURING, "extraction": {**HEADER, "name": "X-Bad"}}, ["extraction.name"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_right_is_refused_by_its_field(core: Core, document: Any, fields: list[str]) -> None:
    where = await place(core)
    before = dict(core.store.kept)
    told = await core.ask("POST", where, document)
    assert told.status == 400
    assert sorted(told.problems) == fields
    assert core.store.kept == before


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({**MEASURING, "extraction": {**BODY, "path": "usage"}}, ["extraction.path"]),
        ({**MEASURING, "extraction": {**BODY, "path": "$..usage"}}, ["extraction.path"]),
        (
            {**COUNTING, "meterMode": "conditional", "predicates": {"path": "(?=a)", "query": [{"name": "("}]}},
            ["predicates.path.path.pattern", "predicates.query.0.name.pattern"],
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_built_in_plugin_says_what_it_cannot_carry_out(
    core: Core, document: Any, fields: list[str]
) -> None:
    where = await place(core)
    core.house = evolve(core.house, registry=load_registry())
    await core.stop()
    await core.start()
    told = await core.ask("POST", where, document)
    assert told.status == 400
    assert sorted(told.problems) == fields


@pytest_twisted.ensureDeferred
async def test_a_proxy_has_so_many_and_no_more(core: Core) -> None:
    where = await place(core)
    for _ in range(MOST_METERS):
        await made(core, where, COUNTING)
    assert (await core.ask("POST", where, COUNTING)).status == 409


@pytest_twisted.ensureDeferred
async def test_meters_go_with_their_proxy(core: Core) -> None:
    where = await place(core)
    await made(core, where, COUNTING)
    assert (await core.ask("DELETE", where.removesuffix("/meters"))).status == 200
    assert core.directory.meters == {}
    where = await place(core)
    await made(core, where, COUNTING)
    core.directory.drop(core.directory.proxies[where.split("/")[4]])
    assert core.directory.meters == {}


@pytest_twisted.ensureDeferred
async def test_a_meter_of_another_proxy_is_not_here(core: Core) -> None:
    where, elsewhere = await place(core), await place(core)
    meter = await made(core, where, COUNTING)
    for method, document in (("GET", None), ("PUT", {}), ("DELETE", None)):
        assert (await core.ask(method, f"{elsewhere}/{meter['sKey']}", document)).status == 404
