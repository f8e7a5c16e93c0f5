"""Every auth type, on both sides, in every state of its credential: what is answered, what arrives, what the log says.

Belongs here: the two tables, and that the 401s of one proxy are the same bytes. Does not: forms of single credentials
(tests/plugins/test_static_auth.py), callers without one (test_anonymous.py).

Each cell is judged whole: the status, every header, the body, and the record in the log. An auth type that has no rows
fails a test of its own.
"""

from __future__ import annotations

import hmac
import importlib
import json
import re
import sys
import time
import urllib.request
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
import pytest_twisted
from attrs import evolve, field, frozen

import rrgate_plugins
from rrgate.api import Side
from rrgate.checks import NAMES
from rrgate.cli.init import FirstUser
from tests.callers import Answer, Caller, in_thread
from tests.examples.test_plugin_hmac import CREDENTIAL as SIGNED
from tests.examples.test_plugin_hmac import EXAMPLE, SECRET, signed
from tests.gateway.test_log_records import ANSWERED, FACTS, KNOWN
from tests.running_gateway import TOKEN, MadeProxy, RunningGateway
from tests.targets import Connection, Target

NOW = 1_790_000_000.0
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
OTHER_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"

Sent = list[tuple[str, str]]


class Clock:
    """What time it is for the gateway, in seconds since the epoch."""

    now = NOW

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()
SOON, LATER = "2026-09-21T13:30:00Z", NOW + 100_000


@frozen
class Shown:
    """What a request has of a credential. `signs`: with this secret it is signed, when and where it is sent."""

    headers: Sent = field(factory=list)
    query: str = ""
    signs: str = ""

    def sent(self, target: str) -> Sent:
        """The headers of a GET of `target`."""
        return [*self.headers, *(signed("GET", target, b"", int(CLOCK.now), self.signs).items() if self.signs else ())]


def in_authorization(value: str) -> Shown:
    return Shown([("Authorization", value)])


def in_query(value: str) -> Shown:
    return Shown(query="Authorization=" + quote(value, safe=""))


def basic(pair: str) -> str:
    return "Basic " + b64encode(pair.encode()).decode()


def token_of(secret: str, **claims: Any) -> str:
    """A token that is good for longer than any test turns the clock."""
    parts = [{"alg": "HS256"}, {"exp": NOW + 1_000_000, **claims}]
    text = b".".join(urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in parts)
    return (text + b"." + urlsafe_b64encode(hmac.digest(secret.encode(), text, "sha256")).rstrip(b"=")).decode()


VERIFIED = token_of("h-good" * 6, sub="ann", aud="us")
STRANGERS = token_of("h-theirs" * 6, sub="ann")
OVER = token_of("h-good" * 6, sub="ann", aud="us", exp=NOW - 100)


@frozen
class CallerType:
    """A credential of the caller's side: `good` ways to show it, `wrong` ones, and what `another` of the type shows."""

    id: str
    auth_type: str
    secret: Mapping[str, Any]
    good: list[Shown]
    wrong: list[Shown]
    another: tuple[Mapping[str, Any], Shown]
    in_query: bool = True


