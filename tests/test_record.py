"""What the log says of a request, field by field, and above all what it must not say.

Belongs here: record.py, redaction.py and record_view.py. Does not: how rows reach the disk (test_journal.py).
"""

from __future__ import annotations

import time
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from rrgate import redaction
from rrgate.answers import GRANTED
from rrgate.body import Body
from rrgate.checks import NAMES, Checks
from rrgate.exchange import Exchange
from rrgate.json_text import WrittenNumber
from rrgate.messages import Identity, TargetResponse
from rrgate.model.path_template import compiled_template
from rrgate.names import fold
from rrgate.record import encode, snapshot
from rrgate.record_view import RecordOf, WrittenRecords, _seconds, checks_written, listing, published
from rrgate.redaction import (
    REDACTED,
    Kept,
    answer_headers_kept,
    location_shown,
    parameters_kept,
    request_headers_kept,
)
from rrgate.store.log_rows import ListedRow, LogRow


def fields(*pairs: tuple[bytes, bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [(fold(name), name, value) for name, value in pairs]


def route(**changes: Any) -> Any:
    known = {
        "proxy": SimpleNamespace(id="p1", client_id="c1", user_id="u1"),
        "cut_headers": frozenset({b"authorization", b"content-length"}),
        "cut_parameters": frozenset({b"authorization", b"appid"}),
        "own_prefix": b"requestrocket-",
        "log_path": None,
    }
    return SimpleNamespace(**{**known, **changes})


def exchange(target: bytes = b"/api/p1/get?a=1", headers: Any = (), **changes: Any) -> Exchange:
    ex = Exchange(
        "r1",
        b"GET",
        target,
        fields(*headers),
        Body.of(b""),
        0,
        False,
        "127.0.0.1",
        100.0,
        1_700_000_000.25,
        None,  # type: ignore[arg-type]
    )
    for name, value in changes.items():
        setattr(ex, name, value)
    return ex


def forwarded(**changes: Any) -> Exchange:
    response = TargetResponse(
        302, b"Found", fields((b"Location", b"https://u:p@h/x?code=abc&page=2#t=1")), 0, Body.of(b""), 10
    )
    settings: dict[str, Any] = {
        "route": route(),
        "origin_path": b"/get",
        "identity": Identity("s", "k1", {"sub": "s", "email": "e"}),
        "response": response,
        "checks": Checks.PROXY_EXISTS | Checks.REQUEST_SENT,
        "code": GRANTED,
        "message": "Proxy authentication successful",
        "final_status": 302,
        "target_status": 302,
        "answer_fields": [(b"Content-Type", b"text/plain"), (b"X-Secret", b"s"), (b"requestrocket-proxy-code", b"x")],
        "sent_at": 100.001,
        "response_at": 100.251,
        "answered_at": 100.2524,
        "timeline": [("authenticate", 100.0005)],
    }
    return exchange(**{**settings, **changes})


def documents(ex: Exchange, days: int = 90) -> tuple[Any, Any]:
    record, detail = published(encode(snapshot(ex)), lambda client_id: days)
    return orjson.loads(orjson.dumps(record)), orjson.loads(orjson.dumps(detail))


def shown(kept: Kept) -> dict[str, str]:
    return {name: REDACTED if value is None else value for name, value in kept.items()}


def request_headers_shown(given: Any, known: Any) -> dict[str, str]:
    first, again = request_headers_kept(given, known), request_headers_kept(given, known)
    assert first == again  # what is remembered says the same
    return shown(first)


def answer_headers_shown(given: Any, known: Any) -> dict[str, str]:
    first, again = answer_headers_kept(given, known), answer_headers_kept(given, known)
    assert first == again
    return shown(first)


def test_a_whole_record() -> None:
    record, detail = documents(forwarded(fields=fields((b"Accept", b"*/*"), (b"Authorization", b"Bearer hush"))))
    checks = record.pop("validationData")
    assert list(checks) == list(NAMES)
    assert [name for name, held in checks.items() if held] == ["proxyExists", "requestSent"]
    assert record == {
        "pKey": "p1",
        "sKey": "r1",
        "userId": "u1",
        "clientId": "c1",
        "parentId": "p1",
        "processed": True,
        "processedAt": 1_700_000_000_250,
        "TTL": 1_700_000_000 + 90 * 86400,
        "proxyData": {
            "stage": "prod",
            "method": "GET",
            "apiPath": "/get",
            "receivedAt": 1_700_000_000_250,
            "sentAt": 1_700_000_000_502,
            "duration": 0.2524,
            "status": 302,
            "message": "Request logged",
            "arnBase": "",
            "apiHeaders": {"Accept": "*/*", "Authorization": REDACTED},
            "apiParams": {"a": "1"},
        },
        "targetData": {
            "sentAt": 1_700_000_000_251,
            "receivedAt": 1_700_000_000_501,
            "duration": 0.25,
            "status": 302,
            "location": "https://h/x?code=&page=",
        },
        "credentialId": "k1",
        "ruleId": None,
        "country": "ZZ",
        "tokenClaims": {"sub": "s"},
        "attempts": 1,
        "timeline": [{"step": "authenticate", "at": 0.0005}, {"step": "first byte", "at": 0.251}],
    }
    assert detail == {
        "method": "GET",
        "path": "/get",
        "statusCode": 302,
        "duration": 252,
        "requestHeaders": {"Accept": "*/*", "Authorization": REDACTED},
        "responseHeaders": {"Content-Type": "text/plain", "X-Secret": REDACTED, "requestrocket-proxy-code": "x"},
    }


def test_the_row_has_what_is_looked_up() -> None:
    row = encode(snapshot(forwarded()))
    assert row[:6] == ("p1", "r1", "c1", 1_700_000_000_250, "GET", 302)


def test_parts_of_a_path_are_masked_by_a_template() -> None:
    ex = forwarded(route=route(log_path=compiled_template("/users/([^/]+)")), origin_path=b"/users/ann/cards")
    assert ex.response is not None
    ex.response.fields = fields((b"Location", b"https://h/users/ann?next=1"))
    record, detail = documents(ex)
    assert record["proxyData"]["apiPath"] == detail["path"] == "/users/[REDACTED]/cards"
    assert record["targetData"]["location"] == "https://h/users/[REDACTED]"


def test_a_row_from_before_countries_and_ends_were_known_is_shown_too() -> None:
    row = encode(snapshot(forwarded()), "NZ")
    assert published(row)[0]["country"] == "NZ"
    older = row._replace(facts=orjson.dumps(orjson.loads(row.facts)[:-2]).decode())
    assert (published(older)[0]["country"], published(older)[0]["processed"]) == ("ZZ", True)


def test_without_a_proxy() -> None:
    record, detail = documents(
        exchange(b"/api/nobody?page=1", code="proxy-access-denied", message="No such proxy", final_status=404)
    )
    assert (record["pKey"], record["clientId"], record["userId"], record["targetData"]) == ("", "", "", None)
    assert record["proxyData"]["apiPath"] == detail["path"] == "/api/nobody"
    assert record["proxyData"]["message"] == "No such proxy"
    assert record["proxyData"]["apiParams"] == {"page": REDACTED}
    assert record["attempts"] == 0
    assert not any(record["validationData"].values())


def test_sent_without_an_answer_and_a_caller_who_left() -> None:
    ex = forwarded(response=None, response_at=0.0, answered_at=0.0, target_status=0, final_status=0, code="x")
    record, detail = documents(ex, days=1)
    assert record["targetData"] == {
        "sentAt": 1_700_000_000_251,
        "receivedAt": None,
        "duration": None,
        "status": None,
        "location": None,
    }
    assert record["proxyData"]["sentAt"] is None
    assert record["proxyData"]["status"] == detail["statusCode"] == 499
    assert record["TTL"] == 1_700_000_000 + 86400


def test_messages() -> None:
    for code, message, shown in (
        (GRANTED, "", "Request logged"),
        (GRANTED, "Proxy authentication successful", "Request logged"),
        (GRANTED, "The answer broke off: x", "The answer broke off: x"),
        ("rate-limited", "Too many", "Too many"),
    ):
        assert documents(forwarded(code=code, message=message))[0]["proxyData"]["message"] == shown


CLAIMS = {
    "sub": "s",
    "long": "é" * 300,
    "longer by one": "x" + "é" * 300,
    "of four bytes": "xyz" + "\U0001f600" * 100,
    "256": "x" * 256,
    "half": "\ud800",
    "whole": 7,
    "written": WrittenNumber("1.10"),
    "true": True,
    "null": None,
    "empty": "",
    "list": ["é", {"a": 1.5, "b": WrittenNumber("2.50")}],
    "long list": ["é" * 300],
    "object": {"deep": 1},
    "nobody's": "a secret",
    "no JSON": object(),
    "NaN": float("nan"),
    "é" * 300: "of a long name",
    "\ud800": "of half a name",
}
LOGGED: dict[tuple[str, ...], dict[str, str]] = {
    ("sub",): {"sub": "s"},
    (): {},
    ("long",): {"long": "é" * 128},
    ("longer by one",): {"longer by one": "x" + "é" * 127},
    ("of four bytes",): {"of four bytes": "xyz" + "\U0001f600" * 63},
    ("256",): {"256": "x" * 256},
    ("half",): {"half": "?"},
    ("whole", "written", "true"): {"whole": "7", "written": "1.10", "true": "true"},
    ("null", "gone", "empty"): {"empty": ""},
    ("list", "object"): {"list": '["é",{"a":1.5,"b":2.50}]', "object": '{"deep":1}'},
    ("long list",): {"long list": '["' + "é" * 127},
    ("no JSON", "NaN", "sub"): {"sub": "s"},
    ("é" * 300, "\ud800"): {"é" * 128: "of a long name", "?": "of half a name"},
}


@pytest.mark.parametrize("names", LOGGED, ids=lambda names: repr(names)[:40])
def test_of_the_claims_those_that_are_named_are_kept_and_bounded(names: tuple[str, ...]) -> None:
    record, detail = documents(forwarded(identity=Identity("s", "", CLAIMS, names)))
    assert record["tokenClaims"] == LOGGED[names]
    assert all(len(value.encode()) <= 256 for value in record["tokenClaims"].values())
    assert record["credentialId"] is None
    assert "a secret" not in repr((record, detail))


def test_only_the_subject_is_kept_unless_somebody_says_otherwise() -> None:
    assert documents(forwarded(identity=Identity("s", "", CLAIMS)))[0]["tokenClaims"] == {"sub": "s"}


@pytest.mark.parametrize("wrong", ["sub", ["sub"], None, (b"sub",), ("sub", 1)])
def test_names_of_logged_claims_that_are_none(wrong: Any) -> None:
    with pytest.raises(TypeError, match="log_claims of a Identity must be of type"):
        Identity("s", "", {}, wrong)


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "Accept-Encoding",
        "CONTENT-TYPE",
        "content-length",
        "user-agent",
        "cache-control",
        "retry-after",
        "x-ratelimit-limit",
        "X-RateLimit-Remaining",
        "requestrocket-proxy-code",
        "Requestrocket-Delay",
    ],
)
def test_headers_in_clear(name: str) -> None:
    assert request_headers_shown(fields((name.encode(), b"v\xe9")), route()) == {name: "vé"}
    assert answer_headers_shown([(name.encode(), b"v")], None) == {name: "v"}


