"""`Pool`: kept connections to targets, and sending a request over one of them or a new one.

Belongs here: which connection is used, and when a request is sent once more. Does not: the talk on it (client.py).
"""

from __future__ import annotations

from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTime

from rrgate.body import Body
from rrgate.exchange import Exchange
from rrgate.route import HOST_NOT_ALLOWED, Route
from rrgate.upstream import TargetUnreachable
from rrgate.wire.answer_head import MAX_FIELDS, MAX_HEAD
from rrgate.wire.client import ConnectionWentAway, TargetConnection
from rrgate.wire.dialer import Connects
from rrgate.wire.guard import AddressForbidden
from rrgate.wire.repeated_heads import KnownAnswers
from rrgate.wire.resolver import CannotConnect
from rrgate.wire.switching import Opening
from rrgate.wire.target_head import target_head

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND", b"SEARCH", b"REPORT", b"QUERY"))
"""Methods that may be sent twice (RFC 9110 9.2.2, and the registry's safe ones)."""

MAX_IDLE_PER_KEY = 256


class Pool:
    """Connections by pool key, the last used first, so that the others grow old and close."""

    def __init__(
        self,
        dialer: Connects,
        clock: IReactorTime,
        *,
        idle_timeout: float,
        own_prefix: bytes,
        max_head: int = MAX_HEAD,
        max_fields: int = MAX_FIELDS,
    ) -> None:
        """`idle_timeout`: seconds that an idle connection is kept, if the target does not say less.

        `max_head`, `max_fields`: bytes and fields of an answer's head.
        """
        self._dialer = dialer
        self._clock = clock
        self._idle_timeout = idle_timeout
        self._max_head = max_head
        self._known = KnownAnswers(max_fields)
        self._hops = own_prefix + b"hops"
        self._idle: dict[str, list[TargetConnection]] = {}

    async def send(self, ex: Exchange) -> None:
        """See `Upstream.send`."""
        route = ex.route
        request = ex.target_request
        assert route is not None
        assert request is not None
        assert route.target is not None
        body: bytes | Body | None = request.body
        if body is None and request.stream is not None:
            body = request.stream
            if body.complete:
                # Here already: sent in one piece with the head, and at hand if it must be sent once more.
                body = request.body = body.take()
        opening = None
        if ex.handshake is not None:
            opening = Opening.of(request)
        head, chunked = target_head(request, route, body, self._hops, ex.hops + 1)
        if opening is not None:
            head = opening.asked_by(head)
        target = route.target
        repeatable = request.method in IDEMPOTENT and not isinstance(body, Body)
        connection = self._take(route, repeatable)
        while True:
            fresh = connection is None
            if connection is None:
                connection = await self._connect(ex, route)
            ex.sent_at = self._clock.seconds()
            try:
                ex.response = await connection.exchange(
                    head,
                    body,
                    chunked,
                    to_head_request=request.method == b"HEAD",
                    timeout=target.timeout,
                    idle_timeout=target.idle_timeout,
                    opening=opening,
                )
            except ConnectionWentAway:
                if fresh or not repeatable:
                    raise TargetUnreachable("the target closed the connection without an answer") from None
                connection = None
                continue
            ex.response_at = self._clock.seconds()
            return

    @property
    def idle(self) -> int:
        """Connections that are kept for the next request."""
        return sum(map(len, self._idle.values()))

    def close(self) -> None:
        """Close every idle connection."""
        for connections in tuple(self._idle.values()):
            for connection in tuple(connections):
                connection.close()

    def _take(self, route: Route, repeatable: bool) -> TargetConnection | None:
        connections = self._idle.get(route.pool_key)
        while connections:
            connection = connections.pop()
            if connection.looks_closed(repeatable):
                connection.abort()
                continue
            return connection
        return None

    async def _connect(self, ex: Exchange, route: Route) -> TargetConnection:
        key = route.pool_key
        idle_timeout = self._idle_timeout

        def keep(connection: TargetConnection, hint: float | None) -> None:
            seconds = idle_timeout if hint is None else min(idle_timeout, hint - 0.5)
            connections = self._idle.setdefault(key, [])
            if seconds <= 0 or len(connections) >= MAX_IDLE_PER_KEY:
                connection.close()
                return
            connections.append(connection)
            connection.rest(seconds)

        def gone(connection: TargetConnection) -> None:
            connections = self._idle.get(key)
            if connections is not None:
                if connection in connections:
                    connections.remove(connection)
                if not connections:
                    del self._idle[key]

        endpoint = route.endpoint
        if not route.host_allowed:
            raise TargetUnreachable(HOST_NOT_ALLOWED)
        connection = TargetConnection(
            self._clock, endpoint.tls, keep, gone, max_head=self._max_head, known=self._known
        )
        try:
            await self._dialer.connect(endpoint, route.client.id, connection, secret=route.secret_needs_tls)
        except AddressForbidden as error:
            raise TargetUnreachable(str(error)) from error
        except CannotConnect as error:
            raise TargetUnreachable(str(error)) from error
        except ConnectError as error:
            raise TargetUnreachable("the target does not take connections") from error
        ex.timeline.append(("connect", connection.reached_at))
        if endpoint.tls:
            ex.timeline.append(("TLS", self._clock.seconds()))
        return connection
