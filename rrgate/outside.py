"""`Outside`: plugins' calls to servers that are no targets (tokens, key sets, callbacks), guarded and bounded.

Belongs here: one HTTP call. Does not: its connection (outside_way.py), calls to targets (wire/), what plugins see of
this (outside_values.py).

treq on an Agent whose endpoint is ours, which dials the address that it has checked. Each call has a connection,
an agent and a cookie jar to itself (0.3 ms), so that nothing of one caller's can come to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, frozen
from hyperlink import URL
from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from rrgate.model.urls import check_authority
from rrgate.names import NOT_INJECTABLE, fold, is_token
from rrgate.outside_values import DEFAULT_LIMIT, DEFAULT_TIMEOUT, OutsideAnswer, OutsideError
from rrgate.outside_way import Reach, Way

HEAD_BYTES: Final = 64 * 1024
"""What an answer may have besides its body: head, chunk framing, interim answers, trailers."""

BAD_REQUEST: Final = "this cannot be sent: the method, URL or a header field is not right"
TLS_FAILED: Final = "the server's certificate is not right, or it does not speak TLS"
BROKEN: Final = "the server closed the connection before its answer's end, or did not answer in HTTP"
ENCODED: Final = "the server encoded its answer, though it was told not to"
TOO_LARGE: Final = "the server's answer is over the limit"
TOO_LATE: Final = "the server did not answer in time"


@frozen(eq=False)
class Outside:
    """See `rrgate.api.CallsOutside`. One object a gateway; `for_tenant` gives one for a client's plugins."""

    reach: Reach
    tenant: str = ""

    def for_tenant(self, tenant: str) -> Outside:
        """The same, with name look-ups counted for `tenant` (a client's id)."""
        return evolve(self, tenant=tenant)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int = DEFAULT_LIMIT,
    ) -> OutsideAnswer:
        """See `CallsOutside.request`."""
        fields = _fields(method, url, headers or {})
        too_late = False

        def give_up() -> None:
            nonlocal too_late
            too_late = True
            asked.cancel()

        way = Way(self.reach, self.tenant, limit + HEAD_BYTES)
        asked = Deferred.fromCoroutine(_ask(way, method, url, fields, data, limit))
        timer = self.reach.reactor.callLater(max(0.0, timeout), give_up)
        try:
            return await asked
        except CancelledError:
            if too_late:
                raise OutsideError(TOO_LATE) from None
            raise
        finally:
            if timer.active():
                timer.cancel()


def _fields(method: str, url: str, headers: Mapping[str, str]) -> Headers:
    """The fields to send. Raises OutsideError for what must not be sent."""
    fields = Headers({b"User-Agent": [b"rrgate"]})
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
        # Names of users in URLs are read differently by different parsers, and so are blanks and backslashes.
        right = right and "@" not in parts.netloc and url.isprintable() and not set(url) & set(' \\"<>')
        right = right and is_token(method.encode())
        if "[" in parts.netloc:
            check_authority(parts.netloc)  # an IPv6 address without a zone, and nothing else
        for name, value in headers.items():
            raw_name, raw_value = name.encode("latin-1"), value.encode("latin-1")
            right = right and is_token(raw_name) and {13, 10, 0}.isdisjoint(raw_value)
            right = right and fold(raw_name) not in NOT_INJECTABLE and fold(raw_name) != b"accept-encoding"
            fields.setRawHeaders(raw_name, [raw_value])
    except (ValueError, AttributeError):
        right = False
    if not right:
        raise OutsideError(BAD_REQUEST)
    return fields


async def _ask(way: Way, method: str, url: str, fields: Headers, data: bytes | None, limit: int) -> OutsideAnswer:
    client = HTTPClient(_Plain(Agent.usingEndpointFactory(way.reach.reactor, way)))
    body = None if data is None else _Whole(data)
    status = None
    try:
        response: Any = await client.request(
            method,
            _Asked.from_text(url),
            headers=fields,
            data=body,
            allow_redirects=False,
            unbuffered=True,
            reactor=way.reach.reactor,
        )
        status = response.code
        head = tuple((name, value) for name, values in response.headers.getAllRawHeaders() for value in values)
        if isinstance(response.length, int) and response.length > limit and method.upper() != "HEAD":
            raise OutsideError(TOO_LARGE)
        content = _Content(limit)
        response.deliverBody(content)
        return OutsideAnswer(response.code, head, await content.whole)
    except CancelledError:
        raise
    except OutsideError as error:
        error.status = error.status or status
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote the URL or the answer
        causes = _causes(error)
        if way.over:
            raise _of_status(TOO_LARGE, status) from None
        if any(isinstance(cause, CancelledError) for cause in causes):
            raise CancelledError from None
        tls = any(isinstance(cause, SSL.Error | VerificationError) for cause in causes)
        raise _of_status(TLS_FAILED if tls else BROKEN, status) from None
    finally:
        way.close()


def _of_status(text: str, status: int | None) -> OutsideError:
    error = OutsideError(text)
    error.status = status
    return error


class _Asked(URL):
    """A URL as treq takes it, which may have an IPv6 address: hyperlink's own takes it for a name that is not one."""

    def to_uri(self) -> URL:
        """Called by treq."""
        if ":" not in self.host:
            return super().to_uri()
        return URL.to_uri(self.replace(host="")).replace(host=self.host)


def _causes(error: BaseException) -> list[BaseException]:
    """`error`, and what Twisted's HTTP client gives as its reasons."""
    reasons = getattr(error, "reasons", None) or ()
    return [error, *(cause for reason in reasons for cause in _causes(reason.value))]


@implementer(IAgent)
class _Plain:
    """Asks for answers that are not encoded, and takes no others: what they would unpack to has no bound."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Called by treq."""
        fields = Headers() if headers is None else headers.copy()
        fields.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self._agent.request(method, uri, fields, bodyProducer).addCallback(_not_encoded)


def _not_encoded(response: Any) -> Any:
    codings = response.headers.getRawHeaders(b"content-encoding", [])
    if any(coding.strip().lower() not in (b"", b"identity") for coding in codings):
        raise _of_status(ENCODED, response.code)
    return response


@implementer(IBodyProducer)
class _Whole:
    """A body that is here already. treq's own producer takes turns on the global reactor."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._data)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def stopProducing(self) -> None:
        """All is written at once."""

    pauseProducing = resumeProducing = stopProducing


class _Content(Protocol):
    """Collects a body of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._left = limit
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._parts.append(data)
        elif not self.whole.called:
            self._parts.clear()
            self.whole.errback(OutsideError(TOO_LARGE))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)