@pytest.mark.parametrize(
    "name",
    ["authorization", "cookie", "x-api-key", "host", "referer", "x-rate", "accept-language", "origin", "x-acceptance"],
)
def test_headers_redacted(name: str) -> None:
    assert request_headers_shown(fields((name.encode(), b"hush")), route()) == {name: REDACTED}
    assert answer_headers_shown([(name.encode(), b"hush")], route()) == {name: REDACTED}


def test_a_credential_in_a_harmless_header_is_redacted() -> None:
    known = route(cut_headers=frozenset({b"user-agent", b"requestrocket-key"}))
    given = fields((b"User_Agent", b"hush"), (b"requestrocket-key", b"hush"), (b"Accept", b"x"))
    assert request_headers_shown(given, known) == {
        "User_Agent": REDACTED,
        "requestrocket-key": REDACTED,
        "Accept": "x",
    }


def test_repeated_headers_are_joined_under_the_first_spelling() -> None:
    assert request_headers_shown(fields((b"Accept", b"a"), (b"ACCEPT", b"b")), route()) == {"Accept": "a, b"}


def test_another_prefix_of_our_own_headers() -> None:
    known = route(own_prefix=b"gate-")
    answer = [(b"gate-proxy-code", b"x"), (b"requestrocket-proxy-code", b"x")]
    assert answer_headers_shown(answer, known) == {"gate-proxy-code": "x", "requestrocket-proxy-code": REDACTED}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", {}),
        (b"a=1&b=two+words&c=%C3%A9", {"a": "1", "b": "two words", "c": "é"}),
        (b"flag&empty=&=x&&", {"flag": "", "empty": "", "": "x"}),
        (b"a=" + b"x" * 64, {"a": "x" * 64}),
        (b"a=" + b"x" * 65, {"a": REDACTED}),
        (b"a=" + b"%20" * 64, {"a": " " * 64}),
        (
            b"api_key=1&access_token=1&clientSecret=1&X-Sig=1",
            dict.fromkeys(("api_key", "access_token", "clientSecret", "X-Sig"), REDACTED),
        ),
        (
            b"oauth=1&PASS=1&pwd=1&code=1&state=1&jwt=1&cred=1&sessionid=1",
            dict.fromkeys(("oauth", "PASS", "pwd", "code", "state", "jwt", "cred", "sessionid"), REDACTED),
        ),
        (b"%6bey=1", {"key": REDACTED}),
        (b"k%2565y=1", {"k%65y": REDACTED}),
        (b"appid=1&App_Id=2&APPID=3&a%70pid=4", {"appid": REDACTED, "App_Id": "2", "APPID": REDACTED}),
        (b"a=1;token=hush", {"a": REDACTED}),
        (b"next=http%3A%2F%2Fh%2F%3Ftoken%3Dhush", {"next": REDACTED}),
        (b"a=1&a=2", {"a": "1, 2"}),
        (b"a=1&a=" + b"x" * 65, {"a": REDACTED}),
        (b"a=%ff", {"a": "\ufffd"}),
    ],
)
def test_queries(query: bytes, expected: dict[str, str]) -> None:
    for _ in range(2):
        assert shown(parameters_kept(query, route())) == expected
    assert all(value in (None, "") for value in parameters_kept(query, None).values())


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (b"/next", "/next"),
        (b"/next?a=1&b&c=", "/next?a=&b&c="),
        (b"https://user:pass@host:1/p?q=1#frag", "https://host:1/p?q="),
        (b"//user@host/p", "//host/p"),
        (b"https://h?to=https://u:p@x/", "https://h?to="),
        (b"/a#access_token=1", "/a"),
        (b"", ""),
    ],
)
def test_locations(location: bytes, shown: str) -> None:
    assert location_shown(location) == shown


