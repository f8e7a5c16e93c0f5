"""Meters: which requests they count, which values of answers, and what follows when there is no more room.

Belongs here: a gateway in memory. Does not: their form (tests/core/test_meters.py), limits of proxies and clients
(test_limits.py).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve

from rrgate.api import Counts, Exchange, Kind, Meter, NoConfig, Parts, Plugin, Proxy, Reply
from rrgate.testing import Answer, MemoryGateway, Says

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


def counting(**more: Any) -> dict[str, Any]:
    """A meter of requests."""
    return {"meterName": "requests", "meterType": "request_count", **more}


def when(**predicates: Any) -> dict[str, Any]:
    """Of those that match, with checks in the third spelling."""
    return {"meterMode": "conditional", "predicates": predicates}


def measuring(extraction: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A meter of values."""
    return {"meterName": "values", "meterType": "response_value", "extraction": extraction, **more}


def counted(gateway: MemoryGateway, meter: Meter) -> float:
    return gateway.counters.counter("meter", meter.id).read().day


def ask(
    gateway: MemoryGateway,
    proxy: Proxy,
    path: str = "/",
    method: str = "GET",
    headers: Any = (),
    body: bytes | Iterable[bytes] | None = None,
) -> Answer:
    answer = gateway.call(method, proxy, path, headers, body).answer
    assert answer is not None
    return answer


def test_requests_are_counted_up_to_the_limit(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting(limits={"hour": 3}))
    answers = [ask(gateway, proxy) for _ in range(5)]
    assert [each.status for each in answers] == [200] * 3 + [429] * 2
    assert answers[2]["requestrocket-proxy-warning"] == "Approaching rate limit threshold"
    refused = answers[3]
    assert refused["X-RateLimit-Limit"] == "3"
    assert "a meter of this proxy has 3 requests an hour; try again in" in refused.document["message"]
    assert counted(gateway, meter) == 3
    assert [(event.kind, event.subject) for event in gateway.events] == [
        ("limit-approached", meter.id),
        ("limit-reached", meter.id),
    ]


def test_a_meter_without_limits_only_counts(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting())
    assert {ask(gateway, proxy).status for _ in range(5)} == {200}
    assert gateway.counters.counter("meter", meter.id).read() == Counts(5, 5, 5, 5)


def test_one_that_is_not_active_does_nothing(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting(limits={"hour": 1}, meterActive=False))
    assert {ask(gateway, proxy).status for _ in range(5)} == {200}
    assert counted(gateway, meter) == 0


def test_a_change_is_in_force_at_once_and_keeps_the_count(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting(limits={"hour": 2}))
    assert [ask(gateway, proxy).status for _ in range(3)] == [200, 200, 429]
    gateway.directory.put(evolve(meter, limits=evolve(meter.limits, hour=3)))
    assert [ask(gateway, proxy).status for _ in range(2)] == [200, 429]
    gateway.directory.drop(meter)
    assert ask(gateway, proxy).status == 200


def test_a_limit_and_a_meter_are_all_or_nothing(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy(proxyMaxRequestsPerDay=4)
    narrow = gateway.meter(proxy, counting(limits={"day": 2}, **when(methods=["POST"])))
    wide = gateway.meter(proxy, counting())
    statuses = [ask(gateway, proxy, method=method).status for method in ("POST",) * 4 + ("GET",) * 3]
    assert statuses == [200, 200, 429, 429, 200, 200, 429]
    assert (counted(gateway, narrow), counted(gateway, wide)) == (2, 4)


@pytest.mark.parametrize(
    ("predicates", "matching", "others"),
    [
        ({"methods": ["POST", "PUT"]}, [("POST", "/", {}, b"")], [("GET", "/", {}, None)]),
        (
            {"path": {"path": {"pattern": "^/orders"}}},
            [("GET", "/orders/1", {}, None), ("GET", "/%6frders", {}, None)],
            [("GET", "/other", {}, None)],
        ),
        (
            {"headers": [{"name": {"pattern": "^x-plan$"}, "matchValue": {"pattern": "^gold$"}}]},
            [("GET", "/", {"X-Plan": "gold"}, None)],
            [("GET", "/", {"X-Plan": "tin"}, None), ("GET", "/", {}, None)],
        ),
        (
            {"query": [{"name": {"pattern": "^big$"}}]},
            [("GET", "/?big=1", {}, None), ("GET", "/?a=1&b%69g", {}, None)],
            [("GET", "/?small=1", {}, None)],
        ),
        (
            {"body": [{"jsonPath": {"pattern": "^model$"}, "matchValue": {"pattern": "^large"}}]},
            [
                ("POST", "/", JSON, b'{"model": "large-1"}'),
                # In doubt it is counted: nobody shall pass a limit by what cannot be read.
                ("POST", "/", JSON, b'{"model": "small", "model": "large"}'),
                ("POST", "/", JSON, b"no JSON"),
            ],
            [("POST", "/", JSON, b'{"model": "small"}'), ("GET", "/", {}, None)],
        ),
        (
            {"methods": ["POST"], "query": [{"name": {"pattern": "^a$"}, "presence": "must_not_exist"}]},
            [("POST", "/", {}, b"")],
            [("POST", "/?a=1", {}, b""), ("GET", "/", {}, None)],
        ),
    ],
)
def test_a_conditional_meter_counts_what_its_predicates_match(
    gateway: MemoryGateway, predicates: dict[str, Any], matching: list[Any], others: list[Any]
) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting(**when(**predicates)))
    for method, path, headers, body in others:
        assert ask(gateway, proxy, path, method, headers, body).status == 200
    assert counted(gateway, meter) == 0
    for number, (method, path, headers, body) in enumerate(matching, 1):
        assert ask(gateway, proxy, path, method, headers, body).status == 200
        assert counted(gateway, meter) == number


