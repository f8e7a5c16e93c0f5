"""`judged`: what became of each request of the torture, and what of that is against the rules of docs/async.md.

Belongs here: the rules, as whoever stands outside can see them. Does not: finding out what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from attrs import define, field, frozen

from rrgate.delivery.states import MOST_ATTEMPTS
from rrgate.torture.plan import BREAKS_OFF, GOOD, TRANSIENT, Plan
from rrgate.torture.receiver import Told
from rrgate.torture.target import Arrival

_ENDS: Final = ("succeeded", "failed", "exhausted", "unknown", "cancelled")


@frozen
class Kill:
    """`at`: seconds of the monotonic clock. `again_at`: when a gateway was there again; nothing was sent in between."""

    at: float
    again_at: float


@frozen
class Ending:
    """What the gateway itself says of a request in the end."""

    request_id: str
    state: str
    attempts: int
    """Begun ones."""
    broken_off: int
    """Of them those whose answer never came."""
    logged: bool
    """Its end is in the request log."""


@define
class Judgement:
    """Counts of requests; `doubled` and `lost` are against the rules, and `problems` says of each what it is."""

    accepted: int = 0
    delivered: int = 0
    repeated: int = 0
    """Arrived once more after a kill, as they may."""
    doubled: int = 0
    unknown: int = 0
    lost: int = 0
    unlogged: int = 0
    called_back: int = 0
    """Whose callers were told of the end as they wanted."""
    states: Counter[str] = field(factory=Counter)
    problems: list[str] = field(factory=list)


def judged(
    plans: Mapping[int, Plan],
    accepted: Mapping[int, str],
    endings: Mapping[int, Ending | None],
    arrivals: Mapping[int, Sequence[Arrival]],
    kills: Sequence[Kill],
    told: Mapping[int, Sequence[Told]],
) -> Judgement:
    """`accepted`: ids of requests that were answered 202, by number. `endings`: of all that were taken, whether or not
    their callers had an answer; None where the gateway knows of none. `told`: callbacks."""
    result = Judgement(accepted=len(accepted))
    for number in sorted({*accepted, *arrivals}):
        plan, arrived, ending = plans[number], arrivals.get(number, ()), endings.get(number)
        what = f"request {number} ({plan.method}{', with a key' if plan.key else ''})"
        if ending is not None:
            result.states[ending.state] += 1
        result.delivered += bool(arrived)
        result.unknown += ending is not None and ending.state == "unknown"
        calls = told.get(number, ())
        result.called_back += bool(calls)
        why = _lost(plan, arrived, ending, accepted.get(number)) or _not_told(plan, ending, calls)
        if why:
            result.lost += 1
            result.problems.append(f"lost: {what} {why}")
        why = _doubled(plan, arrived, ending, kills) or _told_twice(calls, kills)
        if why:
            result.doubled += 1
            result.problems.append(f"doubled: {what} {why}")
        elif any(before.status not in TRANSIENT for before in arrived[:-1]):
            result.repeated += 1
        if ending is not None and ending.state in _ENDS and not ending.logged:
            result.unlogged += 1
            result.problems.append(f"unlogged: {what} is {ending.state}, and the request log does not tell its end")
    return result


def _lost(plan: Plan, arrived: Sequence[Arrival], ending: Ending | None, accepted: str | None) -> str:
    """Why it is not accounted for, or nothing."""
    if ending is None:
        return "is not known any more"
    if accepted is not None and ending.request_id != accepted:
        return "was taken under another id than its caller was told"
    if ending.state not in _ENDS:
        return f"has not ended: it is {ending.state}"
    if not all(each.as_sent for each in arrived):
        return "has not arrived as it was sent"
    if any(each.key != (plan.key or ending.request_id) for each in arrived):
        return "has not arrived with its Idempotency-Key"
    told = [each.status for each in arrived]
    if ending.state == "succeeded" and GOOD not in told:
        return "is said to have succeeded, and never did"
    if ending.state == "failed" and 404 not in told:
        return "is said to have failed, and was never answered so"
    if ending.state == "unknown" and (plan.repeatable or not ending.broken_off):
        return "is unknown without need"
    if ending.state == "cancelled":
        return "is cancelled, and nobody asked for that"
    if ending.state == "exhausted":
        answered = sum(status in TRANSIENT for status in told)
        if ending.attempts < MOST_ATTEMPTS:
            return f"is exhausted after {ending.attempts} attempts"
        if ending.attempts - ending.broken_off > answered:
            return f"is exhausted, and was told {answered} times to come again"
    return ""


def _doubled(plan: Plan, arrived: Sequence[Arrival], ending: Ending | None, kills: Sequence[Kill]) -> str:
    """Why it arrived once too often, or nothing."""
    for before, after in pairwise(arrived):
        # Within an attempt, for a connection that had served before and was closed: RFC 9110 9.2.2.
        at_once = plan.idempotent and before.status == BREAKS_OFF
        if after.attempt < before.attempt + (not at_once):
            return f"arrived in attempt {before.attempt} and then in attempt {after.attempt}"
        if before.status in TRANSIENT:
            continue
        if not plan.repeatable:
            return f"arrived once more after it was answered {before.status}, and is not safe to repeat"
        if not _killed_between(kills, before.at, after.at):
            return f"arrived once more after it was answered {before.status}, and nothing was killed in between"
    if ending is not None:
        if any(each.attempt > ending.attempts for each in arrived):
            return f"arrived in attempt {arrived[-1].attempt}, and {ending.attempts} were written down"
        final = sum(each.status not in TRANSIENT for each in arrived)
        if final > 1 + ending.broken_off:
            return f"was answered {final} times for good, and {ending.broken_off} attempts were broken off"
        if ending.broken_off and not plan.repeatable and ending.state != "unknown":
            return f"was broken off in the middle of an attempt, is not safe to repeat, and is {ending.state}"
    return ""


def _not_told(plan: Plan, ending: Ending | None, calls: Sequence[Told]) -> str:
    """Why its caller was not told of its end, or nothing."""
    if ending is None or ending.state not in _ENDS or not plan.calls_back:
        return ""
    if not any(each.status == GOOD for each in calls):
        return "was not called back"
    if any((each.request_id, each.state) != (ending.request_id, ending.state) for each in calls):
        return f"is {ending.state}, and its callback says something else"
    if not all(each.genuine for each in calls) or len({each.id for each in calls}) != 1:
        return "was called back with another signature, or as two"
    return ""


def _told_twice(calls: Sequence[Told], kills: Sequence[Kill]) -> str:
    """Why its caller was told once too often, or nothing."""
    for before, after in pairwise(calls):
        if before.status == GOOD and not _killed_between(kills, before.at, after.at):
            return "was called back once more, and nothing was killed in between"
    return ""


def _killed_between(kills: Sequence[Kill], before: float, after: float) -> bool:
    return any(before <= kill.again_at and kill.at <= after for kill in kills)
