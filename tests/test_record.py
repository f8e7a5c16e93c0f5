"""What the log says of a request, field by field, and above all what it must not say.

Belongs here: record.py. Does not: how rows reach the disk (test_journal.py).
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from rrgate.answers import GRANTED
from rrgate.body import Body
from rrgate.checks import NAMES, Checks
from rrgate.exchange import Exchange, Identity, TargetResponse
from rrgate.names import fold
from rrgate.record import (
    REDACTED,
    answer_headers_shown,
    encode,
    location_shown,
    parameters_shown,
    request_headers_shown,
    snapshot,
)


def fields(*pairs: tuple[bytes, bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [(fold(name), name, value) for name, value in pairs]


def route(**changes: Any) -> Any:
    known = {
        "proxy": SimpleNamespace(id="p1", client_id="c1", user_id="u1"),
        "cut_headers": frozenset({b"authorization", b"content-length"}),
        "cut_parameters": frozenset({b"authorization", b"appid"}),
        "own_prefix": b"requestrocket-",
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
    row = encode(snapshot(ex), days)
    return orjson.loads(row.record), orjson.loads(row.detail)


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
        "timeline": [{"step": "authenticate", "at": 0.0005}],
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


def test_claims_are_bounded_and_only_sub() -> None:
    for sub, shown in (("é" * 300, "é" * 128), ("\ud800", "?"), (7, "7")):
        record, _ = documents(forwarded(identity=Identity("s", "", {"sub": sub})))
        assert record["tokenClaims"] == {"sub": shown}
        assert record["credentialId"] is None
    record, _ = documents(forwarded(identity=Identity("s", "k", {"sub": {"deep": 1}})))
    assert record["tokenClaims"] == {}


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
    ("query", "shown"),
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
def test_queries(query: bytes, shown: dict[str, str]) -> None:
    assert parameters_shown(query, route()) == shown
    assert all(value in (REDACTED, "") for value in parameters_shown(query, None).values())


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
    assert secret.decode() not in "".join(str(value) for value in encode(snapshot(ex)))


def test_a_snapshot_is_cheap() -> None:
    ex = forwarded()
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(100):
            snapshot(ex)
        best = min(best, (time.perf_counter() - started) / 100)
    assert best < 20e-6  # 1 µs here; the bound only catches work that belongs into encode