def test_claims_of_callers_are_seen(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, counting(**when(token=[{"claim": {"pattern": "^tier$"}}])))
    assert ask(gateway, proxy).status == 200
    assert counted(gateway, meter) == 0


# Values of answers.


def answer_json(gateway: MemoryGateway, body: bytes, *fields: tuple[str, str], chunked: bool = False) -> None:
    """What the target answers from now on."""
    headers = (("Content-Type", "application/json"), *fields)
    gateway.target.says = Says(body=[body] if chunked and body else body, headers=headers)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"usage": {"total": 12}}', 12),
        (b'{"usage": {"total": 0.25}}', 0.25),
        (b'{"usage": {"total": 0}}', 0),
        (b'{"usage": {"total": 1e3}}', 1000),
        (b'{"usage": {"total": -1}}', 0),
        (b'{"usage": {"total": 1e999}}', 0),
        (b'{"usage": {"total": NaN}}', 0),
        (b'{"usage": {"total": "12"}}', 0),
        (b'{"usage": {"total": true}}', 0),
        (b'{"usage": {"total": null}}', 0),
        (b'{"usage": {"total": [12]}}', 0),
        (b'{"usage": [12]}', 0),
        (b"[" * 100_000, 0),
        (b'{"usage": {"total": ' + b"1" * 5000 + b"}}", 0),
        (b"no JSON", 0),
        (b"", 0),
    ],
)
def test_a_value_of_the_body_is_summed_up(gateway: MemoryGateway, body: bytes, value: float, chunked: bool) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.usage.total"}))
    answer_json(gateway, body, chunked=chunked)
    for number in (1, 2):
        answer = ask(gateway, proxy)
        assert (answer.status, answer.body) == (200, body)
        assert counted(gateway, meter) == number * value


@pytest.mark.parametrize(
    ("field", "value"),
    [("12", 12), (" 0.5 ", 0.5), ("-1", 0), ("nan", 0), ("inf", 0), ("twelve", 0), ("1" * 50, 0), ("", 0)],
)
def test_a_value_of_a_header_is_summed_up(gateway: MemoryGateway, field: str, value: float) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "header", "name": "X-Cost"}))
    answer_json(gateway, b"{}", ("x-cost", field))
    ask(gateway, proxy)
    ask(gateway, proxy)
    assert counted(gateway, meter) == 2 * value


def test_what_is_beyond_a_limit_of_values_is_refused(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}, limits={"day": 100}))
    answer_json(gateway, b'{"used": 45}')
    answers = [ask(gateway, proxy) for _ in range(5)]
    assert [each.status for each in answers] == [200, 200, 200, 429, 429]
    assert [each["requestrocket-proxy-warning"] for each in answers[:3]] == [
        "",
        "",
        "Approaching rate limit threshold",
    ]
    assert "a meter of this proxy has 100 a day" in answers[3].document["message"]
    assert counted(gateway, meter) == 135


