"""Making a Chain of the plugins that work on one proxy.

Belongs here: which phases a plugin is in, their order, and sharing steps among chains. Does not: which plugins work on
a proxy (compiling.py), what a Chain is (chain.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from attrs import field, frozen

from rrgate.api import Plugin
from rrgate.chain import Chain, Step
from rrgate.patience import ENDLESS, Patience
from rrgate.plugin_values import Kind

_WAY_IN = ("authenticate", "authorize", "body_needed", "prepare")
PHASES: Final = (*_WAY_IN, "on_request_body", "renew", "on_response", "on_body", "next_attempt", "on_log", "explain")
"""Every method that a plugin may have for a request."""


@frozen(slots=True, eq=False)
class Member:
    """A plugin object and its place. `without`: phases it stays out of here (an auth type works on one side).

    `instead`: methods in the place of its own, by phase.
    """

    plugin: Plugin
    kind: Kind
    without: frozenset[str] = frozenset()
    instead: Mapping[str, Callable[..., Any]] = field(factory=dict)

    def method(self, phase: str) -> Callable[..., Any] | None:
        """Its method for `phase`, or None where it has no part in it."""
        if phase in self.without:
            return None
        return self.instead.get(phase) or getattr(self.plugin, phase, None)


KnownSteps = WeakValueDictionary[tuple[int, str, int], Step]
"""Steps of chains that are in use, by plugin object, phase and mark. A Step holds its plugin object, so that the id of
one that is here is no other's."""


def compile_chain(
    members: Sequence[Member], patience: Patience = ENDLESS, known: KnownSteps | None = None
) -> Chain:
    """The chain of `members`, given in any order; those of equal kind keep the order given.

    `known`: steps that other chains have, with the same patience; where this one has the same they share it.

    A plugin counts as entered when its first method on the way in is called, or, having none, when the request is
    sent.
    """
    ordered = sorted(members, key=lambda member: member.kind)
    phases: dict[str, list[Step]] = {}
    for phase in PHASES:
        steps = [
            _step(method, member, phase, 1 << place, patience, known)
            for place, member in enumerate(ordered)
            if (method := member.method(phase)) is not None
        ]
        phases[phase] = steps[::-1] if phase in ("on_response", "on_body") else steps
    by_sending = 0
    for place, member in enumerate(ordered):
        if all(member.method(phase) is None for phase in _WAY_IN):
            by_sending |= 1 << place
    limits = [member.plugin.body_need.limit for member in ordered if member.plugin.body_need.limit is not None]
    return Chain(
        **{phase: tuple(steps) for phase, steps in phases.items()},
        body_limit=min(limits) if limits else None,
        entered_by_sending=by_sending,
    )


def _step(
    method: Callable[..., Any], member: Member, phase: str, mark: int, patience: Patience, known: KnownSteps | None
) -> Step:
    key = id(member.plugin), phase, mark
    if known is not None and phase not in member.instead and (step := known.get(key)) is not None:
        return step
    step = Step(
        method,
        inspect.iscoroutinefunction(method),
        member.plugin.name,
        phase,
        mark,
        patience,
        member.kind,
        member.plugin.pure,
    )
    if known is not None and phase not in member.instead:
        known[key] = step
    return step
