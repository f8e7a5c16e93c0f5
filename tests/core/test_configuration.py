"""A client's configuration over HTTP: who sets what, what holds in the end, and what it is refused for.

Belongs here: /clients/{clientId}/configuration, and regions. Does not: networks on the wire (tests/gateway/).
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from rrgate.core.access import OPERATORS
from rrgate.core.configuration import FIELDS
from rrgate.model import Configuration
from rrgate.registry import Registry, new_manager
from tests.core.doubles import CALLER, TARGET, Core

WHERE = "/clients/acme/configuration"
DEFAULTS = {
    "limits": {"requestsPerMinute": None, "requestsPerDay": None},
    "plan": "unlimited",
    "billing": {"suspended": False, "monthlyRequestBudget": None},
    "ceilings": {"requestsPerMinute": None, "requestsPerDay": None},
    "allowedRegions": [],
    "allowedNetworks": [],
    "maxResponseBytes": None,
    "logBodies": False,
    "logRetentionDays": 90,
}
VALUES: dict[str, Any] = {
    "limits.requestsPerMinute": 7,
    "limits.requestsPerDay": 70,
    "plan": "team",
    "billing.suspended": True,
    "billing.monthlyRequestBudget": 0,
    "ceilings.requestsPerMinute": 8,
    "ceilings.requestsPerDay": 80,
    "allowedRegions": ["us-east-1"],
    "allowedNetworks": ["10.1.0.0/16", "10.2.0.1/32:443", "[fd00::/8]:8443"],
    "maxResponseBytes": 1000,
    "logBodies": True,
    "logRetentionDays": 5,
}
"""A value of each field that is not its default."""


def document(name: str, value: object) -> dict[str, Any]:
    group, _, member = name.rpartition(".")
    return {group: {member: value}} if group else {member: value}


def value_in(configuration: Any, name: str) -> Any:
    for step in name.split("."):
        configuration = configuration[step]
    return configuration


def operator_elsewhere(core: Core) -> str:
    """The token of an operator who is a member of nothing."""
    core.add_user("olga", operator=True)
    return "u-olga"


@pytest_twisted.ensureDeferred
async def test_every_member_and_operator_reads_it(core: Core) -> None:
    for token in ("u-alice", "u-adam", "u-uma", operator_elsewhere(core)):
        told = await core.ask("GET", WHERE, token=token)
        assert told.document == {"configuration": DEFAULTS, "message": "Success"}
    assert (await core.ask("GET", WHERE, token="u-bob")).status == 404


@pytest.mark.parametrize("name", FIELDS)
@pytest_twisted.ensureDeferred
async def test_each_field_is_set_by_owners_or_by_operators(core: Core, name: str) -> None:
    core.directory.put(evolve(core.directory.users["alice"], operator=False))
    operator = operator_elsewhere(core)
    may, may_not = ("u-alice", operator) if name not in OPERATORS else (operator, "u-alice")
    for body in (document(name, VALUES[name]), {"configuration": document(name, VALUES[name])}):
        told = await core.ask("PUT", WHERE, body, token=may_not)
        assert told.status == 403
        assert list(told.problems) == [name]
    assert core.store.kept == {}
    for token in ("u-adam", "u-uma"):
        assert (await core.ask("PUT", WHERE, document(name, VALUES[name]), token=token)).status == 403
    told = await core.ask("PUT", WHERE, document(name, VALUES[name]), token=may)
    assert told.status == 200
    assert value_in(told.document["configuration"], name) == VALUES[name]
    # Whoever may not set it writes it back as it is, with something of his own.
    mine = "allowedRegions" if may_not == operator else "logBodies"
    again = {**told.document["configuration"], mine: VALUES[mine]}
    told = await core.ask("PUT", WHERE, {"configuration": again}, token=may_not)
    assert told.document["configuration"] == again
    assert (await core.ask("GET", WHERE)).document["configuration"] == again
    kept = core.directory.clients["acme"].configuration
    assert kept != Configuration()
    assert [each.configuration for each in core.store.kept.values()] == [kept]


@pytest_twisted.ensureDeferred
async def test_what_holds_comes_from_limit_ceiling_and_plan(core: Core) -> None:
    async def put(**changes: Any) -> tuple[Any, Any]:
        told = await core.ask("PUT", WHERE, changes)
        assert told.status == 200, told.raw
        found = told.document["configuration"]
        assert found["limits"]["requestsPerMinute"] == core.directory.clients["acme"].configuration.requests_per_minute
        return found["limits"]["requestsPerMinute"], found["ceilings"]["requestsPerMinute"]

    assert await put(plan="basic") == (100, 100)
    assert await put(limits={"requestsPerMinute": 40}) == (40, 100)
    assert await put(ceilings={"requestsPerMinute": 20}) == (20, 20)
    assert await put(ceilings={"requestsPerMinute": 200}) == (40, 200)
    assert await put(limits={"requestsPerMinute": None}) == (200, 200)
    assert await put(ceilings={"requestsPerMinute": None}) == (100, 100)
    # What is changed together is judged together.
    assert await put(plan="team", limits={"requestsPerMinute": 1000}) == (1000, 1000)
    assert await put(plan="business") == (1000, None)


def test_what_holds_of_days() -> None:
    day = Configuration(limit_per_day=7)
    assert [evolve(day, ceiling_per_day=most).requests_per_day for most in (None, 5, 9)] == [7, 5, 7]
    assert Configuration(ceiling_per_day=5).requests_per_day == 5
    kept = Configuration(log_retention_days=30)
    assert [kept.retention_days(gateway) for gateway in (7, 90)] == [7, 30]
    assert Configuration().retention_days(90) == 90


@pytest_twisted.ensureDeferred
async def test_nobody_goes_beyond_what_the_operator_allows(core: Core) -> None:
    assert (await core.ask("PUT", WHERE, {"plan": "basic", "ceilings": {"requestsPerDay": 500}})).status == 200
    told = await core.ask(
        "PUT",
        WHERE,
        {"limits": {"requestsPerMinute": 101, "requestsPerDay": 501}, "logRetentionDays": 91, "logBodies": 1},
    )
    assert told.status == 400
    assert told.problems == {
        "logBodies": "must be true or false",
        "limits.requestsPerMinute": "must be at most 100, which the operator has set",
        "limits.requestsPerDay": "must be at most 500, which the operator has set",
        "logRetentionDays": "must be at most 90, which the operator has set",
    }
    told = await core.ask("PUT", WHERE, {"limits": {"requestsPerMinute": 100, "requestsPerDay": 500}})
    assert told.status == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            {"limits": {"requestsPerMinute": 0, "requestsPerDay": "5"}},
            ["limits.requestsPerMinute", "limits.requestsPerDay"],
        ),
        ({"limits": []}, ["limits"]),
        ({"limits": {"requestsPerHour": 5}}, ["limits.requestsPerHour"]),
        ({"limits.requestsPerMinute": 5}, ["limits.requestsPerMinute"]),
        ({"plan": "gold", "planet": 1}, ["plan", "planet"]),
        (
            {"billing": {"suspended": None, "monthlyRequestBudget": -1}},
            ["billing.suspended", "billing.monthlyRequestBudget"],
        ),
        ({"allowedRegions": ["US"], "allowedNetworks": ["10.1.0.0/8"]}, ["allowedRegions.0", "allowedNetworks.0"]),
        ({"allowedNetworks": ["fe80::1%eth0"]}, ["allowedNetworks.0"]),
        ({"allowedNetworks": ["10.0.0.0/8:0"]}, ["allowedNetworks.0"]),
        ({"allowedRegions": ["a"] * 101}, ["allowedRegions"]),
        ({"logRetentionDays": 0, "logBodies": None}, ["logRetentionDays", "logBodies"]),
        ({"configuration": {"plan": 5, "limits": {"x": 1}}}, ["configuration.plan", "configuration.limits.x"]),
        ({"configuration": []}, ["configuration"]),
        ({"configuration": {}, "plan": "team"}, ["plan"]),
        ({"configuration": {"configuration": {}}}, ["configuration.configuration"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_it_may_not_be(core: Core, body: Any, fields: list[str]) -> None:
    told = await core.ask("PUT", WHERE, body)
    assert told.status == 400
    assert sorted(told.problems) == sorted(fields)
    assert core.store.kept == {}


@pytest_twisted.ensureDeferred
async def test_nothing_is_created_in_other_regions(core: Core) -> None:
    parts = await core.make_parts()
    assert (await core.ask("PUT", WHERE, {"allowedRegions": ["eu-west-1", "eu-west-2"]})).status == 200
    for kind, body, field in (
        ("credentials", CALLER, "credentialRegion"),
        ("targets", TARGET, "targetRegion"),
        ("proxies", parts, "proxyRegion"),
    ):
        told = await core.ask("POST", f"/clients/acme/{kind}", body)
        assert told.status == 400
        assert told.problems == {field: "must be one of this client's allowedRegions: eu-west-1, eu-west-2"}
    # What is there is changed as before.
    where = f"/clients/acme/targets/{parts['proxyTargetId']}"
    assert (await core.ask("PUT", where, {"targetTimeout": 5})).status == 200
    await core.make("targets", {**TARGET, "targetRegion": "eu-west-2"})
    await core.make("targets", TARGET, client="other", token="u-bob")


@pytest_twisted.ensureDeferred
async def test_renaming_the_client_leaves_it_alone(core: Core) -> None:
    await core.ask("PUT", WHERE, {"plan": "basic"})
    await core.ask("PUT", "/clients/acme", {"clientName": "Renamed"})
    assert core.directory.clients["acme"].configuration == Configuration(plan="basic")


@pytest.mark.parametrize("wrapped", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_no_plugin_carries_out_is_refused_and_not_kept(core: Core, wrapped: bool) -> None:
    manager = new_manager()
    core.house = evolve(core.house, registry=Registry(manager))
    await core.stop()
    await core.start()
    fields = {"plan": "basic", "limits": {"requestsPerMinute": 5}, "billing": {"suspended": True}}
    told = await core.ask("PUT", "/clients/acme/configuration", {"configuration": fields} if wrapped else fields)
    prefix = "configuration." if wrapped else ""
    assert told.status == 400
    names = ("billing.suspended", "limits.requestsPerMinute", "plan")
    assert sorted(told.problems) == [prefix + name for name in names]
    assert core.directory.clients["acme"].configuration == Configuration()
    assert (await core.ask("PUT", "/clients/acme/configuration", {"plan": "unlimited"})).status == 200