def test_only_answers_to_matching_requests_are_measured(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    all_of_them = gateway.meter(proxy, measuring({"location": "header", "name": "X-Cost"}))
    few = gateway.meter(
        proxy, measuring({"location": "body", "path": "$.used"}, **when(path={"path": {"pattern": "^/paid"}}))
    )
    answer_json(gateway, b'{"used": 5}', ("X-Cost", "3"))
    ask(gateway, proxy, "/free")
    assert (counted(gateway, all_of_them), counted(gateway, few)) == (3, 0)
    ask(gateway, proxy, "/paid")
    assert (counted(gateway, all_of_them), counted(gateway, few)) == (6, 5)


@pytest.mark.parametrize("location", [{"location": "body", "path": "$.used"}, {"location": "header", "name": "X-Used"}])
def test_beside_a_meter_of_all_answers_one_of_few_counts_few(gateway: MemoryGateway, location: dict[str, Any]) -> None:
    proxy = gateway.proxy()
    all_of_them = gateway.meter(proxy, measuring(location))
    few = gateway.meter(proxy, measuring(location, **when(path={"path": {"pattern": "^/paid"}})))
    answer_json(gateway, b'{"used": 5}', ("X-Used", "5"))
    ask(gateway, proxy, "/free")
    assert (counted(gateway, all_of_them), counted(gateway, few)) == (5, 0)
    ask(gateway, proxy, "/paid")
    assert (counted(gateway, all_of_them), counted(gateway, few)) == (10, 5)


def test_targets_are_asked_for_what_can_be_read(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    accepting = {"Accept-Encoding": "br, gzip"}
    ask(gateway, proxy, headers=accepting)
    assert gateway.target.last["Accept-Encoding"] == "br, gzip"
    gateway.meter(proxy, measuring({"location": "header", "name": "X-Cost"}))
    ask(gateway, proxy, headers=accepting)
    assert gateway.target.last["Accept-Encoding"] == "br, gzip"
    gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    ask(gateway, proxy, headers=accepting)
    assert gateway.target.last["Accept-Encoding"] == "identity"


def test_nobody_gets_an_answer_in_parts_that_cannot_be_read(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    parts = {"Range": "bytes=0-3", "If-Range": '"1"', "A-IM": "gzip"}
    gateway.meter(proxy, measuring({"location": "header", "name": "X-Cost"}))
    ask(gateway, proxy, headers=parts)
    assert [gateway.target.last.every(name) for name in parts] == [[value] for value in parts.values()]
    gateway.meter(
        proxy, measuring({"location": "body", "path": "$.used"}, **when(path={"path": {"pattern": "^/paid"}}))
    )
    ask(gateway, proxy, headers=parts)
    assert [gateway.target.last.every(name) for name in parts] == [[value] for value in parts.values()]
    ask(gateway, proxy, "/paid", headers=parts)
    assert [gateway.target.last.every(name) for name in parts] == [[], [], []]


ADDED = {"Accept-Encoding": "br", "Range": "bytes=0-3", "If-Range": '"1"', "A-IM": "gzip"}


@pytest.mark.parametrize("by", ["the proxy", "the credential"])
def test_what_is_to_be_read_wins_over_what_is_added_to_requests(gateway: MemoryGateway, by: str) -> None:
    added: dict[str, Any] = (
        {"proxyAdditionalHeaders": ADDED} if by == "the proxy" else {"towards": ("custom", {"headers": ADDED})}
    )
    proxy = gateway.proxy(**added)
    ask(gateway, proxy)
    assert {name: gateway.target.last[name] for name in ADDED} == ADDED
    gateway.meter(proxy, measuring({"location": "header", "name": "X-Cost"}))
    ask(gateway, proxy)
    assert {name: gateway.target.last[name] for name in ADDED} == ADDED
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    answer_json(gateway, b'{"used": 5}')
    ask(gateway, proxy)
    assert [gateway.target.last.every(name) for name in ADDED] == [["identity"], [], [], []]
    assert counted(gateway, meter) == 5


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_an_answer_in_gzip_that_nobody_asked_for_is_counted_and_passed_on_as_it_came(
    gateway: MemoryGateway, coding: str
) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    body = gzip.compress(b'{"used": 5}')
    answer_json(gateway, body, ("Content-Encoding", coding))
    answer = ask(gateway, proxy)
    assert (answer.body, answer["Content-Encoding"]) == (body, coding)
    assert counted(gateway, meter) == 5


LONG = b'{"used": 5, "rest": "' + b"x" * (1024 * 1024) + b'"}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"used": 5}',
        gzip.compress(b'{"used": 5}')[:-3],
        gzip.compress(b'{"used": 5}') + b"more",
        zlib.compress(b'{"used": 5}'),
        gzip.compress(LONG),
    ],
    ids=["none", "half of one", "more than one", "zlib", "too long"],
)
def test_what_is_no_gzip_passes_and_is_not_counted(gateway: MemoryGateway, body: bytes) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    answer_json(gateway, body, ("Content-Encoding", "gzip"))
    assert ask(gateway, proxy).body == body
    assert counted(gateway, meter) == 0


@pytest.mark.parametrize(
    "field",
    [("Content-Encoding", "br"), ("Content-Encoding", "gzip, gzip"), ("Content-Type", "text/plain")],
    ids=["encoded", "twice", "of two types"],
)
def test_what_cannot_be_read_passes_and_is_not_counted(gateway: MemoryGateway, field: tuple[str, str]) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    answer_json(gateway, b'{"used": 5}', field)
    answer = ask(gateway, proxy)
    assert (answer.status, answer.body) == (200, b'{"used": 5}')
    assert counted(gateway, meter) == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_answer_passes_and_is_not_counted(gateway: MemoryGateway, chunked: bool) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    body = b'{"used": 5, "rest": "' + b"x" * (1024 * 1024) + b'"}'
    answer_json(gateway, body, chunked=chunked)
    answer = ask(gateway, proxy)
    assert (answer.status, answer.body) == (200, body)
    assert counted(gateway, meter) == 0


def test_an_answer_that_breaks_off_is_502(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    gateway.target.says = Says(body=b'{"used": 5', headers=(("Content-Type", "application/json"),), breaks_off=True)
    answer = ask(gateway, proxy)
    assert answer.status == 502
    assert answer["requestrocket-proxy-code"] == "target-unreachable"


def test_an_answer_to_head_has_no_body_to_read(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    answer_json(gateway, b'{"used": 5}')
    assert ask(gateway, proxy, method="HEAD").status == 200
    assert counted(gateway, meter) == 0


class Shorten(Plugin):
    """A filter."""

    name = "shorten"
    kind = Kind.FILTER

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        return NoConfig()

    async def on_response(self, ex: Exchange) -> Reply | None:
        assert ex.response is not None
        await ex.response.body.whole(1000)
        return Reply(200, "shortened", "proxy-access-granted", body=b"{}")


def test_values_are_read_before_filters() -> None:
    gateway = MemoryGateway([Shorten])
    proxy = gateway.proxy()
    meter = gateway.meter(proxy, measuring({"location": "body", "path": "$.used"}))
    answer_json(gateway, b'{"used": 5}')
    assert ask(gateway, proxy).body == b"{}"
    assert counted(gateway, meter) == 5


def test_meters_that_nothing_carries_out_let_nobody_pass() -> None:
    gateway = MemoryGateway(installed=False)
    proxy = gateway.proxy()
    gateway.meter(proxy, counting())
    assert ask(gateway, proxy).status == 500


def test_values_of_asynchronous_answers_are_counted_at_each_attempt(gateway: MemoryGateway) -> None:
    proxy = gateway.proxy()
    in_head = {"location": "header", "name": "X-Cost"}
    always = gateway.meter(proxy, measuring({"location": "body", "path": "$.tokens"}))
    matching = gateway.meter(proxy, measuring(in_head, **when(path={"path": {"pattern": "^/chat"}})))
    of_body = gateway.meter(
        proxy, measuring(in_head, **when(body=[{"jsonPath": {"pattern": "^kind$"}, "matchValue": {"pattern": "big"}}]))
    )
    requests = gateway.meter(proxy, counting())
    says = [Says(503, b'{"tokens": 3}', {**JSON, "X-Cost": "1"}), Says(200, b'{"tokens": 40}', {**JSON, "X-Cost": "5"})]
    gateway.target.says = lambda _: says.pop(0) if len(says) > 1 else says[0]
    for path, body in (("/chat", b'{"kind": "big"}'), ("/other", b"{}")):
        taken = gateway.call("POST", proxy, path, JSON, body, api="async").answer
        assert taken.status == 202
        gateway.clock.advance(60)
    assert len(gateway.target.received) == 3
    assert counted(gateway, always) == 83
    assert counted(gateway, matching) == 6
    assert counted(gateway, of_body) == 6
    assert counted(gateway, requests) == 2, "once each, when it is taken"
