"""What the gateway's listener answers besides the Proxy API: health, and that it can take no more.

Belongs here: these answers. Does not: the Core API's pages (core/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rrgate.exchange import Exchange, Reply

Page = Callable[[Exchange], Reply]


def gateway_pages(is_ready: Callable[[], bool]) -> Mapping[bytes, Page]:
    """Pages by path: `/healthz` while the process lives, `/readyz` while it takes requests."""

    def healthz(ex: Exchange) -> Reply:
        return Reply(200, "alive", "ok", document={"status": "ok"})

    def readyz(ex: Exchange) -> Reply:
        return Reply(200, "ready", "ok", document={"status": "ready"}) if is_ready() else overload("not ready")

    return {b"/healthz": healthz, b"/readyz": readyz}


def overload(message: str) -> Reply:
    """503: come back in a second."""
    return Reply(503, message, "unavailable", headers=((b"Retry-After", b"1"),))
