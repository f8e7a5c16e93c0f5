"""`StubOutside`: servers that are no targets, as plugins call them through `context.http`, without any network.

Belongs here: keeping the calls and answering them. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen
from twisted.internet.task import deferLater

from rrgate.api import OutsideAnswer, OutsideError
from rrgate.outside_values import DEFAULT_LIMIT, DEFAULT_TIMEOUT
from rrgate.testing.clock import Clock


@frozen
class OutsideCall:
    """One call of a plugin's."""

    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    data: bytes | None = field(default=None, repr=False)


class StubOutside:
    """`says`: the answer to every call, an exception to raise, or a function of the call that tells either; at first
    an OutsideError. `calls`: those so far.

    `after`: seconds of the gateway's clock until the answer; None, and what is over a call's timeout, fails it when
    that is up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls: list[OutsideCall] = []
        self.says: OutsideAnswer | Exception | Callable[[OutsideCall], OutsideAnswer | Exception] = OutsideError(
            "nobody answers: tell `outside.says` what"
        )
        self.after: float | None = 0.0

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int = DEFAULT_LIMIT,
    ) -> OutsideAnswer:
        """See `rrgate.api.CallsOutside`."""
        call = OutsideCall(method, url, dict(headers or {}), data)
        self.calls.append(call)
        if self.after is None or self.after >= timeout:
            await deferLater(self._clock, timeout, lambda: None)
            raise OutsideError("the answer did not come in time")
        if self.after:
            await deferLater(self._clock, self.after, lambda: None)
        said = self.says(call) if callable(self.says) else self.says
        if isinstance(said, Exception):
            raise said
        if len(said.body) > limit:
            raise OutsideError("the answer is too large")
        return said