def test_who_says_redacted_hides_what_stands_beside_it() -> None:
    given = fields((b"Accept", b"a"), (b"accept", REDACTED.encode()), (b"ACCEPT", b"b"))
    assert request_headers_shown(given, route()) == {"Accept": REDACTED}
    assert shown(parameters_kept(b"a=1&a=[REDACTED]", route())) == {"a": REDACTED}


def test_decisions_are_remembered_for_names_and_never_across_what_decides_them() -> None:
    given = fields((b"User-Agent", b"one"))
    assert request_headers_shown(given, route()) == {"User-Agent": "one"}
    assert request_headers_shown(fields((b"User-Agent", b"two")), route()) == {"User-Agent": "two"}
    assert request_headers_shown(given, route(cut_headers=frozenset({b"user-agent"}))) == {"User-Agent": REDACTED}
    assert answer_headers_shown([(b"gate-x", b"v")], route()) == {"gate-x": REDACTED}
    assert answer_headers_shown([(b"gate-x", b"v")], route(own_prefix=b"gate-")) == {"gate-x": "v"}
    assert shown(parameters_kept(b"q=1", route())) == {"q": "1"}
    assert shown(parameters_kept(b"q=1", route(cut_parameters=frozenset({b"q"})))) == {"q": REDACTED}
    assert shown(parameters_kept(b"q=1", None)) == {"q": REDACTED}


