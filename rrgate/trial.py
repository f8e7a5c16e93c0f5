"""`Trials`: single requests of the gateway's own to a target, with a credential or without, and what came of them.

Belongs here: such a request's way, with the real steps: the credential's plugin, the guarded connection. Does not: who
may ask for one (core/trials.py); nothing of a proxy's runs here, and nothing is in the request log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rrgate.api import ConfigError, Event
from rrgate.body import Body, BodyBroken, BodyTooLarge
from rrgate.careful_log import CarefulLogger
from rrgate.chain import Chain
from rrgate.exchange import Exchange
from rrgate.messages import InjectionError, Reply
from rrgate.model import Client, Credential, Target
from rrgate.outgoing import begin_target_request, change_body, hold_body
from rrgate.own_request import own_request
from rrgate.paths import PathRefused, judge_path
from rrgate.patience import RAISED
from rrgate.pipeline_parts import Upstream
from rrgate.record_view import RecordOf
from rrgate.repeating import UNAUTHORIZED, repeat
from rrgate.route import Route
from rrgate.steps import PluginFault, answer_steps, let_go, way_in
from rrgate.upstream import TargetError
from rrgate.waiting import run_deferred

MOST_BODY: Final = 1024 * 1024
"""Bytes of an answer's body that are read, and thrown away; a longer one is broken off."""

MOST_AT_ONCE: Final = 4
"""Trials of one client under way."""

MOST_IN_ALL: Final = 64
"""Trials under way."""


@frozen
class Trial:
    """What came of one request. Holds nothing of what was sent, nor of the answer but its status.

    `status`: the target's, None if it did not answer. `problem`: why there is no answer, or not all of it, or None.
    Seconds: to look up, connect and shake hands; from then to the answer's head; in all. None where it did not come
    so far.
    """

    status: int | None
    problem: str | None
    connect_seconds: float | None
    first_byte_seconds: float | None
    total_seconds: float


class TooManyTrials(Exception):
    """The client has `MOST_AT_ONCE` under way, or there are `MOST_IN_ALL`."""


class CompilesTrials(Protocol):
    """What is needed of rrgate.compiling.Compiler."""

    def build_trial(self, client: Client, target: Target, credential: Credential | None) -> Route: ...


