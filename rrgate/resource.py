"""`GatewayResource`: the gateway's door as a resource, mounted anywhere in a twisted.web Site of the host's.

Belongs here: a twisted.web request as an Exchange, and its answer back into it. Does not: judging heads
(wire/request_head.py), what is answered (pipeline.py).

twisted.web has read the whole request before a resource sees it, and has let through what a gateway must not: what can
still be judged is judged here from the raw request. docs/embedding.md says what is weaker than on a listener.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from rrgate.answers import CLOSING
from rrgate.body import HIGH_WATER, NO_BODY, Body, BodyBroken
from rrgate.entrance import Entrance
from rrgate.messages import Reply
from rrgate.waiting import Task, Waiter
from rrgate.wire.callers import peer_host
from rrgate.wire.request_head import HeadRefused, RequestHead

_PIECE: Final = 64 * 1024
"""Bytes of a spooled body that are read at once."""

_NOT_THE_SITES: Final = (b"Server", b"Content-Type", b"Content-Encoding", b"Content-Length", b"Transfer-Encoding")
"""Fields that are in an answer only if the target's has them, or as its framing."""


class HasEntrance(Protocol):
    """What a resource needs of rrgate.gateway.Gateway."""

    @property
    def entrance(self) -> Entrance: ...


class GatewayResource(Resource):
    """Serves everything below the place where it is put as the gateway's own listener would: `/api/…`, `/healthz`, ….

    It may be made before the gateway starts; whenever that is not running, the answer is 503. `public_url` must be set
    to where it is mounted, and `hosts` or `public_url` must name the site.
    """

    isLeaf = True

    def __init__(self, gateway: HasEntrance) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._entrance = gateway.entrance

    def render(self, request: Request) -> int:
        """Take a request; its answer comes when it comes."""
        if request.channel is None:
            return NOT_DONE_YET  # its caller has left before the site came here; there is no body any more, either
        uri: bytes = request.uri
        # What a site writes into its access log from now on: callers may present credentials in the query.
        request.uri = b"".join(uri.partition(b"?")[:2])
        entrance = self._entrance
        visit = RequestDoor(request, entrance)
        try:
            head = self._judge(request, uri)
        except HeadRefused as refused:
            entrance.refuse(visit, refused)
            return NOT_DONE_YET
        behind = _behind(request, head.target)
        if behind is None:
            text = "Something in this site has rewritten the path: the gateway must be mounted where it is not"
            entrance.answer(visit, Reply(500, text, "internal-error", close=True))
            return NOT_DONE_YET
        head.target = behind
        peer = peer_host(request.transport)
        address = entrance.trusted.caller(peer, head.fields) if entrance.trusted(peer) else peer
        body, length = _body_of(request)
        visit.task = entrance.enter(head, body, length, address, visit)
        return NOT_DONE_YET

    def _judge(self, request: Request, uri: bytes) -> RequestHead:
        """The request's head, judged like one from a connection of ours. Raises HeadRefused."""
        entrance = self._entrance
        version = request.clientproto
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise HeadRefused(505, "this gateway speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 15.6.6)")
        if request.prepath and not uri.startswith(b"/"):
            raise HeadRefused(400, "an absolute request target is taken only where the gateway is the whole site")
        head = entrance.judge(request.method, uri, version, request.requestHeaders.getAllRawHeaders())
        if head.host and not entrance.hosts.served(head.host):
            raise HeadRefused(421, "this gateway does not serve that host; see the setting `hosts`")
        return head


def _behind(request: Request, target: bytes) -> bytes | None:
    """What of `target` is behind the place where we are mounted, raw; None if the site has changed the path.

    `postpath` is decoded: only how many segments lead here is taken from the site.
    """
    place: Sequence[bytes] = request.prepath or ()
    given = request.uri.partition(b"?")[0][1:].split(b"/")  # an absolute target, too: the site takes it for a path
    if [unquote_to_bytes(segment) for segment in given] != [*place, *(request.postpath or ())]:
        return None
    path, mark, query = target.partition(b"?")
    segments = path[1:].split(b"/")
    return b"/" + b"/".join(segments[len(place) :]) + mark + query


