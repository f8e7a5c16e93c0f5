"""Whatever a body is like, and whatever plugins of a proxy's own do to a request, explanation and request say the same.

Belongs here: bodies, what is merged into them, their bounds; `proxyPlugins`. Does not: heads (test_requests.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import frozen

from rrgate.api import Denied, Exchange, Plugin, Reply, documented, secret
from rrgate.testing import MemoryGateway
from tests.explained.both import Asked, Fields, both, shows_nothing_of

SECRET = "s3cr3t-of-a-plugin-77b0"
MEBIBYTE = 1024 * 1024
TOKEN = ("bearer", {"token": SECRET})


@frozen
class StampConfig:
    header: str = documented("Where it is written.")
    stamp: str = secret("What is written there.")


class Stamp(Plugin):
    """Writes what is secret wherever it can."""

    name = "stamp"
    listed = True
    pure = True
    Config = StampConfig

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(self.config.header.encode(), self.config.stamp.encode())
        ex.to_target.set_query(b"stamp", self.config.stamp.encode())


class Shout(Plugin):
    """Changes bodies and writes in clear."""

    name = "shout"
    listed = True
    pure = True

    def prepare(self, ex: Exchange) -> None:
        ex.to_target.set_header(b"X-Shout", ex.method)
        ex.to_target.remove_header(b"X-Quiet")

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        return chunk.upper() + (b"!" if last else b"")


class Picky(Plugin):
    """Refuses in each phase what it is told to, and warns of all else."""

    name = "picky"
    listed = True
    pure = True

    def authorize(self, ex: Exchange) -> Denied | Reply | None:
        ex.warnings.append("Picky looks at you")
        if ex.header(b"X-Deny") is not None:
            return Denied("not to be told", 403, "Picky denies this")
        return Reply(418, "Picky answers this", "picky") if ex.header(b"X-Answer") is not None else None

    def prepare(self, ex: Exchange) -> Reply | None:
        return Reply(409, "Picky answers this later", "picky") if ex.header(b"X-Later") is not None else None


class Failing(Plugin):
    """Raises in the phase that the request names."""

    name = "failing"
    listed = True
    pure = True

    def authorize(self, ex: Exchange) -> None:
        if ex.header(b"X-Fail") == b"authorize":
            raise RuntimeError(SECRET)

    def body_needed(self, ex: Exchange) -> int | None:
        if ex.header(b"X-Fail") == b"body_needed":
            raise RuntimeError(SECRET)
        return 16 if ex.header(b"X-Held") is not None else None

    def prepare(self, ex: Exchange) -> None:
        if ex.header(b"X-Fail") == b"prepare":
            raise RuntimeError(SECRET)
        if ex.header(b"X-Split") is not None:
            ex.to_target.fields.append((b"x-split", b"X-Split", b"a\r\nX-Other: b"))

    def on_request_body(self, ex: Exchange, chunk: bytes, last: bool) -> bytes:
        if ex.header(b"X-Fail") == b"on_request_body":
            raise RuntimeError(SECRET)
        return chunk


@pytest.fixture(scope="module")
def gateway() -> MemoryGateway:
    return MemoryGateway([Stamp, Shout, Picky, Failing])


DATA = {"ours": 1.10, "deep": {"a": [True, None]}}
JSON = (("Content-Type", "application/json"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
BODIES: dict[str, tuple[Fields, bytes | None]] = {
    "none": ((), None),
    "empty": (JSON, b""),
    "JSON": (JSON, b'{"mine": 2.50, "deep": {"b": 1}}'),
    "JSON, merged with suffix": ((("Content-Type", "application/a+json"),), b"{}"),
    "JSON that breaks off": (JSON, b'{"mine": '),
    "JSON that is no object": (JSON, b"[]"),
    "JSON with two of a name": (JSON, b'{"a": 1, "a": 2}'),
    "JSON, encoded": ((*JSON, ("Content-Encoding", "gzip")), b"{}"),
    "JSON in a range": ((*JSON, ("Content-Range", "bytes 0-1/4")), b"{}"),
    "a form": (FORM, b"a=1&ours=2"),
    "multipart": ((("Content-Type", "multipart/form-data; boundary=b"),), b"--b--\r\n"),
    "text": ((("Content-Type", "text/plain"),), b"text"),
    "of no type": ((), b"text"),
    "with digests": ((*JSON, ("Digest", "sha-256=x"), ("Content-MD5", "x")), b"{}"),
    "of a mebibyte": (JSON, b'{"a": "' + b"x" * (MEBIBYTE - 9) + b'"}'),
    "of more": (JSON, b'{"a": "' + b"x" * (MEBIBYTE - 8) + b'"}'),
}
WITH: dict[str, Mapping[str, Any]] = {
    "nothing": {},
    "data": {"proxyAdditionalData": DATA},
    "flat data": {"proxyAdditionalData": {"ours": 1.10}},
    "strict data": {"proxyAdditionalData": DATA, "proxyAdditionalDataStrict": True},
    "a bound": {"proxyMaxRequestBytes": 1000},
    "a bound and data": {"proxyMaxRequestBytes": 16, "proxyAdditionalData": DATA},
    "a plugin": {"proxyPlugins": [{"name": "shout"}]},
    "a plugin and data": {"proxyPlugins": [{"name": "shout"}], "proxyAdditionalData": DATA},
    "a plugin that holds": {"proxyPlugins": [{"name": "failing"}]},
}


@pytest.mark.parametrize("settings", WITH)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_bodies(gateway: MemoryGateway, method: str, body: str, settings: str) -> None:
    fields, content = BODIES[body]
    held = (("X-Held", "1"),) if "holds" in settings else ()
    told = both(gateway, gateway.proxy(**WITH[settings]), Asked(method, "/a", (*fields, *held), content))
    request = told.explained["request"]
    assert request is None or len(json.dumps(request)) < 200_000


PLUGINS: dict[str, list[Mapping[str, Any]]] = {
    name: [{"name": name}] for name in ("shout", "picky", "failing")
} | {
    "stamp": [{"name": "stamp", "configuration": {"header": "X-Stamp", "stamp": SECRET}}],
    "all": [
        {"name": "shout"},
        {"name": "stamp", "configuration": {"header": "X-Shout", "stamp": SECRET}},
        {"name": "picky"},
        {"name": "failing"},
    ],
}  # fmt: skip
FAILS = ("authorize", "body_needed", "prepare", "on_request_body")
MARKS: dict[str, Fields] = {
    "nothing": (),
    "denied": (("X-Deny", "1"),),
    "answered": (("X-Answer", "1"),),
    "answered later": (("X-Later", "1"),),
    "quiet": (("X-Quiet", "1"), ("X-Stamp", "mine"), ("X-Shout", "mine")),
    "split": (("X-Split", "1"),),
} | {
    f"failing in {phase}": (("X-Fail", phase),) for phase in ("authorize", "body_needed", "prepare", "on_request_body")
}


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("plugins", PLUGINS)
def test_plugins_of_its_own(gateway: MemoryGateway, plugins: str, marks: str) -> None:
    proxy = gateway.proxy(proxyPlugins=PLUGINS[plugins], towards=TOKEN)
    told = both(gateway, proxy, Asked("POST", "/a?b", MARKS[marks], b"text"))
    shows_nothing_of(told, SECRET)
