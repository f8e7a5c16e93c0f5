"""The three spellings of a rule's checks mean the same and are answered in the third.

Belongs here: documents in and out. Does not: what a rule does (test_tables.py), the routes (tests/core/test_rules.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from rrgate.api import ConfigError
from rrgate.model.documents import publish
from rrgate.model.rule import METHODS
from rrgate.wire.request_head import METHODS as FORWARDED
from tests.rules.judged import rule_of

A = {"pattern": "^/a"}
THERE = {"presence": "must_exist"}
GONE = {"presence": "must_not_exist"}
NAMED = {"name": {"pattern": "n"}, "matchValue": {"pattern": "v"}, **THERE}

# as it is given, as it is answered
SPELLINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "first": ({"pathPattern": "^/a", "pathPresence": "present"}, {"path": {"path": A, **THERE}}),
    "first, absent": ({"pathPattern": "^/a", "pathPresence": "absent"}, {"path": {"path": A, **GONE}}),
    "first, without presence": ({"pathPattern": "^/a"}, {"path": {"path": A, **THERE}}),
    "first, with a pattern's object": (
        {"pathPattern": {"pattern": "^/a", "flags": "i"}},
        {"path": {"path": {"pattern": "^/a", "flags": "i"}, **THERE}},
    ),
    "first, none": ({"pathPattern": None}, {"path": None}),
    "second": ({"path": {"pattern": "^/a", "presence": "present"}}, {"path": {"path": A, **THERE}}),
    "second, absent": ({"path": {"pattern": "^/a", "presence": "absent"}}, {"path": {"path": A, **GONE}}),
    "second, without presence": ({"path": {"pattern": "^/a"}}, {"path": {"path": A, **THERE}}),
    "second, with flags": (
        {"path": {"pattern": "^/a", "flags": "i"}},
        {"path": {"path": {"pattern": "^/a", "flags": "i"}, **THERE}},
    ),
    "third": ({"path": {"path": A, "presence": "must_exist"}}, {"path": {"path": A, **THERE}}),
    "third, must not": ({"path": {"path": A, "presence": "must_not_exist"}}, {"path": {"path": A, **GONE}}),
    "third, without presence": ({"path": {"path": A}}, {"path": {"path": A, **THERE}}),
    "third, a string for the pattern": ({"path": {"path": "^/a"}}, {"path": {"path": A, **THERE}}),
    "a string for all of it": ({"path": "^/a"}, {"path": {"path": A, **THERE}}),
    "words of the first in the third": ({"path": {"path": A, "presence": "absent"}}, {"path": {"path": A, **GONE}}),
    "words of the third in the first": (
        {"pathPattern": "^/a", "pathPresence": "must_not_exist"},
        {"path": {"path": A, **GONE}},
    ),
    "headers": ({"headers": [NAMED]}, {"headers": [NAMED]}),
    "headerChecks": ({"headerChecks": [{"name": "n", "matchValue": "v"}]}, {"headers": [NAMED]}),
    "query": ({"query": [NAMED]}, {"query": [NAMED]}),
    "queryChecks": ({"queryChecks": [{"name": "n", "matchValue": "v"}]}, {"query": [NAMED]}),
    "a check without a value": ({"headers": [{"name": "n"}]}, {"headers": [{"name": {"pattern": "n"}, **THERE}]}),
    "a check that something is absent": (
        {"query": [{"name": "n", "presence": "absent"}]},
        {"query": [{"name": {"pattern": "n"}, **GONE}]},
    ),
    "body": (
        {"body": [{"jsonPath": "^a$", "matchValue": "v"}]},
        {"body": [{"jsonPath": {"pattern": "^a$"}, "matchValue": {"pattern": "v"}, **THERE}]},
    ),
    "token": (
        {"token": [{"claim": "^sub$", "presence": "absent"}]},
        {"token": [{"claim": {"pattern": "^sub$"}, **GONE}]},
    ),
    "methods": ({"methods": ["get", "POST", "get"]}, {"methods": ["GET", "POST"]}),
    "all methods": ({"methods": None}, {"methods": None}),
    "as many checks as can be": ({"headers": [NAMED] * 20}, {"headers": [NAMED] * 20}),
    "the greatest priority": ({"priority": 1000}, {"priority": 1000}),
    "the longest notes": ({"notes": "n" * 2000}, {"notes": "n" * 2000}),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in SPELLINGS.items()])
def test_spellings(row: tuple[dict[str, Any], dict[str, Any]]) -> None:
    given, answered = row
    rule = rule_of({"effect": "deny", **given})
    document = publish(rule)
    found = {name: _lists(document[name]) for name in answered}
    assert found == answered
    # What is answered is taken again, and means the same.
    assert rule_of({"effect": "deny", **found}) == rule


def _lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# document, the field that is complained of, a word of the complaint
MISSPELLED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no effect": ({"effect": None}, "effect", "string"),
    "another effect": ({"effect": "block"}, "effect", "allow, deny"),
    "path twice": ({"path": "^/a", "pathPattern": "^/a"}, "pathPattern", "one of the two"),
    "headers twice": ({"headers": [], "headerChecks": []}, "headerChecks", "one of the two"),
    "query twice": ({"queryChecks": [], "query": []}, "query", "one of the two"),
    "presence alone": ({"pathPresence": "absent"}, "pathPresence", "needs pathPattern"),
    "another presence": ({"pathPattern": "a", "pathPresence": "maybe"}, "path.presence", "must_exist"),
    "a presence that is no word": ({"path": {"path": "a", "presence": True}}, "path.presence", "must_exist"),
    "a path that is a number": ({"path": 5}, "path", "object"),
    "a path without a pattern": ({"path": {"presence": "present"}}, "path.path", "required"),
    "a pattern that is a list": ({"path": {"path": ["a"]}}, "path.path", "object"),
    "a pattern that is a number": ({"path": {"path": {"pattern": 1}}}, "path.path.pattern", "string"),
    "a field too many": ({"path": {"path": "a", "value": "b"}}, "path.value", "not a known field"),
    "a pattern's field too many": ({"path": {"path": {"pattern": "a", "flag": "i"}}}, "path.path.flag", "flags"),
    "headers as an object": ({"headers": {"name": "a"}}, "headers", "array"),
    "a header's check as a string": ({"headers": ["a"]}, "headers.0", "object"),
    "a header's check without a name": ({"headers": [{"matchValue": "a"}]}, "headers.0.name", "required"),
    "the second one's": ({"query": [{"name": "a"}, {"name": 1}]}, "query.1.name", "object"),
    "no methods": ({"methods": []}, "methods", "at least one"),
    "a method that is none": ({"methods": ["GET", "FETCH"]}, "methods", "GET and POST"),
    "a method that is never forwarded": ({"methods": ["CONNECT"]}, "methods", "forwards"),
    "methods as a string": ({"methods": "GET"}, "methods", "array"),
    "priority": ({"priority": 1001}, "priority", "0 to 1000"),
    "priority below": ({"priority": -1}, "priority", "0 to 1000"),
    "priority as a string": ({"priority": "1"}, "priority", "whole number"),
    "flags": ({"regexFlags": "x"}, "regexFlags", "imsguy"),
    "flags twice": ({"regexFlags": "ii"}, "regexFlags", "at most once"),
    "too many checks": ({"headers": [{"name": "a"}] * 21}, "headers", "at most 20"),
    "long notes": ({"notes": "n" * 2001}, "notes", "at most 2000"),
    "a field of another noun": ({"proxyName": "a"}, "proxyName", "not a known field"),
    "the first spelling, misspelled": ({"pathpattern": "a"}, "pathpattern", "not a known field"),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in MISSPELLED.items()])
def test_what_is_misspelled_is_refused_by_its_place(row: tuple[dict[str, Any], str, str]) -> None:
    given, field, word = row
    with pytest.raises(ConfigError) as caught:
        rule_of({"effect": "deny", **given})
    assert [problem.field for problem in caught.value.problems] == [field]
    assert word in caught.value.problems[0].problem


def test_the_methods_of_rules_are_those_that_are_forwarded() -> None:
    assert {name.encode() for name in METHODS} == FORWARDED