CALLERS = [
    CallerType(
        "apiKey in a header",
        "apiKey",
        {"key": "X-Key", "value": "k-good"},
        [
            Shown([("x_key", "k-good")]),
            Shown(query="X-Key=k-good"),
            Shown(query="authorization=k-good"),
            in_authorization("k-good"),
            Shown([("X-Key", "k-good"), ("Authorization", "Bearer for-the-target")]),
        ],
        [
            Shown([("X-Key", "k-goof")]),
            Shown(query="X-Key=k-goo"),
            in_authorization("Bearer k-good"),
            Shown([("X-Key", "k-goof"), ("Authorization", "k-good")]),
            Shown([("Authorization", "else")], query="X-Key=k-good"),
            Shown([("Authorization", "else")], query="Authorization=k-good"),
        ],
        ({"key": "X-Key", "value": "k-theirs"}, Shown([("X-Key", "k-theirs")])),
    ),
    CallerType(
        "apiKey of a harmless name",
        "apiKey",
        {"key": "X-RateLimit-Who", "value": "k-good"},
        [Shown([("x-ratelimit-who", "k-good")]), Shown(query="x%2Dratelimit_who=k-good")],
        [Shown([("X-RateLimit-Who", "k-goof")]), Shown(query="X-RateLimit-Who=k-goo")],
        ({"key": "X-RateLimit-Who", "value": "k-theirs"}, Shown([("X-RateLimit-Who", "k-theirs")])),
    ),
    CallerType(
        "key alone",
        "key",
        {"key": "k-good"},
        [in_authorization("k-good"), Shown(query="Authorization=k-good")],
        [in_authorization("Bearer k-good"), in_authorization("K-GOOD"), Shown([("X-Key", "k-good")])],
        ({"key": "k-theirs"}, in_authorization("k-theirs")),
    ),
    CallerType(
        "bearer",
        "bearer",
        {"token": "t-good"},
        [in_authorization("Bearer t-good"), in_authorization("bearer t-good"), in_query("Bearer t-good")],
        [in_authorization("t-good"), in_authorization("Bearer t-goof"), in_authorization(basic("t-good:"))],
        ({"token": "t-theirs"}, in_authorization("Bearer t-theirs")),
    ),
    CallerType(
        "basicAuth",
        "basicAuth",
        {"username": "ann", "password": "p-good: é"},
        [in_authorization(basic("ann:p-good: é")), in_query(basic("ann:p-good: é"))],
        [in_authorization(basic("bob:p-good: é")), in_authorization(basic("ann:p-good")), in_authorization("Basic ?")],
        ({"username": "ann", "password": "p-theirs"}, in_authorization(basic("ann:p-theirs"))),
    ),
    CallerType(
        "basic",
        "basic",
        {"username": "k-good", "password": ""},
        [in_authorization(basic("k-good:"))],
        [in_authorization(basic(":k-good")), in_authorization("k-good"), in_authorization(basic("k-good"))],
        ({"username": "k-theirs", "password": ""}, in_authorization(basic("k-theirs:"))),
    ),
    CallerType(
        "jwt",
        "jwt",
        {"token": JWT},
        [in_authorization(JWT), in_authorization(f"BEARER {JWT}"), Shown(query=f"Authorization={JWT}")],
        [in_authorization(JWT + "A"), in_authorization(f"Basic {JWT}"), in_authorization(JWT.rpartition(".")[0] + ".")],
        ({"token": OTHER_JWT}, in_authorization(OTHER_JWT)),
    ),
    CallerType(
        "jwtVerify",
        "jwtVerify",
        {"sharedSecret": "h-good" * 6, "audience": "us"},
        [in_authorization(f"Bearer {VERIFIED}"), in_query(f"bearer {VERIFIED}")],
        [in_authorization(VERIFIED), in_authorization(f"Bearer {VERIFIED}A"), in_authorization(f"Bearer {OVER}")],
        ({"sharedSecret": "h-theirs" * 6}, in_authorization(f"Bearer {STRANGERS}")),
    ),
    CallerType(
        "signed, of a stranger's",
        *SIGNED,
        [Shown(signs=SECRET)],
        [Shown(signs="not-the-secret-of-both"), in_authorization("HMAC-SHA256 key=orders-app"), in_authorization("x")],
        ({"key": "orders-app", "secret": "of-another-client-01"}, Shown(signs="of-another-client-01")),
        in_query=False,
    ),
]  # fmt: skip
NOBODY = CallerType("none", "none", {}, [Shown(), in_authorization("habit")], [], ({}, Shown()))


@frozen
class TargetType:
    """A credential of the target's side: what arrives, by header (or the form of it) and in the query."""

    id: str
    auth_type: str
    secret: Mapping[str, Any]
    headers: Mapping[str, str | re.Pattern[str]] = field(factory=dict)
    query: str = ""


