"""Whatever callers show and targets are shown, an explanation says what is sent, and nothing that is secret.

Belongs here: every auth type on either side, and what the setting of a credential changes. Does not: credentials that
are not there (test_states.py).
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import OutsideAnswer, fold
from rrgate.testing import MemoryGateway
from tests.explained.both import Asked, Fields, both, shows_nothing_of

SECRET = "s3cr3t-that-is-shown-5d17"
SHARED = "a-shared-secret-of-more-than-32-bytes"


def token(**claims: Any) -> str:
    parts = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in ({"alg": "HS256"}, claims)]
    signature = urlsafe_b64encode(digest(SHARED.encode(), b".".join(parts), sha256)).rstrip(b"=")
    return b".".join((*parts, signature)).decode()


STORED = f"eyJhbGciOiJIUzI1NiJ9.e30.{SECRET}"
CLAIMS = {"sub": "somebody", "exp": 4_000_000_000, "aud": "us", "team": "blue"}
BASIC = "Basic " + b64encode(f"somebody:{SECRET}".encode()).decode()
VERIFIES = {"sharedSecret": SHARED, "algorithms": ["HS256"], "audience": "us"}

CALLERS: dict[str, tuple[tuple[str, Mapping[str, Any]], Fields, str]] = {
    "apiKey": (("apiKey", {"key": SECRET}), (("Authorization", SECRET),), ""),
    "apiKey, named": (("apiKey", {"key": "X-Key", "value": SECRET}), (("X-Key", SECRET),), ""),
    "apiKey, as authorization": (("apiKey", {"key": "X-Key", "value": SECRET}), (("Authorization", SECRET),), ""),
    "apiKey in the query": (("key", {"key": "X-Key", "value": SECRET}), (), f"/a?x_key={SECRET}&b=1"),
    "bearer": (("bearer", {"token": SECRET}), (("Authorization", f"bearer {SECRET}"),), ""),
    "bearer in the query": (("bearer", {"token": SECRET}), (), f"/a?b=1&Authorization=Bearer+{SECRET}"),
    "bearer, prefixed": (("bearer", {"token": SECRET, "prefix": "Key "}), (("Authorization", f"Key {SECRET}"),), ""),
    "basicAuth": (("basicAuth", {"username": "somebody", "password": SECRET}), (("Authorization", BASIC),), ""),
    "jwt": (("jwt", {"token": STORED}), (("Authorization", STORED),), ""),
    "jwtVerify": (("jwtVerify", VERIFIES), (("Authorization", f"Bearer {token(**CLAIMS)}"),), ""),
    "jwtVerify for any audience": (
        ("jwtVerify", VERIFIES | {"audience": None}),
        (("Authorization", f"Bearer {token(**CLAIMS)}"),),
        "",
    ),
    "none": (("none", {}), (), ""),
    "none, out of habit": (("none", {}), (("Authorization", f"Bearer {SECRET}"),), ""),
}  # fmt: skip

AWS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": SECRET,
    "region": "us-east-1",
    "service": "execute-api",
}
TOKEN_URL = "https://issuer.test/token"
GRANT = {"grantType": "client_credentials", "tokenUrl": TOKEN_URL, "clientId": "someone", "clientSecret": "of-a-client"}
TOWARDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "none": ("none", {}),
    "bearer": ("bearer", {"token": SECRET}),
    "bearer, prefixed": ("bearer", {"token": SECRET, "prefix": "Key "}),
    "apiKey": ("apiKey", {"key": SECRET}),
    "apiKey in a header": ("apiKey", {"key": "X-Target-Key", "value": SECRET, "addToHeader": True}),
    "apiKey in the query": ("apiKey", {"key": "api_key", "value": SECRET, "addToQueryParam": True}),
    "apiKey in the body": ("apiKey", {"key": "api_key", "value": SECRET, "addToBody": True}),
    "basicAuth": ("basicAuth", {"username": "someone", "password": SECRET}),
    "jwt": ("jwt", {"token": STORED}),
    "jwt, signed": ("jwt", {"signingKey": SHARED, "algorithm": "HS256", "claims": {"iss": "us"}, "prefix": "Bearer "}),
    "custom": ("custom", {"headers": {"X-One": SECRET}, "queryParams": {"two": SECRET}, "data": {"three": SECRET}}),
    "awsSigV4": ("awsSigV4", AWS),
    "hmac": ("hmac", {"secret": SECRET, "header": "X-Signature"}),
    "hmac of more": (
        "hmac",
        {"secret": SECRET, "header": "X-Signature", "template": "{timestamp}.{body}", "timestampHeader": "X-Time"},
    ),
    "oauth2": ("oauth2", GRANT),
    "customToken": ("customToken", {"request": {"url": TOKEN_URL}, "tokenPath": "$.access_token"}),
}
FETCHED = ("oauth2", "customToken")

REQUESTS = {
    "a GET": Asked(path="/a?b=1", headers=(("X-Mine", "mine"), ("Cookie", "a=b"))),
    "a POST of JSON": Asked("POST", "/a", (("Content-Type", "application/json"),), b'{"mine": [1, 2]}'),
    "a form": Asked("PUT", "/a?", (("Content-Type", "application/x-www-form-urlencoded"),), b"a=1&b=%C3%A9"),
    "another body": Asked("PATCH", "/a%2Fb?c&d=", (("Content-Type", "text/plain"),), "ä".encode()),
    "an empty POST": Asked("POST", "/a", (), b""),
    "a DELETE": Asked("DELETE"),
}


def opened() -> MemoryGateway:
    gateway = MemoryGateway(allow_anonymous_proxies=True)
    answer = json.dumps({"access_token": SECRET, "token_type": "Bearer", "expires_in": 3600})
    gateway.outside.says = OutsideAnswer(200, (), answer.encode())
    return gateway


@pytest.fixture(scope="module")
def gateway() -> MemoryGateway:
    return opened()


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("caller", CALLERS)
def test_of_every_caller(gateway: MemoryGateway, caller: str, asked: str) -> None:
    credential, shown, to = CALLERS[caller]
    proxy = gateway.proxy(caller=credential, proxyAllowedNetworks=["203.0.113.0/24"])
    request = REQUESTS[asked]
    if to:
        request = evolve(request, path="/a?b=1", to=to)
    told = both(gateway, proxy, evolve(request, shown=shown, claims=CLAIMS))
    assert told.sent is not None
    shows_nothing_of(told, SECRET, SHARED)


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("towards", TOWARDS)
def test_to_every_target(gateway: MemoryGateway, towards: str, asked: str) -> None:
    proxy = gateway.proxy(
        towards=TOWARDS[towards],
        url="https://target.test/base/",
        proxyAdditionalHeaders={"X-Added": "by the proxy", "X-Mine": "ours"},
        proxyAdditionalQueryParams={"b": "by the proxy"},
    )
    if towards in FETCHED:
        assert gateway.call("GET", proxy).answer.status == 200
    told = both(gateway, proxy, REQUESTS[asked])
    shows_nothing_of(told, SECRET, SHARED)


@pytest.mark.parametrize("towards", TOWARDS)
@pytest.mark.parametrize("caller", CALLERS)
def test_from_every_caller_to_every_target(gateway: MemoryGateway, caller: str, towards: str) -> None:
    credential, shown, to = CALLERS[caller]
    proxy = gateway.proxy(
        caller=credential,
        towards=TOWARDS[towards],
        proxyAdditionalData={"ours": 1.10},
        proxyAllowedNetworks=["203.0.113.0/24"],
    )
    asked = REQUESTS["a GET" if to else "a POST of JSON"]
    if to:
        asked = evolve(asked, to=to)
    asked = evolve(asked, shown=shown, claims=CLAIMS)
    if towards in FETCHED:
        both_sent = gateway.call("GET", proxy, to or "/", shown).answer
        assert both_sent.status == 200
    told = both(gateway, proxy, asked)
    assert told.sent is not None
    shows_nothing_of(told, SECRET, SHARED)


@pytest.mark.parametrize("caller", CALLERS)
def test_who_shows_nothing_is_let_in_only_where_the_operator_allows_it(caller: str) -> None:
    gateway = MemoryGateway()
    credential, shown, to = CALLERS[caller]
    proxy = gateway.proxy(caller=credential, proxyAllowedNetworks=["203.0.113.0/24"])
    told = both(gateway, proxy, Asked(path="/a?b=1", to=to, shown=shown, claims=CLAIMS))
    assert (told.sent is None) == (credential[0] == "none")


PASSING = [
    (caller, passes, mine)
    for caller, (_, shown, to) in CALLERS.items()
    for passes in ("Authorization", "X-Key", "X_Key")
    for mine in ("Authorization", "X-Key", "x_key")
    # Not where this caller's credential is read.
    if not to
    and caller not in ("apiKey, as authorization", "none, out of habit")
    and fold(mine.encode()) not in {fold(name.encode()) for name, _ in shown}
]


@pytest.mark.parametrize(("caller", "passes", "mine"), PASSING)
def test_what_may_pass_passes(gateway: MemoryGateway, caller: str, passes: str, mine: str) -> None:
    credential, shown, _ = CALLERS[caller]
    proxy = gateway.proxy(caller=credential, proxyPassHeaders=[passes], proxyAllowedNetworks=["203.0.113.0/24"])
    both(gateway, proxy, Asked(headers=((mine, "for the target"),), shown=shown, claims=CLAIMS))


PAGE = (("Origin", "https://page.test"),)
SITES = [
    (),
    (("Sec-Fetch-Site", "cross-site"),),
    (("Sec-Fetch-Site", "none"),),
    PAGE,
    (("Origin", "http://localhost"),),
]


@pytest.mark.parametrize("networks", [[], ["203.0.113.0/24"], ["198.51.100.0/24"]])
@pytest.mark.parametrize("passed_on", [(), (("X-Forwarded-For", "127.0.0.1"),), (("Via", "1.1 a"),)])
@pytest.mark.parametrize("fields", SITES)
def test_callers_who_show_nothing(fields: Fields, passed_on: Fields, networks: list[str]) -> None:
    gateway = MemoryGateway(allow_anonymous_proxies=True)
    proxy = gateway.proxy(caller=("none", {}), proxyAllowedNetworks=networks)
    both(gateway, proxy, Asked(headers=(*fields, *passed_on)))


@pytest.mark.parametrize("hosts", [("target.test",), ("elsewhere.test", "*.target.test"), ("target.test:8443",)])
def test_hosts_that_a_credential_may_go_to(gateway: MemoryGateway, hosts: tuple[str, ...]) -> None:
    proxy = gateway.proxy(towards=TOWARDS["bearer"])
    credential = gateway.directory.credentials[proxy.target_credential_id]
    gateway.directory.put(evolve(credential, allowed_hosts=hosts))
    told = both(gateway, proxy, Asked())
    assert (told.sent is not None) == ("target.test" in hosts)
