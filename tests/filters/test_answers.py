"""What callers are answered where filters are: which answers, what is left of them, and what is not answered at all.

Belongs here: whole requests through a gateway in memory. Does not: what JSONPaths select (test_queries.py).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from threading import Barrier, Event
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, gatherResults

from rrgate.api import ConfigError
from rrgate.model import Proxy, Scope
from rrgate.testing import MemoryGateway
from rrgate.testing.target import Says
from rrgate_plugins.filters import AnswerFilters
from rrgate_plugins.filters.comparing import Run
from rrgate_plugins.filters.documents import AT_MOST, AT_ONCE, Bounds, NotFilterable, TooMuch, filtered
from rrgate_plugins.filters.pruning import Stage
from rrgate_plugins.filters.queries import Query
from rrgate_plugins.filters.threads import MOST_HELD, THREADS, Workers
from tests.filters.test_queries import DOCUMENTS, PATHS
from tests.rules.test_leaves import CLAIMS, Claims

JSON = {"Content-Type": "application/json"}
CREDENTIAL, TOWARDS, PROXY, TARGET = Scope


def destroy(*paths: str, **document: Any) -> dict[str, Any]:
    return {"effect": "destroy", "jsonPaths": list(paths), **document}


def retain(*paths: str, **document: Any) -> dict[str, Any]:
    return {**destroy(*paths, **document), "effect": "retain"}


class Filtered:
    """One gateway, and a proxy made anew for each question."""

    def __init__(self) -> None:
        self.gateway = MemoryGateway([Claims])

    def proxy(self, given: Any, **settings_: Any) -> Proxy:
        gateway = self.gateway
        proxy = gateway.proxy(caller=("claims", {}), **settings_)
        directory = gateway.directory
        parents: dict[Scope, Any] = {
            CREDENTIAL: directory.credentials[proxy.proxy_credential_id],
            TOWARDS: directory.credentials[proxy.target_credential_id],
            PROXY: proxy,
            TARGET: directory.targets[proxy.target_id],
        }
        for scope, documents in (given if isinstance(given, Mapping) else {PROXY: given}).items():
            for document in documents:
                gateway.filter(parents[scope], document)
        return proxy

    def ask(self, given: Any, body: Any, headers: Any = JSON, status: int = 200, **more: Any) -> Any:
        """The answer. `body`: bytes or pieces of them, or a document."""
        raw = body if isinstance(body, bytes | tuple) else json.dumps(body).encode()
        self.gateway.target.says = Says(status, raw, headers)
        request = more.pop("request", "GET /a")
        sent = {name: more.pop(name) for name in ("fields", "sends") if name in more}
        method, _, path = request.partition(" ")
        proxy = self.proxy(given, **more)
        return self.gateway.call(method, proxy, path, sent.get("fields", ()), sent.get("sends")).answer

    def left(self, given: Any, document: Any, **more: Any) -> Any:
        answer = self.ask(given, document, **more)
        assert (answer.status, answer.whole) == (more.get("status", 200), True)
        return answer.document


@pytest.fixture(scope="module")
def gateway() -> Filtered:
    return Filtered()


@pytest.fixture(autouse=True)
def _no_claims() -> Any:
    CLAIMS.clear()
    yield
    CLAIMS.clear()


def table(rows: Mapping[str, tuple[Any, ...]]) -> Any:
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in rows.items()])


# filters of the proxy, document, what is left
LEFT: dict[str, tuple[Any, ...]] = {
    "a member": ([destroy("$.a")], {"a": 1, "b": 2}, {"b": 2}),
    "members anywhere": ([destroy("$..p")], {"p": 1, "b": [{"p": 2, "c": 3}, {"p": {}}]}, {"b": [{"c": 3}, {}]}),
    "an element": ([destroy("$[0]")], [1, 2, 3], [2, 3]),
    "several elements": ([destroy("$[0,2]", "$[-1]")], [1, 2, 3, 4], [2]),
    "the same twice": ([destroy("$.a", "$['a','a']"), destroy("$.a")], {"a": 1}, {}),
    "what is within what is gone": ([destroy("$.a", "$.a.b", "$.a.c[0]")], {"a": {"b": 1, "c": [1]}}, {}),
    "all of it": ([destroy("$")], {"a": 1}, None),
    "nothing of that name": ([destroy("$.x")], {"a": 1}, {"a": 1}),
    "by a test": ([destroy("$[?@.level > 5]")], [{"level": 9}, {"level": 1}], [{"level": 1}]),
    "every member": ([destroy("$.*")], {"a": 1, "b": 2}, {}),
    "one is retained": ([retain("$.a")], {"a": {"x": 1}, "b": 2}, {"a": {"x": 1}}),
    "and the way to it": ([retain("$.a.b[1].c")], {"a": {"b": [1, {"c": 2, "d": 3}]}}, {"a": {"b": [{"c": 2}]}}),
    "of each element": ([retain("$.l[*].n")], {"l": [{"n": 1, "s": 2}, {"s": 3}]}, {"l": [{"n": 1}]}),
    "none is retained": ([retain("$.x")], {"a": {"b": 1}}, {}),
    "none is retained of an array": ([retain("$[9]")], [1, [2]], []),
    "none is retained of a text": ([retain("$.x")], "secret", None),
    "all is retained": ([retain("$")], {"a": 1}, {"a": 1}),
    "a text is retained": ([retain("$")], "text", "text"),
    "an empty object is retained": ([retain("$.a")], {"a": {}, "b": {}}, {"a": {}}),
    "a null is retained": ([retain("$.a")], {"a": None, "b": None}, {"a": None}),
    "two retain": ([retain("$.a"), retain("$.b.c")], {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}, {"a": 1, "b": {"c": 2}}),
    "one within the other": ([retain("$.a", "$.a.b")], {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 2}}),
    "both effects": ([retain("$.a"), destroy("$..x")], {"a": {"x": 1, "y": [{"x": 2}]}, "b": 1}, {"a": {"y": [{}]}}),
    "what is retained is destroyed": ([retain("$.a", "$.b"), destroy("$.a")], {"a": 1, "b": 2}, {"b": 2}),
    "in the other order": ([destroy("$.a"), retain("$.a", "$.b")], {"a": 1, "b": 2}, {"b": 2}),
    "all retained, some destroyed": ([retain("$"), destroy("$.a")], {"a": 1, "b": 2}, {"b": 2}),
    "all retained, all destroyed": ([retain("$"), destroy("$")], {"a": 1}, None),
    "some retained, all destroyed": ([retain("$.a"), destroy("$")], {"a": 1}, None),
    "the test is of what came": (
        [retain("$[*].id"), destroy("$[?@.level>5]")], [{"id": 1, "level": 9}, {"id": 2}], [{"id": 2}]),
    "the place is that of what came": ([retain("$[1]"), destroy("$[0]")], ["a", "b"], ["b"]),
    "only active ones": ([destroy("$.a", active=False), destroy("$.b")], {"a": 1, "b": 2}, {"a": 1}),
}  # fmt: skip


@table(LEFT)
def test_left(gateway: Filtered, row: tuple[Any, ...]) -> None:
    given, document, left = row
    assert gateway.left(given, document) == left


# filters by scope, document, what is left
ORDER: dict[str, tuple[Any, ...]] = {
    "the target credential's are before the target's": (
        {TOWARDS: [destroy("$[0]")], TARGET: [destroy("$[?@ == $[0]]")]}, [1, 2, 2, 1], [1]),
    "the target's are before the proxy credential's": (
        {TARGET: [destroy("$[0]")], CREDENTIAL: [destroy("$[?@ == $[0]]")]}, [1, 2, 2, 1], [1]),
    "the proxy credential's are before the proxy's": (
        {CREDENTIAL: [destroy("$[0]")], PROXY: [destroy("$[?@ == $[0]]")]}, [1, 2, 2, 1], [1]),
    "the target's first of all but one": (
        {PROXY: [destroy("$[?@ == $[0]]")], TARGET: [destroy("$[0]")]}, [1, 2, 2, 1], [1]),
    "what is gone does not come back": (
        {TARGET: [destroy("$.a")], PROXY: [retain("$.a", "$.b")]}, {"a": 1, "b": 2}, {"b": 2}),
    "one retains and the next, too": ({TARGET: [retain("$.a")], PROXY: [retain("$.b")]}, {"a": 1, "b": 2}, {}),
    "all four": (
        {scope: [destroy(f"$.{name}")] for scope, name in zip(Scope, "abcd", strict=True)},
        dict.fromkeys("abcde", 1),
        {"e": 1},
    ),
    "of nothing nothing is left": ({TARGET: [destroy("$")], PROXY: [retain("$.a")]}, {"a": 1}, None),
}  # fmt: skip


@table(ORDER)
def test_the_order_of_scopes(gateway: Filtered, row: tuple[Any, ...]) -> None:
    given, document, left = row
    assert gateway.left(given, document) == left


# a filter's checks, request, fields, body, whether it is for it
FOR: dict[str, tuple[Any, ...]] = {
    "all": ({}, "GET /a", {}, None, True),
    "its method": ({"methods": ["GET"]}, "GET /a", {}, None, True),
    "another method": ({"methods": ["PUT"]}, "GET /a", {}, None, False),
    "its path": ({"path": "^/a$"}, "GET /a", {}, None, True),
    "its path in another spelling": ({"path": "^/a$"}, "GET /%61", {}, None, True),
    "another path": ({"path": "^/b$"}, "GET /a", {}, None, False),
    "another path and its method": ({"path": "^/b$", "methods": ["GET"]}, "GET /a", {}, None, False),
    "not this path": ({"path": {"pattern": "^/b$", "presence": "absent"}}, "GET /a", {}, None, True),
    "its header": ({"headers": [{"name": "^x$"}]}, "GET /a", {"X": "1"}, None, True),
    "without its header": ({"headers": [{"name": "^x$"}]}, "GET /a", {}, None, False),
    "its parameter": ({"query": [{"name": "^x$", "matchValue": "1"}]}, "GET /a?x=1", {}, None, True),
    "another value": ({"query": [{"name": "^x$", "matchValue": "1"}]}, "GET /a?x=2", {}, None, False),
    "its body": ({"body": [{"jsonPath": "^x$"}]}, "POST /a", JSON, b'{"x": 1}', True),
    "another body": ({"body": [{"jsonPath": "^x$"}]}, "POST /a", JSON, b'{"y": 1}', False),
    "a body in doubt": ({"body": [{"jsonPath": "^x$"}]}, "POST /a", JSON, b"{", True),
    "its claim": ({"token": [{"claim": "^sub$", "matchValue": "^bob$"}]}, "GET /a", {}, None, True),
    "another claim": ({"token": [{"claim": "^sub$", "matchValue": "^eve$"}]}, "GET /a", {}, None, False),
    "another method and its body": ({"methods": ["PUT"], "body": [{"jsonPath": "^x$"}]}, "POST /a", JSON, b"{", False),
    "flags": ({"path": "^/A$", "regexFlags": "i"}, "GET /a", {}, None, True),
}


@table(FOR)
def test_which_requests_a_filter_is_for(gateway: Filtered, row: tuple[Any, ...]) -> None:
    checks, request, fields, body, applies = row
    CLAIMS["sub"] = "bob"
    more = {"request": request, "fields": fields, "sends": body}
    assert gateway.left([destroy("$.a", **checks)], {"a": 1}, **more) == ({} if applies else {"a": 1})
    left = gateway.left([destroy("$.a", **checks), destroy("$.b")], {"a": 1, "b": 2}, **more)
    assert left == ({} if applies else {"a": 1})


def test_answers_that_no_filter_is_for_are_as_they_came(gateway: Filtered) -> None:
    head = {**JSON, "ETag": '"1"', "Accept-Ranges": "bytes", "Content-Encoding": "br"}
    fields = {"Range": "bytes=0-1", "If-Range": '"1"', "Accept-Encoding": "br", "A-IM": "diffe"}
    answer = gateway.ask([destroy("$.a", path="^/b")], b'{"a":  1}', head, fields=fields)
    assert answer.body == b'{"a":  1}'
    assert {name: answer[name] for name in head} == head
    last = gateway.gateway.target.last
    assert {name: last[name] for name in fields} == fields


@pytest.mark.parametrize("status", [400, 401, 404, 500, 301, 304])
def test_other_answers_than_2xx_pass_as_they_are(gateway: Filtered, status: int) -> None:
    answer = gateway.ask([destroy("$.a")], b'{"a":  1}', {**JSON, "ETag": '"1"'}, status)
    assert (answer.status, answer["ETag"]) == (status, '"1"')
    assert answer.body == (b"" if status == 304 else b'{"a":  1}')


@pytest.mark.parametrize(("status", "headers"), [(204, {}), (205, {}), (200, {"Content-Type": "text/html"})])
def test_answers_without_a_body_pass(gateway: Filtered, status: int, headers: dict[str, str]) -> None:
    answer = gateway.ask([retain("$.a")], b"", headers, status)
    assert (answer.status, answer.body, answer.whole) == (status, b"", True)


def test_a_204_passes_whatever_it_says_of_a_body(gateway: Filtered) -> None:
    answer = gateway.ask([destroy("$.a")], (b"x",), {"Content-Type": "text/html"}, 204)
    assert (answer.status, answer.body) == (204, b"")


def test_a_205_that_has_a_body_is_filtered(gateway: Filtered) -> None:
    assert gateway.left([destroy("$.a")], {"a": 1, "b": 2}, status=205) == {"b": 2}


def test_a_chunked_answer_that_is_empty_passes(gateway: Filtered) -> None:
    answer = gateway.ask([retain("$.a")], (b"",)[:0])
    assert (answer.status, answer.body, answer.whole) == (200, b"", True)


SAID_OF_THE_WHOLE = {
    "ETag": '"1"',
    "Accept-Ranges": "bytes",
    "Content-MD5": "x",
    "Digest": "sha-256=x",
    "Content-Digest": "sha-256=:x:",
    "Repr-Digest": "sha-256=:x:",
}


def test_what_was_said_of_the_whole_is_gone_and_the_rest_stays(gateway: Filtered) -> None:
    head = {"Content-Type": "application/vnd.api+json", "X-Other": "1", "Cache-Control": "no-store"}
    head |= SAID_OF_THE_WHOLE
    answer = gateway.ask([destroy("$.a")], {"a": 1, "b": 2}, head)
    assert answer.body == b'{"b":2}'
    assert answer["Content-Length"] == "7"
    assert answer["Content-Type"] == "application/vnd.api+json"
    assert (answer["X-Other"], answer["Cache-Control"]) == ("1", "no-store")
    assert [answer[name] for name in SAID_OF_THE_WHOLE] == [""] * len(SAID_OF_THE_WHOLE)


def test_head_tells_nothing_of_what_is_filtered(gateway: Filtered) -> None:
    head = {"X-Other": "1", **SAID_OF_THE_WHOLE}
    answer = gateway.ask([destroy("$.a")], b"x" * 1000, head, request="HEAD /a")
    assert (answer.status, answer["X-Other"], answer["Content-Length"]) == (200, "1", "")
    assert [answer[name] for name in SAID_OF_THE_WHOLE] == [""] * len(SAID_OF_THE_WHOLE)


def test_the_target_is_asked_for_the_whole(gateway: Filtered) -> None:
    fields = {"Range": "bytes=0-1", "If-Range": '"1"', "Accept-Encoding": "br, zstd", "A-IM": "diffe", "X-Other": "1"}
    gateway.left([destroy("$.a")], {}, fields=fields)
    last = gateway.gateway.target.last
    assert [last[name] for name in fields] == ["", "", "gzip", "", "1"]


def test_it_is_asked_for_the_whole_whatever_is_added_to_requests(gateway: Filtered) -> None:
    added = {"Range": "bytes=0-1", "If-Range": '"1"', "Accept-Encoding": "br", "A-IM": "diffe"}
    for adding in ({"proxyAdditionalHeaders": added}, {"towards": ("custom", {"headers": added})}):
        assert gateway.left([destroy("$.a")], {"a": 1, "b": 2}, **adding) == {"b": 2}
        last = gateway.gateway.target.last
        assert [last[name] for name in added] == ["", "", "gzip", ""]


# headers, body, words of the message: of which nothing is answered
NOT_FILTERABLE: dict[str, tuple[Any, ...]] = {
    "no JSON": (JSON, b"<html>secret</html>", "no JSON"),
    "no JSON at its end": (JSON, b'{"a": "secret"} secret', "no JSON"),
    "broken off": (JSON, b'{"a": "secret"', "no JSON"),
    "only spaces": (JSON, b"  ", "no JSON"),
    "NaN": (JSON, b'{"a": "secret", "b": NaN}', "no JSON"),
    "no UTF-8": (JSON, b'{"a": "secret\xe9"}', "no JSON"),
    "UTF-16": (JSON, '{"a": "secret"}'.encode("utf-16"), "no JSON"),
    "another charset": ({"Content-Type": "application/json; charset=utf-16"}, b'{"a": "secret"}', "charset"),
    "two types": ([("Content-Type", "application/json"), ("Content-Type", "text/html")], b'{"a": "secret"}', "types"),
    "a page": ({"Content-Type": "text/html"}, b'{"a": "secret"}', "type"),
    "lines": ({"Content-Type": "application/x-ndjson"}, b'{"a": "secret"}\n{"a": "secret"}\n', "type"),
    "a sequence": ({"Content-Type": "application/geo+json-seq"}, b'\x1e{"a": "secret"}\n', "type"),
    "an event stream": ({"Content-Type": "text/event-stream"}, b"data: secret\n\n", "type"),
    "parts": ({"Content-Type": "multipart/byteranges; boundary=b"}, b"--b--\r\nsecret", "type"),
    "brotli": ({**JSON, "Content-Encoding": "br"}, b'{"a": "secret"}', "coding"),
    "two codings": ({**JSON, "Content-Encoding": "gzip, gzip"}, gzip.compress(b'{"a": "secret"}'), "coding"),
    "no gzip": ({**JSON, "Content-Encoding": "gzip"}, b'{"a": "secret"}', "gzip"),
    "half a gzip": ({**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"a": "secret"}')[:-3], "gzip"),
    "two gzips": ({**JSON, "Content-Encoding": "gzip"}, gzip.compress(b"{}") + gzip.compress(b'"secret"'), "gzip"),
    "zlib for gzip": ({**JSON, "Content-Encoding": "gzip"}, zlib.compress(b'{"a": "secret"}'), "gzip"),
    "deep": (JSON, b"[" * 20_000 + b'"secret"' + b"]" * 20_000, "deep"),
    "a number of very many digits": (JSON, b'{"a": "secret", "b": %s}' % (b"1" * 5000), "no JSON"),
}


@table(NOT_FILTERABLE)
def test_what_cannot_be_filtered_is_not_answered(gateway: Filtered, row: tuple[Any, ...]) -> None:
    headers, body, words = row
    for filters in ([destroy("$.x")], [retain("$")], {TARGET: [destroy("$.x")], PROXY: [retain("$.a")]}):
        answer = gateway.ask(filters, body, headers)
        assert (answer.status, answer["requestrocket-proxy-code"]) == (422, "response-not-filterable")
        assert words in answer.document["message"]
        assert b"secret" not in answer.body
        assert "secret" not in str(answer.fields)
    if len(body) > 1:
        answer = gateway.ask([destroy("$.x")], (body[:1], body[1:]), headers)
        assert (answer.status, b"secret" in answer.body) == (422, False)


@pytest.mark.parametrize("status", [206, 226])
def test_parts_of_documents_are_not_filtered(gateway: Filtered, status: int) -> None:
    """What is a member here is one of another object in the whole."""
    answer = gateway.ask([destroy("$.a.secret")], {"secret": 1}, JSON, status)
    assert (answer.status, answer["requestrocket-proxy-code"]) == (422, "response-not-filterable")


def test_an_answer_that_breaks_off_is_no_answer(gateway: Filtered) -> None:
    gateway.gateway.target.says = Says(200, b'{"a": "secret"}', JSON, breaks_off=True)
    answer = gateway.gateway.call("GET", gateway.proxy([destroy("$.b")])).answer
    assert (answer.status, answer["requestrocket-proxy-code"]) == (502, "target-unreachable")
    assert b"secret" not in answer.body


def test_it_is_refused_at_its_head_if_that_tells_enough(gateway: Filtered) -> None:
    """An event stream has no end to wait for."""
    head = {"Content-Type": "text/event-stream"}
    gateway.gateway.target.says = Says(200, (b"data: 1\n\n", b"data: 2\n\n"), head, between=60)
    assert gateway.gateway.call("GET", gateway.proxy([destroy("$.b")])).answer.status == 422


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP", "identity"])
def test_what_is_compressed_is_answered_as_it_is_without(gateway: Filtered, name: str) -> None:
    body = b'{"a": 1, "b": 2}'
    sent = body if name == "identity" else gzip.compress(body)
    answer = gateway.ask([destroy("$.a")], sent, {**JSON, "Content-Encoding": name})
    assert (answer.body, answer["Content-Encoding"], answer["Content-Length"]) == (b'{"b":2}', "", "7")


WRITTEN = [
    b'{"b":1.10}',
    b'{"b":1e400}',
    b'{"b":-0}',
    b'{"b":-0.0}',
    b'{"b":12345678901234567890123}',
    b'{"b":9223372036854775807}',
    b'{"b":-9223372036854775809}',
    b'{"b":[0.1,1E5,1e-7,123456789012345678]}',
    '{"b":"é\U0001f600\\u0000\\"\\\\/"}'.encode(),
    rb'{"b":"\ud800"}',
    b'{"b":' + b"[" * 300 + b"1.50" + b"]" * 300 + b"}",
]


@pytest.mark.parametrize("body", WRITTEN, ids=range(len(WRITTEN)))
def test_what_is_left_is_as_it_was_written(gateway: Filtered, body: bytes) -> None:
    assert gateway.ask([destroy("$.a")], b'{"a": 1, ' + body[1:]).body == body
    assert gateway.ask([retain("$.b")], b'{"a": 1, ' + body[1:]).body == body


def test_a_mark_in_front_is_passed_over(gateway: Filtered) -> None:
    assert gateway.ask([destroy("$.a")], b'\xef\xbb\xbf{"a": 1}').body == b"{}"


def test_a_name_that_is_there_twice_is_answered_once(gateway: Filtered) -> None:
    assert gateway.ask([destroy("$.a")], b'{"a": 1, "\\u0061": 2, "b": 3, "b": 4}').body == b'{"b":4}'


def test_an_answer_without_a_type_is_read_as_json_and_becomes_it(gateway: Filtered) -> None:
    answer = gateway.ask([destroy("$.a")], b'{"a": 1}', {})
    assert (answer.body, answer["Content-Type"]) == (b"{}", "application/json")


def test_the_bound_on_answers_holds(gateway: Filtered) -> None:
    long = b'{"a": "%s"}' % (b"x" * 2000)
    for body in (long, (long[:100], long[100:]), gzip.compress(b'{"b": "%s"}' % (b"x" * 2000))):
        head = {**JSON, "Content-Encoding": "gzip"} if body[:1] == b"\x1f" else JSON
        answer = gateway.ask([destroy("$.a")], body, head, proxyMaxResponseBytes=1000)
        assert (answer.status, answer["requestrocket-proxy-code"]) == (413, "response-too-large")
    assert gateway.ask([destroy("$.a")], long, proxyMaxResponseBytes=3000).body == b"{}"


@pytest_twisted.ensureDeferred
async def test_large_answers_are_filtered_in_a_thread(gateway: Filtered) -> None:
    document = {"a": "secret", "b": ["x" * 1000] * 200}
    gateway.gateway.target.says = Says(200, json.dumps(document).encode(), JSON)
    call = gateway.gateway.call("GET", gateway.proxy([destroy("$.a")]))
    assert not call.ended
    answer = await call
    assert answer.document == {"b": document["b"]}
    workers = gateway.gateway.settings  # what is held is let go of
    assert workers is not None


@pytest_twisted.ensureDeferred
async def test_what_is_too_large_is_not_answered(gateway: Filtered) -> None:
    bomb = gzip.compress(b'"' + b"x" * (AT_MOST.size + 1) + b'"')
    proxy = gateway.proxy([destroy("$.a")], proxyMaxResponseBytes=100_000_000)
    for body, head in ((bomb, {**JSON, "Content-Encoding": "gzip"}), (b"[" + b"0," * AT_MOST.values + b"0]", JSON)):
        gateway.gateway.target.says = Says(200, body, head)
        answer = await gateway.gateway.call("GET", proxy)
        assert (answer.status, answer["requestrocket-proxy-code"]) == (422, "response-not-filterable")
    gateway.gateway.target.says = Says(200, tuple([b"x" * 1_000_000] * 9), JSON)
    answer = await gateway.gateway.call("GET", proxy)
    assert (answer.status, "over 8388608 bytes" in answer.document["message"]) == (422, True)


@pytest_twisted.ensureDeferred
async def test_a_small_answer_that_is_much_work_goes_to_a_thread_too(gateway: Filtered) -> None:
    document = [[1] for _ in range(AT_ONCE.work // 8)]
    gateway.gateway.target.says = Says(200, json.dumps(document, separators=(",", ":")).encode(), JSON)
    call = gateway.gateway.call("GET", gateway.proxy([destroy(*[f"$..a{n}" for n in range(20)])]))
    assert not call.ended
    assert (await call).document == document


def test_too_many_at_a_time_are_refused(gateway: Filtered) -> None:
    made: list[Workers] = []
    memory = MemoryGateway()
    proxy = memory.proxy()
    memory.filter(proxy, destroy("$.a"))
    memory.target.says = Says(200, (b'{"a": 1', b"}"), JSON, between=60)
    waiting = memory.call("GET", proxy)
    route, _ = memory.directory.find(f"/{proxy.id}".encode()) or (None, b"")
    assert route is not None
    plugin: Any = next(step.call for step in route.chain.on_response if step.plugin == "answer-filters").__self__  # type: ignore[attr-defined]
    made.append(plugin._workers)
    assert made[0].held == 7
    made[0].held += MOST_HELD
    memory.target.says = Says(200, b'{"a": 1}', JSON)
    answer = memory.call("GET", proxy).answer
    assert (answer.status, answer["requestrocket-proxy-code"], answer["Retry-After"]) == (503, "unavailable", "5")
    made[0].held -= MOST_HELD
    memory.clock.advance(60)
    assert waiting.answer.status == 200
    assert made[0].held == 0
    # Who leaves holds nothing any more.
    memory.target.says = Says(200, (b'{"a": 1', b"}"), JSON, between=60)
    memory.call("GET", proxy).leave()
    assert made[0].held == 0


@pytest_twisted.ensureDeferred
async def test_what_a_thread_has_of_those_who_left_is_held_until_it_is_done_with_it() -> None:
    workers, go_on, begun = Workers(None), Event(), list[int]()
    asked = [workers.run(go_on.wait, 10) for _ in range(THREADS)] + [workers.run(lambda: begun.append(1), 10)]
    for each in reversed(asked):  # first the one that has not begun, as the threads wait for others
        each.addErrback(lambda failure: failure.trap(CancelledError))
        each.cancel()
    assert workers.held == 10 * len(asked)
    go_on.set()
    together = Barrier(THREADS)
    await gatherResults([workers.run(together.wait, 0) for _ in range(THREADS)])
    assert (workers.held, begun) == (0, [])
    workers.close()


def test_routes_without_filters_have_no_step_for_them(gateway: Filtered) -> None:
    found = gateway.gateway.directory.find(f"/{gateway.proxy([]).id}".encode())
    assert found is not None
    chain = found[0].chain
    assert "answer-filters" not in {step.plugin for step in (*chain.authorize, *chain.prepare, *chain.on_response)}


def test_a_filter_whose_checks_nothing_carries_out_is_not_left_out(
    gateway: Filtered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnswerFilters, "filters", AnswerFilters.filters - {"query"})
    proxy = gateway.proxy([])
    gateway.gateway.filter(proxy, destroy("$.a", query=[{"name": "^x$"}]))
    assert gateway.gateway.call("GET", proxy).answer.status == 500


def test_filters_that_nothing_carries_out_are_not_left_out() -> None:
    memory = MemoryGateway(installed=False)
    proxy = memory.proxy()
    assert memory.call("GET", proxy).answer.status == 200
    memory.filter(proxy, destroy("$.a"))
    assert memory.call("GET", proxy).answer.status == 500


def test_a_change_is_in_force_for_the_next_request(gateway: Filtered) -> None:
    proxy = gateway.proxy([])
    memory = gateway.gateway
    memory.target.says = Says(200, b'{"a":1}', JSON)
    assert memory.call("GET", proxy).answer.body == b'{"a":1}'
    made = memory.filter(proxy, destroy("$.a"))
    assert memory.call("GET", proxy).answer.body == b"{}"
    memory.directory.put(evolve(made, active=False))
    assert memory.call("GET", proxy).answer.body == b'{"a":1}'
    memory.directory.put(made)
    memory.directory.drop(made)
    assert memory.call("GET", proxy).answer.body == b'{"a":1}'


def test_what_is_wrong_with_a_filter_is_told_by_place() -> None:
    memory = MemoryGateway()
    made = memory.filter(memory.proxy(), destroy("$.a"))
    with pytest.raises(ConfigError) as raised:
        AnswerFilters.check_filter(evolve(made, json_paths=("$.a", "$.b[", "$..a..b..c")))
    assert [problem.field for problem in raised.value.problems] == ["jsonPaths.1", "jsonPaths.2"]
    with pytest.raises(ConfigError) as raised:
        AnswerFilters.check_filter(memory.filter(memory.proxy(), destroy("$.a", path="(?=a)")))
    assert [problem.field for problem in raised.value.problems] == ["path.path.pattern"]


def test_the_request_log_keeps_what_was_answered(gateway: Filtered) -> None:
    memory = gateway.gateway
    proxy = gateway.proxy([destroy("$.a")])
    directory = memory.directory
    client = directory.clients[proxy.client_id]
    directory.put(evolve(client, configuration=evolve(client.configuration, log_bodies=True)))
    try:
        memory.target.says = Says(200, b'{"a": "secret", "b": 1}', JSON)
        assert memory.call("GET", proxy).answer.body == b'{"b":1}'
        kept = memory.requests[-1].kept
        assert kept is not None
        assert bytes(kept.answer) == b'{"b":1}'
    finally:
        directory.put(client)


MOST = Bounds(1_000_000, 1_000_000, 1_000_000)


def left_of(document: Any, retained: list[str], destroyed: list[str]) -> Any:
    stage = Stage([Query(path) for path in retained], [Query(path) for path in destroyed])
    return json.loads(filtered(json.dumps(document).encode(), b"", [stage], MOST))


NAMES = st.sampled_from(["$..a", "$..b", "$.a", "$['b']", "$..['a','b']", "$..a..b", "$.*.a", "$[*]['b']"])


@given(DOCUMENTS, st.lists(NAMES, min_size=1, max_size=3), st.lists(PATHS, max_size=2))
@settings(max_examples=300, deadline=None)
def test_what_is_destroyed_by_name_is_not_left(document: Any, destroyed: list[str], retained: list[str]) -> None:
    left = left_of(document, retained, destroyed)
    for path in destroyed:
        assert Query(path).select(Run(left, 1_000_000)) == []


@given(DOCUMENTS, st.lists(PATHS, max_size=2), st.lists(PATHS, max_size=2))
@settings(max_examples=300, deadline=None)
def test_all_that_is_left_was_there_and_was_not_named(document: Any, retained: list[str], destroyed: list[str]) -> None:
    """By marking every value with where it is."""

    def marked(value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {name: marked(each, f"{place}.{name}") for name, each in value.items()}
        if isinstance(value, list):
            return [marked(each, f"{place}.{number}") for number, each in enumerate(value)]
        return place

    def scalars(value: Any) -> set[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return {str(value)} - {"None"} if inner is None else set().union(*map(scalars, inner))

    def named(paths: list[str]) -> set[str]:
        nodes = [node for path in paths for node in Query(path).select(Run(places, 1_000_000))]
        return set().union(*(scalars(value) for _, _, value in nodes))

    places = marked(document, "x")
    left = scalars(left_of(places, retained, destroyed))
    wanted = (named(retained) if retained else scalars(places)) - named(destroyed)
    assert left == wanted


@given(st.binary(max_size=100) | st.text(alphabet='{}[],:"ab0123.eE- \\u', max_size=50).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_no_body_breaks_it(body: bytes) -> None:
    for coding in (b"", b"gzip"):
        try:
            json.loads(filtered(body, coding, [Stage([Query("$..a")], [Query("$..b")])], AT_ONCE))
        except NotFilterable as error:
            assert not isinstance(error, TooMuch)  # noqa: PT017
