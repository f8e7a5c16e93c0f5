"""`GatewayAgent`: code of this process calls a target through the chain, without a socket to ourselves.

Belongs here: a call as an Exchange, and its answer as a response. Does not: the bodies of response and request
(agent_response.py, produced_body.py), what is answered (pipeline.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, get_args

from attrs import field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IClientRequest, IResponse
from zope.interface import implementer

from rrgate.agent_response import AgentResponse, BodyDelivery, BrokenOff
from rrgate.answers import DENIED
from rrgate.body import NO_BODY, Body
from rrgate.entrance import Entrance
from rrgate.messages import Identity, Reply
from rrgate.produced_body import ProducedBody
from rrgate.waiting import Task
from rrgate.wire.request_head import HeadRefused

BASE: Final = "http://proxy.invalid"
"""What stands before the path in the URIs of calls: a name that is no host's anywhere (RFC 6761 6.4)."""
Api = Literal["api", "async"]
"""The Proxy API, or the Async API."""
ADDRESS: Final = "127.0.0.1"
"""Where calls come from, for plugins that ask: as near as a caller can be."""

_URI = re.compile(rb"(?i:http://proxy\.invalid)(?=[/?]|\Z)")
_NAME = re.compile(r"[A-Za-z0-9-]+\Z")
_OURS: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Fields that we write ourselves, whatever the call has."""


class WrongAddress(ValueError):
    """The URI of a call does not begin with `BASE`; the text repeats nothing of it."""


@implementer(IClientRequest)
@frozen
class ClientRequest:
    """A call, as its response tells of it."""

    method: bytes
    absoluteURI: bytes = field(repr=False)
    headers: Headers = field(repr=False)


@implementer(IAgent)
class GatewayAgent:
    """Calls one proxy. `http://proxy.invalid/path?query` is the path and query behind the proxy, byte for byte.

    Every call goes the way of a caller's request, and is in the log like one. Without an identity it is authenticated
    like one, too: its headers or query must show the caller's credential of the proxy.
    """

    def __init__(
        self, entrance: Entrance, proxy: str | tuple[str, str], identity: Identity | None = None, api: Api = "api"
    ) -> None:
        """`proxy`: its id, its alias in the default client, or (id of a client, alias in it). It need not exist yet.

        `identity`: who calls, on the word of whoever makes this agent; no credential is asked for then. `api`: with
        `async`, calls are answered 202 and delivered later, and `BASE/.requests/{id}` tells of them. Raises ValueError
        for what cannot be an id or an alias, or is no API, TypeError for an identity that is none.
        """
        if api not in get_args(Api):
            raise ValueError(f"an API is one of {', '.join(get_args(Api))}")
        if identity is not None and type(identity) is not Identity:
            raise TypeError("an identity is an rrgate.embedding.Identity")
        names = proxy if isinstance(proxy, tuple) else (proxy,)
        if len(names) not in (1, 2) or not all(isinstance(name, str) and _NAME.match(name) for name in names):
            raise ValueError("a proxy is named by its id or alias, or by a client's id and an alias in it")
        self._names = names
        self._prefix = f"/{api}/{'/'.join(names)}".encode()
        self._entrance = entrance
        self._identity = identity

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See `IAgent`. `uri`: `BASE` and the rest, or the rest alone, from its `/`.

        Whatever the gateway or the target answers is a response. Fails with WrongAddress, with RequestGenerationFailed
        if `bodyProducer` fails, and with ResponseNeverReceived if there is no answer, as when the gateway stops.
        Cancelling ends the request to the target.
        """
        rest = _rest_of(uri)
        if rest is None:
            text = f"an agent of a gateway calls its proxy alone: the URI begins with {BASE}"
            return fail(WrongAddress(text))
        entrance = self._entrance
        sent = Headers() if headers is None else headers.copy()
        produced = None if bodyProducer is None else ProducedBody(bodyProducer)
        call = _Call(ClientRequest(method, BASE.encode() + rest, sent), produced, entrance)
        length = 0 if produced is None else produced.length
        try:
            head = entrance.judge(method, self._prefix + rest, b"HTTP/1.1", _fields(sent, length))
        except HeadRefused as refused:
            entrance.refuse(call, refused)
            return call.answered
        if entrance.running and not entrance.is_address(self._names):
            entrance.answer(call, Reply(404, "No such proxy", DENIED))
            call.served(None)
            return call.answered
        body: Body = NO_BODY if produced is None or length == 0 else produced.body
        call.task = entrance.enter(head, body, length, ADDRESS, call, self._identity)
        return call.answered


def _rest_of(uri: bytes) -> bytes | None:
    """The path and query in `uri`; None if it is that of something else."""
    if uri.startswith(b"/"):
        return uri
    base = _URI.match(uri)
    return None if base is None else uri[base.end() :].partition(b"#")[0]


def _fields(headers: Headers, length: int | None) -> Iterable[tuple[bytes, Sequence[bytes]]]:
    yield b"Host", (b"proxy.invalid",)
    for name, values in headers.getAllRawHeaders():
        if name.lower() not in _OURS:
            yield name, values
    if length is None:
        yield b"Transfer-Encoding", (b"chunked",)
    elif length:
        yield b"Content-Length", (b"%d" % length,)


class _Call:
    """A door (`rrgate.door.Door`) to whoever made one call."""

    def __init__(self, request: ClientRequest, produced: ProducedBody | None, entrance: Entrance) -> None:
        self.task: Task | None = None
        self.answered: Deferred[IResponse] = Deferred(lambda _: self._leave())
        self._request = request
        self._produced = produced
        self._delivery = BodyDelivery(entrance.clock, entrance.settings.send_timeout, self._leave)
        self._response: AgentResponse | None = None
        self._whole = False

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
        produced = self._produced
        if produced is not None and produced.fault is not None:
            # What the gateway makes of its own caller's fault is in the log; the caller itself learns the fault.
            self._fail(RequestGenerationFailed([produced.fault]))
            return
        headers = Headers()
        for name, value in fields:
            headers.addRawHeader(name, value)
        told: Any = UNKNOWN_LENGTH if length is None and not last else len(first) if length is None else length
        if self._request.method == b"HEAD" or status in (204, 304):
            if length is not None and status != 204:
                headers.setRawHeaders(b"Content-Length", [b"%d" % length])
            first, told = b"", 0
        self._delivery.begin(first)
        response = self._response = AgentResponse(self._request, status, reason, headers, told, self._delivery)
        if last:
            self._whole = True
        else:
            self._answer(response)

    async def write(self, data: bytes) -> None:
        """See `Door`."""
        if data:
            await self._delivery.give(data)

    def end(self) -> None:
        """See `Door`."""
        self._whole = True

    def abort(self) -> None:
        """See `Door`."""
        self._delivery.fail(BrokenOff("the answer broke off"))

    def served(self, error: BaseException | None) -> None:
        """See `Visit`."""
        if self._produced is not None:
            self._produced.let_go()
        # Only now is it told of an end: what then runs, runs outside of the pipeline, and the call is in the log.
        if self._whole:
            self._delivery.end()
        else:
            self._delivery.fail(error or BrokenOff("the answer broke off"))
        if self._response is not None:
            self._answer(self._response)
        else:
            self._fail(ResponseNeverReceived([Failure(error or BrokenOff("the gateway broke the call off"))]))

    def _answer(self, response: AgentResponse) -> None:
        if not self.answered.called:
            self.answered.callback(response)

    def _fail(self, error: Exception) -> None:
        if not self.answered.called:
            self.answered.errback(Failure(error))

    def _leave(self) -> None:
        if self.task is not None:
            self.task.cancel()
