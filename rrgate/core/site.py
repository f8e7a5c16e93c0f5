"""`core_site`: the Core API as a twisted.web Site, with the bounds on sizes and times that twisted.web does not have.

Belongs here: bytes on a connection: bounds, early refusals, writing. Does not: what is answered (handling.py).
"""

# mypy: disallow-untyped-calls=False
# twisted.web's classes, which these derive from, are typed in part only.

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from rrgate.answers import reason_phrase
from rrgate.core.answers import Answer, Refused, internal_error
from rrgate.core.authentication import is_known
from rrgate.core.handling import Incoming, handle
from rrgate.core.house import CoreHouse
from rrgate.core.presence import Presence
from rrgate.core.routes import Route, Router
from rrgate.core.table import ROUTES

MOST_BODY: Final = 1_000_000
"""Bytes of a request's body: 1 MB."""

MOST_OF_STRANGERS: Final = 65_536
"""The same of whoever shows no user token: anybody can have a body held, and a megabyte takes 20 ms to read."""

MOST_DISCARDED: Final = 8 * MOST_BODY
"""Bytes of a refused body that are read and thrown away, so that its sender gets to read the 413."""

REQUEST_SECONDS: Final = 30
"""From a request's first byte to its last; also how long a connection may be idle."""

DISCARDING_SECONDS: Final = 5


