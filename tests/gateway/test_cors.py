"""`proxyCors` through a whole gateway: what pages in browsers can do, and the very fields that are answered.

Belongs here: preflights, answers of the target and our own, what the Core API takes. Does not: how a browser judges
(browser.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import pytest_twisted

from tests.callers import Answer, Caller, in_thread
from tests.gateway.browser import NetworkError, Page, Read
from tests.running_gateway import KEY, MadeProxy, RunningGateway
from tests.targets import Connection, Received, Target

APP = "https://app.example.com"
OTHER = "https://evil.example.com"
KEYED = (("X-Api-Key", KEY),)
CORS_FIELDS = (
    "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Expose-Headers",
)  # fmt: skip
EXPOSED = (
    "requestrocket-proxy-code, requestrocket-proxy-message, requestrocket-proxy-warning, requestrocket-request-id, "
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining"
)


class Api(Target):
    """A target with CORS fields of its own, and other fields."""

    def __init__(self) -> None:
        self.seen: list[Received] = []
        super().__init__(self._serve_api)

    def _serve_api(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.seen.append(received)
            connection.answer(
                b"reached",
                "200 OK",
                "X-Total: 3",
                "Vary: Accept-Encoding",
                "Access-Control-Allow-Origin: https://of-the-target.example",
                "access-control-allow-credentials: true",
                "Access-Control-Expose-Headers: *",
                "Access-Control-Anything-New: 1",
                "Timing-Allow-Origin: *",
            )


@pytest.fixture
def target() -> Iterator[Api]:
    with Api() as running:
        yield running


def cors_of(answer: Answer) -> dict[str, str]:
    """The CORS fields of an answer, each there once."""
    return {name: answer[name] for name in CORS_FIELDS if name in answer}


async def fetch(gateway: RunningGateway, proxy: MadeProxy, page: Page, *how: Any, path: str = "/v1/items") -> Read:
    """What a page gets. Raises NetworkError."""

    def ask(method: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> Answer:
        with Caller(gateway.address) as caller:
            return caller.call(method, proxy.path + path, headers, body)

    return await in_thread(page.fetch, ask, *how)


JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize("origins", [[APP], ["https://first.example", APP, "http://localhost:3000"], ["*"]])
@pytest.mark.parametrize(
    "how",
    [
        ("GET", KEYED),
        ("POST", (*KEYED, JSON), b"{}"),
        ("PATCH", (*KEYED, JSON), b"{}"),
        ("DELETE", KEYED),
        ("PUT", (*KEYED, ("X-Any", "1"), ("Authorization", "x")), b""),
    ],
    ids=lambda how: how[0],
)
@pytest_twisted.ensureDeferred
async def test_a_page_calls(gateway: RunningGateway, target: Api, origins: list[str], how: Any) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": origins})
    read = await fetch(gateway, proxy, Page(APP), *how)
    assert (read.status, read.body) == (200, b"reached")
    # It can tell by the gateway's own fields what became of its request; the target's stay hidden unless exposed.
    assert read.headers["requestrocket-proxy-code"] == "proxy-access-granted"
    assert read.headers["requestrocket-request-id"]
    assert "x-total" not in read.headers
    (seen,) = target.seen
    assert seen.method == how[0]


@pytest.mark.parametrize(
    ("cors", "page", "how"),
    [
        ({"origins": [APP]}, Page(OTHER), ("GET",)),
        ({"origins": [APP]}, Page(OTHER), ("GET", KEYED)),
        ({"origins": [APP]}, Page("null"), ("GET", KEYED)),
        ({"origins": [APP]}, Page("http://app.example.com"), ("GET", KEYED)),
        ({"origins": [APP]}, Page(APP + ":8443"), ("GET", KEYED)),
        ({"origins": [APP]}, Page(APP + ".evil.com"), ("GET", KEYED)),
        ({"origins": [APP]}, Page("https://notapp.example.com"), ("GET", KEYED)),
        ({"origins": [APP]}, Page(APP, credentials=True), ("GET", KEYED)),
        ({"origins": ["*"]}, Page(APP, credentials=True), ("GET", KEYED)),
        ({"origins": [APP], "methods": ["GET"]}, Page(APP), ("DELETE", KEYED)),
        ({"origins": [APP], "headers": ["Content-Type"]}, Page(APP), ("GET", KEYED)),
        (None, Page(APP), ("GET", KEYED)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_page_that_may_not(gateway: RunningGateway, target: Api, cors: Any, page: Page, how: Any) -> None:
    proxy = await gateway.proxy(target.url, proxyCors=cors)
    with pytest.raises(NetworkError):
        await fetch(gateway, proxy, page, *how)


@pytest.mark.parametrize(
    ("cors", "page", "how"),
    [
        ({"origins": [APP], "methods": ["PURGE", "*"]}, Page(APP), ("MKCOL", KEYED)),
        ({"origins": [APP], "methods": ["*"], "credentials": True}, Page(APP, True), ("MKCOL", KEYED)),
        ({"origins": [APP], "headers": ["x-api-key", "X-A"]}, Page(APP), ("GET", KEYED)),
        ({"origins": [APP], "credentials": True}, Page(APP, True), ("PUT", (*KEYED, ("Authorization", "x")))),
        ({"origins": [APP], "credentials": True}, Page(APP), ("GET", KEYED)),
        ({"origins": ["*"]}, Page("null"), ("GET", KEYED)),
        ({"origins": ["capacitor://localhost", "http://[::1]:3000"]}, Page("http://[::1]:3000"), ("GET", KEYED)),
        ({"origins": ["capacitor://localhost"]}, Page("capacitor://localhost"), ("GET", KEYED)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_page_that_may(gateway: RunningGateway, target: Api, cors: Any, page: Page, how: Any) -> None:
    proxy = await gateway.proxy(target.url, proxyCors=cors)
    assert (await fetch(gateway, proxy, page, *how)).status == 200


@pytest_twisted.ensureDeferred
async def test_exposed_headers(gateway: RunningGateway, target: Api) -> None:
    for expose in (["X-Total"], ["*"]):
        proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP], "exposeHeaders": expose})
        read = await fetch(gateway, proxy, Page(APP), "GET", KEYED)
        assert read.headers["x-total"] == "3"


def preflight(origin: str | None = APP, method: str | None = "GET", *names: str) -> list[tuple[str, str]]:
    fields = [("Access-Control-Request-Headers", each) for each in names]
    if origin is not None:
        fields.append(("Origin", origin))
    if method is not None:
        fields.append(("Access-Control-Request-Method", method))
    return fields


DEFAULT = {
    "Access-Control-Allow-Origin": APP,
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Max-Age": "600",
}


@pytest.mark.parametrize(
    ("more", "fields", "answered"),
    [
        ({}, preflight(), DEFAULT),
        ({}, preflight(APP, "GET", "a,b"), {**DEFAULT, "Access-Control-Allow-Headers": "a, b"}),
        ({}, preflight(APP, "GET", "a, x-b", " c "), {**DEFAULT, "Access-Control-Allow-Headers": "a, x-b, c"}),
        ({}, preflight(APP, "GET", "a b"), DEFAULT),
        ({}, preflight(APP, "GET", "a,,b"), DEFAULT),
        ({}, preflight(APP, "DELETE"), DEFAULT),
        ({}, preflight(APP, "PURGE"), DEFAULT),
        ({"methods": []}, preflight(), {name: DEFAULT[name] for name in DEFAULT if "Methods" not in name}),
        ({"methods": ["GET", "*"]}, preflight(APP, "PURGE"), {**DEFAULT, "Access-Control-Allow-Methods": "PURGE"}),
        ({"methods": ["PATCH"]}, preflight(APP, "GET"), {**DEFAULT, "Access-Control-Allow-Methods": "PATCH"}),
        ({"headers": ["X-A"]}, preflight(APP, "GET", "x-b"), {**DEFAULT, "Access-Control-Allow-Headers": "X-A"}),
        ({"headers": []}, preflight(APP, "GET", "x-b"), DEFAULT),
        ({"maxAge": 0}, preflight(), {**DEFAULT, "Access-Control-Max-Age": "0"}),
        ({"maxAge": 86400}, preflight(), {**DEFAULT, "Access-Control-Max-Age": "86400"}),
        ({"credentials": True}, preflight(), {**DEFAULT, "Access-Control-Allow-Credentials": "true"}),
        ({"origins": ["*"]}, preflight(), {**DEFAULT, "Access-Control-Allow-Origin": "*"}),
        ({"origins": ["*", APP]}, preflight("null"), {**DEFAULT, "Access-Control-Allow-Origin": "*"}),
        ({"exposeHeaders": ["X-A"]}, preflight(), DEFAULT),
    ],
)
@pytest_twisted.ensureDeferred
async def test_preflights(
    gateway: RunningGateway, target: Api, more: dict[str, Any], fields: Any, answered: dict[str, str]
) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP], **more})
    answer = await gateway.call(proxy, "OPTIONS", "/v1/items", fields, key=None)
    assert (answer.status, answer.code, answer.body) == (204, "cors-preflight", b"")
    assert cors_of(answer) == answered
    vary = ", ".join(answer.every("Vary"))
    assert "Access-Control-Request-Method, Access-Control-Request-Headers" in vary
    assert ("Origin" in vary.split(", ")) == (answered["Access-Control-Allow-Origin"] != "*")
    assert "Content-Length" not in answer
    assert "WWW-Authenticate" not in answer
    assert target.seen == []
    (record,) = await gateway.records(proxy)
    assert record["proxyData"]["status"] == 204


@pytest.mark.parametrize(
    "fields",
    [
        preflight(OTHER),
        preflight("null"),
        preflight(""),
        preflight(f"{APP}, {APP}"),
        [*preflight(APP), ("Origin", APP)],
        [*preflight(APP), ("Origin", OTHER)],
        preflight(APP.upper()),
        preflight(APP + "/"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_preflight_of_a_foreign_origin(gateway: RunningGateway, target: Api, fields: Any) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP], "credentials": True})
    answer = await gateway.call(proxy, "OPTIONS", "/", fields)
    assert (answer.status, answer.code) == (403, "proxy-access-denied")
    assert cors_of(answer) == {}
    assert answer.every("Vary") == ["Origin"]
    assert OTHER not in answer.body.decode()
    assert target.seen == []


@pytest.mark.parametrize("fields", [[], preflight(None, "GET"), preflight(APP, None), [("Origin", OTHER)]])
@pytest_twisted.ensureDeferred
async def test_an_options_request_that_is_no_preflight(gateway: RunningGateway, target: Api, fields: Any) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP]})
    assert (await gateway.call(proxy, "OPTIONS", "/", fields, key=None)).status == 401
    answer = await gateway.call(proxy, "OPTIONS", "/", fields)
    assert (answer.status, answer.body) == (200, b"reached")
    assert cors_of(answer).get("Access-Control-Allow-Origin") == (APP if ("Origin", APP) in fields else None)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest_twisted.ensureDeferred
async def test_only_options_is_a_preflight(gateway: RunningGateway, target: Api, method: str) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP]})
    assert (await gateway.call(proxy, method, "/", preflight(), key=None)).status == 401
    assert (await gateway.call(proxy, method, "/", preflight())).status == 200


@pytest_twisted.ensureDeferred
async def test_without_the_setting_everything_is_the_targets(gateway: RunningGateway, target: Api) -> None:
    proxy = await gateway.proxy(target.url)
    assert (await gateway.call(proxy, "OPTIONS", "/", preflight(), key=None)).status == 401
    answer = await gateway.call(proxy, "OPTIONS", "/", preflight())
    assert answer.body == b"reached"
    assert target.seen[0].method == "OPTIONS"
    assert target.seen[0].every("Origin") == [APP]
    assert answer["Access-Control-Allow-Origin"] == "https://of-the-target.example"
    assert answer.every("Vary") == ["Accept-Encoding"]


@pytest.mark.parametrize(
    ("cors", "origin", "answered", "vary"),
    [
        ({}, [APP], {"Access-Control-Allow-Origin": APP, "Access-Control-Expose-Headers": EXPOSED}, True),
        ({}, [OTHER], {}, True),
        ({}, ["null"], {}, True),
        ({}, [], {}, True),
        ({}, [APP, APP], {}, True),
        (
            {"credentials": True, "exposeHeaders": ["X-Total", "Link"]},
            [APP],
            {
                "Access-Control-Allow-Origin": APP,
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": EXPOSED + ", X-Total, Link",
            },
            True,
        ),
        (
            {"origins": ["*"], "exposeHeaders": ["*"]},
            [OTHER],
            {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED + ", *"},
            False,
        ),
        (
            {"origins": ["*"]},
            [],
            {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED},
            False,
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_answers(
    gateway: RunningGateway, target: Api, cors: Any, origin: list[str], answered: Any, vary: bool
) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP], **cors})
    fields = [("Origin", each) for each in origin]
    for key, status in ((KEY, 200), ("wrong", 401)):
        answer = await gateway.call(proxy, "GET", "/", fields, key=key)
        assert answer.status == status
        assert cors_of(answer) == answered
        assert "Access-Control-Anything-New" not in answer
        assert ("Origin" in answer.every("Vary")) == vary
        if status == 200:
            assert answer["Timing-Allow-Origin"] == "*"
            assert "Accept-Encoding" in answer.every("Vary")
    # A foreign origin is no reason to refuse: whoever has a credential is let in, as everywhere.
    assert len(target.seen) == 1
    assert target.seen[0].every("Origin") == origin


@pytest_twisted.ensureDeferred
async def test_refusals_can_be_read_by_the_page(gateway: RunningGateway, target: Api) -> None:
    """401, 413, 415, 502, 503, 504 and what a plugin refuses alike."""
    cors = {"origins": [APP]}
    proxy = await gateway.proxy(
        target.url, proxyCors=cors, proxyAdditionalData={"a": 1}, proxyMaxRequestBytes=10, proxyMaxResponseBytes=500
    )

    async def told(how: Any, path: str = "/") -> tuple[int, str]:
        read = await fetch(gateway, proxy, Page(APP), *how, path=path)
        return read.status, read.headers["requestrocket-proxy-code"]

    assert await told(("GET",)) == (401, "proxy-access-denied")
    assert await told(("POST", (*KEYED, JSON), b"x" * 11)) == (413, "request-too-large")
    assert await told(("POST", (*KEYED, ("Content-Type", "text/plain")), b"x")) == (415, "bad-request")
    await gateway.change("proxies", proxy.id, proxyMaxResponseBytes=20)
    assert await told(("GET", KEYED)) == (413, "response-too-large")
    target.stop()
    assert await told(("GET", KEYED)) == (502, "target-unreachable")
    await gateway.change("proxies", proxy.id, proxyActive=False)
    read = await fetch(gateway, proxy, Page(APP), "GET", KEYED)
    assert (read.status, read.headers["retry-after"]) == (503, "30")


@pytest_twisted.ensureDeferred
async def test_a_preflight_needs_no_credential_that_works(gateway: RunningGateway, target: Api) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP]})
    await gateway.delete("credentials", proxy.caller_credential)
    assert (await gateway.call(proxy, "OPTIONS", "/", preflight(), key=None)).status == 204
    read = await fetch(gateway, proxy, Page(APP), "GET", KEYED)
    assert read.status == 401


@pytest_twisted.ensureDeferred
async def test_changing_it(gateway: RunningGateway, target: Api) -> None:
    proxy = await gateway.proxy(target.url, proxyCors={"origins": [APP], "maxAge": 5})
    told = await gateway.ask("GET", f"/clients/{proxy.client}/proxies/{proxy.id}")
    assert told.json["proxies"][0]["proxyCors"] == {
        "origins": [APP],
        "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        "headers": ["*"],
        "exposeHeaders": [],
        "maxAge": 5,
        "credentials": False,
    }
    document = told.json["proxies"][0]
    assert (await gateway.ask("PUT", f"/clients/{proxy.client}/proxies/{proxy.id}", document)).status == 200
    await gateway.change("proxies", proxy.id, proxyCors={"origins": [OTHER]})
    with pytest.raises(NetworkError):
        await fetch(gateway, proxy, Page(APP), "GET", KEYED)
    assert (await fetch(gateway, proxy, Page(OTHER), "GET", KEYED)).status == 200
    await gateway.change("proxies", proxy.id, proxyCors=None)
    with pytest.raises(NetworkError):
        await fetch(gateway, proxy, Page(OTHER), "GET", KEYED)


@pytest.mark.parametrize(
    ("cors", "field"),
    [
        ({}, "origins"),
        ({"origins": []}, "origins"),
        ({"origins": "*"}, "origins"),
        ({"origins": [5]}, "origins.0"),
        ({"origins": ["null"]}, "origins.0"),
        ({"origins": [APP, "app.example.com"]}, "origins.1"),
        ({"origins": [APP + "/"]}, "origins.0"),
        ({"origins": [APP + "/path"]}, "origins.0"),
        ({"origins": ["https://App.example.com"]}, "origins.0"),
        ({"origins": ["HTTPS://app.example.com"]}, "origins.0"),
        ({"origins": ["https://app.example.com:443"]}, "origins.0"),
        ({"origins": ["http://app.example.com:80"]}, "origins.0"),
        ({"origins": ["https://app.example.com:"]}, "origins.0"),
        ({"origins": ["https://app.example.com:99999999"]}, "origins.0"),
        ({"origins": ["https://user@app.example.com"]}, "origins.0"),
        ({"origins": ["https://*.example.com"]}, "origins.0"),
        ({"origins": ["https://äpp.example.com"]}, "origins.0"),
        ({"origins": ["https://"]}, "origins.0"),
        ({"origins": [""]}, "origins.0"),
        ({"origins": [APP + "\r\nX: y"]}, "origins.0"),
        ({"origins": [APP + "\n"]}, "origins.0"),
        ({"origins": [f"{APP} {OTHER}"]}, "origins.0"),
        ({"origins": ["https://a.example"] * 101}, "origins"),
        ({"origins": [APP], "methods": ["get"]}, "methods.0"),
        ({"origins": [APP], "methods": ["GET, PUT"]}, "methods.0"),
        ({"origins": [APP], "methods": ["GET\n"]}, "methods.0"),
        ({"origins": [APP], "methods": "GET"}, "methods"),
        ({"origins": [APP], "headers": ["X A"]}, "headers.0"),
        ({"origins": [APP], "headers": ["X-Ä"]}, "headers.0"),
        ({"origins": [APP], "headers": ["X-A\r\nY"]}, "headers.0"),
        ({"origins": [APP], "exposeHeaders": ["X-A", ""]}, "exposeHeaders.1"),
        ({"origins": [APP], "maxAge": -1}, "maxAge"),
        ({"origins": [APP], "maxAge": 86401}, "maxAge"),
        ({"origins": [APP], "maxAge": "600"}, "maxAge"),
        ({"origins": [APP], "credentials": "yes"}, "credentials"),
        ({"origins": ["*"], "credentials": True}, "origins"),
        ({"origins": [APP], "exposeHeaders": ["*"], "credentials": True}, "exposeHeaders"),
        ({"origins": [APP], "origin": APP}, "origin"),
        ([APP], ""),
        ("*", ""),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_the_core_api_refuses(gateway: RunningGateway, target: Api, cors: Any, field: str) -> None:
    proxy = await gateway.proxy(target.url)
    told = await gateway.ask("PUT", f"/clients/{proxy.client}/proxies/{proxy.id}", {"proxyCors": cors})
    assert told.status == 400
    named = {detail["field"] for detail in told.json["details"]}
    assert named == {f"proxyCors.{field}" if field else "proxyCors"}
