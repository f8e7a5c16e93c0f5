"""`Entrance`: where requests come in that have no connection of ours: from a host's site, or from code of this process.

Belongs here: what both have in common: judging a head, beginning a request, counting and draining them. Does not: where
they come from and where their answers go (resource.py, agent.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from rrgate.answer_headers import AnswerHeaders
from rrgate.answers import reason_phrase, refusal, unavailable
from rrgate.body import Body
from rrgate.door import Door
from rrgate.exchange import Exchange
from rrgate.ids import id_source
from rrgate.messages import Identity, Reply
from rrgate.names import breaks_a_line, is_token
from rrgate.settings import Settings
from rrgate.waiting import Task
from rrgate.wire.callers import TrustedProxies
from rrgate.wire.hosts import HostNames
from rrgate.wire.request_head import HeadRefused, RequestHead, judge_head, judge_request_line

Serve = Callable[[Exchange], Coroutine[Any, Any, None]]

BREAKING_OFF = 1.0
"""Seconds that requests have to end once they are broken off."""


class Visit(Door, Protocol):
    """A door that knows whose it is: one request that came in here."""

    def served(self, error: BaseException | None) -> None:
        """The pipeline is done with the request, answered or not; called once."""


class Entrance:
    """One of each gateway, there from before its start until after its end; while it is closed the answer is 503."""

    def __init__(
        self, settings: Settings, hosts: HostNames, clock: IReactorTime, wall: Callable[[], float]
    ) -> None:
        """`hosts`: the names that callers may use. `clock`: monotonic. `wall`: seconds since the epoch."""
        self.settings = settings
        self.hosts = hosts
        self.clock = clock
        self.trusted = TrustedProxies(settings.trusted_proxies)
        self._wall = wall
        self._new_id = id_source(wall)
        self._headers = AnswerHeaders(settings.header_prefix, wall)
        self._serve: Serve | None = None
        self._clients: Container[str] = ()
        self._under_way: dict[Task, Visit] = {}
        self._idle: Deferred[None] | None = None
        self._log = Logger("rrgate.entrance")

    def open(self, serve: Serve, clients: Container[str]) -> None:
        """Take requests. `serve` runs one to the end of its answer; it never raises but `CancelledError`.

        `clients`: the ids of all clients there are, at any time.
        """
        self._serve = serve
        self._clients = clients

    def close(self) -> None:
        """Take no more requests."""
        self._serve = None

    @property
    def running(self) -> bool:
        """Whether requests are taken."""
        return self._serve is not None

    def is_address(self, names: Sequence[str]) -> bool:
        """Whether `names` can be those of one proxy: id or alias, or a client's id and an alias.

        A client's id alone is none: what is behind it in a path would be an alias.
        """
        return (names[0] in self._clients) == (len(names) == 2)

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return len(self._under_way)

    def judge(
        self, method: bytes, target: bytes, version: bytes, fields: Iterable[tuple[bytes, Sequence[bytes]]]
    ) -> RequestHead:
        """What a head of these parts announces: it is put together again and judged as one from a connection is.

        `fields`: names with their values. Raises HeadRefused.
        """
        settings = self.settings
        line = b" ".join((method, target, version))
        judge_request_line(line, settings.max_target_bytes)  # alone first: it could hold the end of a line
        lines = [line]
        for name, values in fields:
            if not is_token(name) or any(map(breaks_a_line, values)):  # else one field could become several
                raise HeadRefused(400, "a header field line is malformed (RFC 9112 5)")
            lines += [b"%b: %b" % (name, value) for value in values]
        head = b"\r\n".join((*lines, b"", b""))
        if len(head) > settings.max_head_bytes:
            raise HeadRefused(431, f"the head is over {settings.max_head_bytes} bytes (RFC 6585 5)")
        return judge_head(head, settings.max_target_bytes, settings.max_head_fields)

    def enter(
        self,
        head: RequestHead,
        body: Body,
        length: int | None,
        address: str,
        visit: Visit,
        identity: Identity | None = None,
    ) -> Task | None:
        """Begin a request; None if it is answered without one. Cancelling the Task is how its caller leaves.

        `length`: bytes of `body`, None if that is not known. `address`: the caller's. `identity`: who it is, where code
        of this process says so: then no credential is asked for.
        """
        if self._serve is None:
            self.answer(visit, unavailable("The gateway is not running"))
            visit.served(None)
            return None
        exchange = Exchange(
            self._new_id(),
            head.method,
            head.target,
            head.fields,
            body,
            length,
            head.http10,
            address,
            self.clock.seconds(),
            self._wall(),
            visit,
        )
        exchange.handshake = head.handshake  # nobody's connection: it is refused
        if identity is not None:
            exchange.identity = identity
            exchange.message = f"Called by code of this process as {identity.subject!r}"

        def done(error: BaseException | None) -> None:
            del self._under_way[task]
            visit.served(error)
            if self._idle is not None and not self._under_way:
                idle, self._idle = self._idle, None
                idle.callback(None)

        task = Task(self._serve(exchange), done)
        self._under_way[task] = visit
        task.start()
        return task

    def refuse(self, visit: Visit, refused: HeadRefused) -> None:
        """Answer what never became a request."""
        self.answer(visit, refusal(refused.status, str(refused), close=True))
        visit.served(None)

    def answer(self, visit: Visit, reply: Reply) -> None:
        """Answer `reply` without a request, and so without a record of one."""
        fields, body = self._headers.of_reply(self._new_id(), reply, ())
        reason = reason_phrase(reply.status).encode()
        visit.begin(reply.status, reason, fields, len(body), body, True, reply.close)

    async def idle(self, seconds: float) -> None:
        """Return when every request has ended; what has not after `seconds` is broken off."""
        if await self._over(seconds):
            return
        self._log.warn("{count} requests did not end in time and are broken off", count=len(self._under_way))
        self.break_off()
        await self._over(BREAKING_OFF)

    def break_off(self) -> None:
        """End every request, whatever its caller has had of it; `idle` tells when they have ended."""
        for task, visit in tuple(self._under_way.items()):
            visit.abort()
            task.cancel()

    async def _over(self, seconds: float) -> bool:
        if self._under_way:
            self._idle = Deferred()
            self._idle.addTimeout(seconds, self.clock)
            try:
                await self._idle
            except TimeoutError:
                self._idle = None
                return False
        return True
