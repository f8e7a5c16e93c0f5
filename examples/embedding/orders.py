"""A page that calls an API through the gateway in its own process, without a socket to it: `python orders.py PROXY`.

PROXY is a proxy's id. `/orders/7` asks its target for `/orders/7`; who called is `shop` in the request log, and the
page holds no credential, neither the target's nor one of the gateway's.
"""

import os
import sys
from urllib.parse import quote

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rrgate.embedding import BASE, CarefulObserver, Gateway, Identity, load_settings

WHERE = os.environ.get("SHOP_LISTEN", "tcp:8000:interface=127.0.0.1")


class Orders(Resource):
    """One order, as the API knows it."""

    isLeaf = True
    log = Logger()

    def __init__(self, api):
        """`api`: a treq client that reaches the API."""
        super().__init__()
        self.api = api

    def render_GET(self, request):
        order = b"/".join(request.postpath)  # decoded, and so encoded again below: it must not become another path
        answering = Deferred.fromCoroutine(self.answer(request, quote(order, safe="")))
        request.notifyFinish().addErrback(lambda _: answering.cancel())  # leaving ends the call
        answering.addErrback(lambda failure: self.log.failure("an order was not answered", failure))
        return NOT_DONE_YET

    async def answer(self, request, order):
        try:
            response = await self.api.get(f"{BASE}/orders/{order}", allow_redirects=False)
            status, body = response.code, await response.content()
        except (ResponseNeverReceived, ResponseFailed, CancelledError):
            if request.channel is None:
                return  # whoever asked has left
            status, body = 502, b"The API has not answered.\n"
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.write(body)
        request.finish()


async def main(reactor, proxy):
    gateway = Gateway(load_settings({"listen": ""}, os.environ, None), reactor)
    reactor.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    gateway.startService()
    pages = Resource()
    pages.putChild(b"orders", Orders(HTTPClient(gateway.agent(proxy, identity=Identity("shop")))))
    await serverFromString(reactor, WHERE).listen(Site(pages))
    await Deferred()  # until SIGTERM or Ctrl-C


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([CarefulObserver(textFileLogObserver(sys.stdout))])
    react(main, sys.argv[1:])
