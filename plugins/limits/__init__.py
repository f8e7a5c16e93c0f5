"""Limits on requests: of a proxy, of its client over all proxies, of the proxy's meters, and the client's budget.

Belongs here: the two plugins. Its rooms: config.py (which limits a proxy has), metering.py (which meters a request is
for), values.py (values of answers), answers.py (what callers and the operator are told).

All limits of a request are one question to the counters, so that one of them that refuses uses nothing of another up.
The plugin stands behind all that may refuse a request for other reasons: those are not counted (gateway-api.md 9).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from typing import Final

from rrgate.api import (
    ConfigError,
    Exchange,
    Explained,
    Kind,
    Limit,
    Meter,
    Parts,
    Plugin,
    PluginContext,
    Problem,
    Quota,
    Reply,
    Window,
)
from rrgate_plugins.limits.answers import Telling, suspended, warn
from rrgate_plugins.limits.config import LimitsConfig, MetersConfig
from rrgate_plugins.limits.metering import Metering
from rrgate_plugins.limits.values import Reading
from rrgate_plugins.rules import RuleChecks

__all__ = ["AnswerMeters", "Limits", "LimitsConfig", "MetersConfig"]

_METERS: Final = "limits.meters"
"""In `ex.state`: the ids of the conditional meters that a request is for."""


class Limits(Plugin):
    """Lets pass what all limits have room for."""

    name = "request-limits"
    kind = Kind.METER
    Config = LimitsConfig
    serves = frozenset(
        {
            "proxyMaxRequestsPerMinute",
            "proxyMaxRequestsPerDay",
            "limits.requestsPerMinute",
            "limits.requestsPerDay",
            "plan",
            "billing.suspended",
            "billing.monthlyRequestBudget",
            "ceilings.requestsPerMinute",
            "ceilings.requestsPerDay",
        }
    )
    measures = frozenset({"request_count", "response_value"})

    def __init__(self, config: LimitsConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        counters = context.counters
        of_client = config.of_client
        if config.budget is not None:
            of_client += (Limit(Window.MONTH, config.budget),)
        quotas = []
        if config.of_proxy:
            quotas.append(Quota(counters.counter("proxy", config.proxy_id), config.of_proxy, name="proxy"))
        if of_client:
            quotas.append(Quota(counters.counter("client", config.client_id), of_client, name="client"))
        metering = Metering(config.meters, counters)
        self._suspended = config.suspended
        self._quotas = (*quotas, *metering.of_all)
        self._metering = metering if metering.conditional else None
        self._take = counters.take
        self._telling = Telling(config, context.tell)

    @classmethod
    def for_proxy(cls, parts: Parts) -> LimitsConfig | None:
        """None where nothing is limited or counted, so that such a proxy pays nothing for it."""
        config = LimitsConfig.of(parts)
        _refuse_unknown_checks(parts)
        return None if config.idle else config

    @classmethod
    def check_meter(cls, meter: Meter) -> None:
        """Raises ConfigError naming each pattern and JSONPath that cannot be carried out, and why."""
        problems = []
        rule = meter.as_rule
        if rule is not None:
            try:
                RuleChecks.check_rule(rule)
            except ConfigError as error:
                problems += [Problem(f"predicates.{each.field}", each.problem) for each in error.problems]
        if meter.extraction is not None:
            try:
                Reading(meter)
            except ValueError as error:
                problems.append(Problem("extraction.path", str(error)))
        if problems:
            raise ConfigError(*problems)

    def authorize(self, ex: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Count it where there is room for it, or tell where there is none.

        The caller's body is waited for only where it depends on it which meters the request is for.
        """
        if self._suspended:
            return suspended()
        if self._metering is not None:
            return self._conditional(ex, self._metering)
        taken = self._take(self._quotas)
        return None if taken is None else self._telling.tell(ex, taken)

    def _conditional(self, ex: Exchange, metering: Metering) -> Reply | Awaitable[Reply | None] | None:
        message = metering.message(ex)
        if metering.wants_body(message):
            return self._with_body(ex, metering)
        return self._matched(ex, metering.matching(message))

    async def _with_body(self, ex: Exchange, metering: Metering) -> Reply | None:
        message = metering.message(ex)
        await message.read_body()
        return self._matched(ex, metering.matching(message))

    async def explain(self, ex: Exchange, phase: str) -> Explained:
        """What is left of each limit; nothing is counted."""
        if self._suspended:
            return Explained(suspended())
        quotas = list(self._quotas)
        if self._metering is not None:
            message = self._metering.message(ex)
            if self._metering.wants_body(message):
                await message.read_body()
            matching = self._metering.matching(message)
            ex.state[_METERS] = matching.keys()
            quotas += [quota for quota in matching.values() if quota is not None]
        taken = self._take(quotas, only_look=True)
        answer = None
        if taken is not None and taken.refused:
            answer = self._telling.answer(taken)
        elif taken is not None:
            warn(ex, taken)
        return Explained(answer, tuple(note for quota in quotas for note in _left(quota)))

    def _matched(self, ex: Exchange, matching: dict[str, Quota | None]) -> Reply | None:
        ex.state[_METERS] = matching.keys()
        more = [quota for quota in matching.values() if quota is not None]
        taken = self._take((*self._quotas, *more))
        return None if taken is None else self._telling.tell(ex, taken)


