"""Patterns that are refused, with the reason; and that the shortlist never leaves out a rule that matches.

Belongs here: RE2 as rules use it. Does not: what is matched (test_tables.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.api import ConfigError, PathCheck, Pattern, RuleScope, Scope
from rrgate_plugins.rules import RuleChecks
from rrgate_plugins.rules import patterns as module
from rrgate_plugins.rules.judging import Judge
from rrgate_plugins.rules.patterns import Shortlist, beginning, compiled, spelled
from tests.rules.judged import rule_of

# pattern, what the complaint says
REFUSED = {
    "look-ahead": ("^/a(?=b)", "at character 4; there is no look-ahead"),
    "negative look-ahead": ("^/(?!admin)", "at character 3; there is no look-ahead"),
    "look-behind": ("(?<=a)b", "there is no look-behind"),
    "negative look-behind": ("(?<!a)b", "there is no look-behind"),
    "back-reference": (r"(a)\1", "at character 4; there are no back-references"),
    "back-reference by name": ("(?P<x>a)(?P=x)", "there are no back-references"),
    "atomic group": ("(?>a)", "there are no atomic groups"),
    "possessive": ("a++", "no possessive"),
    "verbose": ("(?x)a", "there is no flag x"),
    "a count over 1000": ("a{1001}", "invalid repetition size"),
    "counts of counts": ("((a{30}){30}){30}", "repetition"),
    "a count that makes it large": ("(?:[a-z]{1,30}[0-9]{1,30}){16}" * 2, "too large"),
    "a class where case is ignored": (r"(?i)/\pL", "where case is ignored"),
    "a class where it is in a part": (r"/(?s-m:(?si:a))[^\P{Greek}]", "where case is ignored"),
    "an open group": ("^/a(b", "missing )"),
    "an open class": ("^/[a", "missing ] at character 3"),
    "an empty class": ("[^]", "any character is"),
    "a code point": (r"\u0041", r"\xHH"),
    "Python's end": (r"a\Z", r"the end of the text is \z"),
    "nothing to repeat": ("*a", "no argument for repetition operator"),
    "a trailing backslash": ("a\\", "trailing \\"),
    "a range backwards": ("[z-a]", "invalid character class range"),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in REFUSED.items()])
@pytest.mark.parametrize(
    ("document", "field"),
    [
        (lambda pattern: {"path": pattern}, "path.path.pattern"),
        (lambda pattern: {"headers": [{"name": "a"}, {"name": pattern}]}, "headers.1.name.pattern"),
        (lambda pattern: {"query": [{"name": "a", "matchValue": pattern}]}, "query.0.matchValue.pattern"),
    ],
)
def test_refused(row: tuple[str, str], document: Any, field: str) -> None:
    pattern, said = row
    with pytest.raises(ConfigError) as caught:
        RuleChecks.check_rule(rule_of({"effect": "deny", **document(pattern)}))
    (problem,) = caught.value.problems
    assert problem.field == field
    assert said in problem.problem


TAKEN = [
    "", "^/a$", r"\/v1\/users", "a|b", "(?i)a", "(?P<name>a)", "(?<name>a)", "[[:alpha:]]", r"\pL", r"\d+\.\w*\b",
    r"\pL" * 10, r"(?i)C:\\\\programs", r"(?-i:\pL)", "a{1000}", r"\Qa.b\E",
    "(?:a|b)+?", r"[^/]+", r"\x41", r"\x{e9}", "é", "a" * 1024, "(?s).", r"\A/a\z", "(?im-s:a)",
]  # fmt: skip


@pytest.mark.parametrize("pattern", TAKEN)
def test_taken(pattern: str) -> None:
    rule = rule_of({"effect": "deny", "path": pattern})
    assert not rule.misformed()
    RuleChecks.check_rule(rule)


@pytest.mark.parametrize(
    ("check", "field", "word"),
    [
        ({"path": "a" * 1025}, "path.path.pattern", "at most 1024"),
        ({"path": "é" * 1025}, "path.path.pattern", "at most 1024"),
        ({"path": "€"}, "path.path.pattern", "Latin-1"),
        ({"query": [{"name": "日本"}]}, "query.0.name.pattern", "Latin-1"),
        ({"path": {"path": {"pattern": "a", "flags": "x"}}}, "path.path.flags", "imsguy"),
        (
            {"headers": [{"name": "a", "matchValue": {"pattern": "a", "flags": "mm"}}]},
            "headers.0.matchValue.flags",
            "once",
        ),
    ],
)
def test_misformed(check: dict[str, Any], field: str, word: str) -> None:
    (problem,) = rule_of({"effect": "deny", **check}).misformed()
    assert problem.field == field
    assert word in problem.problem


def test_names_of_headers_have_no_case() -> None:
    with pytest.raises(ConfigError) as caught:
        RuleChecks.check_rule(rule_of({"effect": "deny", "headers": [{"name": "(?-i)X-A"}]}))
    assert [problem.field for problem in caught.value.problems] == ["headers.0.name.pattern"]
    RuleChecks.check_rule(rule_of({"effect": "deny", "query": [{"name": "(?-i)X-A"}]}))


def test_every_bad_pattern_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        RuleChecks.check_rule(rule_of({"effect": "deny", "path": "(", "query": [{"name": "[", "matchValue": ")"}]}))
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["path.path.pattern", "query.0.name.pattern", "query.0.matchValue.pattern"]


def test_all_patterns_of_a_rule_have_a_size_together() -> None:
    long = {"name": "n", "matchValue": "a" * 1000}
    RuleChecks.check_rule(rule_of({"effect": "deny", "headers": [long] * 4}))
    with pytest.raises(ConfigError) as caught:
        RuleChecks.check_rule(rule_of({"effect": "deny", "headers": [long] * 3, "query": [long] * 3}))
    assert [problem.field for problem in caught.value.problems] == ["query.1.matchValue.pattern"]


def test_classes_are_few_and_case_counts_where_they_are() -> None:
    def problems(check: dict[str, Any]) -> dict[str, str]:
        with pytest.raises(ConfigError) as caught:
            RuleChecks.check_rule(rule_of({"effect": "deny", **check}))
        return {problem.field: problem.problem for problem in caught.value.problems}

    assert "more than 10 classes" in problems({"path": r"\pL" * 11})["path.path.pattern"]
    assert "case is ignored" in problems({"path": r"\pL", "regexFlags": "i"})["path.path.pattern"]
    # RE2 would look at names of headers without case, whatever is said of it.
    assert "case is ignored" in problems({"headers": [{"name": r"\pL"}]})["headers.0.name.pattern"]
    ten = {"name": "n", "matchValue": r"\pL" * 10}
    assert "rule too large" in problems({"query": [ten] * 2})["query.1.matchValue.pattern"]


# what many patterns of one rule are made of, each with a number before it
HOSTILE = {
    "classes without case": lambda number: rf"{number}(?i)" + r"\PL" * 200,
    "one class of all, without case": lambda number: rf"{number}(?i)" + r"\p{Any}" * 100,
    "classes in classes": lambda number: rf"(?i){number}" + r"[\pL\pN\pP\pS\pM\pZ]" * 40,
    "classes": lambda number: str(number) + r"\PL" * 250,
    "some classes": lambda number: str(number) + r"\PL" * 10,
    "repetitions": lambda number: f"{number}.{{0,1000}}.{{0,1000}}",
    "more of them": lambda number: f"{number}" + "x{1000}" * 100,
    "groups": lambda number: str(number) + "(((((a*)*)*)*)*)*" * 55,
    "alternatives": lambda number: f"(?i){number}" + "(a|b|c|" * 100 + ")" * 100,
    "ranges": lambda number: f"(?i){number}" + "[a-z\xe0-\xff]" * 100,
}


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in HOSTILE.items()])
def test_whatever_patterns_a_rule_has_it_is_judged_soon(made: Callable[[int], str]) -> None:
    """All requests of the process wait for that."""
    numbers = iter(range(1000))

    def checks(first: str, second: str) -> list[dict[str, str]]:
        return [{first: made(next(numbers)), second: made(next(numbers))} for _ in range(20)]

    rule = rule_of(
        {
            "effect": "deny",
            "headers": checks("name", "matchValue"),
            "query": checks("name", "matchValue"),
            "body": checks("jsonPath", "matchValue"),
            "token": checks("claim", "matchValue"),
        }
    )
    assert not rule.misformed()
    before = time.thread_time()
    with pytest.raises(ConfigError):
        RuleChecks.check_rule(rule)
    assert time.thread_time() - before < 0.3


# Shortlists.

_FILTER = module.re2.Filter

PARTS = st.sampled_from(
    ["admin", "users", "/", "v1", "^", "$", ".", ".*", "[a-z]", "[ks]", "(a|b)", "(admin|users)?", "x{3}", "(?i)",
     r"\d", r"\.", r"\x61", "é", r"\xe9", "Admin", r"\b", "[^/]+", "(?i:K)", "a?", "(?:)", r"\pL", "[é-ê]", "kelvin",
     r"\101", "*", "^/v1", "^admin", "|users", "{0}"]
)  # fmt: skip
TEXTS = st.lists(
    st.sampled_from([b"admin", b"ADMIN", b"users", b"/", b"v1", b"a", b"b", b"xxx", b"\xe9", b"\xc9", b"k", b"K"]),
    max_size=6,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(
    made=st.lists(st.tuples(st.lists(PARTS, max_size=5).map("".join), st.sampled_from(["", "i", "m", "s", "ims"]))),
    texts=st.lists(TEXTS, min_size=1, max_size=3),
)
def test_no_pattern_that_matches_is_left_out(made: list[tuple[str, str]], texts: list[bytes]) -> None:
    expressions = []
    for text, flags in made:
        try:
            expressions.append((compiled(Pattern(text, flags), None), spelled(Pattern(text, flags), None)))
        except ValueError:
            continue
    listed = Shortlist([spelling for _, spelling in expressions]).may_match(texts)
    matching = {
        place for place, (expression, _) in enumerate(expressions) if any(expression.search(text) for text in texts)
    }
    assert matching <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("pattern", "begins"),
    [
        (rb"^/v1/users/[0-9]+$", b"/v1/users/"),
        (rb"^/v1", b"/v1"),
        (rb"^/v1*", b"/v"),
        (rb"^/v1?x", b"/v"),
        (rb"^/v1{0}", b"/v"),
        (rb"^/a\.b", b"/a"),
        (rb"^a*", None),
        (rb"^*/a", None),
        (rb"^/a|b", None),
        (rb"(?i)^/a", None),
        (rb"^/a(?i:b)", None),
        (rb"(^/a)", None),
        (rb"/a", None),
        (rb"^", None),
        (rb"", None),
    ],
)
def test_how_a_text_must_begin(pattern: bytes, begins: bytes | None) -> None:
    assert beginning(pattern) == begins


def test_texts_that_begin_otherwise_are_not_shown_to_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module.re2, "Filter", None)
        shortlist = Shortlist([b"^/aaa", b"^/bbb/[0-9]"])
        assert shortlist.may_match([b"/aa", b"/ccc/aaa"]) == []
        assert shortlist.may_match([b"/ccc", b"/bbb/"]) == [1]  # nor are others, where there are few
        assert shortlist.may_match([b"/bbb", b"/aaab"]) == [0]
        assert shortlist.may_match([b"/bbb/x", b"/aaab"]) == [0, 1]
        shortlist = _of_many(Shortlist([b"^/aaa", b"^/bbb/[0-9]"]))
        assert shortlist.may_match([b"/aa", b"/ccc/aaa"]) == []
    assert shortlist.may_match([b"/bbb/1"]) == [1]
    monkeypatch.setattr(shortlist, "_parts", [(_Failing(), places) for _, places in shortlist._parts])
    assert shortlist.may_match([b"/aa", b"/ccc/aaa"]) == []
    assert shortlist.may_match([b"/ccc", b"/aaaa"]) == [0, 1]


def test_a_rule_whose_paths_begin_in_a_known_way_is_compiled_when_a_request_needs_it() -> None:
    def judging(path: str) -> Judge:
        rule = evolve(rule_of({"effect": "deny"}), path=PathCheck(Pattern(path)))
        return Judge([RuleScope(scope=Scope.PROXY, parent_id="p", default_effect="allow", rules=(rule,))])

    with pytest.raises(ValueError, match="RE2"):
        judging("/v1/[")
    ((_, _, later),) = judging("^/v1/[")._all
    assert later is not None
    with pytest.raises(ValueError, match="RE2"):  # as a fault of the plugin, for which the request is refused
        _ = later.checks
    ((_, _, later),) = judging("^/v1/[0-9]")._all
    assert later is not None
    assert later.checks is later.checks


def test_few_are_listed() -> None:
    shortlist = Shortlist([f"^/v1/resource{number}/[0-9]+$".encode() for number in range(1000)])
    assert shortlist.may_match([b"/v1/resource77/x"]) == [77]
    assert shortlist.may_match([b"/v1/customers"]) == []
    assert shortlist.may_match([b"/V1/RESOURCE5/"]) == [5]


def test_more_than_re2_takes_at_once_is_taken_apart() -> None:
    long = [f"^/{number:04}{'abcdefgh' * 100}$".encode() for number in range(400)]
    shortlist = Shortlist(long)
    assert len(shortlist._parts) > 1
    for number in (0, 123, 399):
        assert shortlist.may_match([long[number].strip(b"^$")]) == [number]
    assert shortlist.may_match([b"/"]) == []


def test_where_re2_fails_all_may_match(monkeypatch: pytest.MonkeyPatch) -> None:
    shortlist = _of_many(Shortlist([b"^/aaa", b"^/bbb"]))
    assert shortlist.may_match([b"/aaa"]) == [0]
    # What a set of RE2's answers when it has run out of memory: nothing, and no error.
    monkeypatch.setattr(shortlist, "_parts", [(_Failing(), places) for _, places in shortlist._parts])
    assert shortlist.may_match([b"/aaa"]) == [0, 1]

    monkeypatch.setattr(module.re2, "Filter", _Failing)
    assert sorted(_of_many(Shortlist([b"^/aaa", b"^/bbb"])).may_match([b"/aaa/ccc"])) == [0, 1]


def test_what_re2_cannot_match_all_at_once_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may run out of memory when it matches what it has compiled."""
    monkeypatch.setattr(module.re2, "Filter", _FailingForMoreThanTwo)
    shortlist = _of_many(Shortlist([b"^/aaa", b"^/bbb", b"^/ccc", b"^/ddd", b"^/eee"]))
    assert shortlist.may_match([b"/ccc"]) == [2]
    assert sorted(shortlist.may_match([b"/aaa", b"/eee"])) == [0, 4]


def test_re2_has_nothing_to_complain_of(capfd: pytest.CaptureFixture[str]) -> None:
    """It takes the texts of its shortlists for UTF-8, and writes what is none to stderr."""
    shortlist = _of_many(Shortlist([b"^/caf\xe9", rb"^/caf\xe9", b"^/tea", b"^/milk"]))
    assert sorted(shortlist.may_match([b"/tea"])) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def _of_many(shortlist: Shortlist) -> Shortlist:
    """As if its patterns were too many to be gone through."""
    shortlist._few = None
    return shortlist


class _FailingForMoreThanTwo:
    def __init__(self) -> None:
        self._filter = _FILTER()
        self._count = 0

    def Add(self, pattern: bytes, options: object) -> None:
        self._filter.Add(pattern, options)
        self._count += 1

    def Compile(self) -> None:
        self._filter.Compile()

    def Match(self, text: bytes, potential: bool) -> Any:
        # One stands in front of the others.
        return self._filter.Match(text, potential) if self._count <= 3 else None


class _Failing:
    def Add(self, pattern: bytes, options: object) -> None: ...

    def Compile(self) -> None: ...

    def Match(self, text: bytes, potential: bool) -> None:
        return None
