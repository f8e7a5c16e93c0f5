"""What passes through a gateway to a real target and back: httpbin, which tells what reached it.

Belongs here: requests that are forwarded. Does not: those that the gateway refuses (test_refusals.py), targets that
misbehave (test_odd_targets.py).
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import time
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from tests.callers import Answer, Caller, call, in_thread
from tests.running_gateway import KEY, TOKEN, MadeProxy, RunningGateway
from tests.targets import Target, closed_port, echo

MEGABYTE = 1024 * 1024


@pytest_twisted.async_fixture(scope="module")  # type: ignore[untyped-decorator]
async def proxy(gateway: RunningGateway, httpbin: str) -> MadeProxy:
    """httpbin behind an apiKey credential, shown a bearer token; all else by default."""
    return await gateway.proxy(httpbin)


def granted(answer: Answer) -> bool:
    """Whether the gateway says that the target answered."""
    assert answer["requestrocket-proxy-message"] == "Proxy authentication successful"
    assert len(answer["requestrocket-request-id"]) == 36
    return answer.code == "proxy-access-granted"


@pytest_twisted.ensureDeferred
async def test_the_target_sees_method_path_query_and_its_own_credential(
    gateway: RunningGateway, proxy: MadeProxy, httpbin: str
) -> None:
    answer = await gateway.call(proxy, "GET", "/get?a=1&b=+&b=two&c")
    assert answer.status == 200
    assert granted(answer)
    told = answer.json
    assert told["url"] == f"{httpbin}/get?a=1&b=+&b=two&c"
    assert told["args"] == {"a": "1", "b": [" ", "two"], "c": ""}
    assert told["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert told["headers"]["Host"] == httpbin.removeprefix("http://")
    assert KEY not in answer.body.decode()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("content_type", "body", "where"),
    [
        ("application/json", b'{"n": 1.10, "s": "\\u00e9"}', "json"),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=%20", "form"),
        ("text/plain", "päyload\n".encode(), "data"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_bodies_arrive_as_sent(
    gateway: RunningGateway, proxy: MadeProxy, method: str, content_type: str, body: bytes, where: str
) -> None:
    answer = await gateway.call(proxy, method, "/anything", {"Content-Type": content_type}, body)
    assert answer.status == 200
    told = answer.json
    assert told["method"] == method
    assert told["headers"]["Content-Length"] == str(len(body))
    assert told["headers"]["Content-Type"] == content_type
    expected = {"json": {"n": 1.1, "s": "é"}, "form": {"a": ["1", "2"], "b": " "}, "data": "päyload\n"}
    assert told[where] == expected[where]


@pytest_twisted.ensureDeferred
async def test_five_megabytes_of_binary_arrive_and_come_back(gateway: RunningGateway, httpbin: str) -> None:
    body = bytes(range(256)) * (5 * MEGABYTE // 256)
    proxy = await gateway.proxy(httpbin, proxyMaxResponseBytes=20 * MEGABYTE)
    answer = await gateway.call(proxy, "POST", "/post", {"Content-Type": "application/octet-stream"}, body)
    assert answer.status == 200
    assert answer.json["headers"]["Content-Length"] == str(len(body))
    head, _, encoded = answer.json["data"].partition(",")
    assert head.endswith("base64")
    assert sha256(base64.b64decode(encoded)).digest() == sha256(body).digest()


# The caller's credential never reaches the target, however its name is spelled.


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("X-Api-Key", KEY),
        ("x-api-key", KEY),
        ("X_Api_Key", KEY),
        ("X-API_KEY", KEY),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_callers_header_is_cut_in_every_spelling(
    gateway: RunningGateway, proxy: MadeProxy, name: str, shown: str
) -> None:
    answer = await gateway.call(proxy, "GET", "/headers", {name: shown, "X-Other": "kept"}, key=None)
    assert answer.status == 200
    told = answer.json["headers"]
    assert told["X-Other"] == "kept"
    assert told["Authorization"] == f"Bearer {TOKEN}"
    assert not [known for known in told if known.lower().replace("_", "-") == "x-api-key"]
    assert KEY not in answer.body.decode()


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (f"Authorization={KEY}", ""),
        (f"a=1&Authorization={KEY}&b=2", "?a=1&b=2"),
        (f"X-Api-Key={KEY}&a=%7e", "?a=%7e"),
        (f"x_api_key={KEY}&a", "?a"),
        (f"%41uthorization={KEY}&a=+", "?a=+"),
        (f"X%2DApi%5Fkey={KEY}&&a=1", "?&a=1"),
        (f"Authorization={KEY[:3]}%{ord(KEY[3]):02x}{KEY[4:]}", ""),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_callers_parameter_is_cut_in_every_spelling(
    gateway: RunningGateway, query: str, left: str
) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        answer = await gateway.call(proxy, "GET", f"/p?{query}", key=None)
    assert answer.status == 200, answer.body
    assert answer.json["line"] == f"GET /p{left} HTTP/1.1"


@pytest_twisted.ensureDeferred
async def test_names_that_could_hold_the_credential_are_cut_even_unused(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url, towards=("none", {}))
        answer = await gateway.call(proxy, "GET", f"/p?Authorization={KEY}&x=1", {"X_API_KEY": KEY})
    assert answer.status == 200, answer.body
    assert answer.json["line"] == "GET /p?x=1 HTTP/1.1"
    assert KEY not in answer.body.decode()


# What else crosses, and what does not.


@pytest_twisted.ensureDeferred
async def test_nobodys_address_and_no_override_reaches_the_target(gateway: RunningGateway) -> None:
    never = [
        ("Forwarded", "for=10.1.2.3"),
        ("X-Forwarded-For", "10.1.2.3"),
        ("X_Forwarded_Host", "evil"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "10.1.2.3"),
        ("Via", "1.1 me"),
        ("CF-Connecting-IP", "10.1.2.3"),
        ("True-Client-IP", "10.1.2.3"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("requestrocket-request-id", "mine"),
        ("Requestrocket_Attempt", "7"),
        ("Cookie", "session=1"),
        ("Connection", "X-Named, keep-alive"),
        ("X-Named", "by Connection"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic x"),
    ]
    kept = [("Accept", "a/b"), ("X-Twice", "1"), ("X-Twice", "2"), ("User-Agent", "me"), ("Range", "bytes=0-1")]
    with Target(echo) as target:
        proxy = await gateway.proxy(target.url)
        answer = await gateway.call(proxy, "GET", "/p", [*never, *kept])
    assert answer.status == 200, answer.body
    seen = [tuple(pair) for pair in answer.json["headers"]]
    host = ("Host", f"127.0.0.1:{target.port}")
    hops = ("requestrocket-hops", "1")
    assert sorted(seen) == sorted([host, hops, *kept, ("Authorization", f"Bearer {TOKEN}")])


@pytest_twisted.ensureDeferred
async def test_additional_headers_and_parameters_take_the_callers_place(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        proxy = await gateway.proxy(
            target.url,
            proxyAdditionalHeaders={"X-Version": "2024-01-01", "X-New": "ü"},
            proxyAdditionalQueryParams={"api_version": "a b&c", "limit": "10"},
        )
        answer = await gateway.call(
            proxy, "GET", "/p?Limit=99&keep=%61&api-version=1", {"x_version": "1", "X-VERSION": "2"}
        )
    assert answer.json["line"] == "GET /p?keep=%61&api_version=a%20b%26c&limit=10 HTTP/1.1"
    headers = [tuple(pair) for pair in answer.json["headers"]]
    assert [pair for pair in headers if "version" in pair[0].lower()] == [("X-Version", "2024-01-01")]
    assert ("X-New", "ü") in headers


@pytest.mark.parametrize("cookies", ["drop", "pass"])
@pytest_twisted.ensureDeferred
async def test_cookies_cross_only_where_the_proxy_lets_them(
    gateway: RunningGateway, httpbin: str, cookies: str
) -> None:
    proxy = await gateway.proxy(httpbin, proxyCookies=cookies)
    answer = await gateway.call(proxy, "GET", "/cookies", {"Cookie": "a=1"})
    assert answer.json["cookies"] == ({"a": "1"} if cookies == "pass" else {})
    answer = await gateway.call(proxy, "GET", "/cookies/set?b=2")
    assert answer.status == 302
    assert ("Set-Cookie" in answer) is (cookies == "pass")


@pytest_twisted.ensureDeferred
async def test_what_speaks_for_the_targets_origin_or_for_us_is_cut_from_answers(
    gateway: RunningGateway, httpbin: str, proxy: MadeProxy
) -> None:
    fields = "Alt-Svc=h3&Clear-Site-Data=%22*%22&Strict-Transport-Security=max-age%3D1&X-Kept=yes"
    ours = "requestrocket-proxy-code=forged&Requestrocket-Proxy-Warning=forged"
    answer = await gateway.call(proxy, "GET", f"/response-headers?{fields}&{ours}")
    assert granted(answer)
    assert answer["X-Kept"] == "yes"
    for name in ("Alt-Svc", "Clear-Site-Data", "Strict-Transport-Security", "requestrocket-proxy-warning"):
        assert name not in answer


# Answers.

STATUSES = [
    200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407,
    408, 409, 410, 413, 418, 422, 429, 451, 500, 501, 502, 503, 504, 507, 599,
]  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_every_status_of_the_target_is_handed_back(gateway: RunningGateway, proxy: MadeProxy) -> None:
    def ask() -> list[Answer]:
        with Caller(gateway.address) as caller:
            # One connection: none of these ends it.
            return [caller.call("GET", f"{proxy.path}/status/{status}", {"X-Api-Key": KEY}) for status in STATUSES]

    answers = await in_thread(ask)
    assert [answer.status for answer in answers] == STATUSES
    assert all(granted(answer) for answer in answers)
    assert all("Connection" not in answer for answer in answers)


@pytest.mark.parametrize("path", ["/redirect/1", "/absolute-redirect/1", "/redirect-to?url=https%3A%2F%2Fx.test%2F"])
@pytest_twisted.ensureDeferred
async def test_redirects_are_handed_back(
    gateway: RunningGateway, proxy: MadeProxy, httpbin: str, path: str
) -> None:
    direct = await in_thread(call, ("127.0.0.1", int(httpbin.rpartition(":")[2])), "GET", path)
    answer = await gateway.call(proxy, "GET", path)
    assert (answer.status, answer["Location"]) == (302, direct["Location"])


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/brotli"])
@pytest_twisted.ensureDeferred
async def test_compressed_answers_pass_as_they_are(gateway: RunningGateway, path: str) -> None:
    packed = gzip.compress(b"packed " * 1000)

    def serve(connection: Any) -> None:
        while connection.request():
            connection.answer(packed, "200 OK", "Content-Encoding: gzip", "ETag: W/\"1\"")

    with Target(serve) as target:
        proxy = await gateway.proxy(target.url)
        answer = await gateway.call(proxy, "GET", path, {"Accept-Encoding": "gzip"})
    assert answer.body == packed
    assert answer["Content-Encoding"] == "gzip"
    assert answer["ETag"] == 'W/"1"'


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "brotli"])
@pytest_twisted.ensureDeferred
async def test_httpbins_compressed_answers_can_be_unpacked(
    gateway: RunningGateway, proxy: MadeProxy, encoding: str
) -> None:
    answer = await gateway.call(proxy, "GET", f"/{encoding}", {"Accept-Encoding": "gzip, deflate, br"})
    assert answer.status == 200
    assert answer["Content-Encoding"] == {"brotli": "br"}.get(encoding, encoding)
    assert int(answer["Content-Length"]) == len(answer.body)
    if encoding == "gzip":
        assert json.loads(gzip.decompress(answer.body))["gzipped"] is True


@pytest_twisted.ensureDeferred
async def test_a_stream_of_lines_arrives_whole(gateway: RunningGateway, proxy: MadeProxy) -> None:
    answer = await gateway.call(proxy, "GET", "/stream/20")
    assert [json.loads(line)["id"] for line in answer.body.splitlines()] == list(range(20))


@pytest_twisted.ensureDeferred
async def test_what_drips_arrives_as_it_drips(gateway: RunningGateway, proxy: MadeProxy) -> None:
    """In time order, by the moments at which the target sent and the caller got each piece."""
    sent: list[float] = []

    def serve(connection: Any) -> None:
        while connection.request():
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(5):
                sent.append(time.monotonic())
                connection.send(b"8\r\ndata: x\n\r\n")
                time.sleep(0.05)
            connection.send(b"0\r\n\r\n")

    def drip(proxy: MadeProxy, path: str) -> list[float]:
        with Caller(gateway.address) as caller:
            caller.send("GET", proxy.path + path, {"X-Api-Key": KEY})
            body = caller.begun()
            got = []
            while body.read1(1000):
                got.append(time.monotonic())
        return got

    with Target(serve) as target:
        got = await in_thread(drip, await gateway.proxy(target.url), "/")
    assert len(got) == 5
    # Each piece was here before the next one was sent.
    assert all(arrived < later for arrived, later in zip(got, sent[1:], strict=False))
    got = await in_thread(drip, proxy, "/drip?numbytes=4&duration=0.4&delay=0")
    assert len(got) == 4
    assert all(later - earlier > 0.05 for earlier, later in pairwise(got))


@pytest.mark.parametrize("status", [200, 404])
@pytest_twisted.ensureDeferred
async def test_head_has_the_length_and_no_body(gateway: RunningGateway, proxy: MadeProxy, status: int) -> None:
    def ask() -> tuple[Answer, Answer]:
        with Caller(gateway.address) as caller:
            path = "/bytes/5000" if status == 200 else "/nothing/here"
            head = caller.call("HEAD", proxy.path + path, {"X-Api-Key": KEY})
            # Were there a body, it would be taken for this answer.
            return head, caller.call("GET", proxy.path + path, {"X-Api-Key": KEY})

    head, get = await in_thread(ask)
    assert (head.status, get.status) == (status, status)
    assert head.body == b""
    assert head["Content-Length"] == get["Content-Length"]


@pytest_twisted.ensureDeferred
async def test_head_is_never_measured(gateway: RunningGateway, httpbin: str) -> None:
    proxy = await gateway.proxy(httpbin, proxyMaxResponseBytes=1024)
    assert (await gateway.call(proxy, "HEAD", "/bytes/5000")).status == 200
    assert (await gateway.call(proxy, "GET", "/bytes/5000")).status == 413


@pytest_twisted.ensureDeferred
async def test_options_is_the_targets_to_answer(gateway: RunningGateway, proxy: MadeProxy) -> None:
    answer = await gateway.call(proxy, "OPTIONS", "/get")
    assert answer.status == 200
    assert granted(answer)
    assert {name.strip() for name in answer["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


# Sizes.


def too_large(size: str, limit: str) -> bytes:
    """gateway-api.md 8, byte for byte."""
    return (
        '{"error": "Payload Too Large", "message": "The response from the target API is too large to return directly.",'
        f' "responseSize": "{size}", "limit": "{limit}",'
        ' "suggestion": "Consider using pagination or requesting smaller data sets."}'
    ).encode()


def of_size(size: int, *, chunked: bool, pause: float = 0.0) -> Any:
    """A target whose answers have bodies of `size` bytes, the first piece of which comes `pause` before the rest."""

    def serve(connection: Any) -> None:
        while connection.request():
            if not chunked:
                connection.answer(b"x" * size)
                continue
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for place in range(0, size, 65536):
                piece = min(size - place, 65536)
                connection.send(b"%x\r\n%b\r\n" % (piece, b"x" * piece))
                time.sleep(0.0 if place else pause)
            connection.send(b"0\r\n\r\n")

    return serve


@pytest_twisted.ensureDeferred
async def test_the_default_limit_is_six_megabytes_with_the_head(gateway: RunningGateway) -> None:
    head = len(b"HTTP/1.1 200 OK\r\nContent-Length: 6291456\r\n\r\n")
    for size, status in ((6 * MEGABYTE - head, 200), (6 * MEGABYTE - head + 1, 413)):
        with Target(of_size(size, chunked=False)) as target:
            answer = await gateway.call(await gateway.proxy(target.url))
        assert answer.status == status
        assert len(answer.body) == size or status == 413


@pytest.mark.parametrize(
    ("size", "chunked", "limit", "told", "named"),
    [
        (int(7.32 * MEGABYTE), False, None, "7.32 MB", "6 MB"),
        (2 * MEGABYTE, False, 3 * MEGABYTE // 2, "2.00 MB", "1.5 MB"),
        (7 * MEGABYTE, True, None, "> 6.00 MB", "6 MB"),
        (3 * MEGABYTE, True, 2 * MEGABYTE, "> 2.00 MB", "2 MB"),
        (MEGABYTE, True, 1536, "> 1.50 KB", "1.5 KB"),
        (MEGABYTE, True, 1000, "> 1000 B", "1000 B"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_over_the_limit_is_the_documented_413(
    gateway: RunningGateway, size: int, chunked: bool, limit: int | None, told: str, named: str
) -> None:
    with Target(of_size(size, chunked=chunked)) as target:
        answer = await gateway.call(await gateway.proxy(target.url, proxyMaxResponseBytes=limit))
    assert (answer.status, answer.reason) == (413, "Payload Too Large")
    assert answer.body == too_large(told, named)
    assert answer["Content-Type"] == "application/json"
    assert answer.code == "response-too-large"
    assert answer["requestrocket-proxy-message"] == f"Response payload exceeds {named.replace(' ', '')} limit"


@pytest_twisted.ensureDeferred
async def test_httpbins_bytes_under_and_over_the_limit(gateway: RunningGateway, httpbin: str) -> None:
    # httpbin gives at most 100 KiB.
    proxy = await gateway.proxy(httpbin, proxyMaxResponseBytes=64 * 1024)
    for path in ("/bytes", "/stream-bytes"):
        answer = await gateway.call(proxy, "GET", f"{path}/60000?seed=1")
        assert (answer.status, len(answer.body)) == (200, 60000)
        assert (await gateway.call(proxy, "GET", f"{path}/70000?seed=1")).status == 413


@pytest_twisted.ensureDeferred
async def test_a_stream_past_the_limit_is_cut_off_so_that_the_caller_can_tell(gateway: RunningGateway) -> None:
    def read(proxy: MadeProxy) -> tuple[int, str]:
        with Caller(gateway.address) as caller:
            caller.send("GET", proxy.path, {"X-Api-Key": KEY})
            body = caller.begun()
            size = 0
            try:
                while part := body.read1(65536):
                    size += len(part)
            except (OSError, http.client.HTTPException) as error:
                return size, type(error).__name__
            return size, "whole"

    with Target(of_size(2 * MEGABYTE, chunked=True, pause=0.4)) as target:
        proxy = await gateway.proxy(target.url, proxyMaxResponseBytes=MEGABYTE)
        size, ended = await in_thread(read, proxy)
    assert ended in ("IncompleteRead", "ConnectionResetError")
    assert size <= MEGABYTE


# Time.


@pytest_twisted.ensureDeferred
async def test_a_slow_target_is_504_after_its_timeout(gateway: RunningGateway, httpbin: str) -> None:
    proxy = await gateway.proxy(httpbin, target={"targetTimeout": 1})
    begun = time.monotonic()
    answer = await gateway.call(proxy, "GET", "/delay/3")
    assert (answer.status, answer.code) == (504, "target-timeout")
    assert 0.95 < time.monotonic() - begun < 2.5
    assert answer.json["error"] == "Gateway Timeout"
    assert answer.json["requestId"] == answer["requestrocket-request-id"]
    # The timeout is to the head: a body may take longer.
    answer = await gateway.call(proxy, "GET", "/drip?numbytes=3&duration=1.5&delay=0")
    assert (answer.status, len(answer.body)) == (200, 3)


@pytest_twisted.ensureDeferred
async def test_a_dead_port_is_502(gateway: RunningGateway) -> None:
    answer = await gateway.call(await gateway.proxy(f"http://127.0.0.1:{closed_port()}"))
    assert (answer.status, answer.code) == (502, "target-unreachable")
    assert answer.json["error"] == "Bad Gateway"
    assert "127.0.0.1" not in answer.body.decode()


# Addresses.


@pytest_twisted.ensureDeferred
async def test_the_target_url_is_base_and_rest_byte_for_byte(gateway: RunningGateway) -> None:
    with Target(echo) as target:
        based = await gateway.proxy(f"{target.url}/v1/")
        bare = await gateway.proxy(target.url)
        for proxy, rest, expected in [
            (based, "", "/v1"),
            (based, "/", "/v1/"),
            (based, "/a%2Fb/%c3%A9;x=1/%7e", "/v1/a%2Fb/%c3%A9;x=1/%7e"),
            (based, "?", "/v1?"),
            (based, "/a?b?c=//../%zz", "/v1/a?b?c=//../%zz"),
            (bare, "", "/"),
            (bare, "/a//b/", "/a//b/"),
        ]:
            answer = await gateway.call(proxy, "GET", rest)
            assert answer.status == 200, (rest, answer.body)
            assert answer.json["line"] == f"GET {expected} HTTP/1.1"


@pytest_twisted.ensureDeferred
async def test_an_alias_is_a_second_address_within_its_client(gateway: RunningGateway, httpbin: str) -> None:
    proxy = await gateway.proxy(httpbin, proxyAlias="bin")
    by_alias = evolve(proxy, id=f"{gateway.client}/bin")
    assert (await gateway.call(by_alias, "GET", "/get?x=1")).json["args"] == {"x": "1"}
    for elsewhere in ("bin", "00000000-0000-4000-8000-000000000000/bin", f"{gateway.client}/nib"):
        answer = await gateway.call(evolve(proxy, id=elsewhere), "GET", "/get")
        assert (answer.status, answer.code) == (404, "proxy-access-denied")
    await gateway.change("proxies", proxy.id, proxyAlias="new")
    assert (await gateway.call(by_alias, "GET", "/get")).status == 404
    assert (await gateway.call(evolve(proxy, id=f"{gateway.client}/new"), "GET", "/get")).status == 200
