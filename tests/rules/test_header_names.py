"""Names of headers that a Judge knows: what it says of a request does not depend on those that came before.

Belongs here: the memory of names. Does not: what a check of a header matches (test_tables.py).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.api import RuleScope, Scope
from rrgate.paths import judge_path
from rrgate_plugins.rules import indexes
from rrgate_plugins.rules.indexes import LONGEST_NAME, MOST_LOOKED_AT, MOST_NAMES
from rrgate_plugins.rules.judging import Judge
from rrgate_plugins.rules.patterns import Shortlist
from tests.rules.judged import deny, header, rule_of

PATTERNS = ("^x-debug$", "x_b", "[0-9]", "^y-?z$", "caf\u00e9")


class Request:
    """As much of an Exchange as is asked for."""

    method = b"GET"
    identity = None
    forms = judge_path(b"/a")
    query = b""

    def __init__(self, names: list[bytes]) -> None:
        self._fields = [(name.lower().replace(b"_", b"-"), name, b"v") for name in names]

    def crossing_fields(self) -> Any:
        return self._fields

    def crossing_query(self) -> bytes:
        return b""


def judge_of(*patterns: str) -> Judge:
    rules = tuple(rule_of(deny(headers=[header(each)]), f"r{number}") for number, each in enumerate(patterns))
    return Judge([RuleScope(scope=Scope.PROXY, parent_id="p", default_effect="allow", rules=rules)])


def denying(judge: Judge, names: list[bytes]) -> str | None:
    request: Any = Request(names)
    return judge.verdict(request).deciding


NAMES = st.lists(
    st.sampled_from(
        [
            b"Accept",
            b"X-Debug",
            b"x_debug",
            b"X-DEBUG",
            b"X-B",
            b"x_b",
            b"X-1",
            b"yz",
            b"Y-Z",
            b"caf\xe9",
            b"y" * 99,
            b"1" * 99,
        ]
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(NAMES, min_size=2, max_size=6), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3))
def test_what_came_before_makes_no_difference(requests: list[list[bytes]], patterns: list[str]) -> None:
    knowing = judge_of(*patterns)
    for names in requests:
        assert denying(knowing, names) == denying(judge_of(*patterns), names)


def test_many_made_up_names_are_neither_kept_nor_let_through() -> None:
    judge = judge_of("^x-debug$")
    (index,) = judge._indexes
    assert isinstance(index, indexes.HeaderIndex)
    for turn in range(20):
        made_up = [b"x-%d-%d" % (turn, number) for number in range(MOST_LOOKED_AT + 20)]
        assert denying(judge, made_up) is None
        assert denying(judge, [*made_up, b"X-Debug"]) is not None
        assert denying(judge, [b"again-%d" % turn, *made_up, b"X_Debug"]) is not None
        assert len(index.known) <= MOST_NAMES
    assert denying(judge, [b"x" * (LONGEST_NAME + 1)]) is None
    assert b"x" * (LONGEST_NAME + 1) not in index.known


def test_names_that_are_known_are_not_shown_to_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, shown = judge_of("^x-debug$"), []
    really = Shortlist.may_match

    def noted(self: Shortlist, texts: list[bytes]) -> list[int]:
        shown.append(texts)
        return really(self, texts)

    monkeypatch.setattr(Shortlist, "may_match", noted)
    for names, looks in (
        ([b"Accept", b"Host"], 1),
        ([b"Host", b"Accept"], 0),
        ([], 0),
        ([b"Host", b"X-Debug"], 2),
        ([b"X-Debug"], 0),
        ([b"Accept", b"x-debug"], 2),  # another spelling is another name
    ):
        shown.clear()
        assert (denying(judge, names) is None) == (b"x-debug" not in [name.lower() for name in names])
        assert len(shown) == looks
