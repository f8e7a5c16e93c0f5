"""The whole request, from an Exchange to its line in the log, in the order of gateway-api.md 4.

Belongs here: the order of the steps, and what each refusal answers. Does not: what a step decides (plugins), how an
answer's body is passed on (relay.py), bytes (wire/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CoroutineType

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rrgate import answers
from rrgate.answer_headers import AnswerHeaders
from rrgate.api import ConfigError, Event
from rrgate.body import BodyBroken, BodyTooLarge
from rrgate.careful_log import CarefulLogger
from rrgate.checks import Checks
from rrgate.directory import Directory
from rrgate.exchange import Exchange
from rrgate.kept_bodies import keep_bodies
from rrgate.messages import InjectionError, Reply, first
from rrgate.names import fold
from rrgate.outgoing import begin_target_request, change_body, hold_body
from rrgate.paths import PathRefused, judge_path
from rrgate.patience import RAISED
from rrgate.pipeline_parts import ASYNC, BOUNDLESS, Accepts, Admits, Records, Upstream, asks_of_requests, leave_place
from rrgate.record import CALLER_LEFT
from rrgate.relay import Relay
from rrgate.repeating import UNAUTHORIZED, repeat
from rrgate.route import Route, past
from rrgate.steps import PluginFault, answer_steps, let_go, on_the_way_in, on_the_way_out
from rrgate.streams import OpenStreams
from rrgate.upstream import TargetError

MAX_HOPS = 3


class Pipeline:
    """Runs requests. One object a gateway; all on the reactor's thread."""

    def __init__(
        self,
        directory: Directory,
        upstream: Upstream,
        records: Records,
        clock: IReactorTime,
        wall: Callable[[], float],
        *,
        prefix: str,
        regions: frozenset[str],
        held_bytes: int,
        pages: Mapping[bytes, Callable[[Exchange], Reply]],
        places: Admits = BOUNDLESS,
        tell: Callable[[Event], object] = lambda event: None,
        delivery: Accepts | None = None,
    ) -> None:
        """`wall`: seconds since the epoch. `regions`: those served, all if empty. `held_bytes`: of answers held back.

        `pages`: what is served beside the Proxy API, by path. `places`: whether a request can be taken now.
        `tell`: told of every plugin that fails; it thins them out itself. `delivery`: without, there is no Async API.
        """
        self._directory = directory
        self._upstream = upstream
        self._records = records
        self._clock = clock
        self._wall = wall
        self._regions = regions
        self._pages = pages
        self._places = places
        self._delivery = delivery
        self._hops = fold(f"{prefix}hops".encode())
        self._headers = AnswerHeaders(prefix, wall)
        self._tell = tell
        streams = OpenStreams(directory, clock)
        self._relay = Relay(clock, self._headers, held_bytes, streams, self._report)
        self._log = CarefulLogger("rrgate.pipeline")

    async def serve(self, ex: Exchange) -> None:
        """Take one request all the way. Raises nothing but CancelledError, which is how the caller's leaving comes."""
        try:
            try:
                reply = self._resolve(ex) or await self._judge(ex) or await self._forward(ex)
                if reply is not None and ex.entered and ex.route is not None:
                    reply = await answer_steps(ex, ex.route.chain.on_response, reply)
            except PluginFault as fault:
                reply = await self._failed_closed(ex, fault)
            if reply is not None:
                self._answer(ex, reply)
        except CancelledError:
            ex.final_status = CALLER_LEFT
            ex.code, ex.message = "caller-left", "The caller closed the connection before the answer's end"
            raise
        except Exception:  # noqa: BLE001 - a bug of ours: fail closed, and let nobody wait for ever
            self._log.failure("a request failed inside the gateway: {ex!r}", ex=ex)
            ex.checks |= Checks.SYSTEM_ERROR
            if ex.final_status:
                ex.door.abort()
            else:
                self._answer(ex, self._internal_error(ex))
        finally:
            if ex.response is not None:
                ex.response.body.abandon()
            leave_place(ex)
            ex.answered_at = self._clock.seconds()
            if ex.route is not None and ex.story != "none":
                self._log_steps(ex, ex.route)
                self._records.put(ex)
                if ex.is_async and self._delivery is not None:
                    self._delivery.recorded(ex)

    # Step 1: which proxy, and is the path fit to be judged?

    def _resolve(self, ex: Exchange) -> Reply | None:
        if not ex.full_path.startswith(b"/api/"):
            page = self._pages.get(ex.full_path)
            if page is not None:
                return page(ex)
            if self._delivery is None or not ex.full_path.startswith(ASYNC):
                return Reply(404, "There is nothing here: the Proxy API is under /api/{proxyId}/", answers.DENIED)
            ex.is_async = True
        if refused := self._places.refusal():
            return refused
        try:
            found = self._directory.find(ex.full_path[6 if ex.is_async else 4 :])
        except ConfigError as error:
            self._log.error("a proxy cannot be compiled: {error}", error=error)
            return Reply(500, "This proxy's configuration does not work; its operator's log says why", "internal-error")
        if found is None or (self._regions and found[0].proxy.region not in self._regions):
            # In nobody's request log. Not the path, which may hold anything.
            self._log.debug("{ex!r} from {address} names no proxy", ex=ex, address=ex.caller_address)
            return Reply(404, "No such proxy", answers.DENIED)
        ex.route, ex.origin_path = route, rest = found
        ex.checks = route.checks
        if refused := self._places.take(ex):
            return refused
        if route.keeps_bodies:
            ex.kept, ex.door = keep_bodies(ex.request_body, ex.door, ex.method == b"HEAD")
        hops = first(ex.fields, self._hops)
        if hops is not None:
            ex.hops = int(hops) if hops.isdigit() and len(hops) < 4 else MAX_HOPS
            if ex.hops >= MAX_HOPS:
                return Reply(508, "This request has come through here before: it would loop", answers.BAD_REQUEST)
        raw, strict = (False, False) if (target := route.target) is None else (target.raw_paths, target.strict_path)
        try:
            ex.forms = judge_path(rest, raw_paths=raw, strict=strict)
        except PathRefused as error:
            return Reply(400, str(error), answers.BAD_REQUEST)
        return None

    # Steps 2 to 5: who, and may they?

    async def _judge(self, ex: Exchange) -> Reply | None:
        route = ex.route
        assert route is not None
        now = 0.0 if route.caller_expires is None and route.target_expires is None else self._wall()
        try:
            if ex.identity is None:  # else code of this process says who it is: there is no credential to judge
                reply = on_the_way_in(ex, route.chain.authenticate)
                if isinstance(reply, CoroutineType):
                    reply = await reply
                if reply is not None:
                    return reply
                active = route.checks & Checks.PROXY_CREDENTIAL_ACTIVE
                if ex.identity is None or not active or past(route.caller_expires, now):
                    ex.identity = None
                    return answers.denied_401()
                ex.checks |= Checks.PROXY_AUTHENTICATED
            if ex.is_async and self._delivery is not None and asks_of_requests(ex):
                ex.story = "none"
                return await self._delivery.show(ex)
            unavailable = route.unavailable(now)
            if unavailable:
                return Reply(503, unavailable, "unavailable", headers=((b"Retry-After", b"30"),))
            ex.checks |= route.open_scopes
            reply = on_the_way_in(ex, route.chain.authorize)
            if isinstance(reply, CoroutineType):
                reply = await reply
        except (BodyTooLarge, BodyBroken) as error:
            return self._not_sent(ex, error)
        if reply is None:
            ex.checks |= Checks.SCOPES
        return reply

    # Steps 6 to 9: inject, forward, answer.

    async def _forward(self, ex: Exchange) -> Reply | None:
        route = ex.route
        assert route is not None
        chain = route.chain
        try:
            if ex.handshake is not None and (refused := ex.handshake.refusal(route.proxy.id, ex.is_async)):
                return refused
            if ex.is_async and self._delivery is not None:
                return await self._delivery.accept(ex)
            if chain.body_needed or chain.body_limit is not None:
                await hold_body(ex, chain)
            request = ex.target_request = begin_target_request(ex, route)
            reply = on_the_way_in(ex, chain.prepare)
            if isinstance(reply, CoroutineType):
                reply = await reply
            if reply is not None:
                return reply
            ex.checks |= Checks.REQUEST_VALID
            ex.entered |= chain.entered_by_sending
            if chain.on_request_body:
                await change_body(ex, request, chain.on_request_body)
            ex.checks |= Checks.REQUEST_SENT
            await self._upstream.send(ex)
            response = ex.response
            assert response is not None
            ex.target_status = response.status
            if response.status == UNAUTHORIZED and chain.renew:
                reply = await repeat(ex, chain, self._upstream)
                if reply is not None:
                    return reply
                response = ex.response
                assert response is not None
        except (BodyTooLarge, BodyBroken, TargetError) as error:
            return self._not_sent(ex, error)
        except InjectionError as error:
            self._log.error("request {id} was refused: {error}", id=ex.id, error=error)
            ex.checks = (ex.checks | Checks.SYSTEM_ERROR) & ~Checks.REQUEST_SENT
            return Reply(500, "A step of this gateway failed; its operator's log says which", "internal-error")
        ex.checks |= Checks.RESPONSE_RECEIVED
        reply = on_the_way_out(ex, chain.on_response, None)
        if isinstance(reply, CoroutineType):
            reply = await reply
        if reply is not None:
            return reply
        if response.body.complete and not chain.on_body:
            return self._relay.pass_whole(ex, route, response)
        return await self._relay.pass_on(ex, route, response)

    def _not_sent(self, ex: Exchange, error: Exception) -> Reply:
        if isinstance(error, TargetError) and not ex.sent_at:
            ex.checks &= ~Checks.REQUEST_SENT
        return answers.not_sent(error)

    # The gateway's own answers.

    def _answer(self, ex: Exchange, reply: Reply) -> None:
        # Who is not known is not warned: a warning about the secret that was shown would tell that it is right.
        warnings = ex.warnings if reply.status != 401 else ()
        try:
            fields, body = self._headers.of_reply(ex.id, reply, warnings)
        except Exception:  # noqa: BLE001 - a document of a plugin's that is no JSON
            self._log.failure("the answer to request {id} cannot be written", id=ex.id)
            reply = self._internal_error(ex)
            fields, body = self._headers.of_reply(ex.id, reply, ())
        ex.code, ex.message, ex.final_status = reply.code, reply.message, reply.status
        fields += ex.extra_answer_fields
        ex.answer_fields = fields
        ex.bytes_sent = len(body)
        close = reply.close or reply.status in answers.CLOSING
        reason = answers.reason_phrase(reply.status).encode()
        ex.door.begin(reply.status, reason, fields, len(body), body, True, close)

    async def _failed_closed(self, ex: Exchange, fault: PluginFault) -> Reply:
        """A plugin failed: closed, whatever those that were entered before it would answer instead."""
        self._report(ex, fault)
        reply = self._internal_error(ex)
        let_go(ex)
        while ex.entered and ex.route is not None:
            try:
                await answer_steps(ex, ex.route.chain.on_response, reply)
            except PluginFault as further:
                self._report(ex, further)
        let_go(ex)
        return reply

    def _report(self, ex: Exchange, fault: PluginFault) -> None:
        """Name the plugin in the operator's log, and to nobody else."""
        self._log.failure(
            "plugin {plugin!r} failed in {phase} for request {id}",
            failure=fault.failure,
            plugin=fault.plugin,
            phase=fault.phase,
            id=ex.id,
        )
        ex.checks |= Checks.SYSTEM_ERROR
        self._tell(Event("plugin-fault", str(fault), f"{fault.plugin} {fault.phase}"))

    def _internal_error(self, ex: Exchange) -> Reply:
        ex.checks |= Checks.SYSTEM_ERROR
        message = "A step of this gateway failed; its operator's log says which"
        return Reply(502 if ex.sent_at else 500, message, "internal-error", close=True)

    def _log_steps(self, ex: Exchange, route: Route) -> None:
        if not route.chain.on_log:
            return
        record = self._records.shown(ex)
        for step in route.chain.on_log:
            try:
                step.call(ex, record)
            except RAISED:  # logged, and only that
                self._report(ex, PluginFault(step, Failure()))
