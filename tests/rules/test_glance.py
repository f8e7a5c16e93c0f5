"""A Glance says of no request that nothing matches where a rule does, and answers for most where none does.

Belongs here: the short way beside the long one. Does not: what rules match (test_tables.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.api import RuleScope, Scope
from rrgate.paths import judge_path
from rrgate_plugins.rules import judging
from rrgate_plugins.rules.judging import Judge
from rrgate_plugins.rules.message import Message
from tests.rules.judged import Document, allow, deny, header, rule_of


class Request:
    """As much of an Exchange as is asked for. `names`: of its headers."""

    identity = None

    def __init__(self, path: bytes, method: bytes = b"GET", names: Sequence[bytes] = (), query: bytes = b"") -> None:
        self.method = method
        self.forms = judge_path(path, raw_paths=True)
        self.query = query
        self._fields = [(name.lower().replace(b"_", b"-"), name, b"v") for name in names]

    def crossing_fields(self) -> Any:
        return self._fields

    def crossing_query(self) -> bytes:
        return self.query


def judge_of(rules: Sequence[Document], default: str = "allow") -> Judge:
    made = tuple(rule_of(each, f"r{number}") for number, each in enumerate(rules))
    return Judge([RuleScope(scope=Scope.PROXY, parent_id="p", default_effect=default, rules=made)])


def verdict(judge: Judge, request: Request) -> Any:
    asked: Any = request
    return judge.verdict(asked)


def in_full(judge: Judge, request: Request) -> Any:
    """By every rule, none of which is left out of the look."""
    asked: Any = request
    return judge.explained(Message(asked))[0]


PATHS = ("^/v1/", "^/admin", "^/admin/users$", "^/", "/v1/", "^/a|^/b", "(?i)^/admin")
CHECKS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(PATHS) | st.fixed_dictionaries(
            {"pattern": st.sampled_from(PATHS[:3]), "presence": st.just("absent")}
        ),
        "methods": st.sampled_from((["GET"], ["DELETE", "PUT"], ["POST"])),
        "headers": st.sampled_from((["^x-debug$"], ["^x_b$"])).map(lambda names: [header(each) for each in names]),
        "query": st.just([header("^debug$")]),
    },
)  # fmt: skip
RULES = st.lists(st.tuples(st.sampled_from((deny, allow)), CHECKS), min_size=1, max_size=5)
REQUESTS = st.builds(
    Request,
    st.sampled_from((b"", b"/", b"/v1/x", b"/admin", b"/ADMIN", b"/%61dmin", b"//admin", b"/v1%2Fx", b"/x;p=1/admin")),
    st.sampled_from((b"GET", b"PUT", b"DELETE", b"PATCH")),
    st.lists(st.sampled_from((b"Accept", b"X-Debug", b"x_debug", b"X-B", b"Host")), max_size=3),
    st.sampled_from((b"", b"debug=1", b"a=1", b"%64ebug", b"a=1;debug=1")),
)


@settings(max_examples=300, deadline=None)
@given(RULES, st.sampled_from(("allow", "deny")), st.lists(REQUESTS, min_size=1, max_size=4))
def test_the_short_way_says_what_the_long_one_says(
    rules: Sequence[tuple[Any, dict[str, Any]]], default: str, requests: Sequence[Request]
) -> None:
    judge = judge_of([effect(**checks) for effect, checks in rules], default)
    for request in (*requests, *requests):
        said = verdict(judge, request)
        meant = in_full(judge, request)
        assert (said.denying, said.allowing) == (meant.denying, meant.allowing)
        assert (said.deciding is None) == (meant.deciding is None)


OF_ALL_KINDS = (
    deny("^/rows", methods=["DELETE"]),
    deny("^/admin/"),
    deny(headers=[header("^x-debug$")]),
    deny(query=[header("^debug$")]),
)


@pytest.mark.parametrize(
    ("rules", "request_", "at_a_glance"),
    [
        (OF_ALL_KINDS, Request(b"/rows", names=[b"Accept"]), True),
        (OF_ALL_KINDS, Request(b""), True),
        (OF_ALL_KINDS, Request(b"/%72ows"), True),
        (OF_ALL_KINDS, Request(b"/rows", b"DELETE"), False),
        (OF_ALL_KINDS, Request(b"/%72ows", b"DELETE"), False),
        (OF_ALL_KINDS, Request(b"/admin/", b"DELETE"), False),
        (OF_ALL_KINDS, Request(b"/admin/users"), False),
        (OF_ALL_KINDS, Request(b"/rows", names=[b"Accept", b"x-debug"]), False),
        (OF_ALL_KINDS, Request(b"/rows", query=b"page=2"), False),
        ([deny("^/")], Request(b""), False),
        ([deny("admin")], Request(b"/rows"), False),
        ([deny("(?i)^/admin")], Request(b"/rows"), False),
        ([deny({"pattern": "^/rows", "presence": "absent"})], Request(b"/rows"), False),
        ([deny(methods=["DELETE"])], Request(b"/rows"), False),
        ([deny(f"^/admin{number}") for number in range(17)], Request(b"/rows"), False),
    ],
)
def test_what_is_told_at_a_glance_is_not_taken_apart(
    rules: Sequence[Document], request_: Request, at_a_glance: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = judge_of(rules)
    verdict(judge, Request(b"/other", names=[b"Accept"]))  # whose header's name is known from then on
    taken_apart: list[Any] = []

    def noted(ex: Any) -> Message:
        taken_apart.append(ex)
        return Message(ex)

    monkeypatch.setattr(judging, "Message", noted)
    said = verdict(judge, request_)
    assert bool(taken_apart) is not at_a_glance
    assert said.denying == in_full(judge, request_).denying


def test_nothing_is_allowed_where_the_path_was_not_judged() -> None:
    request: Any = Request(b"/rows")
    request.forms = None
    with pytest.raises(ValueError, match="not been judged"):
        judge_of([deny("^/admin")]).verdict(request)
