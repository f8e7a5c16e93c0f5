"""/openapi.json has every route and field, and nothing else; its examples are right, and so are real answers by it.

Belongs here: comparing the document with the table, the nouns and what is answered. Does not: the page
(test_docs_page.py), asking everything that it allows (test_fuzzed.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from openapi_spec_validator import OpenAPIV31SpecValidator

from rrgate.core.access import described
from rrgate.core.openapi.nouns import PublishedNoun
from rrgate.core.openapi.parameters import PARAMETERS, names_in
from rrgate.core.routes import Route
from rrgate.core.table import NOUNS, ROUTES
from rrgate.model import Configuration
from rrgate.model.published import Writable, published_fields
from tests.core.doubles import Core
from tests.core.openapi_parts import DOCUMENT, JSON, SCHEMAS, complaints, operation_of, operations, resolved
from tests.core.test_every_route import made, path

OPERATIONS = list(operations())
COMMON = {"pKey", "sKey", "userId", "clientId", "parentId"}
IGNORED = {"userId", "clientId", "parentId"}
SPELLINGS = {"pathPattern", "pathPresence", "headerChecks", "queryChecks"}
WRITING = [route for route in ROUTES if route.takes_body]


def each(routes: list[Route]) -> Any:
    return pytest.mark.parametrize(
        "route", [pytest.param(route, id=f"{route.method} {route.template}") for route in routes]
    )


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


@pytest_twisted.ensureDeferred
async def test_anybody_can_read_it(core: Core) -> None:
    told = await core.ask("GET", "/openapi.json", token=None)
    assert (told.status, told.document) == (200, DOCUMENT)


def test_every_route_and_no_other() -> None:
    assert {(each.method, each.path) for each in OPERATIONS} == {(route.method, route.template) for route in ROUTES}
    assert len(OPERATIONS) == len(ROUTES)
    assert len({each.told["operationId"] for each in OPERATIONS}) == len(ROUTES)


@each(list(ROUTES))
def test_parameters_and_who_may(route: Route) -> None:
    told = operation_of(route).told
    found = [(parameter["in"], parameter["name"]) for parameter in told.get("parameters", ())]
    in_path = [("path", name) for name in names_in(route.template)]
    assert found == in_path + [("query", name) for name in route.parameters]
    assert told["x-who"] == described(route.needs)
    assert ("security" in told) == (told["x-who"] == "anybody")


def test_no_parameter_is_left_over() -> None:
    assert set(PARAMETERS) == {name for route in ROUTES for name in route.parameters}


@pytest.mark.parametrize("known", NOUNS, ids=lambda known: known.plural)
def test_every_field_and_no_other(known: PublishedNoun) -> None:
    name = known.noun.__name__
    fields = {field.name: field for field in published_fields(known.noun)}
    read = {extra.name for extra in known.extras if not extra.written}
    written = {extra.name for extra in known.extras if extra.written}
    shown = SCHEMAS[name]
    common = COMMON if "clientId" in shown["properties"] else COMMON - {"clientId"}
    assert set(shown["properties"]) == common | set(fields) | read
    assert not shown["additionalProperties"]
    if f"New{name}" in SCHEMAS:
        new = SCHEMAS[f"New{name}"]
        writable = {field.name for field in fields.values() if field.writable is not Writable.NEVER}
        assert set(new["properties"]) - SPELLINGS == writable | written | IGNORED
        required = {field.name for field in fields.values() if field.required} & writable
        assert set(new["required"]) == required | {extra.name for extra in known.extras if extra.required}
    if f"{name}Changes" in SCHEMAS:
        changes = SCHEMAS[f"{name}Changes"]["properties"]
        assert set(changes) - SPELLINGS == set(shown["properties"]) | written
        changeable = {field.name for field in fields.values() if field.writable is Writable.ALWAYS}
        assert {one for one in changes if not changes[one].get("readOnly")} - SPELLINGS == changeable | written


@pytest.mark.parametrize("name", ["Configuration", "ConfigurationChanges"])
def test_every_field_of_a_configuration_and_no_other(name: str) -> None:
    found = set()
    for field, schema in SCHEMAS[name]["properties"].items():
        found |= {f"{field}.{inner}" for inner in schema.get("properties", ())} or {field}
    assert found == {field.name for field in published_fields(Configuration)}


ANYTHING = {*IGNORED, "requestBody", "responseBody"}
"""Fields that may be of any type: what is ignored, and what callers and targets sent."""
TYPED = {"type", "$ref", "anyOf", "enum"}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema with properties that stands in `schema`, itself first."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_every_field_has_a_type() -> None:
    untyped = {
        name
        for schema in objects({"paths": DOCUMENT["paths"], "components": SCHEMAS})
        for name, field in schema["properties"].items()
        if not TYPED & set(field)
    }
    assert untyped == ANYTHING


def test_what_stands_beside_a_list_is_of_its_type() -> None:
    told = DOCUMENT["paths"]["/clients/{clientId}/proxies/{proxyId}/requests"]["get"]["responses"]["200"]
    fields = told["content"][JSON]["schema"]["properties"]
    assert (fields["totalRequests"]["type"], fields["limitReached"]["type"]) == ("integer", "boolean")
    joined = DOCUMENT["paths"]["/users"]["post"]["responses"]["200"]["content"][JSON]["schema"]["properties"]
    assert joined["tokens"]["items"] == {"$ref": "#/components/schemas/Token"}


def test_help_and_checks_of_fields_are_told() -> None:
    name = SCHEMAS["NewTarget"]["properties"]["targetName"]
    assert name["description"] == "A name for people, 1 to 200 characters."
    assert (name["minLength"], name["maxLength"]) == (1, 200)
    assert SCHEMAS["NewTarget"]["properties"]["targetDefaultRuleEffect"]["enum"] == ["allow", "deny"]
    timeout = SCHEMAS["NewTarget"]["properties"]["targetTimeout"]
    assert (timeout["minimum"], timeout["maximum"], timeout["default"]) == (1, 900, 30.0)
    assert SCHEMAS["NewCredential"]["properties"]["credentialSecret"]["writeOnly"]
    assert SCHEMAS["CredentialChanges"]["properties"]["credentialFingerprint"]["readOnly"]


@each(WRITING)
@pytest_twisted.ensureDeferred
async def test_a_body_has_the_fields_of_the_document_and_no_other(core: Core, route: Route) -> None:
    ids = await made(core)
    body = operation_of(route).body
    assert body is not None
    # A value that no field takes, so that each is complained of unless it is not looked at; and one that is no field.
    names = {name for schema in _alternatives(body["schema"]) for name in schema["properties"]} - SPELLINGS
    told = await core.ask(route.method, path(route, ids), {**{name: [[]] for name in names}, "noField": 1})
    assert told.status == 400
    unknown = {field for field, problem in told.problems.items() if problem.startswith("is not a known field")}
    assert {name.rpartition(".")[2] for name in unknown} == {"noField"}


def _alternatives(schema: Any) -> list[Any]:
    schema = resolved(schema)
    if "anyOf" in schema:
        return [found for one in schema["anyOf"][:1] for found in _alternatives(one)]
    return [schema]


def test_examples_are_right() -> None:
    looked_at = 0
    for operation in OPERATIONS:
        if operation.body is not None:
            assert complaints(operation.body["schema"], operation.body["example"]) == [], operation
            looked_at += 1
        for status in ("200", "303"):
            content = operation.told["responses"].get(status, {}).get("content", {})
            if JSON in content:
                found = complaints(content[JSON]["schema"], content[JSON]["example"])
                assert found == [], (operation, found)
                looked_at += 1
    assert looked_at > len(OPERATIONS)
    for name, schema in SCHEMAS.items():
        for field, one in schema.get("properties", {}).items():
            for example in one.get("examples", ()):
                assert complaints(one, example) == [], (name, field)


@each(WRITING)
def test_no_example_of_a_body_has_a_placeholder(route: Route) -> None:
    body = operation_of(route).body
    assert body is not None
    assert '"text"' not in json.dumps(body["example"])


@pytest.mark.parametrize("route", [each for each in ROUTES if each.method == "DELETE"], ids=lambda each: each.template)
@pytest_twisted.ensureDeferred
async def test_the_example_of_a_delete_is_what_it_answers(core: Core, route: Route) -> None:
    ids = await made(core)
    told = await core.ask("DELETE", path(route, ids) + ("?force=true" if "force" in route.parameters else ""))
    assert told.document == operation_of(route).answer(200)["content"][JSON]["example"]


@pytest.mark.parametrize("plural", ["credentials", "targets", "clients"])
@pytest_twisted.ensureDeferred
async def test_examples_work(core: Core, plural: str) -> None:
    where = "/clients" if plural == "clients" else f"/clients/acme/{plural}"
    template = where.replace("acme", "{clientId}")
    body = DOCUMENT["paths"][template]["post"]["requestBody"]["content"][JSON]["example"]
    told = await core.ask("POST", where, body)
    assert told.status == 200, told.raw
    assert told.document[plural][0].items() >= {
        name: value for name, value in body.items() if name != "credentialSecret"
    }.items()


@each([each for each in ROUTES if not each.success or (each.success.media_type == JSON and not each.success.pages)])
@pytest_twisted.ensureDeferred
async def test_answers_are_as_the_document_says(core: Core, route: Route) -> None:
    ids = await made(core)
    core.log.records = []
    body = operation_of(route).body
    told = await core.ask(route.method, path(route, ids), body["example"] if body else None)
    content = operation_of(route).answer(told.status)["content"]
    if JSON in content:
        assert complaints(content[JSON]["schema"], told.document) == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"token": None}, 401),
        ({"token": "u-uma"}, 403),
        ({"path": "/clients/acme/targets/nothing"}, 404),
        ({"document": {"x": 1}}, 400),
        ({"body": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"body": b"{}", "headers": {"Host": "elsewhere.test"}}, 421),
    ],
)
@pytest_twisted.ensureDeferred
async def test_refusals_are_as_the_document_says(core: Core, asked: dict[str, Any], status: int) -> None:
    ids = await made(core)
    route = next(route for route in ROUTES if (route.method, route.template[-11:]) == ("PUT", "/{targetId}"))
    where = asked.pop("path", path(route, ids))
    asked.setdefault("document", None if "body" in asked else {})
    told = await core.ask("PUT", where, **asked)
    assert told.status == status
    assert complaints(operation_of(route).answer(status)["content"][JSON]["schema"], told.document) == []
    for name in operation_of(route).answer(status).get("headers", ()):
        assert name.lower() in told.headers