def gives_tokens(connection: Connection) -> None:
    """A token endpoint."""
    while connection.request() is not None:
        connection.answer(b'{"access_token": "T-access-token", "token_type": "Bearer", "expires_in": 3600}')


TOKENS = Target(gives_tokens)
"""There from the beginning, since the table names its address."""
TARGETS = [
    TargetType("apiKey in a header", "apiKey", {"key": "X-Key", "value": "T-key"}, {"X-Key": "T-key"}),
    TargetType("key alone", "key", {"key": "T-key"}, {"Authorization": "T-key"}),
    TargetType(
        "apiKey in the query",
        "apiKey",
        {"key": "api_key", "value": "T-k&y", "addToQueryParam": True},
        query="api_key=T-k%26y",
    ),
    TargetType("bearer", "bearer", {"token": "T-token"}, {"Authorization": "Bearer T-token"}),
    TargetType("bearer with a prefix", "bearer", {"token": "T-t", "prefix": "token "}, {"Authorization": "token T-t"}),
    TargetType("basicAuth", "basicAuth", {"username": "us", "password": "T-é"}, {"Authorization": basic("us:T-é")}),
    TargetType("basic", "basic", {"username": "T-us", "password": ""}, {"Authorization": basic("T-us:")}),
    TargetType("jwt", "jwt", {"token": OTHER_JWT}, {"Authorization": OTHER_JWT}),
    TargetType(
        "jwt signed here",
        "jwt",
        {"signingKey": "T-" + 32 * "k", "algorithm": "HS256", "claims": {"sub": "us"}},
        {"Authorization": re.compile(r"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.eyJzdWIiOiJ1cyIs[\w-]+\.[\w-]{43}")},
    ),
    TargetType(
        "oauth2",
        "oauth2",
        {
            "grantType": "client_credentials",
            "tokenUrl": f"{TOKENS.url}/token",
            "clientId": "us",
            "clientSecret": "T-secret",
        },
        {"Authorization": "Bearer T-access-token"},
    ),
    TargetType(
        "customToken",
        "customToken",
        {
            "request": {"url": f"{TOKENS.url}/token?of=an-API-that-has-its-own-way"},
            "tokenPath": "$.access_token",
            "header": "X-App",
            "prefix": "T ",
        },
        {"X-App": "T T-access-token"},
    ),
    TargetType(
        "custom",
        "custom",
        {"headers": {"X-App": "T-app", "authorization": "T-auth"}, "queryParams": {"sig": "T-s"}},
        {"X-App": "T-app", "Authorization": "T-auth"},
        "sig=T-s",
    ),
    TargetType(
        "awsSigV4",
        "awsSigV4",
        {"accessKeyId": "AKID", "secretAccessKey": "T-secret", "region": "eu-west-1", "service": "lambda"},
        {
            "Authorization": re.compile("AWS4-HMAC-SHA256 Credential=AKID/20260921/eu-west-1/lambda/aws4_request, .*"),
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW)),
        },
    ),
    TargetType(
        "hmac",
        "hmac",
        {"secret": "T-secret", "header": "X-App", "template": "{method} {path} {timestamp}", "prefix": "{timestamp} "},
        {"X-App": f"1790000000 {hmac.digest(b'T-secret', b'GET /x 1790000000', 'sha256').hex()}"},
    ),
    TargetType("signed, of a stranger's", *SIGNED, headers=signed("GET", "/x", b"", int(NOW))),
    TargetType("none", "none", {}),
]
SECRETS = ("k-good", "k-goo", "k-theirs", "t-good", "t-theirs", "p-good", "p-theirs", "T-", JWT[-30:], "c2lnbm", SECRET)
SECRETS += ("h-good", "h-theirs", VERIFIED[-30:])
"""What is in no record and in no answer of the gateway's own."""


