"""`Tracing`: the spans of a request, and the exporter that sends them from a thread of its own.

Belongs here: which spans there are and what is in them. Does not: whether there are any (`__init__.py`).

A caller's `traceparent` (W3C Trace Context) is taken on, and the target gets one with our span in it. No path, query,
header or body is in a span: they may hold what is secret, and collectors keep everything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Thread
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rrgate.api import Exchange, Explained, Kind, NoConfig, Parts, Plugin, PluginContext

CLOSING_SECONDS = 2.0
"""How long the gateway's end may wait for the last spans to be sent."""

_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"))
"""Others are `_OTHER` in attributes: their number is the callers' choice (semantic conventions for HTTP)."""

_ROUTE = "/api/{proxyId}"
_W3C = TraceContextTextMapPropagator()


class Exporting:
    """One provider of tracers for all plugin objects of a gateway."""

    def __init__(self) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": _service_name()}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer("rrgate")

    def close(self) -> None:
        """Send what is left, for at most `CLOSING_SECONDS`."""
        sending = Thread(target=self._provider.shutdown, name="rrgate-tracing-close", daemon=True)
        sending.start()
        sending.join(CLOSING_SECONDS)


class Tracing(Plugin):
    """Begins the target's span before the request is sent, and ends both when the request is logged."""

    name = "tracing"
    kind = Kind.HEADERS

    def __init__(self, config: NoConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._tracer = context.shared.of(Exporting, Exporting).tracer
        assert context.proxy is not None
        self._about = {"rrgate.proxy.id": context.proxy.id, "rrgate.client.id": context.proxy.client_id}

    @classmethod
    def for_proxy(cls, parts: Parts) -> NoConfig:
        """Every proxy."""
        return NoConfig()

    def prepare(self, ex: Exchange) -> None:
        """Give the target our place in the trace. At a repeated attempt the span before ends, and another begins."""
        mine = self._mine(ex)
        last = ex.state.get(_TARGET)
        if last is not None:
            last.end()
        span = ex.state[_TARGET] = self._tracer.start_span(
            _method(ex),
            context=trace.set_span_in_context(mine),
            kind=SpanKind.CLIENT,
            start_time=_nanoseconds(self.context.wall()),
            attributes={
                "http.request.method": _method(ex),
                "server.address": ex.target_authority.decode("latin-1"),
                **({"http.request.resend_count": ex.attempt - 1} if ex.attempt > 1 else {}),
            },
        )
        carried: dict[str, str] = {}
        _W3C.inject(carried, context=trace.set_span_in_context(span))
        for name, value in carried.items():
            ex.to_target.set_header(name.encode(), value.encode("latin-1"))

    def explain(self, ex: Exchange, phase: str) -> Explained:
        """No span is begun."""
        return Explained(notes=({"traceparent": "would be written"},))

    def on_log(self, ex: Exchange, record: Mapping[str, object]) -> None:
        """Both legs are over."""
        target: Span | None = ex.state.pop(_TARGET, None)
        mine = self._mine(ex)
        if target is not None:
            if ex.response_at:
                _answered(target, ex.target_status, 400)
                target.end(_at(ex, ex.response_at))
            else:
                target.set_status(StatusCode.ERROR)
                target.set_attribute("error.type", ex.code or "caller-left")
                target.end(_at(ex, ex.answered_at))
        # 4xx is the caller's own doing, and no error of a server's span (semantic conventions for HTTP).
        _answered(mine, ex.final_status, 500)
        if ex.code:
            mine.set_attribute("rrgate.code", ex.code)
        if ex.identity is not None and ex.identity.credential_id:
            mine.set_attribute("rrgate.credential.id", ex.identity.credential_id)
        mine.end(_at(ex, ex.answered_at))

    def _mine(self, ex: Exchange) -> Span:
        span: Span | None = ex.state.get(_CALLER)
        if span is None:
            span = ex.state[_CALLER] = self._tracer.start_span(
                f"{_method(ex)} {_ROUTE}",
                context=_callers_context(ex),
                kind=SpanKind.SERVER,
                start_time=_nanoseconds(ex.wall_started),
                attributes={
                    "http.request.method": _method(ex),
                    "http.route": _ROUTE,
                    "rrgate.request.id": ex.id,
                    **self._about,
                },
            )
        return span


_CALLER = "tracing.caller"
_TARGET = "tracing.target"


def _service_name() -> str:
    return os.environ.get("OTEL_SERVICE_NAME") or "rrgate"


def _callers_context(ex: Exchange) -> Context:
    carried: dict[str, Any] = {}
    for name in ("traceparent", "tracestate"):
        values = ex.headers(name.encode())
        if values:
            carried[name] = b",".join(values).decode("latin-1")
    return _W3C.extract(carried, context=Context())


def _method(ex: Exchange) -> str:
    return ex.method.decode("ascii") if ex.method in _METHODS else "_OTHER"


def _answered(span: Span, status: int, wrong_from: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= wrong_from:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))


def _at(ex: Exchange, moment: float) -> int:
    """`moment` of the monotonic clock, in nanoseconds since the epoch."""
    return _nanoseconds(ex.wall_started + max(0.0, moment - ex.started))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
