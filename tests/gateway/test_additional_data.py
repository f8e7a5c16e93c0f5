"""`proxyAdditionalData` through a whole gateway: which requests it is merged into, with the bytes that arrive.

Belongs here: methods, types, encodings, bounds, the head that goes with a merged body. Does not: merging as such
(tests/plugins/test_merging.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import globalLogPublisher, textFileLogObserver

from tests.callers import Answer, Caller, in_thread
from tests.running_gateway import KEY, RunningGateway
from tests.targets import Connection, Received, Target

DATA = '{"model": "m-1", "limit": 1.10, "big": 123456789012345678901234567890, "opts": {"a": true}}'
COMPACT = DATA.replace(" ", "")
FLAT = '{"model": "m-1", "limit": 1.10}'
MEBIBYTE = 1024 * 1024
WARNING = "Additional data was not added: the body is multipart"


class Keeping(Target):
    """A target that keeps every request."""

    def __init__(self) -> None:
        self.seen: list[Received] = []
        super().__init__(self._serve_kept)

    def _serve_kept(self, connection: Connection) -> None:
        while (received := connection.request()) is not None:
            self.seen.append(received)
            connection.answer(b"reached")


@pytest.fixture
def target() -> Iterator[Keeping]:
    with Keeping() as running:
        yield running


class Raw(str):
    """JSON text that goes into a request to the Core API as it is."""


async def proxy_with(gateway: RunningGateway, target: Target, data: str = DATA, strict: bool = False) -> Any:
    """A proxy whose data is written exactly like this."""
    proxy = await gateway.proxy(target.url)
    document = f'{{"proxyAdditionalData": {data}, "proxyAdditionalDataStrict": {json.dumps(strict)}}}'
    told = await put(gateway, proxy, document)
    assert told.status == 200, told.body
    return proxy


async def put(gateway: RunningGateway, proxy: Any, document: str) -> Answer:
    headers = {"Authorization": gateway.first.token, "Content-Type": "application/json"}
    path = f"/clients/{proxy.client}/proxies/{proxy.id}"

    def send() -> Answer:
        with Caller(gateway.core_address) as caller:
            return caller.call("PUT", path, headers, document.encode())

    return await in_thread(send)


def types(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Content-Type", value) if name == "type" else (name, value) for name, value in pairs]


JSON = types(("type", "application/json"))
FORM = types(("type", "application/x-www-form-urlencoded"))


@pytest.mark.parametrize(
    ("method", "headers", "body", "arrives"),
    [
        ("POST", JSON, b'{"x": "y", "model": "mine", "n": 2.50}', b'{"x": "y","n": 2.50,' + COMPACT[1:].encode()),
        ("PUT", JSON, b'{"opts":{"b":1}}', COMPACT.replace('{"a":true}', '{"b":1,"a":true}').encode()),
        ("PATCH", JSON, b"{}", COMPACT.encode()),
        ("POST", types(("type", "application/json; charset=UTF-8")), b"{}", COMPACT.encode()),
        ("POST", types(("type", 'Application/JSON;charset="utf-8"')), b"{}", COMPACT.encode()),
        ("POST", types(("type", "application/vnd.api+json")), b"{}", COMPACT.encode()),
        ("PATCH", types(("type", "application/merge-patch+json")), b"{}", COMPACT.encode()),
        ("POST", types(("type", "model/gltf+json")), b"{}", COMPACT.encode()),
        ("POST", [*JSON, ("Content-Encoding", "identity")], b"{}", COMPACT.encode()),
        # Not touched.
        ("DELETE", JSON, b'{"a": 1}', b'{"a": 1}'),
        ("GET", JSON, b'{"a": 1}', b'{"a": 1}'),
        ("OPTIONS", JSON, b"", b""),
        ("DELETE", types(("type", "text/plain")), b"x", b"x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_json(
    gateway: RunningGateway,
    target: Keeping,
    method: str,
    headers: list[tuple[str, str]],
    body: bytes,
    arrives: bytes,
    chunked: bool,
) -> None:
    proxy = await proxy_with(gateway, target)
    answer = await gateway.call(proxy, method, "/", headers, cut(body) if chunked else body)
    assert answer.status == 200, answer.body
    (seen,) = target.seen
    assert seen.body == arrives
    assert seen.every("Content-Type") == [value for name, value in headers if name == "Content-Type"]
    if body != arrives:
        assert seen.every("Content-Length") == [str(len(arrives))]
        assert seen.every("Transfer-Encoding") == []


def cut(body: bytes) -> Iterable[bytes]:
    """`body` in chunks."""
    return [body[at : at + 7] for at in range(0, len(body), 7)]


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        (b"prompt=x+y&model=mine", b"prompt=x+y&model=m-1&limit=1.10"),
        (b"MODEL=mine&model=2&%6dodel=3", b"model=m-1&limit=1.10"),
        (b"a=%FF&b", b"a=%FF&b&model=m-1&limit=1.10"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_forms(gateway: RunningGateway, target: Keeping, body: bytes, arrives: bytes) -> None:
    proxy = await proxy_with(gateway, target, FLAT)
    assert (await gateway.call(proxy, "POST", "/", FORM, body)).status == 200
    (seen,) = target.seen
    assert seen.body == arrives
    assert seen.every("Content-Type") == ["application/x-www-form-urlencoded"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([], None),
        ([], b""),
        (JSON, b""),
        (types(("type", "text/plain")), b""),
        (types(("type", "text/plain"), ("Content-Encoding", "gzip")), b""),
        ([], []),
        (types(("type", "text/plain")), []),
        (FORM, []),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_empty_body_becomes_the_data(
    gateway: RunningGateway, target: Keeping, method: str, headers: list[tuple[str, str]], body: Any
) -> None:
    proxy = await proxy_with(gateway, target)
    assert (await gateway.call(proxy, method, "/", headers, body)).status == 200
    (seen,) = target.seen
    assert seen.body == COMPACT.encode()
    assert seen.every("Content-Type") == ["application/json"]
    assert seen.every("Content-Length") == [str(len(COMPACT))]
    assert seen.every("Content-Encoding") == []


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        ([], b"{}", "must be a JSON object or"),
        (types(("type", "text/plain")), b"{}", "must be a JSON object or"),
        (types(("type", "application/octet-stream")), b"{}", "must be a JSON object or"),
        (types(("type", "application/xml")), b"<a/>", "must be a JSON object or"),
        (types(("type", "application/x-ndjson")), b"{}\n{}", "must be a JSON object or"),
        (types(("type", "application/jsonx")), b"{}", "must be a JSON object or"),
        (types(("type", "application/json"), ("type", "application/json")), b"{}", "must be a JSON object or"),
        (types(("type", "application/json; charset=utf-16")), b"{}", "must be a JSON object or"),
        (types(("type", "application/x-www-form-urlencoded; charset=latin1")), b"a=b", "must be a JSON object or"),
        ([*JSON, ("Content-Encoding", "gzip")], b"{}", "not encoded"),
        ([*JSON, ("Content-Encoding", "identity, br")], b"{}", "not encoded"),
        ([*JSON, ("Content-Encoding", "identity"), ("content_encoding", "gzip")], b"{}", "not encoded"),
        ([*FORM, ("Content-Encoding", "deflate")], b"a=b", "not encoded"),
        ([*JSON, ("Content-Range", "bytes 0-1/4")], b"{}", "whole"),
        (JSON, b"[]", "must be a JSON object"),
        (JSON, b'{"a":1', "must be one JSON object"),
        (JSON, b'{"a":1,"a":2}', "a member twice"),
        (JSON, b'{"a":[{"b":1,"b":2}]}', "a member twice"),
        (JSON, '{"a":"é"}'.encode("latin-1"), "must be one JSON object in UTF-8"),
        (FORM, b"a=b", "parts that a form cannot carry"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_merged(
    gateway: RunningGateway,
    target: Keeping,
    headers: list[tuple[str, str]],
    body: bytes,
    why: str,
    chunked: bool,
) -> None:
    proxy = await proxy_with(gateway, target)
    answer = await gateway.call(proxy, "POST", "/", headers, cut(body) if chunked else body)
    assert (answer.status, answer.code) == (415, "bad-request")
    assert why in answer.json["message"]
    assert answer.json["error"] == "Unsupported Media Type"
    assert "m-1" not in answer.body.decode()
    assert target.seen == []
    (record,) = await gateway.records(proxy)
    assert record["proxyData"]["status"] == 415


MULTIPART = types(("type", "multipart/form-data; boundary=b"))


@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_multipart_passes_with_a_warning(gateway: RunningGateway, target: Keeping, chunked: bool) -> None:
    proxy = await proxy_with(gateway, target)
    body = b"--b\r\n\r\n" + b"x" * (2 * MEBIBYTE) + b"\r\n--b--\r\n"
    headers = [*MULTIPART, ("Digest", "sha-256=abc"), ("Content-Encoding", "gzip")]
    answer = await gateway.call(proxy, "POST", "/", headers, [body] if chunked else body)
    assert answer.status == 200
    assert answer["requestrocket-proxy-warning"] == WARNING
    (seen,) = target.seen
    assert seen.body == body
    assert seen.every("Digest") == ["sha-256=abc"]
    assert seen.every("Content-Encoding") == ["gzip"]


@pytest_twisted.ensureDeferred
async def test_multipart_is_refused_where_the_proxy_is_strict(gateway: RunningGateway, target: Keeping) -> None:
    proxy = await proxy_with(gateway, target, strict=True)
    for body in (b"--b--\r\n", [b"--b--\r\n"], b"x" * (2 * MEBIBYTE)):
        answer = await gateway.call(proxy, "POST", "/", MULTIPART, body)
        assert (answer.status, answer.code) == (415, "bad-request")
        assert "requestrocket-proxy-warning" not in answer
    assert (await gateway.call(proxy, "POST", "/", JSON, b"{}")).status == 200
    assert (await gateway.call(proxy, "GET")).status == 200
    assert len(target.seen) == 2


@pytest_twisted.ensureDeferred
async def test_a_multipart_body_streams(gateway: RunningGateway) -> None:
    """Its first half arrives while the second is not yet sent."""
    arrived = threading.Event()

    def serve(connection: Connection) -> None:
        connection.head()
        first = connection.file.read(5)
        arrived.set()
        connection.answer(first + connection.file.read(5))

    def talk() -> Answer:
        with Caller(gateway.address) as caller:
            head = (
                f"POST {proxy.path}/ HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\n"
                "Content-Type: multipart/mixed; boundary=b\r\nContent-Length: 10\r\n\r\nfirst"
            )
            caller.socket.sendall(head.encode())
            assert arrived.wait(20)
            caller.socket.sendall(b"later")
            return caller.answer()

    with Target(serve) as target:
        proxy = await proxy_with(gateway, target)
        assert (await in_thread(talk)).body == b"firstlater"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("headers", "data"), [(JSON, DATA), (FORM, FLAT)])
@pytest_twisted.ensureDeferred
async def test_the_bound(
    gateway: RunningGateway, target: Keeping, headers: list[tuple[str, str]], data: str, chunked: bool
) -> None:
    proxy = await proxy_with(gateway, target, data)
    frame = b'{"a":"%b"}' if headers is JSON else b"a=%b"
    most = frame % (b"x" * (MEBIBYTE - len(frame) + 2))
    assert len(most) == MEBIBYTE
    answer = await gateway.call(proxy, "POST", "/", headers, [most] if chunked else most)
    assert answer.status == 200
    assert len(target.seen[0].body) > MEBIBYTE
    more = frame % (b"x" * (MEBIBYTE - len(frame) + 3))
    answer = await gateway.call(proxy, "POST", "/", headers, [more] if chunked else more)
    assert (answer.status, answer.code) == (413, "request-too-large")
    assert "1048576 bytes" in answer.json["message"]
    assert len(target.seen) == 1
    assert (await gateway.call(proxy, "DELETE", "/", headers, more)).status == 200


@pytest_twisted.ensureDeferred
async def test_digests_of_the_old_body_do_not_go_with_the_new(gateway: RunningGateway, target: Keeping) -> None:
    proxy = await proxy_with(gateway, target)
    digests = ("Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "content_digest")
    headers = [*JSON, *((name, "abc") for name in digests), ("Want-Digest", "sha-256")]
    for body in (b"{}", b""):
        assert (await gateway.call(proxy, "POST", "/", headers, body)).status == 200
        assert not any(target.seen[-1].every(name) for name in digests)
        assert target.seen[-1].every("Want-Digest") == ["sha-256"]


@pytest_twisted.ensureDeferred
async def test_a_caller_who_waits_for_100_continue(gateway: RunningGateway, target: Keeping) -> None:
    proxy = await proxy_with(gateway, target)

    def talk(content_type: str) -> bytes:
        with Caller(gateway.address) as caller:
            head = (
                f"POST {proxy.path}/ HTTP/1.1\r\nHost: {caller.host}\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n"
                f"Content-Type: {content_type}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            caller.socket.sendall(head.encode())
            first: bytes = caller._stream.readline()
            if first.startswith(b"HTTP/1.1 100 "):
                caller.socket.sendall(b"{}")
            return first + caller.rest()

    told = await in_thread(talk, "application/json")
    assert told.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 " in told
    # One that is refused for its head is never asked for its body.
    assert (await in_thread(talk, "text/plain")).startswith(b"HTTP/1.1 415 ")


@pytest_twisted.ensureDeferred
async def test_the_core_api_keeps_numbers_as_they_are_written(gateway: RunningGateway, target: Keeping) -> None:
    proxy = await proxy_with(gateway, target)
    path = f"/clients/{proxy.client}/proxies/{proxy.id}"
    shown = (await gateway.ask("GET", path)).body
    assert f'"proxyAdditionalData":{COMPACT}'.encode() in shown
    # Another spelling is a change, though the number is the same.
    assert (await put(gateway, proxy, '{"proxyAdditionalData": {"limit": 1.1, "n": 1}}')).status == 200
    assert b'"proxyAdditionalData":{"limit":1.1,"n":1}' in (await gateway.ask("GET", path)).body
    assert (await put(gateway, proxy, '{"proxyAdditionalData": {"limit": 1.1, "n": true}}')).status == 200
    assert b'"proxyAdditionalData":{"limit":1.1,"n":true}' in (await gateway.ask("GET", path)).body
    await gateway.call(proxy, "POST")
    assert target.seen[-1].body == b'{"limit":1.1,"n":true}'


@pytest_twisted.ensureDeferred
async def test_they_survive_a_restart(target: Keeping, tmp_path: Any) -> None:
    first = RunningGateway.start(tmp_path / "state")
    try:
        proxy = await proxy_with(first, target)
    finally:
        await first.stop()
    again = RunningGateway(RunningGateway.open(tmp_path / "state"), first.first)
    try:
        assert (await again.call(proxy, "POST")).status == 200
    finally:
        await again.stop()
    assert target.seen[0].body == COMPACT.encode()


@pytest.mark.parametrize(
    "document",
    [
        '{"proxyAdditionalData": []}',
        '{"proxyAdditionalData": "s3cr3t"}',
        '{"proxyAdditionalData": {"a": 1, "a": 2}}',
        '{"proxyAdditionalData": {"a": NaN}}',
        '{"proxyAdditionalData": {"a": "\\ud800"}}',
        '{"proxyAdditionalDataStrict": 1}',
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_the_core_api_refuses(gateway: RunningGateway, target: Keeping, document: str) -> None:
    proxy = await gateway.proxy(target.url)
    answer = await put(gateway, proxy, document)
    assert answer.status == 400
    assert "s3cr3t" not in answer.body.decode()


@pytest_twisted.ensureDeferred
async def test_the_values_are_in_no_log(gateway: RunningGateway, target: Keeping) -> None:
    text = StringIO()
    observer = textFileLogObserver(text)
    globalLogPublisher.addObserver(observer)
    try:
        proxy = await proxy_with(gateway, target, '{"word": "s3cr3t-41cc", "deep": {"word": "s3cr3t-41cc"}}')
        for headers, body in ((JSON, b"{}"), (JSON, b"{"), (FORM, b"a=b"), (MULTIPART, b"--b--"), ([], b"")):
            answer = await gateway.call(proxy, "POST", "/", headers, body)
            assert b"s3cr3t-41cc" not in answer.body
            assert "s3cr3t-41cc" not in repr(answer.headers)
        records = await gateway.records(proxy)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert len(records) == 5
    assert "s3cr3t-41cc" not in repr(records)
    assert "s3cr3t-41cc" not in text.getvalue()
    route = gateway.gateway.directory.find(proxy.path[4:].encode())
    assert route is not None
    plugins = [step.call.__self__ for step in route[0].chain.body_needed]
    assert plugins
    assert "s3cr3t-41cc" not in repr([(plugin, plugin.config, vars(plugin)) for plugin in plugins])