@pytest.mark.parametrize(
    ("side", "rows"), [(Side.PROXY, [*CALLERS, NOBODY]), (Side.TARGET, TARGETS)], ids=["callers", "targets"]
)
def test_every_built_in_has_its_rows(side: Side, rows: list[Any]) -> None:
    built_in: list[Any] = [plugin for plugin in rrgate_plugins.rrgate_plugins() if side in plugin.sides]
    names = {name for plugin in built_in for name in (plugin.name, *plugin.aliases)}
    assert {row.auth_type for row in rows} == names | {SIGNED[0]}, "each auth type, and each spelling of one, has a row"


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    data = tmp_path_factory.mktemp("gateway") / "state"
    sys.path.insert(0, str(EXAMPLE))
    try:
        strangers = importlib.import_module("rrgate_hmac")
    finally:
        sys.path.remove(str(EXAMPLE))
    running = RunningGateway.start(data, plugins=[strangers], wall=CLOCK, allow_anonymous_proxies=True)
    yield running
    await running.stop()


class Keeping(Target):
    """Keeps what arrives, and answers 200, or 401 on the path /refuse."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        super().__init__(self._serve_kept)

    def _serve_kept(self, connection: Connection) -> None:
        while (seen := connection.request()) is not None:
            self.seen.append(seen)
            status = "401 Unauthorized" if "/refuse" in seen.path else "200 OK"
            connection.answer(b"told", status, 'WWW-Authenticate: Basic realm="theirs"')


@pytest.fixture
def target() -> Iterator[Keeping]:
    with Keeping() as running:
        yield running


@frozen
class Asked:
    """A request, what it showed, and its answer."""

    proxy: MadeProxy
    shown: Shown
    path: str
    names: frozenset[str]
    """Of the headers that it showed something in, in lower case."""
    answer: Answer


async def ask(gateway: RunningGateway, proxy: MadeProxy, shown: Shown, path: str = "/x") -> Asked:
    target = path + (f"?{shown.query}" if shown.query else "")
    headers = shown.sent(proxy.path + target)
    answer = await gateway.call(proxy, "GET", target, headers, key=None)
    return Asked(proxy, shown, path, frozenset(name.lower() for name, _ in headers), answer)


# The three answers that there are.

UNAUTHORIZED = "Invalid proxy credential"
CHALLENGES = ['Bearer realm="rrgate"', 'Basic realm="rrgate", charset="UTF-8"']


def check_granted(asked: Asked, status: int = 200) -> None:
    """The target's answer, with what the gateway says of it and nothing else."""
    answer, warned = asked.answer, "requestrocket-proxy-warning" in asked.answer
    assert answer.status == status
    assert sorted(name for name, _ in answer.headers) == sorted(
        ["Content-Length", "Date", "WWW-Authenticate", *["requestrocket-proxy-warning"] * warned, *OURS]
    )
    assert (answer.code, answer["requestrocket-proxy-message"]) == ("proxy-access-granted", GRANTED)
    assert answer["WWW-Authenticate"] == 'Basic realm="theirs"'
    assert answer.body == b"told"


def check_refused(asked: Asked) -> None:
    answer = asked.answer
    assert (answer.status, answer.code) == (401, "proxy-access-denied")
    assert answer.every("WWW-Authenticate") == CHALLENGES
    check_own(answer, "Unauthorized", UNAUTHORIZED, "WWW-Authenticate", "WWW-Authenticate")


def check_unavailable(asked: Asked, why: str) -> None:
    answer = asked.answer
    assert (answer.status, answer.code, answer["Retry-After"]) == (503, "unavailable", "30")
    check_own(answer, "Service Unavailable", f"This proxy's target credential {why}", "Retry-After")


GRANTED = "Proxy authentication successful"
OURS = ["requestrocket-proxy-code", "requestrocket-proxy-message", "requestrocket-request-id"]


def check_own(answer: Answer, error: str, message: str, *further: str) -> None:
    """An answer of the gateway's own: every header, and the whole body; no secret in any of it."""
    names = ["Content-Length", "Content-Type", "Date", *OURS, *further]
    assert sorted(name for name, _ in answer.headers) == sorted(names)
    assert answer["Content-Type"] == "application/json"
    assert answer["requestrocket-proxy-message"] == message
    assert answer.json == {
        "error": error,
        "message": message,
        "requestId": answer["requestrocket-request-id"],
    }
    told = f"{answer.headers} {answer.body!r}"
    assert not [secret for secret in SECRETS if secret in told]


