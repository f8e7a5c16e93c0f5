"""What body and token checks find: JSON bodies and claims as tables by class; doubt, bounds, and when a body is held.

Belongs here: whole requests through a gateway in memory, and the leaves by themselves. Does not: how checks are written
down (test_spellings.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrgate.api import Exchange, Identity, NoConfig, Pattern, Plugin, Side
from rrgate.model import RuleScope, Scope
from rrgate.testing import MemoryGateway
from rrgate.testing.calls import Call
from rrgate_plugins.rules import RuleChecks
from rrgate_plugins.rules.leaves import (
    LARGEST_BODY,
    LONGEST_PATH,
    LONGEST_PATHS,
    MOST_LEAVES,
    MOST_PARTS,
    leaves_of_body,
    leaves_of_claims,
)
from rrgate_plugins.rules.message import MOST_LOOKS
from rrgate_plugins.rules.patterns import compiled, compiled_for_lines
from tests.rules.judged import Document, allow, deny, rule_of

JSON = {"Content-Type": "application/json"}
ABSENT = {"presence": "must_not_exist"}
CLAIMS: dict[str, Any] = {}


class Claims(Plugin):
    """Lets everybody in, with the claims that a test has set."""

    name = "claims"
    sides = frozenset({Side.PROXY})
    Config = NoConfig

    def authenticate(self, ex: Exchange) -> Identity:
        return Identity("somebody", "", dict(CLAIMS))


class Asked:
    """One gateway, and a proxy made anew for each question."""

    def __init__(self) -> None:
        self.gateway = MemoryGateway([Claims])

    def ask(
        self,
        rules: list[Document],
        body: bytes | list[bytes] | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] = JSON,
        *,
        method: str = "POST",
        path: str = "/a",
        default: str = "allow",
        scope: Scope = Scope.PROXY,
        **proxy_settings: Any,
    ) -> Call:
        gateway = self.gateway
        proxy = gateway.proxy(caller=("claims", {}), proxyDefaultRuleEffect=default, **proxy_settings)
        parents = (proxy.proxy_credential_id, proxy.target_credential_id, proxy.id, proxy.target_id)
        parent = dict(zip(Scope, parents, strict=True))[scope]
        for number, rule in enumerate(rules, 1):
            gateway.directory.put(rule_of(rule, f"r{number}", parent, proxy.client_id))
        return gateway.call(method, proxy, path, headers, body)

    def passes(
        self, rules: list[Document], body: bytes | list[bytes] | None = None, *more: Any, **settings: Any
    ) -> bool:
        """Whether it is forwarded; the body as it came."""
        before = len(self.gateway.target.received)
        status = self.ask(rules, body, *more, **settings).answer.status
        received = self.gateway.target.received[before:]
        assert status in (200, 403)
        assert len(received) == (status == 200)
        if received:
            assert received[0].body == (b"".join(body) if isinstance(body, list) else body or b"")
        return status == 200

    def both(self, check: Document, body: bytes | None, headers: Any = JSON) -> tuple[bool, bool]:
        """Whether a deny rule with this check matches, and whether an allow rule does."""
        denied = not self.passes([deny(body=[check])], body, headers)
        return denied, self.passes([allow(body=[check])], body, headers, default="deny")


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.fixture(autouse=True)
def _no_claims() -> Any:
    CLAIMS.clear()
    yield
    CLAIMS.clear()


def table(rows: Mapping[str, tuple[Any, ...]]) -> Any:
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in rows.items()])


def leaf(path: str, value: str | None = None, **more: Any) -> Document:
    return {"jsonPath": path, **({} if value is None else {"matchValue": value}), **more}


# check, body, whether deny holds, whether allow holds
BODIES: dict[str, tuple[Any, ...]] = {
    "a member": (leaf("^role$", "^admin$"), b'{"role": "admin"}', True, True),
    "another value": (leaf("^role$", "^admin$"), b'{"role": "user"}', False, False),
    "no such member": (leaf("^role$", "^admin$"), b'{"roles": "admin"}', False, False),
    "any value": (leaf("^role$"), b'{"role": null}', True, True),
    "unanchored": (leaf("rol", "adm"), b'{"my-role": "an admin"}', True, True),
    "case counts": (leaf("^role$", "^admin$"), b'{"Role": "admin", "role": "Admin"}', False, False),
    "within": (leaf(r"^user\.role$", "x"), b'{"user": {"role": "x"}}', True, True),
    "an index": (leaf(r"^messages\.0\.content$", "x"), b'{"messages": [{"content": "x"}]}', True, True),
    "any index": (leaf(r"^messages\.[0-9]+\.content$", "x"), b'{"messages": [{"content": "x"}]}', True, True),
    "of several, one": (leaf(r"^m\.[0-9]+$", "^x$"), b'{"m": ["x", "y"]}', True, False),
    "of several, all": (leaf(r"^m\.[0-9]+$", "^x$"), b'{"m": ["x", "x"]}', True, True),
    "of several, none": (leaf(r"^m\.[0-9]+$", "^x$"), b'{"m": ["y", "y"]}', False, False),
    "of two names, one": (leaf("^[ab]$", "^x$"), b'{"a": "x", "b": "y"}', True, False),
    "an object is no leaf": (leaf("^a$"), b'{"a": {"b": 1}}', False, False),
    "an empty object is": (leaf("^a$", "^{}$"), b'{"a": {}}', True, True),
    "an empty array is": (leaf("^a$", r"^\[\]$"), b'{"a": []}', True, True),
    "true": (leaf("^a$", "^true$"), b'{"a": true}', True, True),
    "false": (leaf("^a$", "^false$"), b'{"a": false}', True, True),
    "null": (leaf("^a$", "^null$"), b'{"a": null}', True, True),
    "a number": (leaf("^a$", "^100$"), b'{"a": 100}', True, True),
    "a number spelled otherwise": (leaf("^a$", "^100$"), b'{"a": 1e2}', True, False),
    "as it is written": (leaf("^a$", "^1e2$"), b'{"a": 1e2}', True, False),
    "both spellings": (leaf("^a$", "^1(e2|00)$"), b'{"a": 1e2}', True, True),
    "with zeros": (leaf("^a$", r"^1\.5$"), b'{"a": 1.50}', True, False),
    "a fraction": (leaf("^a$", r"^1\.5$"), b'{"a": 1.5}', True, True),
    "minus zero": (leaf("^a$", "^0$"), b'{"a": -0}', True, False),
    "an id that floats cannot hold": (leaf("^a$", "^9007199254740993$"), b'{"a": 9007199254740993}', True, True),
    "a number too long to tell": (leaf("^a$", "^1$"), b'{"a": 0.%s}' % (b"0" * 50), True, False),
    "a number too large to tell": (leaf("^a$", "^1$"), b'{"a": 1e999}', True, False),
    "a number as text": (leaf("^a$", "^1$"), b'{"a": "1"}', True, True),
    "an escape": (leaf("^role$", "^admin$"), rb'{"r\u006fle": "\u0061dmin"}', True, True),
    "UTF-8": (leaf(r"^caf\xc3\xa9$", r"^\xc3\xa9$"), '{"café": "\\u00e9"}'.encode(), True, True),
    "a dot in a name": (leaf(r"^a\.b$", "^x$"), b'{"a.b": "x"}', True, False),
    "a dot in a name, and the other": (leaf(r"^a\.b$", "^x$"), b'{"a.b": "x", "a": {"b": "x"}}', True, True),
    "a dot in a name, and another value": (leaf(r"^a\.b$", "^x$"), b'{"a.b": "y", "a": {"b": "x"}}', True, False),
    "behind a dot in a name": (leaf(r"^a\.b\.c$", "^x$"), b'{"a.b": {"c": "x"}}', True, False),
    "an empty name": (leaf(r"^\.a$"), b'{"": {"a": 1}}', True, False),
    "an empty name alone": (leaf(r"^$", "1"), b'{"": 1}', True, False),
    "a value that is the whole body": (leaf("^$", "^x$"), b'"x"', True, True),
    "an array that is": (leaf("^1$", "^b$"), b'["a", "b"]', True, True),
    "must not be, and is not": (leaf("^role$", **ABSENT), b'{"a": 1}', True, True),
    "must not be, and is": (leaf("^role$", **ABSENT), b'{"role": 1}', False, False),
    "must not be with it, and is with another": (leaf("^role$", "^x$", **ABSENT), b'{"role": "y"}', True, True),
    "must not be, and of several one is": (leaf("^m", "^x$", **ABSENT), b'{"m": ["x", "y"]}', True, False),
    "must not be, and perhaps is": (leaf(r"^a\.b$", **ABSENT), b'{"a.b": 1}', True, False),
    "no body": (leaf("^role$"), None, False, False),
    "no body, and must not be": (leaf("^role$", **ABSENT), None, True, True),
    "flags": ({"jsonPath": {"pattern": "^ROLE$", "flags": "i"}, "matchValue": "^A$"}, b'{"role": "A"}', True, True),
    "a line within a name": (leaf("^b$"), rb'{"a\nb": 1}', False, False),
    "a line within a value": (leaf("^a$", "^b$"), rb'{"a": "x\nb"}', False, False),
    "the beginning and end of a text": (leaf(r"\Aa\z"), b'{"b": 1, "a": 2, "c": 3}', True, True),
    "white space": (leaf("^a$", "^1$"), b' \r\n\t{ "a" : 1 } \n', True, True),
}  # fmt: skip


@table(BODIES)
def test_bodies(asked: Asked, row: tuple[Any, ...]) -> None:
    check, body, denied, allowed = row
    assert asked.both(check, body) == (denied, allowed)


# headers, body: in which a check that would find nothing is in doubt
DOUBT: dict[str, tuple[Any, ...]] = {
    "no JSON": (JSON, b"role=admin"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, b'{"a": "&role=admin"}'),
    "parts": ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n"),
    "a type twice": ([("Content-Type", "application/json"), ("Content-Type", "text/plain")], b'{"a": 1}'),
    "a type in two spellings": ([("Content-Type", "application/json"), ("Content_Type", "text/plain")], b'{"a": 1}'),
    "two types in one": ({"Content-Type": "application/json, text/plain"}, b'{"a": 1}'),
    "compressed": ({**JSON, "Content-Encoding": "gzip"}, b'{"a": 1}'),
    "another charset": ({"Content-Type": "application/json; charset=utf-7"}, b'{"a": 1}'),
    "UTF-16": (JSON, '{"a": 1}'.encode("utf-16")),
    "a mark in front": (JSON, b'\xef\xbb\xbf{"a": 1}'),
    "no UTF-8": (JSON, b'{"a": "\xe9"}'),
    "a name twice": (JSON, b'{"a": 1, "a": 2}'),
    "a name twice, within": (JSON, b'{"b": [{"a": 1, "a": 2}]}'),
    "a name twice by an escape": (JSON, rb'{"a": 1, "\u0061": 2}'),
    "half of a pair": (JSON, rb'{"a": "\ud800"}'),
    "half of a pair in a name": (JSON, rb'{"\udc00": 1}'),
    "NaN": (JSON, b'{"a": NaN}'),
    "infinity": (JSON, b'{"a": -Infinity}'),
    "a comma too many": (JSON, b'{"a": 1,}'),
    "two documents": (JSON, b'{"a": 1} {"a": 1}'),
    "a control in a text": (JSON, b'{"a": "\n"}'),
    "broken off": (JSON, b'{"a": '),
    "only spaces": (JSON, b"  "),
    "a leading zero": (JSON, b'{"a": 01}'),
    "deep": (JSON, b"[" * 100_000 + b"]" * 100_000),
    "deeper than it is read": (JSON, b"[" * MOST_LEAVES + b"]" * MOST_LEAVES),
    "many numbers": (JSON, b"[" + b"1," * MOST_LEAVES + b"1]"),
    "a great many numbers": (JSON, b"[[" + b"1," * MOST_PARTS + b"1]]"),
    "a great many objects": (JSON, b"[[" + b'{"a": 1},' * MOST_LEAVES + b"{}]]"),
    "a great many arrays": (JSON, b"[" + b"[]," * MOST_PARTS + b'"]"]'),
    "many texts": (JSON, b"[" + b'"",' * MOST_LEAVES + b'""]'),
    "many objects": (JSON, b"[" + b"{}," * MOST_LEAVES + b"{}]"),
    "many arrays": (JSON, b"[" + b"[]," * MOST_LEAVES + b"[]]"),
    "a long name": (JSON, b'{"%s": 1}' % (b"n" * (LONGEST_PATH + 1))),
    "long names": (JSON, b'{"%s": [%s]}' % (b"n" * 4000, b",".join([b"1"] * (LONGEST_PATHS // 4000)))),
    "over the bound": (JSON, b'"' + b"x" * LARGEST_BODY + b'"'),
}


@table(DOUBT)
def test_in_doubt_deny_rules_match_and_allow_rules_do_not(asked: Asked, row: tuple[Any, ...]) -> None:
    headers, body = row
    assert asked.both(leaf("^role$"), body, headers) == (True, False)
    assert asked.both(leaf("^role$", **ABSENT), body, headers) == (True, False)
    # What comes in chunks is no different.
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
    assert not asked.passes([deny(body=[leaf("^role$")])], pieces, headers)


# headers, body: in which there is none
NO_DOUBT: dict[str, tuple[Any, ...]] = {
    "no type": ({}, b'{"a": 1}'),
    "a charset": ({"Content-Type": 'Application/JSON ; charset="UTF-8"'}, b'{"a": 1}'),
    "a kind of JSON": ({"Content-Type": "application/vnd.api+json"}, b'{"a": 1}'),
    "identity": ({**JSON, "Content-Encoding": "identity"}, b'{"a": 1}'),
    "as many as may be": (JSON, b"[" + b"1," * (MOST_LEAVES - 1) + b"1]"),
    "as long as may be": (JSON, b'{"a": "%s"}' % (b"x" * (LARGEST_BODY - 9))),
    "a name as long as may be": (JSON, b'{"%s": 1}' % (b"n" * LONGEST_PATH)),
    "a pair": (JSON, rb'{"a": "\ud83d\ude00"}'),
    "brackets in a text": (JSON, b'{"a": "\\"%s"}' % (b"[" * (MOST_PARTS + 1))),
    "a name in two objects": (JSON, b'[{"a": 1}, {"a": 1}]'),
}


@table(NO_DOUBT)
def test_otherwise_there_is_none(asked: Asked, row: tuple[Any, ...]) -> None:
    headers, body = row
    assert asked.both(leaf("^role$"), body, headers) == (False, False)
    assert asked.both(leaf("^role$", **ABSENT), body, headers) == (True, True)


def test_one_value_more_than_are_looked_at_is_in_doubt() -> None:
    assert leaves_of_body(b"[" + b"1," * (MOST_LEAVES - 1) + b"1]") is not None
    assert leaves_of_body(b"[" + b"1," * MOST_LEAVES + b"1]") is None


@pytest.mark.parametrize("scope", Scope)
def test_in_every_scope(asked: Asked, scope: Scope) -> None:
    rules = [deny(body=[leaf("^role$", "^admin$")])]
    answer = asked.ask(rules, b'{"role": "admin"}', scope=scope).answer
    assert (answer.status, answer["requestrocket-proxy-message"]) == (
        403,
        f"Rule r1 of the {scope.value} denies this request",
    )
    assert asked.passes(rules, b'{"role": "user"}', scope=scope)


# rules, settings: in which nobody waits for the body
NOT_HELD: dict[str, tuple[Any, ...]] = {
    "another method": (deny(methods=["PUT"], body=[leaf("^a$")]), {}),
    "another path": (deny("^/b", body=[leaf("^a$")]), {}),
    "another header": (deny(headers=[{"name": "^x-b$"}], body=[leaf("^a$")]), {}),
    "another parameter": (deny(query=[{"name": "^b$"}], body=[leaf("^a$")]), {}),
    "another claim": (deny(token=[{"claim": "^b$"}], body=[leaf("^a$")]), {}),
    "not active": (deny(body=[leaf("^a$")], active=False), {}),
    "it decides nothing": (allow(body=[leaf("^a$")]), {}),
    "no JSON is said": (deny("^/a", body=[leaf("^a$")], report=True), {"headers": {"Content-Type": "text/plain"}}),
    "too long": (deny("^/a", body=[leaf("^a$")], report=True), {"length": LARGEST_BODY + 1}),
}


def begin(
    asked: Asked, rule: Document, length: int, headers: Mapping[str, str], *others: Document
) -> tuple[bytes, Call]:
    """What has reached the target when all but the last byte of a body was sent."""
    before = len(asked.gateway.target.bytes)
    call = asked.ask([rule, *others], None, {**headers, "Content-Length": str(length)})
    call.send(b'{"a": 1'[: length - 1])
    return bytes(asked.gateway.target.bytes[before:]), call


@table(NOT_HELD)
def test_a_body_that_no_rule_can_look_at_streams(asked: Asked, row: tuple[Any, ...]) -> None:
    rule, settings_ = row
    arrived, call = begin(asked, rule, settings_.get("length", 8), settings_.get("headers", JSON))
    assert arrived.endswith(b'{"a": 1')
    call.leave()


def test_a_rule_that_looks_at_no_body_waits_for_none_beside_one_that_would(asked: Asked) -> None:
    arrived, call = begin(asked, deny("^/b", body=[leaf("^a$")]), 8, JSON, deny("^/a", report=True))
    assert arrived.endswith(b'{"a": 1')
    call.leave()


def test_a_body_that_a_rule_looks_at_is_waited_for(asked: Asked) -> None:
    arrived, call = begin(asked, deny("^/a", body=[leaf("^b$")]), 8, JSON)
    assert arrived == b""
    assert call.send(b"}").answer.status == 200
    assert asked.gateway.target.last.body == b'{"a": 1}'


def test_a_body_that_turns_out_to_be_none_has_no_values(asked: Asked) -> None:
    assert asked.passes([deny(body=[leaf("^a$")])], [])
    assert not asked.passes([deny(body=[leaf("^a$", **ABSENT)])], [])


def test_no_body_is_no_body_whatever_is_said_of_it(asked: Asked) -> None:
    assert asked.passes([deny(body=[leaf("^a$")])], None, {"Content-Type": "text/plain"}, method="GET")


def test_the_flags_of_the_rule_hold(asked: Asked) -> None:
    assert not asked.passes([deny(body=[leaf("^A$", "^B$")], regexFlags="i")], b'{"a": "b"}')
    assert asked.passes([deny(body=[leaf("^A$", "^B$")], regexFlags="s")], b'{"a": "b"}')


def test_who_waits_for_100_continue_is_told_only_where_the_body_is_looked_at(asked: Asked) -> None:
    expecting = {**JSON, "Content-Length": "8", "Expect": "100-continue"}
    call = asked.ask([deny("^/a", body=[leaf("^a$")])], None, expecting)
    assert [answer.status for answer in call.answers] == [100]
    assert call.send(b'{"a": 1}').answer.status == 403
    call = asked.ask([deny("^/a", body=[leaf("^a$")])], None, {**expecting, "Content-Type": "text/plain"})
    assert [answer.status for answer in call.answers] == [403]


def test_a_body_over_the_bound_goes_on_where_rules_let_it(asked: Asked) -> None:
    rules = [allow("^/a", body=[leaf("^a$")]), allow("^/a")]
    long = [b'{"a": "', *[b"x" * 50_000] * 22, b'"}']
    assert len(b"".join(long)) > LARGEST_BODY
    assert asked.passes(rules, long, default="deny")
    assert not asked.passes(rules[:1], long, default="deny")
    assert asked.passes(rules[:1], long[:3] + long[-1:], default="deny")


def test_no_more_of_a_body_is_held_than_is_looked_at(asked: Asked) -> None:
    before = len(asked.gateway.target.bytes)
    call = asked.ask([deny(body=[leaf("^a$")], report=True)], None, {**JSON, "Transfer-Encoding": "chunked"})
    chunk = b"c350\r\n" + b"x" * 50_000 + b"\r\n"
    for _ in range(LARGEST_BODY // 50_000):
        call.send(chunk)
    assert len(asked.gateway.target.bytes) == before
    call.send(chunk)
    assert len(asked.gateway.target.bytes) > before + LARGEST_BODY
    call.leave()


def test_a_body_in_chunks_that_was_held_is_bounded_like_any_other(asked: Asked) -> None:
    rules = [deny(body=[leaf("^b$")], report=True)]
    before = len(asked.gateway.target.received)
    answer = asked.ask(rules, [b'{"a": "', b"x" * 100, b'"}'], proxyMaxRequestBytes=50).answer
    assert (answer.status, answer["requestrocket-proxy-code"]) == (413, "request-too-large")
    answer = asked.ask(rules, [b'{"a": "', *[b"x" * 50_000] * 22, b'"}'], proxyMaxRequestBytes=50).answer
    assert (answer.status, answer["requestrocket-proxy-code"]) == (413, "request-too-large")
    assert len(asked.gateway.target.received) == before


def test_a_body_that_breaks_off_is_refused(asked: Asked) -> None:
    call = asked.ask([deny(body=[leaf("^b$")])], None, {**JSON, "Transfer-Encoding": "chunked"})
    answer = call.send(b"3\r\n{\"a\r\nzz\r\n").answer
    assert (answer.status, answer["requestrocket-proxy-code"]) == (400, "bad-request")


def test_a_report_counts_and_decides_nothing(asked: Asked) -> None:
    assert asked.passes([deny(body=[leaf("^a$")], report=True)], b'{"a": 1}')
    assert asked.gateway.requests[-1].timeline[0][0] == "rule r1 would deny"
    assert asked.passes([deny(body=[leaf("^b$")], report=True)], b'{"a": 1}')
    assert not any("would deny" in what for what, _ in asked.gateway.requests[-1].timeline)


def test_all_checks_of_a_rule_hold_together(asked: Asked) -> None:
    CLAIMS["sub"] = "alice"
    rule = deny("^/a", token=[{"claim": "^sub$", "matchValue": "^alice$"}], body=[leaf("^a$"), leaf("^b$", "2")])
    assert not asked.passes([rule], b'{"a": 1, "b": 2}')
    assert asked.passes([rule], b'{"a": 1, "b": 3}')
    assert asked.passes([rule], b'{"b": 2}')
    CLAIMS["sub"] = "bob"
    assert asked.passes([rule], b'{"a": 1, "b": 2}')


def test_what_is_asked_beyond_the_bound_on_looks_is_in_doubt(asked: Asked) -> None:
    many = b'{"a": [%s]}' % b",".join([b"1"] * (MOST_LEAVES - 1))
    asks = [deny(body=[leaf(r"^a\.", f"^x{number}$")]) for number in range(MOST_LOOKS // MOST_LEAVES + 1)]
    assert asked.passes(asks[:-1], many)
    assert not asked.passes(asks, many)
    # Names that are nowhere cost nothing of it.
    assert asked.passes([*asks[:-1], *[deny(body=[leaf(f"^b{number}$")]) for number in range(100)]], many)
    allowing = [allow(body=[leaf(r"^a\.", f"^x{number}$")], priority=1) for number in range(len(asks))]
    assert not asked.passes([*allowing, allow(body=[leaf(r"^a\.", "^1$")])], many, default="deny")


def claim(name: str, value: str | None = None, **more: Any) -> Document:
    return {"claim": name, **({} if value is None else {"matchValue": value}), **more}


# check, claims, whether deny holds, whether allow holds
TOKENS: dict[str, tuple[Any, ...]] = {
    "a claim": (claim("^sub$", "^alice$"), {"sub": "alice"}, True, True),
    "another value": (claim("^sub$", "^alice$"), {"sub": "bob"}, False, False),
    "no such claim": (claim("^sub$", "^alice$"), {"email": "alice"}, False, False),
    "any value": (claim("^sub$"), {"sub": ""}, True, True),
    "no token": (claim("^sub$"), {}, False, False),
    "no token, and must not be": (claim("^sub$", **ABSENT), {}, True, True),
    "one of a list": (claim("^roles$", "^admin$"), {"roles": ["user", "admin"]}, True, True),
    "none of a list": (claim("^roles$", "^admin$"), {"roles": ["user", "guest"]}, False, False),
    "an empty list": (claim("^roles$", "^admin$"), {"roles": []}, False, False),
    "an empty list is there": (claim("^roles$"), {"roles": []}, True, True),
    "must not be in a list, and is not": (claim("^roles$", "^admin$", **ABSENT), {"roles": ["user"]}, True, True),
    "must not be in a list, and is": (claim("^roles$", "^admin$", **ABSENT), {"roles": ["a", "admin"]}, False, False),
    "of two names, one": (claim("^(a|b)$", "^x$"), {"a": "x", "b": "y"}, True, False),
    "of two names, both": (claim("^(a|b)$", "^x$"), {"a": "x", "b": ["y", "x"]}, True, True),
    "within": (claim(r"^realm_access\.roles$", "^admin$"), {"realm_access": {"roles": ["admin"]}}, True, True),
    "within a list": (claim(r"^groups\.[0-9]+\.name$", "^x$"), {"groups": [{"name": "x"}]}, True, True),
    "a list of both": (claim("^a$", "^x$"), {"a": ["x", {"b": "y"}]}, True, True),
    "within a list of both": (claim(r"^a\.1\.b$", "^y$"), {"a": ["x", {"b": "y"}]}, True, True),
    "an address of a name": (claim(r"^https://x\.test/roles$", "^a$"), {"https://x.test/roles": ["a"]}, True, False),
    "a number": (claim("^level$", "^3$"), {"level": 3}, True, True),
    "a fraction": (claim("^level$", r"^3\.5$"), {"level": 3.5}, True, True),
    "true": (claim("^email_verified$", "^true$"), {"email_verified": True}, True, True),
    "null": (claim("^a$", "^null$"), {"a": None}, True, True),
    "a list of objects has no name": (claim("^groups$"), {"groups": [{"name": "x"}]}, False, False),
    "an object in a list is none of its values": (claim("^a$", "^{}$"), {"a": ["x", {"b": "y"}]}, False, False),
    "the values of a list have no names": (claim(r"^roles\.0$"), {"roles": ["admin"]}, False, False),
    "scopes in a text": (claim("^scope$", r"(^| )write( |$)"), {"scope": "read write"}, True, True),
    "no JSON": (claim("^a$"), {"b": object()}, True, False),
    "no JSON, and must not be": (claim("^a$", **ABSENT), {"b": object()}, True, False),
}


@table(TOKENS)
def test_tokens(asked: Asked, row: tuple[Any, ...]) -> None:
    check, claims, denied, allowed = row
    CLAIMS.update(claims)
    assert asked.passes([deny(token=[check])], method="GET") != denied
    assert asked.passes([allow(token=[check])], method="GET", default="deny") == allowed


@pytest.mark.parametrize("scope", Scope)
def test_tokens_in_every_scope(asked: Asked, scope: Scope) -> None:
    CLAIMS["sub"] = "alice"
    assert not asked.passes([deny(token=[claim("^sub$", "^alice$")])], scope=scope)
    assert asked.passes([deny(token=[claim("^sub$", "^bob$")])], scope=scope)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def _paths(document: Any, path: str | None = None) -> list[str]:
    if not isinstance(document, dict | list) or not document:
        return [path or ""]
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    return [each for name, value in inner for each in _paths(value, str(name) if path is None else f"{path}.{name}")]


PATTERNS = ["^a", "b$", "^$", "[0-9]", r"\bx", "a|b", ".", "^[^a]", r"a\nb", "(?:a)+", r"\Aa", r"a\z", "(?i)A"]


@given(DOCUMENTS)
@settings(deadline=None)
def test_every_leaf_has_its_path(document: Any) -> None:
    found = leaves_of_body(json.dumps(document).encode())
    assert found is not None
    assert sorted(leaf.path.decode() for leaf in found.leaves) == sorted(_paths(document))


@given(DOCUMENTS, st.sampled_from(PATTERNS))
@settings(max_examples=300, deadline=None)
def test_looking_at_all_paths_at_once_leaves_out_none(document: Any, pattern: str) -> None:
    found = leaves_of_body(json.dumps(document).encode())
    among = compiled_for_lines(Pattern(pattern), None)
    search = compiled(Pattern(pattern), None).search
    if found is not None and among is not None and any(search(leaf.path) for leaf in found.leaves):
        assert among(found.paths)


@given(st.binary(max_size=200) | st.text(alphabet='{}[],:"0123456789eE+-.a\\u ', max_size=60).map(str.encode))
@settings(max_examples=500, deadline=None)
def test_no_body_breaks_it(body: bytes) -> None:
    found = leaves_of_body(body)
    if found is not None and body:
        json.loads(body)


def test_claims_that_somebody_made_by_hand() -> None:
    assert leaves_of_claims({"a": ("x", "y")}) == leaves_of_claims({"a": ["x", "y"]})
    assert leaves_of_claims({"a": "\ud800"}) is None


def test_a_warning_for_paths_that_are_no_patterns() -> None:
    def said(check: Document, *more: Document) -> dict[str, Any]:
        rules = [rule_of(deny(body=[each]), f"r{place}") for place, each in enumerate((check, *more), 1)]
        return dict(RuleChecks.lint_rules(RuleScope(scope=Scope.PROXY, parent_id="p1", rules=tuple(rules))))

    assert "dotted" in said(leaf("$.role"))["r1"][0]
    assert "dotted" in said(leaf("$['role']"))["r1"][0]
    assert said(leaf("^role$")) == {}
    assert said(leaf("$.role", **ABSENT)) == {}
    # Rules that differ in their bodies are not the same.
    assert said(leaf("^a$"), leaf("^b$")) == {}
    assert "r1 denies the same" in said(leaf("^a$"), leaf("^a$"))["r2"][0]
