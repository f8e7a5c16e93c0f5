"""What holds on every route of the table: tokens, roles, other people's clients, bodies and queries.

Belongs here: table-driven expectations over `ROUTES`. Does not: what one noun does (a file each).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from rrgate.core import bodies
from rrgate.core.access import Or, Role, Who
from rrgate.core.routes import Route
from rrgate.core.table import ROUTES
from tests.core.doubles import Core
from tests.core.every_id import made, path

JSON = {"Content-Type": "application/json"}

GUARDED = [route for route in ROUTES if route.needs is not Who.ANYBODY]
WITH_BODY = [route for route in ROUTES if route.takes_body]
IN_CLIENT = [route for route in ROUTES if isinstance(route.needs, Role | Or)]


def named(routes: list[Route]) -> Any:
    return pytest.mark.parametrize(
        "route", [pytest.param(route, id=f"{route.method} {route.template}") for route in routes]
    )


def body(route: Route) -> dict[str, Any] | None:
    return {} if route.takes_body else None


@named(GUARDED)
@pytest_twisted.ensureDeferred
async def test_without_a_valid_token(core: Core, route: Route) -> None:
    ids = await made(core)
    core.add_user("late", expires_at=int(core.seconds * 1000))
    before = dict(core.store.kept)
    answers = [
        await core.ask(route.method, path(route, ids), body(route), token=token)
        for token in (None, "", "u-nobody", "Bearer u-nobody", "Basic u-alice", "x" * 600, "u-late", "ü")
    ]
    assert {told.status for told in answers} == {401}
    assert len({told.raw for told in answers}) == 1
    assert answers[0].document["error"] == "Unauthorized"
    assert answers[0].headers["www-authenticate"].startswith("Bearer")
    assert core.store.kept == before


@named(IN_CLIENT)
@pytest_twisted.ensureDeferred
async def test_the_least_role_is_asked_for(core: Core, route: Route) -> None:
    least = route.needs.role if isinstance(route.needs, Or) else route.needs
    assert isinstance(least, Role)
    ids = await made(core, member="alice")
    for token, role in (("u-uma", Role.USER), ("u-adam", Role.ADMIN), ("u-alice", Role.OWNER)):
        told = await core.ask(route.method, path(route, ids), body(route), token=token)
        if role < least:
            assert told.status == 403
            assert told.problems == {}
        else:
            assert told.status in (200, 400, 409)
            return


@named(list(ROUTES))
@pytest_twisted.ensureDeferred
async def test_the_same_under_api_and_with_bearer(core: Core, route: Route) -> None:
    ids = await made(core)
    told = await core.ask(route.method, f"/api{path(route, ids)}", body(route), token="bearer u-alice")
    assert told.status == 404 if route.bare else told.status in (200, 400, 409)


@named([route for route in ROUTES if not route.any_query])
@pytest_twisted.ensureDeferred
async def test_unknown_and_doubled_query_parameters(core: Core, route: Route) -> None:
    ids = await made(core)
    told = await core.ask(route.method, f"{path(route, ids)}?limitt=5", body(route))
    assert told.status == 400
    assert list(told.problems) == ["limitt"]
    for parameter in route.parameters:
        told = await core.ask(route.method, f"{path(route, ids)}?{parameter}=true&{parameter}=true", body(route))
        assert told.problems == {parameter: "must be given once"}
    for raw in ("limit", "%FF=1", "a=%FF"):
        assert (await core.ask(route.method, f"{path(route, ids)}?{raw}", body(route))).status == 400


@named(WITH_BODY)
@pytest_twisted.ensureDeferred
async def test_bodies_that_are_no_json_object(core: Core, route: Route) -> None:
    ids = await made(core)
    where = path(route, ids)
    before = dict(core.store.kept)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""):
        told = await core.ask(route.method, where, body=b"{}", headers={"Content-Type": content_type})
        assert told.status == 415
    assert (await core.ask(route.method, where)).status == 415
    told = await core.ask(
        route.method, where, body=b"{}", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )
    assert told.status == 415
    for raw in (
        b"",
        b"{",
        b"[]",
        b'"s3cr3t"',
        b"null",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"a": ' + b"[" * 9_000,
        b'{"a": ' + b"[" * 60_000,
        b'{"nothingKnowsThis": 1}',
    ):
        told = await core.ask(route.method, where, body=raw, headers={"Content-Type": "application/json"})
        assert told.status == 400, raw[:50]
        assert told.problems
        assert b"s3cr3t" not in told.raw
    told = await core.ask(
        route.method, where, body=b'{"x": 1}', headers={"Content-Type": "Application/Problem+JSON;charset=UTF-8"}
    )
    assert told.status == 400
    assert core.store.kept == before


@pytest.mark.parametrize(
    ("values", "said"), [(10_000, "must be a string"), (10_001, "must not hold more than 10000 values")]
)
@pytest_twisted.ensureDeferred
async def test_a_body_with_very_many_values_is_not_looked_at(core: Core, values: int, said: str) -> None:
    told = await core.ask("POST", "/clients", {"clientName": [{}, [1] * (values - 3)]})
    assert (told.status, list(told.problems.values())) == (400, [said])


@pytest.mark.parametrize(
    "text",
    [
        b'{"clientName": [' + b"[]," * 10_000 + b"[]]}",
        b'{"clientName": [' + b"0," * 10_001 + b"0]}",
        b'{"clientName": [' + b",".join([b"[" * 60 + b"]" * 60] * 200) + b"]}",
        b'{"clientName": [' + b'"[",' * 10_001 + b'"["]}',
    ],
    ids=["arrays", "numbers", "arrays in arrays", "texts"],
)
@pytest_twisted.ensureDeferred
async def test_nor_is_it_read(core: Core, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(bodies, "read_json", lambda *given, **wanted: pytest.fail("it was read"))
    told = await core.ask("POST", "/clients", body=text, headers=JSON)
    assert (told.status, list(told.problems.values())) == (400, ["must not hold more than 10000 values"])


@pytest.mark.parametrize("text", ["[", ",", '\\"', "{"])
@pytest_twisted.ensureDeferred
async def test_what_is_in_texts_is_no_value(core: Core, text: str) -> None:
    told = await core.ask("POST", "/clients", body=b'{"clientName": "%s"}' % (text * 20_000).encode(), headers=JSON)
    assert told.problems == {"clientName": "must have 1 to 200 characters, not all of them blank"}


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "DELETE"])
@pytest_twisted.ensureDeferred
async def test_other_methods(core: Core, method: str) -> None:
    told = await core.ask(method, "/clients")
    assert told.status == 405
    assert told.headers["allow"] == "GET, HEAD, POST"
    assert told.document["error"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "where",
    ["/", "/client", "/clients/", "/clients/acme/", "//clients", "/api/api/clients", "/clients/a/x/y/z", "/%63lients"],
)
@pytest_twisted.ensureDeferred
async def test_other_paths(core: Core, where: str) -> None:
    for token in (None, "u-alice"):
        told = await core.ask("GET", where, token=token)
        assert told.status == 404
        assert told.document["error"] == "Not Found"


@pytest_twisted.ensureDeferred
async def test_lists_are_paged(core: Core) -> None:
    made = []
    for number in range(5):
        core.seconds += number % 2  # some are of the same millisecond
        made.append(
            await core.make(
                "targets", {"targetName": str(number), "targetRegion": "r", "targetBaseURL": "http://x.test"}
            )
        )
    made.sort(key=lambda target: (target["targetCreatedAt"], target["sKey"]))
    found: list[Any] = []
    cursor = ""
    for expected in (2, 2, 1):
        told = await core.ask("GET", f"/clients/acme/targets?limit=2{cursor}")
        assert len(told.document["targets"]) == expected
        found += told.document["targets"]
        assert ("nextCursor" in told.document) == (expected == 2)
        cursor = f"&cursor={told.document.get('nextCursor')}"
    assert found == made
    for bad in ("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "cursor=x", "cursor=%00", "cursor=eA"):
        told = await core.ask("GET", f"/clients/acme/targets?{bad}")
        assert told.status == 400
        assert list(told.problems) == [bad.partition("=")[0]]
