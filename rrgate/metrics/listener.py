"""`metrics_site`: `/metrics` on a listener of its own, for collectors that have no token.

Belongs here: that listener. Does not: what is answered (exposition.py), `/metrics` of the Core API (core/metrics.py).
"""

# mypy: disallow-untyped-calls=False
# twisted.web's classes, which these derive from, are typed in part only.

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request as Received
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from rrgate.metrics.exposition import CONTENT_TYPE
from rrgate.waiting import run_deferred

REQUEST_SECONDS = 30
"""How long a connection may be idle."""


class _Root(Resource):
    def __init__(self, text: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__()
        self._text = text

    def getChild(self, name: bytes, request: Request) -> IResource:
        """`/metrics`, and nothing below it."""
        if name != b"metrics" or request.postpath:
            return notFound()
        return _Page(self._text)


class _Page(Resource):
    isLeaf = True

    def __init__(self, text: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, request: Request) -> int:
        """Also for HEAD."""
        run_deferred(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        text = await self._text()
        if gone:
            return
        request.setHeader(b"Content-Type", CONTENT_TYPE.encode())
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Content-Length", b"%d" % len(text))
        request.write(text)
        request.finish()


class _Quiet(Site):
    def log(self, request: Received) -> None:
        """A scrape every few seconds is no news."""


def metrics_site(text: Callable[[], Awaitable[bytes]], clock: IReactorTime) -> Site:
    """A Site that has `/metrics` and nothing else. Whoever reaches it may read it. `text`: see `Node.figures`."""
    return _Quiet(_Root(text), timeout=REQUEST_SECONDS, reactor=clock)
