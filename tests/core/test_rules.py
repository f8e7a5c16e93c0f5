"""Rules over HTTP: under which parents, in which spellings, with which bounds, and what plugins say of them.

Belongs here: …/rules. Does not: what all routes share (test_every_route.py), what rules do (tests/rules/).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred

from rrgate.model import Rule
from rrgate.model.rule import MOST_RULES
from rrgate.registry import load_registry
from tests.core.doubles import Core

PARENTS = ("credentials", "targets", "proxies")


@pytest.fixture(params=PARENTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def parent(core: Core, kind: str, field: str = "proxyProxyCredentialId") -> str:
    """Where the rules of a new noun of a kind are."""
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    ids = {"credentials": parts[field], "targets": parts["proxyTargetId"], "proxies": proxy["sKey"]}
    return f"/clients/acme/{kind}/{ids[kind]}/rules"


@pytest_twisted.ensureDeferred
async def test_rules_go_with_what_they_are_of(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    for _ in range(2):
        assert (await core.ask("POST", where, {"effect": "deny"})).status == 200
    _, _, client, _, parent_id, _ = where.split("/")
    force = "?force=true" if kind == "targets" else ""
    assert (await core.ask("DELETE", f"/clients/{client}/{kind}/{parent_id}{force}")).status == 200
    assert core.directory.rules == {}


@pytest_twisted.ensureDeferred
async def test_a_directory_forgets_the_rules_of_what_it_drops(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    assert (await core.ask("POST", where, {"effect": "deny"})).status == 200
    core.directory.drop(getattr(core.directory, kind)[where.split("/")[4]])
    assert core.directory.rules == {}


@pytest_twisted.ensureDeferred
async def test_create_read_change_delete(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    told = await core.ask("POST", where, {"effect": "deny", "pathPattern": "^/admin", "notes": "nobody"})
    (rule,) = told.document["rules"]
    assert rule == {
        "pKey": "acme",
        "sKey": rule["sKey"],
        "userId": "alice",
        "clientId": "acme",
        "parentId": where.split("/")[4],
        "effect": "deny",
        "priority": 0,
        "methods": None,
        "path": {"path": {"pattern": "^/admin"}, "presence": "must_exist"},
        "headers": [],
        "query": [],
        "body": [],
        "token": [],
        "regexFlags": None,
        "notes": "nobody",
        "active": True,
        "report": False,
        "ruleCreatedAt": "2025-12-12T05:26:57.621Z",
        "ruleUpdatedAt": "2025-12-12T05:26:57.621Z",
        "warnings": [],
    }
    one = f"{where}/{rule['sKey']}"
    assert (await core.ask("GET", one)).document == {"rules": [rule], "message": "Success"}
    assert (await core.ask("GET", where)).document == {"rules": [rule], "message": "Success"}
    core.seconds += 1
    # What was read can be changed and written back.
    told = await core.ask("PUT", one, {**rule, "active": False, "methods": ["post"], "warnings": ["anything"]})
    changed = {**rule, "active": False, "methods": ["POST"], "ruleUpdatedAt": "2025-12-12T05:26:58.621Z"}
    assert told.document["rules"] == [changed]
    told = await core.ask("PUT", one, {"path": None, "headerChecks": [{"name": "^x$"}]})
    assert told.document["rules"][0]["path"] is None
    assert told.document["rules"][0]["headers"] == [{"name": {"pattern": "^x$"}, "presence": "must_exist"}]
    assert core.store.kept[Rule, rule["sKey"]] == core.directory.rules[rule["sKey"]]
    assert (await core.ask("DELETE", one)).document == {"message": "Rule deleted successfully"}
    assert (await core.ask("GET", one)).status == 404
    assert (await core.ask("GET", where)).document["rules"] == []
    assert (Rule, rule["sKey"]) not in core.store.kept


@pytest_twisted.ensureDeferred
async def test_a_rule_is_found_under_its_own_parent_alone(core: Core) -> None:
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    places = {
        "credentials": parts["proxyProxyCredentialId"],
        "targets": parts["proxyTargetId"],
        "proxies": proxy["sKey"],
    }
    rule = await core.make_rule("proxies", proxy["sKey"])
    for kind, parent_id in places.items():
        # The last is where it is: elsewhere it can be neither read, changed nor deleted.
        for method, document in (("GET", None), ("PUT", {"effect": "allow"}), ("DELETE", None)):
            told = await core.ask(method, f"/clients/acme/{kind}/{parent_id}/rules/{rule['sKey']}", document)
            assert told.status == (200 if kind == "proxies" else 404)
        told = await core.ask("GET", f"/clients/acme/{kind}/{proxy['sKey']}/rules")
        assert told.status == (200 if kind == "proxies" else 404)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_changed(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    (rule,) = (await core.ask("POST", where, {"effect": "allow", "parentId": "ignored"})).document["rules"]
    assert rule["parentId"] != "ignored"
    one = f"{where}/{rule['sKey']}"
    for name in ("sKey", "parentId", "clientId", "userId", "pKey", "ruleCreatedAt"):
        told = await core.ask("PUT", one, {name: "2024-01-01T00:00:00Z"})
        assert list(told.problems) == [name]
    told = await core.ask("PUT", one, {"effect": None})
    assert list(told.problems) == ["effect"]
    told = await core.ask("POST", where, {"warnings": [], "effect": "deny"})
    assert list(told.problems) == ["warnings"]


@pytest.mark.parametrize("check", ["body", "token", "query"])
@pytest_twisted.ensureDeferred
async def test_checks_that_nothing_carries_out_are_refused(core: Core, kind: str, check: str) -> None:
    by = {"body": "jsonPath", "token": "claim", "query": "name"}[check]
    where = await parent(core, kind)
    told = await core.ask("POST", where, {"effect": "deny", "path": "^/a", check: [{by: "^a$"}]})
    assert told.status == 400
    assert told.problems == {
        check: "is carried out by no installed plugin: leave it out, or install one that does"
    }
    (rule,) = (await core.ask("POST", where, {"effect": "deny", "path": "^/a"})).document["rules"]
    told = await core.ask("PUT", f"{where}/{rule['sKey']}", {check: [{by: "^a$"}]})
    assert list(told.problems) == [check]
    assert (await core.ask("GET", where)).document["rules"] == [rule]


@pytest.mark.parametrize("check", ["body", "token"])
@pytest_twisted.ensureDeferred
async def test_the_built_in_plugins_carry_these_out(core: Core, check: str) -> None:
    where = await parent(core, "proxies")
    core._port.factory.house = evolve(core.house, registry=load_registry())
    by = "jsonPath" if check == "body" else "claim"
    told = await core.ask("POST", where, {"effect": "deny", check: [{by: "a", "matchValue": "b"}]})
    (rule,) = told.document["rules"]
    assert rule[check] == [{by: {"pattern": "a"}, "matchValue": {"pattern": "b"}, "presence": "must_exist"}]
    told = await core.ask("POST", where, {"effect": "deny", check: [{by: "(", "matchValue": "(?=a)"}]})
    assert set(told.problems) == {f"{check}.0.{by}.pattern", f"{check}.0.matchValue.pattern"}


@pytest_twisted.ensureDeferred
async def test_where_nothing_judges_no_rule_is_taken(core: Core) -> None:
    where = await parent(core, "proxies")
    house = core.house
    plugins = [plugin for plugin in house.registry.plugins if not plugin.judges]
    core._port.factory.house = evolve(house, registry=_Registry(house.registry, plugins))
    told = await core.ask("POST", where, {"effect": "deny"})
    assert told.problems == {"effect": "cannot be carried out: no installed plugin judges by rules"}


@pytest_twisted.ensureDeferred
async def test_plugins_that_each_carry_out_a_part_carry_out_no_rule(core: Core) -> None:
    """One of them must know the whole rule: another would deny or allow what the rest of it was to keep apart."""
    where = await parent(core, "proxies")
    house = core.house
    (judging,) = (plugin for plugin in house.registry.plugins if plugin.judges)
    plugins = [type(kind, (judging,), {"judges": frozenset({kind})}) for kind in ("path", "headers")]
    core._port.factory.house = evolve(house, registry=_Registry(house.registry, plugins))
    assert (await core.ask("POST", where, {"effect": "deny", "path": "^/a"})).status == 200
    told = await core.ask("POST", where, {"effect": "deny", "path": "^/a", "headers": [{"name": "^a$"}]})
    assert list(told.problems) == ["headers", "path"]


@pytest.mark.parametrize("by", ["u-uma", "u-adam"])
@pytest_twisted.ensureDeferred
async def test_users_read_rules_and_admins_write_them(core: Core, kind: str, by: str) -> None:
    where = await parent(core, kind)
    (rule,) = (await core.ask("POST", where, {"effect": "deny"})).document["rules"]
    one = f"{where}/{rule['sKey']}"
    for method, at, document, least in (
        ("GET", where, None, "user"),
        ("GET", one, None, "user"),
        ("POST", where, {"effect": "deny"}, "admin"),
        ("PUT", one, {"effect": "allow"}, "admin"),
        ("DELETE", one, None, "admin"),
    ):
        allowed = by == "u-adam" or least == "user"
        assert (await core.ask(method, at, document, token=by)).status == (200 if allowed else 403)


class _Registry:
    """Another's, with fewer plugins."""

    def __init__(self, other: Any, plugins: list[Any]) -> None:
        self._other = other
        self.plugins = plugins

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


