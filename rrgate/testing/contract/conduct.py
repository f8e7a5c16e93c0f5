"""Promises of every plugin: it keeps secrets, heeds cancellation, fails closed, blocks nothing, and does its work.

Belongs here: what does not depend on the kind of plugin. Does not: auth types alone (callers.py, targets.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import CancelledError

from rrgate.api import OutsideError, Side
from rrgate.testing.contract.samples import Samples, made
from rrgate.testing.contract.trial import HOUR, Trial
from rrgate.testing.contract.watched import Broken

_WAY_IN = ("authenticate", "authorize", "body_needed", "prepare")


def does_its_work(samples: Samples) -> Iterator[str]:
    """A plugin that is no auth type lets good requests through and refuses bad ones."""
    if samples.sides != [None]:
        return
    trial = Trial(samples, None)
    for name, asks in samples.good.items():
        outcome = trial.ask(asks)
        if outcome.status != 200 or not outcome.sent or outcome.events:
            yield f"{name}: {outcome.became()}"
        elif samples.accepted is not None and not samples.accepted(outcome.received[0]):
            yield f"{name}: what the target got is not what `accepted` accepts"
    for name, asks in samples.bad.items():
        outcome = trial.ask(asks)
        if outcome.sent or not 400 <= outcome.status < 500:
            yield f"{name}: {outcome.became()}; it must be refused"


def heeds_cancellation(samples: Samples) -> Iterator[str]:
    """When the caller leaves, whatever it waits for ends with CancelledError, and nothing is sent."""
    for side in samples.sides:
        for name, asks in samples.good_on(side).items():
            trial = Trial(samples, side)
            trial.gateway.outside.after = None
            with trial.noting():
                call = trial.begin(made(asks, trial.at))
                sent = len(trial.gateway.target.bytes)
                answered, failed = len(trial.notes.answers), len(trial.notes.errors)
                call.leave()
                in_flight = trial.gateway.in_flight
                trial.gateway.clock.advance(HOUR)
            if in_flight or len(trial.gateway.target.bytes) > sent:
                yield f"{name}: it goes on when the caller has left"
            for phase, _ in trial.notes.answers[answered:]:
                if phase != "on_log":
                    yield f"{name}: its {phase} goes on when the caller has left: re-raise CancelledError"
            for phase, error in trial.notes.errors[failed:]:
                if isinstance(error, GeneratorExit):
                    yield f"{name}: its {phase} waits again when the caller has left: re-raise CancelledError"
                elif not isinstance(error, CancelledError):
                    raised = type(error).__name__
                    yield f"{name}: its {phase} raises {raised} when the caller leaves: re-raise CancelledError"


def fails_closed(samples: Samples) -> Iterator[str]:
    """Where something fails that it relies on, nobody is let in who would not be; where it raises, nothing is sent."""
    for side in samples.sides:
        sound = Trial(samples, side)
        refused = {
            name: asks
            for name, asks in (samples.bad.items() if side is not Side.TARGET else ())
            if not sound.ask(asks).sent
        }
        for what in ("wall", "clock", "outside", "outside that fails oddly") if refused else ():
            trial = Trial(samples, side)
            trial.notes.fails = what
            if what.startswith("outside"):
                trial.gateway.outside.says = OutsideError("no answer") if what == "outside" else Broken("no answer")
            for name, asks in refused.items():
                if trial.ask(asks).sent:
                    yield f"{name} is forwarded when {what.split()[0]} fails: what cannot be told is refused"
        asks = next(iter(samples.good_on(side).values()))
        entered = Trial(samples, side).ask(asks).notes
        for phase in filter(entered.of, _WAY_IN):
            trial = Trial(samples, side)
            trial.ask(asks)
            trial.notes.fails = phase
            outcome = trial.ask(asks)
            if outcome.sent or outcome.status != 500:
                yield f"when it raises in {phase}, the caller gets {outcome.status} in place of 500"
            if outcome.events != (f"{samples.plugin.name} {phase}",) or phase not in outcome.log:
                yield f"when it raises in {phase}, the operator is told of {', '.join(outcome.events) or 'nothing'}"


def keeps_secrets(samples: Samples) -> Iterator[str]:
    """After all that was done with it, its secrets are in nothing that is logged, shown or answered."""
    for name, value in samples.configured_secrets():
        samples.canary.know(name, value)
    for number, value in enumerate(samples.secrets):
        samples.canary.know(f"secrets[{number}]", value)
    told: dict[str, None] = {}
    for finding in samples.canary.findings():
        told.setdefault(f"the secret `{finding.secret}` is in {finding.sink}, in {finding.spelling} form")
    yield from told


def blocks_nothing(samples: Samples) -> Iterator[str]:
    """It did nothing, in all of this, that holds up every other request."""
    for what in samples.blocked:
        yield f"it calls {what}: that holds up every request of the gateway; wait with Deferreds, or in a thread"
