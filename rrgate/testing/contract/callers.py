"""Promises of auth types on the caller's side: who is let in, who is not, and that the credential goes no further.

Belongs here: what is asked of `authenticate` and `consumes`. Does not: what holds for any plugin (conduct.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rrgate.api import Denied, Identity, Reply, Side
from rrgate.testing.canary import Canary
from rrgate.testing.contract.samples import Ask, Samples, made
from rrgate.testing.contract.trial import Outcome, Trial

GARBAGE: Final = (
    "",
    "x",
    "Basic !!!",
    "Negotiate",
    "Bearer  ",
    "é\x80\xff",
    '=,"=;=,',
    "{}",
    "1e309",
    "-1",
    "9" * 500,
    "a" * 8000,
    "Basic Og==",
)
"""What callers may show in a credential's place: the empty, the misspelled, the endless, and what parsers choke on."""


def _admitted(outcome: Outcome) -> bool:
    return any(isinstance(answer, Identity) for answer in outcome.notes.of("authenticate"))


def lets_in(samples: Samples) -> Iterator[str]:
    """Each good request is identified, and forwarded whole."""
    if Side.PROXY not in samples.plugin.sides:
        return
    trial = Trial(samples, Side.PROXY)
    for name, asks in samples.good.items():
        ask, outcome = made(asks, trial.at), trial.ask(asks)
        if outcome.status != 200 or not outcome.received:
            yield f"{name}: {outcome.became()}"
            continue
        (identity,) = (each for each in outcome.notes.of("authenticate") if isinstance(each, Identity))
        if not identity.subject:
            yield f"{name}: its Identity has no subject"
        credential = trial.object.context.credential
        assert credential is not None
        if identity.credential_id not in ("", credential.id):
            yield f"{name}: its Identity names another credential than context.credential"
        if outcome.received[0].body != (ask.body or b""):
            yield f"{name}: the target did not get the caller's body"


def knows_nobody_without(samples: Samples) -> Iterator[str]:
    """Without a credential it answers None, so that others may know the caller."""
    if Side.PROXY not in samples.plugin.sides or samples.anonymous:
        return
    trial = Trial(samples, Side.PROXY)
    for name, asks in {"an empty request": Ask(), **samples.good}.items():
        outcome = trial.ask(made(asks, trial.at).without(trial.object.consumes))
        answers = outcome.notes.of("authenticate")
        if _admitted(outcome):
            yield (
                f"{name}, without the headers and parameters that `consumes` names, is let in: "
                "declare in `consumes` every name that the credential can be read from, or `anonymous`"
            )
        elif answers != [None]:
            yield f"{name}, without its credential: {outcome.became()}; it must answer None"


def refuses(samples: Samples) -> Iterator[str]:
    """What is wrong is Denied, whatever it looks like, and nothing of it is forwarded."""
    if Side.PROXY not in samples.plugin.sides:
        return
    if not samples.bad and not samples.anonymous:
        yield "give `bad`: requests with a wrong credential, by what is wrong with it"
    trial = Trial(samples, Side.PROXY)
    for name, asks in samples.bad.items():
        outcome = trial.ask(asks)
        if not any(isinstance(each, Denied | Reply) for each in outcome.notes.of("authenticate")):
            yield f"{name}: {outcome.became()}; it must answer Denied"
    for name, asks in samples.good.items():
        ask = made(asks, trial.at)
        for where in ask.shown(trial.object.consumes):
            value, place = ask.value(where), f"{where[0]} {ask.name(where)!r}"
            for changed in (f"{value}x", f"x{value}", value[:-1]):
                outcome = trial.ask(ask.with_value(where, changed))
                if _admitted(outcome):
                    yield f"{name} with its {place} changed: {outcome.became()}"
            became: dict[str, list[str]] = {}
            for garbage in GARBAGE:
                shown = garbage if where[0] == "header" else "".join(f"%{byte:02X}" for byte in garbage.encode())
                if shown == value:
                    continue
                outcome = trial.ask(ask.with_value(where, shown))
                if _admitted(outcome) or outcome.notes.errors:
                    became.setdefault(outcome.became(), []).append(f"{garbage[:20]!a}")
            for told, those in became.items():
                yield f"{name} with {' or '.join(those)} as its {place}: {told}"
            for first in (True, False):
                add = ask.and_header if where[0] == "header" else ask.and_parameter
                if _admitted(trial.ask(add(ask.name(where), f"{value}x", first=first))):
                    yield f"{name} with a second {place} of another value is let in: what is ambiguous is refused"


def is_cut(samples: Samples) -> Iterator[str]:
    """What a caller shows reaches no target, however its names are spelled."""
    if Side.PROXY not in samples.plugin.sides:
        return
    trial = Trial(samples, Side.PROXY)
    consumes = trial.object.consumes
    secrets = Canary()
    for name, value in samples.configured_secrets():
        secrets.know(name, value)
    for name, asks in samples.good.items():
        ask = made(asks, trial.at)
        for what, tried in _spellings(ask, trial):
            before = len(trial.gateway.target.bytes)
            trial.ask(tried)
            arrived = bytes(trial.gateway.target.bytes[before:])
            shown = [ask.value(where) for where in ask.shown(consumes)]
            secrets.add(f"{name}{what}", arrived)
            if any(len(value) >= 4 and value.encode("latin-1") in arrived for value in [*shown, _DECOY]):
                yield f"{name}{what}: what the caller showed was forwarded"
    for finding in secrets.findings():
        yield f"{finding.sink}: the secret `{finding.secret}` was forwarded"


_DECOY = "a-decoy-that-nobody-may-see"


def _spellings(ask: Ask, trial: Trial) -> Iterator[tuple[str, Ask]]:
    consumes = trial.object.consumes
    yield "", ask
    for where in ask.shown(consumes):
        name = ask.name(where)
        spellings = {name.upper(), name.lower(), name.replace("-", "_"), name.replace("_", "-")}
        if where[0] == "parameter":
            spellings.add("".join(f"%{byte:02x}" for byte in name.encode()))
        for spelling in sorted(spellings - {name}):
            yield f" with {spelling!r} for {name!r}", ask.with_name(where, spelling)
    for header in sorted(consumes.headers):
        for spelling in {header.decode(), header.decode().replace("-", "_").title()}:
            yield f" and another {spelling!r}", ask.and_header(spelling, _DECOY)
    for parameter in sorted(consumes.parameters):
        encoded = "".join(f"%{byte:02X}" for byte in parameter)
        for spelling in {parameter.decode(), encoded}:
            yield f" and a parameter {spelling!r}", ask.and_parameter(spelling, _DECOY)
