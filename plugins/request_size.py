"""`proxyMaxRequestBytes`: the bound on a caller's body, 100 MiB if the proxy sets none; 413 beyond.

A length that is announced is judged at once; one that is not, while the body comes. It also bounds each message of a
WebSocket that the caller opens.
"""

from __future__ import annotations

from attrs import frozen

from rrgate.api import Exchange, Kind, Parts, Plugin, Reply

DEFAULT = 100 * 1024 * 1024


@frozen
class RequestSizeConfig:
    """`limit`: bytes."""

    limit: int = DEFAULT


class RequestSize(Plugin):
    """Bounds the caller's body."""

    name = "request-size"
    kind = Kind.LIMIT
    Config = RequestSizeConfig
    serves = frozenset({"proxyMaxRequestBytes"})
    pure = True
    by_config = True

    @classmethod
    def for_proxy(cls, parts: Parts) -> RequestSizeConfig:
        proxy = parts.proxy
        return RequestSizeConfig(DEFAULT if proxy.max_request_bytes is None else proxy.max_request_bytes)

    def authorize(self, ex: Exchange) -> Reply | None:
        limit: int = self.config.limit
        length = ex.content_length if ex.held_body is None else len(ex.held_body)
        if length is None or ex.handshake is not None:
            ex.request_body.bound(limit)
        elif length > limit:
            return Reply(413, f"The request's body is over the limit of {limit} bytes", "request-too-large", close=True)
        return None
