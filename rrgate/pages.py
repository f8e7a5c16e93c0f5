"""What the gateway's listener answers besides the Proxy API: health, and pages of plugins.

Belongs here: these answers. Does not: the Core API's pages (core/), collecting plugins' pages (boot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from rrgate.answers import BAD_REQUEST, unavailable
from rrgate.boot import MountedPage
from rrgate.boot_values import PageRequest
from rrgate.exchange import Exchange
from rrgate.messages import Reply

Page = Callable[[Exchange], Reply]

_RESERVED: Final = frozenset({"api", "async", "healthz", "metrics", "readyz"})
"""First segments under which this listener has something of its own, or will."""


def gateway_takes(path: str) -> bool:
    """Whether no plugin may have `path` on the gateway's listener."""
    return path.split("/")[1].lower() in _RESERVED


def gateway_pages(
    is_ready: Callable[[], bool],
    mounted: Iterable[MountedPage] = (),
    answer: Callable[[MountedPage, PageRequest], Reply] | None = None,
) -> Mapping[bytes, Page]:
    """Pages by path: `/healthz` while the process lives, `/readyz` while it takes requests, and those of plugins.

    `answer` asks a plugin's page, and never raises.
    """

    def healthz(ex: Exchange) -> Reply:
        return Reply(200, "alive", "ok", document={"status": "ok"})

    def readyz(ex: Exchange) -> Reply:
        return Reply(200, "ready", "ok", document={"status": "ready"}) if is_ready() else unavailable("not ready")

    pages: dict[bytes, Page] = {b"/healthz": healthz, b"/readyz": readyz}
    if answer is not None:
        for each in mounted:
            if each.page.listener == "gateway":
                pages[each.page.path.encode()] = partial(_of_plugin, each, answer)
    return pages


def _of_plugin(mounted: MountedPage, answer: Callable[[MountedPage, PageRequest], Reply], ex: Exchange) -> Reply:
    if ex.method not in (b"GET", b"HEAD"):
        return Reply(405, "This page takes GET and HEAD only", BAD_REQUEST, headers=((b"Allow", b"GET, HEAD"),))
    return answer(mounted, PageRequest(mounted.page.path, ex.query.decode("latin-1")))