@pytest_twisted.ensureDeferred
async def test_what_a_plugin_and_the_form_say_is_answered_by_field(core: Core) -> None:
    where = await parent(core, "proxies")
    told = await core.ask("POST", where, {"effect": "deny", "path": "bad", "headers": [{"name": "bad"}]})
    assert told.problems == {"path.path.pattern": "is bad", "headers.0.name.pattern": "is bad"}
    told = await core.ask("POST", where, {"effect": "deny", "path": "a" * 1025})
    assert told.problems == {"path.path.pattern": "must have at most 1024 characters"}
    told = await core.ask("POST", where, {"effect": "deny", "priority": 2000, "methods": [], "pathpattern": "a"})
    assert set(told.problems) == {"priority", "methods", "pathpattern"}


@pytest_twisted.ensureDeferred
async def test_warnings(core: Core) -> None:
    where = await parent(core, "proxies")
    (first,) = (await core.ask("POST", where, {"effect": "allow"})).document["rules"]
    assert first["warnings"] == ["one of 1"]
    (second,) = (await core.ask("POST", where, {"effect": "deny"})).document["rules"]
    assert second["warnings"] == []
    rules = (await core.ask("GET", where)).document["rules"]
    assert {rule["sKey"]: rule["warnings"] for rule in rules} == {first["sKey"]: ["one of 2"], second["sKey"]: []}
    # Of one that is not active, nothing.
    told = await core.ask("PUT", f"{where}/{first['sKey']}", {**first, "active": False})
    assert told.document["rules"][0]["warnings"] == []


