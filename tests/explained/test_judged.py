"""Whoever judges a request, explanation and request say the same: rules, limits, meters, budgets and filters.

Belongs here: verdicts, and what is warned of. Does not: credentials (test_credentials.py), settings of proxies that
judge nothing (test_requests.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from attrs import evolve

from rrgate.model import Client, Credential, Proxy, Target
from rrgate.model.configuration import Configuration
from rrgate.testing import MemoryGateway
from tests.explained.both import Asked, both
from tests.explained.test_credentials import CLAIMS, VERIFIES, token

JWT = (("Authorization", f"Bearer {token(**CLAIMS)}"),)
JSON = (("Content-Type", "application/json"), ("X-Tag", "one"), ("X-Tag", "two"))
SCOPES = ("proxy credential", "target credential", "proxy", "target")
CHECKS: dict[str, Mapping[str, Any]] = {
    "all": {},
    "methods": {"methods": ["POST"]},
    "other methods": {"methods": ["GET"]},
    "path": {"path": "^/a"},
    "an escaped path": {"path": "/a/b"},
    "no such path": {"path": {"pattern": "^/a", "presence": "absent"}},
    "header": {"headers": [{"name": "^x-tag$", "matchValue": "one"}]},
    "a header of the gateway's": {"headers": [{"name": "content-length|host|authorization"}]},
    "no such header": {"headers": [{"name": "^x-none$", "presence": "absent"}]},
    "query": {"query": [{"name": "^q$", "matchValue": "^two words$"}]},
    "a credential in the query": {"query": [{"name": "authorization"}]},
    "body": {"body": [{"jsonPath": r"^a\.0$", "matchValue": "^1$"}]},
    "no such leaf": {"body": [{"jsonPath": "^b$", "presence": "absent"}]},
    "claim": {"token": [{"claim": "^team$", "matchValue": "^blue$"}]},
    "another claim": {"token": [{"claim": "^team$", "matchValue": "^red$"}]},
    "several": {"methods": ["POST"], "path": "^/a", "token": [{"claim": "aud"}]},
}
ASKED: dict[str, Asked] = {
    "JSON": Asked("POST", "/a%2Fb?q=two+words&q=1", JSON, b'{"a": [1]}', JWT, CLAIMS),
    "no JSON": Asked("POST", "/a/b", (("Content-Type", "application/json"),), b'{"a":', JWT, CLAIMS),
    "encoded": Asked("POST", "/a", (("Content-Encoding", "gzip"),), b"{}", JWT, CLAIMS),
    "nothing": Asked("GET", "/", (), None, JWT, CLAIMS),
}


@pytest.fixture(scope="module")
def gateway() -> MemoryGateway:
    return MemoryGateway()


def made(gateway: MemoryGateway, **settings: Any) -> Proxy:
    return gateway.proxy(caller=("jwtVerify", VERIFIES), towards=("bearer", {"token": "x" * 20}), **settings)


def parent(gateway: MemoryGateway, proxy: Proxy, scope: str) -> Credential | Target | Proxy:
    directory = gateway.directory
    if scope == "proxy":
        return proxy
    if scope == "target":
        return directory.targets[proxy.target_id]
    return directory.credentials[
        proxy.proxy_credential_id if scope == "proxy credential" else proxy.target_credential_id
    ]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("checks", CHECKS)
@pytest.mark.parametrize("effect", ["allow", "deny", "report"])
@pytest.mark.parametrize("default", ["allow", "deny"])
def test_a_rule(gateway: MemoryGateway, default: str, effect: str, checks: str, asked: str) -> None:
    proxy = made(gateway, proxyDefaultRuleEffect=default)
    document = {"effect": "deny", "report": True} if effect == "report" else {"effect": effect}
    rule = gateway.rule(proxy, {**document, **CHECKS[checks]})
    told = both(gateway, proxy, ASKED[asked])
    if effect != "report" and told.explained["ruleId"] is not None:
        assert told.explained["ruleId"] == rule.id


@pytest.mark.parametrize("effects", list(product(("allow", "deny", "none"), repeat=4)), ids="-".join)
def test_all_scopes_must_allow(gateway: MemoryGateway, effects: tuple[str, ...]) -> None:
    proxy = made(gateway)
    for scope, effect in zip(SCOPES, effects, strict=True):
        if effect != "none":
            gateway.rule(parent(gateway, proxy, scope), {"effect": effect, "path": "^/a"})
    told = both(gateway, proxy, ASKED["JSON"])
    assert (told.sent is None) == ("deny" in effects)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_default_of_each_scope(gateway: MemoryGateway, scope: str) -> None:
    proxy = made(gateway)
    gateway.directory.put(evolve(parent(gateway, proxy, scope), default_rule_effect="deny"))
    assert both(gateway, proxy, ASKED["JSON"]).sent is None


def test_of_several_rules_the_same_decides(gateway: MemoryGateway) -> None:
    proxy = made(gateway)
    for priority, effect in enumerate(("allow", "deny", "deny", "allow")):
        gateway.rule(proxy, {"effect": effect, "path": "^/a", "priority": priority})
    assert both(gateway, proxy, ASKED["JSON"]).explained["ruleId"]


# Limits: what is left counts down with each request that is sent, and with none that is explained.


@pytest.mark.parametrize(
    "settings",
    [
        {"proxyMaxRequestsPerMinute": 10},
        {"proxyMaxRequestsPerDay": 10},
        {"proxyMaxRequestsPerMinute": 10, "proxyMaxRequestsPerDay": 11},
        {"proxyMaxRequestsPerDay": 1},
    ],
    ids=str,
)
def test_limits_of_a_proxy(gateway: MemoryGateway, settings: Mapping[str, int]) -> None:
    proxy = made(gateway, **settings)
    most = min(settings.values())
    sent = [both(gateway, proxy, ASKED["nothing"]).sent is not None for _ in range(most + 2)]
    assert sent == [True] * most + [False, False]
    gateway.clock.advance(86_400)
    assert (both(gateway, proxy, ASKED["nothing"]).sent is not None) == bool(most)


CLIENTS: dict[str, tuple[Configuration, int]] = {
    "suspended": (Configuration(suspended=True), 0),
    "a budget": (Configuration(monthly_request_budget=10), 10),
    "a spent budget": (Configuration(monthly_request_budget=0), 0),
    "a limit": (Configuration(limit_per_minute=10), 10),
    "a ceiling": (Configuration(limit_per_day=20, ceiling_per_day=5), 5),
    "all of them": (Configuration(monthly_request_budget=6, limit_per_minute=5, limit_per_day=7), 5),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_limits_of_a_client(client: str) -> None:
    gateway = MemoryGateway()
    configuration, most = CLIENTS[client]
    whose: Client = evolve(gateway.client, configuration=configuration)
    gateway.directory.put(whose)
    proxies = [made(gateway), made(gateway)]
    sent = [both(gateway, proxies[turn % 2], ASKED["nothing"]).sent is not None for turn in range(most + 2)]
    assert sent == [True] * most + [False, False]


METERS: dict[str, Mapping[str, Any]] = {
    "of all": {"meterType": "request_count"},
    "of some": {"meterType": "request_count", "meterMode": "conditional", "predicates": {"methods": ["POST"]}},
    "of some bodies": {
        "meterType": "request_count",
        "meterMode": "conditional",
        "predicates": {"body": [{"jsonPath": {"pattern": r"^a\.0$"}, "matchValue": {"pattern": "^1$"}}]},
    },
    "of values": {"meterType": "response_value", "extraction": {"location": "body", "path": "$.cost"}},
    "of values of some": {
        "meterType": "response_value",
        "meterMode": "conditional",
        "predicates": {"methods": ["POST"]},
        "extraction": {"location": "body", "path": "$.cost"},
    },
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("meter", METERS)
def test_meters(gateway: MemoryGateway, meter: str, asked: str) -> None:
    proxy = made(gateway)
    gateway.meter(proxy, {"meterName": "m", "limits": {"minute": 5}, **METERS[meter]})
    for _ in range(7):
        both(gateway, proxy, ASKED[asked])


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("checks", CHECKS)
def test_filters(gateway: MemoryGateway, checks: str, asked: str) -> None:
    proxy = made(gateway, proxyAdditionalHeaders={"Accept-Encoding": "br"})
    gateway.filter(proxy, {"effect": "destroy", "jsonPaths": ["$.a"], **CHECKS[checks]})
    gateway.filter(parent(gateway, proxy, "target"), {"effect": "retain", "jsonPaths": ["$.b"], **CHECKS["methods"]})
    request = ASKED[asked]
    both(gateway, proxy, evolve(request, headers=(*request.headers, ("Range", "bytes=0-9"), ("If-Range", "x"))))


def test_a_rule_is_judged_before_a_body_and_a_body_before_a_limit(gateway: MemoryGateway) -> None:
    proxy = made(gateway, proxyMaxRequestsPerDay=1, proxyMaxRequestBytes=4, proxyAdditionalData={"a": 1})
    statuses = []
    for asked in ("no JSON", "nothing", "nothing", "no JSON", "nothing"):
        if len(statuses) == 4:
            gateway.rule(proxy, {"effect": "deny"})
        told = both(gateway, proxy, ASKED[asked])
        statuses.append(told.answer.status)
    assert statuses == [413, 200, 429, 413, 403]