def test_the_memory_is_bounded_and_holds_no_values() -> None:
    for number in range(3000):
        given = fields((b"x-%d" % number, b"planted"), (b"Accept", b"planted"), (b"y" * 2100 + b"%d" % number, b""))
        request_headers_kept(given, route())
        request_headers_kept(given[:2], route())
        parameters_kept(b"q%d=planted&%s=1" % (number, b"z" * 65), route())
    assert len(redaction._SHAPES) <= redaction._SHAPES_MOST
    assert all(sum(map(len, names)) <= 2048 for names, _, _ in redaction._SHAPES)
    assert "planted" not in repr(redaction._SHAPES)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"method": b"PROPFIND", "origin_path": b"", "final_status": 418, "target_status": 500},
        {"origin_path": "/pfäd \u2028".encode(), "query": b"a=1&flag&key=hush", "fields": fields((b"a\xe9", b"x"))},
        {"checks": 0, "attempt": 3, "code": "x", "message": 'said "so" \u20ac', "deciding_rule": "rule-1"},
        {"checks": (1 << 20) - 1, "started": 12345.678901, "sent_at": 12345.7, "response_at": 12346.000001},
        {"sent_at": 0.0, "response_at": 0.0, "answered_at": 0.0, "response": None, "identity": None},
        {"wall_started": 1_765_517_217.621999, "timeline": [(f"step {n}", 100 + n / 7) for n in range(20)]},
        {"response_at": 0.0, "answered_at": 100.5, "identity": Identity("s", "", {})},
        {"timeline": [], "answer_fields": [(b"Retry-After", b"1"), (b"retry-after", b"2")], "fields": []},
    ],
)
def test_the_facts_of_a_row_are_enough_for_both_documents(changes: dict[str, Any]) -> None:
    ex = forwarded(**changes)
    record, detail = documents(ex)
    data, target = record["proxyData"], record["targetData"]
    ended = max(ex.answered_at, ex.response_at, ex.sent_at, ex.started)

    def at(moment: float) -> int | None:
        return int((ex.wall_started + moment - ex.started) * 1000) if moment else None

    path = (ex.origin_path or b"/").decode("latin-1")
    assert (data["method"], data["apiPath"], data["status"]) == (ex.method.decode(), path, ex.final_status)
    assert (detail["method"], detail["path"], detail["statusCode"]) == (ex.method.decode(), path, ex.final_status)
    assert record["processedAt"] == data["receivedAt"] == int(ex.wall_started * 1000)
    assert (data["sentAt"], data["duration"]) == (at(ex.answered_at), round(ended - ex.started, 6))
    assert detail["duration"] == round((ended - ex.started) * 1000)
    assert data["message"] == (ex.message if ex.code != GRANTED else "Request logged")
    assert data["apiHeaders"] == detail["requestHeaders"] == request_headers_shown(ex.fields, ex.route)
    assert detail["responseHeaders"] == answer_headers_shown(ex.answer_fields, ex.route)
    assert data["apiParams"] == shown(parameters_kept(ex.query, ex.route))
    assert record["validationData"] == {name: bool(ex.checks >> n & 1) for n, name in enumerate(NAMES)}
    assert record["ruleId"] == (ex.deciding_rule or None)
    assert record["credentialId"] == (ex.identity.credential_id or None if ex.identity else None)
    assert record["tokenClaims"] == ({"sub": "s"} if ex.identity and ex.identity.claims else {})
    assert record["attempts"] == (ex.attempt if ex.sent_at else 0)
    moments = [*ex.timeline, *([("first byte", ex.response_at)] if ex.response_at else [])]
    moments.sort(key=lambda moment: moment[1])
    assert record["timeline"] == [{"step": step, "at": round(when - ex.started, 6)} for step, when in moments]
    assert (target is None) == (not ex.sent_at)
    if target is not None:
        assert (target["sentAt"], target["receivedAt"]) == (at(ex.sent_at), at(ex.response_at))
        assert target["duration"] == (round(ex.response_at - ex.sent_at, 6) if ex.response_at else None)
        assert (target["status"], target["location"]) == (ex.target_status, "https://h/x?code=&page=")


