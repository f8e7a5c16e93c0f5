"""A body of every wrong kind on every write route, made from the document: refused, each field named, nothing kept.

Belongs here: wrong values by schema, and several at once. Does not: bodies that are no JSON object
(test_every_route.py), hostile patterns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import pytest_twisted

from rrgate.core.routes import Route
from rrgate.core.table import ROUTES
from tests.core.doubles import Core
from tests.core.every_id import made, path
from tests.core.openapi_parts import complaints, operation_of, resolved

WRITING = [route for route in ROUTES if route.takes_body]

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    " ",
    "\u0000",
    "x" * 5000,
    "2026-13-01T00:00:00Z",
    [],
    [None],
    [[]],
    ["\u0000"],
    {},
    {"noSuchField": 1},
    {"noSuchField": {"deeper": [1]}},
)
"""For each field, those of these that its schema refuses are sent."""


def routes() -> Any:
    return pytest.mark.parametrize(
        "route", [pytest.param(route, id=f"{route.method} {route.template}") for route in WRITING]
    )


def fields_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of a body by their path; those inside objects too."""
    schema = resolved(schema)
    if "anyOf" in schema:
        schema = resolved(schema["anyOf"][0])
    for name, field in schema.get("properties", {}).items():
        if set(field) <= {"description"} or field.get("readOnly"):
            continue
        yield name, field
        if "properties" in resolved(field):
            yield from ((f"{name}.{inner}", found) for inner, found in fields_of(field))


def with_field(document: Mapping[str, Any], where: str, value: Any) -> dict[str, Any]:
    first, _, rest = where.partition(".")
    if not rest:
        return {**document, first: value}
    inner = document.get(first)
    return {**document, first: with_field(inner if isinstance(inner, dict) else {}, rest, value)}


def wrong_values(schema: Mapping[str, Any]) -> list[Any]:
    return [value for value in VALUES if complaints(schema, value)]


@routes()
@pytest_twisted.ensureDeferred
async def test_each_field_with_each_wrong_value(core: Core, route: Route) -> None:
    ids = await made(core)
    where = path(route, ids)
    body = operation_of(route).body
    assert body is not None
    before, entries = dict(core.store.kept), list(core.store.entries)
    asked = 0
    for name, schema in fields_of(body["schema"]):
        for value in wrong_values(schema):
            told = await core.ask(route.method, where, with_field(body["example"], name, value))
            assert told.status == 400, (name, value, told.raw)
            assert names(told.problems, name), (name, value, told.problems)
            asked += 1
    assert asked
    assert core.store.kept == before
    assert list(core.store.entries) == entries


@routes()
@pytest_twisted.ensureDeferred
async def test_all_of_them_at_once(core: Core, route: Route) -> None:
    ids = await made(core)
    body = operation_of(route).body
    assert body is not None
    before = dict(core.store.kept)
    fields = [(name, schema) for name, schema in fields_of(body["schema"]) if "." not in name]
    wrong = {name: wrong_values(schema)[0] for name, schema in fields if name not in OTHER_SPELLINGS}
    told = await core.ask(route.method, path(route, ids), {**wrong, "noSuchField": 1})
    assert told.status == 400
    assert [name for name in (*wrong, "noSuchField") if not names(told.problems, name)] == []
    assert core.store.kept == before


@pytest.mark.parametrize(
    ("template", "document", "told"),
    [
        (
            "PUT /clients/{clientId}/proxies/{proxyId}",
            {
                "proxyAllowedNetworks": ["10.0.0.0/8", "10.0.0.1/8", "fe80::1%eth0"],
                "proxyPassHeaders": ["a b", "X-Right", "Connection"],
                "proxyCallbackHosts": ["http://a.test", "right.test", "*.test"],
            },
            {
                "proxyAllowedNetworks.1",
                "proxyAllowedNetworks.2",
                "proxyPassHeaders.0",
                "proxyPassHeaders.2",
                "proxyCallbackHosts.0",
                "proxyCallbackHosts.2",
            },
        ),
        (
            "PUT /clients/{clientId}/proxies/{proxyId}",
            {"proxyRetryPolicy": {"base": 0, "factor": 11, "maxRetries": 11, "window": 1, "statuses": [503, 200, 600]}},
            {
                "proxyRetryPolicy.base",
                "proxyRetryPolicy.factor",
                "proxyRetryPolicy.maxRetries",
                "proxyRetryPolicy.window",
                "proxyRetryPolicy.statuses.1",
                "proxyRetryPolicy.statuses.2",
            },
        ),
        (
            "PUT /clients/{clientId}/credentials/{credentialId}",
            {"credentialAllowedHosts": ["a b", "right.test", "*.com"]},
            {"credentialAllowedHosts.0", "credentialAllowedHosts.2"},
        ),
        (
            "PUT /clients/{clientId}/proxies/{proxyId}/filters/{filterId}",
            {"jsonPaths": ["a", "$.right", "b"]},
            {"jsonPaths.0", "jsonPaths.2"},
        ),
        (
            "PUT /clients/{clientId}/configuration",
            {"configuration": {"allowedRegions": ["A", "right", "B"], "allowedNetworks": ["x", "10.0.0.0/8", "y"]}},
            {
                "configuration.allowedRegions.0",
                "configuration.allowedRegions.2",
                "configuration.allowedNetworks.0",
                "configuration.allowedNetworks.2",
            },
        ),
    ],
    ids=["lists of a proxy", "a retry policy", "hosts", "JSONPaths", "a configuration"],
)
@pytest_twisted.ensureDeferred
async def test_every_wrong_part_of_a_value_is_told_by_its_place(
    core: Core, template: str, document: dict[str, Any], told: set[str]
) -> None:
    route = next(each for each in WRITING if f"{each.method} {each.template}" == template)
    answer = await core.ask(route.method, path(route, await made(core)), document)
    assert (answer.status, set(answer.problems)) == (400, told)


@routes()
@pytest_twisted.ensureDeferred
async def test_what_is_required_is_missed_all_at_once(core: Core, route: Route) -> None:
    ids = await made(core)
    body = operation_of(route).body
    assert body is not None
    schema = resolved(body["schema"])
    told = await core.ask(route.method, path(route, ids), {"noSuchField": 1})
    assert told.status == 400
    required = set(schema.get("required", ()))
    assert {name for name, problem in told.problems.items() if problem == "is required"} == required
    assert names(told.problems, "noSuchField")


@pytest.mark.parametrize("route", [each for each in ROUTES if each.bodiless], ids=lambda each: each.template)
@pytest_twisted.ensureDeferred
async def test_a_body_where_there_is_none(core: Core, route: Route) -> None:
    ids = {"revision": "1"} | await made(core)
    before, entries = dict(core.store.kept), list(core.store.entries)
    told = await core.ask(route.method, path(route, ids), {"noSuchField": 1})
    assert (told.status, list(told.problems)) == (400, ["noSuchField"])
    assert core.store.kept == before
    assert list(core.store.entries) == entries


OTHER_SPELLINGS = {"pathPattern", "pathPresence", "headerChecks", "queryChecks"}
"""Not beside the first."""


def names(problems: Mapping[str, str], field: str) -> bool:
    """Whether a problem is said of `field`, or of what is in it."""
    first, _, _ = field.partition(".")
    spelled = {"pathPattern": "path", "pathPresence": "path", "headerChecks": "headers", "queryChecks": "query"}
    wanted = {field, spelled.get(field, field)}
    return any(
        problem.removeprefix("configuration.") in wanted or problem.startswith(tuple(f"{one}." for one in wanted))
        for problem in problems
    ) or (field != first and first in problems)
