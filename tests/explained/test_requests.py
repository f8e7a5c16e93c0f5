"""Whatever a request is like, explanation and request say the same: paths, methods, fields, and pages of browsers.

Belongs here: oddities of requests' heads. Does not: bodies and what changes them (test_bodies.py), who may pass
(test_judged.py), credentials (test_credentials.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rrgate.api import ConfigError
from rrgate.core.answers import Refused
from rrgate.model.rule import METHODS
from rrgate.testing import MemoryGateway
from tests.explained.both import Asked, Fields, both, explained


@pytest.fixture(scope="module")
def gateway() -> MemoryGateway:
    return MemoryGateway()


PATHS = [
    "/", "/a", "/a;b=c", "/a/", "/a//b", "/a%2Fb", "/a%2fb", "/%61", "/a/b;c/..;d", "/a/./b", "/a/../b", "/a/..", "/..",
    "/%2e%2e/a", "/a/%2E", "//a", "//", "/a\\b", "/a%5Cb", "/a%00b", "/a%zz", "/a%2", "/a%25b", "/a+b",
    "/~a!$&'()*,=:@", '/a"b<c>d`e{f}|g^h[i]', "/?", "/??", "/?a", "/?a=", "/?=a", "/?a=b&a=c&&d", "/?a=b;c=d",
    "/?a=%C3%A9+x", "/?a=%zz", "/?a?b=/../c", "/?Authorization=x&b", "/.requests/x", "/.requests",
    "/a?" + "b=c&" * 300, "/" + "a" * 4000,
]  # fmt: skip
TARGETS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "the root": ("https://target.test", {}),
    "a base": ("https://target.test/base/", {}),
    "a base with escapes": ("https://target.test/b%20c/d", {}),
    "raw paths": ("https://target.test/base", {"targetRawPaths": True}),
    "strict paths": ("https://target.test/base", {"targetStrictPath": True}),
    "a port, in clear": ("http://target.test:8080", {}),
}


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_paths(gateway: MemoryGateway, path: str, to: str) -> None:
    url, settings = TARGETS[to]
    both(gateway, gateway.proxy(url=url, target=settings), Asked(path=path))


@pytest.mark.parametrize("body", [None, b"", b"a=b"], ids=repr)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_methods(gateway: MemoryGateway, method: str, body: bytes | None) -> None:
    proxy = gateway.proxy(proxyAdditionalData={"ours": "1"}, proxyAdditionalHeaders={"X-Ours": "1"})
    both(gateway, proxy, Asked(method, "/a", (("Content-Type", "application/x-www-form-urlencoded"),), body))


FIELDS: dict[str, Fields] = {
    "its own": (("X-Mine", "mine"), ("Accept", "*/*"), ("User-Agent", "mine/1.0")),
    "twice": (("X-Mine", "1"), ("X-Mine", "2")),
    "two spellings": (("X-Mine", "1"), ("x_mine", "2"), ("x-MINE", "3")),
    "empty": (("X-Mine", ""),),
    "Latin-1": (("X-Mine", "é\xa0ÿ"),),
    "a tab": (("X-Mine", "a\tb"),),
    "cookies": (("Cookie", "a=b"), ("Cookie2", "c")),
    "of proxies": (("Forwarded", "for=1"), ("X-Forwarded-For", "1"), ("Via", "1.1 a"), ("CF-Ray", "1")),
    "of overrides": (("X-HTTP-Method-Override", "DELETE"), ("X_Original_URL", "/admin"), ("X-Method-Override", "PUT")),
    "of the gateway": (("requestrocket-delay", "3"), ("requestrocket_attempt", "7"), ("Requestrocket-Any", "1")),
    "hop by hop": (("Keep-Alive", "timeout=5"), ("Proxy-Authorization", "Basic x"), ("Proxy-Connection", "close")),
    "of one hop": (("requestrocket-hops", "1"),),
    "of many hops": (("requestrocket-hops", "3"),),
    "of odd hops": (("requestrocket-hops", "x"),),
    "injected": (("X-Added", "mine"), ("x_added", "mine too")),
    "a range": (("Range", "bytes=0-1"), ("Accept-Encoding", "br"), ("If-None-Match", '"x"')),
    "another host": (("Host", "localhost"),),
    "a key of idempotency": (("Idempotency-Key", "k-1"),),
}  # fmt: skip


@pytest.mark.parametrize("cookies", ["drop", "pass"])
@pytest.mark.parametrize("fields", FIELDS)
def test_fields(gateway: MemoryGateway, fields: str, cookies: str) -> None:
    proxy = gateway.proxy(
        proxyCookies=cookies,
        proxyAdditionalHeaders={"X-Added": "ours", "Range": "bytes=5-"},
        towards=("bearer", {"token": "a-token"}),
    )
    both(gateway, proxy, Asked(headers=FIELDS[fields]))


WRONG: dict[str, Fields] = {
    "a control character": (("X-Mine", "a\x01b"),),
    "a delete character": (("X-Mine", "a\x7fb"),),
    "two hosts": (("Host", "localhost"), ("Host", "localhost")),
    "two spellings of a host": (("Host", "localhost"), ("host", "localhost")),
    "a host that is none": (("Host", "local host/"),),
    "an empty host": (("Host", ""),),
    "an odd length": (("Content_Length", "3"),),
    "an odd coding": (("transfer_encoding", "chunked"),),
}


@pytest.mark.parametrize("fields", WRONG)
def test_what_no_listener_takes_is_not_explained(gateway: MemoryGateway, fields: str) -> None:
    proxy = gateway.proxy()
    asked = Asked(headers=WRONG[fields])
    assert gateway.call("GET", proxy, "/", asked.headers).answer.status == 400
    with pytest.raises((Refused, ConfigError)):
        explained(gateway, proxy, asked)


PAGE = (("Origin", "https://page.test"),)
OTHER = (("Origin", "https://other.test"),)
ASKS = (("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-a, x-b"))


@pytest.mark.parametrize("cors", [None, {"origins": ["https://page.test"]}, {"origins": ["*"], "methods": ["*"]}])
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.parametrize("fields", [(), PAGE, OTHER, (*PAGE, *ASKS), (*OTHER, *ASKS), (*PAGE, *OTHER, *ASKS), ASKS])
def test_pages(gateway: MemoryGateway, fields: Fields, method: str, cors: Any) -> None:
    both(gateway, gateway.proxy(proxyCors=cors), Asked(method, headers=fields))
