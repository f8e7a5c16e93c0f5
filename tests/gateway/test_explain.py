"""/…/explain through a whole gateway: what it says is what happens, and saying it does nothing.

Belongs here: explanations against real requests, and what they must not do or show. Does not: which rules match
(tests/rules/), who may ask (tests/core/test_every_route.py).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_twisted
from attrs import field, frozen
from pytest_twisted import ensureDeferred

from rrgate.api import Exchange, Kind, NoConfig, Parts, Plugin, Side, hookimpl
from rrgate.registry import load_registry
from tests.running_gateway import MadeProxy, RunningGateway
from tests.targets import Connection, Received, Target

SECRET = "s3cr3t-of-the-target-41c7"
MASK = "[MASKED:"
LONG = "a-key-0001/of-ours-that-is-long-enough-to-be-searched-for"


class Remembering(Target):
    """A target that keeps every request."""

    def __init__(self) -> None:
        self.seen: list[Received] = []
        super().__init__(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.seen.append(received)
            connection.answer(b'{"access_token": "%b", "expires_in": 3600}' % SECRET.encode())


@pytest.fixture
def target() -> Iterator[Remembering]:
    with Remembering() as running:
        yield running


class Impure(Plugin):
    """Would do something, and cannot say what."""

    name = "impure"

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "with impure" else None

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Impure", b"1")


class Faulty(Plugin):
    """Fails."""

    name = "faulty"
    pure = True

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "with faulty" else None

    def authorize(self, ex: Exchange) -> None:
        raise RuntimeError(SECRET)


@frozen
class Kept:
    """A secret."""

    secret: str = field(repr=False)


class Unruly(Plugin):
    """A credential that writes past the methods that remember who wrote what."""

    name = "unruly"
    sides = frozenset({Side.TARGET})
    Config = Kept
    pure = True

    def prepare(self, ex: Exchange) -> None:
        request, secret = ex.to_target, self.config.secret.encode()
        request.remove_header(b"X-Mine")
        request.fields.append((b"x-mine", b"X-Mine", secret))
        request.set_header(b"X-Key", secret)
        request.query = b"added=" + secret + b"&" + secret


class LateBody(Plugin):
    """A credential that writes while the body passes, and not before."""

    name = "lateBody"
    sides = frozenset({Side.TARGET})
    Config = Kept
    pure = True

    def prepare(self, ex: Exchange) -> None:
        pass

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        secret = self.config.secret.encode()
        ex.to_target.set_header(b"X-Key", secret)
        return chunk + secret if last else chunk


class Copying(Plugin):
    """Comes after the credential, and copies what it wrote."""

    name = "copying"
    kind = Kind.LOG
    pure = True

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig | None:
        return NoConfig() if parts.proxy.name == "with copying" else None

    def prepare(self, ex: Exchange) -> None:
        value = ex.to_target.header(b"Authorization") or b""
        ex.to_target.set_header(b"X-Copy", value)
        ex.to_target.set_query(b"copy", value.replace(b" ", b"+"))


class Brought:
    """What brings them."""

    @hookimpl
    def rrgate_plugins(self) -> list[type[Plugin]]:
        return [Impure, Faulty, Unruly, LateBody, Copying]


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    running = RunningGateway.start(tmp_path_factory.mktemp("explain") / "state", plugins=[Brought()])
    yield running
    await running.stop()


async def explain(gateway: RunningGateway, proxy: MadeProxy, **described: Any) -> Any:
    told = await gateway.ask("POST", f"/clients/{proxy.client}/proxies/{proxy.id}/explain", described)
    assert told.status == 200, told.body
    assert SECRET not in told.body.decode()
    return told.json["explain"]


def outcomes(explained: Any) -> dict[str, str]:
    return {step["plugin"]: step["outcome"] for step in explained["steps"]}


# What it says is what happens.

AWS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": SECRET,
    "region": "us-east-1",
    "service": "execute-api",
}
TOWARDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "none": ("none", {}),
    "bearer": ("bearer", {"token": SECRET}),
    "apiKey in a header": ("apiKey", {"key": "X-Target-Key", "value": SECRET, "addToHeader": True}),
    "apiKey in the query": ("apiKey", {"key": "api_key", "value": SECRET, "addToQueryParam": True}),
    "apiKey in the body": ("apiKey", {"key": "api_key", "value": SECRET, "addToBody": True}),
    "basicAuth": ("basicAuth", {"username": "someone", "password": SECRET}),
    "jwt": ("jwt", {"token": f"eyJhbGciOiJIUzI1NiJ9.e30.{SECRET}"}),
    "custom": ("custom", {"headers": {"X-One": SECRET}, "queryParams": {"two": SECRET}, "data": {"three": SECRET}}),
    "awsSigV4": ("awsSigV4", AWS),
}


@pytest.mark.parametrize("towards", TOWARDS)
@ensureDeferred
async def test_what_would_be_sent_is_what_is_sent(
    gateway: RunningGateway, target: Remembering, towards: str
) -> None:
    proxy = await gateway.proxy(
        f"{target.url}/base",
        towards=TOWARDS[towards],
        proxyAdditionalHeaders={"X-Added": "by the proxy"},
        proxyAdditionalQueryParams={"added": "by the proxy"},
        proxyAdditionalData={"added": {"by": "the proxy"}},
    )
    headers = {"Content-Type": "application/json", "X-Mine": "mine", "X-Added": "mine too"}
    path, body = "/things/a%2Fb?q=1&q=two+words&flag", b'{"mine": [1, 2]}'
    explained = await explain(gateway, proxy, method="POST", path=path, headers=headers, body=body.decode())
    assert (explained["outcome"], explained["complete"]) == ("sent", True), explained
    assert target.seen == []
    answer = await gateway.call(proxy, "POST", path, headers, body)
    assert answer.status == 200
    (sent,) = target.seen
    said = explained["request"]
    url = urlsplit(said["url"])
    assert said["method"] == "POST"
    assert f"{url.scheme}://{url.netloc}" == target.url
    assert url.path == urlsplit(sent.path).path
    # Masked parts have the right names, and the others the right values.
    for (name, value), (real_name, real_value) in zip(
        parse_qsl(url.query, True), parse_qsl(urlsplit(sent.path).query, True), strict=True
    ):
        assert name == real_name
        assert value == real_value or value.startswith(MASK)
    framing = {"content-length"}
    real = [(name, value) for name, value in sent.headers if name.lower() not in framing]
    told = [(part["name"], part["value"]) for part in said["headers"]]
    assert sorted(name for name, _ in told) == sorted(name for name, _ in real)
    for name, value in told:
        assert value.startswith(MASK) or value in [known for other, known in real if other == name]
    real_body, told_body = json.loads(sent.body), json.loads(said["body"]["text"])
    if real_body != told_body:
        assert said["body"]["credentialAdds"].startswith(MASK)
        assert told_body.items() <= real_body.items()
    hidden = [part for part in (*said["headers"], *said["queryParams"]) if part["value"].startswith(MASK)]
    assert bool(hidden or "credentialAdds" in said["body"]) == (towards != "none")


@ensureDeferred
async def test_it_says_who_wrote_each_part(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(
        target.url,
        towards=TOWARDS["custom"],
        proxyAdditionalHeaders={"X-Added": "1"},
        proxyAdditionalQueryParams={"added": "2"},
    )
    credential = (await gateway.ask("GET", f"/clients/{proxy.client}/credentials/{proxy.target_credential}")).json
    mask = f"[MASKED:{credential['credentials'][0]['credentialFingerprint']}]"
    explained = await explain(gateway, proxy, path="/?mine=3", headers={"X-Mine": ["4", "5"]})
    parts = [tuple(part.values()) for part in (*explained["request"]["headers"], *explained["request"]["queryParams"])]
    assert set(parts) >= {
        ("X-Added", "1", "header-injection"),
        ("added", "2", "query-injection"),
        ("X-Mine", "4", "caller"),
        ("X-Mine", "5", "caller"),
        ("mine", "3", "caller"),
        ("X-One", mask, "custom"),
        ("two", mask, "custom"),
        ("requestrocket-hops", "1", "gateway"),
    }
    assert f"two={mask}" in explained["request"]["url"]


@pytest.mark.parametrize("towards", ["unruly", "lateBody"])
@ensureDeferred
async def test_whatever_a_credential_writes_is_masked_however_it_does(
    gateway: RunningGateway, target: Remembering, towards: str
) -> None:
    added = {"proxyAdditionalQueryParams": {"added": "1"}}
    proxy = await gateway.proxy(target.url, towards=(towards, {"secret": SECRET}), **added)
    await gateway.change("proxies", proxy.id, proxyName="with copying")
    explained = await explain(gateway, proxy, method="POST", headers={"X-Mine": "mine"}, body="mine")
    assert (explained["outcome"], explained["complete"]) == ("sent", True)
    (key,) = [part for part in explained["request"]["headers"] if part["name"] == "X-Key"]
    assert (key["value"][:8], key["writtenBy"]) == (MASK, towards)
    assert (await gateway.call(proxy, "POST", "/", {"X-Mine": "mine"}, b"mine")).status == 200
    (sent,) = target.seen
    assert SECRET in f"{sent.path} {sent.headers} {sent.body!r}"


@ensureDeferred
async def test_a_caller_that_shows_what_the_credential_writes_is_not_told_so(
    gateway: RunningGateway, target: Remembering
) -> None:
    proxy = await gateway.proxy(target.url, towards=TOWARDS["apiKey in the query"])
    explained = await explain(gateway, proxy, path=f"/?api_key={SECRET}")
    (key,) = explained["request"]["queryParams"]
    assert (key["name"], key["value"][:8], key["writtenBy"]) == ("api_key", MASK, "apiKey")


@ensureDeferred
async def test_what_comes_after_a_credential_shows_nothing_of_it(
    gateway: RunningGateway, target: Remembering
) -> None:
    proxy = await gateway.proxy(target.url, towards=TOWARDS["bearer"])
    await gateway.change("proxies", proxy.id, proxyName="with copying")
    explained = await explain(gateway, proxy)
    parts = [*explained["request"]["headers"], *explained["request"]["queryParams"]]
    copies = [(part["name"], part["value"][:8], part["writtenBy"]) for part in parts if "opy" in part["name"]]
    assert copies == [("X-Copy", MASK, "copying"), ("copy", MASK, "copying")]
    assert (await gateway.call(proxy)).status == 200
    assert SECRET in target.seen[0].path


@ensureDeferred
async def test_bodies_are_shown_as_text_or_base64_and_cut(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url)
    binary = b64encode(b"\x00\xff\x10").decode()
    explained = await explain(gateway, proxy, method="POST", bodyBase64=binary)
    assert explained["request"]["body"] == {"bytes": 3, "writtenBy": "caller", "base64": binary}
    explained = await explain(gateway, proxy, method="POST", body="é" * 40_000)
    assert explained["request"]["body"] == {"bytes": 80_000, "writtenBy": "caller", "text": "é" * 32_768}
    assert (await explain(gateway, proxy))["request"]["body"] is None


# What is refused, and by whom.


@ensureDeferred
async def test_each_rule_says_whether_it_matches(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url)
    rules = {}
    for where, document in (
        (f"proxies/{proxy.id}", {"effect": "deny", "path": "^/admin", "notes": "matches"}),
        (f"proxies/{proxy.id}", {"effect": "deny", "methods": ["DELETE"]}),
        (f"proxies/{proxy.id}", {"effect": "allow", "path": "^/"}),
        (f"targets/{proxy.target}", {"effect": "deny", "path": "^/admin", "report": True}),
        (f"credentials/{proxy.caller_credential}", {"effect": "deny", "token": [{"claim": "team", "matchValue": "b"}]}),
        (f"credentials/{proxy.target_credential}", {"effect": "deny", "body": [{"jsonPath": "a", "matchValue": "1"}]}),
    ):
        made = await gateway.ask("POST", f"/clients/{proxy.client}/{where}/rules", document)
        assert made.status == 200, made.body
        rules[made.json["rules"][0]["sKey"]] = document
    described: dict[str, Any] = {
        "method": "POST",
        "path": "/admin/x",
        "headers": {"Content-Type": "application/json"},
        "body": '{"a": 1}',
    }
    explained = await explain(gateway, proxy, **described, identity={"claims": {"team": "b"}})
    assert (explained["outcome"], explained["status"], explained["code"]) == ("refused", 403, "proxy-access-denied")
    notes = next(step["notes"] for step in explained["steps"] if step["plugin"] == "rule-checks")
    assert [note["matches"] for note in sorted(notes, key=lambda note: list(rules).index(note["ruleId"]))] == [
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    real = await gateway.call(proxy, "POST", "/admin/x", {"Content-Type": "application/json"}, b'{"a": 1}')
    # The caller of the real request has no claims, and so another rule decides: the message names it, as here.
    assert (real.status, real["requestrocket-proxy-code"]) == (403, explained["code"])
    explained = await explain(gateway, proxy, method="GET", path="/other")
    assert explained["outcome"] == "sent"
    assert {note["matches"] for note in explained["steps"][1]["notes"]} == {False, True}


async def switched_off(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("credentials", proxy.caller_credential, credentialActive=False)


async def proxy_off(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("proxies", proxy.id, proxyActive=False)


async def target_credential_off(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("credentials", proxy.target_credential, credentialActive=False)


async def deleted(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.delete("credentials", proxy.caller_credential)


async def networks(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("proxies", proxy.id, proxyAllowedNetworks=["203.0.113.0/24"])


async def expired(gateway: RunningGateway, proxy: MadeProxy) -> None:
    await gateway.change("credentials", proxy.caller_credential, credentialExpiresAt="2020-01-01T00:00:00Z")


@pytest.mark.parametrize("change", [switched_off, proxy_off, target_credential_off, deleted, networks, expired])
@ensureDeferred
async def test_what_is_refused_is_refused_alike(gateway: RunningGateway, target: Remembering, change: Any) -> None:
    proxy = await gateway.proxy(target.url)
    await change(gateway, proxy)
    explained = await explain(gateway, proxy)
    answer = await gateway.call(proxy)
    assert (explained["outcome"], explained["request"]) == ("refused", None)
    assert (explained["status"], explained["code"]) == (answer.status, answer["requestrocket-proxy-code"])
    assert explained["message"] == answer["requestrocket-proxy-message"]
    assert target.seen == []


@ensureDeferred
async def test_the_path_is_judged_and_the_callers_address_counts(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url, proxyAllowedNetworks=["203.0.113.0/24"])
    assert (await explain(gateway, proxy, address="203.0.113.9"))["outcome"] == "sent"
    explained = await explain(gateway, proxy, address="203.0.113.9", path="/a/%2e%2e/b")
    assert (explained["outcome"], explained["status"], explained["steps"]) == ("refused", 400, [])


@ensureDeferred
async def test_a_callers_credential_is_cut_as_ever(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url)
    explained = await explain(gateway, proxy, headers={"X-Api-Key": "whatever", "Cookie": "a=b", "X-Other": "kept"})
    names = {part["name"] for part in explained["request"]["headers"]}
    assert "X-Other" in names
    assert not names & {"X-Api-Key", "Cookie"}


@ensureDeferred
async def test_plugins_that_cannot_say_are_left_out_and_named(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.change("proxies", proxy.id, proxyName="with impure")
    explained = await explain(gateway, proxy)
    assert (explained["outcome"], explained["complete"], outcomes(explained)["impure"]) == ("sent", False, "not-run")
    assert "X-Impure" not in {part["name"] for part in explained["request"]["headers"]}


@ensureDeferred
async def test_plugins_that_fail_are_named(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url)
    await gateway.change("proxies", proxy.id, proxyName="with faulty")
    explained = await explain(gateway, proxy)
    assert (explained["outcome"], explained["status"], outcomes(explained)["faulty"]) == ("refused", 500, "failed")


WAY_IN = ("authenticate", "authorize", "prepare", "on_request_body")


@pytest.mark.parametrize("plugin", load_registry().plugins, ids=lambda plugin: str(plugin.name))
def test_every_built_in_can_be_explained(plugin: type[Plugin]) -> None:
    called = [phase for phase in WAY_IN if hasattr(plugin, phase)]
    only_asked_who_it_is = called == ["authenticate"] and bool(plugin.sides)  # which an explanation assumes
    assert plugin.pure or hasattr(plugin, "explain") or only_asked_who_it_is or not called


# It does nothing.


@ensureDeferred
async def test_nothing_is_sent_counted_or_logged(gateway: RunningGateway, target: Remembering) -> None:
    proxy = await gateway.proxy(target.url, proxyMaxRequestsPerDay=1)
    for _ in range(3):
        explained = await explain(gateway, proxy)
        assert explained["outcome"] == "sent"
        (step,) = [step for step in explained["steps"] if step["plugin"] == "request-limits"]
        assert step["notes"] == [{"limit": "proxy", "window": "day", "most": 1, "used": 0, "left": 1}]
    assert (target.connections, await gateway.records(proxy)) == (0, [])
    assert (await gateway.call(proxy)).status == 200
    assert (await gateway.call(proxy)).status == 429
    explained = await explain(gateway, proxy)
    assert (explained["status"], explained["code"]) == (429, "rate-limited")
    assert target.connections == 1
    assert len(await gateway.records(proxy)) == 2


@pytest.mark.parametrize("kind", ["oauth2", "customToken"])
@ensureDeferred
async def test_a_token_is_never_fetched_for_it(gateway: RunningGateway, target: Remembering, kind: str) -> None:
    with Remembering() as issuer:
        secret: dict[str, Mapping[str, Any]] = {
            "oauth2": {
                "grantType": "client_credentials",
                "tokenUrl": f"{issuer.url}/token",
                "clientId": "someone",
                "clientSecret": "a client's secret",
            },
            "customToken": {"request": {"url": f"{issuer.url}/token?key={LONG}"}, "tokenPath": "$.access_token"},
        }
        proxy = await gateway.proxy(target.url, towards=(kind, secret[kind]))
        explained = await explain(gateway, proxy)
        assert explained["steps"][-1]["notes"] == [{"token": "would fetch"}]
        assert issuer.connections == 0
        assert (await gateway.call(proxy)).status == 200
        explained = await explain(gateway, proxy)
        assert explained["steps"][-1]["notes"] == [{"token": "cached"}]
        (shown,) = [part for part in explained["request"]["headers"] if part["name"] == "Authorization"]
        assert shown["value"].startswith(MASK)
        assert (len(issuer.seen), len(target.seen)) == (1, 1)


# What is asked.

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a method that is none": ({"method": "GET /"}, "method"),
    "a method that is not served": ({"method": "TRACE"}, "method"),
    "a method that is not known": ({"method": "BREW"}, "method"),
    "a method in small letters": ({"method": "get"}, "method"),
    "a path without /": ({"path": "things"}, "path"),
    "a path with a blank": ({"path": "/a b"}, "path"),
    "a path with a line end": ({"path": "/a\r\nX: 1"}, "path"),
    "a path that is too long": ({"path": "/" + "a" * 20_000}, "path"),
    "a header's name": ({"headers": {"X Y": "1"}}, "headers"),
    "a header that frames": ({"headers": {"Content-Length": "3"}}, "headers.Content-Length"),
    "a value with a line end": ({"headers": {"X-Any": "1\r\nX-Other: 2"}}, "headers.X-Any"),
    "a value that is not Latin-1": ({"headers": {"X-Any": "→"}}, "headers.X-Any"),
    "too many": ({"headers": {"X-Any": ["1"] * 101}}, "headers"),
    "no Base64": ({"bodyBase64": "@@"}, "bodyBase64"),
    "two bodies": ({"body": "a", "bodyBase64": "YQ=="}, "bodyBase64"),
    "no address": ({"address": "somewhere"}, "address"),
    "an unknown field": ({"credential": "x"}, "credential"),
    "claims that are none": ({"identity": {"claims": []}}, "identity.claims"),
}


@pytest.mark.parametrize("wrong", WRONG)
@ensureDeferred
async def test_what_no_request_could_be_is_refused_by_field(
    gateway: RunningGateway, target: Remembering, wrong: str
) -> None:
    proxy = await gateway.proxy(target.url)
    document, field = WRONG[wrong]
    told = await gateway.ask("POST", f"/clients/{proxy.client}/proxies/{proxy.id}/explain", document)
    assert (told.status, [each["field"] for each in told.json["details"]]) == (400, [field])
