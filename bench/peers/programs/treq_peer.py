"""A twisted.web Site whose one resource asks the target with treq, over kept connections, on the stock reactor."""

from __future__ import annotations

import os

import treq
from twisted.internet.defer import ensureDeferred
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

KEY, TOKEN, TARGET = (os.environ[name].encode() for name in ("CALLER_KEY", "TARGET_TOKEN", "TARGET_URL"))
NOT_PASSED = frozenset((b"host", b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"x-api-key"))
NOT_ANSWERED = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"server"))


class Forward(Resource):
    """Whatever is asked for."""

    isLeaf = True

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def render(self, request: Request) -> int:
        """Check, swap, send on, answer."""
        if request.getHeader(b"x-api-key") != KEY:
            request.setResponseCode(401)
            return b""
        ensureDeferred(self._forward(request)).addErrback(request.processingFailed)
        return NOT_DONE_YET

    async def _forward(self, request: Request) -> None:
        headers = Headers()
        for name, values in request.requestHeaders.getAllRawHeaders():
            if name.lower() not in NOT_PASSED:
                headers.setRawHeaders(name, values)
        headers.setRawHeaders(b"Authorization", [b"Bearer " + TOKEN])
        body = request.content.read() or None
        answer = await treq.request(
            request.method.decode(),
            (TARGET + request.uri).decode(),
            headers=headers,
            data=body,
            pool=self._pool,
            allow_redirects=False,
        )
        content = await answer.content()
        request.setResponseCode(answer.code)
        for name, values in answer.headers.getAllRawHeaders():
            if name.lower() not in NOT_ANSWERED:
                request.responseHeaders.setRawHeaders(name, values)
        request.setHeader(b"content-length", b"%d" % len(content))
        request.write(content)
        request.finish()


def main() -> None:
    """Serve until a signal comes."""
    from twisted.internet import reactor

    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 64
    reactor.listenTCP(int(os.environ["PORT"]), Site(Forward(pool)), backlog=4096, interface="127.0.0.1")
    reactor.run()


main()
