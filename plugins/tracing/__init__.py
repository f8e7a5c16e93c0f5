"""OpenTelemetry: two spans a request, of the caller's leg and of the target's, sent by OTLP. An optional extra.

Belongs here: whether this is wanted. Does not: spans (spans.py). Wanted is what OpenTelemetry's own variable
OTEL_EXPORTER_OTLP_ENDPOINT (or its twin for traces) says; without it nothing here is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from twisted.logger import Logger

from rrgate.api import Plugin

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

_log = Logger("rrgate.tracing")


def tracing_plugins(environ: Mapping[str, str]) -> list[type[Plugin]]:
    """The plugin that traces, where the environment says where spans go and the extra is installed."""
    given = next((name for name in _ENDPOINTS if environ.get(name)), None)
    if given is None or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    try:
        installed = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        installed = False
    if not installed:
        _log.warn("{name} is set, but nothing is traced: pip install 'rrgate[opentelemetry]'", name=given)
        return []
    from rrgate_plugins.tracing.spans import Tracing

    return [Tracing]