class CoreChannel(HTTPChannel):
    """A connection on which a request must be whole in time, however steadily it trickles in."""

    _receiving = False
    _peer: str | None = None
    site: CoreSite

    def connectionMade(self) -> None:
        """One connection more."""
        self.site.connections.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """One less."""
        self.site.connections.discard(self)
        super().connectionLost(reason)

    @property
    def peer(self) -> str:
        """Whence it comes; asked when a request has come, as a proxy in front may tell it before that."""
        if self._peer is None:
            self._peer = self.site.house.peer_of(self.transport)
        return self._peer

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, nor has begun to come."""
        return not self.requests and not self._receiving

    def resetTimeout(self) -> None:
        """Called with every chunk: only the first of a request sets the time anew."""
        if not self._receiving:
            self._receiving = True
            super().resetTimeout()

    def requestDone(self, request: Any) -> None:
        """The answer is written; the next request gets its own time."""
        self._receiving = False
        super().requestDone(request)


class CoreRequest(Request):
    """One request: its body bounded while it comes, its answer written whole."""

    site: CoreSite
    channel: Any
    content: Any
    _size = 0
    _is_strange: bool | None = None
    """Whether the head shows no valid user token; None while nobody needs to know."""
    _refused = False
    _gone = False
    _presence: Presence | None = None

    def gotLength(self, length: int | None) -> None:
        """The head is there. `length`: the Content-Length, or None for a chunked body."""
        self.content = BytesIO()
        if length is not None and self._is_too_large(length):
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Some of the body."""
        self._size += len(data)
        if self._refused:
            if self._size > MOST_DISCARDED:
                self.channel.transport.abortConnection()
        elif self._is_too_large(self._size):
            self._refuse()
        else:
            self.content.write(data)

    def _is_too_large(self, size: int) -> bool:
        """Whether so many bytes are more than who asks may send."""
        if size <= MOST_OF_STRANGERS:
            return False
        if self._is_strange is None:
            known = is_known(self.channel.site.house, self._values(b"Authorization"), self._address())
            self._is_strange = not known
        return self._is_strange or size > MOST_BODY

    def _refuse(self) -> None:
        """Answer 413 now, and read on only to throw away: closing at once could take the answer from its reader."""
        self._refused = True
        self.content = BytesIO()
        # A sender that waits for 100 Continue shall not get it behind the answer.
        self.requestHeaders.removeHeader(b"Expect")
        self.method, self.uri, self.path, self.clientproto = b"POST", b"", b"", b"HTTP/1.1"
        self.channel.persistent = False
        self.channel.setTimeout(DISCARDING_SECONDS)
        message = f"The body must not have more than {MOST_BODY} bytes."
        if self._is_strange:
            message = f"Without a valid user token the body must not have more than {MOST_OF_STRANGERS} bytes."
        self._write(Refused(413, message).answer(), close=True)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is whole."""
        if self._refused:
            self.finish()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> None:
        """Answer it."""
        self._presence = Presence()
        self.site = self.channel.site
        Deferred.fromCoroutine(self._answer()).addErrback(self._failed)

    async def _answer(self) -> None:
        request = Incoming(
            method=self.method.decode("latin-1"),
            target=self.uri.decode("latin-1"),
            hosts=self._values(b"Host"),
            authorization=self._values(b"Authorization"),
            content_types=self._values(b"Content-Type"),
            content_encodings=self._values(b"Content-Encoding"),
            body=self.content.getvalue(),
            cookies=self._values(b"Cookie"),
            presence=self._presence or Presence(),
            address=self._address(),
        )
        answer = await handle(self.site.house, self.site.router, request)
        if not self._gone:
            if self.site.draining:
                self.channel.persistent = False
            self._write(answer, close=self.site.draining)
            self.finish()

    def _address(self) -> str:
        house: CoreHouse = self.channel.site.house
        return house.address_of(self.channel.peer, self._values(b"X-Forwarded-For"))

    def _failed(self, failure: Failure) -> None:
        self.site.log_.failure("Core API: an answer could not be written", failure)
        if not self._gone and not self.startedWriting:
            self._write(internal_error().answer())
            self.finish()

    def _write(self, answer: Answer, close: bool = False) -> None:
        body = answer.body()
        self.setResponseCode(answer.status, reason_phrase(answer.status).encode())
        for name, value in answer.headers:
            self.setHeader(name, value)
        if answer.content is None:
            self.setHeader(b"Content-Type", b"application/json")
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.setHeader(b"Cache-Control", b"no-store")
        self.setHeader(b"X-Content-Type-Options", b"nosniff")
        self.setHeader(b"Date", datetimeToString(self.channel.site.house.wall()))
        if close:
            self.setHeader(b"Connection", b"close")
        self.write(body)

    def connectionLost(self, reason: Failure) -> None:
        """The caller has gone; a change under way is finished all the same, and a call to a target is not."""
        self._gone = True
        if self._presence is not None:
            self._presence.leave()
        super().connectionLost(reason)

    def _values(self, name: bytes) -> list[bytes]:
        return list(self.requestHeaders.getRawHeaders(name, []))


class CoreSite(Site):
    """Serves one house. Put it behind any stream endpoint."""

    protocol: Any = CoreChannel
    draining = False
    """Whether every answer is its connection's last."""
    log_ = Logger("rrgate.core")

    def __init__(self, house: CoreHouse, router: Router, clock: IReactorTime | None) -> None:
        super().__init__(
            Resource(), CoreRequest, timeout=REQUEST_SECONDS, reactor=clock, parsePOSTFormSubmission=False
        )
        self.house = house
        self.router = router
        self.connections: set[CoreChannel] = set()

    def startFactory(self) -> None:
        """No log file, and no timer for the times in its lines: see `log`."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def log(self, request: http.Request) -> None:
        """One event a request, without the query: somebody may have put a token there."""
        self.log_.debug(
            "{method} {path!r} {status}",
            method=request.method.decode("latin-1"),
            # Behind its second segment a link of /oauth2/… has what makes it one.
            path=request.path if request.path[:8] != b"/oauth2/" else b"/".join(request.path.split(b"/")[:3]),
            status=request.code,
        )

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 only: the bounds above are those of its channel."""
        return [b"http/1.1"]


def core_site(house: CoreHouse, clock: IReactorTime | None = None, pages: Iterable[Route] = ()) -> CoreSite:
    """The Core API of `house`, and `pages` besides. `clock`: for timeouts; None means the installed reactor."""
    return CoreSite(house, Router((*ROUTES, *pages)), clock)