async def check_record(gateway: RunningGateway, asked: Asked, passed: set[str], *, identified: bool) -> None:
    """The record has its proxy, what was asked and answered, these checks, who it was if that is known; no secret."""
    proxy, answer = asked.proxy, asked.answer
    record = await gateway.record(proxy, answer["requestrocket-request-id"])
    assert (record["pKey"], record["parentId"], record["clientId"]) == (proxy.id, proxy.id, proxy.client)
    assert record["userId"] == gateway.first.user_id
    data, sent = record["proxyData"], "requestSent" in passed
    assert (data["method"], data["apiPath"], data["status"]) == ("GET", asked.path, answer.status)
    assert (record["method"], record["path"], record["statusCode"]) == ("GET", asked.path, answer.status)
    assert data["message"] == ("Request logged" if sent else answer["requestrocket-proxy-message"])
    assert {name for name in NAMES if record["validationData"][name]} == passed
    assert record.get("credentialId") == (proxy.caller_credential if identified else None)
    shown = f"{asked.shown.headers} {asked.shown.query}"
    claims = {"sub": "ann"} if identified and (VERIFIED in shown or STRANGERS in shown) else {}
    assert (record["ruleId"], record["tokenClaims"], record["attempts"]) == (None, claims, int(sent))
    if sent:
        assert record["targetData"]["status"] == answer.status
    else:
        assert record["targetData"] is None
    # Whatever a caller showed, and wherever: the names, and no value.
    assert {name.lower() for name in record["requestHeaders"]} == asked.names | {"host"}
    assert set(record["requestHeaders"].values()) == {"[REDACTED]"}
    parameters = dict(parse_qsl(asked.shown.query, keep_blank_values=True))
    assert data["apiParams"] == dict.fromkeys(parameters, "[REDACTED]")
    text = json.dumps(record)
    assert not [secret for secret in SECRETS if secret in text]


# The caller's side.


