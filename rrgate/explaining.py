"""`Explainer`: what would become of a request, found out by the real chain, with nothing sent and nothing counted.

Belongs here: running the pipeline on a request that nobody sent, and what each step said. Does not: what stands for
the caller's credential (explained_caller.py), what of it is masked (explained_request.py), the form in which it is
published (core/explain.py).

The pipeline is the one that serves requests; what it is given differs: a Route whose steps tell what they say, an
upstream that takes the request down in place of sending it, and no log. So what is explained cannot drift from what is.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from rrgate.api import Denied, Event, Identity, InjectionError, Kind, Reply
from rrgate.body import Body
from rrgate.chain import Chain, Step
from rrgate.checks import Checks, as_document
from rrgate.directory import Directory
from rrgate.exchange import Exchange
from rrgate.explained_caller import AssumedCaller, got, said_by
from rrgate.explained_request import Before, ExplainedRequest, before_secrets, explained_request, masks_of, would_split
from rrgate.explanation import Described, Explanation, Notes, StepTold
from rrgate.ids import new_id
from rrgate.model import Proxy
from rrgate.names import fold
from rrgate.own_request import NoDoor
from rrgate.patience import RAISED
from rrgate.pipeline import Pipeline
from rrgate.route import HOST_NOT_ALLOWED, Route
from rrgate.upstream import TargetUnreachable
from rrgate.websocket.handshake import handshake_of
from rrgate.websocket.stream import Stream

UNKNOWN_CALLER: Final = 401
"""Who is answered this is not warned of anything."""

_ASKS_FOR_ONE = [
    (fold(name), name, value)
    for name, value in (
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b64encode(bytes(16))),
    )
]


class _NoConnection:
    """In the place of a caller's, where a WebSocket is explained."""

    ping_interval = 0.0

    def full(self, proxy_id: str) -> str:
        return ""

    def switch(self, fields: Sequence[tuple[bytes, bytes]], proxy_id: str) -> Stream:
        raise NotImplementedError("nothing is opened where a request is explained")


class Explainer:
    """One object a gateway; on the reactor's thread."""

    def __init__(
        self,
        directory: Directory,
        clock: IReactorTime,
        wall: Callable[[], float],
        *,
        prefix: str,
        regions: frozenset[str],
        tell: Callable[[Event], object] = lambda event: None,
    ) -> None:
        """As for the Pipeline."""
        self._directory = directory
        self._clock = clock
        self._wall = wall
        self._prefix = prefix
        self._regions = regions
        self._tell = tell

    async def explain(self, proxy: Proxy, described: Described) -> Explanation:
        """What would become of `described` if `described.identity` sent it to `proxy`. Ends within plugins' patience.

        Cancelling ends it.
        """
        run = _Run(self._directory, f"{self._prefix}hops", self._wall(), described.body, described.identity)
        pipeline = Pipeline(
            cast(Directory, run),
            run,
            run,
            self._clock,
            self._wall,
            prefix=self._prefix,
            regions=self._regions,
            held_bytes=0,
            pages={},
            tell=self._tell,
        )
        fields, handshake = described.fields, None
        if described.websocket:
            fields, handshake = handshake_of(fields + _ASKS_FOR_ONE, 0)
        ex = Exchange(
            new_id(),
            described.method,
            f"/api/{proxy.id}".encode() + described.target,
            fields,
            Body.of(described.body),
            len(described.body),
            False,
            described.address,
            self._clock.seconds(),
            self._wall(),
            NoDoor(),
        )
        if handshake is not None:
            ex.handshake = handshake
            handshake.connection = _NoConnection()
        await pipeline.serve(ex)
        sent = run.request is not None
        return Explanation(
            run.request,
            None if sent else ex.final_status,
            "" if sent else ex.code,
            "" if sent else ex.message,
            all(step.outcome != "not-run" for step in run.steps),
            tuple(run.steps),
            ex.deciding_rule,
            () if ex.final_status == UNKNOWN_CALLER else tuple(ex.warnings),
            as_document(ex.checks & ~Checks.REQUEST_SENT),
            run.retries_by,
        )