class _Spooled(Body):
    """A body that twisted.web has put into a file; it is read in pieces as they are wanted."""

    __slots__ = ("_file",)

    def __init__(self, file: Any, size: int) -> None:
        super().__init__(None)
        self._file = file
        self.received = size

    async def read(self) -> bytes:
        """See `Body.read`."""
        if self.ended:
            return self.take()
        if self._file.closed:
            raise BodyBroken("its caller has gone")
        data: bytes = self._file.read(_PIECE)
        if not data:
            self.ended = True
        return data


def _body_of(request: Request) -> tuple[Body, int]:
    """(body, its bytes)."""
    file: Any = request.content
    size = file.seek(0, 2)
    file.seek(0)
    if size == 0:
        return NO_BODY, 0
    return (Body.of(file.read()) if size <= HIGH_WATER else _Spooled(file, size)), size


@implementer(IPushProducer)
class RequestDoor:
    """A door (`rrgate.door.Door`) into a twisted.web request, which frames the answer."""

    def __init__(self, request: Request, entrance: Entrance) -> None:
        self.task: Task | None = None
        self._request = request
        self._entrance = entrance
        self._left: int | None = None
        self._begun = False
        self._over = False
        self._blocked = False
        self._waiter: Waiter[None] | None = None
        request.notifyFinish().addErrback(self._gone)

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: list[tuple[bytes, bytes]],
        length: int | None,
        first: bytes,
        last: bool,
        close: bool,
    ) -> None:
        """See `Door`."""
        if self._over:
            return
        request = self._request
        self._begun = True
        request.setResponseCode(status, reason)
        # Neither the site's server nor a type that nobody said, nor a coding of the site's (EncodingResourceWrapper),
        # which would add to the answer to a HEAD: the answer is the target's, and its framing ours.
        request.defaultContentType = None
        request._encoder = None
        headers = request.responseHeaders
        for name in {*_NOT_THE_SITES, *(name for name, _ in fields)}:
            headers.removeHeader(name)
        for name, value in fields:
            headers.addRawHeader(name, value)
        if last and length is None:
            length = len(first)
        if length is not None and status != 204:
            headers.setRawHeaders(b"Content-Length", [b"%d" % length])
        if request.method != b"HEAD" and status not in (204, 304) and length is not None:
            self._left = length
        if close or status in CLOSING:
            headers.setRawHeaders(b"Connection", [b"close"])
            request.channel.persistent = False
        if not last:
            request.registerProducer(self, True)
        self._send(first)
        if last:
            self._finish()

    async def write(self, data: bytes) -> None:
        """See `Door`."""
        if self._over:
            raise CancelledError
        if data:
            self._send(data)
        if not self._blocked:
            return
        # A caller that takes nothing holds a request open no longer here than on a connection of ours.
        timer = self._entrance.clock.callLater(self._entrance.settings.send_timeout, self.abort)
        try:
            while self._blocked:
                self._waiter = Waiter()
                await self._waiter
        finally:
            if timer.active():
                timer.cancel()

    def end(self) -> None:
        """See `Door`."""
        if not self._over:
            self._request.unregisterProducer()
            self._finish()

    def abort(self) -> None:
        """See `Door`."""
        if not self._over:
            transport: Any = self._request.transport
            transport.abortConnection()

    def served(self, error: BaseException | None) -> None:
        """See `Visit`."""
        if not self._begun:
            self.abort()

    def _send(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("an answer's body is longer than its head says")
        self._request.write(data)

    def _finish(self) -> None:
        if self._left:
            raise ValueError("an answer's body is shorter than its head says")
        self._over = True
        self._request.finish()

    def _gone(self, reason: Failure) -> None:
        """The connection was lost: nobody is there to be answered."""
        self._over = True
        if self.task is not None:
            self.task.cancel()

    # How fast the caller reads (`IPushProducer`).

    def pauseProducing(self) -> None:
        self._blocked = True

    def resumeProducing(self) -> None:
        self._blocked = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.fire(None)

    def stopProducing(self) -> None:
        """The connection is lost, which `notifyFinish` tells too."""