class Trials:
    """One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        compiler: CompilesTrials,
        upstream: Upstream,
        clock: IReactorTime,
        wall: Callable[[], float],
        tell: Callable[[Event], object] = lambda event: None,
        regions: frozenset[str] = frozenset(),
    ) -> None:
        """`upstream`: sends over a new connection each time, as that is what is tried.

        `tell`, `regions`: as for the Pipeline.
        """
        self._compiler = compiler
        self._upstream = upstream
        self._clock = clock
        self._wall = wall
        self._tell = tell
        self._regions = regions
        self._running: dict[Deferred[Trial], str] = {}
        self._log = CarefulLogger("rrgate.trial")

    def start(
        self,
        client: Client,
        target: Target,
        credential: Credential | None,
        path: str,
        beforehand: Callable[[], Awaitable[object]],
    ) -> Deferred[Trial]:
        """GET `path` (from its `/`, perhaps with a query) of `target`, as a request with `credential` would.

        `beforehand`: is waited for before anything else is done; what it raises is what comes of it all. Fires within
        the target's timeout, whatever the target does. Cancelling cuts it off. Raises TooManyTrials.
        """
        running_for = list(self._running.values())
        if running_for.count(client.id) >= MOST_AT_ONCE or len(running_for) >= MOST_IN_ALL:
            raise TooManyTrials
        ex = own_request(b"GET", path.encode("ascii"), self._clock.seconds(), self._wall())
        late: list[Trial] = []

        def too_late() -> None:
            answered = "the target's answer did not end in time"
            late.append(self._result(ex, answered if ex.target_status else "the target did not answer in time"))
            running.cancel()

        timer = self._clock.callLater(target.timeout, too_late)
        running = run_deferred(self._run(ex, client, target, credential, beforehand))
        self._running[running] = client.id

        def ended(result: Trial | Failure) -> Trial | Failure:
            del self._running[running]
            if timer.active():
                timer.cancel()
            if late and isinstance(result, Failure) and result.check(CancelledError):
                return late[0]
            return result

        return running.addBoth(ended)

    def close(self) -> None:
        """Cut off what is under way."""
        for running in tuple(self._running):
            running.cancel()

    async def _run(
        self,
        ex: Exchange,
        client: Client,
        target: Target,
        credential: Credential | None,
        beforehand: Callable[[], Awaitable[object]],
    ) -> Trial:
        if self._regions and target.region not in self._regions:
            return self._result(ex, "this gateway does not serve the target's region")
        await beforehand()
        try:
            ex.route = self._compiler.build_trial(client, target, credential)
            ex.origin_path = ex.full_path
            ex.forms = judge_path(ex.full_path, raw_paths=target.raw_paths, strict=target.strict_path)
        except ConfigError as error:
            self._log.error("a trial cannot be compiled: {error}", error=error)
            return self._result(ex, "the credential's configuration does not work; the gateway's log says why")
        except PathRefused as error:
            return self._result(ex, str(error))
        try:
            reply = await self._ask(ex, ex.route.chain)
            if reply is None and ex.response is not None:
                await _read(ex.response.body)
            return self._result(ex, None if reply is None else reply.message)
        except BodyBroken as error:
            return self._result(ex, str(error))
        finally:
            if ex.response is not None:
                ex.response.body.abandon()
            self._log_steps(ex, ex.route.chain)

    async def _ask(self, ex: Exchange, chain: Chain) -> Reply | None:
        """Send the request; a Reply in place of the target's answer, if there is none or the plugin made one."""
        try:
            try:
                reply = await self._send(ex, chain)
            except TargetError as error:
                reply = Reply(502, str(error), "target-unreachable")
            except BodyTooLarge:
                reply = Reply(413, "the credential's plugin takes no request without a body", "request-too-large")
            except InjectionError as error:
                self._log.error("a trial was refused: {error}", error=error)
                text = "the credential's plugin wrote what cannot be sent; the gateway's log says what"
                reply = Reply(500, text, "internal-error")
            if reply is None or ex.entered:
                reply = await answer_steps(ex, chain.on_response, reply)
            return reply
        except PluginFault as fault:
            self._report(ex, fault)
            reply = Reply(500, "the credential's plugin failed; the gateway's log says where", "internal-error")
            let_go(ex)
            while ex.entered:
                try:
                    await answer_steps(ex, chain.on_response, reply)
                except PluginFault as further:
                    self._report(ex, further)
            return reply

    async def _send(self, ex: Exchange, chain: Chain) -> Reply | None:
        """Up to the head of the target's answer; a Reply if the plugin made one in place of the request."""
        route = ex.route
        assert route is not None
        reply = await way_in(ex, chain.authorize)
        if reply is not None:
            return reply
        if chain.body_needed or chain.body_limit is not None:
            await hold_body(ex, chain)
        request = ex.target_request = begin_target_request(ex, route)
        reply = await way_in(ex, chain.prepare)
        if reply is not None:
            return reply
        ex.entered |= chain.entered_by_sending
        if chain.on_request_body:
            await change_body(ex, request, chain.on_request_body)
        ex.timeline.append(("sending", self._clock.seconds()))
        await self._upstream.send(ex)
        assert ex.response is not None
        ex.target_status = ex.response.status
        if ex.target_status == UNAUTHORIZED and chain.renew:
            return await repeat(ex, chain, self._upstream)
        return None

    def _result(self, ex: Exchange, problem: str | None) -> Trial:
        moments = dict(ex.timeline)
        sending, connected = moments.get("sending"), moments.get("TLS", moments.get("connect"))
        return Trial(
            status=ex.target_status or None,
            problem=problem,
            connect_seconds=None if sending is None or connected is None else connected - sending,
            first_byte_seconds=ex.response_at - ex.sent_at if ex.response_at else None,
            total_seconds=self._clock.seconds() - ex.started,
        )

    def _report(self, ex: Exchange, fault: PluginFault) -> None:
        self._log.failure(
            "plugin {plugin!r} failed in {phase} for trial {id}",
            failure=fault.failure,
            plugin=fault.plugin,
            phase=fault.phase,
            id=ex.id,
        )
        self._tell(Event("plugin-fault", str(fault), f"{fault.plugin} {fault.phase}"))

    def _log_steps(self, ex: Exchange, chain: Chain) -> None:
        """A plugin undoes in `on_log` what must be undone for every request."""
        if not chain.on_log:
            return
        record = RecordOf(ex)
        for step in chain.on_log:
            try:
                step.call(ex, record)
            except RAISED:  # logged, and only that
                self._report(ex, PluginFault(step, Failure()))


async def _read(body: Body) -> None:
    """Take the answer's body, to its end or to `MOST_BODY`. Raises BodyBroken."""
    size = 0
    while size <= MOST_BODY and (data := await body.read()):
        size += len(data)
