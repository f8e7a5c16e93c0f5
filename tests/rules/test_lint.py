"""Warnings: told of rules that can never decide anything, and of no others.

Belongs here: one scope at a time. Does not: how they are answered (tests/core/test_rules.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.model import RuleScope, Scope
from rrgate.model.rule import in_order
from rrgate_plugins.rules import RuleChecks
from tests.rules.judged import allow, deny, header, rule_of

# default, rules, words of what is said of each rule that something is said of
TOLD: dict[str, tuple[str, list[Any], dict[str, str]]] = {
    "allow where the default allows": ("allow", [allow("^/a")], {"r1": "default allows"}),
    "deny where all is denied": ("deny", [deny("^/a")], {"r1": "default denies"}),
    "the same twice": ("allow", [deny("^/a"), deny("^/a")], {"r2": "r1 denies the same"}),
    "the same twice, spelled differently": (
        "allow",
        [deny("^/a", methods=["GET", "PUT"]), deny({"pattern": "^/a"}, methods=["put", "get"])],
        {"r2": "r1 denies the same"},
    ),
    "allowed twice": ("deny", [allow("^/a"), allow("^/a")], {"r2": "r1 allows the same"}),
    "allowed and denied": ("deny", [allow("^/a"), deny("^/a")], {"r1": "r2 denies the same, and deny wins"}),
    "everything is denied": (
        "deny",
        [deny("^/a"), deny(), allow("^/b")],
        {"r1": "r2 denies every request", "r3": "r2 denies every request"},
    ),
    "everything is allowed": ("deny", [allow("^/a"), allow()], {"r1": "r2 allows every request"}),
    "a path that does not begin with a slash": ("allow", [deny("^admin")], {"r1": "begins with /"}),
    "a path that does not, with a class": ("allow", [deny("^[a-z]+/x")], {"r1": "begins with /"}),
    "a path that does not, with flags": ("allow", [deny("^(?i)admin")], {"r1": "begins with /"}),
    "a query in the path": ("deny", [allow(r"^/a\?b=1")], {"r1": "ends before the ?"}),
    "a header that does not cross": ("allow", [deny(headers=[header("^Host$")])], {"r1": "is not forwarded"}),
    "another one": ("allow", [deny(headers=[header("^x-forwarded-proto$"), header("^via$")])], {"r1": "^via$"}),
    "bytes beyond ASCII": ("allow", [deny("^/café")], {"r1": "UTF-8"}),
}


def said(default: str, documents: list[Any]) -> dict[str, str]:
    rules = [rule_of(document, f"r{number}") for number, document in enumerate(documents, 1)]
    scope = RuleScope(scope=Scope.PROXY, parent_id="p1", default_effect=default, rules=in_order(rules))
    return {rule_id: " ".join(sentences) for rule_id, sentences in RuleChecks.lint_rules(scope).items()}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in TOLD.items()])
def test_told(row: tuple[str, list[Any], dict[str, str]]) -> None:
    default, documents, words = row
    found = said(default, documents)
    assert set(found) == set(words)
    for rule_id, word in words.items():
        assert word in found[rule_id]


@pytest.mark.parametrize(
    ("default", "documents"),
    [
        ("allow", []),
        ("allow", [deny("^/a")]),
        ("allow", [deny()]),
        ("deny", [allow("^/a"), deny("^/a/b")]),
        ("deny", [allow()]),
        ("allow", [deny("^/a"), deny("^/a", methods=["GET"])]),
        ("allow", [deny("^/a"), deny({"pattern": "^/a", "flags": "i"})]),
        ("allow", [deny("^/a"), deny("^/a", report=True)]),
        ("allow", [allow("^/a", report=True)]),
        ("allow", [allow("^/a", active=False)]),
        # A rule with any check at all is not one for every request.
        ("allow", [deny(methods=["GET"]), deny("^/b")]),
        ("allow", [deny("^/a"), deny("^/b")]),
        ("allow", [deny(headers=[header("^a$")]), deny(headers=[header("^b$")])]),
        ("allow", [deny(query=[header("^a$")]), deny(query=[header("^b$")])]),
        ("allow", [deny("^/a"), deny("^/a", regexFlags="i")]),
        # What the path must not match may begin with anything.
        ("allow", [deny({"path": "^admin", "presence": "must_not_exist"})]),
        # These match at the beginning of any path, or elsewhere in it.
        ("allow", [deny("^"), deny("^()a{0}"), deny("^b|c")]),
        ("allow", [deny("^/|^admin"), deny("^.dmin"), deny("(?m)^b"), deny({"pattern": "^c", "flags": "m"})]),
        ("allow", [deny("admin")]),
        ("allow", [deny(r"^/a\?")]),
        ("allow", [deny(headers=[header("^host$", presence="absent")])]),
        ("allow", [deny(headers=[header("^x-host$"), header("host"), header("^host"), header("host$")])]),
    ],
)
def test_not_told(default: str, documents: list[Any]) -> None:
    assert said(default, documents) == {}