def test_no_planted_secret_anywhere_in_the_row() -> None:
    secret = b"planted-secret-0123456789"
    ex = forwarded(
        query=b"appid=" + secret + b"&Authorization=" + secret + b"&x%5Bkey%5D=" + secret,
        fields=fields((b"Authorization", b"Bearer " + secret), (b"Cookie", secret), (b"X-Api-Key", secret)),
        answer_fields=[(b"Set-Cookie", secret), (b"Location", b"/?x=" + secret), (b"WWW-Authenticate", secret)],
        denied_reason=secret.decode(),
    )
    ex.response = TargetResponse(
        302, b"", fields((b"location", b"/?x=" + secret), (b"set-cookie", secret)), 0, Body.of(secret), 1
    )
    row = encode(snapshot(ex))
    assert secret.decode() not in "".join(str(value) for value in row)
    assert secret.decode() not in repr(published(row))


def test_a_snapshot_is_cheap() -> None:
    ex = forwarded()
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(100):
            snapshot(ex)
        best = min(best, (time.perf_counter() - started) / 100)
    assert best < 20e-6  # 0.3 µs here; the bound only catches work that belongs into encode


def test_durations_are_those_that_round_answers_ties_too() -> None:
    chance = Random(1)
    ties = [(chance.randrange(10**9) + 0.5) / 1_000_000 for _ in range(2000)]
    near = [tie + chance.choice((-1, 1)) * chance.random() * 1e-9 for tie in ties]
    any_size = [chance.random() * 10.0 ** chance.randrange(-9, 12) for _ in range(2000)]
    for duration in (0.0, 1e-9, -1e-9, -1.5, 1e300, *ties, *near, *any_size):
        assert repr(_seconds(duration)) == repr(round(duration, 6)), duration
    moments = [100.0 + duration for duration in (0.0, 1e-9, -1e-9, -1.5, 1e300, *ties, *near, *any_size)]
    row = encode(snapshot(forwarded(response_at=0.0, timeline=[("a step", moment) for moment in moments])))
    shown_at = [each["at"] for each in published(row)[0]["timeline"]]
    assert list(map(repr, shown_at)) == [repr(round(moment - 100.0, 6)) for moment in moments]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sent_at": 0.0, "response_at": 0.0, "answered_at": 100.5, "final_status": 403, "target_status": 0},
        {"response_at": 0.0, "answered_at": 0.0, "timeline": [], "identity": None},
        {"answered_at": 100.1, "message": "the answer \"broke\" off", "code": "proxy-error"},
        {"route": None, "origin_path": b"", "checks": 0},
        {"query": b"page=1&key=2", "fields": fields((b"Accept", b'":null,"a\\":null \xfc'), (b"Cookie", b"x"))},
    ],
)
def test_a_list_says_what_the_single_view_says_byte_for_byte(changes: dict[str, Any]) -> None:
    row = encode(snapshot(forwarded(**changes)), "NZ")
    expected = orjson.dumps(published(row, lambda client_id: 30)[0])
    listed = listing(row.proxy_id, row.client_id, 30, checks_written)(as_listed(row))
    assert orjson.dumps(listed) == expected
    records = WrittenRecords()
    for _ in range(4):
        (written,) = records.of(row.proxy_id, row.client_id, 30, [as_listed(row)])
        assert orjson.dumps(written) == expected