@pytest_twisted.ensureDeferred
async def test_two_hundred_rules(core: Core, kind: str) -> None:
    where = await parent(core, kind)
    (rule,) = (await core.ask("POST", where, {"effect": "deny"})).document["rules"]
    known = core.directory.rules[rule["sKey"]]
    for number in range(MOST_RULES - 2):
        core.directory.put(evolve(known, id=f"r{number}"))
    (last,) = (await core.ask("POST", where, {"effect": "deny"})).document["rules"]
    told = await core.ask("POST", where, {"effect": "deny"})
    assert told.status == 409
    assert "200 rules" in told.problems["rules"]
    assert (await core.ask("PUT", f"{where}/{last['sKey']}", {"priority": 1})).status == 200
    assert (await core.ask("DELETE", f"{where}/{last['sKey']}")).status == 200
    assert (await core.ask("POST", where, {"effect": "deny"})).status == 200
    # Another noun's are counted by themselves.
    assert (await core.ask("POST", await parent(core, kind), {"effect": "deny"})).status == 200


@pytest_twisted.ensureDeferred
async def test_rules_go_with_their_parent(core: Core) -> None:
    parts = await core.make_parts()
    proxy = await core.make("proxies", parts)
    places = {
        "credentials": parts["proxyProxyCredentialId"],
        "targets": parts["proxyTargetId"],
        "proxies": proxy["sKey"],
    }
    for kind, parent_id in places.items():
        await core.make_rule(kind, parent_id)
    for left, (kind, parent_id) in zip((2, 1, 0), places.items(), strict=True):
        force = "?force=true" if kind == "targets" else ""
        assert (await core.ask("DELETE", f"/clients/acme/{kind}/{parent_id}{force}")).status == 200
        assert len(core.directory.rules) == left
        assert core.directory.rules_of(parent_id) == []


@pytest_twisted.ensureDeferred
async def test_rules_go_with_their_client(core: Core) -> None:
    parts = await core.make_parts()
    await core.make_rule("targets", parts["proxyTargetId"])
    assert (await core.ask("DELETE", "/clients/acme?force=true")).status == 200
    assert core.directory.rules == {}


@pytest_twisted.ensureDeferred
async def test_a_rule_is_in_force_when_it_is_kept_and_not_before(core: Core) -> None:
    where = await parent(core, "proxies")
    core.store.waiting = []
    asked: Deferred[Any] = Deferred.fromCoroutine(core.ask("POST", where, {"effect": "deny"}))
    while not core.store.waiting:
        await _turn()
    assert core.directory.rules == {}
    assert not asked.called
    core.store.waiting.pop().callback(None)
    assert (await asked).status == 200
    assert len(core.directory.rules) == 1
    core.store.waiting = None
    core.store.error = ValueError("no disk")
    assert (await core.ask("POST", where, {"effect": "deny"})).status == 500
    assert len(core.directory.rules) == 1


def _turn() -> Deferred[None]:
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    return deferLater(reactor, 0, lambda: None)


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        ("credentials", "CALLER", "credentialDefaultRuleEffect"),
        ("credentials", "TOWARDS", "credentialDefaultRuleEffect"),
        ("targets", "TARGET", "targetDefaultRuleEffect"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_defaults_that_deny_are_carried_out(core: Core, kind: str, document: str, field: str) -> None:
    from tests.core import doubles

    core._port.factory.house = evolve(core.house, registry=load_registry())
    made = await core.make(kind, {**getattr(doubles, document), field: "deny"})
    assert made[field] == "deny"
    told = await core.ask("PUT", f"/clients/acme/{kind}/{made['sKey']}", {field: "perhaps"})
    assert list(told.problems) == [field]


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_denies_by_default(core: Core) -> None:
    parts = await core.make_parts()
    core._port.factory.house = evolve(core.house, registry=load_registry())
    made = await core.make("proxies", {**parts, "proxyDefaultRuleEffect": "deny"})
    assert made["proxyDefaultRuleEffect"] == "deny"
