"""Tracing: real spans, sent by the real exporter, read as a collector reads them.

Belongs here: plugins/tracing/ through a whole gateway. Does not: OpenTelemetry's own variables beyond what turns it on.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from twisted.logger import globalLogPublisher

from rrgate_plugins.tracing import tracing_plugins
from tests.running_gateway import KEY, TOKEN, MadeProxy, RunningGateway
from tests.targets import Connection, Target, closed_port

OURS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SERVER, CLIENT = 2, 3
UNSET, ERROR = 0, 2


@define
class Collector:
    """Takes traces as OTLP over HTTP, and keeps what it got."""

    spans: list[Any] = field(factory=list)
    services: set[str] = field(factory=set)
    raw: bytes = b""
    url: str = ""

    def take(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.add(about(resource.resource)["service.name"])
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def legs(self, proxy: MadeProxy) -> tuple[Any, Any | None]:
        """The spans of the one request of `proxy`: the caller's leg, and the target's if it was sent."""
        (mine,) = (each for each in self.spans if about(each).get("rrgate.proxy.id") == proxy.id)
        targets = [each for each in self.spans if each.parent_span_id == mine.span_id]
        assert len(targets) < 2
        return mine, targets[0] if targets else None


def about(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    yield collector
    server.shutdown()
    server.server_close()
    thread.join()


@define
class Seen:
    """What was sent through the gateway, and which proxies it was sent to."""

    proxies: dict[str, MadeProxy] = field(factory=dict)
    traceparents: list[str] = field(factory=list)
    took: float = 0.0


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def seen(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    """One of each kind of request through a gateway that traces, which has stopped by then."""
    seen = Seen()

    def answer(connection: Connection) -> None:
        while (received := connection.request()) is not None:
            seen.traceparents += received.every("traceparent")
            connection.answer(b"ok", "503 Service Unavailable" if received.path.endswith("/down") else "200 OK")

    with pytest.MonkeyPatch.context() as environment, Target(answer) as target:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        running = RunningGateway.start(tmp_path_factory.mktemp("tracing") / "state")
        for name in ("plain", "traced", "down", "refused"):
            seen.proxies[name] = await running.proxy(target.url)
        seen.proxies["unreachable"] = await running.proxy(f"http://127.0.0.1:{closed_port()}")
        called = time.time()
        await running.call(seen.proxies["plain"], "GET", "/a/path-9f3b?token=query-9f3b", {"X-Secret": "header-9f3b"})
        await running.call(seen.proxies["traced"], "PROPFIND", "/", {"traceparent": OURS, "tracestate": "acme=1"})
        await running.call(seen.proxies["down"], "POST", "/down", body=b"body-9f3b")
        await running.call(seen.proxies["refused"], "GET", "/", key="wrong-key-9f3b")
        await running.call(seen.proxies["unreachable"], "GET", "/")
        seen.took = time.time() - called
        await running.stop()
    yield seen


def test_a_request_has_a_span_for_each_leg(collector: Collector, seen: Seen) -> None:
    mine, target = collector.legs(seen.proxies["plain"])
    assert (mine.name, mine.kind, target.name, target.kind) == ("GET /api/{proxyId}", SERVER, "GET", CLIENT)
    assert mine.trace_id == target.trace_id
    assert about(mine)["http.response.status_code"] == about(target)["http.response.status_code"] == 200
    assert about(mine)["rrgate.client.id"] == seen.proxies["plain"].client
    assert about(mine)["rrgate.credential.id"] == seen.proxies["plain"].caller_credential
    assert about(target)["server.address"].startswith("127.0.0.1:")
    assert (mine.status.code, target.status.code) == (UNSET, UNSET)
    assert collector.services == {"rrgate"}


def test_the_targets_leg_lies_within_the_callers(collector: Collector, seen: Seen) -> None:
    for name in ("plain", "traced", "down"):
        mine, target = collector.legs(seen.proxies[name])
        assert mine.start_time_unix_nano <= target.start_time_unix_nano <= target.end_time_unix_nano
        assert target.end_time_unix_nano <= mine.end_time_unix_nano
        assert mine.end_time_unix_nano - mine.start_time_unix_nano <= seen.took * 1e9


def test_the_target_is_told_its_place_in_the_trace(collector: Collector, seen: Seen) -> None:
    _, target = collector.legs(seen.proxies["plain"])
    place = f"00-{target.trace_id.hex()}-{target.span_id.hex()}-"
    assert [each.startswith(place) for each in seen.traceparents] == [True, False, False]


def test_a_callers_trace_goes_on(collector: Collector, seen: Seen) -> None:
    mine, target = collector.legs(seen.proxies["traced"])
    _, trace_id, parent, _ = OURS.split("-")
    assert (mine.trace_id.hex(), mine.parent_span_id.hex()) == (trace_id, parent)
    assert OURS not in seen.traceparents
    assert f"00-{trace_id}-{target.span_id.hex()}-01" in seen.traceparents
    assert (mine.trace_state, target.trace_state) == ("acme=1", "acme=1")


def test_a_method_that_is_not_common_is_not_named(collector: Collector, seen: Seen) -> None:
    mine, target = collector.legs(seen.proxies["traced"])
    assert about(mine)["http.request.method"] == about(target)["http.request.method"] == "_OTHER"


def test_what_fails_is_an_error_of_the_leg_that_failed(collector: Collector, seen: Seen) -> None:
    mine, target = collector.legs(seen.proxies["down"])
    assert (mine.status.code, target.status.code) == (ERROR, ERROR)
    assert about(target)["error.type"] == "503"
    mine, target = collector.legs(seen.proxies["unreachable"])
    assert (mine.status.code, about(mine)["http.response.status_code"]) == (ERROR, 502)
    assert (target.status.code, about(target)["error.type"]) == (ERROR, "target-unreachable")
    assert "http.response.status_code" not in about(target)


def test_a_request_that_is_refused_has_no_span_of_a_target(collector: Collector, seen: Seen) -> None:
    mine, target = collector.legs(seen.proxies["refused"])
    assert target is None
    assert (about(mine)["http.response.status_code"], mine.status.code) == (401, UNSET)
    assert "rrgate.credential.id" not in about(mine)


def test_nothing_that_may_be_secret_is_in_a_span(collector: Collector, seen: Seen) -> None:
    assert seen.proxies["plain"].id.encode() in collector.raw
    for secret in (b"9f3b", KEY.encode(), TOKEN.encode()):
        assert secret not in collector.raw


@pytest.mark.parametrize(
    ("environ", "traces"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_it_is_there_where_the_environment_says_where_spans_go(environ: dict[str, str], traces: bool) -> None:
    assert bool(tracing_plugins(environ)) == traces


def test_without_the_extra_nothing_is_traced_and_the_log_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []

    def not_there(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("rrgate_plugins.tracing.find_spec", not_there)
    globalLogPublisher.addObserver(events.append)
    try:
        assert tracing_plugins({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) == []
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert "pip install 'rrgate[opentelemetry]'" in str(events[-1]["log_format"])


def test_a_collector_that_is_not_there_keeps_no_gateway_from_ending(tmp_path: Path) -> None:
    from rrgate_plugins.tracing.spans import CLOSING_SECONDS, Exporting

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
        exporting = Exporting()
    exporting.tracer.start_span("left over").end()
    began = time.monotonic()
    exporting.close()
    assert time.monotonic() - began < CLOSING_SECONDS + 10