@define
class _Run:
    """One explanation under way; what the pipeline has in place of its directory, upstream and log."""

    _directory: Directory
    _hops: str
    _now: float
    _body: bytes = field(repr=False)
    _identity: Identity
    steps: list[StepTold] = field(factory=list)
    request: ExplainedRequest | None = None
    retries_by: str = ""
    _before: Before | None = None
    _masked: frozenset[str] = frozenset()
    """The plugins that have secrets."""

    # The directory.

    def find(self, path: bytes) -> tuple[Route, bytes] | None:
        """The real Route, with steps that tell what they say."""
        found = self._directory.find(path)
        if found is None:
            return None
        route, rest = found
        if route.chain.next_attempt:
            self.retries_by = route.chain.next_attempt[0].plugin
        self._masked = frozenset(masks_of(route))
        return evolve(route, chain=self._telling(route)), rest

    def when_ended(self, tell: Callable[[str], None]) -> None:
        """Nothing streams."""

    # The upstream.

    async def send(self, ex: Exchange) -> None:
        """Take down what would be sent. Raises what sending it would raise with no connection made."""
        assert ex.route is not None
        if would_split(ex.to_target):
            raise InjectionError("a part of the request to the target holds CR, LF or NUL")
        if not ex.route.host_allowed:
            raise TargetUnreachable(HOST_NOT_ALLOWED)
        self.request = explained_request(ex, self._hops, self._body, self._before)
        raise TargetUnreachable("nothing is sent where a request is explained")

    # The log.

    def put(self, ex: Exchange) -> None:
        """Nothing is logged."""

    def shown(self, ex: Exchange) -> Mapping[str, object]:
        """Nobody asks: no plugin is told of a record."""
        return {}

    # The steps.

    def _telling(self, route: Route) -> Chain:
        chain = route.chain
        instead = {step.mark: step for step in chain.explain}
        asks = next((step for step in chain.authenticate if step.kind is Kind.CALLER), None)
        explain = None if asks is None else instead.get(asks.mark)
        caller = AssumedCaller(route, asks, explain, self._identity, self._now, self.steps.append).step
        return Chain(
            # Nobody shows a credential here: in the place of whoever would read it stands that it was right.
            authenticate=(
                *(caller if step is asks else self._told(step, instead.get(step.mark)) for step in chain.authenticate),
                *(() if asks is not None else (caller,)),
            ),
            authorize=tuple(self._told(step, instead.get(step.mark)) for step in chain.authorize),
            body_needed=chain.body_needed,
            prepare=tuple(self._told(step, instead.get(step.mark)) for step in chain.prepare),
            on_request_body=tuple(map(self._changing, filter(self._changes_bodies, chain.on_request_body))),
            body_limit=chain.body_limit,
        )

    def _told(self, step: Step, explain: Step | None) -> Step:
        async def told(ex: Exchange) -> Any:
            if step.phase == "prepare":
                self._look_before(ex, step)
            notes: Notes = ()
            answer: Any
            try:
                if explain is not None:
                    explained = await said_by(explain, ex, step.phase)
                    answer, notes = explained.answer, explained.notes
                elif step.pure:
                    answer = await got(step.call(ex))
                else:
                    self.steps.append(StepTold(step.plugin, step.phase, "not-run"))
                    return None
            except CancelledError:
                raise
            except RAISED:
                self.steps.append(StepTold(step.plugin, step.phase, "failed"))
                raise
            if type(answer) is Identity:
                answer = None
            self.steps.append(StepTold(step.plugin, step.phase, *_outcome(answer), notes))
            return answer

        return evolve(step, call=told, is_async=True)

    def _changing(self, step: Step) -> Step:
        def changing(ex: Exchange, chunk: bytes, last: bool) -> Any:
            self._look_before(ex, step)
            ex.to_target.writer = step.plugin
            return step.call(ex, chunk, last)

        return evolve(step, call=changing)

    def _look_before(self, ex: Exchange, step: Step) -> None:
        if self._before is None and step.plugin in self._masked:
            self._before = before_secrets(ex, self._body)

    def _changes_bodies(self, step: Step) -> bool:
        if not step.pure:
            self.steps.append(StepTold(step.plugin, step.phase, "not-run"))
        return step.pure


def _outcome(answer: object) -> tuple[str, str]:
    if type(answer) is Denied:
        return "denied", answer.reason
    if type(answer) is Reply:
        return "answered", answer.message
    return "passed", ""