@pytest.mark.parametrize("kind", [*CALLERS, NOBODY], ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_caller_good(gateway: RunningGateway, target: Keeping, kind: CallerType) -> None:
    proxy = await gateway.proxy(target.url, caller=(kind.auth_type, kind.secret))
    for shown in kind.good:
        asked = await ask(gateway, proxy, shown)
        check_granted(asked)
        # The target sees its own credential, and nothing of the caller's.
        arrived = target.seen.pop()
        assert arrived.line == "GET /x HTTP/1.1"
        assert arrived.every("Authorization") == [f"Bearer {TOKEN}"]
        names = {name.lower() for name, _ in arrived.headers}
        assert names == {"host", "authorization", "requestrocket-hops"}
        await check_record(gateway, asked, ANSWERED, identified=True)


@pytest.mark.parametrize("kind", CALLERS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_caller_wrong_or_missing(gateway: RunningGateway, target: Keeping, kind: CallerType) -> None:
    proxy = await gateway.proxy(target.url, caller=(kind.auth_type, kind.secret))
    good = kind.good[0]
    ((header, _),) = good.sent("/x")
    twice = [evolve(good, headers=[*good.headers, (header, "else")])]
    if kind.in_query:
        twice.append(evolve(good, query="Authorization=else"))
    for shown in (*kind.wrong, Shown(), Shown([(header, "")]), *twice):
        asked = await ask(gateway, proxy, shown)
        check_refused(asked)
        await check_record(gateway, asked, FACTS, identified=False)
    assert not target.seen


OFF: dict[str, tuple[dict[str, Any] | None, set[str]]] = {
    # (the change, None to delete; the checks that are not passed any more)
    "inactive": ({"credentialActive": False}, {"proxyCredentialActive"}),
    "expired": ({"credentialExpiresAt": SOON}, set()),
    "deleted": (None, {"proxyCredentialExists", "proxyCredentialActive", "proxyCredentialRelationship"}),
}


@pytest.mark.parametrize("state", OFF)
@pytest.mark.parametrize("kind", [*CALLERS, NOBODY], ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_caller_off(gateway: RunningGateway, target: Keeping, kind: CallerType, state: str) -> None:
    proxy = await gateway.proxy(target.url, caller=(kind.auth_type, kind.secret))
    check_granted(await ask(gateway, proxy, kind.good[0]))
    change, lost = OFF[state]
    await _end(gateway, proxy.caller_credential, change)
    try:
        several = [await ask(gateway, proxy, shown) for shown in (*kind.good, *kind.wrong, Shown())]
    finally:
        CLOCK.now = NOW
    for asked in several:
        check_refused(asked)
        await check_record(gateway, asked, FACTS - lost, identified=False)
    assert len(target.seen) == 1


async def _end(gateway: RunningGateway, credential: str, change: dict[str, Any] | None) -> None:
    """Switch a credential off or delete it; one that expires does so from now on."""
    if change is None:
        await gateway.delete("credentials", credential)
        return
    await gateway.change("credentials", credential, **change)
    if "credentialExpiresAt" in change:
        CLOCK.now = LATER


@pytest.mark.parametrize("kind", [*CALLERS, NOBODY], ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_caller_of_another_client(gateway: RunningGateway, target: Keeping, kind: CallerType) -> None:
    secret, shown = kind.another
    ours = await gateway.proxy(target.url, caller=(kind.auth_type, kind.secret))
    elsewhere = await another_client(gateway)
    theirs = await elsewhere.proxy(target.url, caller=(kind.auth_type, secret))
    asked = await ask(gateway, theirs, shown)
    check_granted(asked)
    await check_record(elsewhere, asked, ANSWERED, identified=True)
    if kind is not NOBODY:
        # What opens their proxy does not open ours, and the other way round.
        for proxy, key, seen_by in ((ours, shown, gateway), (theirs, kind.good[0], elsewhere)):
            asked = await ask(gateway, proxy, key)
            check_refused(asked)
            await check_record(seen_by, asked, FACTS, identified=False)
    # Their credential in our proxy, which the Core API refuses, opens nothing either.
    told = await gateway.ask(
        "PUT", f"/clients/{ours.client}/proxies/{ours.id}", {"proxyProxyCredentialId": theirs.caller_credential}
    )
    assert (told.status, told.json["details"][0]["field"]) == (400, "proxyProxyCredentialId")
    directory = gateway.gateway.directory
    directory.put(evolve(directory.proxies[ours.id], proxy_credential_id=theirs.caller_credential))
    for each in (shown, kind.good[0], Shown()):
        asked = await ask(gateway, ours, each)
        check_refused(asked)
        passed = FACTS - {"proxyCredentialRelationship"}
        await check_record(gateway, asked, passed, identified=False)
    assert len(target.seen) == 1


async def another_client(gateway: RunningGateway) -> RunningGateway:
    """The same gateway as the user of a client of his own sees it."""
    made = await gateway.ask("POST", "/clients", {"clientName": "elsewhere"})
    assert made.status == 200, made.body
    client = made.json["clients"][0]["sKey"]
    return RunningGateway(gateway.gateway, FirstUser(client, gateway.first.user_id, gateway.first.token))


@pytest.mark.parametrize("kind", [*CALLERS, NOBODY], ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_every_401_of_a_proxy_is_the_same_bytes(
    gateway: RunningGateway, target: Keeping, kind: CallerType
) -> None:
    proxy = await gateway.proxy(target.url, caller=(kind.auth_type, kind.secret))
    raw: dict[str, bytes] = {}

    async def keep(state: str, *ways: Shown) -> None:
        for place, shown in enumerate(ways):
            raw[f"{state} {place}"] = await in_thread(raw_answer, gateway, proxy, shown)

    if kind is not NOBODY:
        await keep("wrong", *kind.wrong, kind.another[1])
        await keep("missing", Shown())
    await gateway.change("credentials", proxy.caller_credential, credentialActive=False)
    await keep("inactive", *kind.good, *kind.wrong, Shown())
    await gateway.change("credentials", proxy.caller_credential, credentialActive=True, credentialExpiresAt=SOON)
    CLOCK.now = LATER
    try:
        await keep("expired", *kind.good, *kind.wrong, Shown())
    finally:
        CLOCK.now = NOW
    await gateway.delete("credentials", proxy.caller_credential)
    await keep("deleted", *kind.good, *kind.wrong, Shown())
    first = next(iter(raw.values()))
    assert first.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert raw == dict.fromkeys(raw, first)


def raw_answer(gateway: RunningGateway, proxy: MadeProxy, shown: Shown) -> bytes:
    """All bytes of an answer, without its date and id."""
    with Caller(gateway.address) as caller:
        where = f"{proxy.path}/x" + (f"?{shown.query}" if shown.query else "")
        caller.send("GET", where, [*shown.sent(where), ("Connection", "close")])
        told = caller.rest()
    found = re.search(rb"\r\nrequestrocket-request-id: ([0-9a-f-]{36})\r\n", told)
    assert found is not None
    assert told.count(found[1]) == 2
    told, dates = re.subn(rb"\r\nDate: [^\r]+\r\n", b"\r\nDate: then\r\n", told.replace(found[1], b"ID"))
    assert dates == 1
    return told


@pytest_twisted.ensureDeferred
async def test_a_client_that_waits_for_a_challenge_answers_ours(gateway: RunningGateway, target: Keeping) -> None:
    proxy = await gateway.proxy(target.url, caller=("basicAuth", {"username": "ann", "password": "p"}))
    url = "http://{}:{}{}/x".format(*gateway.address, proxy.path)

    def ask_when_asked(password: str) -> int:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password("rrgate", url, "ann", password)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        try:
            with opener.open(url, timeout=20) as told:
                return int(told.status)
        except urllib.request.HTTPError as error:  # type: ignore[attr-defined]
            return int(error.code)

    assert await in_thread(ask_when_asked, "p") == 200
    assert await in_thread(ask_when_asked, "q") == 401
    assert len(target.seen) == 1


# The target's side.

BY_KEY = next(kind for kind in CALLERS if kind.id == "apiKey in a header")


@pytest.mark.parametrize("caller", CALLERS, ids=lambda kind: f"from {kind.id}")
@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_target_good(gateway: RunningGateway, target: Keeping, kind: TargetType, caller: CallerType) -> None:
    proxy = await gateway.proxy(
        target.url, caller=(caller.auth_type, caller.secret), towards=(kind.auth_type, kind.secret)
    )
    for shown in caller.good:
        asked = await ask(gateway, proxy, shown)
        check_granted(asked)
        check_arrived(target.seen.pop(), kind)
        await check_record(gateway, asked, ANSWERED, identified=True)


def check_arrived(arrived: Any, kind: TargetType) -> None:
    """The target's credential is all there is, but for what the gateway writes itself."""
    assert arrived.path == "/x" + (f"?{kind.query}" if kind.query else "")
    wanted = {name.lower(): value for name, value in kind.headers.items()}
    found = {name.lower(): value.encode("latin-1").decode() for name, value in arrived.headers}
    assert len(found) == len(arrived.headers)
    assert set(found) == {"host", "requestrocket-hops", *wanted}
    for name, form in wanted.items():
        assert form.fullmatch(found[name]) if isinstance(form, re.Pattern) else found[name] == form


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_target_wrong(gateway: RunningGateway, target: Keeping, kind: TargetType) -> None:
    """The target refuses what it is shown, and says so itself: its answer is not ours."""
    proxy = await gateway.proxy(
        target.url, caller=(BY_KEY.auth_type, BY_KEY.secret), towards=(kind.auth_type, kind.secret)
    )
    asked = await ask(gateway, proxy, BY_KEY.good[0], "/refuse")
    check_granted(asked, 401)
    await check_record(gateway, asked, ANSWERED, identified=True)


TARGET_OFF: dict[str, tuple[dict[str, Any] | None, set[str], str]] = {
    "inactive": ({"credentialActive": False}, {"targetCredentialActive"}, "is switched off"),
    "expired": ({"credentialExpiresAt": SOON}, set(), "has expired"),
    "deleted": (
        None,
        {"targetCredentialExists", "targetCredentialActive", "targetCredentialRelationship"},
        "is gone",
    ),
}


@pytest.mark.parametrize("state", TARGET_OFF)
@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_target_off(gateway: RunningGateway, target: Keeping, kind: TargetType, state: str) -> None:
    proxy = await gateway.proxy(
        target.url, caller=(BY_KEY.auth_type, BY_KEY.secret), towards=(kind.auth_type, kind.secret)
    )
    check_granted(await ask(gateway, proxy, BY_KEY.good[0]))
    change, lost, why = TARGET_OFF[state]
    await _end(gateway, proxy.target_credential, change)
    try:
        known, unknown = [await ask(gateway, proxy, shown) for shown in (BY_KEY.good[0], BY_KEY.wrong[0])]
    finally:
        CLOCK.now = NOW
    check_unavailable(known, why)
    await check_record(gateway, known, KNOWN - lost, identified=True)
    # Who is not known is not told.
    check_refused(unknown)
    await check_record(gateway, unknown, FACTS - lost, identified=False)
    assert len(target.seen) == 1


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_target_missing(gateway: RunningGateway, target: Keeping, kind: TargetType) -> None:
    """A proxy has none only where it was deleted: one without, or of the caller's side, is never made."""
    made = {
        "proxyName": "proxy",
        "proxyRegion": "us-east-1",
        "proxyProxyCredentialId": await gateway.credential("proxy", BY_KEY.auth_type, BY_KEY.secret),
        "proxyTargetId": await gateway.target(target.url),
    }
    where = f"/clients/{gateway.client}/proxies"
    for credential in ({}, {"proxyTargetCredentialId": made["proxyProxyCredentialId"]}):
        told = await gateway.ask("POST", where, made | credential)
        assert told.status == 400
        assert [each["field"] for each in told.json["details"]] == ["proxyTargetCredentialId"]
    towards = await gateway.credential("target", kind.auth_type, kind.secret)
    told = await gateway.ask("POST", where, made | {"proxyTargetCredentialId": towards})
    assert told.status == 200
    # One that names none all the same.
    caller = str(made["proxyProxyCredentialId"])
    proxy = MadeProxy(told.json["proxies"][0]["sKey"], gateway.client, str(made["proxyTargetId"]), caller, towards)
    directory = gateway.gateway.directory
    for nothing in ("", caller):
        directory.put(evolve(directory.proxies[proxy.id], target_credential_id=nothing))
        asked = await ask(gateway, proxy, BY_KEY.good[0])
        check_unavailable(asked, "is gone")
        lost = {"targetCredentialRelationship"}
        lost |= set() if nothing else {"targetCredentialExists", "targetCredentialActive"}
        await check_record(gateway, asked, KNOWN - lost, identified=True)
    assert not target.seen


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.id)
@pytest_twisted.ensureDeferred
async def test_target_of_another_client(gateway: RunningGateway, target: Keeping, kind: TargetType) -> None:
    ours = await gateway.proxy(target.url, caller=(BY_KEY.auth_type, BY_KEY.secret))
    theirs = await (await another_client(gateway)).credential("target", kind.auth_type, kind.secret)
    told = await gateway.ask("PUT", f"/clients/{ours.client}/proxies/{ours.id}", {"proxyTargetCredentialId": theirs})
    assert told.status == 400
    assert told.json["details"] == [
        {"field": "proxyTargetCredentialId", "problem": "names no credential of this client"}
    ]
    directory = gateway.gateway.directory
    directory.put(evolve(directory.proxies[ours.id], target_credential_id=theirs))
    asked = await ask(gateway, ours, BY_KEY.good[0])
    check_unavailable(asked, "is gone")
    await check_record(gateway, asked, KNOWN - {"targetCredentialRelationship"}, identified=True)
    assert not target.seen
