"""`Sender`: one attempt at a request that was taken, by the real chain: inject, send, answer steps, all of the answer.

Belongs here: such an attempt's way, and whether the policy wants another. Does not: when there is one (worker.py),
judging, which was done when the request was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rrgate.answer_headers import AnswerHeaders
from rrgate.answers import GRANTED
from rrgate.api import Event
from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.careful_log import CarefulLogger
from rrgate.checks import Checks
from rrgate.delivery.kept import Answer
from rrgate.delivery.states import Outcome
from rrgate.exchange import Exchange
from rrgate.messages import InjectionError, Reply
from rrgate.model.retry_policy import TRANSIENT
from rrgate.outgoing import begin_target_request, change_body, hold_body
from rrgate.paths import PathRefused, judge_path
from rrgate.patience import RAISED
from rrgate.pipeline_parts import Upstream
from rrgate.relay import MAX_HELD
from rrgate.repeating import UNAUTHORIZED, repeat
from rrgate.retry_after import retry_after
from rrgate.route import Route
from rrgate.steps import PluginFault, answer_steps, body_steps, let_go, way_in
from rrgate.upstream import TargetError, TargetTimeout
from rrgate.waiting import run_deferred

LONGEST: Final = 900.0
"""Seconds of one attempt, the whole answer included."""
_BROKEN: Final = frozenset(("target-unreachable", "target-timeout"))


@frozen
class Sent:
    """What came of an attempt. `answer`: of the target, or ours in its place. `problem`: why it is ours, or None.

    `wait`: seconds until the policy wants another attempt, None for no other. `told`: for how many the target has
    said itself that it wants to be left alone, 0 if it has not.
    """

    answer: Answer = field(repr=False)
    problem: str | None
    outcome: Outcome
    wait: float | None
    told: float


class Sender:
    """One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        upstream: Upstream,
        clock: IReactorTime,
        wall: Callable[[], float],
        *,
        prefix: str,
        shown: Callable[[Exchange], Mapping[str, object]],
        tell: Callable[[Event], object] = lambda event: None,
    ) -> None:
        """`upstream`, `wall`, `prefix`, `tell`: as for the Pipeline. `shown`: the record of an attempt, for plugins."""
        self._upstream = upstream
        self._clock = clock
        self._wall = wall
        self._headers = AnswerHeaders(prefix, wall)
        self._shown = shown
        self._tell = tell
        self._log = CarefulLogger("rrgate.delivery")

    async def send(self, ex: Exchange, route: Route, attempt: int) -> Sent:
        """Make the attempt. `attempt`: its number for the policy. Raises nothing but CancelledError, which cuts the
        target off.

        `ex` is then as the log wants it.
        """
        ex.route = route
        body = b""
        try:
            reply, body = await self._bounded(ex, route)
        except CancelledError:
            self._log_steps(ex, route)
            raise
        except Exception:  # noqa: BLE001 - a bug of ours: the request is not lost for it
            self._log.failure("an attempt at request {id} failed inside the gateway", id=ex.id)
            ex.checks |= Checks.SYSTEM_ERROR
            reply = _failed()
        if reply is not None:
            fields, body = self._headers.of_reply(ex.id, reply, ())
            ex.code, ex.message, ex.final_status = reply.code, reply.message, reply.status
        else:
            assert ex.response is not None
            fields = self._headers.of_response(ex, ex.response, route.cut_answer_headers, route.own_prefix)
            ex.code, ex.message, ex.final_status = GRANTED, "", ex.response.status
        ex.answer_fields = fields
        ex.bytes_sent = len(body)
        ex.answered_at = self._clock.seconds()
        wait = self._policy(ex, route, attempt)
        self._log_steps(ex, route)
        answer = Answer(
            ex.final_status, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields], body
        )
        told = 0.0 if ex.response is None else retry_after(ex.response.header(b"Retry-After"), self._wall())
        problem = None if reply is None else reply.message
        return Sent(answer, problem, _outcome(ex, route, wait), wait, told)

    async def _bounded(self, ex: Exchange, route: Route) -> tuple[Reply | None, bytes]:
        late = False

        def too_late() -> None:
            nonlocal late
            late = True
            running.cancel()

        timer = self._clock.callLater(LONGEST, too_late)
        running = run_deferred(self._answered(ex, route))
        try:
            return await running
        except CancelledError:
            if not late:
                raise
            let_go(ex)
            return Reply(504, "Gateway timeout: the target's answer did not end in time", "target-timeout"), b""
        finally:
            if timer.active():
                timer.cancel()

    async def _answered(self, ex: Exchange, route: Route) -> tuple[Reply | None, bytes]:
        """The target's answer's body, or a Reply of ours in the answer's place."""
        try:
            try:
                reply, body = await self._forward(ex, route)
            except PluginFault as fault:
                self._report(ex, fault)
                reply, body = _failed(502 if ex.sent_at else 500), b""
                let_go(ex)
            if reply is not None and ex.entered:
                reply = await self._tell_steps(ex, route, reply)
            return reply, body
        finally:
            if ex.response is not None:
                ex.response.body.abandon()

    async def _forward(self, ex: Exchange, route: Route) -> tuple[Reply | None, bytes]:
        chain, target = route.chain, route.target
        unavailable = route.unavailable(self._wall())
        if unavailable or target is None:
            return Reply(503, unavailable, "unavailable", headers=((b"Retry-After", b"30"),)), b""
        try:
            ex.forms = judge_path(ex.origin_path, raw_paths=target.raw_paths, strict=target.strict_path)
            if chain.body_needed or chain.body_limit is not None:
                await hold_body(ex, chain)
            request = ex.target_request = begin_target_request(ex, route)
            reply = await way_in(ex, chain.prepare)
            if reply is not None:
                return reply, b""
            ex.checks |= Checks.REQUEST_VALID
            ex.entered |= chain.entered_by_sending
            if chain.on_request_body:
                await change_body(ex, request, chain.on_request_body)
            ex.checks |= Checks.REQUEST_SENT
            await self._upstream.send(ex)
            assert ex.response is not None
            ex.target_status = ex.response.status
            if ex.target_status == UNAUTHORIZED and chain.renew:
                reply = await repeat(ex, chain, self._upstream)
                if reply is not None:
                    return reply, b""
            ex.checks |= Checks.RESPONSE_RECEIVED
            reply = await answer_steps(ex, chain.on_response, None)
            return (reply, b"") if reply is not None else await self._body(ex, route)
        except PathRefused as error:
            return Reply(400, str(error), "bad-request"), b""
        except BodyTooLarge as error:
            return Reply(413, f"The request's body is over the limit of {error.limit} bytes", "request-too-large"), b""
        except TargetTimeout as error:
            return Reply(504, f"Gateway timeout: {error}", "target-timeout"), b""
        except (TargetError, BodyBroken) as error:
            return Reply(502, f"Bad gateway: {error}", "target-unreachable"), b""
        except InjectionError as error:
            self._log.error("request {id} was refused: {error}", id=ex.id, error=error)
            ex.checks |= Checks.SYSTEM_ERROR
            return _failed(), b""

    async def _body(self, ex: Exchange, route: Route) -> tuple[Reply | None, bytes]:
        """All of the answer's body, within its bound. Raises BodyBroken, PluginFault."""
        response = ex.response
        assert response is not None
        bound = response.bound
        head = response.size_of_head
        if ex.method == b"HEAD" or response.status in (204, 304):
            return None, b""
        most = MAX_HELD if bound is None else max(0, bound.limit - head)
        parts: list[bytes] = []
        size = 0
        while data := await response.body.read():
            size += len(data)
            if size > most:
                text = "The target's answer is too large to be kept"
                return (
                    Reply(413, text, "response-too-large") if bound is None else bound.reply(head + size, False)
                ), b""
            parts.append(data)
        body = b"".join(parts)
        if route.chain.on_body:
            body = await body_steps(ex, route.chain.on_body, body, last=True)
        return None, body

    async def _tell_steps(self, ex: Exchange, route: Route, reply: Reply) -> Reply:
        """`on_response` of those that were entered, on a Reply of ours. A fault of theirs does not change it."""
        while ex.entered:
            try:
                reply = await answer_steps(ex, route.chain.on_response, reply) or reply
            except PluginFault as fault:
                self._report(ex, fault)
        return reply

    def _policy(self, ex: Exchange, route: Route, attempt: int) -> float | None:
        """How long the proxy's policy waits for another attempt; None for no other. A policy that fails stops."""
        for step in route.chain.next_attempt[:1]:
            try:
                wait = step.call(ex, attempt)
                if wait is not None and not (isinstance(wait, int | float) and wait >= 0):
                    raise TypeError(f"{step.plugin}.next_attempt answered what is no number of seconds")
                return None if wait is None else float(wait)
            except RAISED:  # a dead letter, with its name in the operator's log
                self._report(ex, PluginFault(step, Failure()))
        return None

    def _log_steps(self, ex: Exchange, route: Route) -> None:
        """What a plugin undoes for every request, it undoes for every attempt."""
        if not route.chain.on_log:
            return
        record = self._shown(ex)
        for step in route.chain.on_log:
            try:
                step.call(ex, record)
            except RAISED:  # logged, and only that
                self._report(ex, PluginFault(step, Failure()))

    def _report(self, ex: Exchange, fault: PluginFault) -> None:
        self._log.failure(
            "plugin {plugin!r} failed in {phase} for request {id}",
            failure=fault.failure,
            plugin=fault.plugin,
            phase=fault.phase,
            id=ex.id,
        )
        ex.checks |= Checks.SYSTEM_ERROR
        self._tell(Event("plugin-fault", str(fault), f"{fault.plugin} {fault.phase}"))


def _outcome(ex: Exchange, route: Route, wait: float | None) -> Outcome:
    """A status is transient if the policy waits for another attempt, or would have: then retries are used up."""
    policy = route.proxy.retry_policy
    transient = TRANSIENT if policy is None else policy.statuses
    if wait is not None or ex.code in _BROKEN or ex.final_status in transient:
        return Outcome.TRANSIENT
    return Outcome.GOOD if ex.final_status < 400 else Outcome.BAD


def _failed(status: int = 500) -> Reply:
    return Reply(status, "A step of this gateway failed; its operator's log says which", "internal-error")