def as_listed(row: LogRow, row_id: int = 7) -> ListedRow:
    return (row_id, row.request_id, row.processed_at, row.method, row.status, row.facts.encode())


def test_a_record_that_is_asked_for_twice_is_not_made_again() -> None:
    records = WrittenRecords()
    row = encode(snapshot(forwarded()))
    # Pages that go on where the one before ended, and others that come later.
    asked = [(1, 2), (3, 4), (2, 3), (1, 2, 3), (0, 1, 2, 3, 4), (4, 3), (0,), (0,)]
    seen: dict[int, list[Any]] = {}
    for ids in asked:
        for row_id, record in zip(ids, records.of("p1", "c1", 90, [as_listed(row, each) for each in ids]), strict=True):
            seen.setdefault(row_id, []).append(record)
    for first, second, *later in seen.values():
        assert isinstance(first, dict)
        assert orjson.dumps(first) == orjson.dumps(second)
        assert all(each is second for each in later)
    assert [len(those) for those in seen.values()] == [3, 4, 5, 3, 3]


@pytest.mark.parametrize(
    ("whose", "changes"),
    [
        (("p1", "c1", 90), {"final_status": 500}),
        (("p1", "c1", 90), {"checks": 0}),
        (("p1", "c1", 90), {"wall_started": 1_700_000_001.0}),
        (("p1", "c1", 30), {}),
        (("p2", "c1", 90), {}),
        (("p1", "c2", 90), {}),
    ],
)
def test_what_is_remembered_of_a_record_is_not_shown_of_another(
    whose: tuple[str, str, int], changes: dict[str, Any]
) -> None:
    records = WrittenRecords()
    for _ in range(3):
        list(records.of("p1", "c1", 90, [as_listed(encode(snapshot(forwarded())))]))
    row = as_listed(encode(snapshot(forwarded(**changes))))
    expected = orjson.dumps(listing(*whose)(row))
    assert [orjson.dumps(*records.of(*whose, [row])) for _ in range(3)] == [expected] * 3


