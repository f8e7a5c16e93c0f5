"""Promises of auth types towards the target: the credential is written last, wins, and is written again the same.

Belongs here: what is asked of `prepare`; the last also of other plugins. Does not: what holds for any (conduct.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rrgate.api import Exchange, Kind, NoConfig, Parts, Plugin, Side, TargetRequest, fold, fold_parameter
from rrgate.configuring import holds_secrets
from rrgate.outgoing import begin_target_request
from rrgate.testing.contract.samples import Samples, made
from rrgate.testing.contract.trial import Outcome, Trial
from rrgate.testing.messages import Received

_DECOY = "a-decoy-of-somebody-else"


def wins(samples: Samples) -> Iterator[str]:
    """Beside what it writes nothing of that name reaches the target, whoever else sends or writes it."""
    if Side.TARGET not in samples.plugin.sides:
        return
    trial = Trial(samples, Side.TARGET)
    ask = made(next(iter(samples.good_on(Side.TARGET).values())), trial.at)
    outcome = trial.ask(ask)
    if outcome.status != 200 or not outcome.received:
        yield f"a request: {outcome.became()}"
        return
    assert outcome.ex is not None
    yield from _wrote_well(samples, outcome)
    headers, parameters = _written(outcome.ex.to_target, samples.plugin.name)
    if not headers and not parameters and not outcome.ex.to_target.body_writer and holds_secrets(samples.plugin.Config):
        yield "it has a secret and shows the target nothing: write it with ex.to_target.set_header or set_query"
    for header in headers:
        spelled = header.decode("latin-1")
        for spelling in (spelled, spelled.upper(), spelled.replace("-", "_")):
            ask = ask.and_header(spelling, _DECOY)
    for parameter in parameters:
        encoded = "".join(f"%{byte:02X}" for byte in parameter)
        for spelling in (parameter.decode("latin-1"), encoded, parameter.decode("latin-1").replace("-", "_")):
            ask = ask.and_parameter(spelling, _DECOY)
    trial = Trial(samples, Side.TARGET, beside=_writers(headers, parameters))
    outcome = trial.ask(ask)
    if outcome.status != 200 or not outcome.received:
        yield f"a request that has its headers and parameters already: {outcome.became()}"
        return
    yield from _wrote_well(samples, outcome)
    received = outcome.received[0]
    for header in headers:
        there = [value for name, value in received.fields if fold(name.encode("latin-1")) == header]
        if len(there) != 1 or _DECOY in there:
            yield f"the target got {len(there)} headers like {header.decode()!r}: only its own may be there"
    for parameter in parameters:
        values = _values(received, parameter)
        if len(values) != 1 or _DECOY in values:
            yield f"the target got {len(values)} parameters like {parameter.decode()!r}: only its own may be there"


def _wrote_well(samples: Samples, outcome: Outcome) -> Iterator[str]:
    ex = outcome.ex
    assert ex is not None
    assert ex.route is not None
    fresh, request = begin_target_request(ex, ex.route), ex.to_target
    if any(known not in fresh.fields for known in request.fields):
        yield "it changed ex.to_target.fields itself: set_header is what keeps others of that name away"
    if request.query != fresh.query and not request.injected_query:
        yield "it changed ex.to_target.query itself: set_query is what keeps others of that name away"
    if samples.accepted is not None and outcome.received and not samples.accepted(outcome.received[0]):
        yield "what the target got is not what `accepted` accepts"


def _written(request: TargetRequest, name: str) -> tuple[list[bytes], list[bytes]]:
    headers = [folded for folded, (_, _, writer) in request.injected.items() if writer == name]
    return headers, [folded for folded, (_, writer) in request.injected_query.items() if writer == name]


def _values(received: Received, folded: bytes) -> list[str]:
    parts = [part.partition("=") for part in received.query.split("&")]
    return [value for name, _, value in parts if fold_parameter(name.encode("latin-1")) == folded]


def _writers(headers: list[bytes], parameters: list[bytes]) -> list[type[Plugin]]:
    """Plugins of every kind that writes before a credential, which write what it writes."""

    class Writer(Plugin):
        Config = NoConfig

        @classmethod
        def for_proxy(cls, parts: Parts) -> NoConfig:
            return NoConfig()

        def prepare(self, ex: Exchange) -> None:
            for header in headers:
                ex.to_target.set_header(header, _DECOY.encode())
            for parameter in parameters:
                ex.to_target.set_query(parameter, _DECOY.encode())

    kinds = (Kind.DATA, Kind.QUERY, Kind.HEADERS, Kind.OWN)
    return [type(f"Writer{kind.name}", (Writer,), {"name": f"writer-{kind.name}", "kind": kind}) for kind in kinds]


def repeats(samples: Samples) -> Iterator[str]:
    """`prepare` writes the same for a further attempt, and for a further request that is the same."""
    for side in samples.sides:
        if not callable(getattr(samples.plugin, "prepare", None)) or side is Side.PROXY:
            continue
        trial = Trial(samples, side)
        ask = made(next(iter(samples.good_on(side).values())), trial.at)
        first, second = trial.ask(ask), trial.ask(ask)
        if not trial.notes.objects:
            continue
        if not (first.received and second.received and first.ex and second.ex):
            yield f"a request: {first.became()}"
            continue
        one, other = _facts(samples, first.ex.to_target), _facts(samples, second.ex.to_target)
        if one != other:
            yield f"for the same request a second time {_difference(one, other)}"
        try:
            attempts = [_facts(samples, trial.attempt(first.ex)) for _ in range(2)]
        except Exception as error:  # noqa: BLE001 - told of as it is
            yield f"for a further attempt it raised {type(error).__name__}"
            continue
        for attempt in attempts:
            if attempt != one:
                yield f"for a further attempt {_difference(one, attempt)}"
                break


def _facts(samples: Samples, request: TargetRequest) -> dict[str, Any]:
    varies = {fold(name.encode()) for name in samples.varies}
    facts: dict[str, Any] = {
        f"the header {folded.decode('latin-1')!r}": "" if folded in varies else value
        for folded, (_, value, _) in request.injected.items()
    }
    for folded, (value, _) in request.injected_query.items():
        facts[f"the parameter {folded.decode('latin-1')!r}"] = "" if folded in varies else value
    facts["the body"] = request.body if request.body_writer else None
    facts["the path"] = request.path
    return facts


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    what = [f"{name} is {'missing' if name not in other else 'another'}" for name in names]
    return f"{', '.join(what)} (what must vary is named in `varies`)"
