"""`Metering`: the meters of a proxy, each with its quota: those of all requests, and those of requests that match.

Belongs here: which meters a request is for. Does not: matching (rrgate_plugins.rules), counting.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from rrgate.api import CountsRequests, Exchange, Meter, Quota, Scope
from rrgate_plugins.limits.config import limits_of
from rrgate_plugins.rules.matching import CompiledRule, compile_rule
from rrgate_plugins.rules.message import Message


@frozen(eq=False)
class _Conditional:
    id: str
    rule: CompiledRule
    quota: Quota | None
    """None where there is nothing to count or to look at yet: values of answers without a limit."""

    def is_for(self, method: bytes) -> bool:
        return self.rule.methods is None or method in self.rule.methods


class Metering:
    """`of_all`: the quotas of meters of all requests. `conditional`: the meters of those that match."""

    def __init__(self, meters: Sequence[Meter], counters: CountsRequests) -> None:
        """Raises ValueError for a pattern that RE2 does not take: such meters are refused before they are saved."""
        of_all: list[Quota] = []
        conditional: list[_Conditional] = []
        for meter in meters:
            limits = meter.limits
            most = limits_of(minute=limits.minute, hour=limits.hour, day=limits.day, month=limits.month)
            counts = meter.type == "request_count"
            needed = counts or most
            quota = Quota(counters.counter("meter", meter.id), most, counts, meter.id) if needed else None
            rule = meter.as_rule
            if rule is not None:
                conditional.append(_Conditional(meter.id, compile_rule(rule, Scope.PROXY, 0), quota))
            elif quota is not None:
                of_all.append(quota)
        self.of_all = tuple(of_all)
        self.conditional = tuple(conditional)

    @staticmethod
    def message(ex: Exchange) -> Message:
        """What checks see of a request."""
        return Message(ex)

    def wants_body(self, message: Message) -> bool:
        """Whether it depends on the body which meters match."""
        return any(each.is_for(message.method) and each.rule.wants_body(message) for each in self.conditional)

    def matching(self, message: Message) -> dict[str, Quota | None]:
        """By id, the quotas of the meters that match."""
        return {
            each.id: each.quota
            for each in self.conditional
            if each.is_for(message.method) and each.rule.matches(message)
        }
