"""`AssumedCaller`: what stands, where a request is explained, in the place of the step that reads a credential.

Belongs here: whether the credential would let anyone in, and where it is assumed to be shown. Does not: any other step
(explaining.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError

from rrgate.api import Denied, Explained, Identity
from rrgate.chain import Step
from rrgate.checks import Checks
from rrgate.exchange import Exchange
from rrgate.explanation import Notes, StepTold
from rrgate.patience import RAISED
from rrgate.route import Route, past
from rrgate.steps import WrongAnswer


@frozen
class AssumedCaller:
    """Of one explanation. `asks`: the step that would read the credential, None where nothing does.

    `explain`: the step by which its plugin says something of it. `now`: seconds since the epoch. `tell`: is told what
    was said.
    """

    _route: Route
    _asks: Step | None
    _explain: Step | None
    _identity: Identity = field(repr=False)
    _now: float
    _tell: Callable[[StepTold], object]

    @property
    def step(self) -> Step:
        """What is called in its place, with its patience."""
        if self._asks is None:
            return Step(self._called, True, "caller", "authenticate", 0)
        return evolve(self._asks, call=self._called, is_async=True)

    async def _called(self, ex: Exchange) -> Identity | Denied:
        credential, notes = self._route.proxy_credential, Notes()
        name = "" if credential is None else credential.auth_type
        if reason := self._denied():
            self._tell(StepTold(name, "authenticate", "denied", reason))
            return Denied(reason)
        try:
            if self._route.passed_headers and self._asks is not None and self._asks.pure:
                ex.read_from = await _read_from(ex, self._asks, self._route.cut_headers)
            if self._explain is not None:
                # What it answers does not count: that the caller is known is assumed.
                notes = (await said_by(self._explain, ex, "authenticate")).notes
        except CancelledError:
            raise
        except RAISED:
            self._tell(StepTold(name, "authenticate", "failed"))
            raise
        self._tell(StepTold(name, "authenticate", "assumed", "", notes))
        return self._identity

    def _denied(self) -> str:
        """Why nobody is let in, or nothing."""
        if self._route.proxy_credential is None:
            return "the proxy's caller credential is not there"
        if self._asks is None:
            return "the proxy asks for no credential, which this gateway does not allow"
        if not self._route.checks & Checks.PROXY_CREDENTIAL_ACTIVE:
            return "the caller's credential is switched off"
        return "the caller's credential has expired" if past(self._route.caller_expires, self._now) else ""


async def _read_from(ex: Exchange, asks: Step, cut: frozenset[bytes]) -> tuple[bytes, ...]:
    """The headers that `asks` reads of a caller who shows something wherever this request has nothing. `cut`: folded
    names of all that it could read."""
    described, warnings = ex.fields, ex.warnings
    there = {folded for folded, _, _ in described}
    ex.fields = described + [(name, name, b"shown") for name in sorted(cut - there)]
    ex.warnings = []
    try:
        await got(asks.call(ex))
        return ex.read_from
    finally:
        ex.fields, ex.warnings = described, warnings


async def said_by(explain: Step, ex: Exchange, phase: str) -> Explained:
    """What a plugin's `explain` says of `phase`. Raises WrongAnswer, and what it raises."""
    explained = await got(explain.call(ex, phase))
    if type(explained) is not Explained:
        raise WrongAnswer(f"{explain.plugin}.explain answered a {type(explained).__name__}")
    return explained


async def got(answer: Any) -> Any:
    """`answer`, or what it comes to if it is to be awaited."""
    return await answer if hasattr(answer, "__await__") else answer
