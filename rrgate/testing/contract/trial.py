"""`Trial`: a gateway in memory in which a watched plugin works on one proxy, and what its requests left behind.

Belongs here: asking, and gathering every place where a secret may not be. Does not: any promise.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from rrgate.api import Denied, Exchange, Identity, Plugin, Reply, Side, TargetRequest
from rrgate.outgoing import begin_target_request
from rrgate.testing.calls import Call
from rrgate.testing.contract.samples import Ask, Asks, Occasion, Samples, made
from rrgate.testing.contract.watched import Notes
from rrgate.testing.gateway import AuthType, MemoryGateway
from rrgate.testing.messages import Answer, Received
from rrgate.testing.operator_log import operator_log
from rrgate.testing.stand_in import NOBODY, STAND_IN
from rrgate.waiting import Task

HOUR = 3600.0


@frozen
class Outcome:
    """What became of one request. `sent`: whether anything of it came to a target; `events`: faults, by subject."""

    answer: Answer | None
    received: tuple[Received, ...]
    sent: bool
    notes: Notes
    events: tuple[str, ...]
    log: str
    ex: Exchange | None

    @property
    def status(self) -> int:
        return 0 if self.answer is None else self.answer.status

    @property
    def raised(self) -> str:
        """The phase, type and place of what the plugin raised, or nothing; its text may hold a secret."""
        return "; ".join(
            f"raised {type(error).__name__} in {phase}{_place(error, self.notes.file)}"
            for phase, error in self.notes.errors
        )

    def became(self) -> str:
        """In words."""
        said = [f"{phase} answered {_shown(answer)}" for phase, answer in self.notes.answers if answer is not None]
        told = self.raised or "; ".join(said) or "it answered nothing"
        return f"{told}; the caller got {self.status or 'no answer'}" + (", and it was forwarded" if self.sent else "")


def _place(error: BaseException, file: str) -> str:
    """The last line of the plugin's own file that it went through."""
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == file]
    return f" at {Path(file).name}:{lines[-1]}" if lines else ""


def _shown(answer: object) -> str:
    if isinstance(answer, Denied | Reply):
        return f"{type(answer).__name__} with {answer.status}"
    return type(answer).__name__


class Trial:
    """On `side` the plugin, on the other nothing much. Leave it (it is a context manager) to have its traces kept."""

    def __init__(self, samples: Samples, side: Side | None, *, beside: Iterable[type[Plugin]] = ()) -> None:
        """`beside`: other plugins in the chain."""
        self.samples = samples
        self.side = side
        watched, noted = samples.watched
        self.gateway = MemoryGateway([watched, *beside], installed=False, allow_anonymous_proxies=samples.anonymous)
        self.notes = noted(self.gateway.clock)
        if samples.outside is not None:
            self.gateway.outside.says = samples.outside
        mine: AuthType = (samples.plugin.name, samples.config)
        nothing: AuthType = (STAND_IN, {})
        somebody: AuthType = (NOBODY, {}) if samples.anonymous and side is None else nothing
        settings: dict[str, Any] = dict(samples.settings)
        if samples.plugin.listed:
            settings["proxyPlugins"] = [{"name": samples.plugin.name, "configuration": dict(samples.config)}]
        self.proxy = self.gateway.proxy(
            caller=mine if side is Side.PROXY else somebody,
            towards=mine if side is Side.TARGET else nothing,
            **settings,
        )
        for rule in samples.rules:
            self.gateway.rule(self.proxy, rule)
        for document in samples.filters:
            self.gateway.filter(self.proxy, document)
        for meter in samples.meters:
            self.gateway.meter(self.proxy, meter)

    @property
    def object(self) -> Plugin:
        """The plugin's object."""
        return self.notes.objects[-1]

    @property
    def at(self) -> Occasion:
        """Now and here."""
        return Occasion(self.gateway.clock.wall(), f"/api/{self.proxy.id}")

    def ask(self, asks: Asks) -> Outcome:
        """A request and all that becomes of it, an hour long if it takes so long."""
        with self.noting() as outcome:
            call = self.begin(made(asks, self.at))
            if not call.ended:
                self.gateway.clock.advance(HOUR)
            self.keep_answer(call)
        return outcome(call)

    def begin(self, ask: Ask) -> Call:
        """A request as far as it gets while no time goes by."""
        return self.gateway.call(ask.method, self.proxy, ask.path, ask.headers, ask.body)

    @contextmanager
    def noting(self) -> Iterator[Callable[[Call], Outcome]]:
        """Notes for the block, which makes one call; what it is given tells afterwards what became of that."""
        gateway, notes, canary = self.gateway, self.notes, self.samples.canary
        notes.answers, notes.errors = [], []
        sent, events, finished = len(gateway.target.bytes), len(gateway.events), len(gateway.requests)
        received = len(gateway.target.received)
        with operator_log() as log:
            yield lambda call: Outcome(
                answer=call.answer if call.ended and call.answers else None,
                received=tuple(gateway.target.received[received:]),
                sent=len(gateway.target.bytes) > sent,
                notes=Notes(notes.file, notes.objects, notes.answers, notes.errors),
                events=tuple(event.subject for event in gateway.events[events:]),
                log=log.text,
                ex=gateway.requests[-1] if len(gateway.requests) > finished else None,
            )
            # Read inside, so that what a repr prints or logs is gathered as well.
            shown: list[object] = [*notes.objects, *gateway.requests]
            for each in notes.objects:
                shown += [each.config, each.context, each.consumes]
            reprs = "\n".join(f"{each!r} {each!s}" for each in shown)
        canary.add("a repr of its object, its configuration or its context", reprs)
        canary.add("the operator's log", log.raw)
        for phase, error in notes.errors:
            canary.add(f"an exception of its {phase}", "\n".join(f"{each!s} {each!r}" for each in _chain_of(error)))
        for phase, answer in notes.answers:
            if isinstance(answer, Denied | Reply | Identity):
                canary.add(f"what its {phase} answered", f"{answer!r}")
        for record in gateway.records[finished:]:
            canary.add("the request log", repr(record))
        self.samples.blocked.update(dict.fromkeys(notes.blocked))

    def keep_answer(self, call: Call) -> None:
        """The caller's side of a call is a place where no secret may be."""
        self.samples.canary.add("an answer to the caller", bytes(call.transport.written))

    def attempt(self, ex: Exchange) -> TargetRequest:
        """What the plugin writes for a further attempt of `ex`. Raises what `prepare` raises."""
        assert ex.route is not None
        request = ex.target_request = begin_target_request(ex, ex.route)
        request.writer = self.samples.plugin.name
        errors: list[BaseException | None] = []

        async def prepare() -> None:
            answer = self.object.prepare(ex)  # type: ignore[attr-defined]
            if hasattr(answer, "__await__"):
                await answer

        Task(prepare(), errors.append).start()
        if not errors:
            self.gateway.clock.advance(HOUR)
        if errors and errors[0] is not None:
            raise errors[0]
        return request


def _chain_of(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
