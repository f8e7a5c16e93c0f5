"""Limits of proxies and clients, budget and suspension: what callers and the operator are told.

Belongs here: a gateway in memory, on a clock that is turned. Does not: counting itself (tests/counters/), many callers
at one time (tests/gateway/test_limits.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import Denied, Exchange, Kind, NoConfig, Parts, Plugin, Proxy
from rrgate.model import Configuration
from rrgate.testing import Answer, MemoryGateway

APPROACHING = "Approaching rate limit threshold"
LOW = "Low budget - please add a valid payment method to continue using the API"


def turn_to(gateway: MemoryGateway, text: str) -> None:
    """Set the wall's clock, `2026-03-10 12:30:15`."""
    then = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    gateway.clock.turn_wall(then - gateway.clock.wall())


@pytest.fixture
def gateway() -> MemoryGateway:
    made = MemoryGateway()
    turn_to(made, "2026-03-10 12:30:15")
    return made


def configure(gateway: MemoryGateway, **changes: Any) -> None:
    """Change the client's configuration."""
    gateway.directory.put(evolve(gateway.client, configuration=evolve(Configuration(), **changes)))


def ask(gateway: MemoryGateway, proxy: Proxy) -> Answer:
    """One request's answer."""
    answer = gateway.call("GET", proxy).answer
    assert answer is not None
    return answer


def statuses(gateway: MemoryGateway, proxy: Proxy, times: int) -> list[int]:
    """Those of so many requests."""
    return [ask(gateway, proxy).status for _ in range(times)]


def test_a_proxy_without_limits_has_no_step_for_them(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    assert statuses(gateway, proxy, 3) == [200] * 3
    chain = next(iter(gateway.directory.routes())).chain
    assert "request-limits" not in {step.plugin for step in chain.authorize}


@pytest.mark.parametrize(
    ("settings", "limit", "window", "seconds"),
    [
        ({"proxyMaxRequestsPerMinute": 2}, "2", "minute", "45"),
        ({"proxyMaxRequestsPerDay": 2}, "2", "day", "41385"),
        ({"proxyMaxRequestsPerMinute": 2, "proxyMaxRequestsPerDay": 2}, "2", "day", "41385"),
        ({"proxyMaxRequestsPerMinute": 2, "proxyMaxRequestsPerDay": 3}, "2", "minute", "45"),
    ],
)
def test_over_the_limit_is_429_and_says_until_when(
    gateway: MemoryGateway, settings: dict[str, int], limit: str, window: str, seconds: str
) -> None:
    proxy = gateway.proxy(**settings)
    assert statuses(gateway, proxy, 2) == [200, 200]
    answer = ask(gateway, proxy)
    assert answer.status == 429
    assert answer["requestrocket-proxy-code"] == "rate-limited"
    assert answer["Retry-After"] == seconds
    assert answer["X-RateLimit-Limit"] == limit
    assert answer["X-RateLimit-Remaining"] == "0"
    assert answer["requestrocket-proxy-warning"] == ""
    assert f"this proxy has {limit} requests a {window}; try again in {seconds} seconds" in answer.document["message"]
    assert len(gateway.target.received) == 2


def test_the_next_minute_lets_pass_again(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=2)
    assert statuses(gateway, proxy, 3) == [200, 200, 429]
    gateway.clock.advance(44)
    assert ask(gateway, proxy)["Retry-After"] == "1"
    gateway.clock.advance(1)
    assert statuses(gateway, proxy, 3) == [200, 200, 429]


def test_a_clients_limit_is_for_all_its_proxies_together(gateway: MemoryGateway) -> None:
    configure(gateway, limit_per_minute=5)
    first, second = gateway.proxy(), gateway.proxy()
    assert statuses(gateway, first, 3) == [200] * 3
    assert statuses(gateway, second, 3) == [200, 200, 429]
    answer = ask(gateway, first)
    assert "this client has 5 requests a minute" in answer.document["message"]


def test_a_clients_limit_of_a_day_holds_too(gateway: MemoryGateway) -> None:
    configure(gateway, limit_per_day=2)
    proxy = gateway.proxy()
    assert statuses(gateway, proxy, 3) == [200, 200, 429]
    assert "this client has 2 requests a day" in ask(gateway, proxy).document["message"]


def test_a_refusal_by_one_limit_uses_nothing_of_another_up(gateway: MemoryGateway) -> None:
    configure(gateway, limit_per_minute=5)
    narrow, wide = gateway.proxy(proxyMaxRequestsPerMinute=2), gateway.proxy()
    assert statuses(gateway, narrow, 10) == [200, 200] + [429] * 8
    assert statuses(gateway, wide, 4) == [200, 200, 200, 429]


@pytest.mark.parametrize(("plan", "most"), [("basic", 100), ("team", 1000)])
def test_a_plan_presets_the_clients_limit(gateway: MemoryGateway, plan: str, most: int) -> None:
    configure(gateway, plan=plan)
    proxy = gateway.proxy()
    gateway.counters.counter("client", gateway.client.id).add(most - 1)
    assert statuses(gateway, proxy, 2) == [200, 429]


@pytest.mark.parametrize("plan", ["business", "unlimited"])
def test_other_plans_limit_nothing(gateway: MemoryGateway, plan: str) -> None:
    configure(gateway, plan=plan)
    proxy = gateway.proxy()
    ask(gateway, proxy)
    assert gateway.counters.counter("client", gateway.client.id).read().day == 0


def test_from_80_percent_on_each_answer_warns(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=5)
    warnings = [ask(gateway, proxy)["requestrocket-proxy-warning"] for _ in range(6)]
    assert warnings == ["", "", "", APPROACHING, APPROACHING, ""]


def test_several_limits_that_are_near_are_one_warning(gateway: MemoryGateway) -> None:
    configure(gateway, limit_per_minute=1, monthly_request_budget=1)
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=1, proxyMaxRequestsPerDay=1)
    assert ask(gateway, proxy)["requestrocket-proxy-warning"] == f"{APPROACHING}; {LOW}"