def test_records_are_remembered_within_a_bound() -> None:
    records = WrittenRecords(50_000)
    row = encode(snapshot(forwarded()))
    most = 0
    for number in range(1000):
        for _ in range(1 + number % 3):
            list(records.of("p1", "c1", 90, [as_listed(row, number)]))
        texts = sum(len(kept[-1]) + len(orjson.dumps(text)) for kept, _, text in records._known.values())
        most = max(most, 100 * len(records._noted) + texts)
    assert 20_000 < most <= 50_000


# For plugins.


def test_plugins_are_given_the_record_that_lists_show() -> None:
    ex = forwarded()
    given = RecordOf(ex, {"127.0.0.1": "NZ"}.__getitem__)
    record = published(encode(snapshot(ex), "NZ"))[0]
    assert (dict(given), len(given), given["country"]) == (record, len(record), "NZ")
    assert RecordOf(ex)["country"] == "ZZ"


def test_a_record_is_made_when_it_is_first_read_and_once() -> None:
    asked: list[str] = []
    given = RecordOf(forwarded(), lambda address: asked.append(address) or "ZZ")  # type: ignore[func-returns-value]
    assert asked == []
    assert given["sKey"] == given["sKey"] == "r1"
    assert asked == ["127.0.0.1"]


def test_where_a_caller_wants_to_be_called_back_is_not_in_clear() -> None:
    given = fields((b"requestrocket-callback-url", b"https://a.test/SECRET"), (b"requestrocket-delay", b"5"))
    kept = request_headers_kept(given, route())
    assert kept == {"requestrocket-callback-url": None, "requestrocket-delay": "5"}


def test_without_a_credential_it_could_stand_in_any_field_of_a_family() -> None:
    given = fields((b"requestrocket-delay", b"5"), (b"X-RateLimit-Key", b"5"))
    assert set(request_headers_kept(given, route(cut_parameters=None)).values()) == {None}
