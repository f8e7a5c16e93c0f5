"""Filters over HTTP: under which parents, in which spellings, with which bounds, and what plugins say of them.

Belongs here: …/filters. Does not: what all routes share (test_every_route.py), what filters do (tests/filters/).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.model.filter import LONGEST_JSON_PATH, MOST_FILTERS, MOST_JSON_PATHS
from rrgate.registry import load_registry
from tests.core.doubles import Core

FILTER = {"effect": "destroy", "jsonPaths": ["$..password"]}


@pytest.fixture(params=("credentials", "targets", "proxies"))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def parent(core: Core, kind: str = "proxies") -> str:
    """Where the filters of a new noun of a kind are."""
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    ids = {"credentials": parts["proxyTargetCredentialId"], "targets": parts["proxyTargetId"], "proxies": proxy["sKey"]}
    return f"/clients/acme/{kind}/{ids[kind]}/filters"


@pytest_twisted.ensureDeferred
async def test_create_read_change_delete(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    told = await core.ask("POST", where, {**FILTER, "pathPattern": "^/users", "methods": ["get"], "notes": "nobody"})
    (made,) = told.document["filters"]
    assert made == {
        "pKey": "acme",
        "sKey": made["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": where.split("/")[4],
        "effect": "destroy",
        "jsonPaths": ["$..password"],
        "methods": ["GET"],
        "path": {"path": {"pattern": "^/users"}, "presence": "must_exist"},
        "headers": [],
        "query": [],
        "body": [],
        "token": [],
        "regexFlags": None,
        "notes": "nobody",
        "active": True,
        "filterCreatedAt": made["filterCreatedAt"],
        "filterUpdatedAt": made["filterCreatedAt"],
    }
    one = f"{where}/{made['sKey']}"
    assert (await core.ask("GET", one)).document == {"filters": [made], "message": "Success"}
    assert (await core.ask("GET", where)).document == {"filters": [made], "message": "Success"}
    assert (await core.ask("PUT", one, made)).document["filters"] == [made]
    told = await core.ask("PUT", one, {"effect": "retain", "path": None, "headerChecks": [{"name": "^x$"}]})
    (changed,) = told.document["filters"]
    assert (changed["effect"], changed["path"], changed["jsonPaths"]) == ("retain", None, ["$..password"])
    assert changed["headers"] == [{"name": {"pattern": "^x$"}, "presence": "must_exist"}]
    assert (await core.ask("DELETE", one)).document == {"message": "Filter deleted successfully"}
    assert (await core.ask("GET", where)).document["filters"] == []
    assert (await core.ask("GET", one)).status == 404


WRONG: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, {"effect", "jsonPaths"}),
    "no such effect": ({**FILTER, "effect": "deny"}, {"effect"}),
    "no paths": ({**FILTER, "jsonPaths": []}, {"jsonPaths"}),
    "no list": ({**FILTER, "jsonPaths": "$.a"}, {"jsonPaths"}),
    "no JSONPath": ({**FILTER, "jsonPaths": ["$.a", "a"]}, {"jsonPaths.1"}),
    "too many": ({**FILTER, "jsonPaths": [f"$.a{n}" for n in range(MOST_JSON_PATHS + 1)]}, {"jsonPaths"}),
    "too long": ({**FILTER, "jsonPaths": ["$." + "a" * LONGEST_JSON_PATH]}, {"jsonPaths.0"}),
    "what the plugin says": ({**FILTER, "jsonPaths": ["$.a", "$.bad"]}, {"jsonPaths.1"}),
    "a check that nothing carries out": ({**FILTER, "query": [{"name": "a"}]}, {"query"}),
    "a pattern beyond Latin-1": ({**FILTER, "path": "€"}, {"path.path.pattern"}),
    "notes": ({**FILTER, "notes": "a" * 2001}, {"notes"}),
    "methods": ({**FILTER, "methods": []}, {"methods"}),
    "what is not its own": ({**FILTER, "priority": 1, "report": True}, {"priority", "report"}),
    "all at once": (
        {"effect": "x", "jsonPaths": [], "methods": ["A"], "active": 1},
        {"effect", "jsonPaths", "methods", "active"},
    ),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in WRONG.items()])
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_is_told_at_once(core: Core, row: tuple[dict[str, Any], set[str]]) -> None:
    document, fields = row
    where = await parent(core)
    told = await core.ask("POST", where, document)
    assert (told.status, set(told.problems)) == (400, fields)
    (made,) = (await core.ask("POST", where, FILTER)).document["filters"]
    if document:
        told = await core.ask("PUT", f"{where}/{made['sKey']}", document)
        assert (told.status, set(told.problems)) == (400, fields)
    assert (await core.ask("GET", where)).document["filters"] == [made]


@pytest_twisted.ensureDeferred
async def test_where_nothing_filters_no_filter_is_taken(core: Core) -> None:
    where = await parent(core)

    house = core.house
    plugins = [plugin for plugin in house.registry.plugins if not plugin.filters]
    core._port.factory.house = evolve(house, registry=_Registry(house.registry, plugins))
    told = await core.ask("POST", where, FILTER)
    assert told.problems == {"effect": "cannot be carried out: no installed plugin filters answers"}


@pytest_twisted.ensureDeferred
async def test_the_built_in_plugin_takes_all_checks_and_tells_what_is_no_json_path(core: Core) -> None:
    where = await parent(core)
    core._port.factory.house = evolve(core.house, registry=load_registry())
    checks = {"query": [{"name": "a"}], "body": [{"jsonPath": "a"}], "token": [{"claim": "a"}]}
    assert (await core.ask("POST", where, {**FILTER, **checks})).status == 200
    wrong = {"effect": "retain", "jsonPaths": ["$.a", "$.a[", "$[?match(@.a, 'b')]"], "path": "(?=a)"}
    told = await core.ask("POST", where, wrong)
    assert set(told.problems) == {"jsonPaths.1", "jsonPaths.2", "path.path.pattern"}


@pytest_twisted.ensureDeferred
async def test_so_many_filters_and_no_more(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    (made,) = (await core.ask("POST", where, FILTER)).document["filters"]
    known = core.directory.filters[made["sKey"]]
    for number in range(MOST_FILTERS - 2):
        core.directory.put(evolve(known, id=f"f{number}"))
    assert (await core.ask("POST", where, FILTER)).status == 200
    told = await core.ask("POST", where, FILTER)
    assert (told.status, list(told.problems)) == (409, ["filters"])
    assert (await core.ask("PUT", f"{where}/{made['sKey']}", {"active": False})).status == 200
    assert (await core.ask("POST", await parent(core, kind), FILTER)).status == 200


@pytest_twisted.ensureDeferred
async def test_filters_go_with_what_they_are_of(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    for _ in range(2):
        assert (await core.ask("POST", where, FILTER)).status == 200
    _, _, client, _, parent_id, _ = where.split("/")
    force = "?force=true" if kind == "targets" else ""
    assert (await core.ask("DELETE", f"/clients/{client}/{kind}/{parent_id}{force}")).status == 200
    assert core.directory.filters == {}
    assert core.directory.filters_of(parent_id) == []


@pytest_twisted.ensureDeferred
async def test_filters_go_with_their_client(core: Core) -> None:
    assert (await core.ask("POST", await parent(core), FILTER)).status == 200
    assert (await core.ask("DELETE", "/clients/acme?force=true")).status == 200
    assert core.directory.filters == {}


@pytest_twisted.ensureDeferred
async def test_a_filter_of_another_parent_is_not_there(core: Core) -> None:
    where = await parent(core, "targets")
    (made,) = (await core.ask("POST", where, FILTER)).document["filters"]
    elsewhere = await parent(core, "targets")
    for method, body in (("GET", None), ("PUT", {"active": False}), ("DELETE", None)):
        assert (await core.ask(method, f"{elsewhere}/{made['sKey']}", body)).status == 404
    assert core.directory.filters[made["sKey"]].active


class _Registry:
    """Another's, with fewer plugins."""

    def __init__(self, other: Any, plugins: list[Any]) -> None:
        self._other = other
        self.plugins = plugins

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)
