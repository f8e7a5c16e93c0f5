"""A gateway in memory down to its targets: the real listener, pool and relay, with targets that the test plays.

Belongs here: doubles of the far side. Does not: any expectation about HTTP. The pipeline's place is taken by `serve`:
it sends every request under `/NAME/…` to the target of that name, and answers errors as the pipeline does.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rrgate.answer_headers import AnswerHeaders
from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.exchange import Exchange
from rrgate.messages import Reply, ResponseBound, TargetRequest
from rrgate.names import NEVER_TO_CALLER, NEVER_TO_TARGET
from rrgate.relay import Relay
from rrgate.upstream import TargetError, TargetTimeout
from rrgate.wire.pool import Pool
from tests.wire.memory import MemoryCaller, MemoryTransport, say


class TargetEnd:
    """The target's end of one connection."""

    def __init__(self, name: str, protocol: Any) -> None:
        self.name = name
        self.protocol = protocol
        self.transport = MemoryTransport()
        self.lost = False
        self._seen = 0

    def received(self) -> bytes:
        """What has come since this was last asked."""
        data = bytes(self.transport.written[self._seen :])
        self._seen = len(self.transport.written)
        return data

    def say(self, *pieces: bytes) -> TargetEnd:
        """Send pieces, each as one segment, as long as the gateway has not closed."""
        for piece in pieces:
            if self.transport.closing:
                break
            self.protocol.dataReceived(piece)
        return self

    def close(self, *, clean: bool = True) -> None:
        """Close the target's side."""
        self._lose(ConnectionDone() if clean else ConnectionLost())

    def end(self) -> None:
        """Let the transport end as the gateway asked it to."""
        assert self.transport.closing
        self._lose(ConnectionAborted() if self.transport.aborted else ConnectionDone())

    def _lose(self, error: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(error))

    @property
    def open(self) -> bool:
        return not (self.lost or self.transport.closing)


class MemoryDialer:
    """Connects at once, and remembers every connection."""

    def __init__(self) -> None:
        self.ends: list[TargetEnd] = []
        self.secrets: list[bool] = []
        """Of each, whether it was told that what is sent over it is secret."""
        self.error: Exception | None = None

    async def connect(self, endpoint: Any, tenant: str, protocol: Any, *, secret: bool) -> None:
        if self.error is not None:
            raise self.error
        end = TargetEnd(endpoint.host, protocol)
        self.ends.append(end)
        self.secrets.append(secret)
        protocol.makeConnection(end.transport)
        if endpoint.tls:
            protocol.handshakeCompleted()


@frozen
class Endpoint:
    host: str
    tls: bool = False


@frozen
class Chain:
    on_body: tuple[Any, ...] = ()


@frozen
class Owner:
    id: str = "acme"


@frozen
class Times:
    timeout: float = 30.0
    idle_timeout: float = 60.0


@frozen(eq=False)
class MemoryRoute:
    """Of a Route what the wire reads."""

    endpoint: Endpoint
    pool_key: tuple[object, ...]
    chain: Chain = field(factory=Chain)
    client: Owner = field(factory=Owner)
    target: Times = field(factory=Times)
    authority: bytes = b"target.test"
    secret_needs_tls: bool = False
    host_allowed: bool = True
    cut_answer_headers: frozenset[bytes] = NEVER_TO_CALLER
    own_prefix: bytes = b"requestrocket-"


class EndlessStreams:
    """Nothing is switched off here (tests/chain/test_streams.py)."""

    def begin(self, ex: Exchange) -> None: ...
    def end(self, ex: Exchange) -> None: ...


class MemoryGateway:
    """`caller()` makes a caller's connection; `ends` are the connections to targets, in the order they were made."""

    def __init__(self, *, idle_timeout: float = 4.0, **settings: Any) -> None:
        self.clock: Any = Clock()
        self.dialer = MemoryDialer()
        self.pool = Pool(self.dialer, self.clock, idle_timeout=idle_timeout, own_prefix=b"requestrocket-")
        headers = AnswerHeaders("requestrocket-", lambda: 0.0)
        streams: Any = EndlessStreams()
        self.relay = Relay(self.clock, headers, 1 << 20, streams, self._report)
        self.routes: dict[str, MemoryRoute] = {}
        self.bound: ResponseBound | None = None
        self.ended: list[tuple[str, BaseException | None]] = []
        self._settings = settings
        self._first = MemoryCaller(self.serve, clock=self.clock, **settings)
        self.listener = self._first.listener

    @property
    def ends(self) -> list[TargetEnd]:
        return self.dialer.ends

    def caller(self, peer: str = "203.0.113.9") -> MemoryCaller:
        return MemoryCaller(listener=self.listener, peer=peer)

    def route(self, name: str, **parts: Any) -> None:
        """Requests under `/name/` go by this route."""
        self.routes[name] = MemoryRoute(**({"endpoint": Endpoint(name), "pool_key": (name,)} | parts))

    def _report(self, ex: Exchange, fault: Exception) -> None:
        self.ended.append((ex.full_path.decode(), fault))

    async def serve(self, ex: Exchange) -> None:
        name = ex.full_path.split(b"/")[1].decode()
        if name not in self.routes:
            self.route(name)
        route: Any = self.routes[name]
        ex.route = route
        fields = [each for each in ex.fields if each[0] not in NEVER_TO_TARGET]
        request = ex.target_request = TargetRequest(ex.method, ex.full_path, ex.query_mark, ex.query, fields)
        if ex.content_length != 0:
            request.stream, request.stream_length = ex.request_body, ex.content_length
        reply: Reply | None = None
        try:
            await self.pool.send(ex)
            assert ex.response is not None
            ex.response.bound = self.bound
            reply = await self.relay.pass_on(ex, route, ex.response)
        except BodyBroken as error:
            reply = Reply(error.status or 400, str(error), "bad-request")
        except BodyTooLarge:
            reply = Reply(413, "too large", "request-too-large")
        except TargetTimeout as error:
            reply = Reply(504, str(error), "target-timeout")
        except TargetError as error:
            reply = Reply(502, str(error), "target-unreachable")
        except BaseException as error:
            self.ended.append((ex.full_path.decode(), error))
            raise
        finally:
            if ex.response is not None:
                ex.response.body.abandon()
        if reply is not None:
            say(ex, reply.status, reply.message, close=reply.status < 500)


def request(name: str = "a", rest: str = "", method: str = "GET", *fields: str, body: bytes = b"") -> bytes:
    """A request to the target `name`."""
    lines = [f"{method} /{name}/{rest} HTTP/1.1", "Host: gateway.test", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def response(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """An answer of a target, whole and well."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