def test_a_spent_budget_is_402_until_the_month_ends(gateway: MemoryGateway) -> None:
    configure(gateway, monthly_request_budget=5)
    proxy = gateway.proxy()
    answers = [ask(gateway, proxy) for _ in range(6)]
    assert [each.status for each in answers] == [200] * 5 + [402]
    warnings = [each["requestrocket-proxy-warning"] for each in answers]
    assert warnings == ["", "", "", LOW, LOW, ""]
    spent = answers[-1]
    assert spent["requestrocket-proxy-code"] == "billing-suspended"
    assert spent.document["message"] == "Payment Required - Account suspended due to insufficient budget"
    turn_to(gateway, "2026-03-31 23:59:59")
    assert ask(gateway, proxy).status == 402
    turn_to(gateway, "2026-04-01 00:00:00")
    assert ask(gateway, proxy).status == 200


def test_a_budget_of_nothing_lets_nobody_pass(gateway: MemoryGateway) -> None:
    configure(gateway, monthly_request_budget=0)
    assert ask(gateway, gateway.proxy()).status == 402


def test_who_has_no_budget_is_told_so_before_all_else(gateway: MemoryGateway) -> None:
    configure(gateway, monthly_request_budget=1)
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=1)
    assert statuses(gateway, proxy, 2) == [200, 402]


def test_a_suspended_client_is_402_and_counts_nothing(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=1)
    configure(gateway, suspended=True)
    assert statuses(gateway, proxy, 3) == [402] * 3
    configure(gateway, suspended=False)
    assert statuses(gateway, proxy, 2) == [200, 429]


def test_a_change_of_a_limit_keeps_what_was_counted(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=3)
    assert statuses(gateway, proxy, 4) == [200, 200, 200, 429]
    proxy = evolve(proxy, max_requests_per_minute=4)
    gateway.directory.put(proxy)
    assert statuses(gateway, proxy, 2) == [200, 429]


class Refuses(Plugin):
    """Refuses who says so."""

    name = "refuses"
    kind = Kind.RULES

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    def authorize(self, ex: Exchange) -> Denied | None:
        return Denied("asked for it", status=403) if ex.header(b"X-Refuse") else None


def test_only_what_passed_authentication_and_rules_is_counted() -> None:
    gateway = MemoryGateway([Refuses])
    proxy = gateway.proxy(caller=("apiKey", {"key": "X-Api-Key", "value": "the-key-0001"}), proxyMaxRequestsPerMinute=2)

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = gateway.call("GET", proxy, "/", named).answer
        assert answer is not None
        return answer.status

    assert [status(X_Api_Key="another") for _ in range(5)] == [401] * 5
    assert [status(X_Api_Key="the-key-0001", X_Refuse="yes") for _ in range(5)] == [403] * 5
    assert [status(X_Api_Key="the-key-0001") for _ in range(3)] == [200, 200, 429]


def test_a_body_over_its_bound_is_not_counted(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=1, proxyMaxRequestBytes=3)
    answer = gateway.call("POST", proxy, "/", {}, b"long").answer
    assert answer is not None
    assert answer.status == 413
    assert statuses(gateway, proxy, 2) == [200, 429]


def test_the_operator_is_told_once_a_window(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=5)
    statuses(gateway, proxy, 20)
    gateway.clock.advance(60)
    statuses(gateway, proxy, 20)
    told = [(event.kind, event.subject) for event in gateway.events]
    assert told == [("limit-approached", proxy.id), ("limit-reached", proxy.id)] * 2
    assert {event.window for event in gateway.events} == {"minute"}
    assert gateway.events[0].message == f"proxy {proxy.id} is near its limit: 4 of the 5 requests a minute"
    assert gateway.events[1].message == f"proxy {proxy.id} has reached its limit: 5 of the 5 requests a minute"


def test_the_operator_is_told_of_a_clients_budget(gateway: MemoryGateway) -> None:
    configure(gateway, monthly_request_budget=5)
    statuses(gateway, gateway.proxy(), 10)
    client = gateway.client.id
    assert [(event.kind, event.subject, event.message) for event in gateway.events] == [
        ("budget-approached", client, f"4 of the 5 requests a month of the budget of client {client} are used"),
        ("budget-spent", client, f"the budget of client {client} is spent"),
    ]


def test_what_cannot_be_counted_is_not_let_through(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerMinute=5)
    gateway.counters.close()
    assert ask(gateway, proxy).status == 500
    assert not gateway.target.received