def _left(quota: Quota) -> Iterator[Mapping[str, object]]:
    counted = quota.counter.read()
    for limit in quota.limits:
        used = counted.of(limit.window)
        yield {
            "limit": quota.name,
            "window": limit.window.value,
            "most": limit.most,
            "used": used,
            "left": max(0, limit.most - used),
        }


def _refuse_unknown_checks(parts: Parts) -> None:
    problems = [
        Problem(f"meters.{meter.id}", f"checks {kind}, which nothing installed carries out any more")
        for meter in parts.meters
        if (rule := meter.as_rule) is not None
        for kind in sorted(rule.checks - RuleChecks.judges)
    ]
    if problems:
        raise ConfigError(*problems)


class AnswerMeters(Plugin):
    """Counts values of targets' answers, as they come: before filters, which stand nearer to the caller."""

    name = "answer-meters"
    kind = Kind.METER
    Config = MetersConfig
    measures = frozenset({"response_value"})
    pure = True

    def __init__(self, config: MetersConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._always = frozenset(meter.id for meter in config.meters if meter.as_rule is None)
        self._readings = tuple(
            (meter.id, Reading(meter), context.counters.counter("meter", meter.id))
            for meter in config.meters
            if meter.extraction is not None
        )
        self._bodies = frozenset(id for id, reading, _ in self._readings if reading.of_body)
        metering = Metering(config.meters, context.counters)
        self._metering = metering if metering.conditional else None

    @classmethod
    def for_proxy(cls, parts: Parts) -> MetersConfig | None:
        """None where no meter counts values."""
        meters = tuple(meter for meter in parts.meters if meter.type == "response_value")
        return MetersConfig(meters) if meters and not parts.client.configuration.suspended else None

    def _applying(self, ex: Exchange) -> frozenset[str]:
        return self._always.union(ex.state.get(_METERS, ()))

    def prepare(self, ex: Exchange) -> Awaitable[None] | None:
        """Ask for a body that can be read where one is to be."""
        metering = self._metering
        if ex.is_async and metering is not None:  # an attempt, which was judged when its request was taken
            message = metering.message(ex)
            if metering.wants_body(message):
                return self._match_later(ex, metering)
            ex.state[_METERS] = metering.matching(message).keys()
        self._ask(ex)
        return None

    async def _match_later(self, ex: Exchange, metering: Metering) -> None:
        message = metering.message(ex)
        await message.read_body()
        ex.state[_METERS] = metering.matching(message).keys()
        self._ask(ex)

    def _ask(self, ex: Exchange) -> None:
        if not self._bodies.isdisjoint(self._applying(ex)):
            ex.to_target.ask_whole(b"identity")

    def on_response(self, ex: Exchange) -> Reply | Awaitable[Reply | None] | None:
        """Count what the answer's head says, and then its body, if one is to be read and is short enough."""
        if ex.response is None:
            return None
        applying = self._applying(ex)
        wants_body = False
        for id, reading, counter in self._readings:
            if id not in applying:
                continue
            if reading.of_body:
                wants_body = True
            elif (value := reading.in_head(ex.response)) is not None:
                counter.add(value)
        return self._count_in_body(ex, applying) if wants_body and ex.method != b"HEAD" else None

    async def _count_in_body(self, ex: Exchange, applying: frozenset[str]) -> Reply | None:
        assert ex.response is not None
        document = await Reading.document(ex.response)
        if document is None or isinstance(document, Reply):
            return document
        for id, reading, counter in self._readings:
            if reading.of_body and id in applying and (value := reading.in_body(document.value)) is not None:
                counter.add(value)
        return None
