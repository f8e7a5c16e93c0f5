"""Patterns for which RE2 goes its slow way: a request takes so much time, and what is left is in doubt.

Belongs here: what is bounded, and what doubt then means. Does not: what is refused when it is saved (test_patterns.py).
"""

from __future__ import annotations

from time import thread_time
from typing import Any

import pytest

from rrgate.api import Pattern, RuleScope, Scope
from rrgate_plugins.rules.judging import Judge
from rrgate_plugins.rules.message import MOST_SECONDS
from rrgate_plugins.rules.patterns import MOST_WORK, Spent, TooMuchWork, compiled, search_of
from tests.rules.judged import Document, allow, deny, header, rule_of
from tests.rules.test_glance import Request

SLOW = "[w-x]{700}[y-z]"
"""120 ms for 15,000 bytes: what RE2 would have to remember of it does not fit into its memory."""
LONG = b"/" + b"x" * 15_000


def judge_of(*rules: Document, default: str = "allow") -> Judge:
    made = tuple(rule_of(each, f"r{number}") for number, each in enumerate(rules))
    return Judge([RuleScope(scope=Scope.PROXY, parent_id="p", default_effect=default, rules=made)])


def denied(judge: Judge, request: Any) -> bool:
    return judge.verdict(request).denying is not None


def test_two_hundred_slow_rules_take_little_more_than_one_and_what_is_left_is_denied() -> None:
    judge = judge_of(*(deny(f"[w-x]{{{700 - number}}}[y-z]") for number in range(200)))
    began = thread_time()
    assert denied(judge, Request(LONG)), "no one of them matches, but that is not found out"
    assert thread_time() - began < 3, "one alone takes 0.1 to 0.4 s, all of them 20"
    assert not denied(judge, Request(b"/short"))


def test_what_is_in_doubt_is_not_allowed() -> None:
    rules = (*(allow(f"[w-x]{{{700 - number}}}[y-z]") for number in range(10)), allow("^/x"))
    assert denied(judge_of(*rules, default="deny"), Request(LONG))
    assert not denied(judge_of(*rules, default="deny"), Request(b"/x"))


def test_time_that_another_request_took_is_not_counted() -> None:
    Spent.seconds += 10 * MOST_SECONDS
    assert not denied(judge_of(deny(headers=[header("^x$", SLOW)])), Request(b"/x", names=[b"X"]))


@pytest.mark.parametrize(
    ("checks", "is_denied"),
    [
        ({"path": SLOW}, True),
        ({"path": {"pattern": SLOW, "presence": "absent"}}, True),
        ({"path": SLOW, "headers": [header("^not-there$")]}, False),
        ({"path": SLOW, "methods": ["DELETE"]}, False),
    ],
)
def test_a_text_that_is_too_long_for_a_pattern_is_in_doubt_for_that_check_alone(
    checks: dict[str, Any], is_denied: bool
) -> None:
    too_long = Request(b"/" + b"x" * (MOST_WORK // 700 + 1))
    began = thread_time()
    assert denied(judge_of(deny(**checks)), too_long) == is_denied
    assert thread_time() - began < 0.5
    allowing = judge_of(allow(**checks), default="deny")
    assert denied(allowing, too_long)


def test_as_long_as_may_be_is_searched() -> None:
    search = search_of(Pattern("x{60}y"), None)
    longest = MOST_WORK // compiled(Pattern("x{60}y"), None).programsize
    assert search(b"x" * (longest - 1) + b"y")
    assert not search(b"z" * longest)
    with pytest.raises(TooMuchWork):
        search(b"z" * (longest + 1))


def test_what_takes_little_is_not_measured() -> None:
    search, before = search_of(Pattern("^/v1/[a-z]+$"), None), Spent.seconds
    assert search(b"/v1/customers")
    assert Spent.seconds == before
    assert not search(b"/v1/" + b"x" * 20_000 + b"1")
    assert Spent.seconds > before
