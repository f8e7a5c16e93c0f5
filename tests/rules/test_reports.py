"""Rules that only report: counted, logged and in the record, and nothing else comes of them.

Belongs here: what a `report` rule does where it matches. Does not: that it decides nothing in each class of checks
(test_tables.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogLevel, globalLogPublisher

from rrgate.model import RuleScope, Scope
from rrgate.model.rule import in_order
from tests.rules.judged import KEY, Judged, allow, deny, rule_of


@pytest.fixture(scope="module")
def judged() -> Judged:
    return Judged()


def told(judged: Judged, proxy: Any, request: str) -> list[str]:
    """The steps of the record of a request that have to do with rules."""
    method, _, path = request.partition(" ")
    judged.gateway.call(method, proxy, path, {"X-Api-Key": KEY})
    timeline: Any = judged.gateway.records[-1][0]["timeline"]
    return [each["step"] for each in timeline if each["step"].startswith("rule ")]


@pytest.mark.parametrize("default", ["allow", "deny"])
@pytest.mark.parametrize("scope", Scope)
def test_it_is_told_with_what_it_would_do(judged: Judged, scope: Scope, default: str) -> None:
    rules = {scope: [deny("^/a", report=True), allow("^/a/b", report=True), deny("^/c", report=True), allow("^/")]}
    proxy = judged.proxy(rules, {scope: default})
    assert told(judged, proxy, "GET /a") == ["rule r1 would deny"]
    assert told(judged, proxy, "GET /a/b") == ["rule r1 would deny", "rule r2 would allow"]
    assert told(judged, proxy, "GET /b") == []


def test_what_only_looks_alike_is_not_told(judged: Judged) -> None:
    proxy = judged.proxy([deny("^/a/[0-9]$", report=True), deny("^/a/[a-z]$", report=True)])
    assert told(judged, proxy, "GET /a/x") == ["rule r2 would deny"]
    assert told(judged, proxy, "GET /a/X") == []


def test_it_is_told_of_what_others_deny(judged: Judged) -> None:
    rules = {Scope.PROXY: [deny("^/a")], Scope.TARGET: [deny(report=True), allow("^/a", report=True)]}
    outcome = judged.ask(rules, "GET /a")
    assert (outcome.rule, outcome.scopes) == ("r1", frozenset(Scope) - {Scope.PROXY})
    assert told(judged, judged.proxy(rules), "GET /a") == ["rule r2 would deny", "rule r3 would allow"]


def test_it_is_counted_from_its_proxy_s_compilation_on(judged: Judged) -> None:
    lines: list[tuple[str, int]] = []

    def observe(event: Any) -> None:
        if event.get("log_level") is LogLevel.debug and "would" in (event.get("log_format") or ""):
            lines.append((event["rule"], event["count"]))

    proxy = judged.proxy([deny("^/a", report=True), deny(methods=["GET"], report=True)])
    globalLogPublisher.addObserver(observe)
    try:
        for request in ("GET /a", "GET /b", "POST /a", "POST /b", "GET /a"):
            told(judged, proxy, request)
    finally:
        globalLogPublisher.removeObserver(observe)
    assert lines == [("r1", 1), ("r2", 1), ("r2", 2), ("r1", 2), ("r1", 3), ("r2", 3)]


def test_one_that_does_not_match_is_as_if_it_were_not(judged: Judged) -> None:
    outcome = judged.ask([deny("^/b", report=True), allow("^/b", report=True)], "GET /a", default="deny")
    assert (outcome.passed, outcome.rule) == (False, None)
    assert outcome.message == "No rule of the proxy allows this request"


@pytest.mark.parametrize(
    ("default", "documents", "is_open"),
    [
        ("allow", [deny(report=True), allow("^/a")], True),
        ("allow", [deny(report=True), deny("^/a")], False),
        ("deny", [allow(report=True)], False),
    ],
)
def test_a_scope_in_which_denials_are_only_reported_denies_nothing(
    default: str, documents: list[Any], is_open: bool
) -> None:
    rules = in_order(rule_of(document) for document in documents)
    assert RuleScope(scope=Scope.PROXY, parent_id="p1", default_effect=default, rules=rules).open is is_open
