"""What rules let pass, as tables by class: scopes, deny over allow, defaults, methods, paths, headers, queries, flags.

Belongs here: whole requests through a gateway in memory. Does not: how rules are written down (test_spellings.py),
every spelling of a path (test_readings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from attrs import evolve

from rrgate.model import Scope
from rrgate.model.rule import in_order
from rrgate.testing import MemoryGateway
from rrgate_plugins.rules import RuleChecks
from rrgate_plugins.rules.message import Message
from tests.rules.judged import KEY, Document, Judged, allow, deny, header, rule_of
from tests.rules.test_lint import TOLD
from tests.rules.test_patterns import REFUSED
from tests.rules.test_spellings import MISSPELLED, SPELLINGS

Fields = Mapping[str, str] | Iterable[tuple[str, str]]

CREDENTIAL, TOWARDS, PROXY, TARGET = Scope
ABSENT = {"presence": "must_not_exist"}


def path(pattern: str, presence: str = "must_exist", **more: str) -> Document:
    return {"path": {"pattern": pattern, **more}, "presence": presence}


def table(rows: Mapping[str, tuple[Any, ...]]) -> Any:
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in rows.items()])


@pytest.fixture(scope="module")
def judged() -> Judged:
    return Judged()


# rules by scope, defaults by scope, which scopes allow, who denies (as the message says it), the rule told
SCOPES: dict[str, tuple[Any, ...]] = {
    "nothing anywhere": ({}, {}, set(Scope), "", None),
    "the proxy credential denies": (
        {CREDENTIAL: [deny("^/a")]},
        {},
        {TOWARDS, PROXY, TARGET},
        "Rule r1 of the proxy credential denies this request",
        "r1",
    ),
    "the target credential denies": (
        {TOWARDS: [deny("^/a")]},
        {},
        {CREDENTIAL, PROXY, TARGET},
        "Rule r1 of the target credential denies this request",
        "r1",
    ),
    "the proxy denies": (
        {PROXY: [deny("^/a")]},
        {},
        {CREDENTIAL, TOWARDS, TARGET},
        "Rule r1 of the proxy denies this request",
        "r1",
    ),
    "the target denies": (
        {TARGET: [deny("^/a")]},
        {},
        {CREDENTIAL, TOWARDS, PROXY},
        "Rule r1 of the target denies this request",
        "r1",
    ),
    "the proxy credential denies by default": (
        {},
        {CREDENTIAL: "deny"},
        {TOWARDS, PROXY, TARGET},
        "No rule of the proxy credential allows this request",
        None,
    ),
    "the target credential denies by default": (
        {},
        {TOWARDS: "deny"},
        {CREDENTIAL, PROXY, TARGET},
        "No rule of the target credential allows this request",
        None,
    ),
    "the proxy denies by default": (
        {},
        {PROXY: "deny"},
        {CREDENTIAL, TOWARDS, TARGET},
        "No rule of the proxy allows this request",
        None,
    ),
    "the target denies by default": (
        {},
        {TARGET: "deny"},
        {CREDENTIAL, TOWARDS, PROXY},
        "No rule of the target allows this request",
        None,
    ),
    "one scope does not allow for another": (
        {PROXY: [allow("^/a")], TARGET: [allow("^/a")]},
        {PROXY: "deny", CREDENTIAL: "deny"},
        {TOWARDS, PROXY, TARGET},
        "No rule of the proxy credential allows this request",
        None,
    ),
    "all four deny by default, and a rule of each allows": (
        {scope: [allow("^/a")] for scope in Scope},
        dict.fromkeys(Scope, "deny"),
        set(Scope),
        "",
        "r1",
    ),
    "of two that deny, the first is told, and both are written down": (
        {TARGET: [deny("^/a")], TOWARDS: [deny("^/")]},
        {},
        {CREDENTIAL, PROXY},
        "Rule r2 of the target credential denies this request",
        "r2",
    ),
    "one denies, and a deny rule of another does not match": (
        {PROXY: [deny("^/a")], TARGET: [deny("^/b")]},
        {},
        {CREDENTIAL, TOWARDS, TARGET},
        "Rule r1 of the proxy denies this request",
        "r1",
    ),
    "all four deny": (
        {scope: [deny("^/a")] for scope in Scope},
        {},
        set(),
        "Rule r1 of the proxy credential denies this request",
        "r1",
    ),
    "deny of one scope, allow of another": (
        {PROXY: [allow("^/a")], TARGET: [deny("^/a")]},
        {PROXY: "deny"},
        {CREDENTIAL, TOWARDS, PROXY},
        "Rule r2 of the target denies this request",
        "r2",
    ),
}


@table(SCOPES)
def test_scopes(judged: Judged, row: tuple[Any, ...]) -> None:
    rules, defaults, allowing, message, rule = row
    outcome = judged.ask(rules, "GET /a", default=defaults)
    assert outcome.passed == (message == "")
    assert outcome.message == message
    assert outcome.code == ("proxy-access-denied" if message else "proxy-access-granted")
    assert outcome.rule == rule
    assert outcome.scopes == allowing


# rules, default, the rule that decides, passes
DENY_OVER_ALLOW: dict[str, tuple[Any, ...]] = {
    "allow first": ([allow("^/a"), deny("^/a")], "deny", "r2", False),
    "deny first": ([deny("^/a"), allow("^/a")], "deny", "r1", False),
    "allow has the priority": ([allow("^/a", priority=1000), deny("^/a")], "deny", "r2", False),
    "a broad deny and a narrow allow": ([deny("^/"), allow("^/a$")], "deny", "r1", False),
    "a narrow deny and a broad allow": ([deny("^/a$"), allow("^/")], "deny", "r1", False),
    "the deny matches another request": ([deny("^/b"), allow("^/a")], "deny", "r2", True),
    "the allow matches another request": ([deny("^/b"), allow("^/b")], "deny", None, False),
    "by default allowed": ([deny("^/a"), allow("^/a")], "allow", "r1", False),
    "many allow and one denies": ([*[allow("^/a")] * 9, deny("a")], "deny", "r10", False),
    "one half of its checks": ([deny("^/a", headers=[header("x-b")]), allow("^/a")], "deny", "r2", True),
    "of another method": ([deny("^/a", methods=["POST"]), allow("^/a")], "deny", "r2", True),
    "the deny is not active": ([deny("^/a", active=False), allow("^/a")], "deny", "r2", True),
    "the allow is not active": ([allow("^/a", active=False)], "deny", None, False),
    "the greatest priority is told": ([deny("^/a"), deny("^/", priority=2), deny("a")], "allow", "r2", False),
    "the first of equals is told": ([deny("a", priority=7), deny("^/a", priority=7)], "allow", "r1", False),
    "with and without an index": ([deny(path("^/b", "absent")), deny("^/a", priority=1)], "allow", "r2", False),
    "one for all methods among some of one": (
        [allow(methods=["GET"]), deny(path("^/b", "absent"))],
        "deny",
        "r2",
        False,
    ),
    "of those that allow too": ([allow("^/a"), allow("^/", priority=2)], "deny", "r2", True),
}


@table(DENY_OVER_ALLOW)
def test_deny_over_allow(judged: Judged, row: tuple[Any, ...]) -> None:
    rules, default, rule, passes = row
    outcome = judged.ask(rules, "GET /a", default=default)
    assert outcome.passed == passes
    assert outcome.rule == rule


# rules, default, request, passes
DEFAULTS: dict[str, tuple[Any, ...]] = {
    "allow, no rules": ([], "allow", "GET /a", True),
    "deny, no rules": ([], "deny", "GET /a", False),
    "allow, a deny that does not match": ([deny("^/b")], "allow", "GET /a", True),
    "deny, a deny that does not match": ([deny("^/b")], "deny", "GET /a", False),
    "allow, an allow that does not match": ([allow("^/b")], "allow", "GET /a", True),
    "deny, an allow that does not match": ([allow("^/b")], "deny", "GET /a", False),
    "allow, an allow that matches": ([allow("^/a")], "allow", "GET /a", True),
    "deny, an allow that matches": ([allow("^/a")], "deny", "GET /a", True),
    "allow, a rule without checks denies": ([deny()], "allow", "GET /a", False),
    "deny, a rule without checks allows": ([allow()], "deny", "GET /a", True),
    "deny, and only a report rule allows": ([allow("^/a", report=True)], "deny", "GET /a", False),
    "allow, and only a report rule denies": ([deny("^/a", report=True)], "allow", "GET /a", True),
    "deny, an allow for another method": ([allow(methods=["POST"])], "deny", "GET /a", False),
    "deny, allowed from one of many rules": ([allow(f"^/{n}") for n in "bcda"], "deny", "GET /a", True),
}


@table(DEFAULTS)
def test_defaults(judged: Judged, row: tuple[Any, ...]) -> None:
    rules, default, request, passes = row
    assert judged.ask(rules, request, default=default).passed == passes


# a rule's methods, request, whether the rule matches
METHODS: dict[str, tuple[Any, ...]] = {
    "all, GET": (None, "GET /a", True),
    "all, a method of few": (None, "MKCALENDAR /a", True),
    "GET, GET": (["GET"], "GET /a", True),
    "GET, POST": (["GET"], "POST /a", False),
    "GET, HEAD is another method": (["GET"], "HEAD /a", False),
    "several, the first": (["PUT", "PATCH", "DELETE"], "PUT /a", True),
    "several, the last": (["PUT", "PATCH", "DELETE"], "DELETE /a", True),
    "several, none": (["PUT", "PATCH", "DELETE"], "GET /a", False),
    "small letters": (["get", "Post"], "POST /a", True),
    "twice": (["GET", "GET"], "GET /a", True),
    "a dash in it": (["M-SEARCH"], "M-SEARCH /a", True),
    "a method that begins with it": (["MK"[:1] + "OVE"], "MKCOL /a", False),
    "OPTIONS": (["OPTIONS"], "OPTIONS /a", True),
}


@table(METHODS)
@pytest.mark.parametrize("more", [{}, {"path": "^/a"}, {"path": path("^/b", "absent")}, {"headers": [header("x-a")]}])
def test_methods(judged: Judged, row: tuple[Any, ...], more: dict[str, Any]) -> None:
    methods, request, matches = row
    headers = {"X-A": "1"}
    assert judged.ask([deny(methods=methods, **more)], request, headers).passed != matches
    assert judged.ask([allow(methods=methods, **more)], request, headers, default="deny").passed == matches


# pattern, path as sent, whether deny holds, whether allow holds
PATHS: dict[str, tuple[Any, ...]] = {
    "as it is": ("^/admin/users$", "/admin/users", True, True),
    "unanchored": ("admin", "/x/administrator/y", True, True),
    "another": ("^/admin", "/user", False, False),
    "case counts": ("^/admin", "/Admin", False, False),
    "no path at all": ("^/$", "", True, True),
    "only a slash": ("^/$", "/", True, True),
    "a letter escaped": ("^/admin$", "/%61dmin", True, False),
    "a letter escaped, small digits": ("^/jjj$", "/%6a%6Aj", True, False),
    "every letter escaped": ("^/admin$", "/%61%64%6d%69%6e", True, False),
    "written with the escape": ("^/a%2[fF]b$", "/a%2Fb", True, True),
    "an escaped slash": ("^/a/b$", "/a%2Fb", True, False),
    "an escaped slash, small": ("^/a/b$", "/a%2fb", True, False),
    "an escaped slash is data to those who allow": ("^/a/[^/]+$", "/a/group%2Fproject", True, True),
    "a run of slashes": ("^/a/b$", "/a//b", True, False),
    "parameters": ("^/a/b$", "/a;v=1/b", True, False),
    "parameters, escaped": ("^/a/b$", "/a%3Bv=1/b", True, False),
    "parameters with a slash in them": ("^/a/b$", "/a;v=%2F1/b", True, False),
    "parameters at the end": ("^/a$", "/a;jsessionid=1", True, False),
    "slash, run and parameters": ("^/a/b/c$", "/a%2F%2fb;x//c;", True, False),
    "twice escaped stays": ("^/admin$", "/%2561dmin", False, False),
    "a percent sign": ("^/100%$", "/100%25", True, False),
    "a space": ("^/a b$", "/a%20b", True, False),
    "a plus is a plus": ("^/a b$", "/a+b", False, False),
    "UTF-8 as bytes": (r"^/caf\xc3\xa9$", "/caf%C3%A9", True, False),
    "UTF-8 as it stands": ("^/caf%C3%A9$", "/caf%C3%A9", True, False),
    "a trailing slash": ("^/a$", "/a/", False, False),
    "the query is no part of it": ("q=1", "/a?q=1", False, False),
    "an escaped question mark is": ("[?]q=1", "/a%3Fq=1", True, False),
    "a colon verb": ("^/v1/projects/p:publish$", "/v1/projects/p:publish", True, True),
    "parentheses": (r"^/Users\(1\)$", "/Users(1)", True, True),
    "parentheses, escaped": (r"^/Users\(1\)$", "/Users%281%29", True, False),
    "an at sign": (r"^/@scope/name$", "/@scope%2Fname", True, False),
    "what looks like a path's end in parameters": ("^/x/admin$", "/x;a%2Fb/admin", True, False),
    "a line break behind parameters": ("^/x/admin.*secret$", "/x;a%2Fb/%61dmin%0Ay/secret", True, False),
    "the same, and a percent sign": ("^/x/1%/admin.*secret$", "/x;a%2Fb/1%25/admin%0Ay/secret", True, False),
    "the same, and %2F left": ("^/x/1%/a%2Fb.*secret$", "/x;a%2Fb/1%25/a%2Fb%0Ay/secret", True, False),
    "the same, and %2F decoded": ("^/x/1%/a/b.*secret$", "/x;a%2Fb/1%25/a%2Fb%0Ay/secret", True, False),
    "%25 stays, and %2F does not": ("^/a/1%25$", "/a%2F1%25", True, False),
    "%25 and %2F stay, and letters do not": ("^/a%2Fb/1%25/x$", "/a%2Fb/1%25/%78", True, False),
    "twice escaped stays beside others": ("^/admin", "/%2561dmin%2Fx%0A", False, False),
    "slashes first, as werkzeug takes them": ("^/admin//x$", "/%2Fadmin%2F%2Fx", True, False),
    "slashes first alone, and %2F left": ("^/a%2Fb$", "/%2Fa%2Fb", False, False),
    "overlong UTF-8 is no slash": ("^/a/b$", "/a%C0%AFb", False, False),
    "a line break at the end stays": ("^/admin$", "/admin%0A", False, False),
    "a dot at the end stays": ("^/admin$", "/admin.", False, False),
}


@table(PATHS)
def test_paths(judged: Judged, row: tuple[Any, ...]) -> None:
    pattern, sent, denied, allowed = row
    assert judged.ask([deny(pattern)], f"GET {sent}").passed != denied
    assert judged.ask([allow(pattern)], f"GET {sent}", default="deny").passed == allowed


# What docs/rules.md advises where a target does more than rules know: rule, requests that it denies, one that passes
ADVICE: dict[str, tuple[Document, list[str], str]] = {
    "case": (deny({"pattern": "^/admin", "flags": "i"}), ["/Admin", "/aDMIN/x"], "/a"),
    "endings": (deny("^/admin"), ["/admin/", "/admin.json", "/admin.", "/admin%20", "/admin::$DATA"], "/a"),
    "twice, overlong": (deny(r"(?i)%(25|c0|c1)"), ["/%2561dmin", "/a%c0%AFadmin", "/%C1%A1dmin"], "/a%20b"),
    "controls": (deny(r"(?i)%([01][0-9a-f]|7f)"), ["/admin%0A", "/ad%0dmin", "/admin%7F", "/%1fadmin"], "/a%20b"),
    "look-alikes": (deny(r"(?i)%(e[f2]|c2)"), ["/a%EF%BC%8Fadmin", "/a%e2%88%95b", "/a%C2%A0"], "/caf%C3%A9"),
    "names": (deny(query=[header("role")]), ["/?role[]=x", "/?role[0]=x", "/?+role=x", "/?%20role=x"], "/?a=1"),
    "methods": (deny(query=[header("_method")]), ["/?_method=DELETE", "/?a&_method=DELETE"], "/?method=1"),
}


@table(ADVICE)
def test_advice(judged: Judged, row: tuple[Document, list[str], str]) -> None:
    rule, denied, passing = row
    for sent in denied:
        assert not judged.ask([rule], f"GET {sent}").passed, sent
    assert judged.ask([rule], f"GET {passing}").passed


# pattern that must not match, path as sent, whether deny holds, whether allow holds
ABSENT_PATHS: dict[str, tuple[Any, ...]] = {
    "it matches": ("^/public/", "/public/x", False, False),
    "it does not match": ("^/public/", "/private/x", True, True),
    "no path": ("^/$", "", False, False),
    "matches only when decoded": ("^/public/", "/%70ublic/x", True, False),
    "matches only as it came": ("^/%70ublic/", "/%70ublic/x", True, False),
    "one segment, and an escaped slash": ("^/public/[^/]+$", "/public/a%2Fb", True, False),
    "one segment": ("^/public/[^/]+$", "/public/a", False, False),
    "a run of slashes": ("^/public/[^/]+$", "/public//a", True, False),
    "parameters": ("^/public/a$", "/public/a;x=1", True, False),
    "in every reading": ("^/public/", "/public/a%20b;x//c%2Fd", False, False),
    "in no reading": ("^/public/", "/private/a%20b;x//c%2Fd", True, True),
}


@table(ABSENT_PATHS)
def test_paths_that_must_not_be(judged: Judged, row: tuple[Any, ...]) -> None:
    pattern, sent, denied, allowed = row
    assert judged.ask([deny(path(pattern, "absent"))], f"GET {sent}").passed != denied
    assert judged.ask([allow(path(pattern, "absent"))], f"GET {sent}", default="deny").passed == allowed


# checks, fields, whether deny holds, whether allow holds
HEADERS: dict[str, tuple[Any, ...]] = {
    "there": ([header("^x-mode$", "^test$")], {"X-Mode": "test"}, True, True),
    "not there": ([header("^x-mode$", "^test$")], {}, False, False),
    "another value": ([header("^x-mode$", "^test$")], {"X-Mode": "live"}, False, False),
    "any value": ([header("^x-mode$")], {"X-Mode": "whatever"}, True, True),
    "an empty value": ([header("^x-mode$")], {"X-Mode": ""}, True, True),
    "names have no case": ([header("^X-MODE$", "test")], {"x-mOdE": "test"}, True, True),
    "values have": ([header("^x-mode$", "^test$")], {"X-Mode": "Test"}, False, False),
    "twice, the first matches": ([header("^x$", "^1$")], [("X", "1"), ("X", "2")], True, False),
    "twice, the second matches": ([header("^x$", "^1$")], [("X", "2"), ("X", "1")], True, False),
    "twice, both match": ([header("^x$", "^1")], [("X", "11"), ("X", "12")], True, True),
    "twice, neither matches": ([header("^x$", "^1$")], [("X", "2"), ("X", "3")], False, False),
    "two names, one matches": ([header("^x-", "^1$")], {"X-A": "1", "X-B": "2"}, True, False),
    "two names, both match": ([header("^x-", "^[12]$")], {"X-A": "1", "X-B": "2"}, True, True),
    "a name within a name": ([header("mode")], {"X-Mode-Of": "1"}, True, True),
    "an underscore in the name": ([header("^x-mode$", "^1$")], {"X_Mode": "1"}, True, False),
    "a dash for an underscore": ([header("^x_mode$", "^1$")], {"X-Mode": "1"}, True, False),
    "dash and underscore": ([header("^x-mode$", "^1$")], {"X-Mode": "1", "X_Mode": "2"}, True, False),
    "a name as it came": ([header("^x_mode$", "^1$")], {"X_Mode": "1"}, True, True),
    "two checks, both hold": ([header("^x$"), header("^y$", "1")], {"X": "", "Y": "1"}, True, True),
    "two checks, one holds": ([header("^x$"), header("^y$", "1")], {"X": "", "Y": "2"}, False, False),
    "must not be there, and is not": ([header("^x$", **ABSENT)], {}, True, True),
    "must not be there, by a name to look for": ([header("^x-signature$", **ABSENT)], {}, True, True),
    "must not be there, and is": ([header("^x$", **ABSENT)], {"X": "1"}, False, False),
    "must not be with that value, and is with another": ([header("^x$", "^1$", **ABSENT)], {"X": "2"}, True, True),
    "must not be with that value, and is": ([header("^x$", "^1$", **ABSENT)], {"X": "1"}, False, False),
    "must not be, and is with that value and another": (
        [header("^x$", "^1$", **ABSENT)],
        [("X", "1"), ("X", "2")],
        True,
        False,
    ),
    "must not be, and is in another spelling": ([header("^x-a$", **ABSENT)], {"X_A": "1"}, True, False),
    "the caller's credential is not seen": ([header("^x-api-key$")], {}, False, False),
    "what belongs to the connection is not seen": ([header("^keep-alive$|^te$")], {"TE": "trailers"}, False, False),
    "what Connection names is not seen": ([header("^x$")], {"X": "1", "Connection": "x"}, False, False),
    "the host is not seen": ([header("^host$|^content-length$")], {}, False, False),
    "addresses of callers are not seen": ([header("^x-forwarded-for$")], {"X-Forwarded-For": "10.0.0.1"}, False, False),
    "methods in headers are not seen": ([header("override")], {"X-HTTP-Method-Override": "GET"}, False, False),
    "two lines are one value too": ([header("^x$", "^a, b$")], [("X", "a"), ("X", "b")], True, False),
    "joined as WSGI does": ([header("^x$", "^a,b$")], [("X", "a"), ("X", "b")], True, False),
    "joined in any case": ([header("^x$", "^a,b$")], [("X", "a"), ("x", "b")], True, False),
    "joined in either spelling": ([header("^x-y$", "^a,b$")], [("X-Y", "a"), ("X_Y", "b")], True, False),
    "lines of other names are not joined": ([header("^x", "a, ?b")], {"X-A": "a", "X-B": "b"}, False, False),
    "joined, and must not be": ([header("^x$", "^a,b$", **ABSENT)], [("X", "a"), ("X", "b")], True, False),
    "lines joined as cookies are": ([header("^x$", "^a; b$")], [("X", "a"), ("X", "b")], True, False),
    "one line is not taken apart": ([header("^x$", "^b$")], {"X": "a, b"}, False, False),
    "cookies are not seen where they do not cross": ([header("^cookie$")], {"Cookie": "a=1"}, False, False),
    "what crosses is": ([header("^content-type$", "json")], {"Content-Type": "application/json"}, True, True),
    "bytes beyond ASCII": ([header("^x$", r"^caf\xe9$")], {"X": "caf\xe9"}, True, True),
}


@table(HEADERS)
def test_headers(judged: Judged, row: tuple[Any, ...]) -> None:
    checks, fields, denied, allowed = row
    assert judged.ask([deny(headers=checks)], "GET /", fields).passed != denied
    assert judged.ask([allow(headers=checks)], "GET /", fields, default="deny").passed == allowed


def test_cookies_are_seen_where_they_cross(judged: Judged) -> None:
    rules = [deny(headers=[header("^cookie$", "admin")])]
    assert not judged.ask(rules, "GET /", {"Cookie": "role=admin"}, proxyCookies="pass").passed


def test_a_credential_header_that_passes_is_seen_unless_it_was_used(judged: Judged) -> None:
    rules = [deny(headers=[header("^x-api-key$")]), deny(headers=[header("^authorization$")])]
    assert judged.ask(rules, "GET /", proxyPassHeaders=["X-Api-Key", "Authorization"]).passed
    shown = {"Authorization": "Basic Zm9yOnRoZS10YXJnZXQ="}
    assert not judged.ask(rules, "GET /", shown, proxyPassHeaders=["Authorization"]).passed
    assert judged.ask(rules, "GET /", shown).passed


# checks, query as sent, whether deny holds, whether allow holds
QUERIES: dict[str, tuple[Any, ...]] = {
    "there": ([header("^role$", "^admin$")], "role=admin", True, True),
    "not there": ([header("^role$", "^admin$")], "page=1", False, False),
    "no query": ([header("^role$")], "", False, False),
    "another value": ([header("^role$", "^admin$")], "role=user", False, False),
    "names have a case": ([header("^role$")], "Role=admin", False, False),
    "an underscore is no dash": ([header("^a-b$")], "a_b=1", False, False),
    "a dash is no underscore": ([header("^a_b$")], "a-b=1", False, False),
    "without a value": ([header("^role$", "^$")], "role", True, True),
    "twice, one matches": ([header("^role$", "^admin$")], "role=user&role=admin", True, False),
    "twice, both match": ([header("^role$", "^admin")], "role=admin1&role=admin2", True, True),
    "two names, one matches": ([header("^ro", "^admin$")], "role=admin&root=no", True, False),
    "a value escaped": ([header("^role$", "^admin$")], "role=%61dmin", True, True),
    "a name escaped": ([header("^role$", "^admin$")], "%72ole=admin", True, True),
    "escaped twice": ([header("^role$", "^admin$")], "role=%2561dmin", False, False),
    "a plus is a space": ([header("^q$", "^a b$")], "q=a+b", True, True),
    "an escaped plus is a plus": ([header("^q$", r"^a\+b$")], "q=a%2Bb", True, True),
    "an escaped ampersand splits nothing": ([header("^b$")], "a=1%26b=2", False, False),
    "an equals sign in the value": ([header("^a$", "^b=c$")], "a=b=c", True, True),
    "empty parts are none": ([header("^$")], "&&a=1&", False, False),
    "an empty name": ([header("^$", "^1$")], "=1", True, True),
    "brackets": ([header(r"^a\[\]$", "^2$")], "a[]=1&a[]=2", True, False),
    "brackets, escaped": ([header(r"^a\[\]$", "^1$")], "a%5B%5D=1", True, True),
    "bytes beyond ASCII": ([header("^q$", r"^caf\xc3\xa9$")], "q=caf%C3%A9", True, True),
    "must not be there, and is not": ([header("^debug$", **ABSENT)], "a=1", True, True),
    "must not be there, by a name with a dash": ([header("^a-b$", **ABSENT)], "a_b=1", True, True),
    "must not be there, by a name with an underscore": ([header("^a_b$", **ABSENT)], "a-b=1", True, True),
    "must not be there, and is": ([header("^debug$", **ABSENT)], "debug", False, False),
    "must not be there, and is in another case": ([header("^debug$", **ABSENT)], "Debug=1", True, True),
    "must not be, and is in an escaped spelling": ([header("^debug$", **ABSENT)], "%64ebug=1", False, False),
    "must not be with that value, among others": ([header("^v$", "^1$", **ABSENT)], "v=1&v=2", True, False),
    "semicolons separate in some targets": ([header("^role$", "^admin$")], "x=1;role=admin", True, False),
    "and end a value": ([header("^role$", "^admin$")], "role=admin;x=1", True, False),
    "and a name": ([header("^role$", "^$")], "role;x=1", True, False),
    "and a name that begins after one": ([header("^role$", "^admin$")], "a;role=admin;b&c", True, False),
    "a value beside": ([header("^m$", "^test$")], "m=test&x=1;m=live", True, False),
    "the same beside": ([header("^m$", "^test$")], "m=test&x=1;m=test", True, True),
    "semicolons as data": ([header("^f$", "^a;b$")], "f=a;b", True, True),
    "an escaped semicolon separates nothing": ([header("^role$")], "x=1%3Brole=admin", False, False),
    "must not be there, and is behind a semicolon": ([header("^debug$", **ABSENT)], "a=1;debug=1", True, False),
    "must not be, and a semicolon ends its name": ([header("^debug$", **ABSENT)], "debug;a=1", True, False),
    "several are joined in some targets": ([header("^q$", "^a,b$")], "q=a&q=b", True, False),
    "too many to look at": ([header("^q$", "^a$")], "q=a" + "&x" * 1000, True, False),
    "too many, and must not be": ([header("^q$", "^a$", **ABSENT)], "q=b" + ";x" * 1000, True, False),
    "as many as can be": ([header("^q$", "^b$")], "q=a" + "&x" * 999, False, False),
    "the caller's credential is not seen": ([header("(?i)^authorization$|^x-api-key$")], "", False, False),
}


@table(QUERIES)
def test_queries(judged: Judged, row: tuple[Any, ...]) -> None:
    checks, query, denied, allowed = row
    request = f"GET /?{query}" if query else "GET /"
    assert judged.ask([deny(query=checks)], request).passed != denied
    assert judged.ask([allow(query=checks)], request, default="deny").passed == allowed


def test_a_credential_in_the_query_is_not_seen(judged: Judged) -> None:
    rules = [deny(query=[header("(?i)auth")])]
    caller = ("apiKey", {"key": "k"})
    proxy = judged.proxy(rules)
    gateway = judged.gateway
    other = gateway.proxy(caller=caller)
    gateway.directory.put(evolve(gateway.directory.rules_of(proxy.id)[0], id="other", parent_id=other.id))
    assert gateway.call("GET", other, "/?Authorization=k").answer.status == 200
    assert gateway.call("GET", other, "/?Authorization=k&x_auth=1").answer.status == 403


# the rule's flags, the pattern's own (None: none of its own), pattern, path as sent, whether it matches
FLAGS: dict[str, tuple[Any, ...]] = {
    "none": (None, None, "^/admin$", "/ADMIN", False),
    "i": (None, "i", "^/admin$", "/ADMIN", True),
    "the rule's i": ("i", None, "^/admin$", "/ADMIN", True),
    "its own wins over the rule's": ("i", "", "^/admin$", "/ADMIN", False),
    "its own i beside the rule's s": ("s", "i", "^/admin$", "/ADMIN", True),
    "$ is the end": (None, None, "^/a$", "/a%0Ab", False),
    "m makes $ the end of a line": (None, "m", "^/a%0A|^/a$", "/a%0Ab", True),
    "m makes ^ the beginning of one": (None, "m", "^b", "/a%0Ab", True),
    ". is no line break": (None, None, "^/a.b$", "/a%0Ab", False),
    "s makes it one": (None, "s", "^/a.b$", "/a%0Ab", True),
    "g, u and y mean nothing": (None, "guy", "a$", "/ba", True),
    "g, u and y take nothing away": (None, "giuy", "A$", "/ba", True),
    "written into the pattern": (None, None, "(?i)^/admin$", "/ADMIN", True),
    "all of them": ("imsguy", None, "^/A.B$", "/a%0Ab", True),
}


@table(FLAGS)
def test_flags(judged: Judged, row: tuple[Any, ...]) -> None:
    of_rule, own, pattern, sent, matches = row
    check: dict[str, Any] = {"pattern": pattern} if own is None else {"pattern": pattern, "flags": own}
    rule = deny({"path": check}, **({} if of_rule is None else {"regexFlags": of_rule}))
    assert judged.ask([rule], f"GET {sent}").passed != matches


def test_flags_of_names_and_values(judged: Judged) -> None:
    rule = deny(query=[{"name": {"pattern": "^q$"}, "matchValue": {"pattern": "^A$", "flags": "i"}}])
    assert not judged.ask([rule], "GET /?q=a").passed
    assert judged.ask([rule], "GET /?Q=a").passed
    assert not judged.ask([{**rule, "regexFlags": "i"}], "GET /?Q=a").passed
    assert not judged.ask([deny(query=[header("^q$", "^A$")], regexFlags="i")], "GET /?q=a").passed
    rule = deny(headers=[{"name": "^q$", "matchValue": {"pattern": "^A$", "flags": "i"}}])
    assert not judged.ask([rule], "GET /", {"Q": "a"}).passed


def test_all_checks_of_a_rule_must_hold(judged: Judged) -> None:
    rule = deny("^/a", methods=["GET"], headers=[header("^x$", "1")], query=[header("^q$", "1")])
    assert not judged.ask([rule], "GET /a?q=1", {"X": "1"}).passed
    for request, headers in (
        ("POST /a?q=1", {"X": "1"}),
        ("GET /b?q=1", {"X": "1"}),
        ("GET /a?q=2", {"X": "1"}),
        ("GET /a?q=1", {"X": "2"}),
    ):
        assert judged.ask([rule], request, headers).passed


def test_each_class_has_ten_cases() -> None:
    classes = (SCOPES, DENY_OVER_ALLOW, DEFAULTS, METHODS, PATHS, ABSENT_PATHS, HEADERS, QUERIES, FLAGS)
    for cases in (*classes, SPELLINGS, MISSPELLED, REFUSED, TOLD):
        assert len(cases) >= 10


def test_what_is_too_much_to_look_at_is_found_among_other_rules(judged: Judged) -> None:
    others = [deny(query=[header(f"^never{number}$")]) for number in range(3)]
    rule = deny("^/a", query=[header("^q$")])
    assert judged.ask([rule, *others], "GET /a" + "?x" + "&x" * 999).passed
    assert judged.ask([*others, rule], "GET /a" + "?x" + "&x" * 1000).rule == "r1"


@pytest.mark.parametrize("scope", Scope)
def test_callers_who_show_nothing_are_judged_like_others(scope: Scope) -> None:
    gateway = MemoryGateway(allow_anonymous_proxies=True)
    proxy = gateway.proxy(caller=("none", {}), proxyAllowedNetworks=["0.0.0.0/0"])
    parents = (proxy.proxy_credential_id, proxy.target_credential_id, proxy.id, proxy.target_id)
    assert gateway.call("GET", proxy, "/a").answer.status == 200
    parent = dict(zip(Scope, parents, strict=True))[scope]
    gateway.directory.put(rule_of(deny("^/a"), "r1", parent, proxy.client_id))
    assert gateway.call("GET", proxy, "/a").answer.status == 403
    assert gateway.call("GET", proxy, "/b").answer.status == 200


def test_a_check_that_nothing_carries_out_any_more_is_not_left_out(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a rule was saved while a plugin was installed that did."""
    monkeypatch.setattr(RuleChecks, "judges", RuleChecks.judges - {"query"})
    proxy = judged.proxy([])
    judged.gateway.directory.put(rule_of(deny("^/a", query=[header("^role$")]), "r1", proxy.id, proxy.client_id))
    before = len(judged.gateway.target.received)
    assert judged.gateway.call("GET", proxy, "/b", {"X-Api-Key": KEY}).answer.status == 500
    assert len(judged.gateway.target.received) == before


def test_a_path_that_nobody_has_judged_is_not_looked_at(judged: Judged) -> None:
    judged.ask([], "GET /")
    ex = judged.gateway.requests[-1]
    assert Message(ex).raw == b"/"
    ex.forms = None
    with pytest.raises(ValueError, match="not been judged"):
        Message(ex)


def test_a_caller_without_a_credential_is_not_judged(judged: Judged) -> None:
    outcome = judged.ask([deny()], "GET /", key=None)
    assert (outcome.status, outcome.rule, outcome.scopes) == (401, None, frozenset())


def test_of_equal_priority_the_one_that_was_created_first_is_told() -> None:
    """In whatever order they come from the store; of one moment, the one whose id is the lesser."""
    made = [
        evolve(rule_of(deny(), rule_id), created_at=moment, priority=priority)
        for rule_id, moment, priority in (("r2", 7, 0), ("r3", 7, 0), ("r1", 7, 0), ("r4", 6, 0), ("r5", 8, 1))
    ]
    assert [rule.id for rule in in_order(made)] == ["r5", "r4", "r1", "r2", "r3"]
