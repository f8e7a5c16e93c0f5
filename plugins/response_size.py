"""The documented 413: `proxyMaxResponseBytes` and `proxyStreaming` (gateway-api.md 8), and `maxResponseBytes` of a
client's configuration; 6 MB if neither sets another.

It judges what the answer's head tells, and bounds what it does not; the core holds, streams and cuts accordingly.
"""

from __future__ import annotations

import json

from attrs import frozen

from rrgate.api import (
    ConfigError,
    Exchange,
    Kind,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Reply,
    ResponseBound,
)

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
DEFAULT = 6 * MEGABYTE
MAX_HELD = 64 * MEGABYTE

_STREAMS = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/jsonl",
    b"application/json-lines",
    b"application/vnd.amazon.eventstream",
    b"multipart/x-mixed-replace",
)
_HOLD = {"auto": "pause", "always": "never", "never": "always"}


@frozen
class ResponseSizeConfig:
    """`limit`: bytes, head included. `streaming`: `auto`, `always` or `never`."""

    limit: int = DEFAULT
    streaming: str = "auto"


class ResponseSize(Plugin):
    """Bounds the target's answer."""

    name = "response-size"
    kind = Kind.RESPONSE_SIZE
    Config = ResponseSizeConfig
    serves = frozenset({"proxyMaxResponseBytes", "proxyStreaming", "maxResponseBytes"})
    pure = True
    by_config = True

    def __init__(self, config: ResponseSizeConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._limit = config.limit
        self._refuses_early = config.streaming != "always"
        hold = _HOLD[config.streaming]
        self._bound = ResponseBound(config.limit, hold, self._too_large)
        self._bound_for_streams = ResponseBound(config.limit, "never" if hold == "pause" else hold, self._too_large)

    @classmethod
    def for_proxy(cls, parts: Parts) -> ResponseSizeConfig:
        proxy = parts.proxy
        held = proxy.streaming == "never"
        if held and (proxy.max_response_bytes or 0) > MAX_HELD:
            raise ConfigError(
                Problem("proxyMaxResponseBytes", f"must be at most {MAX_HELD} where proxyStreaming is never")
            )
        bounds = [proxy.max_response_bytes, parts.client.configuration.max_response_bytes, MAX_HELD if held else None]
        if bounds[:2] == [None, None]:
            bounds.append(DEFAULT)
        return ResponseSizeConfig(min(each for each in bounds if each is not None), proxy.streaming)

    def on_response(self, ex: Exchange) -> Reply | None:
        response = ex.response
        if response is None or ex.method == b"HEAD" or response.status in (204, 304):
            return None
        response.bound = self._bound
        if response.length is None:
            if _streams(response.header(b"Content-Type"), response.header(b"X-Accel-Buffering")):
                response.bound = self._bound_for_streams
        elif self._refuses_early and response.size_of_head + response.length > self._limit:
            return self._too_large(response.size_of_head + response.length, True)
        return None

    def _too_large(self, seen: int, known: bool) -> Reply:
        limit = _size(self._limit, exact=True)
        shortest = limit.replace(" ", "")
        document = {
            "error": "Payload Too Large",
            "message": "The response from the target API is too large to return directly.",
            "responseSize": _size(seen) if known else f"> {_size(self._limit)}",
            "limit": limit,
            "suggestion": "Consider using pagination or requesting smaller data sets.",
        }
        return Reply(
            413,
            f"Response payload exceeds {shortest} limit",
            "response-too-large",
            body=json.dumps(document).encode(),  # spaced as published
            headers=((b"Content-Type", b"application/json"),),
        )


def _streams(content_type: bytes | None, buffering: bytes | None) -> bool:
    if buffering is not None and buffering.strip().lower() == b"no":
        return True
    return content_type is not None and content_type.strip().lower().startswith(_STREAMS)


def _size(size: int, exact: bool = False) -> str:
    """As published, in MB; what is less than one, in units of which there are some. `exact`: without zeros behind."""
    if size < KILOBYTE:
        return f"{size} B"
    unit, name = (KILOBYTE, "KB") if size < MEGABYTE else (MEGABYTE, "MB")
    number = f"{size / unit:.2f}"
    return f"{number.rstrip('0').rstrip('.') if exact else number} {name}"
